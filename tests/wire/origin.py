"""The server behind the equipment that passes requests on. It runs in a thread: it outlives each test's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.support.servers.fault_http import Exchange, HttpServer
from tests.support.waits import stretched
from tests.wire import paths

JSON = "application/json"
SSE = "text/event-stream"
NEVER = 20.0
"""Seconds that `/never` waits for its client to leave."""
_LIMIT = stretched(20)


class Origin:
    """Answers the paths of `paths`, at one port over http and at another over https. `ran` are the marks."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.ran: list[str] = []
        self.streams = 0
        """How many event streams are open."""
        self._plain = HttpServer(self._answer)
        self._secure = HttpServer(self._answer, tls)

    @property
    def port(self) -> int:
        """Where it speaks http."""
        return self._plain.port

    @property
    def tls_port(self) -> int:
        """Where it speaks https."""
        return self._secure.port

    async def listen(self) -> None:
        """Start."""
        await self._plain.listen()
        await self._secure.listen()

    async def stop(self) -> None:
        """Drop every connection."""
        await self._plain.stop()
        await self._secure.stop()

    async def _answer(self, exchange: Exchange) -> None:
        url = urlsplit(exchange.request.path)
        self.ran.append(url.query)
        _, kind, *rest = url.path.split("/")
        answers: dict[str, Callable[..., Awaitable[None]]] = {
            "mcp": self._mcp,
            "length": self._length,
            "sized": self._sized,
            "chunked": self._chunked,
            "events": self._events,
            "dies": self._dies,
            "never": self._never,
        }
        await answers[kind](exchange, *rest)

    async def _mcp(self, exchange: Exchange) -> None:
        if exchange.request.method != "POST":
            await exchange.respond(405)
            return
        said = paths.mcp(exchange.request.body)
        await (exchange.respond(202) if said is None else exchange.respond(200, said, JSON))

    async def _length(self, exchange: Exchange) -> None:
        await exchange.respond(200, paths.length(exchange.request.body), JSON)

    async def _sized(self, exchange: Exchange, count: str) -> None:
        await exchange.respond(200, paths.sized(int(count)), JSON)

    async def _chunked(self, exchange: Exchange, count: str) -> None:
        body = paths.sized(int(count))
        await exchange.start(200, JSON)
        for start in range(0, len(body), paths.PIECE):
            await exchange.chunk(body[start : start + paths.PIECE])
        await exchange.finish()

    async def _events(self, exchange: Exchange, count: str, milliseconds: str) -> None:
        self.streams += 1
        pause = int(milliseconds) / 1000
        try:
            await exchange.start(200, SSE)
            for number in range(int(count)):
                if number:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await exchange.gone.wait()
                if exchange.gone.is_set():
                    return
                await exchange.chunk(paths.event(number))
            await exchange.finish()
        finally:
            self.streams -= 1

    async def _dies(self, exchange: Exchange, how: str) -> None:
        if how == "within":
            await exchange.head(200, [("Content-Type", JSON), ("Content-Length", "1000")])
            await exchange.send(paths.sized(1000)[:100])
        elif how == "stream":
            await exchange.start(200, SSE)
            for number in range(2):
                await exchange.chunk(paths.event(number))
        exchange.close()

    async def _never(self, exchange: Exchange) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(stretched(NEVER)):
                await exchange.gone.wait()


@contextlib.contextmanager
def serving(tls: ssl.SSLContext) -> Iterator[Origin]:
    """An origin, running."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="origin", daemon=True)
    thread.start()

    def wait_for(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(timeout=_LIMIT)

    origin = Origin(tls)
    try:
        wait_for(origin.listen())
        yield origin
        wait_for(origin.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_LIMIT)
        loop.close()
