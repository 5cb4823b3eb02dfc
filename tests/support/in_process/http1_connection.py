"""One HTTP/1.1 connection to a scripted server, and what comes on it."""

from __future__ import annotations

import h11

from bridge.remote.dialing import open_wire
from bridge.remote.http1 import HttpConnection
from tests.support.servers.raw_server import Peer, RawServer, Talk

HOST = (b"host", b"mcp.example.com")
LARGE = 300_000
BIG = bytes(range(256)) * (LARGE // 256)
CHUNKED = b"transfer-encoding: chunked"


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


async def get(http: HttpConnection, read_timeout: float | None = None) -> h11.Response:
    return await http.request(b"GET", b"/mcp", [HOST], None, read_timeout)


async def pieces_of(http: HttpConnection) -> list[bytes | bytearray]:
    return [piece async for piece in http.body()]


async def body_of(http: HttpConnection) -> bytes:
    return b"".join(await pieces_of(http))


async def open_to(server: RawServer) -> HttpConnection:
    return HttpConnection(await open_wire("127.0.0.1", server.port))


def saying(*pieces: bytes, then: bytes = b"") -> Talk:
    """Answer a request with `pieces`; then end, or answer the next one."""

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        if then:
            await peer.request()
            await peer.send(then)
            await peer.gone()

    return talk
