"""A wire with TLS."""

import asyncio
import contextlib
import ssl

import pytest
import trustme

from bridge.remote.dialing import open_wire
from bridge.remote.exchanges import RemoteRequest
from bridge.remote.wire import AlertKeepingTls, Wire
from bridge.session.events import BodyReceived
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

MUCH = 1 << 20
NAME = "mcp.example.com"


def tls_pair() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and that of a client who trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


async def test_tls_carries_more_than_is_held_at_once_to_its_end() -> None:
    data = bytes(range(256)) * (3 * MUCH // 256)
    context, client = tls_pair()

    async def talk(peer: Peer) -> None:
        assert await peer.reader.readexactly(5) == b"hello"
        await peer.send(data)

    async with RawServer(talk, context) as server:
        wire = await open_wire("127.0.0.1", server.port)
        await wire.secure(client, "127.0.0.1")
        await wire.write(b"he")
        await wire.write(b"llo")
        received = bytearray()
        while piece := await wire.read():
            received += piece
        assert received == data
        wire.abort()


async def test_an_authority_nobody_knows_is_refused() -> None:
    context, _ = tls_pair()
    _, stranger = tls_pair()
    async with RawServer(Peer.gone, context) as server:
        wire = await open_wire("127.0.0.1", server.port)
        with pytest.raises(ssl.SSLCertVerificationError):
            await wire.secure(stranger, "127.0.0.1")
        wire.abort()


async def test_a_certificate_for_another_name_is_refused() -> None:
    context, client = tls_pair()
    async with RawServer(Peer.gone, context) as server:
        wire = await open_wire("127.0.0.1", server.port)
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
            await wire.secure(client, "mcp.example.com")
        wire.abort()


async def test_a_server_that_hangs_up_during_the_handshake() -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(1)

    async with RawServer(talk) as server:
        wire = await open_wire("127.0.0.1", server.port)
        with pytest.raises(OSError):  # noqa: PT011  # Which one differs between systems.
            await wire.secure(tls_pair()[1], "127.0.0.1")
        wire.abort()


async def test_there_is_no_tls_without_a_connection() -> None:
    with pytest.raises(ConnectionResetError, match="closed"):
        await Wire().secure(tls_pair()[1], "127.0.0.1")


async def test_reading_goes_on_after_a_body_that_waited_for_its_turn() -> None:
    # Of many sizes, for it matters where a body ends: some are whole in the buffer just as reading was paused.
    large, others = b"x" * (34 << 20), [b"y" * (1_050_000 + 7_000 * number) for number in range(60)]
    context, client = tls_pair()
    finish = asyncio.Event()

    async def talk(peer: Peer) -> None:
        while True:
            asked = (await peer.request()).partition(b"\r\n\r\n")[2]
            if asked == b"large":
                await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(large), large[:-1])
                await finish.wait()
                await peer.send(large[-1:])
            else:
                await peer.send(response(others[int(asked[6:])] if asked.startswith(b"other ") else asked))

    async with RawServer(talk, context) as server:
        at = Exchanging(server.origin, tls=client)
        beside = [asyncio.create_task(at.remote.run(RemoteRequest(1, b"POST", (), b"large")))]
        beside += [
            asyncio.create_task(at.remote.run(RemoteRequest(2 + n, b"POST", (), b"other %d" % n))) for n in range(60)
        ]
        await asyncio.wait(beside, timeout=stretched(0.5), return_when=asyncio.ALL_COMPLETED)
        finish.set()
        await asyncio.gather(*beside)
        # On every connection, for each may be the one that stands still.
        await asyncio.gather(*(at.remote.run(RemoteRequest(n, b"POST", (), b"%d" % n)) for n in range(100, 161)))
        assert len(server.peers) == 61
        at.close()
    bodies = {event.exchange: event.body for event in at.events if isinstance(event, BodyReceived)}
    assert [bodies[number] for number in range(1, 62)] == [large, *others]
    assert [bodies[number] for number in range(100, 161)] == [b"%d" % number for number in range(100, 161)]


# -- an alert, and what comes behind it


def alerted() -> AlertKeepingTls:
    """A client's side that has read the alert of a server which requires a certificate (TLS 1.3)."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert(NAME).configure_cert(server)
    authority.configure_trust(client)
    server.verify_mode = ssl.CERT_REQUIRED
    client.sslobject_class = AlertKeepingTls
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=NAME)
    theirs = server.wrap_bio(up, down, server_side=True)
    for side in (ours, theirs, ours, theirs):
        with contextlib.suppress(ssl.SSLError):
            side.do_handshake()
    with pytest.raises(ssl.SSLError):
        ours.read(1)
    assert isinstance(ours, AlertKeepingTls)
    return ours


@pytest.mark.parametrize("behind", ["the end", "a reset"])
async def test_an_alert_is_told_whatever_the_loop_tells_first(behind: str) -> None:
    wire = Wire()
    wire._tls = alerted()
    if behind == "the end":
        wire.eof_received()
    else:
        wire.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        await wire.read()


async def test_an_end_without_an_alert_is_an_end() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslobject_class = AlertKeepingTls
    wire = Wire()
    wire._tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        wire._tls.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        wire._tls.read(1)
    wire.eof_received()
    assert await wire.read() == b""
