"""A legacy host and a modern server without IO, with `Upgrade` between them.

A step returns what it caused, in order: messages as dictionaries, marked with where they go. Unless `is_strict` is
False, what the server gets must be valid in 2026-07-28, and what the host gets in its revision, by the reference
models.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import mcp_types._v2025_11_25 as v2025
import msgspec
from mcp_types import methods
from pydantic import BaseModel

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId, Response
from bridge.translate.translator import TranslatorRefusal
from bridge.translate.upgrade.upgrade import Upgrade
from tests.translate.paper_timers import PaperTimer, PaperTimers

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
FULL_HOST: dict[str, Any] = {
    "roots": {"listChanged": True},
    "sampling": {"tools": {}, "context": {}},
    "elicitation": {"form": {}, "url": {}},
}
FULL_SERVER: dict[str, Any] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "logging": {},
    "completions": {},
}
TASKS = "io.modelcontextprotocol/tasks"
TASK_SERVER: dict[str, Any] = {**FULL_SERVER, "extensions": {TASKS: {}}}
RELATED = "io.modelcontextprotocol/related-task"
META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CLIENT = "io.modelcontextprotocol/clientInfo"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_LEVEL = "io.modelcontextprotocol/logLevel"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
META_SERVER = "io.modelcontextprotocol/serverInfo"

AS_A_TASK = "tools/call as a task"
_TASK_RESULTS: dict[str, type[BaseModel]] = {
    AS_A_TASK: v2025.CreateTaskResult,
    "tasks/get": v2025.GetTaskResult,
    "tasks/cancel": v2025.CancelTaskResult,
    "tasks/result": v2025.CallToolResult,
}


class Sent(msgspec.Struct):
    """One message, to the server (`up`) or to the host (`down`)."""

    way: Literal["up", "down"]
    line: bytes
    body: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def get(self, name: str) -> Any:
        return self.body.get(name)

    @property
    def meta(self) -> dict[str, Any]:
        """The `_meta` of its params."""
        meta: dict[str, Any] = self.body["params"]["_meta"]
        return meta

    @property
    def error(self) -> dict[str, Any]:
        """Its error, with the members of its data that are not the same in every error of the bridge's."""
        error: dict[str, Any] = self.body["error"]
        return error


