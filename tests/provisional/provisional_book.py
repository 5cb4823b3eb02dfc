"""A script of a host that is answered while the user has to sign in; every message to and from it is checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from itertools import count
from typing import Any

import msgspec

from bridge.protocol.jsonrpc import RequestId
from bridge.provisional.provisional_server import ProvisionalServer
from bridge.provisional.standby import Standby
from bridge.session.commands import Command, EndSession, OpenSignIn, OpenStream, Post
from bridge.session.events import (
    Cause,
    Event,
    ExchangeFailed,
    HostBatch,
    HostMessage,
    SignInEnded,
    SignInShown,
    SignInStarted,
)
from tests.session.modern_playbook import (
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    MODERN_VERSION,
    PairingPlaybook,
    acknowledged,
    body,
    discovered,
)
from tests.session.playbook import INITIALIZED, URL, error, request, result
from tests.support.revisions import Wire

LINK = "https://as.example/authorize?client_id=c&state=s"
LOGIN = "mcp-remote-bridge login https://mcp.example/mcp --profile work"
PROBLEM = "The user refused."
KINDS = ("tools", "prompts", "resources")
LIST_MEMBERS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
TOOL = {"name": "pay", "inputSchema": {"type": "object"}}


class Host:
    """What a host of one revision sends."""

    def __init__(self, revision: str, *, name: str = "host", capabilities: object = None) -> None:
        self.revision = revision
        self.is_modern = revision == MODERN_VERSION
        self.info = {"name": name, "version": "1"}
        self.capabilities = {} if capabilities is None else capabilities

    def asks(self, id_: object, method: str, **params: object) -> bytes:
        """A request."""
        if self.is_modern:
            meta = {META_VERSION: self.revision, META_CLIENT: self.info, META_CAPABILITIES: self.capabilities}
            given = params.pop("_meta", {})
            assert isinstance(given, dict)
            params = {**params, "_meta": {**meta, **given}}
        return request(id_, method, params or None)

    def introduces_itself(self, id_: object = 0) -> bytes:
        """`initialize` or `server/discover`."""
        if self.is_modern:
            return self.asks(id_, "server/discover")
        said = {"protocolVersion": self.revision, "clientInfo": self.info, "capabilities": self.capabilities}
        return request(id_, "initialize", said)

    def calls(self, id_: object, name: str = "sign_in", **params: object) -> bytes:
        """A tool's call."""
        return self.asks(id_, "tools/call", name=name, arguments={}, **params)


class Unfinished:
    """Stands for a router: it knows the requests without an answer. `busy`: there may be others."""

    def __init__(self, ids: Collection[RequestId] | None = None, *, busy: bool = True) -> None:
        self.ids = ids
        self.busy = busy

    def awaits(self, id_: RequestId) -> bool:
        """Whether this request has no answer yet."""
        return self.ids is None or id_ in self.ids


