"""What comes of a token that the server does not take: another from the store, a refresh, a person, or an error."""

import asyncio

import pytest

from bridge.oauth.errors import SignInError, TokenEndpointUnavailable, Unavailable
from bridge.remote.credentials import ANONYMOUS
from bridge.store.errors import StoreError
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

DOWN = TokenEndpointUnavailable("The token endpoint is down.")


async def test_the_first_refusal_ever_asks_a_person_once_for_all() -> None:
    desk = AuthorizationHarness()
    desk.issuer.grants.clear()
    waiting = [desk.refuse(ANONYMOUS) for _ in range(10)]
    await until(lambda: desk.issuer.under_way == 1)
    assert desk.told == [True]
    assert not desk.shelf.held  # Minutes may pass; no other process is kept from the record meanwhile.
    desk.issuer.grants.set()
    for one in waiting:
        await within(one)
    assert len(desk.issuer.sign_ins) == 1
    assert desk.told == [True, False]
    assert await desk.token() == "a1"
    assert desk.shelf.kept is not None
    assert desk.shelf.kept.access_token == "a1"


async def test_a_refusal_of_a_token_that_is_not_in_use_any_more_is_only_a_reason_to_try_again() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    await desk.refused(old)
    assert await desk.token() == "a1"
    for _ in range(3):
        await desk.refused(old)
    assert desk.issuer.refreshed == ["r0"]
    assert desk.issuer.sign_ins == []


async def test_many_refusals_make_one_refresh_and_no_tab() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    await asyncio.gather(*(desk.refused(old) for _ in range(20)))
    assert desk.issuer.refreshed == ["r0"]
    assert desk.issuer.sign_ins == []


async def test_a_sign_in_elsewhere_is_taken_over_without_spending_anything() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    desk.shelf.put(record("elsewhere", "r9"))
    await desk.refused(old)
    assert await desk.token() == "elsewhere"
    assert (desk.issuer.refreshed, desk.issuer.sign_ins) == ([], [])


async def test_a_first_sign_in_elsewhere_is_taken_over_too() -> None:
    desk = AuthorizationHarness()
    desk.shelf.put(record("elsewhere"))
    await desk.refused()
    assert await desk.token() == "elsewhere"
    assert desk.issuer.sign_ins == []


async def test_five_processes_that_are_refused_at_once_make_one_refresh() -> None:
    shelf, issuer = FakeStore(record()), Issuer()
    desks = [AuthorizationHarness(shelf, issuer) for _ in range(5)]
    await asyncio.gather(*(desk.refused() for desk in desks))
    assert {await desk.token() for desk in desks} == {"a1"}
    assert (issuer.refreshed, issuer.sign_ins) == (["r0"], [])


async def test_a_refresh_token_that_is_over_leads_to_a_person() -> None:
    desk = AuthorizationHarness(FakeStore(record(refresh="spent")))
    await desk.refused()
    assert len(desk.issuer.sign_ins) == 1
    assert await desk.token() == "a1"
    assert desk.shelf.kept is not None
    assert desk.shelf.kept.refresh_token == "r1"


@pytest.mark.parametrize("problem", [SignInError("It answered 422."), SignInError("It answered invalid_request.")])
async def test_a_refresh_that_is_refused_for_good_leads_to_a_person(problem: SignInError) -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.issuer.refresh_problem = problem
    await desk.refused()
    assert len(desk.issuer.sign_ins) == 1
    assert await desk.token() == "a1"


async def test_what_was_refused_is_not_read_back_from_the_store() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.issuer.refresh_problem = SignInError("It answered 422.")
    desk.issuer.sign_in_problem = SignInError("Nobody came.")
    for tabs in (1, 2):
        with pytest.raises(SignInError, match="Nobody came"):
            await desk.refused()
        assert len(desk.issuer.sign_ins) == tabs
    assert desk.issuer.refreshed == ["r0"]
    assert desk.shelf.kept == record()


async def test_a_spent_token_that_could_not_be_replaced_in_the_store_is_not_taken_for_news() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.shelf.save_problem = StoreError("The disk is full.")
    await desk.refused()
    desk.authorization.accepted(await desk.credential())
    await desk.refused()
    assert desk.issuer.refreshed == ["r0", "r1"]
    assert desk.issuer.reuses == 0
    assert desk.issuer.sign_ins == []


async def test_a_refresh_that_fails_for_now_asks_nobody_and_loses_nothing() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.issuer.refresh_problem = DOWN
    with pytest.raises(Unavailable):
        await desk.refused()
    assert desk.issuer.sign_ins == []
    assert desk.shelf.kept == record()
    desk.issuer.refresh_problem = None
    await desk.refused()
    assert await desk.token() == "a1"


async def test_a_refreshed_token_that_was_never_taken_leads_to_a_person() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.refused()
    await desk.refused()
    assert desk.issuer.refreshed == ["r0"]
    assert len(desk.issuer.sign_ins) == 1


