"""A wire with TLS."""

import ssl

import pytest
import trustme

from bridge.remote.dialing import open_wire
from bridge.remote.wire import Wire
from tests.support.raw_server import Peer, RawServer

pytestmark = pytest.mark.anyio

MUCH = 1 << 20


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
