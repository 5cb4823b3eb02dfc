"""A request on its way up: an answer before its end, a connection that breaks, a server that takes nothing."""

import asyncio
import ssl
import time

import pytest

from bridge.remote import uploading
from bridge.remote.exchanges import RemoteRequest
from bridge.remote.http1 import HttpConnection
from bridge.remote.wire import _in_the_system
from bridge.session.events import BodyReceived, Cause, ExchangeFailed
from tests.support.in_process.remote_credentials import Guard, RemoteHarness
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.in_process.scripted_wire import pair
from tests.support.servers.raw_server import Answers, Peer, RawServer, Talk, response
from tests.support.servers.reset import reset
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

MUCH = 24 * 1024 * 1024
BODY = b"x" * MUCH
JSON = b"content-type: application/json"
CHALLENGE = b'www-authenticate: Bearer error="invalid_token"'
REFUSED = response(b'{"error":"invalid_token"}', JSON, CHALLENGE, status=b"401 Unauthorized")
TOO_LARGE = response(b'{"why":"too large"}', JSON, status=b"413 Content Too Large")


async def head_of(peer: Peer) -> bytes:
    return await peer.reader.readuntil(b"\r\n\r\n")


def early(answer: bytes, uploads: list[Peer], *, then: str) -> Talk:
    """Answers at the head of the request, and then closes, resets, or holds the connection without reading."""

    async def talk(peer: Peer) -> None:
        await head_of(peer)
        uploads.append(peer)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # It is a transport that reads.
        await peer.send(answer)
        if then == "reset":
            # Not before it was received: a reset takes along what is still on its way.
            sock = peer.writer.get_extra_info("socket")
            while _in_the_system(sock):
                await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
            reset(peer.writer)
        elif then == "hold":
            await asyncio.Event().wait()

    return talk


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("then", ["close", "reset", "hold"])
async def test_an_answer_that_comes_before_the_end_of_the_request_counts(
    then: str, secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    uploads: list[Peer] = []
    async with RawServer(early(TOO_LARGE, uploads, then=then), server_tls if secure else None) as server:
        at = Exchanging(server.origin, tls=client_tls if secure else None)
        told = only(BodyReceived, await at.post(BODY))
        assert told.status == 413
        # One more may have been opened ahead, on which nothing came.
        assert all(connection.may_serve(0.0) for connection in at.connections._idle)
        at.close()
    assert len(uploads) == 1, "it was uploaded again"


@pytest.mark.parametrize("then", ["close", "reset", "hold"])
async def test_a_refusal_that_comes_early_begins_the_renewal(then: str) -> None:
    uploads: list[Peer] = []
    refusing = early(REFUSED, uploads, then=then)
    arrived: list[int] = []

    async def talk(peer: Peer) -> None:
        if not uploads:
            await refusing(peer)
        else:
            arrived.append(len((await peer.request()).partition(b"\r\n\r\n")[2]))
            await peer.send(response(b"{}", JSON))
            await peer.gone()

    async with RawServer(talk) as server:
        guard = Guard()
        at = RemoteHarness(server.origin, guard)
        await at.remote.run(RemoteRequest(1, b"POST", (), BODY))
        assert [refusal.status for refusal in guard.refusals] == [401]
        assert only(BodyReceived, at.events).status == 200
        assert (len(uploads), arrived) == (1, [MUCH])
        at.connections.drop_idle()


async def test_an_answer_on_a_connection_that_can_take_nothing_any_more_counts() -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(response(b"busy", status=b"503 Busy"))

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        await at.remote.connect()
        (connection,) = at.connections._idle
        wire = connection._wire
        while not wire._ended:
            await wire.change()
        head = await connection.request(b"POST", b"/", [(b"host", b"x"), (b"content-length", b"2")], b"{}", None)
        assert head.status_code == 503
        assert not connection.sent
        at.close()


async def test_an_answer_that_the_event_loop_has_not_seen_yet_counts() -> None:
    async with pair() as (wire, other):
        http = HttpConnection(wire)
        other.send(TOO_LARGE)
        other.close()  # What is written from here on fails, and takes along what was not read.
        headers = [(b"host", b"x"), (b"content-length", b"%d" % MUCH)]
        assert (await http.request(b"POST", b"/", headers, BODY, None)).status_code == 413
        assert not http.sent


async def test_an_answer_that_begins_early_does_not_keep_the_rest_from_being_sent() -> None:
    got = 0

    async def talk(peer: Peer) -> None:
        nonlocal got
        await head_of(peer)
        await peer.send(response(b"", JSON, length=4) + b'{"a"'[:2])
        got = len(await peer.reader.readexactly(MUCH))
        await peer.send(b"},")
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post(BODY)).status == 200
        at.close()
    assert got == MUCH


