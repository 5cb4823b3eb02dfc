"""Ready-made answers for `FaultServer.once` and `.always`: all a server or the way to it can do wrong."""

import asyncio
import gzip
import json
from collections.abc import Sequence

from tests.support.servers.fault_server import JSON, SSE, Answer, Call, event
from tests.support.waits import stretched

HTML = b"<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"


def plain(status: int, body: bytes = b"", kind: str = "", headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A whole HTTP answer as given."""

    async def answer(call: Call) -> None:
        await call.exchange.respond(status, body, kind, headers)

    return answer


def page(status: int, *headers: tuple[str, str]) -> Answer:
    """An HTML page with the status."""
    return plain(status, HTML, "text/html; charset=utf-8", headers)


def result(value: object) -> Answer:
    """The good answer with this result; bytes are put in exactly as they are."""

    async def answer(call: Call) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        await call.json(b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (json.dumps(call.id).encode(), body))

    return answer


def rpc_error(code: int, message: str, status: int = 200) -> Answer:
    """The server's own JSON-RPC error with the request's id."""

    async def answer(call: Call) -> None:
        await call.json(call.failure(code, message), status)

    return answer


def other_id(id: object, *, stream: bool = False) -> Answer:  # noqa: A002
    """An answer to a request nobody made."""

    async def answer(call: Call) -> None:
        message = {"jsonrpc": "2.0", "id": id, "result": {"whose": "not yours"}}
        if stream:
            opened = await call.stream()
            await opened.event(message)
            await opened.finish()
        else:
            await call.json(message)

    return answer


def events(*parts: object, finish: bool = True, reply: object = None) -> Answer:
    """An event stream of the parts: bytes as they are, the rest as events; then the answer if given."""

    async def answer(call: Call) -> None:
        stream = await call.stream()
        for part in parts:
            await call.exchange.chunk(part if isinstance(part, bytes) else event(part))
        if reply is not None:
            await stream.event(call.reply(reply))
        if finish:
            await stream.finish()
        else:
            call.exchange.close()

    return answer


def short_body(*, chunked: bool = False, stream: bool = False) -> Answer:
    """Half of a good answer, then the connection ends."""

    async def answer(call: Call) -> None:
        body = json.dumps(call.reply({"text": "x" * 100})).encode()
        if stream:
            await call.exchange.start(200, SSE)
            await call.exchange.chunk(b"data: " + body[:60])
        elif chunked:
            await call.exchange.start(200, JSON)
            await call.exchange.chunk(body[:60])
        else:
            await call.exchange.head(200, [("Content-Type", JSON), ("Content-Length", str(len(body)))])
            await call.exchange.send(body[:60])
        call.exchange.close()

    return answer


def zipped(value: object) -> Answer:
    """A good answer, compressed though nobody asked for it."""

    async def answer(call: Call) -> None:
        body = gzip.compress(json.dumps(call.reply(value)).encode())
        await call.exchange.respond(200, body, JSON, [("Content-Encoding", "gzip")])

    return answer


def trickle(value: object, *, stream: bool = False) -> Answer:
    """A good answer, a byte at a time."""

    async def answer(call: Call) -> None:
        body = json.dumps(call.reply(value), ensure_ascii=False).encode()
        data = b"data: " + body + b"\n\n" if stream else body
        await call.exchange.start(200, SSE if stream else JSON)
        for at in range(len(data)):
            await call.exchange.chunk(data[at : at + 1])
            await asyncio.sleep(0)
        await call.exchange.finish()

    return answer


def redirect(status: int, location: str) -> Answer:
    """A redirect to the address."""
    return plain(status, b"moved", "text/plain", [("Location", location)])


def slow_down(status: int, wait: str) -> Answer:
    """429 or 503 with Retry-After."""
    return plain(status, b"later", "text/plain", [("Retry-After", wait)])


async def closes(call: Call) -> None:
    """Read the request, then close the connection without an answer."""
    call.exchange.close()


async def resets(call: Call) -> None:
    """Read the request, then reset the connection."""
    call.exchange.reset()


async def hangs(call: Call) -> None:
    """Never answer; ends when the bridge gives up or the test is over."""
    await call.exchange.gone.wait()


async def hangs_streaming(call: Call) -> None:
    """Open the event stream of the answer and send nothing on it."""
    await call.stream()
    await call.exchange.gone.wait()


async def no_stream(call: Call) -> None:
    """Refuse the GET stream, as a server without one must."""
    await call.exchange.respond(405, b"", "", [("Allow", "POST, DELETE")])


class Gate:
    """An answer that waits until the test lets it go, then behaves; says how many wait."""

    def __init__(self, then: Answer | None = None) -> None:
        self.waiting = 0
        self._then = then
        self._open = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        self.waiting += 1
        call.server.http.bell.ring()
        async with asyncio.timeout(stretched(30)):
            await self._open.wait()
        await (self._then or call.server.behave)(call)

    def open(self) -> None:
        """Let every one go, and those to come."""
        self._open.set()
