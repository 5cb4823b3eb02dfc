"""What an exchange tells of bodies and streams: their sizes, codings and limits, and who waits for whom."""

import asyncio
import gzip
import zlib

import pytest

from bridge.protocol.sse import ServerSentEvent
from bridge.remote import buffer_limit as budget_module
from bridge.remote import response_reader
from bridge.remote.exchanges import RemoteRequest
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.raw_server import Answers, Peer, RawServer, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream; charset=utf-8"
CHUNKED = b"transfer-encoding: chunked"
GET = RemoteRequest(3, b"GET", ())


# -- bodies


@pytest.mark.parametrize("size", [0, 10, 100_000, 300_000, 3_000_000])
@pytest.mark.parametrize("closing", [True, False])
@pytest.mark.parametrize("kind", [JSON, b"content-type: text/plain"])
async def test_a_body_of_any_size(size: int, closing: bool, kind: bytes) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    extra = [b"connection: close"] if closing else []
    answers = Answers(response(body, kind, *extra), response(b"next", JSON))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == body
        assert at.cleared == 1
        assert only(BodyReceived, await at.post()).body == b"next"
        at.close()
        assert len(server.peers) == (2 if closing else 1)


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip", b"GZIP", b"deflate"])
async def test_a_compressed_body(coding: bytes) -> None:
    body = b'{"a":"' + b"z" * 5_000_000 + b'"}'
    packed = zlib.compress(body) if coding == b"deflate" else gzip.compress(body)
    answers = Answers(response(packed, JSON, b"content-encoding: " + coding), response(b"next"))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == body
        assert only(BodyReceived, await at.post()).body == b"next"
        at.close()


async def test_a_compressed_stream() -> None:
    packed = gzip.compress(b"data: one\n\ndata: two\n\n")
    async with RawServer(Answers(response(packed, SSE, b"content-encoding: gzip"))) as server:
        at = Exchanging(server.origin)
        events = await at.post()
        at.close()
    assert [event.event.data for event in events if isinstance(event, EventReceived)] == [b"one", b"two"]
    assert isinstance(events[-1], StreamClosed)


async def test_what_cannot_be_decompressed() -> None:
    async with RawServer(Answers(response(b"this is plain", JSON, b"content-encoding: gzip"))) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert (failure.cause, failure.sent) == (Cause.TRUNCATED, True)
    assert "decompressed" in failure.message


async def test_a_body_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "MAX_MESSAGE_BYTES", 3_000_000)
    packed = gzip.compress(b"z" * 3_000_001)
    async with RawServer(Answers(response(packed, JSON, b"content-encoding: gzip"))) as server:
        at = Exchanging(server.origin)
        assert only(ExchangeFailed, await at.post()).cause is Cause.TOO_LARGE
        at.close()


@pytest.mark.parametrize("head", [[JSON], [JSON, CHUNKED]])
@pytest.mark.parametrize(("size", "limit"), [(500, 500), (501, 500), (400_000, 400_000), (400_001, 400_000)])
async def test_a_body_beyond_the_limit(
    head: list[bytes], size: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_reader, "MAX_MESSAGE_BYTES", limit)
    body = b"x" * size
    answer = response(body, *head)
    if CHUNKED in head:
        answer = response(b"", *head, length=-1) + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    async with RawServer(Answers(answer, response(b"next"))) as server:
        at = Exchanging(server.origin)
        events = await at.post()
        if size <= limit:
            assert only(BodyReceived, events).body == body
        else:
            failure = only(ExchangeFailed, events)
            assert (failure.cause, failure.sent) == (Cause.TOO_LARGE, True)
            assert f"{limit} bytes" in failure.message
        assert only(BodyReceived, await at.post()).body == b"next"
        at.close()
        assert len(server.peers) == (1 if size <= limit else 2)


async def test_a_body_that_announces_too_much_is_not_awaited() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"", JSON, length=10**15))
        await peer.gone()

    async with RawServer(talk) as server:
        assert only(ExchangeFailed, await Exchanging(server.origin).post()).cause is Cause.TOO_LARGE


async def test_an_event_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "MAX_MESSAGE_BYTES", 500)
    async with RawServer(Answers(response(b"data: small\n\ndata: " + b"x" * 600 + b"\n\n", SSE))) as server:
        at = Exchanging(server.origin)
        assert only(ExchangeFailed, await at.post()).cause is Cause.TOO_LARGE
        at.close()


async def test_a_large_page_that_tells_an_error_is_cut() -> None:
    page, told = b"<p>" * 100_000, b'{"a":"' + b"x" * 300_000 + b'"}'
    answers = Answers(
        response(page, b"content-type: text/html", status=b"502 Bad Gateway"),
        response(told, JSON, status=b"400 Bad Request"),
    )
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        cut = only(BodyReceived, await at.post())
        whole = only(BodyReceived, await at.post())
        at.close()
    assert cut.status == 502
    assert 0 < len(cut.body) < len(page)
    assert page.startswith(cut.body)
    assert (whole.status, whole.body) == (400, told)


