"""Requests that nobody waits for, such as the standing GET: they ask nobody, and profit from whoever does."""

import pytest

from bridge.oauth.errors import SignInError
from bridge.remote.credentials import ANONYMOUS
from tests.support.in_process.authorization_harness import (
    AuthorizationHarness,
    FakeStore,
    record,
    settled,
    until,
    within,
)

pytestmark = pytest.mark.anyio


async def test_a_quiet_request_asks_nobody_and_goes_on_after_somebody_elses_sign_in() -> None:
    harness = AuthorizationHarness()
    quiet = harness.refuse(ANONYMOUS, quiet=True)
    await settled()
    assert not quiet.done()
    assert harness.told == []
    await harness.refused(ANONYMOUS)
    await within(quiet)
    assert len(harness.issuer.sign_ins) == 1


async def test_a_quiet_request_outlasts_a_sign_in_that_fails() -> None:
    harness = AuthorizationHarness()
    harness.issuer.grants.clear()
    harness.issuer.sign_in_problem = SignInError("Nobody came.")
    loud = harness.refuse(ANONYMOUS)
    await until(lambda: harness.issuer.under_way == 1)
    quiet = harness.refuse(ANONYMOUS, quiet=True)
    harness.issuer.grants.set()
    with pytest.raises(SignInError):
        await loud
    await settled()
    assert not quiet.done()
    harness.issuer.sign_in_problem = None
    await harness.refused(ANONYMOUS)
    await within(quiet)


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_quiet_request_does_what_needs_nobody(elsewhere: bool) -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    if elsewhere:
        harness.store.put(record("elsewhere"))
    await harness.refused(old, quiet=True)
    assert await harness.token() == ("elsewhere" if elsewhere else "a1")
    assert harness.issuer.sign_ins == []


async def test_a_quiet_request_whose_refresh_is_refused_waits_for_a_person_without_asking_twice() -> None:
    for problem in (None, SignInError("It answered 422.")):
        harness = AuthorizationHarness(FakeStore(record(refresh="spent")))
        harness.issuer.refresh_problem = problem
        await harness.refused(quiet=True)
        quiet = harness.refuse(await harness.credential(), quiet=True)
        await settled()
        assert not quiet.done()
        assert (harness.issuer.refreshed, harness.issuer.sign_ins) == (["spent"], [])
        await harness.refused()
        await within(quiet)
        assert await harness.token() == "a1"


async def test_a_quiet_and_a_loud_request_are_one_piece_of_work() -> None:
    harness = AuthorizationHarness(FakeStore(record()))
    old = await harness.credential()
    harness.store.reading.clear()
    harness.issuer.grants.clear()
    both = [harness.refuse(old, quiet=True), harness.refuse(old)]
    await settled()
    harness.store.reading.set()
    await until(lambda: harness.issuer.under_way > 0)
    await settled()
    harness.issuer.grants.set()
    for one in both:
        await within(one)
    # Read at the start, by the quiet one, by the loud one, and under the lock; no more.
    assert harness.store.loads == 4
    assert harness.issuer.refreshed == ["r0"]
