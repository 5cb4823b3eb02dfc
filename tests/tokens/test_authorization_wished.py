"""A person who wishes to sign in, one who signed out, and what is told of how a sign-in went."""

import pytest

from bridge.oauth.errors import SignInError
from tests.support.in_process.authorization_harness import (
    AuthorizationHarness,
    FakeStore,
    Issuer,
    record,
    settled,
    until,
    within,
)

pytestmark = pytest.mark.anyio

REFUSED = SignInError("It was refused.", hint="Try again.")


async def test_how_a_sign_in_went_is_told() -> None:
    harness = AuthorizationHarness()
    harness.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await harness.refused()
    harness.issuer.sign_in_problem = None
    await harness.refused()
    assert harness.told == [True, False, True, False]
    assert harness.problems == [str(REFUSED), ""]


async def test_after_a_refusal_a_wish_asks_again_without_any_request() -> None:
    harness = AuthorizationHarness()
    harness.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await harness.refused()
    harness.issuer.sign_in_problem = None
    harness.authorization.wish()
    await until(lambda: harness.told == [True, False] * 2)
    assert harness.renewing.wished == [False, True]
    assert await harness.token() == "a1"


async def test_a_wish_that_is_refused_is_told_and_breaks_nothing() -> None:
    harness = AuthorizationHarness()
    harness.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await harness.refused()
    harness.authorization.wish()
    await until(lambda: len(harness.problems) == 2)
    assert harness.problems[1] == str(REFUSED)
    assert await harness.token() is None


async def test_a_wish_during_a_sign_in_opens_a_browser_for_it() -> None:
    harness = AuthorizationHarness()
    harness.issuer.grants.clear()
    waiting = harness.refuse(await harness.credential())
    await until(lambda: harness.issuer.under_way == 1)
    harness.authorization.wish()
    await until(lambda: harness.renewing.opened == 1)
    harness.issuer.grants.set()
    await waiting
    assert len(harness.issuer.sign_ins) == 1


async def test_a_wish_during_a_refresh_waits_for_it_and_asks_nobody_where_it_succeeds() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    credential = await harness.credential()
    harness.issuer.grants.clear()
    waiting = harness.refuse(credential)
    await until(lambda: harness.issuer.under_way == 1)
    harness.authorization.wish()
    harness.issuer.grants.set()
    await waiting
    await until(lambda: harness.told != [])
    assert (harness.told, harness.problems, harness.issuer.sign_ins) == ([False], [""], [])


async def test_a_wish_during_work_that_asks_the_person_itself_asks_him_no_second_time() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.issuer.good.clear()
    harness.issuer.sign_in_problem = REFUSED
    harness.issuer.grants.clear()
    waiting = harness.refuse(await harness.credential())
    await until(lambda: harness.issuer.under_way == 1)
    harness.authorization.wish()
    harness.issuer.grants.set()
    with pytest.raises(SignInError):
        await waiting
    await settled()
    assert len(harness.issuer.sign_ins) == 1


async def test_where_nothing_was_refused_there_is_nothing_to_sign_in_for() -> None:
    harness = AuthorizationHarness()
    harness.authorization.wish()
    await settled()
    assert (harness.told, harness.problems, harness.made) == ([False], [""], 0)


async def test_that_more_scopes_are_asked_for_is_told() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.refused(lacks=("three",))
    assert (harness.told, harness.widens) == ([True, False], [True])


# -- signed out elsewhere


async def test_a_token_whose_record_is_removed_is_not_sent_any_more() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    assert await harness.token() == "a0"
    harness.store.data = None
    harness.now += 2.0
    assert await harness.token() is None


async def test_the_store_is_looked_at_once_a_second_at_most() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.token()
    looks: list[str] = []
    hint = harness.store.exists_hint

    def look(store_key: str) -> bool:
        looks.append(store_key)
        return hint(store_key)

    harness.store.exists_hint = look  # type: ignore[method-assign]
    for _ in range(1000):
        await harness.token()
        harness.now += 0.004
    assert 3 <= len(looks) <= 5
    harness.now -= 10**6
    await harness.token()
    assert len(looks) <= 6, "a clock that was set back keeps nothing from being looked at"


async def test_a_refresh_does_not_bring_back_what_was_removed() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    credential = await harness.credential()
    harness.store.data = None
    harness.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await harness.refused(credential)
    assert (harness.issuer.refreshed, harness.store.data) == ([], None)
    assert await harness.token() is None


@pytest.mark.parametrize("good", [{"r0"}, set()], ids=["renewed", "rejected"])
async def test_who_signs_out_while_a_refresh_is_under_way_is_signed_out(good: set[str]) -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    credential = await harness.credential()
    harness.issuer.good = good
    harness.issuer.sign_in_problem = REFUSED
    harness.issuer.grants.clear()
    refused = harness.refuse(credential)
    await until(lambda: harness.issuer.under_way == 1)
    harness.store.data = None
    harness.issuer.grants.set()
    with pytest.raises(SignInError):
        await within(refused)
    assert harness.store.data is None
    assert await harness.token() is None


async def test_a_token_that_was_never_kept_is_not_missed() -> None:
    issuer, store = Issuer(), FakeStore()
    harness = AuthorizationHarness(store, issuer)
    store.save_problem = SignInError("The disk is full.")
    await harness.refused()
    harness.now += 5.0
    assert await harness.token() == "a1"


async def test_who_signs_in_again_elsewhere_is_noticed() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.token()
    harness.store.data = None
    harness.now += 2.0
    credential = await harness.credential()
    harness.store.put(record("elsewhere", "r7"))
    await harness.refused(credential)
    assert await harness.token() == "elsewhere"
    assert harness.issuer.sign_ins == []