def line(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def discovered(capabilities: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A `server/discover` result."""
    return {
        "resultType": "complete",
        "supportedVersions": [MODERN],
        "capabilities": capabilities,
        "_meta": {META_SERVER: {"name": "far", "version": "3"}},
        "ttlMs": 0,
        "cacheScope": "private",
        **more,
    }


def result_line(id_: object, text: str) -> bytes:
    """A response whose result is this JSON, byte for byte."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json.dumps(id_).encode(), text.encode())


class Book:
    """the port, the clock, and both ends."""

    def __init__(self, *, is_strict: bool = True) -> None:
        self.now = 1000.0
        self.keep_alive: float | None = None
        self.timers = PaperTimers()
        self.reports: list[tuple[str, str]] = []
        self.methods: dict[RequestId, str] = {}
        self.version = LEGACY
        self.runs_tasks = False
        self._is_strict = is_strict
        self._sent: list[Sent] = []
        self._fresh = 0
        self.upgrade = Upgrade(self, "mcp.example")

    def waits(self) -> bool:
        """Whether the host waits for an answer, and the server has no request that brings it."""
        return self.upgrade.is_waiting

    # -- the port

    def up(self, message: Message) -> None:
        parsed = jsonrpc.parse(message.line)
        assert type(parsed) is type(message)
        sent = self._note("up", message.line)
        if self._is_strict:
            assert bytes(getattr(parsed, "params", b"")) == bytes(getattr(message, "params", b""))
            if isinstance(message, Request) and (message.method, MODERN) in methods.CLIENT_REQUESTS:
                methods.validate_client_request(message.method, MODERN, sent.get("params"))
                extensions = sent.meta[META_CAPABILITIES].get("extensions", {})
                assert (TASKS in extensions) == self.runs_tasks or message.method == "server/discover"
            elif isinstance(message, Request) and message.method.startswith("tasks/"):
                self._check_about_task(sent)
            elif not isinstance(message, Request):
                assert sent["method"] == "notifications/cancelled", sent

    def down(self, line: Octets) -> None:
        sent = self._note("down", line)
        if not self._is_strict:
            return
        if "method" in sent.body:
            surface = methods.SERVER_REQUESTS if "id" in sent.body else methods.SERVER_NOTIFICATIONS
            surface[(sent["method"], self.version)].model_validate(sent.body, by_name=False)
        elif "result" in sent.body and (self.methods.get(sent["id"], ""), self.version) in methods.SERVER_RESULTS:
            methods.validate_server_result(self.methods[sent["id"]], self.version, sent["result"])
            assert not {"resultType", "ttlMs", "cacheScope"} & set(sent["result"])

        elif "result" in sent.body and (shape := _TASK_RESULTS.get(self.methods.get(sent["id"], ""))):
            shape.model_validate_json(json.dumps(sent["result"]), strict=True, by_name=False)
            assert not {"resultType", "ttlMs", "pollIntervalMs", "cacheScope"} & set(sent["result"])
            assert (RELATED in sent["result"].get("_meta", {})) == (self.methods[sent["id"]] == "tasks/result")

    def _check_about_task(self, sent: Sent) -> None:
        """SEP-2663: what stands in a request about a task."""
        wanted = {"tasks/get": set(), "tasks/cancel": set(), "tasks/update": {"inputResponses"}}[sent["method"]]
        assert sent["params"].keys() == {"taskId", "_meta", *wanted}
        assert isinstance(sent["params"]["taskId"], str)
        assert sent.meta[META_VERSION] == MODERN
        assert sent.meta[META_CAPABILITIES]["extensions"][TASKS] == {}

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        self._note(
            "down",
            jsonrpc.error_line(request.raw_id, refusal.code, refusal.message, {**refusal.data, "kind": refusal.kind}),
        )

    def timer(self, purpose: str, fired: Callable[[], None]) -> PaperTimer:
        return self.timers.new(purpose, fired)

    def timestamp(self) -> str:
        return "2026-10-10T10:10:10Z"

    def fresh(self) -> str:
        self._fresh += 1
        return f"fresh-{self._fresh}"

    def report(self, level: str, text: str) -> None:
        self.reports.append((level, text))

    # -- steps

    def host(self, text: bytes) -> list[Sent]:
        """The host sends a line."""
        message = jsonrpc.parse(text)
        if isinstance(message, Request):
            is_task = self.runs_tasks and self.version == LEGACY and isinstance(json.loads(text).get("params"), dict)
            is_task = is_task and message.method == "tools/call" and "task" in json.loads(text)["params"]
            self.methods[message.id] = AS_A_TASK if is_task else message.method
        self.upgrade.from_host(message)
        return self.take()

    def server(self, text: bytes, about: RequestId | None = None) -> list[Sent]:
        """The server sends a line, in the answer to the request `about` if it is no answer."""
        message = jsonrpc.parse(text)
        self.upgrade.from_server(message, message.id if isinstance(message, Response) else about)
        return self.take()

    def fires(self, purpose: str, number: int | None = None) -> list[Sent]:
        """The first running timer of this purpose, and number if one is given, fires."""
        self.now += self.timers.seconds_of(purpose, number)
        self.timers.fire(purpose, number)
        return self.take()

    def closes(self) -> list[Sent]:
        self.upgrade.close()
        return self.take()

    def take(self) -> list[Sent]:
        """What was sent since the last step."""
        sent, self._sent = self._sent, []
        return sent

    def _note(self, way: Literal["up", "down"], text: Octets) -> Sent:
        sent = Sent(way, bytes(text), json.loads(text))
        self._sent.append(sent)
        return sent

    # -- steps in short

    def asks(self, id_: object, method: str, params: object = None) -> list[Sent]:
        """The host sends a request."""
        return self.host(line(id=id_, method=method) if params is None else line(id=id_, method=method, params=params))

    def goes_up(self, id_: object, method: str, params: object = None) -> Sent:
        """The same, where the only effect is one request to the server."""
        return self.goes_up_first(id_, method, params, method)

    def goes_up_first(self, id_: object, method: str, params: object, first: str) -> Sent:
        """The same, where that request is of another method."""
        (sent,) = self.asks(id_, method, params)
        assert sent.way == "up", sent
        assert sent["method"] == first
        return sent

    def says(self, method: str, params: object = None) -> list[Sent]:
        """The host sends a notification."""
        return self.host(line(method=method) if params is None else line(method=method, params=params))

    def answers(self, id_: object, result: object) -> list[Sent]:
        """The server answers the request that it knows by this id."""
        return self.server(line(id=id_, result=result))

    def fails(self, id_: object, code: int = -32603, message: str = "no", **error: object) -> list[Sent]:
        """The server answers with an error."""
        return self.server(line(id=id_, error={"code": code, "message": message, **error}))

    def replies(self, id_: object, result: object) -> list[Sent]:
        """The host answers a request."""
        return self.host(line(id=id_, result=result))

    def opened(
        self,
        host: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        version: str = LEGACY,
        *,
        ready: bool = False,
    ) -> Book:
        """The host has opened its session; `ready`: and said so."""
        self.version = version
        params = {
            "protocolVersion": version,
            "capabilities": FULL_HOST if host is None else host,
            "clientInfo": {"name": "near", "version": "1"},
        }
        (discover,) = self.asks("open", "initialize", params)
        (answer,) = self.answers(discover["id"], discovered(FULL_SERVER if server is None else server))
        assert answer["id"] == "open"
        assert "result" in answer.body
        self.runs_tasks = server is not None and TASKS in server.get("extensions", {})
        if ready:
            self.says("notifications/initialized")
            self.take()
        return self