async def test_preliminary_answers_end_no_upload() -> None:
    async def talk(peer: Peer) -> None:
        head = await head_of(peer)
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n")
        assert b"content-length: %d\r\n" % MUCH in head
        assert await peer.reader.readexactly(MUCH) == BODY
        await peer.send(response(b"{}", JSON))
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post(BODY)).status == 200
        assert len(at.connections._idle) == 1
        at.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 300_000, MUCH])
async def test_a_request_of_any_size_arrives_whole_and_the_connection_serves_on(
    size: int, secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    answers = Answers(response(b"one", JSON), response(b"two", JSON))
    async with RawServer(answers, server_tls if secure else None) as server:
        at = Exchanging(server.origin, tls=client_tls if secure else None)
        for _ in range(2):
            assert only(BodyReceived, await at.post(body)).status == 200
        at.close()
        assert len(server.peers) == 1
    assert [request.partition(b"\r\n\r\n")[2] == body for request in answers.requests] == [True, True]


# -- a connection that breaks, or stands still


async def test_a_large_request_that_breaks_off_without_an_answer_is_sent_twice_and_no_more() -> None:
    async def talk(peer: Peer) -> None:
        await head_of(peer)
        reset(peer.writer)

    async with RawServer(talk) as server:
        failure = only(ExchangeFailed, await Exchanging(server.origin).post(BODY))
        assert len(server.peers) == 2
    assert failure.cause is Cause.PROTOCOL
    assert f"{MUCH} bytes" in failure.message
    assert "limit" in failure.hint


async def test_a_large_request_that_breaks_off_once_arrives() -> None:
    async def talk(peer: Peer) -> None:
        if len(server.peers) == 1:
            await head_of(peer)
            reset(peer.writer)
        else:
            await peer.request()
            await peer.send(response(b"{}", JSON))
            await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post(BODY)).status == 200
        at.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_server_that_takes_nothing_ends_the_upload(
    secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "_STALLED_SECONDS", 0.2)

    async def talk(peer: Peer) -> None:
        await head_of(peer)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with RawServer(talk, server_tls if secure else None) as server:
        failure = only(ExchangeFailed, await Exchanging(server.origin, tls=client_tls if secure else None).post(BODY))
        assert len(server.peers) == 1
    assert (failure.cause, failure.sent) == (Cause.UNREACHABLE, False)
    assert "stopped reading the request" in failure.message
    assert failure.hint


async def test_a_server_that_takes_nothing_and_sends_on_ends_the_upload_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "_STALLED_SECONDS", 0.2)

    async def talk(peer: Peer) -> None:
        await head_of(peer)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await peer.send(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            await peer.send(b"y")
            await asyncio.sleep(0.02)

    async with RawServer(talk) as server:
        failure = only(ExchangeFailed, await Exchanging(server.origin).post(BODY))
    assert "stopped reading the request" in failure.message


async def test_a_server_that_takes_a_little_at_a_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "_STALLED_SECONDS", stretched(0.4))
    begun = time.monotonic()

    async def talk(peer: Peer) -> None:
        await head_of(peer)
        for _ in range(24):
            await peer.reader.readexactly(MUCH // 24)
            await asyncio.sleep(stretched(0.04))
        await peer.send(response(b"{}", JSON))
        await peer.gone()

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post(BODY)).status == 200
        at.close()
    assert time.monotonic() - begun > stretched(0.4)
