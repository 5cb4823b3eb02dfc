"""Calls over distance, made while the equipment is about to close the connection that they would use.

What such a call meets is decided by the order of packets: the end of the connection may be under way while the call is
sent. The server runs none of these, so the host must not be told that it may have.

Where the bridge keeps clear of a limit, a relay (`distance`) shows it. A limit that it cannot know it meets, and what
came of that only TCP tells: such calls go by a link that TCP itself finds long (`far`). They are not made from this
machine as well: a server that closes in the very moment in which its system takes the request has not run it, and
nobody can tell. From afar that moment is not met, for a request arrives some milliseconds before or after the limit.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.caller import Called, Caller
from tests.wire.chosen import at_idle_limits, by_the_script
from tests.wire.conftest import Here
from tests.wire.distance import Distance
from tests.wire.far import ONE_WAY, FarCall, Wanted, around, as_at, assert_none_is_in_doubt, collisions, far_calls

pytestmark = pytest.mark.anyio

BEFORE, AFTER, STEP = 0.2, 0.1, 0.0125
"""Calls are made from so long before the limit until so long after it, this far apart; all in seconds."""


@by_the_script
@pytest.mark.scene("calls around the idle limit of 5 s")
@at_idle_limits("plain")
async def test_no_call_around_the_usual_idle_limit_is_in_doubt(spot: Here) -> None:
    await far_and_near(spot)


@pytest.mark.scene("calls around an announced idle limit")
@at_idle_limits("announced")
async def test_no_call_around_an_announced_idle_limit_is_in_doubt(spot: Here) -> None:
    await far_and_near(spot)


@by_the_script
@pytest.mark.scene("calls around a short idle limit, unannounced")
@at_idle_limits("brief")
async def test_no_call_around_a_short_idle_limit_is_in_doubt(spot: Here) -> None:
    assert collisions(await call_from_afar(spot)) > 0


@by_the_script
@pytest.mark.scene("calls around a proxy's short idle limit")
@at_idle_limits("proxy")
async def test_no_call_around_a_proxys_idle_limit_is_in_doubt(spot: Here) -> None:
    """No collision is demanded: Squid looks at its clock once a second."""
    await call_from_afar(spot)


async def test_no_call_that_meets_the_end_of_its_connection_is_in_doubt() -> None:
    """As with the equipment, at a server that needs none."""
    calls = await far_calls(Wanted(around(1.0, BEFORE, AFTER, STEP), limit=1.0))
    assert_none_is_in_doubt(calls)
    assert collisions(calls) > 0


async def call_from_afar(spot: Here) -> list[FarCall]:
    """Calls around the limit of another such door, which is 80 ms away."""
    pauses = around(spot.equipment.row.idle[spot.door], BEFORE, AFTER, STEP)
    calls = await far_calls(as_at(spot.equipment, spot.door, pauses))
    assert_none_is_in_doubt(calls)
    return calls


async def far_and_near(spot: Here) -> None:
    """80 ms away, and at the same time on this machine."""
    async with Distance(spot.port, ONE_WAY) as way:
        await asyncio.gather(call_around(spot, f"http://127.0.0.1:{way.port}"), call_around(spot, spot.url))


async def call_around(spot: Here, url: str) -> None:
    pauses = around(spot.equipment.row.idle[spot.door], BEFORE, AFTER, STEP)
    second = await asyncio.gather(*(call_twice(url, pause) for pause in pauses))
    doubted = [
        f"{called.told()} called {pause:.3f} s after the last answer"
        for called, pause in zip(second, pauses, strict=True)
        if called.is_in_doubt and spot.ran(called.mark) == 0
    ]
    assert not doubted, f"{len(doubted)} of {len(pauses)} calls are in doubt, and none of them ran: {doubted[:3]}"
    assert [called.told() for called in second if spot.ran(called.mark) > 1] == []


async def call_twice(url: str, pause: float) -> Called:
    """Call, pause, and call again; returns the second call."""
    async with Caller(url) as caller:
        assert (await caller.post("/length")).status == 200
        await asyncio.sleep(pause)
        return await caller.post("/length")
