"""The record of a sign-in where the store has lost it, or keeps it from an updated Python."""

import logging
from pathlib import Path

import pytest

from bridge.store.errors import EntryRefused
from bridge.tokens.stored_record import StoredRecord
from tests.oauth.samples import record
from tests.store.rings import SLOT, Home, MacRing

pytestmark = pytest.mark.anyio


async def test_a_record_that_the_keyring_has_lost_is_no_sign_out(tmp_path: Path) -> None:
    """As where another bridge removed it: a copy that has a token goes on with it, and keeps the next."""
    home = Home(tmp_path)
    kept = StoredRecord(SLOT, home.open())
    await kept.save(record())
    home.ring.entries.clear()
    assert await kept.read_current() is None
    assert kept.may_exist
    await kept.save(record(access_token="renewed"))
    assert await StoredRecord(SLOT, home.open()).read() == record(access_token="renewed")


async def test_a_record_of_another_grant_counts_as_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    await StoredRecord(SLOT, home.open()).save(record())
    assert await StoredRecord(SLOT, home.open(), "client-credentials").read() is None
    await StoredRecord(SLOT, home.open(), "client-credentials").save(record(grant="client-credentials"))
    assert await StoredRecord(SLOT, home.open(), "client-credentials").read() is not None
    assert await StoredRecord(SLOT, home.open()).read() is None


async def test_after_an_update_of_python_on_macos_the_next_sign_in_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path)
    home.ring = ring = MacRing()
    ring.foreign = (-25308, -25244)
    await StoredRecord(SLOT, home.open()).save(record())
    ring.program = "Python 3.13"
    kept = StoredRecord(SLOT, home.open())
    with pytest.raises(EntryRefused, match=r"Python was probably updated.* Sign in again\.$"):
        await kept.read()
    assert await kept.read_if_any() is None
    with caplog.at_level(logging.WARNING):
        await kept.replace(record(access_token="new"))
    assert kept.is_kept
    assert caplog.records == []
    assert await StoredRecord(SLOT, home.open()).read() == record(access_token="new")
