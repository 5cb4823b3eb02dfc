"""A `Downgrade` without IO: a test says what the host and the server send, and looks at what each of them gets.

A step returns what it caused, as decoded messages, in order: those for the host and those for the server apart. What
passes is held against the revisions of both sides, and timers against those that were asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self

import msgspec

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId
from bridge.protocol.writing import members
from bridge.translate.downgrade.downgrade import Downgrade
from bridge.translate.translator import TranslatorRefusal
from tests.support.revisions import Wire
from tests.translate.paper_timers import PaperTimer, PaperTimers

VERSION = "io.modelcontextprotocol/protocolVersion"
CLIENT = "io.modelcontextprotocol/clientInfo"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
SERVER = "io.modelcontextprotocol/serverInfo"

HOST = {"name": "a host", "version": "1"}
SERVER_INFO = {"name": "a server", "version": "2"}
ABLE: dict[str, Any] = {"roots": {}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}}
OFFERS: dict[str, Any] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "logging": {},
}

Json = dict[str, Any]


def modern_meta(capabilities: object = ABLE, **more: object) -> Json:
    """The `_meta` of a modern request."""
    return {VERSION: "2026-07-28", CLIENT: HOST, CAPABILITIES: capabilities, **more}


def line(**members_: object) -> bytes:
    """A message's line."""
    return msgspec.json.encode({"jsonrpc": "2.0", **members_})


FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
SAMPLE = {"messages": [{"role": "user", "content": {"type": "text", "text": "Hi"}}], "maxTokens": 10}
SAID = {"content": [{"type": "text", "text": "done"}]}
ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


