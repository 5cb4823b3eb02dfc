"""One TCP connection: how it comes about, and what the system does for it."""

import asyncio
import socket

import pytest

from bridge.remote.dialing import open_wire
from tests.support.servers.raw_server import DEADLINE, Peer, RawServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


async def test_the_system_watches_over_the_connection() -> None:
    async with RawServer(Peer.gone) as server:
        wire = await open_wire("127.0.0.1", server.port)
        assert wire.transport
        sock = wire.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        wire.abort()


async def test_nobody_listening_is_an_error_of_the_system() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with asyncio.timeout(stretched(DEADLINE)):
            with pytest.raises(OSError, match=r"(?i)connect"):
                await open_wire("127.0.0.1", bound.getsockname()[1])
