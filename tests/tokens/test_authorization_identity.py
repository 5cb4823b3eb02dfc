"""In whose name requests go out: the same through every refresh, another with every sign-in, in nobody's after it."""

import msgspec
import pytest

from bridge.oauth.record import Record
from tests.support.in_process.authorization_harness import NOW, AuthorizationHarness, FakeStore, record

pytestmark = pytest.mark.anyio


def named(sign_in: str, access: str = "a0", refresh: str = "r0", *, left: float = 3600.0, **changes: object) -> Record:
    return record(access, refresh, left=left, sign_in=sign_in, **changes)


async def test_it_is_read_once_and_that_counts_as_no_change() -> None:
    harness = AuthorizationHarness(FakeStore(named("one")))
    assert harness.authorization.known_identity() is None
    assert harness.store.loads == 0
    identity = await harness.authorization.identity()
    assert identity == named("one").identity != ""
    assert harness.authorization.known_identity() == identity
    assert (harness.store.loads, harness.authorization.identities) == (1, 0)


async def test_nobody_is_signed_in_where_nothing_is_stored() -> None:
    harness = AuthorizationHarness()
    assert harness.authorization.known_identity() == ""
    assert await harness.authorization.identity() == ""
    assert (harness.store.loads, harness.authorization.identities) == (0, 0)


async def test_a_refresh_leaves_it_as_it_is() -> None:
    harness = AuthorizationHarness(FakeStore(named("one", left=5.0)))
    before = await harness.authorization.identity()
    assert await harness.token() == "a1"
    assert (await harness.authorization.identity(), harness.authorization.identities) == (before, 0)


async def test_a_sign_in_changes_it() -> None:
    harness = AuthorizationHarness(FakeStore(named("one", refresh="")))
    before = await harness.authorization.identity()
    await harness.refused()
    assert await harness.authorization.identity() not in {before, ""}
    assert harness.authorization.identities == 1


async def test_another_users_sign_in_that_is_found_in_the_store_changes_it() -> None:
    harness = AuthorizationHarness(FakeStore(named("one")))
    await harness.credential()
    harness.store.put(named("two", "b0"))
    assert await harness.authorization.identity() == named("one").identity, "what is sent still is the first user's"
    await harness.refused()
    assert await harness.token() == "b0"
    assert await harness.authorization.identity() == named("two").identity
    assert harness.authorization.identities == 1


async def test_signing_out_makes_it_nobodys() -> None:
    harness = AuthorizationHarness(FakeStore(named("one")))
    await harness.authorization.identity()
    harness.store.data = None
    harness.now = NOW + 2.0
    assert await harness.authorization.identity() == ""
    assert harness.authorization.identities == 1


async def test_a_record_without_a_name_has_another_identity_with_each_token() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=5.0)))
    before = await harness.authorization.identity()
    assert await harness.token() == "a1"
    assert await harness.authorization.identity() != before
    assert harness.authorization.identities == 1


def test_each_part_of_it_counts_and_no_token_shows() -> None:
    one = named("one")
    others = [
        named("two"),
        named("one", issuer="https://other.example"),
        named("one", scope="more"),
        named("one", client=msgspec.structs.replace(one.client, client_id="d")),
    ]
    assert len({one.identity, *(other.identity for other in others)}) == 5
    assert named("one", "a1").identity == one.identity
    assert record("a0").identity != record("a1").identity
    assert "very-secret" not in record("very-secret").identity
    assert one.without_tokens().identity == ""
