"""One TCP connection: what is read and written, and what an idle one tells, over real sockets where they matter."""

import asyncio
import select
import socket
import sys

import pytest

from bridge.remote import wire as wire_module
from bridge.remote.wire import Wire
from tests.support.in_process.scripted_wire import pair
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

MUCH = 1 << 20


class Transport(asyncio.Transport):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.written = b""

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return "abort" in self.calls

    def abort(self) -> None:
        self.calls.append("abort")


def connected() -> tuple[Wire, Transport]:
    wire, transport = Wire(), Transport()
    wire.connection_made(transport)
    return wire, transport


async def test_what_came_is_read_in_one_piece() -> None:
    wire, _ = connected()
    wire.data_received(b"one ")
    wire.data_received(b"two")
    assert await wire.read() == b"one two"


async def test_a_read_waits_for_data() -> None:
    async with pair() as (wire, other):
        reading = asyncio.create_task(wire.read())
        await asyncio.wait({reading}, timeout=0)
        assert not reading.done()
        other.send(b"here")
        assert await reading == b"here"


async def test_a_cancelled_read_loses_nothing() -> None:
    async with pair() as (wire, other):
        reading = asyncio.create_task(wire.read())
        await asyncio.wait({reading}, timeout=0)
        reading.cancel()
        await asyncio.wait({reading})
        other.send(b"later")
        assert await wire.read() == b"later"


async def test_data_before_the_end_is_read_first() -> None:
    async with pair() as (wire, other):
        other.send(b"last words")
        other.close()
        assert await wire.read() == b"last words"
        assert await wire.read() == b""
        assert await wire.read() == b""


async def test_data_before_a_failure_is_read_first() -> None:
    wire, _ = connected()
    wire.data_received(b"last words")
    wire.connection_lost(ConnectionResetError("reset"))
    assert await wire.read() == b"last words"
    with pytest.raises(ConnectionResetError, match="reset"):
        await wire.read()


async def test_a_failure_wakes_the_reader() -> None:
    wire, _ = connected()
    async with asyncio.timeout(stretched(DEADLINE)):
        reading = asyncio.create_task(wire.read())
        await asyncio.wait({reading}, timeout=0)
        wire.connection_lost(ConnectionResetError("reset"))
        with pytest.raises(ConnectionResetError, match="reset"):
            await reading


async def test_more_than_a_limit_is_left_with_the_peer_until_it_is_read() -> None:
    wire, transport = connected()
    wire.data_received(b"x" * wire_module._HIGH_WATER)
    assert transport.calls == []
    wire.data_received(b"y")
    wire.data_received(b"z")
    assert transport.calls == ["pause"]
    assert wire.has_news
    assert len(await wire.read()) == wire_module._HIGH_WATER + 2
    assert transport.calls == ["pause", "resume"]
    wire.data_received(b"z")
    await wire.read()
    assert transport.calls == ["pause", "resume"]


async def test_a_connection_that_is_over_is_not_resumed() -> None:
    wire, transport = connected()
    wire.data_received(b"x" * (MUCH + 1))
    wire.connection_lost(None)
    await wire.read()
    assert transport.calls == ["pause"]


async def test_a_fast_peer_is_held_back_and_nothing_is_lost() -> None:
    async with pair() as (wire, other):
        loop = asyncio.get_running_loop()
        data = bytes(range(256)) * (5 * MUCH // 256)
        sending = asyncio.create_task(loop.sock_sendall(other, data))
        received = await wire.read()
        while len(received) < len(data):
            piece = await wire.read()
            assert 0 < len(piece) < 2 * MUCH
            received += piece
        await sending
        assert received == data


async def test_a_write_waits_for_a_slow_peer() -> None:
    async with pair() as (wire, other):
        loop = asyncio.get_running_loop()
        data = bytes(range(256)) * (8 * MUCH // 256)
        writing = asyncio.create_task(wire.write(data))
        await asyncio.wait({writing}, timeout=0)
        assert not writing.done()
        received = bytearray()
        while len(received) < len(data):
            received += await loop.sock_recv(other, MUCH)
        await writing
        assert received == data


async def test_a_write_that_waits_learns_of_a_failure() -> None:
    wire, _ = connected()
    wire.pause_writing()
    async with asyncio.timeout(stretched(DEADLINE)):
        writing = asyncio.create_task(wire.write(b"data"))
        await asyncio.wait({writing}, timeout=0)
        wire.connection_lost(BrokenPipeError("broken"))
        with pytest.raises(BrokenPipeError, match="broken"):
            await writing


async def test_a_write_that_the_system_takes_does_not_wait() -> None:
    wire, transport = connected()
    wire.pause_writing()
    wire.resume_writing()
    async with asyncio.timeout(stretched(DEADLINE)):
        await wire.write(b"one two")
    assert transport.written == b"one two"


@pytest.mark.parametrize("end", ["eof", "lost", "aborted"])
async def test_nothing_is_written_into_a_connection_that_is_over(end: str) -> None:
    wire, transport = connected()
    if end == "eof":
        wire.eof_received()
    elif end == "lost":
        wire.connection_lost(None)
    else:
        wire.abort()
    with pytest.raises(ConnectionError):
        await wire.write(b"data")
    assert transport.written == b""


async def test_a_write_after_a_failure_tells_that_failure() -> None:
    wire, _ = connected()
    wire.connection_lost(TimeoutError("keep-alive"))
    with pytest.raises(TimeoutError, match="keep-alive"):
        await wire.write(b"data")


async def test_an_open_idle_connection_has_no_news() -> None:
    async with pair() as (wire, _):
        assert not wire.has_news


@pytest.mark.parametrize("what", ["data", "end"])
@pytest.mark.parametrize("has_poll", [True, False])
async def test_news_are_seen_before_the_event_loop_sees_them(
    what: str, has_poll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_poll:  # As on Windows.
        monkeypatch.delattr(select, "poll", raising=False)
    async with pair() as (wire, other):
        assert not wire.has_news
        if what == "data":
            if sys.platform == "win32":
                pytest.skip("what came is the loop's already: it has to be let come in (reads_ahead)")
            other.send(b"x")
        else:
            other.close()
        assert wire.has_news  # Nothing was awaited, so no callback has run.


async def test_news_that_came_through_the_loop() -> None:
    assert Wire().has_news  # Not connected yet.
    async with pair() as (wire, _):
        wire.data_received(b"x")
        told = [wire.has_news]
        await wire.read()
        told.append(wire.has_news)
        wire.eof_received()
        told.append(wire.has_news)
        assert told == [True, False, True]


async def test_reading_that_is_paused_counts_as_news() -> None:
    async with pair() as (wire, _):
        assert not wire.has_news
        wire._is_paused = True
        assert wire.has_news


async def test_a_connection_that_was_given_up_is_no_end_and_counts_as_news() -> None:
    async with pair() as (wire, _):
        wire.abort()
        with pytest.raises(ConnectionAbortedError):
            await wire.read()
        assert wire.has_news


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="the system does not tell what was confirmed")
@pytest.mark.parametrize("takes", [False, True])
async def test_an_end_tells_whether_all_that_was_sent_had_been_taken(takes: bool) -> None:
    async with pair() as (wire, other):
        wire.send(b"request")
        if takes:
            assert other.recv(100) == b"request"
        other.shutdown(socket.SHUT_WR)
        assert await wire.read() == b""
        assert wire.ended_unaware is not takes
