"""The subscriptions of a modern host, from one session with a legacy server (MCP 2026-07-28, Subscriptions).

A legacy server announces changed lists without being asked, and a changed resource after `resources/subscribe`. So
`subscriptions/listen` is acknowledged when the server has answered for each resource; notifications before that wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Notification, Request, RequestId
from bridge.protocol.writing import Json, members
from bridge.translate.downgrade.legacy_server import LegacyServer
from bridge.translate.downgrade.resource_subscriptions import ResourceSubscriptions
from bridge.translate.pending import PendingRequests
from bridge.translate.request_meta import ModernRequest
from bridge.translate.translator import TranslatorPort, TranslatorRefusal

_MAX_LISTENS = 1000
_MAX_RESOURCES = 10_000
_MAX_PARENTS = 64

CHANGES = frozenset((*mcp.LIST_CHANGES, mcp.RESOURCES_UPDATED))
"""The notifications that a subscription can bring."""


class ListenFilter(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What `subscriptions/listen` asks for (MCP 2026-07-28, Subscriptions, Notification Filter)."""

    tools_list_changed: bool = False
    prompts_list_changed: bool = False
    resources_list_changed: bool = False
    resource_subscriptions: list[str] = []


class OpenListen:
    """One subscription. `kinds` are the lists that it includes, by their member of the filter.

    `early` are the notifications that came before it was acknowledged, by method and resource.
    """

    __slots__ = ("early", "is_acknowledged", "kinds", "request", "resources", "unanswered")

    def __init__(self, request: Request, kinds: frozenset[str], resources: dict[str, None]) -> None:
        self.request = request
        self.kinds = kinds
        self.resources = resources
        self.unanswered = len(resources)
        self.is_acknowledged = False
        self.early: dict[tuple[str, str], Notification] = {}

    def wants(self, method: str, uri: str) -> str | None:
        """The resource, or "" for a list, for which it includes this notification; None where it does not."""
        if method != mcp.RESOURCES_UPDATED:
            return "" if mcp.LIST_CHANGES[method][1] in self.kinds else None
        return next((wanted for wanted in _resources_meant(uri) if wanted in self.resources), None)


