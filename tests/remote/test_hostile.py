"""Hostile answers: each call ends in time with what is wanted, leaves no task, and the calls after it are right."""

import asyncio

import pytest

from bridge.remote import response_reader
from tests.remote.hostile_bodies import BODIES
from tests.remote.hostile_heads import HEADS
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.hostile_answers import Endless, Hostile
from tests.support.servers.numbered_calls import (
    PATIENCE,
    NumberedServer,
    no_task_left,
    outcome_by_bridge,
    result,
    several,
)
from tests.support.servers.raw_server import RawServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

ALONE = stretched(7.0)
"""Seconds within which a call ends without the server's help."""


@pytest.mark.parametrize("hostile", [*HEADS, *BODIES], ids=lambda hostile: hostile.name.replace(" ", "-"))
async def test_a_hostile_answer(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "MAX_MESSAGE_BYTES", hostile.limit)
    before = asyncio.all_tasks()
    talk = NumberedServer({1: hostile.answer})
    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        outcome = await outcome_by_bridge(at, 1, talk, patience=PATIENCE if hostile.waits else ALONE)
        assert hostile.wanted.fits(outcome), outcome
        assert not any(
            isinstance(answer.pieces, Endless) and answer.pieces.ran_out for answer in several(hostile.answer)
        )
        for number in (2, 3):
            following = await outcome_by_bridge(at, number, talk, patience=ALONE)
            assert (following.kind, following.body) == ("answer", result(number)), following
        assert talk.seen[-2:] == [2, 3]
        at.close()
    await no_task_left(before)


def test_the_names_are_different() -> None:
    names = [hostile.name for hostile in (*HEADS, *BODIES)]
    assert len(names) == len(set(names)) >= 150
