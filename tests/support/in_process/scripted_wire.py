"""Wires whose other end a test holds: one without a socket, that says how the bytes arrive, and one with."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from bridge.remote.wire import Wire
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched


class ScriptedWire(Wire):
    """Each read gives the next of `reads`, an exception among them is raised; what is written is kept."""

    def __init__(self, *reads: bytes | Exception, write_error: OSError | None = None) -> None:
        super().__init__()
        self.reads = list(reads)
        self.written: list[bytes] = []
        self.write_error = write_error
        self.aborted = False
        self.login_status = False
        self.unsent_bytes = 0

    @property
    def has_news(self) -> bool:
        return self.login_status

    @property
    def unsent(self) -> int:
        return self.unsent_bytes

    async def read(self) -> bytes:
        assert self.reads, "read more than there is"
        piece = self.reads.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def send(self, data: bytes | memoryview) -> None:
        if self.write_error:
            raise self.write_error
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[Wire, socket.socket]]:
    """A wire, and the other end as a plain socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with theirs:
        async with asyncio.timeout(stretched(DEADLINE)):
            _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=ours)
            try:
                yield wire, theirs
            finally:
                wire.abort()