class Book:
    """One `Downgrade` and its port. `is_strict`: every message is checked against its revision."""

    def __init__(self, capabilities: object = ABLE, *, is_strict: bool = True) -> None:
        self.capabilities = capabilities
        self.timers = PaperTimers()
        self.reports: list[tuple[str, str]] = []
        self.now = 0.0
        self.keep_alive: float | None = None
        self._is_strict = is_strict
        self._host_wire, self._server_wire = Wire("2026-07-28"), Wire("2025-11-25")
        self._up: list[Json] = []
        self._down: list[Json] = []
        self.lines: list[bytes] = []
        self.sent: list[bytes] = []
        self._fresh = 0
        meta = members(msgspec.json.encode(modern_meta(capabilities)))
        self.downgrade = Downgrade(self, "server.example", meta)

    # -- the port

    def up(self, message: Message) -> None:
        assert jsonrpc.parse(message.line) == message, "what a message says and its line must agree"
        if self._is_strict:
            self._server_wire.from_client(bytes(message.line))
        self.sent.append(bytes(message.line))
        self._up.append(json.loads(message.line))

    def down(self, line: Octets) -> None:
        if self._is_strict:
            self._host_wire.from_server(bytes(line))
        self.lines.append(bytes(line))
        self._down.append(json.loads(line))

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        data = {"source": "mcp-remote-bridge", "kind": refusal.kind, **refusal.data}
        self.down(jsonrpc.error_line(request.raw_id, refusal.code, refusal.message, data))

    def timer(self, purpose: str, fired: Callable[[], None]) -> PaperTimer:
        return self.timers.new(purpose, fired)

    def timestamp(self) -> str:
        return "2026-10-10T10:10:10Z"

    def fresh(self) -> str:
        self._fresh += 1
        return f"fresh-{self._fresh}"

    def report(self, level: str, text: str) -> None:
        self.reports.append((level, text))

    # -- steps; each returns what the host got, and what the server got

    def host_line(self, sent: bytes) -> tuple[list[Json], list[Json]]:
        """The host writes this line."""
        if self._is_strict:
            self._host_wire.from_client(sent)
        self.downgrade.from_host(jsonrpc.parse(sent))
        return self.taken()

    def host(
        self, id_: object, method: str, params: Json | None = None, **meta: object
    ) -> tuple[list[Json], list[Json]]:
        """The host sends a request as a modern host does."""
        with_request_meta = {**(params or {}), "_meta": modern_meta(self.capabilities, **meta)}
        return self.host_line(line(id=id_, method=method, params=with_request_meta))

    def cancels(self, id_: object, **more: object) -> tuple[list[Json], list[Json]]:
        """The host cancels a request of its own."""
        return self.host_line(line(method="notifications/cancelled", params={"requestId": id_, **more}))

    def server_line(self, sent: bytes, about: RequestId | None = None) -> tuple[list[Json], list[Json]]:
        """The server sends this line."""
        if self._is_strict:
            self._server_wire.from_server(sent)
        self.downgrade.from_server(jsonrpc.parse(sent), about)
        return self.taken()

    def answers(self, id_: RequestId, result: object) -> tuple[list[Json], list[Json]]:
        """The server answers."""
        return self.server_line(line(id=id_, result=result), id_)

    def fails(self, id_: RequestId, code: int, message: str = "no", **more: object) -> tuple[list[Json], list[Json]]:
        """The server answers with an error."""
        return self.server_line(line(id=id_, error={"code": code, "message": message, **more}), id_)

    def asks(
        self, id_: object, method: str, params: Json | None = None, about: RequestId | None = None
    ) -> tuple[list[Json], list[Json]]:
        """The server sends a request of its own."""
        said = {"params": params} if params is not None else {}
        return self.server_line(line(id=id_, method=method, **said), about)

    def tells(
        self, method: str, params: Json | None = None, about: RequestId | None = None
    ) -> tuple[list[Json], list[Json]]:
        """The server sends a notification."""
        said = {"params": params} if params is not None else {}
        return self.server_line(line(method=method, **said), about)

    def fires(self, purpose: str) -> tuple[list[Json], list[Json]]:
        """The first running timer of this purpose fires."""
        self.timers.fire(purpose)
        return self.taken()

    def taken(self) -> tuple[list[Json], list[Json]]:
        """What was sent since the last step."""
        down, self._down = self._down, []
        up, self._up = self._up, []
        return down, up

    # -- beginnings

    def opened(self, offers: Json | None = None, **result: object) -> Self:
        """The session is open, and nothing is unanswered. The host has used the id 0, the bridge the id 1."""
        _, (asked,) = self.host(0, "server/discover")
        assert asked["method"] == "initialize"
        offered = OFFERS if offers is None else offers
        said = {"protocolVersion": "2025-11-25", "capabilities": offered, "serverInfo": SERVER_INFO, **result}
        self.answers(asked["id"], said)
        return self

    def calls(self, id_: object, name: str = "pay", **meta: object) -> int:
        """The host calls a tool, and the call is sent to the server; return its id there."""
        down, (asked,) = self.host(id_, "tools/call", {"name": name, "arguments": {"sum": 3}}, **meta)
        assert down == []
        assert asked["method"] == "tools/call"
        number: int = asked["id"]
        return number

    def retries(
        self, id_: object, state: str, responses: Json, name: str = "pay", **meta: object
    ) -> tuple[list[Json], list[Json]]:
        """The host calls the tool again, with answers."""
        params = {"name": name, "arguments": {"sum": 3}, "requestState": state, "inputResponses": responses}
        return self.host(id_, "tools/call", params, **meta)


def put(down: list[Json], id_: object) -> tuple[str, Json]:
    """The one message for the host asks something, as the answer to `id_`: the state, and what is asked by key."""
    (message,) = down
    assert message["id"] == id_
    result = message["result"]
    assert result["resultType"] == "input_required"
    return result["requestState"], result["inputRequests"]


def fault(down: list[Json], id_: object, code: int, kind: str = "") -> Json:
    """The one message for the host is an error to `id_`; returns it."""
    (message,) = down
    assert message["id"] == id_
    error: Json = message["error"]
    assert error["code"] == code, error
    if kind:
        assert (error["data"]["source"], error["data"]["kind"]) == ("mcp-remote-bridge", kind)
    return error
