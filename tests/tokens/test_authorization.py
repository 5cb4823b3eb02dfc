"""Which token a request carries: loaded once, renewed in time, in one flight, and nobody waits without need."""

import asyncio
import logging

import pytest

from bridge.oauth.errors import AnotherAccount, ClientUnknown, SignInError, TokenEndpointUnavailable
from bridge.oauth.record import encode
from bridge.store.errors import KeyringUnavailable, StoreBusy, StoreError
from bridge.tokens.authorization import Authorization
from tests.support.in_process.authorization_harness import (
    NOW,
    AuthorizationHarness,
    FakeStore,
    Issuer,
    record,
    settled,
    until,
    within,
)

pytestmark = pytest.mark.anyio

DUE, EXPIRED = 60.0, 5.0
DOWN = TokenEndpointUnavailable("The token endpoint is down.")


# -- the first request


async def test_without_a_stored_sign_in_nothing_is_read_and_nothing_sent() -> None:
    harness = AuthorizationHarness()
    credential = harness.authorization.ready()
    assert credential is not None
    assert credential.header is None
    await settled()
    assert (harness.store.loads, harness.made) == (0, 0)


async def test_the_first_request_after_a_restart_carries_the_stored_token() -> None:
    harness = AuthorizationHarness(FakeStore(record("stored", "r0")))
    assert harness.authorization.ready() is None
    assert await harness.token() == "stored"
    assert harness.authorization.ready() == await harness.credential()
    assert (harness.store.loads, harness.made) == (1, 0)


async def test_all_that_is_secret_in_it_is_concealed_before_it_is_used() -> None:
    harness = AuthorizationHarness(FakeStore(record("access", "refresh", id_token="identity")))
    await harness.credential()
    assert set(harness.concealed) == {"access", "refresh", "identity"}


async def test_many_first_requests_read_it_once() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.store.reading.clear()
    waiting = [asyncio.create_task(harness.credential()) for _ in range(5)]
    await settled()
    harness.store.reading.set()
    assert {credential.header for credential in await asyncio.gather(*waiting)} == {b"Bearer a0"}
    assert harness.store.loads == 1


async def test_a_first_request_that_is_cancelled_takes_nothing_from_the_next() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.store.reading.clear()
    first = asyncio.create_task(harness.credential())
    second = asyncio.create_task(harness.credential())
    await settled()
    first.cancel()
    await settled()
    harness.store.reading.set()
    assert (await second).header == b"Bearer a0"
    assert harness.store.loads == 1


@pytest.mark.parametrize("kept", [b"nonsense", b"{}", b"\xff", encode(record(format=2))])
async def test_a_record_that_cannot_be_understood_is_as_good_as_none(
    kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    harness = AuthorizationHarness(FakeStore(kept))
    assert await harness.token() is None
    assert "cannot be read" in caplog.text
    assert "sign in again" in caplog.text


@pytest.mark.parametrize("problem", [StoreError("The disk is gone."), KeyringUnavailable("it is locked")])
async def test_a_store_that_cannot_be_read_lets_the_server_decide(
    problem: StoreError, caplog: pytest.LogCaptureFixture
) -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    harness.store.load_problem = problem
    assert await harness.token() is None
    assert problem.message in caplog.text
    assert harness.made == 0


async def test_a_cleared_record_is_no_token() -> None:
    assert await AuthorizationHarness(FakeStore(record().without_tokens())).token() is None


@pytest.mark.parametrize(("use", "sent"), [(True, "identity"), (False, "a0")])
async def test_the_id_token_is_sent_where_that_is_wanted(use: bool, sent: str) -> None:
    assert await AuthorizationHarness(FakeStore(record(id_token="identity")), use_id_token=use).token() == sent


async def test_a_credential_shows_nothing_of_its_token() -> None:
    credential = await AuthorizationHarness(FakeStore(record("very-secret"))).credential()
    assert "very-secret" not in repr(credential)


# -- renewed before it ends


async def test_one_that_is_due_is_renewed_and_the_request_does_not_wait() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=DUE)))
    harness.issuer.grants.clear()
    assert await harness.token() == "a0"
    await until(lambda: harness.issuer.refreshed == ["r0"])
    assert harness.store.held
    assert await harness.token() == "a0"
    harness.issuer.grants.set()
    await until(lambda: harness.store.saves == 1 and not harness.store.held)
    assert await harness.token() == "a1"
    assert harness.store.kept is not None
    assert (harness.store.kept.access_token, harness.store.kept.refresh_token) == ("a1", "r1")
    assert {"a1", "r1"} <= set(harness.concealed)
    assert harness.told == []


