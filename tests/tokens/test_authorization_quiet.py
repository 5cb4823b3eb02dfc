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
    desk = AuthorizationHarness()
    quiet = desk.refuse(ANONYMOUS, quiet=True)
    await settled()
    assert not quiet.done()
    assert desk.told == []
    await desk.refused(ANONYMOUS)
    await within(quiet)
    assert len(desk.issuer.sign_ins) == 1


async def test_a_quiet_request_outlasts_a_sign_in_that_fails() -> None:
    desk = AuthorizationHarness()
    desk.issuer.grants.clear()
    desk.issuer.sign_in_problem = SignInError("Nobody came.")
    loud = desk.refuse(ANONYMOUS)
    await until(lambda: desk.issuer.under_way == 1)
    quiet = desk.refuse(ANONYMOUS, quiet=True)
    desk.issuer.grants.set()
    with pytest.raises(SignInError):
        await loud
    await settled()
    assert not quiet.done()
    desk.issuer.sign_in_problem = None
    await desk.refused(ANONYMOUS)
    await within(quiet)


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_quiet_request_does_what_needs_nobody(elsewhere: bool) -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    if elsewhere:
        desk.shelf.put(record("elsewhere"))
    await desk.refused(old, quiet=True)
    assert await desk.token() == ("elsewhere" if elsewhere else "a1")
    assert desk.issuer.sign_ins == []


async def test_a_quiet_request_whose_refresh_is_refused_waits_for_a_person_without_asking_twice() -> None:
    for problem in (None, SignInError("It answered 422.")):
        desk = AuthorizationHarness(FakeStore(record(refresh="spent")))
        desk.issuer.refresh_problem = problem
        await desk.refused(quiet=True)
        quiet = desk.refuse(await desk.credential(), quiet=True)
        await settled()
        assert not quiet.done()
        assert (desk.issuer.refreshed, desk.issuer.sign_ins) == (["spent"], [])
        await desk.refused()
        await within(quiet)
        assert await desk.token() == "a1"


async def test_a_quiet_and_a_loud_request_are_one_piece_of_work() -> None:
    desk = AuthorizationHarness(FakeStore(record()))
    old = await desk.credential()
    desk.shelf.reading.clear()
    desk.issuer.grants.clear()
    both = [desk.refuse(old, quiet=True), desk.refuse(old)]
    await settled()
    desk.shelf.reading.set()
    await until(lambda: desk.issuer.under_way > 0)
    await settled()
    desk.issuer.grants.set()
    for one in both:
        await within(one)
    # Read at the start, by the quiet one, by the loud one, and under the lock; no more.
    assert desk.shelf.loads == 4
    assert desk.issuer.refreshed == ["r0"]
