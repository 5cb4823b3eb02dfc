"""A remote MCP server (Streamable HTTP) that behaves, until a test tells it otherwise.

By default: a stateful server with a few annotated tools, a standing GET stream and DELETE. A test installs
answers for what it wants to go wrong; `fault_answers.py` has them ready-made. An answer belongs to a key:

| key | matches |
|---|---|
| `tools/call:echo` | a call of that tool |
| `tools/list`, `initialize`, ... | a request or notification of that method |
| `response` | a POSTed response of the host |
| `batch` | a POSTed array |
| `GET`, `DELETE`, `POST` | that HTTP method, when nothing finer matched |
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from tests.support.servers.fault_http import DEADLINE, Exchange, HttpServer, Request
from tests.support.waits import stretched

JSON = "application/json"
SSE = "text/event-stream"

_SAID = {"type": "object", "properties": {"said": {"type": "string"}}}
"""Some hosts want `properties`."""
TOOLS: list[dict[str, Any]] = [
    {"name": "echo", "inputSchema": _SAID},
    {"name": "read", "inputSchema": _SAID, "annotations": {"readOnlyHint": True}},
    {"name": "same", "inputSchema": _SAID, "annotations": {"idempotentHint": True}},
    {"name": "wild", "inputSchema": _SAID, "annotations": {"readOnlyHint": False}},
]


def event(
    message: object = None,
    *,
    id: str | None = None,  # noqa: A002
    retry: int | None = None,
    name: str | None = None,
) -> bytes:
    """One Server-Sent Event; a message given as bytes goes in as it is, None is empty data."""
    lines = []
    if name is not None:
        lines.append(b"event: " + name.encode())
    if id is not None:
        lines.append(b"id: " + id.encode())
    if retry is not None:
        lines.append(b"retry: %d" % retry)
    data = b"" if message is None else message if isinstance(message, bytes) else json.dumps(message).encode()
    lines += [b"data: " + line for line in data.split(b"\n")]
    return b"\n".join(lines) + b"\n\n"


def notification(method: str, params: object = None) -> dict[str, object]:
    """A notification as an object."""
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}


class Call:
    """One HTTP request to the MCP endpoint, with the message in it."""

    def __init__(self, server: "FaultServer", exchange: Exchange) -> None:
        self.server = server
        self.exchange = exchange
        self.request: Request = exchange.request
        self.message: Any = exchange.request.message

    @property
    def id(self) -> Any:
        """The JSON-RPC id; None where there is none."""
        return self.message.get("id") if isinstance(self.message, dict) else None

    def reply(self, result: object = None) -> dict[str, object]:
        """An answer with the request's own id."""
        return {"jsonrpc": "2.0", "id": self.id, "result": {} if result is None else result}

    def failure(self, code: int, message: str) -> dict[str, object]:
        """An error answer with the request's own id."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": message}}

    async def json(self, value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer with JSON; bytes go as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self.exchange.respond(status, body, JSON, headers)

    async def stream(self, headers: Sequence[tuple[str, str]] = ()) -> "Stream":
        """Answer with an event stream."""
        await self.exchange.start(200, SSE, headers)
        return Stream(self.exchange)


class Stream:
    """An event stream that is open towards the bridge."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def event(self, message: object = None, **fields: Any) -> None:
        """Send one event; the fields are those of `event`."""
        await self.exchange.chunk(event(message, **fields))

    async def finish(self) -> None:
        """End the stream in good order; the connection stays."""
        await self.exchange.finish()
        self.exchange.gone.set()

    def drop(self) -> None:
        """Break the connection under the stream."""
        self.exchange.reset()
        self.exchange.gone.set()

    @property
    def open(self) -> bool:
        """Whether it can still carry events."""
        return not self.exchange.gone.is_set()


Answer = Callable[[Call], Awaitable[None]]