class ListenSubscriptions:
    """The open subscriptions."""

    def __init__(self, port: TranslatorPort, waiting: PendingRequests, server: LegacyServer) -> None:
        self._port = port
        self._waiting = waiting
        self._server = server
        self._subscribed = ResourceSubscriptions(server, self._rerouted)
        self._open: dict[RequestId, OpenListen] = {}
        self._resources = 0

    @property
    def is_empty(self) -> bool:
        """Whether no subscription is open."""
        return not self._open

    def open(self, asked: ModernRequest) -> None:
        """The host sent `subscriptions/listen`."""
        request = asked.request
        try:
            wanted = msgspec.json.decode(asked.params.get("notifications", Raw()), type=ListenFilter)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = f"{mcp.LISTEN} needs notifications, an object that lists the wanted kinds of notification."
            self._waiting.refuse(request, TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_REQUEST, message))
            return
        listen = OpenListen(request, self._granted(wanted), self._subscribable(wanted))
        self._resources += len(listen.resources)
        if len(self._open) >= _MAX_LISTENS or self._resources > _MAX_RESOURCES:
            self._resources -= len(listen.resources)
            message = f"At most {_MAX_LISTENS} subscriptions can be open, to {_MAX_RESOURCES} resources in all."
            self._waiting.refuse(request, TranslatorRefusal(SERVER_ERROR, ErrorKind.TOO_MANY, message))
            return
        self._open[request.id] = listen
        self._waiting.enter(request, partial(self._cancelled, listen))
        if not listen.resources:
            self._acknowledge(listen)
        for uri in list(listen.resources):
            self._subscribed.want(uri, request.id, partial(self._settled, listen))

    def changed(self, message: Notification) -> None:
        """The server announced a change (`CHANGES`): send it for each subscription that includes it."""
        uri = messages.resource_uri(message.params)
        for listen in self._open.values():
            wanted = listen.wants(message.method, uri)
            if wanted is None:
                continue
            if listen.is_acknowledged:
                self._port.down(_with_subscription_id(listen, message.method, message.params))
            else:
                listen.early[message.method, wanted] = message

    def close(self) -> None:
        """The run ends: end each subscription gracefully (MCP 2026-07-28, Subscriptions, Graceful Closure)."""
        for listen in list(self._open.values()):
            self._waiting.line(listen.request, writing.listen_ended(listen.request.raw_id).line)
        self._open.clear()

    def _granted(self, wanted: ListenFilter) -> frozenset[str]:
        """The lists, by their member of the filter, that were asked for and whose changes this server announces."""
        asked = msgspec.to_builtins(wanted)
        return frozenset(
            member
            for capability, member in mcp.LIST_CHANGES.values()
            if asked.get(member) and self._server.offers(capability, "listChanged")
        )

    def _subscribable(self, wanted: ListenFilter) -> dict[str, None]:
        can_subscribe = self._server.offers("resources", "subscribe")
        return dict.fromkeys(wanted.resource_subscriptions) if can_subscribe else {}

    def _settled(self, listen: OpenListen, uri: str, subscribed: bool) -> None:
        if self._open.get(listen.request.id) is not listen:
            return  # It has ended.
        if not subscribed:
            del listen.resources[uri]
            self._resources -= 1
        listen.unanswered -= 1
        if not listen.unanswered:
            self._acknowledge(listen)

    def _acknowledge(self, listen: OpenListen) -> None:
        """Send what is granted, the first message of a subscription (MCP 2026-07-28, Subscriptions, Acknowledgment)."""
        listen.is_acknowledged = True
        granted: dict[str, object] = dict.fromkeys(sorted(listen.kinds), True)
        if listen.resources:
            granted["resourceSubscriptions"] = list(listen.resources)
        params = Raw(msgspec.json.encode({"notifications": granted}))
        self._port.down(_with_subscription_id(listen, mcp.ACKNOWLEDGED, params))
        early, listen.early = listen.early, {}
        for (method, wanted), message in early.items():
            if method != mcp.RESOURCES_UPDATED or wanted in listen.resources:
                self._port.down(_with_subscription_id(listen, method, message.params))

    def _cancelled(self, listen: OpenListen, _reason: Json) -> None:
        del self._open[listen.request.id]
        self._resources -= len(listen.resources)
        for uri in listen.resources:
            self._subscribed.unwant(uri, listen.request.id)
        self._port.down(writing.listen_ended(listen.request.raw_id).line)

    def _rerouted(self, waiting: set[RequestId]) -> list[Request]:
        """The server never accepted a request: forget these subscriptions, and all that were made for them."""
        self._subscribed = ResourceSubscriptions(self._server, self._rerouted)
        listens = [self._open.pop(who) for who in waiting if who in self._open]
        self._resources -= sum(len(listen.resources) for listen in listens)
        return [listen.request for listen in listens]


def _with_subscription_id(listen: OpenListen, method: str, params: Raw) -> bytes:
    """A notification with the id of the subscription that it belongs to."""
    said = members(params)
    meta = {**members(said.get("_meta", Raw())), mcp.META_SUBSCRIPTION: Raw(listen.request.raw_id)}
    tagged = {**said, "_meta": Raw(msgspec.json.encode(meta))}
    return bytes(writing.notification(method, msgspec.json.encode(tagged)).line)


def _resources_meant(uri: str) -> Iterator[str]:
    """The resource and its parents: a server may announce a sub-resource (MCP 2025-11-25, ResourceUpdated)."""
    yield uri
    for _ in range(_MAX_PARENTS):
        uri, slash, _part = uri.rpartition("/")
        if not slash:
            return
        yield uri + "/"
        yield uri