async def test_one_that_ended_is_renewed_before_the_request_goes() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    assert await harness.token() == "a1"
    assert harness.issuer.refreshed == ["r0"]


@pytest.mark.parametrize("left", [DUE, EXPIRED])
async def test_many_requests_make_one_refresh(left: float) -> None:
    harness = AuthorizationHarness(FakeStore(record(left=left)))
    await asyncio.gather(*(harness.credential() for _ in range(20)))
    await settled()
    assert await harness.token() == "a1"
    assert harness.issuer.refreshed == ["r0"]


async def test_without_a_refresh_token_an_ended_one_is_sent_for_the_server_to_judge() -> None:
    harness = AuthorizationHarness(FakeStore(record(refresh="", left=-50.0)))
    assert await harness.token() == "a0"
    assert harness.made == 0


async def test_one_that_does_not_say_when_it_ends_is_not_renewed() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=None)))
    harness.now += 10 * 365 * 86400
    assert await harness.token() == "a0"
    assert harness.made == 0


async def test_a_clock_that_was_set_back_makes_nothing_older() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.now -= 86400
    assert await harness.token() == "a0"
    assert harness.made == 0


async def test_a_renewal_that_fails_ahead_of_time_harms_nobody_and_waits_a_while() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=DUE)))
    harness.issuer.refresh_problem = DOWN
    for _ in range(5):
        assert await harness.token() == "a0"
        await settled()
    assert harness.issuer.refreshed == ["r0"]
    harness.issuer.refresh_problem = None
    harness.now += 10
    assert await harness.token() == "a0"
    await settled()
    assert await harness.token() == "a1"


async def test_a_renewal_that_fails_for_now_keeps_the_tokens() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.issuer.refresh_problem = DOWN
    for _ in range(2):
        with pytest.raises(TokenEndpointUnavailable):
            await harness.token()
    assert harness.store.saves == 0
    assert not harness.store.held
    harness.issuer.refresh_problem = None
    assert await harness.token() == "a1"
    assert harness.issuer.refreshed == ["r0"] * 3


async def test_a_request_that_is_cancelled_does_not_cancel_the_refresh() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.issuer.grants.clear()
    waiting = asyncio.create_task(harness.credential())
    await until(lambda: harness.issuer.under_way == 1)
    waiting.cancel()
    await settled()
    assert waiting.cancelled()
    harness.issuer.grants.set()
    assert await harness.token() == "a1"
    assert harness.issuer.refreshed == ["r0"]


# -- once on the machine


async def test_five_processes_make_one_refresh() -> None:
    store, issuer = FakeStore(record(left=EXPIRED)), Issuer()
    desks = [AuthorizationHarness(store, issuer) for _ in range(5)]
    assert await asyncio.gather(*(harness.token() for harness in desks)) == ["a1"] * 5
    assert issuer.refreshed == ["r0"]
    assert (issuer.reuses, store.saves) == (0, 1)


async def test_what_another_process_renewed_is_taken_over() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.credential()
    harness.store.put(record("elsewhere", "r9"))
    harness.now += 3600
    assert await harness.token() == "elsewhere"
    assert harness.made == 0


async def test_a_refresh_token_that_is_refused_is_cleared_in_the_store() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED, refresh="spent")))
    assert await harness.token() is None
    assert harness.store.kept is not None
    assert (harness.store.kept.access_token, harness.store.kept.refresh_token) == ("", "")
    assert harness.store.kept.issuer == "https://as.example"


