"""A host, the bridge's parts and a server on paper, in any pair of eras. See `tests.session.playbook`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bridge.features.machine import FeatureMachine
from bridge.features.parts import FeatureContext, FeaturePart, FeatureParts
from bridge.session.commands import Command, FindResponse, KeepResponse, OpenStream, Post, Report
from bridge.session.events import ResponseFound
from bridge.session.response_cache import CachedResult
from bridge.session.upstream import Machine, RouterContext
from bridge.session.upstreams import InFront
from tests.session.modern_playbook import (
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN_VERSION,
    PairingPlaybook,
    body,
    discovered,
    initialized,
    said,
)
from tests.session.playbook import INITIALIZED, URL, error, request, result

Server = Callable[[str, dict[str, Any]], Any]
"""Gets a method and its params, and returns the result. Raises `LookupError` for an error."""

Make = Callable[[FeatureContext], Sequence[FeaturePart]]

PAIRS = [("legacy", "legacy"), ("modern", "modern"), ("legacy", "modern"), ("modern", "legacy")]
"""The eras of a host and a server."""


def no_parts(_: FeatureContext) -> Sequence[FeaturePart]:
    """What is made where only the machine itself is tried."""
    return ()


class FeaturePlaybook(PairingPlaybook):
    """`host_name` is what the host calls itself; `asked` is all that the server was sent, as decoded messages.

    `front` is what stands in front of the server, in place of the parts of `make`.
    """

    def __init__(
        self,
        server: Server,
        make: Make = no_parts,
        *,
        eras: tuple[str, str] = ("legacy", "legacy"),
        host_name: str = "host",
        merges_pages: bool | None = None,
        request_timeout: float | None = None,
        keeps_responses: bool = False,
        front: InFront | None = None,
        max_result: int | None = None,
    ) -> None:
        self.host_era, server_era = eras
        self._server = server
        self._host_name = host_name
        self._make = make
        self._merges_pages = merges_pages
        self._max_result = max_result
        self.parts: FeatureParts | None = None
        self.asked: list[dict[str, Any]] = []
        self.held: list[Post] = []
        self.holds = False
        self.kept_responses: dict[bytes, CachedResult] = {}
        super().__init__(
            frozenset({server_era}),
            is_fixed=True,
            in_front=front or self._in_front,
            request_timeout=request_timeout,
            keeps_responses=keeps_responses,
        )
        if self.host_era == "legacy":
            client = {"name": host_name, "version": "1"}
            params = {"protocolVersion": "2025-06-18", "clientInfo": client, "capabilities": {}}
            self.serve(self.host(request(0, "initialize", params)))
            self.serve(self.host(INITIALIZED))
            self.asked.clear()

    def _in_front(self, machine: Machine, context: RouterContext) -> Machine:
        if self.parts is None:
            about = FeatureContext(URL, lambda level, text: context.do(Report(level, text)))
            self.parts = FeatureParts(about, self._make, merges_pages=self._merges_pages, max_result=self._max_result)
        return FeatureMachine(machine, self.parts, context.fresh)

    def become(self, server: Server) -> None:
        """The server is another from now on."""
        self._server = server

    def line(self, id_: object, method: str, **params: object) -> bytes:
        """A request of the host, in its era."""
        if self.host_era == "modern":
            client = {"name": self._host_name, "version": "1"}
            params["_meta"] = {META_VERSION: MODERN_VERSION, META_CLIENT: client, META_CAPABILITIES: {}}
        return request(id_, method, params)

    def ask(self, id_: object, method: str, **params: object) -> dict[str, Any]:
        """What the host is told when it sends a request and the server answers all there is."""
        (answer,) = self.serve(self.host(self.line(id_, method, **params)))
        return answer

    def serve(self, commands: list[Command]) -> list[dict[str, Any]]:
        """Answer all that goes up, unless it `holds`; returns what the host was told."""
        told = [said(command) for command in self.told(commands)]
        for command in commands:
            if isinstance(command, OpenStream):
                told += self.serve(self.answers(command.exchange, status=405))
            elif isinstance(command, KeepResponse) and command.kept is not None:
                self.kept_responses[command.question.key] = msgspec.structs.replace(command.kept, received_at=self.now)
            elif isinstance(command, FindResponse):
                del self.lookups[command.exchange]
                kept = self.kept_responses.get(command.question.key)
                told += self.serve(self.on(ResponseFound(command.exchange, kept, self.now)))
            elif isinstance(command, Post) and self.holds:
                self.held.append(command)
            elif isinstance(command, Post):
                told += self.serve(self.answered(command))
        return told

    def answer_held(self) -> list[dict[str, Any]]:
        """Answer what was held, and hold nothing more; returns what the host was told."""
        self.holds = False
        held, self.held = self.held, []
        return [
            message for post in held if post.exchange in self.exchanges for message in self.serve(self.answered(post))
        ]

    def answered(self, post: Post) -> list[Command]:
        """What follows when the server answers one request."""
        message = body(post)
        self.asked.append(message)
        if "id" not in message:
            return self.answers(post.exchange, status=202)
        session_id = b"one" if message["method"] == "initialize" else None
        return self.answers(post.exchange, self._answer(message), session_id=session_id)

    def _answer(self, message: dict[str, Any]) -> bytes:
        method = message["method"]
        if method == "initialize":
            return result(message["id"], initialized())
        if method == "server/discover":
            return result(message["id"], discovered())
        try:
            if method == "subscriptions/listen":
                raise LookupError("This server tells no changes.")
            answer = self._server(method, message.get("params", {}))
        except LookupError as problem:
            return error(message["id"], str(problem))
        is_modern = META_VERSION in message.get("params", {}).get("_meta", {})
        return result(message["id"], {**answer, **({"resultType": "complete"} if is_modern else {})})

    def methods(self) -> list[str]:
        """The methods of all that the server was sent."""
        return [message["method"] for message in self.asked]


def tools(*names: str) -> dict[str, Any]:
    """A `tools/list` result of plain tools."""
    return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}


def names(answer: dict[str, Any]) -> list[str]:
    """The names in an answer to `tools/list`."""
    return [tool["name"] for tool in answer["result"]["tools"]]


def pages(*contents: Sequence[str]) -> Server:
    """A server with a list of tools in several pages; the cursors are page numbers."""

    def serve(method: str, params: dict[str, Any]) -> Any:
        assert method == "tools/list", method
        page = int(params.get("cursor", "0"))
        more = {"nextCursor": str(page + 1)} if page + 1 < len(contents) else {}
        return {**tools(*contents[page]), **more}

    return serve
