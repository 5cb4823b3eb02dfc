"""A remote MCP server of either era, or of both, that behaves until a test tells it otherwise.

As `FaultServer`, with 2026-07-28 beside the revisions with sessions. `eras` says which it speaks, and may change while
it runs. What is of an era that it does not speak is refused as the standard, or the reference server, refuses it.

Every message from the bridge is checked: valid in its revision, under the headers that belong to it. What is wrong is
told when the server is let go.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from typing import Any

from tests.support.revisions import MODERN, Wire
from tests.support.servers.fault_http import DEADLINE, Exchange, Request
from tests.support.servers.fault_server import TOOLS, Call, FaultServer, Stream

LEGACY = "2025-11-25"

VERSION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
SERVER_INFO = {"name": "era-server", "version": "1"}
QUESTION = {
    "mode": "form",
    "message": "What is your name?",
    "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
STATE = 'state "\u00e9" \\ 1'

CAPABILITIES: dict[str, Any] = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "logging": {},
}

_CACHED: dict[str, Any] = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
_CONTENTS = {"contents": [{"uri": "file:///a", "text": "a"}]}
_LISTS = {"resources/list": "resources", "resources/templates/list": "resourceTemplates", "prompts/list": "prompts"}
_TARGETS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def _is_modern(message: Any) -> bool:
    """Whether a message says that it is of 2026-07-28."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and meta.get(VERSION) == MODERN


def text(value: object, **more: object) -> dict[str, object]:
    """A tool's result with the value as JSON in it, for either era: `more` are further members."""
    return {"content": [{"type": "text", "text": json.dumps(value)}], **more}


def complete(value: object) -> dict[str, object]:
    """A tool's result of the modern era."""
    return text(value, resultType="complete")


