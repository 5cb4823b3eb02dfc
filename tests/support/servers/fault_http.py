"""A raw HTTP/1.1 server for tests, in the test's own event loop.

It knows nothing of MCP. It records every request and hands each one to a handler as an `Exchange`, with which
the handler may answer well, badly or not at all: bytes are written as they are given, connections can be
closed or reset at any point. HTTP libraries refuse to misbehave, which is why this is written by hand.
"""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Self

from tests.support.servers.reset import reset
from tests.support.waits import stretched

DEADLINE = 10.0

Headers = Iterable[tuple[str, str]]


class Bell:
    """Rings whenever something changed, so that a test waits on a condition and never on a clock."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who waits."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
        """Wait for the condition to hold; raises AssertionError naming `what` after `deadline` seconds."""
        try:
            async with asyncio.timeout(stretched(deadline)):
                while not condition():
                    await self._event.wait()
        except TimeoutError:
            raise AssertionError(f"not within {deadline} s: {what}") from None


@dataclass
class Request:
    """One request as it came: header names in lower case, the body as bytes, and which connection it used."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    at: float = field(default_factory=time.monotonic)

    def header(self, name: str) -> str | None:
        """The first value of the header, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def message(self) -> Any:
        """The body as JSON; None when there is no body or it is no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None

    @property
    def rpc_method(self) -> str | None:
        """The JSON-RPC method in the body, if there is one."""
        message = self.message
        return message.get("method") if isinstance(message, dict) else None


class NotHttp(Exception):
    """A TLS handshake where plain HTTP is spoken."""


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter, server: "HttpServer") -> None:
        self.request = request
        self.gone = asyncio.Event()
        """Set when the client has closed its side."""
        self.keep = True
        """Whether the connection serves another request after this one."""
        self._writer = writer
        self._server = server

    async def send(self, data: bytes) -> None:
        """Write raw bytes, waiting while the client does not read."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int, headers: Headers = ()) -> None:
        """Write the status line and the headers as given."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Whatever"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        await self.send("\r\n".join(lines).encode("latin-1"))

    async def respond(self, status: int, body: bytes = b"", kind: str = "", headers: Headers = ()) -> None:
        """A whole answer with its length; `kind` is the content type."""
        own = [("Content-Length", str(len(body)))] if status not in (204, 304) else []
        if kind:
            own.append(("Content-Type", kind))
        await self.head(status, [*own, *headers])
        await self.send(body)

    async def start(self, status: int, kind: str, headers: Headers = ()) -> None:
        """Begin a chunked answer."""
        await self.head(status, [("Content-Type", kind), ("Transfer-Encoding", "chunked"), *headers])

    async def chunk(self, data: bytes) -> None:
        """One chunk of a chunked answer."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def finish(self) -> None:
        """End a chunked answer properly."""
        await self.send(b"0\r\n\r\n")

    def close(self) -> None:
        """Close the connection in good order (FIN) wherever the answer stands."""
        self.keep = False
        self._writer.close()

    def reset(self) -> None:
        """Break the connection (RST)."""
        self.keep = False
        reset(self._writer)


Handler = Callable[[Exchange], Awaitable[None]]


class HttpServer:
    """Listens on 127.0.0.1, on a port the system picks; can go away and come back on the same port."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.bell = Bell()
        self.slam = 0
        """How many of the next connections are closed before anything is read from them."""
        self.close_idle = False
        """Close each connection right after an answer, without having said so in the answer."""
        self.failures: list[BaseException] = []
        """What went wrong in a handler itself; told when the server is let go."""
        self._handler = handler
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        assert not self.failures, f"the fault server itself failed: {self.failures}"

    async def listen(self, listener: socket.socket | None = None) -> None:
        """Start, or start again on the port used before; or take over a `listener` that is bound already."""
        start = partial(asyncio.start_server, self._connected, ssl=self._tls, limit=1 << 20)
        if listener is not None:
            self._server = await start(sock=listener)
        else:
            self._server = await start("127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection; new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.drop_connections()
        await asyncio.gather(*tasks, return_exceptions=True)

    def drop_connections(self) -> None:
        """Break every open connection at once, as a restart or a dead network does."""
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._writers)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.bell.ring()
        if self.slam > 0:
            self.slam -= 1
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer, number)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        except Exception as failure:
            self.failures.append(failure)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()
            self.bell.ring()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        ahead = b""
        while True:
            try:
                request = await _read_request(reader, number, ahead)
            except NotHttp:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                return
            self.requests.append(request)
            self.bell.ring()
            exchange = Exchange(request, writer, self)
            watch = asyncio.create_task(_watch(reader, exchange))
            try:
                await self._handler(exchange)
                if self.close_idle:
                    exchange.close()
                self.bell.ring()
                if not exchange.keep:
                    return
                ahead = await watch
                if not ahead:
                    return
            finally:
                watch.cancel()


async def _watch(reader: asyncio.StreamReader, exchange: Exchange) -> bytes:
    """Wait for the next request's first byte, or for the client to leave, which is empty."""
    try:
        ahead = await reader.read(1)
    except OSError:
        ahead = b""
    if not ahead:
        exchange.gone.set()
    return ahead


async def _read_request(reader: asyncio.StreamReader, number: int, ahead: bytes) -> Request:
    ahead = ahead or await reader.readexactly(1)
    if ahead == b"\x16":
        raise NotHttp
    head = (ahead + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    if "://" in path:  # the absolute form, as through a forward proxy
        path = "/" + path.split("/", 3)[3]
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
    found = dict(headers)
    if found.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(found.get("content-length", "0")))
    return Request(method, path, headers, body, number)
