"""Saves that are cut short, and keyrings that fail, hang or keep nothing: the old value is there, or the new one."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from bridge.store.errors import KeyringUnavailable
from tests.store.rings import SLOT, ForgetfulRing, HangingRing, Home, Killed, failing_at
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

LONG = bytes(range(256)) * 16
"""4,096 bytes, of every value."""


async def test_a_hanging_keyring_costs_its_deadline_once(home: Home) -> None:
    home.ring = ring = HangingRing()
    store = home.open(deadline=0.2)
    try:
        async with asyncio.timeout(stretched(10)):
            await store.save(SLOT, b"one")
            assert ring.asked.is_set()
            ring.asked.clear()
            await store.save(SLOT, b"two")
        assert not ring.asked.is_set()
        assert await store.load(SLOT) == b"two"
        assert "a prompt" in home.notices[0]
    finally:
        ring.answer.set()


async def test_what_a_hanging_keyring_does_at_last_changes_nothing(home: Home) -> None:
    home.ring = ring = HangingRing()
    store = home.open(deadline=0.2)
    await store.save(SLOT, LONG)
    ring.answer.set()
    assert await asyncio.to_thread(ring.done.wait, 10)
    assert await home.open().load(SLOT) == LONG
    await home.open().save(SLOT, b"short")
    assert await home.open().load(SLOT) == b"short"
    assert len(ring.entries) == 1


async def test_a_keyring_that_keeps_nothing_is_found_out(home: Home) -> None:
    home.ring = ForgetfulRing()
    await home.open().save(SLOT, b"one")
    assert "did not store" in home.notices[0]
    assert await home.open().load(SLOT) == b"one"


@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_a_write_that_fails_midway_leaves_the_old_value(home: Home, at: int) -> None:
    await home.open("keyring").save(SLOT, LONG)
    failing_at(home.ring, "set", at, RuntimeError("the secret is hunter2"))
    with pytest.raises(KeyringUnavailable) as error:
        await home.open("keyring").save(SLOT, LONG[::-1])
    assert "hunter2" not in f"{error.value}{error.value.__cause__}"
    assert await home.open("keyring").load(SLOT) == LONG
    home.ring.before = lambda _: None
    await home.open("keyring").save(SLOT, b"short")
    assert len(home.ring.entries) == 1  # Nothing of the half-written one is left.


@pytest.mark.parametrize("what", ["get", "set", "delete"])
@pytest.mark.parametrize("at", [1, 2, 4])
async def test_a_process_killed_at_the_keyring_leaves_the_old_value_or_the_new(home: Home, what: str, at: int) -> None:
    await home.open().save(SLOT, LONG)
    failing_at(home.ring, what, at, Killed())
    with pytest.raises(Killed):
        await home.open().save(SLOT, LONG[::-1])
    home.ring.before = lambda _: None
    new = what == "delete"
    assert await home.open().load(SLOT) == (LONG[::-1] if new else LONG)
    await home.open().save(SLOT, b"short")
    assert await home.open().load(SLOT) == b"short"
    assert len(home.ring.entries) == 1


@pytest.mark.parametrize("locked", ["", "it is locked"])
@pytest.mark.parametrize("at", range(1, 7))
async def test_a_process_killed_at_the_disk_leaves_the_old_value_or_the_new(
    home: Home, monkeypatch: pytest.MonkeyPatch, locked: str, at: int
) -> None:
    """Every replacement and removal of a file is one place to die, before it happens."""
    await home.open().save(SLOT, b"old")
    home.locked = locked
    count = 0

    def dying(patch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(Path, name)

        def instead(path: Path, *arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                raise Killed
            return real(path, *arguments, **options)

        patch.setattr(Path, name, instead)

    with monkeypatch.context() as patch:
        dying(patch, "replace")
        dying(patch, "unlink")
        try:
            await home.open().save(SLOT, b"new")
            saved = True
        except Killed:
            saved = False
    home.locked = ""
    found = await home.open().load(SLOT)
    assert found == b"new" if saved else found in (b"old", b"new")
    await home.open().save(SLOT, b"newest")
    assert await home.open().load(SLOT) == b"newest"
    assert len(home.ring.entries) == 1
    assert home.names() == [f"{SLOT}.keyring"]


@pytest.mark.parametrize("what", ["get", "set", "delete"])
async def test_a_call_that_fails_once_is_made_again(home: Home, what: str) -> None:
    store = home.open("keyring")
    await store.save(SLOT, b"old")

    def before(called: str) -> None:
        if called == what:
            home.ring.before = lambda _: None
            raise RuntimeError

    home.ring.before = before
    await store.save(SLOT, LONG)
    home.ring.before = before
    assert await store.load(SLOT) == LONG
    home.ring.before = before
    await store.delete(SLOT)
    assert home.ring.entries == {}


async def test_a_call_that_the_keyring_locked_is_not_made_again(home: Home) -> None:
    await home.open().save(SLOT, b"x")
    home.ring.calls.clear()
    failing_at(home.ring, "get", 1, type("KeyringLocked", (Exception,), {})())
    with pytest.raises(KeyringUnavailable, match="it is locked"):
        await home.open().load(SLOT)
    assert home.ring.calls == ["get"]


async def test_processes_killed_again_and_again_leave_nothing_behind_for_good(home: Home) -> None:
    failing_at(home.ring, "delete", 1, Killed())
    for number in range(40):
        with contextlib.suppress(Killed):
            await home.open().save(SLOT, bytes([number]) * 1000)
    home.ring.before = lambda _: None
    await home.open().save(SLOT, b"short")
    assert await home.open().load(SLOT) == b"short"
    assert len(home.ring.entries) == 1


async def test_what_may_be_removed_but_not_read_is_removed(home: Home) -> None:
    """As on macOS, for a Python that was replaced by another."""
    await home.open().save(SLOT, LONG)
    theirs = set(home.ring.entries)
    real = home.ring.get_password

    def get(service: str, username: str) -> str | None:
        if (service, username) in theirs & set(home.ring.entries):
            raise type("KeyringLocked", (Exception,), {})
        return real(service, username)

    home.ring.get_password = get  # type: ignore[method-assign]
    with pytest.raises(KeyringUnavailable):
        await home.open().load(SLOT)
    await home.open().save(SLOT, b"new")
    assert await home.open().load(SLOT) == b"new"
    assert len(home.ring.entries) == 1


async def test_a_keyring_that_gives_up_nothing_is_not_filled_for_ever(home: Home) -> None:
    failing_at(home.ring, "delete", 1, type("KeyringLocked", (Exception,), {})())
    for number in range(30):
        await home.open().save(SLOT, b"%d" % number)
    assert await home.open().load(SLOT) == b"29"
    assert len(home.ring.entries) < 20
    assert "does not let old copies be removed" in home.notices[0]
