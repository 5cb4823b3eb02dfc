"""The floor: the same exchange with no bridge between, by an ordinary asynchronous HTTP client in the bench itself.

The client is httpcore, the engine of httpx, on asyncio: what a host would hold in its own process if it spoke
HTTP itself. A stack of idle connections is all the pool it gets; the general pool's bookkeeping would only
add to it. Needs httpcore, so only the column that is the floor imports this module.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpcore

from scripts.benchmark import messages, processes
from scripts.benchmark.messages import ColumnError

_Result = TypeVar("_Result")

_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ConnectionNotAvailable)


class DataLines:
    """Takes the data out of an event stream, piece by piece; every event here has one line of it."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Keep what the lines that are whole now say."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.found.append(line[5:].strip())


class FloorDriver:
    """An HTTP client as a column of its own. Clocks start and stop inside its event loop."""

    def __init__(self, url: str, patience: float = 60.0) -> None:
        self._url = httpcore.URL(url)
        self._patience = patience
        self._next_id = 0
        self._runner: asyncio.Runner | None = None
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._session: list[tuple[bytes, bytes]] = []
        self._headers = [
            (b"Host", b"%b:%d" % (self._url.host, self._url.port or 80)),
            (b"Accept", b"application/json, text/event-stream"),
            (b"Content-Type", b"application/json"),
        ]

    def start(self) -> int:
        """Connect and open a session; return the time until `initialize` was answered."""
        self.close()
        return self._run(self._open())

    def call(self) -> int:
        """Return the time of one small call."""
        request_id = self._new_id()
        took, body = self._run(self._timed(messages.echo(request_id)))
        messages.check_echo(body, request_id)
        return took

    def big(self) -> int:
        """Return the time from the request to the big answer's last byte, put together."""
        request_id = self._new_id()
        took, body = self._run(self._timed(messages.big(request_id)))
        messages.check_big(body, request_id)
        return took

    def parallel(self, total: int, in_flight: int) -> int:
        """Return the time of `total` calls, a task for each of `in_flight`; the warm-up opened the connections."""
        return self._run(self._crowd(total, in_flight))

    def progress(self, count: int) -> int:
        """Return the time until all events were read and split up, the last one's answer among them."""
        request_id, lines = self._new_id(), DataLines()
        took = self._run(self._clocked(messages.progress(request_id, count), lines.feed))
        if len(lines.found) != count + 1 or not messages.check_answer(lines.found[-1], request_id):
            raise ColumnError("notifications were lost")
        return took

    def usage(self) -> processes.Usage:
        """Raise: the floor has no process of its own."""
        raise ColumnError("has no process of its own")

    def settled(self) -> processes.Usage:
        """Raise: the floor has no process of its own."""
        return self.usage()

    def alive(self) -> bool:
        """Return whether a session is open."""
        return bool(self._session and self._idle)

    def close(self) -> None:
        """Close every connection, and the loop."""
        runner, self._runner = self._runner, None
        if runner is not None:
            with runner:
                runner.run(self._disconnect())
        self._session = []

    async def _open(self) -> int:
        request_id, parts = self._new_id(), list[bytes]()
        begun = time.perf_counter_ns()
        response = await self._post(messages.initialize(request_id), parts.append)
        body = b"".join(parts)
        took = time.perf_counter_ns() - begun
        messages.check_answer(body, request_id)
        self._session = [header for header in response.headers if header[0].lower() == b"mcp-session-id"]
        await self._post(messages.INITIALIZED, parts.append)
        return took

    async def _timed(self, message: bytes) -> tuple[int, bytes]:
        parts: list[bytes] = []
        begun = time.perf_counter_ns()
        await self._post(message, parts.append)
        body = b"".join(parts)
        return time.perf_counter_ns() - begun, body

    async def _clocked(self, message: bytes, take: Callable[[bytes], None]) -> int:
        begun = time.perf_counter_ns()
        await self._post(message, take)
        return time.perf_counter_ns() - begun

    async def _crowd(self, total: int, in_flight: int) -> int:
        last = self._next_id + total

        async def work() -> None:
            while self._next_id < last:
                request_id, parts = self._new_id(), list[bytes]()
                await self._post(messages.echo(request_id), parts.append)
                if messages.echoed(b"".join(parts)) != request_id:
                    raise ColumnError("a call was not answered")

        begun = time.perf_counter_ns()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return time.perf_counter_ns() - begun

    async def _post(self, message: bytes, take: Callable[[bytes], None]) -> httpcore.Response:
        """Send a message on an idle connection or a new one; hand over the body's pieces as they come."""
        connection = self._idle.pop() if self._idle else httpcore.AsyncHTTPConnection(self._url.origin)
        length = (b"Content-Length", b"%d" % len(message))
        headers = [*self._headers, *self._session, length]
        try:
            response = await connection.handle_async_request(
                httpcore.Request("POST", self._url, headers=headers, content=message)
            )
            async for piece in response.aiter_stream():
                take(piece)
            await response.aclose()
        except BaseException:
            await connection.aclose()
            raise
        self._idle.append(connection)
        return response

    async def _disconnect(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    def _run(self, work: Awaitable[_Result]) -> _Result:
        """Run this to its end; raises `ColumnError` when that takes too long or the connection fails."""

        async def bounded() -> _Result:
            # One time limit around everything: a client's own, for every read, would cost the floor time.
            async with asyncio.timeout(self._patience):
                return await work

        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            return self._runner.run(bounded())
        except TimeoutError:
            raise ColumnError("no answer in time") from None
        except _FAILURES as error:
            raise ColumnError(f"the connection failed ({error})") from None

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id
