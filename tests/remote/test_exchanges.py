"""One exchange against a raw server: what goes out, what is told of the answer, and where it ends."""

import asyncio
from email.utils import formatdate

import pytest

from bridge.remote import responses
from bridge.remote.exchanges import RemoteRequest
from bridge.remote.proxy import Proxy
from bridge.session.events import (
    BodyReceived,
    Cause,
    ConnectFailed,
    ExchangeFailed,
    ResponseStarted,
)
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.raw_server import Answers, Peer, RawServer, Talk, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
GET = RemoteRequest(3, b"GET", ())
GOOD_ONE = response(b"{}", JSON)


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
    assert responses.retry_after(later, 1_999_999_910.0) == 90.0
    assert responses.retry_after(later, 2_000_000_001.0) == 0.0
    assert responses.retry_after(None, 0.0) is None


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
            assert at.remote._reader._buffer_limit._total == 0
            await at.connections.take(urgent=True)
            assert len(at.connections._idle) == 0
            at.close()


# -- the first connection


async def test_the_first_connection_is_told_once() -> None:
    async with RawServer(Answers(GOOD_ONE, GOOD_ONE)) as server:
        at = Exchanging(server.origin)
        await at.post()
        at.close()
        await at.post()
        assert at.connected == 1
        at.close()


async def test_a_connection_opened_ahead_serves_the_next_request() -> None:
    async with RawServer(Answers(GOOD_ONE)) as server:
        at = Exchanging(server.origin)
        await at.remote.connect()
        await at.remote.connect()
        assert (at.connected, at.events) == (1, [])
        only(BodyReceived, await at.post())
        assert len(server.peers) == 1
        at.close()


async def test_a_connection_that_cannot_be_opened_ahead_is_told_with_its_reason() -> None:
    async with RawServer(Answers()) as server:
        origin = server.origin
    at = Exchanging(origin)
    await at.remote.connect()
    (failed,) = at.events
    assert isinstance(failed, ConnectFailed)
    assert failed.definite
    assert "refused" in failed.message
    assert at.connected == 0