async def test_what_another_process_put_there_is_never_cleared() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED, refresh="spent")))
    await settled()
    await Authorization._load(harness.authorization)
    harness.store.put(record("elsewhere", "r9"))
    assert await harness.token() == "elsewhere"
    assert harness.issuer.refreshed == []
    assert harness.store.kept == record("elsewhere", "r9")


async def test_a_record_that_another_process_cleared_is_given_up() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    await harness.credential()
    harness.store.put(record().without_tokens())
    harness.now += 3600
    assert await harness.token() is None
    assert harness.issuer.refreshed == []


@pytest.mark.parametrize("problem", [ClientUnknown("No such client."), SignInError("422 it is.")])
async def test_a_refusal_of_another_kind_leaves_the_store_alone(problem: SignInError) -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.issuer.refresh_problem = problem
    assert await harness.token() is None
    assert harness.store.kept == record(left=EXPIRED)


async def test_the_token_of_another_account_is_told_and_not_used() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.issuer.refresh_problem = AnotherAccount("It is bob's, not ann's.")
    with pytest.raises(AnotherAccount, match="bob's, not ann's"):
        await harness.token()
    assert harness.store.kept is not None
    assert (harness.store.kept.access_token, harness.store.kept.refresh_token) == ("", "")
    harness.issuer.refresh_problem = None
    assert await harness.token() is None  # The next request leads to a sign-in.
    assert harness.issuer.refreshed == ["r0"]


async def test_a_lock_that_is_not_to_be_had_is_told_and_loses_nothing() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.store.lock_problem = StoreBusy("Another bridge is at work.")
    with pytest.raises(StoreBusy):
        await harness.token()
    harness.store.lock_problem = None
    assert await harness.token() == "a1"


async def test_what_cannot_be_kept_is_used_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthorizationHarness(FakeStore(record(left=EXPIRED)))
    harness.store.save_problem = StoreError("The disk is full.")
    assert await harness.token() == "a1"
    assert "The disk is full." in caplog.text
    # The store still has what was spent. What is here goes on from here.
    harness.now += 3600
    assert await harness.token() == "a2"
    assert harness.issuer.refreshed == ["r0", "r1"]
    assert harness.issuer.reuses == 0


async def test_nothing_of_a_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    harness = AuthorizationHarness(FakeStore(record("planted-access", "r0", left=EXPIRED, id_token="planted-id")))
    await harness.token()
    harness.now += 3600
    harness.issuer.good.clear()
    await harness.token()
    assert caplog.text
    assert "planted" not in caplog.text


# -- the end


async def test_a_refresh_under_way_may_finish() -> None:
    harness = AuthorizationHarness(FakeStore(record(left=DUE)))
    harness.issuer.grants.clear()
    await harness.credential()
    await until(lambda: harness.issuer.under_way == 1)
    closing = asyncio.create_task(harness.authorization.close())
    await settled()
    assert not closing.done()
    harness.issuer.grants.set()
    await within(closing)
    assert harness.store.kept is not None
    assert harness.store.kept.refresh_token == "r1"
    assert not harness.store.held


async def test_a_refresh_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.tokens.authorization._CLOSING_SECONDS", 0.02)
    harness = AuthorizationHarness(FakeStore(record(left=DUE)))
    harness.issuer.grants.clear()
    await harness.credential()
    await until(lambda: harness.issuer.under_way == 1)
    await within(asyncio.create_task(harness.authorization.close()))
    assert harness.issuer.under_way == 0
    assert not harness.store.held
    assert harness.store.kept == record(left=DUE)


async def test_a_sign_in_under_way_ends_at_once() -> None:
    harness = AuthorizationHarness()
    harness.issuer.grants.clear()
    waiting = harness.refuse(await harness.credential())
    await until(lambda: harness.issuer.under_way == 1)
    await within(asyncio.create_task(harness.authorization.close()))
    assert harness.issuer.under_way == 0
    assert harness.told == [True, False]
    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_an_end_without_work() -> None:
    await AuthorizationHarness().authorization.close()


def test_the_clock_of_these_tests_is_later_than_any_margin() -> None:
    assert NOW > 3600 * 24
