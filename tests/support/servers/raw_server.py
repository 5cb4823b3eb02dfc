"""A raw TCP server for one test: what it says is written byte for byte, and what it hears is kept."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

from tests.support.waits import stretched

DEADLINE = 10.0
"""Seconds that a test's part with sockets may take at most."""


class Peer:
    """One connection that came in, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """One request, head and body. Raises EOFError where the client closes instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return head + (await self.reader.readexactly(int(length[1])) if length else b"")

    async def send(self, *pieces: bytes) -> None:
        """Write all pieces, each given to the system by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client closes, whatever it still sends."""
        with contextlib.suppress(OSError):
            while await self.reader.read(1 << 16):
                pass

    def end(self) -> None:
        """Send the end of the stream, after all that was written."""
        self.writer.close()


Talk = Callable[[Peer], Awaitable[None]]


class RawServer:
    """Listens on 127.0.0.1 and has `talk` with every client; the block that it is entered for has a deadline.

    What `talk` raises, other than for a lost connection, is raised at the end of the block. When `talk` returns, the
    connection is closed.
    """

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self._talk = talk
        self._tls = tls
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._deadline = asyncio.timeout(stretched(DEADLINE))

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:port`, or https."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._deadline.__aenter__()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._deadline.__aexit__(kind, error, None)
        if self._failures:
            raise self._failures[0] from error

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # asyncio does so only where an accepted socket names its protocol, as on Linux (python/cpython#148783).
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(reader, writer)
        self.peers.append(peer)
        try:
            with contextlib.suppress(OSError, EOFError):
                await self._talk(peer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as problem:
            self._failures.append(problem)
            writer.transport.abort()
        finally:
            self._tasks.discard(task)


class Answers:
    """A `Talk` that answers the requests of all connections with `answers`, one after another, and keeps them.

    An answer that says `connection: close` ends its connection; an empty one ends it without an answer.
    """

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            answer = self._answers.pop(0)
            await peer.send(answer)
            if not answer or b"\r\nconnection: close\r\n" in answer:
                return


def response(body: bytes = b"", *headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    """A response with a content-length, the body's own or another; with no such header where `length` is negative."""
    lines = [b"HTTP/1.1 " + status, *headers]
    if length is None or length >= 0:
        lines.append(b"content-length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