@pytest.mark.parametrize("size", [1100, 300_000])
async def test_unfinished_bodies_wait_for_the_first(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "_MAX_UNFINISHED_BYTES", 1000)
    second_sent, finish_first = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        if b"first" in await peer.request():
            await peer.send(response(b"1" * 900, JSON, length=1800))
            await finish_first.wait()
            await peer.send(b"1" * 900)
        else:
            await peer.send(response(b"2" * size, JSON))
            second_sent.set()
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        buffer_limit = at.remote._reader._buffer_limit
        first = asyncio.create_task(at.remote.run(RemoteRequest(1, b"POST", (), b"first")))
        while buffer_limit._total < 900:
            await asyncio.wait({first}, timeout=0.001)
        second = asyncio.create_task(at.remote.run(RemoteRequest(2, b"POST", (), b"second")))
        await second_sent.wait()
        while buffer_limit._total <= 900 + 1000:
            await asyncio.wait({second}, timeout=0.001)
        assert not second.done()
        finish_first.set()
        await asyncio.gather(first, second)
        at.close()
    bodies = [(event.exchange, len(event.body)) for event in at.events if isinstance(event, BodyReceived)]
    assert bodies == [(1, 1800), (2, size)]
    assert buffer_limit._total == 0


# -- streams


async def test_a_stream_of_events() -> None:
    pieces = b"id: 7\nretry: 10\ndata:\n\n", b"data: o", b"ne\n\nevent: x\ndata: two\n\n: comment\n\ndata: cut"

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"", SSE, b"mcp-session-id: s1", length=-1), *pieces)

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        events = await at.run(GET)
    assert events == [
        ResponseStarted(3, 200, b"s1", True),
        EventReceived(3, ServerSentEvent(data=None, id=b"7", retry=10)),
        EventReceived(3, ServerSentEvent(data=b"one")),
        EventReceived(3, ServerSentEvent(type=b"x", data=b"two")),
        StreamClosed(3, "the server closed the stream"),
    ]
    assert at.cleared >= 1


async def test_a_stream_that_the_connection_takes_along() -> None:
    answer = response(b"9\r\ndata: 1\n\n\r\n9\r\ndata:", SSE, CHUNKED, b"connection: close", length=-1)
    async with RawServer(Answers(answer)) as server:
        events = await Exchanging(server.origin).run(GET)
    assert EventReceived(3, ServerSentEvent(data=b"1")) in events
    assert only(StreamClosed, events).reason == "the connection was lost"


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Internal Server Error"])
async def test_events_with_an_error_are_a_body(status: bytes) -> None:
    async with RawServer(Answers(response(b"data: 1\n\n", SSE, status=status))) as server:
        at = Exchanging(server.origin)
        events = await at.post()
        at.close()
    assert only(BodyReceived, events).body == b"data: 1\n\n"
    assert isinstance(events[0], ResponseStarted)
    assert not events[0].streams


@pytest.mark.parametrize("length", [2_000, 400_000, 10**12])
async def test_events_of_an_announced_length_are_told_as_they_come(length: int) -> None:
    told = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"data: first\n\n", SSE, length=length))
        await told.wait()
        await peer.send(b"data: second\n\n")

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        running = asyncio.create_task(at.run(GET))
        while not any(isinstance(event, EventReceived) for event in at.events):
            await asyncio.wait({running}, timeout=0.001)
        told.set()
        events = await running
    assert [event.event.data for event in events if isinstance(event, EventReceived)] == [b"first", b"second"]
    assert only(StreamClosed, events).reason == "the connection was lost"


@pytest.mark.parametrize("extra", [[], [b"connection: close"], [b"content-encoding: gzip"]])
async def test_a_body_that_announces_a_terabyte_is_told_as_too_large(extra: list[bytes]) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"x", JSON, *extra, length=10**12))
        await peer.gone()

    async with RawServer(talk) as server:
        failure = only(ExchangeFailed, await Exchanging(server.origin).post())
    assert failure.cause is Cause.TOO_LARGE
    assert failure.message == f"{server.origin} sent too large a response: a message is larger than 268435456 bytes."


async def test_an_error_whose_body_does_not_come_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "_ERROR_SECONDS", 0.05)

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"<html>", status=b"502 Bad Gateway", length=100))
        await peer.gone()

    async with RawServer(talk) as server:
        told = only(BodyReceived, await Exchanging(server.origin).post())
    assert (told.status, told.body) == (502, b"")


async def test_a_body_that_stands_still_while_others_wait_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_reader, "_MAX_UNFINISHED_BYTES", 1000)
    monkeypatch.setattr(budget_module, "_STALLED_SECONDS", 0.05)

    async def talk(peer: Peer) -> None:
        if b"first" in await peer.request():
            await peer.send(response(b"1", JSON, b"connection: close", length=-1))
        else:
            await peer.send(response(b"2" * 5000, JSON))
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        first = asyncio.create_task(at.remote.run(RemoteRequest(1, b"POST", (), b"first")))
        while not at.remote._reader._buffer_limit._total:
            await asyncio.wait({first}, timeout=0.001)
        assert only(BodyReceived, await at.run(RemoteRequest(2, b"POST", (), b"second")))
        await first
        at.close()
    (failure,) = [event for event in at.events if isinstance(event, ExchangeFailed)]
    assert (failure.exchange, failure.cause) == (1, Cause.TRUNCATED)


async def test_a_stream_within_a_large_event_counts_and_is_released() -> None:
    finish = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"data: " + b"x" * 5000, SSE, length=-1))
        await finish.wait()
        await peer.send(b"\n\n: comment\n")

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        buffer_limit = at.remote._reader._buffer_limit
        running = asyncio.create_task(at.run(GET))
        while buffer_limit._total < 5000:
            await asyncio.wait({running}, timeout=0.001)
        finish.set()
        await running
    assert buffer_limit._total == 0
