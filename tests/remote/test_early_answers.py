"""An answer that comes before the server has read the whole request: it is told, soon, and the body goes out once."""

from __future__ import annotations

import asyncio

import pytest

from bridge.remote.exchanges import RemoteRequest
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.numbered_calls import (
    LIMIT,
    End,
    NumberedServer,
    Outcome,
    call,
    delivered,
    leave,
    no_task_left,
    outcome_of,
    result,
)
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.waits import stretched

SIZE = 48 << 20
"""More than the buffers between the two take: what has been sent whole leaves a connection that can be used again."""
JSON = b"content-type: application/json"


async def answered_early(answer: bytes, taken: int, ends: str) -> tuple[Outcome, int]:
    """What came of a call of `SIZE` bytes that is answered after `taken`; and how many connections it took.

    `ends` says what the server does then: it closes at once, it closes once the client does, or it holds on.
    """
    connections = 0
    small = NumberedServer({})

    async def talk(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        head = await peer.reader.readuntil(b"\r\n\r\n")
        if b"content-length: %d" % SIZE not in head.lower():
            await peer.reader.readexactly(len(call(2)))
            await peer.send(response(result(2), JSON))
            return await small(peer)
        await peer.reader.readexactly(taken)
        await peer.send(answer)
        await delivered(peer)
        if ends == "closes at once":
            await leave(peer, End.CLOSE)
        elif ends == "closes its half":
            peer.writer.write_eof()
            await peer.gone()
        else:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        return None

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        async with asyncio.timeout(stretched(LIMIT)):
            await at.remote.run(RemoteRequest(1, b"POST", (), call(1, SIZE)))
            told, used = outcome_of(list(at.events)), connections
            await at.remote.run(RemoteRequest(2, b"POST", (), call(2)))
        assert outcome_of(at.events[-2:]).body == result(2)
        at.close()
    await no_task_left()
    return told, used


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"413 Too Large"])
@pytest.mark.parametrize("taken", [0, 70_000, 2_000_000])
@pytest.mark.parametrize("ends", ["closes at once", "closes its half", "holds on"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_an_error_before_the_body_is_read(status: bytes, taken: int, ends: str, announced: bool) -> None:
    extra = [b"connection: close"] if announced else []
    told, used = asyncio.run(answered_early(response(b"no", *extra, status=status), taken, ends))
    assert (told.kind, told.status, told.body) == ("answer", int(status[:3]), b"no")
    assert used == 1
