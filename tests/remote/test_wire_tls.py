"""A wire with TLS, and a buffer that is filled straight from a wire, with TLS or without."""

import asyncio
import ssl

import pytest
import trustme

from bridge.remote.dialing import open_wire
from bridge.remote.wire import Wire
from tests.support.raw_server import Peer, RawServer
from tests.support.scripted_wire import pair

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
        await wire.write(b"he", b"llo")
        received = bytearray()
        while piece := await wire.read():
            received += piece
        assert received == data
        wire.abort()


# -- a buffer that is filled


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_buffer_takes_its_part_and_leaves_the_rest(secure: bool) -> None:
    context, client = tls_pair()

    async def talk(peer: Peer) -> None:
        assert await peer.reader.readexactly(2) == b"go"
        await peer.send(b"0123456789 and what follows")
        await peer.gone()

    async with RawServer(talk, context if secure else None) as server:
        wire = await open_wire("127.0.0.1", server.port)
        if secure:
            await wire.secure(client, "127.0.0.1")
        buffer = bytearray(b"__________")
        filling = asyncio.create_task(wire.fill(buffer, 4))
        await asyncio.wait({filling}, timeout=0)
        await wire.write(b"go")
        await filling
        assert buffer == b"____012345"
        assert await wire.read() == b"6789 and what follows"
        wire.abort()


async def test_a_buffer_is_filled_from_several_pieces() -> None:
    async with pair() as (wire, other):
        data = bytes(range(256)) * (3 * MUCH // 256)
        buffer = bytearray(len(data))
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(other, data))
        await wire.fill(buffer, 0)
        await sending
        assert buffer == data
        assert not wire.has_news


@pytest.mark.parametrize("end", ["before", "within", "reset"])
async def test_a_buffer_that_cannot_be_filled(end: str) -> None:
    async with pair() as (wire, other):
        if end == "before":
            other.close()
            assert await wire.read() == b""
        filling = asyncio.create_task(wire.fill(bytearray(10), 0))
        await asyncio.wait({filling}, timeout=0)
        if end == "within":
            other.send(b"123")
            other.close()
        elif end == "reset":
            wire.abort()
        with pytest.raises(ConnectionResetError):
            await filling
        assert wire.has_news


async def test_filling_can_be_given_up() -> None:
    async with pair() as (wire, other):
        buffer = bytearray(10)
        filling = asyncio.create_task(wire.fill(buffer, 0))
        await asyncio.wait({filling}, timeout=0)
        filling.cancel()
        await asyncio.wait({filling})
        other.send(b"later")
        assert await wire.read() == b"later"
        assert buffer == bytes(10)


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
