"""Proxies for one test, over sockets: CONNECT and SOCKS 5, each as agreeable as it is told to be.

All names lead to one port on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib

from tests.support.servers.raw_server import Peer

SOCKS_OK = 0


class TunnelProxy:
    """Answers CONNECT with `answer`, and after a 2xx joins the client with `port`. `heads` are the requests."""

    def __init__(self, port: int = 0, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._port = port
        self._answer = answer

    async def __call__(self, peer: Peer) -> None:
        self.heads.append(await peer.request())
        await peer.send(self._answer)
        if self._port:
            await join(peer, self._port)


class SocksProxy:
    """Speaks RFC 1928 and, where `password` is given, RFC 1929. `asked` are the hosts and ports asked for."""

    def __init__(self, port: int, *, password: bytes | None = None, method: int | None = None, reply: int = 0) -> None:
        self.asked: list[tuple[bytes, int]] = []
        self.signed_in: list[tuple[bytes, bytes]] = []
        self._port = port
        self._password = password
        self._method = method if method is not None else (2 if password is not None else 0)
        self._reply = reply

    async def __call__(self, peer: Peer) -> None:
        read = peer.reader.readexactly
        version, count = await read(2)
        assert version == 5
        offered = await read(count)
        await peer.send(bytes((5, self._method)))
        if self._method not in offered:
            return
        if self._password is not None and not await self._sign_in(peer):
            return
        version, command, _, kind = await read(4)
        assert (version, command) == (5, 1)
        host = await read((await read(1))[0] if kind == 3 else {1: 4, 4: 16}[kind])
        self.asked.append((host, int.from_bytes(await read(2))))
        await peer.send(bytes((5, self._reply, 0, 1, 127, 0, 0, 1, 0, 0)))
        if self._reply == SOCKS_OK:
            await join(peer, self._port)

    async def _sign_in(self, peer: Peer) -> bool:
        read = peer.reader.readexactly
        assert (await read(1))[0] == 1
        name = await read((await read(1))[0])
        password = await read((await read(1))[0])
        self.signed_in.append((name, password))
        await peer.send(bytes((1, 0 if password == self._password else 1)))
        return password == self._password


async def join(peer: Peer, port: int) -> None:
    """Pass bytes both ways between a client and a port on this machine, until either ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ways = [asyncio.create_task(_pump(peer.reader, writer)), asyncio.create_task(_pump(reader, peer.writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
