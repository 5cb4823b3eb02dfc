"""A server that closes idle connections soon and does not say so, on asyncio alone. Answers `/length` and `/mcp`.

A request that has come while the limit passes is served. What comes in the moment of closing counts as run: its sender
cannot know that it was not.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket

from tests.wire import paths


class Brief(asyncio.Protocol):
    """One connection, closed after `limit` seconds without a request; `ran` gets the marks of what is run."""

    def __init__(self, limit: float, ran: list[str]) -> None:
        self._limit = limit
        self._ran = ran
        self._come = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._begin_to_wait()

    def data_received(self, data: bytes) -> None:
        self._timer.cancel()
        self._come += data
        while (request := self._whole()) is not None:
            self._answer(*request)
        self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()

    def _begin_to_wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._limit, self._late)

    def _late(self) -> None:
        with socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as connection:
            come, _, _ = select.select([connection], [], [], 0)
            if come:
                return
            # At once, for the transport closes it later. From here on what comes is answered with RST, and known as
            # not taken.
            connection.shutdown(socket.SHUT_RDWR)
            # What came just before has been acknowledged, as has what is run.
            self._come += connection.recv(1 << 16, socket.MSG_DONTWAIT)
        if (request := self._whole()) is not None:
            self._ran.append(request[1].decode().partition("?")[2])
        self._transport.close()

    def _whole(self) -> tuple[bytes, bytes, bytes] | None:
        """Method, target and body of a request that has come whole."""
        head, end, rest = self._come.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.split(b"\r\n")
        named = dict(line.lower().split(b":", 1) for line in lines[1:])
        size = int(named.get(b"content-length", b"0"))
        if len(rest) < size:
            return None
        self._come = rest[size:]
        method, target, _ = lines[0].split(b" ")
        return method, target, rest[:size]

    def _answer(self, method: bytes, target: bytes, body: bytes) -> None:
        path, _, mark = target.decode().partition("?")
        self._ran.append(mark)
        said = paths.length(body) if path == "/length" else paths.mcp(body) if method == b"POST" else None
        status = "200 OK" if said is not None else "202 Accepted" if method == b"POST" else "405 Method Not Allowed"
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(said or b'')}\r\n\r\n"
        self._transport.write(head.encode() + (said or b""))