class EraServer(FaultServer):
    """The scripted server of the given `eras`, "modern" and "legacy"; use as an async context manager.

    Beside the tools of `FaultServer` it has `ask`, which needs to know a name, and answers with what it was told.
    """

    def __init__(self, *eras: str, tls: ssl.SSLContext | None = None, path: str = "/mcp") -> None:
        super().__init__(tls=tls, path=path)
        self.eras = set(eras or ("modern",))
        self.listens: list[Listen] = []
        """Every `subscriptions/listen` that the good behaviour took, in order."""
        self.hints = dict(_CACHED)
        """What results say of their keeping; a test may change it."""
        self.breaches: list[str] = []
        """What the bridge sent that it must not."""
        self._wires = {True: Wire(MODERN), False: Wire(LEGACY)}

    async def __aexit__(self, *details: object) -> None:
        await super().__aexit__(*details)
        found = [*self.breaches, *(fault for wire in self._wires.values() for fault in wire.faults)]
        assert not found, f"the bridge sent what it must not: {found[:5]}"

    # -- what has come in

    @property
    def probes(self) -> list[Request]:
        """The questions about the server's era."""
        return [
            request for request in self.seen("server/discover") if "mcp-remote-bridge" in str(request.message["id"])
        ]

    async def listen(self, count: int = 1, deadline: float = DEADLINE) -> Listen:
        """Wait for the subscription number `count`."""
        await self.until(lambda: len(self.listens) >= count, f"subscriptions/listen {count}", deadline)
        return self.listens[count - 1]

    # -- behaviour

    async def _handle(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method == "POST":
            self._check(request)
        await super()._handle(exchange)

    def _check(self, request: Request) -> None:
        message = request.message
        is_modern = _is_modern(message)
        with contextlib.suppress(AssertionError):  # Kept by the wire.
            self._wires[is_modern].from_client(request.body)
        if not is_modern:
            return
        method, params = message["method"], message["params"]
        wanted = {"mcp-protocol-version": MODERN, "mcp-method": method, "mcp-session-id": None, "last-event-id": None}
        if method in _TARGETS:
            wanted["mcp-name"] = params[_TARGETS[method]]
        if wrong := {name: request.header(name) for name, value in wanted.items() if request.header(name) != value}:
            self.breaches.append(f"headers {wrong} on {request.body[:300]!r}")
        if "id" not in message:
            self.breaches.append(f"a modern server takes no notifications: {request.body[:300]!r}")

    async def behave(self, call: Call) -> None:
        """What a good server of its eras does."""
        modern = "modern" in self.eras
        if call.request.path.partition("?")[0] == self.path:
            if modern and _is_modern(call.message):
                await self._modern(call)
                return
            if "legacy" not in self.eras:
                await self._refuse_legacy(call)
                return
        await super().behave(call)

    async def _refuse_legacy(self, call: Call) -> None:
        if call.request.method != "POST":
            await call.exchange.respond(405, b"", "", [("Allow", "POST")])
            return
        data = {"supported": [MODERN], "requested": LEGACY}
        error = {"code": -32022, "message": f"Unsupported protocol version; there is {MODERN}", "data": data}
        await call.json({"jsonrpc": "2.0", "id": call.id, "error": error}, 400)

    # -- 2026-07-28

    async def _modern(self, call: Call) -> None:
        method, params = call.message["method"], call.message["params"]
        if method == "server/discover":
            await call.json(call.reply(self.discovered()))
        elif method == "tools/list":
            await call.json(call.reply({"tools": TOOLS, **self.hints}))
        elif method == "tools/call" and params["name"] == "ask":
            await call.json(call.reply(self._asked(params)))
        elif method == "tools/call":
            await call.json(call.reply(complete(params.get("arguments", {}))))
        elif method == "subscriptions/listen":
            await self._listen(call)
        elif method == "resources/read":
            await call.json(call.reply(_CONTENTS | self.hints))
        elif method in _LISTS:
            await call.json(call.reply({_LISTS[method]: [], **self.hints}))
        elif method == "completion/complete":
            await call.json(call.reply({"completion": {"values": []}, "resultType": "complete"}))
        elif method == "prompts/get":
            await call.json(call.reply({"messages": [], "resultType": "complete"}))
        else:
            await call.json(call.failure(-32601, f"Unknown method {method}"), 404)

    def discovered(self) -> dict[str, Any]:
        """The result of `server/discover`."""
        versions = [MODERN, *([LEGACY] if "legacy" in self.eras else [])]
        about = {"io.modelcontextprotocol/serverInfo": SERVER_INFO}
        return {"supportedVersions": versions, "capabilities": CAPABILITIES, "_meta": about, **self.hints}

    def _asked(self, params: dict[str, Any]) -> dict[str, Any]:
        if "inputResponses" in params:
            return complete({"answers": params["inputResponses"], "state": params.get("requestState")})
        wanted = {"name": {"method": "elicitation/create", "params": QUESTION}}
        return {"resultType": "input_required", "inputRequests": wanted, "requestState": STATE}

    async def _listen(self, call: Call) -> None:
        listen = Listen(call, await call.stream())
        await listen.acknowledge()
        self.listens.append(listen)
        self.http.bell.ring()
        await call.exchange.gone.wait()

    # -- the revisions with sessions

    async def initialize(self, call: Call) -> None:
        """Open a session."""
        self._made += 1
        self.sessions.append(f"session-{self._made}")
        result = {
            "protocolVersion": self.version or call.message["params"]["protocolVersion"],
            "capabilities": CAPABILITIES,
            "serverInfo": SERVER_INFO,
        }
        await call.json(call.reply(result), headers=[("Mcp-Session-Id", self.sessions[-1])])

    async def no_session(self, call: Call) -> None:
        """Refuse a session that is not known, and a request without one, as the reference server does."""
        if call.request.header("mcp-session-id") is None:
            error = {"code": -32600, "message": "Bad Request: Missing session ID"}
            await call.json({"jsonrpc": "2.0", "id": "server-error", "error": error}, 400)
        else:
            await super().no_session(call)

    async def _post(self, call: Call) -> None:
        method = call.request.rpc_method
        if method == "tools/call" and call.message["params"]["name"] == "ask":
            stream = await call.stream()
            answer = await self.ask(stream, f"question {call.id}", "elicitation/create", QUESTION)
            await stream.event(call.reply(text({"answers": {"name": answer["result"]}})))
            await stream.finish()
        elif method == "resources/read":
            await call.json(call.reply(_CONTENTS))
        elif method in _LISTS:
            await call.json(call.reply({_LISTS[method]: []}))
        elif method in ("resources/subscribe", "resources/unsubscribe", "logging/setLevel"):
            await call.json(call.reply())
        else:
            await super()._post(call)

    async def ask(self, stream: Stream, id: str, method: str, params: object) -> Any:  # noqa: A002
        """Ask the host something, as a server with sessions may; returns its answer."""
        question = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        self._wires[False].from_server(json.dumps(question))
        await stream.event(question)

        def answers() -> list[Any]:
            return [answer for request in self.responses() if (answer := request.message)["id"] == id]

        await self.until(answers, f"an answer to {method}")
        return answers()[0]


class Listen:
    """A subscription at the server: the request, and the stream that answers it."""

    def __init__(self, call: Call, stream: Stream) -> None:
        self.call = call
        self.stream = stream
        self.wanted: dict[str, Any] = call.message["params"]["notifications"]

    @property
    def open(self) -> bool:
        """Whether the bridge still listens."""
        return self.stream.open

    async def gone(self, deadline: float = DEADLINE) -> None:
        """Wait until the bridge has closed the stream."""
        await self.call.server.until(lambda: not self.open, "the end of a subscription", deadline)

    async def acknowledge(self, wanted: dict[str, Any] | None = None) -> None:
        """Agree to all of the filter, or to what is given."""
        granted = self.wanted if wanted is None else wanted
        await self.tell("notifications/subscriptions/acknowledged", notifications=granted)

    async def tell(self, method: str, **params: object) -> None:
        """Send a notification on the subscription."""
        labelled = {**params, "_meta": {SUBSCRIPTION: self.call.id}}
        await self.stream.event({"jsonrpc": "2.0", "method": method, "params": labelled})

    async def end(self) -> None:
        """End it in good order (Subscriptions, Graceful Closure)."""
        meta = {SUBSCRIPTION: self.call.id}
        await self.stream.event(self.call.reply({"resultType": "complete", "_meta": meta}))
        await self.stream.finish()


class Watched:
    """An answer that does not come until the test gives it; `streams`: on a stream that is open already."""

    def __init__(self, *, streams: bool = False) -> None:
        self.calls: list[Call] = []
        self._streams = streams

    async def __call__(self, call: Call) -> None:
        if self._streams:
            await call.stream()
        self.calls.append(call)
        call.server.http.bell.ring()
        await call.exchange.gone.wait()

    def is_left(self, name: str) -> bool:
        """Whether the bridge has closed the connection of the call with this name among its arguments."""
        return self._named(name).exchange.gone.is_set()

    async def answer(self, name: str, result: object) -> None:
        """Let the call with this name have its answer."""
        call = self._named(name)
        if self._streams:
            stream = Stream(call.exchange)
            await stream.event(call.reply(result))
            await stream.finish()
        else:
            await call.json(call.reply(result))
            call.exchange.gone.set()

    def _named(self, name: str) -> Call:
        return next(call for call in self.calls if call.message["params"]["arguments"].get("name") == name)
