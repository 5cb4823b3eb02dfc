"""Any stream of events on an answer: with a length, in chunks, to the connection's end, cut anywhere, and compressed.

The events are those of a decoder that gets the whole stream at once; httpx with httpx-sse tells the same data. Each
event is told when it has come, not when the stream ends.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable

import httpx
import pytest
from httpx_sse import EventSource
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.protocol.sse import EventStreamDecoder, ServerSentEvent
from bridge.remote.exchanges import RemoteRequest
from bridge.session.events import EventReceived, ResponseStarted, StreamClosed
from tests.support.cuts import cut
from tests.support.examples import examples
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.numbered_calls import LIMIT, Answer, End, NumberedServer, call, no_task_left, result
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.waits import stretched

SSE = b"content-type: text/event-stream; charset=utf-8"
CHUNKED = b"transfer-encoding: chunked"
CLIENT_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def in_chunks(stream: bytes) -> bytes:
    chunks = [stream[start : start + 1000] for start in range(0, len(stream), 1000)]
    said = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return response(b"", SSE, CHUNKED, length=-1) + said + b"0\r\n\r\n"


FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "a length": lambda stream: response(stream, SSE),
    "chunks": in_chunks,
    "its end": lambda stream: response(stream, SSE, length=-1),
    "gzip to its end": lambda stream: response(gzip.compress(stream), SSE, b"content-encoding: gzip", length=-1),
    "gzip with a length": lambda stream: response(gzip.compress(stream), SSE, b"content-encoding: gzip"),
    "HTTP/1.0": lambda stream: response(stream, SSE, length=-1).replace(b"HTTP/1.1", b"HTTP/1.0"),
}
ENDED = {"its end", "gzip to its end", "HTTP/1.0"}

BLOCKS = st.sampled_from(
    [
        *[b'data: {"jsonrpc":"2.0","method":"a"}\n\n', b"id: 7\nretry: 5\ndata:\n\n", b": comment\n\n", b"\n"],
        *[b"event: x\rdata: 1\rdata: 2\r\r", b"data: \xc3\xbc\r\n\r\n", b"data: \xff\n\n", b"data: cut"],
        *[b"data: " + b"x" * 3000 + b"\n\n", b"data: " + b"y" * 280_000 + b"\n\n", b"id: a\0b\n\n", b"retry: 0\n\n"],
    ]
)
STREAMS = st.lists(BLOCKS, max_size=6).map(b"".join)


def at_once(stream: bytes) -> list[ServerSentEvent]:
    return EventStreamDecoder(1 << 24).feed(stream)


async def by_bridge(at: Exchanging) -> list[ServerSentEvent]:
    async with asyncio.timeout(stretched(LIMIT)):
        await at.remote.run(RemoteRequest(1, b"POST", (), call(1)))
    first, *between, last = [event for event in at.events if getattr(event, "exchange", 0) == 1]
    assert isinstance(first, ResponseStarted)
    assert first.streams
    assert isinstance(last, StreamClosed)
    received = [event for event in between if isinstance(event, EventReceived)]
    assert len(received) == len(between)
    return [event.event for event in received]


async def by_httpx(url: str) -> list[str]:
    async with (
        httpx.AsyncClient(verify=CLIENT_TLS, trust_env=False, timeout=None) as client,
        client.stream("POST", url, content=call(1)) as got,
    ):
        return [event.data async for event in EventSource(got).aiter_sse() if event.data]


async def check(stream: bytes, framing: str, places: list[float], between: int) -> None:
    data = FRAMINGS[framing](stream)
    pieces = [piece for piece in cut(data, [int(place * len(data)) for place in places]) if piece]
    answer = Answer(pieces, End.CLOSE if framing in ENDED else End.KEEP, between)
    talk = NumberedServer({1: [answer, answer]})
    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        events = await by_bridge(at)
        assert events == at_once(stream)
        await talk.be_late(1)
        await at.remote.run(RemoteRequest(2, b"POST", (), call(2)))
        assert at.events[-1].body == result(2)  # type: ignore[union-attr]
        if framing not in ENDED:
            assert len(talk.connections) == 1
        at.close()
        async with asyncio.timeout(stretched(LIMIT)):
            theirs = await by_httpx(server.origin)
    ours = [event.data.decode("utf-8", "replace") for event in events if event.data]
    assert ours == theirs
    await no_task_left()


@examples(80)
@given(STREAMS, st.sampled_from(list(FRAMINGS)), st.lists(st.floats(0, 1), max_size=5), st.integers(0, 3))
@example(b"data: 1\n\n" * 40_000, "a length", [0.1], 2)
def test_any_stream(stream: bytes, framing: str, places: list[float], between: int) -> None:
    asyncio.run(check(stream, framing, places, between))


@pytest.mark.parametrize("framing", [name for name in FRAMINGS if "gzip" not in name])
@pytest.mark.parametrize("size", [1, 300_000])
def test_each_event_is_told_when_it_has_come(framing: str, size: int) -> None:
    event = b"data: " + b"x" * size + b"\n\n"
    whole = FRAMINGS[framing](event * 3)
    place = whole.rfind(b"data: ")

    async def run() -> None:
        may_go_on = asyncio.Event()

        async def talk(peer: Peer) -> None:
            await peer.request()
            await peer.send(whole[:place])
            await may_go_on.wait()
            await peer.send(whole[place:])

        async with RawServer(talk) as server:
            at = Exchanging(server.origin)
            task = asyncio.create_task(at.remote.run(RemoteRequest(1, b"GET", ())))
            async with asyncio.timeout(stretched(LIMIT)):
                while len(at.events) < 3:
                    await asyncio.wait({task}, timeout=0.001)
                may_go_on.set()
                await task
            received = [event for event in at.events if isinstance(event, EventReceived)]
            assert received == [EventReceived(1, ServerSentEvent(data=b"x" * size))] * 3
            at.close()

    asyncio.run(run())
