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
    harness = AuthorizationHarness()
    harness.issuer.grants.clear()
    waiting = [harness.refuse(ANONYMOUS) for _ in range(10)]
    await until(lambda: harness.issuer.under_way == 1)
    assert harness.told == [True]
    assert not harness.store.held  # Minutes may pass; no other process is kept from the record meanwhile.
    harness.issuer.grants.set()
    for one in waiting:
        await within(one)
    assert len(harness.issuer.sign_ins) == 1
    assert harness.told == [True, False]
    assert await harness.token() == "a1"
    assert harness.store.kept is not None
    assert harness.store.kept.access_token == "a1"


async def test_a_refusal_of_a_token_that_is_not_in_use_any_more_is_only_a_reason_to_try_again() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    await harness.refused(old)
    assert await harness.token() == "a1"
    for _ in range(3):
        await harness.refused(old)
    assert harness.issuer.refreshed == ["r0"]
    assert harness.issuer.sign_ins == []


async def test_many_refusals_make_one_refresh_and_no_tab() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    await asyncio.gather(*(harness.refused(old) for _ in range(20)))
    assert harness.issuer.refreshed == ["r0"]
    assert harness.issuer.sign_ins == []


async def test_a_sign_in_elsewhere_is_taken_over_without_spending_anything() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    harness.store.put(record("elsewhere", "r9"))
    await harness.refused(old)
    assert await harness.token() == "elsewhere"
    assert (harness.issuer.refreshed, harness.issuer.sign_ins) == ([], [])


async def test_a_first_sign_in_elsewhere_is_taken_over_too() -> None:
    harness = AuthorizationHarness()
    harness.store.put(record("elsewhere"))
    await harness.refused()
    assert await harness.token() == "elsewhere"
    assert harness.issuer.sign_ins == []


async def test_five_processes_that_are_refused_at_once_make_one_refresh() -> None:
    store, issuer = FakeStore(record()), Issuer()
    desks = [AuthorizationHarness(store, issuer) for _ in range(5)]
    await asyncio.gather(*(harness.refused() for harness in desks))
    assert {await harness.token() for harness in desks} == {"a1"}
    assert (issuer.refreshed, issuer.sign_ins) == (["r0"], [])


async def test_a_refresh_token_that_is_over_leads_to_a_person() -> None:
    harness = AuthorizationHarness(FakeStore(record(refresh="spent")))
    await harness.refused()
    assert len(harness.issuer.sign_ins) == 1
    assert await harness.token() == "a1"
    assert harness.store.kept is not None
    assert harness.store.kept.refresh_token == "r1"


@pytest.mark.parametrize("problem", [SignInError("It answered 422."), SignInError("It answered invalid_request.")])
async def test_a_refresh_that_is_refused_for_good_leads_to_a_person(problem: SignInError) -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.issuer.refresh_problem = problem
    await harness.refused()
    assert len(harness.issuer.sign_ins) == 1
    assert await harness.token() == "a1"


async def test_what_was_refused_is_not_read_back_from_the_store() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.issuer.refresh_problem = SignInError("It answered 422.")
    harness.issuer.sign_in_problem = SignInError("Nobody came.")
    for tabs in (1, 2):
        with pytest.raises(SignInError, match="Nobody came"):
            await harness.refused()
        assert len(harness.issuer.sign_ins) == tabs
    assert harness.issuer.refreshed == ["r0"]
    assert harness.store.kept == record()


async def test_a_spent_token_that_could_not_be_replaced_in_the_store_is_not_taken_for_news() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.store.save_problem = StoreError("The disk is full.")
    await harness.refused()
    harness.authorization.accepted(await harness.credential())
    await harness.refused()
    assert harness.issuer.refreshed == ["r0", "r1"]
    assert harness.issuer.reuses == 0
    assert harness.issuer.sign_ins == []


async def test_a_refresh_that_fails_for_now_asks_nobody_and_loses_nothing() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.issuer.refresh_problem = DOWN
    with pytest.raises(Unavailable):
        await harness.refused()
    assert harness.issuer.sign_ins == []
    assert harness.store.kept == record()
    harness.issuer.refresh_problem = None
    await harness.refused()
    assert await harness.token() == "a1"


async def test_a_refreshed_token_that_was_never_taken_leads_to_a_person() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.refused()
    await harness.refused()
    assert harness.issuer.refreshed == ["r0"]
    assert len(harness.issuer.sign_ins) == 1


async def test_a_refreshed_token_that_was_taken_once_is_refreshed_again() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    for _ in range(3):
        await harness.refused()
        harness.authorization.accepted(await harness.credential())
    assert harness.issuer.refreshed == ["r0", "r1", "r2"]
    assert harness.issuer.sign_ins == []
    # That one before it was taken says nothing of the next.
    await harness.refused()
    await harness.refused()
    assert len(harness.issuer.refreshed) == 4
    assert len(harness.issuer.sign_ins) == 1