class FaultServer:
    """The scripted server; use as an async context manager."""

    def __init__(self, *, stateful: bool = True, tls: ssl.SSLContext | None = None, path: str = "/mcp") -> None:
        self.http = HttpServer(self._handle, tls)
        self.path = path
        self.stateful = stateful
        self.sessions: list[str] = []
        """The session ids alive, newest last."""
        self.streams: list[Stream] = []
        """Every GET stream ever opened by the default behaviour."""
        self.version: str | None = None
        """The version to answer `initialize` with; None agrees to the host's."""
        self._made = 0
        self._once: dict[str, list[Answer]] = {}
        self._always: dict[str, Answer] = {}

    async def __aenter__(self) -> Self:
        await self.http.listen()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.http.__aexit__(*details)

    @property
    def url(self) -> str:
        """What the bridge is given."""
        return self.http.origin + self.path

    def once(self, key: str, *answers: Answer) -> None:
        """Answer the next requests that match with these, one each."""
        self._once.setdefault(key, []).extend(answers)

    def always(self, key: str, answer: Answer | None) -> None:
        """Answer every request that matches with this; None goes back to good behaviour."""
        if answer is None:
            self._always.pop(key, None)
        else:
            self._always[key] = answer

    # -- what has come in

    def seen(self, method: str) -> list[Request]:
        """The requests so far: of an HTTP method (`GET`), or POSTs with a JSON-RPC method."""
        if method.isupper():
            return [request for request in self.http.requests if request.method == method]
        return [request for request in self.http.requests if request.method == "POST" and request.rpc_method == method]

    def responses(self) -> list[Request]:
        """The POSTs that carried a response of the host."""
        return [request for request in self.seen("POST") if "response" in _keys(request)]

    async def until(self, condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
        """Wait for something the server can see."""
        await self.http.bell.until(condition, what, deadline)

    async def until_seen(self, method: str, count: int = 1, deadline: float = DEADLINE) -> Request:
        """Wait for the request number `count` of the method."""
        await self.until(lambda: len(self.seen(method)) >= count, f"{count} x {method} at the server", deadline)
        return self.seen(method)[count - 1]

    async def stream(self, count: int = 1, deadline: float = DEADLINE) -> Stream:
        """Wait for the standing GET stream number `count`."""
        await self.until(lambda: len(self.streams) >= count, f"GET stream {count}", deadline)
        return self.streams[count - 1]

    def forget_sessions(self) -> None:
        """Lose every session, as a restart does."""
        self.sessions.clear()

    # -- behaviour

    async def _handle(self, exchange: Exchange) -> None:
        call = Call(self, exchange)
        await self._answer_for(exchange.request)(call)

    def _answer_for(self, request: Request) -> Answer:
        for key in _keys(request):
            if waiting := self._once.get(key):
                return waiting.pop(0)
            if key in self._always:
                return self._always[key]
        return self.behave

    async def behave(self, call: Call) -> None:
        """What a good server does."""
        request = call.request
        if request.path.partition("?")[0] != self.path:
            await call.exchange.respond(404, b"no such page", "text/plain")
            return
        if request.rpc_method == "initialize":
            await self.initialize(call)
            return
        if self.stateful and request.header("mcp-session-id") not in self.sessions:
            await self.no_session(call)
            return
        await getattr(self, "_" + request.method.lower())(call)

    async def initialize(self, call: Call) -> None:
        """Open a session."""
        headers = []
        if self.stateful:
            self._made += 1
            self.sessions.append(f"session-{self._made}")
            headers.append(("Mcp-Session-Id", self.sessions[-1]))
        result = {
            "protocolVersion": self.version or call.message["params"]["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}, "logging": {}},
            "serverInfo": {"name": "fault-server", "version": "1"},
        }
        await call.json(call.reply(result), headers=headers)

    async def no_session(self, call: Call) -> None:
        """Refuse a session that is not known, with the body the reference server sends."""
        error = {"code": -32600, "message": "Session not found"}
        await call.json({"jsonrpc": "2.0", "id": "server-error", "error": error}, 404)

    async def _get(self, call: Call) -> None:
        stream = await call.stream()
        self.streams.append(stream)
        self.http.bell.ring()
        await call.exchange.gone.wait()

    async def _delete(self, call: Call) -> None:
        self.sessions.remove(call.request.header("mcp-session-id") or "")
        await call.exchange.respond(200)

    async def _post(self, call: Call) -> None:
        message = call.message
        if isinstance(message, list):
            replies = [{"jsonrpc": "2.0", "id": one["id"], "result": {}} for one in message if "id" in one]
            await call.json(replies)
        elif "method" not in message or "id" not in message:
            await call.exchange.respond(202)
        elif message["method"] == "tools/list":
            await call.json(call.reply({"tools": TOOLS}))
        elif message["method"] == "tools/call":
            text = json.dumps(message["params"].get("arguments", {}))
            await call.json(call.reply({"content": [{"type": "text", "text": text}]}))
        elif message["method"] == "ping":
            await call.json(call.reply())
        else:
            await call.json(call.reply({"seen": message["method"]}))


def _keys(request: Request) -> list[str]:
    keys = []
    message = request.message
    if isinstance(message, list):
        keys.append("batch")
    elif isinstance(message, dict):
        method = message.get("method")
        if method == "tools/call":
            keys.append(f"tools/call:{message['params'].get('name')}")
        keys.append("response" if method is None else method)
    return [*keys, request.method]


async def hold(event: asyncio.Event, deadline: float = 30) -> None:
    """Wait for the test's word, but never for ever."""
    async with asyncio.timeout(stretched(deadline)):
        await event.wait()
