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
    desk = AuthorizationHarness()
    desk.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await desk.refused()
    desk.issuer.sign_in_problem = None
    await desk.refused()
    assert desk.told == [True, False, True, False]
    assert desk.problems == [str(REFUSED), ""]


async def test_after_a_refusal_a_wish_asks_again_without_any_request() -> None:
    desk = AuthorizationHarness()
    desk.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await desk.refused()
    desk.issuer.sign_in_problem = None
    desk.authorization.wish()
    await until(lambda: desk.told == [True, False] * 2)
    assert desk.renewing.wished == [False, True]
    assert await desk.token() == "a1"


async def test_a_wish_that_is_refused_is_told_and_breaks_nothing() -> None:
    desk = AuthorizationHarness()
    desk.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await desk.refused()
    desk.authorization.wish()
    await until(lambda: len(desk.problems) == 2)
    assert desk.problems[1] == str(REFUSED)
    assert await desk.token() is None


async def test_a_wish_during_a_sign_in_opens_a_browser_for_it() -> None:
    desk = AuthorizationHarness()
    desk.issuer.grants.clear()
    waiting = desk.refuse(await desk.credential())
    await until(lambda: desk.issuer.under_way == 1)
    desk.authorization.wish()
    await until(lambda: desk.renewing.opened == 1)
    desk.issuer.grants.set()
    await waiting
    assert len(desk.issuer.sign_ins) == 1


async def test_a_wish_during_a_refresh_waits_for_it_and_asks_nobody_where_it_succeeds() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    credential = await desk.credential()
    desk.issuer.grants.clear()
    waiting = desk.refuse(credential)
    await until(lambda: desk.issuer.under_way == 1)
    desk.authorization.wish()
    desk.issuer.grants.set()
    await waiting
    await until(lambda: desk.told != [])
    assert (desk.told, desk.problems, desk.issuer.sign_ins) == ([False], [""], [])


async def test_a_wish_during_work_that_asks_the_person_itself_asks_him_no_second_time() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.issuer.good.clear()
    desk.issuer.sign_in_problem = REFUSED
    desk.issuer.grants.clear()
    waiting = desk.refuse(await desk.credential())
    await until(lambda: desk.issuer.under_way == 1)
    desk.authorization.wish()
    desk.issuer.grants.set()
    with pytest.raises(SignInError):
        await waiting
    await settled()
    assert len(desk.issuer.sign_ins) == 1


async def test_where_nothing_was_refused_there_is_nothing_to_sign_in_for() -> None:
    desk = AuthorizationHarness()
    desk.authorization.wish()
    await settled()
    assert (desk.told, desk.problems, desk.made) == ([False], [""], 0)


async def test_that_more_scopes_are_asked_for_is_told() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.refused(lacks=("three",))
    assert (desk.told, desk.widens) == ([True, False], [True])


# -- signed out elsewhere


async def test_a_token_whose_record_is_removed_is_not_sent_any_more() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    assert await desk.token() == "a0"
    desk.shelf.data = None
    desk.now += 2.0
    assert await desk.token() is None


async def test_the_store_is_looked_at_once_a_second_at_most() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.token()
    looks: list[str] = []
    hint = desk.shelf.exists_hint

    def look(store_key: str) -> bool:
        looks.append(store_key)
        return hint(store_key)

    desk.shelf.exists_hint = look  # type: ignore[method-assign]
    for _ in range(1000):
        await desk.token()
        desk.now += 0.004
    assert 3 <= len(looks) <= 5
    desk.now -= 10**6
    await desk.token()
    assert len(looks) <= 6, "a clock that was set back keeps nothing from being looked at"


async def test_a_refresh_does_not_bring_back_what_was_removed() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    credential = await desk.credential()
    desk.shelf.data = None
    desk.issuer.sign_in_problem = REFUSED
    with pytest.raises(SignInError):
        await desk.refused(credential)
    assert (desk.issuer.refreshed, desk.shelf.data) == ([], None)
    assert await desk.token() is None


@pytest.mark.parametrize("good", [{"r0"}, set()], ids=["renewed", "rejected"])
async def test_who_signs_out_while_a_refresh_is_under_way_is_signed_out(good: set[str]) -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    credential = await desk.credential()
    desk.issuer.good = good
    desk.issuer.sign_in_problem = REFUSED
    desk.issuer.grants.clear()
    refused = desk.refuse(credential)
    await until(lambda: desk.issuer.under_way == 1)
    desk.shelf.data = None
    desk.issuer.grants.set()
    with pytest.raises(SignInError):
        await within(refused)
    assert desk.shelf.data is None
    assert await desk.token() is None


async def test_a_token_that_was_never_kept_is_not_missed() -> None:
    issuer, shelf = Issuer(), FakeStore()
    desk = AuthorizationHarness(shelf, issuer)
    shelf.save_problem = SignInError("The disk is full.")
    await desk.refused()
    desk.now += 5.0
    assert await desk.token() == "a1"


async def test_who_signs_in_again_elsewhere_is_noticed() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.token()
    desk.shelf.data = None
    desk.now += 2.0
    credential = await desk.credential()
    desk.shelf.put(record("elsewhere", "r7"))
    await desk.refused(credential)
    assert await desk.token() == "elsewhere"
    assert desk.issuer.sign_ins == []
