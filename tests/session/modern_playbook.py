"""A server that keeps no session, on paper; and any host with any server. See `playbook`."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import msgspec

from bridge.session.commands import Command, Headers, Post, SaveEras, SendToHost
from bridge.session.deadlines import UNLIMITED, LongCalls
from bridge.session.events import Event, SignInEnded, SignInStarted
from bridge.session.router import HostRouter
from bridge.session.session import Transport
from bridge.session.stateless import Stateless
from bridge.session.upstreams import InFront
from tests.session.playbook import URL, Machine, Playbook, notification, request

MODERN_VERSION = "2026-07-28"
META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CLIENT = "io.modelcontextprotocol/clientInfo"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
LEGACY = frozenset({"legacy"})
MODERN = frozenset({"modern"})
BOTH = LEGACY | MODERN
UNASKED = frozenset({"legacy", "unasked"})
"""Legacy; whether it is modern too, nobody has asked."""
PROBE = "probe"

HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022


def asked(id_: object, method: str = "tools/list", version: str = MODERN_VERSION, **params: object) -> bytes:
    """A modern request's line."""
    meta = {META_VERSION: version, META_CLIENT: {"name": "host", "version": "1"}, META_CAPABILITIES: {}}
    return request(id_, method, {**params, "_meta": meta})


def called(id_: object, tool: str = "pay", **arguments: object) -> bytes:
    """A modern call of a tool."""
    return asked(id_, "tools/call", name=tool, arguments=arguments)


def listening_to(id_: object, *uris: str) -> bytes:
    """A modern request for changes."""
    return asked(id_, "subscriptions/listen", notifications={"toolsListChanged": True, "resourceSubscriptions": uris})


def headers_for(method: str, name: str | None = None, version: str = MODERN_VERSION) -> Headers:
    """What a modern request carries in HTTP."""
    headers = ((b"mcp-protocol-version", version.encode()), (b"mcp-method", method.encode()))
    return headers if name is None else (*headers, (b"mcp-name", name.encode()))


def discovered(*versions: str) -> dict[str, Any]:
    """A `server/discover` result."""
    return {
        "resultType": "complete",
        "supportedVersions": versions or (MODERN_VERSION,),
        "capabilities": {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "logging": {}},
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "far", "version": "3"}},
    }


def initialized(version: str = "2025-06-18") -> dict[str, Any]:
    """An `initialize` result."""
    capabilities = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}
    return {
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": {"name": "old", "version": "1"},
    }


def refusal(id_: object, code: int, **data: object) -> bytes:
    """An error that a server sends, with data."""
    error = {"code": code, "message": "No.", "data": data}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id_, "error": error})


def acknowledged(id_: object, *uris: str) -> bytes:
    """The first message of a subscription."""
    agreed = {"toolsListChanged": True} | ({"resourceSubscriptions": uris} if uris else {})
    params = {"_meta": {META_SUBSCRIPTION: id_}, "notifications": agreed}
    return notification("notifications/subscriptions/acknowledged", params)


def changed(id_: object) -> bytes:
    """A change that a subscription tells of."""
    return notification("notifications/tools/list_changed", {"_meta": {META_SUBSCRIPTION: id_}})


def body(post: Post) -> dict[str, Any]:
    """What was posted."""
    decoded: dict[str, Any] = json.loads(post.body)
    return decoded


def said(command: Command) -> dict[str, Any]:
    """What the host was told."""
    assert isinstance(command, SendToHost), command
    decoded: dict[str, Any] = json.loads(command.line)
    return decoded


class ModernPlaybook(Playbook):
    """A host and a server that are both modern."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Stateless(URL, retry_window, request_timeout)

    def post(self, line: bytes) -> Post:
        """The host sends something that goes to the server as one message."""
        (post,) = self.posts(self.host(line))
        return post

    def signing_in(self, begins: bool) -> list[Command]:
        """A person is asked, or no more."""
        return self.on(SignInStarted() if begins else SignInEnded())

    def warnings(self) -> list[str]:
        """What the log was warned of."""
        return [report.text for report in self.reports if report.level == "warning"]

    def subscribed(self, id_: object = 1) -> int:
        """The host listens, and the server acknowledges that; the exchange."""
        post = self.post(listening_to(id_))
        assert self.starts(post.exchange) == []
        assert self.sends(post.exchange, acknowledged(id_)) == [SendToHost(acknowledged(id_))]
        return post.exchange

    def told_all(self, commands: list[Command]) -> list[dict[str, Any]]:
        """Everything the host was told."""
        return [said(command) for command in self.told(commands)]

    def waits_for(self, purpose: str) -> tuple[str, int]:
        """The one timer of this purpose."""
        (key,) = [key for key in self.timers if key[0] == purpose]
        return key


class PairingPlaybook(ModernPlaybook):
    """Any host with any server; `eras` as in `HostRouter`."""

    def __init__(
        self,
        eras: frozenset[str] = frozenset(),
        *,
        is_fixed: bool = False,
        transport: Transport = "http",
        retry_window: float = 30.0,
        request_timeout: float | None = None,
        keeps_responses: bool = False,
        in_front: InFront | None = None,
        long_calls: LongCalls = UNLIMITED,
    ) -> None:
        super().__init__(transport, retry_window, request_timeout)
        self.kept: list[frozenset[str]] = []
        numbers = count(1)
        self.session = self.router = HostRouter(
            URL,
            transport,
            retry_window,
            request_timeout,
            eras=eras,
            is_fixed=is_fixed,
            keeps_responses=keeps_responses,
            in_front=in_front,
            long_calls=long_calls,
            fresh=lambda: f"secret-{next(numbers)}",
            timestamp=lambda: "2026-10-10T10:10:10Z",
        )

    def on(self, event: Event) -> list[Command]:
        """Any event; `kept` has the verdicts to remember."""
        commands = super().on(event)
        self.kept += self.remembered(commands)
        return commands

    def opened_legacy(self, initialize: bytes) -> None:
        """A legacy host opens on a legacy server that offers no standing stream."""
        self.listening(None, initialize=initialize, starts=False)

    @staticmethod
    def remembered(commands: list[Command]) -> list[frozenset[str]]:
        """The verdicts to keep."""
        return [command.eras for command in commands if isinstance(command, SaveEras)]
