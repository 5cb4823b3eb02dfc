"""One exchange against a raw server: what goes out, what is told of the answer, and where it ends."""

import asyncio
import gzip
import zlib
from email.utils import formatdate

import pytest

from bridge.protocol.sse import ServerSentEvent
from bridge.remote import exchanges
from bridge.remote.exchanges import RemoteRequest
from bridge.remote.proxy import Proxy
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from tests.support.exchanging import Exchanging, only
from tests.support.raw_server import Answers, Peer, RawServer, Talk, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream; charset=utf-8"
CHUNKED = b"transfer-encoding: chunked"
GET = RemoteRequest(3, b"GET", ())


def header_of(request: bytes, name: bytes) -> list[bytes]:
    """The values of a header in a request, its name in lower case."""
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [value.strip() for key, _, value in (line.partition(b":") for line in lines) if key.lower() == name]


# -- what goes out


async def test_a_post() -> None:
    answers = Answers(response(b'{"ok":1}', JSON), response(status=b"202 Accepted"))
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp?key=v", (b"X-User", b"yes"))
        first = await at.post(b'{"a":1}', (b"accept", b"application/json"))
        second = await at.post(b"{}")
        at.close()
        assert len(server.peers) == 1
    assert first == [
        ResponseStarted(1, 200, None, False),
        BodyReceived(1, 200, b"application/json", b'{"ok":1}'),
    ]
    assert second == [ResponseStarted(1, 202, None, False), BodyReceived(1, 202, b"", b"")]
    host = b"host: 127.0.0.1:%d\r\n" % server.port
    assert answers.requests[0] == (
        b"POST /mcp?key=v HTTP/1.1\r\n"
        + host
        + b'accept: application/json\r\ncontent-length: 7\r\nX-User: yes\r\n\r\n{"a":1}'
    )


async def test_a_get_has_no_body() -> None:
    answers = Answers(response())
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        await at.run(GET)
        at.close()
    assert answers.requests[0].startswith(b"GET / HTTP/1.1\r\n")
    assert header_of(answers.requests[0], b"content-length") == []


async def test_an_endpoint_of_the_servers_choosing() -> None:
    answers = Answers(response())
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/sse")
        await at.post(url=f"{server.origin}/messages?id=1")
        at.close()
    assert answers.requests[0].startswith(b"POST /messages?id=1 HTTP/1.1\r\n")


async def test_a_forwarding_proxy_gets_the_whole_url_and_its_credentials() -> None:
    answers = Answers(response(b"by proxy"))
    async with RawServer(answers) as front:
        proxy = Proxy(front.origin, ("user", "pass"))
        at = Exchanging("http://mcp.example.com:8080/mcp?a=1", (b"x-user", b"yes"), proxy=proxy)
        assert only(BodyReceived, await at.post()).body == b"by proxy"
        at.close()
    request = answers.requests[0]
    assert request.startswith(b"POST http://mcp.example.com:8080/mcp?a=1 HTTP/1.1\r\nhost: mcp.example.com:8080\r\n")
    assert header_of(request, b"proxy-authorization") == [b"Basic dXNlcjpwYXNz"]


# -- cookies


async def test_cookies_come_back_beside_the_users_own() -> None:
    answers = Answers(
        response(b"", b"set-cookie: node=a1", b"set-cookie: deep=1; Path=/mcp", b"set-cookie: safe=1; Secure"),
        response(b"", b"set-cookie: node=; Max-Age=0"),
        response(),
        response(),
    )
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp", (b"Cookie", b"own=1"))
        for url in (None, None, None, f"{server.origin}/else"):
            await at.post(url=url)
        at.close()
    assert [header_of(request, b"cookie") for request in answers.requests] == [
        [b"own=1"],
        [b"own=1; deep=1; node=a1"],
        [b"own=1; deep=1"],
        [b"own=1"],
    ]


async def test_cookies_without_any_of_the_users() -> None:
    answers = Answers(response(b"", b"set-cookie: node=a1", status=b"500 Oops"), response())
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp")
        await at.post()
        await at.post()
        at.close()
    assert [header_of(request, b"cookie") for request in answers.requests] == [[], [b"node=a1"]]


# -- bodies


@pytest.mark.parametrize("size", [0, 10, 100_000, 300_000, 3_000_000])
@pytest.mark.parametrize("closing", [True, False])
async def test_a_body_of_any_size(size: int, closing: bool) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    extra = [b"connection: close"] if closing else []
    answers = Answers(response(body, JSON, *extra), response(b"next", JSON))
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
    monkeypatch.setattr(exchanges, "MAX_MESSAGE_BYTES", 3_000_000)
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
    monkeypatch.setattr(exchanges, "MAX_MESSAGE_BYTES", limit)
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


async def test_an_event_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_MESSAGE_BYTES", 500)
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