async def test_a_refreshed_token_that_was_taken_once_is_refreshed_again() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    for _ in range(3):
        await desk.refused()
        desk.authorization.accepted(await desk.credential())
    assert desk.issuer.refreshed == ["r0", "r1", "r2"]
    assert desk.issuer.sign_ins == []
    # That one before it was taken says nothing of the next.
    await desk.refused()
    await desk.refused()
    assert len(desk.issuer.refreshed) == 4
    assert len(desk.issuer.sign_ins) == 1


async def test_that_an_older_token_was_taken_says_nothing_of_the_one_in_use() -> None:
    desk = AuthorizationHarness()
    await desk.refused()
    desk.authorization.accepted(ANONYMOUS)
    with pytest.raises(SignInError, match="still refused"):
        await desk.refused()


async def test_a_token_fresh_from_a_sign_in_that_is_refused_is_the_end() -> None:
    desk = AuthorizationHarness()
    await desk.refused()
    for _ in range(3):
        with pytest.raises(SignInError, match="still refused"):
            await desk.refused()
    assert len(desk.issuer.sign_ins) == 1


async def test_one_that_ended_before_it_was_ever_used_is_not_the_end() -> None:
    desk = AuthorizationHarness()
    desk.issuer.refreshes = False
    await desk.refused()
    desk.now += 7200
    assert await desk.token() == "a1"
    await desk.refused()
    assert len(desk.issuer.sign_ins) == 2


# -- a person


async def test_a_sign_in_that_fails_tells_all_who_wait_and_the_next_request_may_try_again() -> None:
    desk = AuthorizationHarness()
    desk.issuer.sign_in_problem = SignInError("Nobody came.")
    results = await asyncio.gather(*(desk.refused(ANONYMOUS) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["Nobody came."] * 3
    assert (len(desk.issuer.sign_ins), desk.told) == (1, [True, False])
    desk.issuer.sign_in_problem = None
    await desk.refused()
    assert await desk.token() == "a1"


async def test_a_sign_in_outlives_the_request_that_began_it() -> None:
    desk = AuthorizationHarness()
    desk.issuer.grants.clear()
    first = desk.refuse(ANONYMOUS)
    await until(lambda: desk.issuer.under_way == 1)
    first.cancel()
    await settled()
    second = desk.refuse(ANONYMOUS)
    desk.issuer.grants.set()
    await within(second)
    assert len(desk.issuer.sign_ins) == 1
    assert await desk.token() == "a1"


async def test_a_sign_in_that_cannot_be_kept_is_good_until_the_end(caplog: pytest.LogCaptureFixture) -> None:
    for place in ("save_problem", "lock_problem"):
        caplog.clear()
        desk = AuthorizationHarness()
        setattr(desk.shelf, place, StoreError("The disk is full."))
        await desk.refused()
        assert await desk.token() == "a1"
        assert "The disk is full." in caplog.text
        assert desk.issuer.sign_ins


async def test_a_store_that_cannot_be_read_does_not_keep_a_person_from_signing_in() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    desk.shelf.load_problem = StoreError("The disk is gone.")
    await desk.refused()
    assert await desk.token() == "a1"


async def test_an_ended_token_is_renewed_though_a_sign_in_for_more_scopes_failed_meanwhile() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    desk.issuer.grants.clear()
    asking = desk.refuse(old, lacks=("three",))
    await until(lambda: desk.issuer.under_way == 1)
    assert await desk.token() == "a0"  # Whoever needs no more goes on.
    desk.now += 3600
    waiting = asyncio.create_task(desk.token())
    await settled()
    desk.issuer.sign_in_problem = SignInError("Nobody came.")
    desk.issuer.grants.set()
    with pytest.raises(SignInError, match="Nobody came"):
        await asking
    assert await waiting == "a1"
    assert desk.issuer.refreshed == ["r0"]


# -- more scopes


async def test_more_scopes_are_a_new_consent_and_never_a_refresh() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.refused(lacks=("three",))
    assert desk.issuer.refreshed == []
    assert [refusal.lacks for refusal in desk.issuer.sign_ins] == [("three",)]
    assert desk.shelf.kept is not None
    assert desk.shelf.kept.asked == "one two three"


async def test_several_that_lack_the_same_scope_ask_once() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    await asyncio.gather(*(desk.refused(old, lacks=("three",)) for _ in range(5)))
    assert len(desk.issuer.sign_ins) == 1


async def test_a_scope_that_was_asked_for_is_not_asked_for_twice() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    await desk.refused(lacks=("three",))
    with pytest.raises(SignInError, match="still refused"):
        await desk.refused(lacks=("three",), step_ups=1)
    assert len(desk.issuer.sign_ins) == 1


async def test_one_request_asks_for_more_a_few_times_at_most() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    for asked in range(3):
        await desk.refused(lacks=(f"more{asked}",), step_ups=asked)
    with pytest.raises(SignInError, match="still refused"):
        await desk.refused(lacks=("more3",), step_ups=3)
    assert len(desk.issuer.sign_ins) == 3


async def test_a_consent_that_is_refused_keeps_what_there_was() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    desk.issuer.sign_in_problem = SignInError("access_denied")
    with pytest.raises(SignInError, match="access_denied"):
        await desk.refused(lacks=("three",))
    assert await desk.credential() == old
    assert desk.shelf.kept == record()