class ProvisionalPlaybook(PairingPlaybook):
    """`who` is the host; `heard` is everything it was told. The server speaks the host's era, or the one named.

    `answer_within`: None for a host that waits for the sign-in, however long it takes: `HostRouter` alone serves it.
    `started`: when the process started, in seconds from the beginning; by default that does not matter.

    `checks_host`, `checks_answers`: what the host sends, and what it is told, has to be valid.
    """

    def __init__(
        self,
        revision: str = "2025-06-18",
        *,
        name: str = "host",
        capabilities: object = None,
        answer_within: float | None = 8.0,
        server: str = "",
        started: float = math.inf,
    ) -> None:
        self.who = Host(revision, name=name, capabilities=capabilities)
        self.server_is_modern = server == "modern" if server else self.who.is_modern
        super().__init__(MODERN if self.server_is_modern else LEGACY, is_fixed=True)
        numbers = count(1)
        if answer_within is not None:
            self.session = self.provisional = Standby(
                self.router,
                lambda memory: ProvisionalServer(
                    self.router,
                    memory,
                    answer_within,
                    url=URL,
                    login_command=lambda: LOGIN,
                    fresh=lambda: f"unguessable-{next(numbers)}",
                ),
                self.now + started,
            )
        self.wire = Wire(revision)
        self.checks_host = self.checks_answers = True
        self.heard: list[dict[str, Any]] = []
        self.offered: tuple[str, ...] = KINDS
        self.version = "2025-11-25" if self.who.is_modern else revision
        self.tools: list[dict[str, Any]] = [TOOL]
        self.seen: list[str] = []
        self.link = LINK
        self._served: set[int] = set()

    # -- the host

    def on(self, event: Event) -> list[Command]:
        """Any event; what goes to the host is checked and kept."""
        if isinstance(event, HostMessage) and self.checks_host:
            self.wire.from_client(bytes(event.message.line))
        elif isinstance(event, HostBatch) and self.checks_host:
            for message in event.messages:
                self.wire.from_client(bytes(message.line))
        commands = super().on(event)
        for command in self.told(commands):
            if self.checks_answers:
                self.wire.from_server(bytes(command.line))
            self.heard.append(msgspec.json.decode(command.line))
        return commands

    def says(self, line: bytes) -> list[dict[str, Any]]:
        """The host sends a line; what it hears at once."""
        return self.told_all(self.host(line))

    def asks(self, id_: object, method: str, **params: object) -> list[dict[str, Any]]:
        """The host asks; what it hears at once."""
        return self.says(self.who.asks(id_, method, **params))

    def calls(self, id_: object, name: str = "sign_in", **params: object) -> list[dict[str, Any]]:
        """The host calls a tool; what it hears at once."""
        return self.says(self.who.calls(id_, name, **params))

    def calls_in_vain(self, id_: object, **params: Any) -> list[dict[str, Any]]:
        """The host calls `sign_in`, and the browser that is wished for cannot be opened; what the host hears."""
        commands = self.host(self.who.calls(id_, **params))
        told = self.told_all(commands)
        if self.wants_sign_in(commands):
            assert told == [], "the browser comes first"
            told = self.shows(self.link, is_open=False)
        return told

    def lists_tools(self, id_: object) -> list[dict[str, Any]]:
        """The host asks for the tools, and the server answers; what the host hears."""
        return self.asks(id_, "tools/list") + self.serve()

    def answer(self, id_: object) -> dict[str, Any]:
        """The one answer that the host had to a request."""
        (found,) = [said for said in self.heard if "method" not in said and said["id"] == id_]
        return found

    def text(self, id_: object) -> str:
        """What a tool's result says."""
        (content,) = self.answer(id_)["result"]["content"]
        text: str = content["text"]
        return text

    # -- the sign-in

    def needs_more(self) -> list[dict[str, Any]]:
        """A request needs more scopes than the token has, and the user is asked for them."""
        return self.told_all(self.on(SignInStarted(widens=True)))

    def has_more(self, problem: str = "") -> list[dict[str, Any]]:
        """They were granted, or not."""
        return self.told_all(self.on(SignInEnded(problem, widened=True)))

    def needs_sign_in(self) -> list[dict[str, Any]]:
        """The user is asked to sign in."""
        return self.told_all(self.on(SignInStarted()))

    def shows(
        self,
        url: str = LINK,
        user_code: str = "",
        *,
        is_open: bool = False,
        ends_in: float = 300.0,
        warnings: tuple[str, ...] = (),
    ) -> list[dict[str, Any]]:
        """It is known what the user has to do."""
        self.link = url
        return self.told_all(self.on(SignInShown(url, user_code, is_open, ends_in, warnings)))

    def waits(self) -> list[dict[str, Any]]:
        """The host has waited for long enough."""
        return self.told_all(self.fires("provisional"))

    def signed_in(self) -> list[dict[str, Any]]:
        """The user has signed in."""
        return self.told_all(self.on(SignInEnded()))

    def refused(self, problem: str = PROBLEM) -> list[dict[str, Any]]:
        """The sign-in failed, and so does everything that needed it."""
        told = self.told_all(self.on(SignInEnded(problem)))
        return told + self.no_token(problem)

    def no_token(self, problem: str = PROBLEM) -> list[dict[str, Any]]:
        """Whatever is under way fails for want of a token."""
        told = []
        for exchange in self.unserved():
            del self.exchanges[exchange]
            told += self.told_all(self.on(ExchangeFailed(exchange, Cause.UNAUTHORIZED, True, problem)))
        return told

    @staticmethod
    def wants_sign_in(commands: Iterable[Command]) -> int:
        """How often the bridge asks for a sign-in."""
        return sum(isinstance(command, OpenSignIn) for command in commands)

    # -- the server

    def serve(self) -> list[dict[str, Any]]:
        """Answer all there is; what the host hears."""
        told = []
        while waiting := self.unserved():
            told += self.told_all(self.answer_exchange(waiting[0]))
        return told

    def breaks(self, message: str = "Out of order.") -> list[dict[str, Any]]:
        """Answer all there is with an error; what the host hears."""
        told = []
        while waiting := self.unserved():
            asked = self.exchanges[waiting[0]]
            assert isinstance(asked, Post)
            told += self.told_all(self.answers(waiting[0], error(body(asked)["id"], message), status=500))
        return told

    def unserved(self) -> list[int]:
        """The exchanges that the server has not answered."""
        return [number for number in self.exchanges if number not in self._served]

    def answer_exchange(self, exchange: int) -> list[Command]:
        """The server answers one."""
        asked = self.exchanges[exchange]
        self._served.add(exchange)
        if isinstance(asked, OpenStream):
            return self.answers(exchange, status=405)
        if isinstance(asked, EndSession):
            return self.answers(exchange, status=200)
        sent = body(asked)
        method, id_ = str(sent.get("method")), sent.get("id")
        self.seen.append(method)
        if id_ is None:
            return self.answers(exchange, status=202)
        if method == "subscriptions/listen":
            ack = acknowledged(id_)
            return self.starts(exchange) + self.sends(exchange, ack)
        return self.answers(exchange, result(id_, self._result(method)))

    def _result(self, method: str) -> dict[str, Any]:
        capabilities = {kind: {"listChanged": True} for kind in self.offered}
        if method == "server/discover":
            return {**discovered(), "capabilities": capabilities}
        if method == "initialize":
            info = {"name": "far", "version": "3"}
            return {"protocolVersion": self.version, "capabilities": capabilities, "serverInfo": info}
        said: dict[str, Any] = {"content": []} if method == "tools/call" else {}
        if method == "resources/read":
            said = {"contents": []}
        if method in LIST_MEMBERS:
            said = {LIST_MEMBERS[method]: self.tools if method == "tools/list" else []}
        if self.server_is_modern:
            said |= {"resultType": "complete"}
            if method in LIST_MEMBERS or method == "resources/read":
                said |= {"ttlMs": 0, "cacheScope": "private"}
        return said

    # -- chapters

    def received(self, *, is_open: bool = True) -> ProvisionalPlaybook:
        """The host has opened, and the bridge has answered it after a while."""
        self.host(self.who.introduces_itself())
        self.needs_sign_in()
        self.shows(is_open=is_open)
        self.waits()
        if not self.who.is_modern:
            self.host(INITIALIZED)
        return self

    def in_session(self) -> ProvisionalPlaybook:
        """The host and the server know each other."""
        self.host(self.who.introduces_itself())
        self.serve()
        if not self.who.is_modern:
            self.host(INITIALIZED)
            self.serve()
        self.heard.clear()
        return self

    def posted(self, commands: Iterable[Command]) -> list[str]:
        """The methods that went up."""
        return [str(body(command).get("method")) for command in commands if isinstance(command, Post)]


def methods(told: Iterable[dict[str, Any]]) -> list[str]:
    """The notifications and requests among what the host heard."""
    return [said["method"] for said in told if "method" in said]


def changes(*kinds: str) -> list[str]:
    """The notifications of changed lists."""
    return [f"notifications/{kind}/list_changed" for kind in kinds]