async def test_that_an_older_token_was_taken_says_nothing_of_the_one_in_use() -> None:
    harness = AuthorizationHarness()
    await harness.refused()
    harness.authorization.accepted(ANONYMOUS)
    with pytest.raises(SignInError, match="still refused"):
        await harness.refused()


async def test_a_token_fresh_from_a_sign_in_that_is_refused_is_the_end() -> None:
    harness = AuthorizationHarness()
    await harness.refused()
    for _ in range(3):
        with pytest.raises(SignInError, match="still refused"):
            await harness.refused()
    assert len(harness.issuer.sign_ins) == 1


async def test_one_that_ended_before_it_was_ever_used_is_not_the_end() -> None:
    harness = AuthorizationHarness()
    harness.issuer.refreshes = False
    await harness.refused()
    harness.now += 7200
    assert await harness.token() == "a1"
    await harness.refused()
    assert len(harness.issuer.sign_ins) == 2


# -- a person


async def test_a_sign_in_that_fails_tells_all_who_wait_and_the_next_request_may_try_again() -> None:
    harness = AuthorizationHarness()
    harness.issuer.sign_in_problem = SignInError("Nobody came.")
    results = await asyncio.gather(*(harness.refused(ANONYMOUS) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["Nobody came."] * 3
    assert (len(harness.issuer.sign_ins), harness.told) == (1, [True, False])
    harness.issuer.sign_in_problem = None
    await harness.refused()
    assert await harness.token() == "a1"


async def test_a_sign_in_outlives_the_request_that_began_it() -> None:
    harness = AuthorizationHarness()
    harness.issuer.grants.clear()
    first = harness.refuse(ANONYMOUS)
    await until(lambda: harness.issuer.under_way == 1)
    first.cancel()
    await settled()
    second = harness.refuse(ANONYMOUS)
    harness.issuer.grants.set()
    await within(second)
    assert len(harness.issuer.sign_ins) == 1
    assert await harness.token() == "a1"


async def test_a_sign_in_that_cannot_be_kept_is_good_until_the_end(caplog: pytest.LogCaptureFixture) -> None:
    for place in ("save_problem", "lock_problem"):
        caplog.clear()
        harness = AuthorizationHarness()
        setattr(harness.store, place, StoreError("The disk is full."))
        await harness.refused()
        assert await harness.token() == "a1"
        assert "The disk is full." in caplog.text
        assert harness.issuer.sign_ins


async def test_a_store_that_cannot_be_read_does_not_keep_a_person_from_signing_in() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.store.load_problem = StoreError("The disk is gone.")
    await harness.refused()
    assert await harness.token() == "a1"


async def test_an_ended_token_is_renewed_though_a_sign_in_for_more_scopes_failed_meanwhile() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    harness.issuer.grants.clear()
    asking = harness.refuse(old, lacks=("three",))
    await until(lambda: harness.issuer.under_way == 1)
    assert await harness.token() == "a0"  # Whoever needs no more goes on.
    harness.now += 3600
    waiting = asyncio.create_task(harness.token())
    await settled()
    harness.issuer.sign_in_problem = SignInError("Nobody came.")
    harness.issuer.grants.set()
    with pytest.raises(SignInError, match="Nobody came"):
        await asking
    assert await waiting == "a1"
    assert harness.issuer.refreshed == ["r0"]


# -- more scopes


async def test_more_scopes_are_a_new_consent_and_never_a_refresh() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.refused(lacks=("three",))
    assert harness.issuer.refreshed == []
    assert [refusal.lacks for refusal in harness.issuer.sign_ins] == [("three",)]
    assert harness.store.kept is not None
    assert harness.store.kept.asked == "one two three"


async def test_several_that_lack_the_same_scope_ask_once() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    await asyncio.gather(*(harness.refused(old, lacks=("three",)) for _ in range(5)))
    assert len(harness.issuer.sign_ins) == 1


async def test_a_scope_that_was_asked_for_is_not_asked_for_twice() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.refused(lacks=("three",))
    with pytest.raises(SignInError, match="still refused"):
        await harness.refused(lacks=("three",), step_ups=1)
    assert len(harness.issuer.sign_ins) == 1


async def test_one_request_asks_for_more_a_few_times_at_most() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    for asked in range(3):
        await harness.refused(lacks=(f"more{asked}",), step_ups=asked)
    with pytest.raises(SignInError, match="still refused"):
        await harness.refused(lacks=("more3",), step_ups=3)
    assert len(harness.issuer.sign_ins) == 3


async def test_a_consent_that_is_refused_keeps_what_there_was() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    harness.issuer.sign_in_problem = SignInError("access_denied")
    with pytest.raises(SignInError, match="access_denied"):
        await harness.refused(lacks=("three",))
    assert await harness.credential() == old
    assert harness.store.kept == record()