async def test_unfinished_bodies_wait_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_MAX_UNFINISHED_BYTES", 1000)
    second_sent, finish_first = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        if b"first" in await peer.request():
            await peer.send(response(b"1" * 900, JSON, length=1800))
            await finish_first.wait()
            await peer.send(b"1" * 900)
        else:
            await peer.send(response(b"2" * 900, JSON))
            second_sent.set()
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        budget = at.remote._budget
        first = asyncio.create_task(at.remote.run(RemoteRequest(1, b"POST", (), b"first")))
        while budget._total < 900:
            await asyncio.wait({first}, timeout=0.001)
        second = asyncio.create_task(at.remote.run(RemoteRequest(2, b"POST", (), b"second")))
        await second_sent.wait()
        while budget._total < 1800:
            await asyncio.wait({second}, timeout=0.001)
        assert not second.done()
        finish_first.set()
        await asyncio.gather(first, second)
        at.close()
    bodies = [(event.exchange, len(event.body)) for event in at.events if isinstance(event, BodyReceived)]
    assert bodies == [(1, 1800), (2, 900)]
    assert budget._total == 0


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


# -- session ids


@pytest.mark.parametrize("session_id", [b"s", b"!~" * 2048, b"0"])
async def test_a_session_id_is_told(session_id: bytes) -> None:
    async with RawServer(Answers(response(b"", b"MCP-Session-Id: " + session_id))) as server:
        at = Exchanging(server.origin)
        assert (await at.post())[0] == ResponseStarted(1, 200, session_id, False)
        at.close()


@pytest.mark.parametrize("session_id", [b"", b"two words", b"tab\there", b"\xc3\xbc", b"x" * 4097])
async def test_a_session_id_that_is_none_is_refused(session_id: bytes) -> None:
    async with RawServer(Answers(response(b"", b"mcp-session-id: " + session_id))) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert failure.cause is Cause.PROTOCOL
    assert "session id" in failure.message


# -- when to come back


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0),
        (b" 120 ", 120.0),
        (b"0", 0.0),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (b"soon", None),
        (b"-5", None),
        (b"", None),
        (b"\xb2", None),
        (b"9" * 400, 999_999_999.0),
    ],
)
async def test_retry_after(value: bytes, seconds: float | None) -> None:
    async with RawServer(Answers(response(b"", b"retry-after: " + value, status=b"503 Busy"))) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).retry_after == seconds
        at.close()


async def test_retry_after_a_date() -> None:
    later = formatdate(2_000_000_000.0, usegmt=True).encode()
    assert exchanges._retry_after(later, 1_999_999_910.0) == 90.0
    assert exchanges._retry_after(later, 2_000_000_001.0) == 0.0
    assert exchanges._retry_after(None, 0.0) is None


# -- what goes wrong


def breaking_off(answer: bytes) -> Talk:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return talk


@pytest.mark.parametrize("length", [100, 400_000])
async def test_an_answer_that_breaks_off(length: int) -> None:
    async with RawServer(breaking_off(response(b"{", JSON, length=length))) as server:
        failure = only(ExchangeFailed, await Exchanging(server.origin).post())
    assert (failure.cause, failure.sent) == (Cause.TRUNCATED, True)
    assert "status 200" in failure.message


async def test_an_error_that_breaks_off_is_still_that_error() -> None:
    async with RawServer(breaking_off(response(b"<", status=b"502 Bad Gateway", length=100))) as server:
        told = only(BodyReceived, await Exchanging(server.origin).post())
    assert (told.status, told.body) == (502, b"")


async def test_a_server_that_hangs_up() -> None:
    async with RawServer(Answers(b"")) as server:
        at = Exchanging(server.origin)
        assert only(ExchangeFailed, await at.post()) == ExchangeFailed(
            1, Cause.LOST, True, f"The connection to {server.origin} was lost.", "Try again."
        )


async def test_a_request_that_http_cannot_carry() -> None:
    async with RawServer(Peer.gone) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.post(b"{}", (b"x", b"a\nb")))
        assert (failure.cause, failure.sent) == (Cause.PROTOCOL, False)


async def test_a_server_that_takes_too_long() -> None:
    async with RawServer(Peer.gone) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.run(RemoteRequest(1, b"POST", (), b"{}", read_timeout=0.02)))
        assert (failure.cause, failure.sent) == (Cause.LOST, True)
        assert "in time" in failure.message


async def test_a_cancelled_exchange_tells_nothing_and_gives_everything_back() -> None:
    async with RawServer(breaking_off(b"")) as other:
        at = Exchanging(other.origin)
        asked = asyncio.Event()

        async def talk(peer: Peer) -> None:
            await peer.request()
            await peer.send(response(b"{", JSON, length=50))
            asked.set()
            await peer.gone()

        async with RawServer(talk) as server:
            at = Exchanging(server.origin)
            running = asyncio.create_task(at.remote.run(RemoteRequest(1, b"POST", (), b"{}")))
            await asked.wait()
            while not at.events:
                await asyncio.wait({running}, timeout=0.001)
            running.cancel()
            await asyncio.wait({running})
            assert running.cancelled()
            assert at.events == [ResponseStarted(1, 200, None, False)]
            assert at.remote._budget._total == 0
            await at.connections.take(urgent=True)
            assert len(at.connections._idle) == 0
            at.close()
