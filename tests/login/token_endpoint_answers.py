"""A browser's half of the callback, byte by byte where a test wants it so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bridge.login.listener import CallbackListener
from tests.support.servers.reset import reset
from tests.support.waits import stretched

DEADLINE = 10.0


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers by lower-case name, the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def head(target: str, port: int, *lines: str, method: str = "GET", host: str | None = None) -> bytes:
    """A request's head, with the Host that a browser would send."""
    named = f"localhost:{port}" if host is None else host
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {named}", *lines, "", ""]).encode("latin-1")


class Asker:
    """One connection to the callback port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, address: str = "127.0.0.1") -> Asker:
        async with asyncio.timeout(stretched(DEADLINE)):
            return cls(*await asyncio.open_connection(address, port))

    async def send(self, data: bytes, piece: int = 0) -> None:
        """Write it at once, or in pieces of that many bytes, each in a packet of its own."""
        async with asyncio.timeout(stretched(DEADLINE)):
            for start in range(0, len(data), piece or len(data)):
                self.writer.write(data[start : start + (piece or len(data))])
                await self.writer.drain()
                if piece:
                    await asyncio.sleep(0)

    async def answer(self) -> Answer:
        """Read to the end. An answer that is not whole fails."""
        async with asyncio.timeout(stretched(DEADLINE)):
            data = await self.reader.read()
        self.writer.close()
        top, _, body = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert first.startswith("HTTP/1.1 "), data[:200]
        return Answer(int(first.split(" ")[1]), headers, body)

    async def ended(self) -> bytes:
        """What came until the other side closed or reset the connection."""
        async with asyncio.timeout(stretched(DEADLINE)):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""
            finally:
                self.writer.close()

    def reset(self) -> None:
        """Go away without a word, as a browser that crashes."""
        reset(self.writer)


async def ask(port: int, request: bytes, address: str = "127.0.0.1", piece: int = 0) -> Answer:
    """Send a request on a connection of its own and read its answer."""
    asker = await Asker.connect(port, address)
    await asker.send(request, piece)
    return await asker.answer()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition of this process."""
    async with asyncio.timeout(stretched(DEADLINE)):
        while not holds():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.002)


async def with_answer(listener: CallbackListener, doing: Callable[[], Awaitable[None]], page: bytes = b"done") -> str:
    """Wait for the query "code=right" while `doing` goes on; it is answered with `page`, its value returned."""
    waiting = asyncio.create_task(listener.receive(right, stretched(DEADLINE)))
    try:
        await doing()
        arrival = await waiting
    finally:
        waiting.cancel()
    arrival.respond(page)
    return arrival.value


def right(query: str) -> str | None:
    """A judge for whom one query is the answer."""
    return "the answer" if query == "code=right" else None
