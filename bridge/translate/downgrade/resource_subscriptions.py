"""One `resources/subscribe` for all subscriptions to the same resource (MCP 2025-11-25, Resources, Subscriptions).

| state | the first subscription begins | the last subscription ends |
|---|---|---|
| not in the table | send `resources/subscribe` | |
| `subscribing`: without an answer | wait with the others | do nothing until the answer |
| `resource_subscriptions` | report success at once | send `resources/unsubscribe` |
| `unsubscribing`: without an answer | subscribe again after the answer | |

So the server never has both requests for one resource at the same time, in which one could overtake the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.translate.downgrade.legacy_server import LegacyServer

OnSettled = Callable[[str, bool], None]
"""Called with the resource's URI, and whether the server accepted the subscription."""

_MAX_AT_ONCE = 16


class _Resource:
    __slots__ = ("state", "unsettled", "wanted_by")

    def __init__(self) -> None:
        self.state: Literal["subscribing", "subscribed", "unsubscribing"] = "subscribing"
        self.wanted_by: set[RequestId] = set()
        self.unsettled: dict[RequestId, OnSettled] = {}


class ResourceSubscriptions:
    """A table by URI. At most 16 requests are without an answer at once.

    `rerouted(waiting)` is called when the server never accepted a request, with all who wait; `then` is not called.
    """

    def __init__(self, server: LegacyServer, rerouted: Callable[[set[RequestId]], list[Request]]) -> None:
        self._server = server
        self._on_rerouted = rerouted
        self._resources: dict[str, _Resource] = {}
        self._to_ask: deque[str] = deque()
        self._asked = 0
        self._is_asking = False

    def want(self, uri: str, who: RequestId, then: OnSettled) -> None:
        """Subscribe `who` to this resource; `then` is called once the server has answered."""
        resource = self._resources.get(uri)
        if resource is None:
            resource = self._resources[uri] = _Resource()
            self._to_ask.append(uri)
        resource.wanted_by.add(who)
        if resource.state == "subscribed":
            then(uri, True)
        else:
            resource.unsettled[who] = then
            self._ask()

    def unwant(self, uri: str, who: RequestId) -> None:
        """End the subscription of `who`; its `then` is not called any more."""
        resource = self._resources.get(uri)
        if resource is None:
            return
        resource.wanted_by.discard(who)
        resource.unsettled.pop(who, None)
        if resource.state == "subscribed" and not resource.wanted_by:
            self._unsubscribe(uri, resource)

    def _unsubscribe(self, uri: str, resource: _Resource) -> None:
        resource.state = "unsubscribing"
        self._to_ask.append(uri)
        self._ask()

    def _ask(self) -> None:
        """Send the next requests. An answer may come before `ask` returns, so this does not call itself."""
        if self._is_asking:
            return
        self._is_asking = True
        while self._to_ask and self._asked < _MAX_AT_ONCE:
            uri = self._to_ask.popleft()
            resource = self._resources[uri]
            if resource.state == "subscribing" and not resource.wanted_by:
                del self._resources[uri]
            else:
                self._asked += 1
                subscribes = resource.state == "subscribing"
                method, then = (
                    (mcp.SUBSCRIBE, self._on_subscribed) if subscribes else (mcp.UNSUBSCRIBE, self._on_unsubscribed)
                )
                params = msgspec.json.encode({"uri": uri})
                self._server.ask(self._server.number(), method, params, partial(then, uri, resource), self._rerouted)
        self._is_asking = False

    def _on_subscribed(self, uri: str, resource: _Resource, response: Response) -> None:
        self._asked -= 1
        if response.is_error:
            self._resources.pop(uri, None)
            self._tell(uri, resource, subscribed=False)
        elif resource.wanted_by:
            self._set_subscribed(uri, resource)
        else:
            self._unsubscribe(uri, resource)
        self._ask()

    def _on_unsubscribed(self, uri: str, resource: _Resource, _response: Response) -> None:
        self._asked -= 1
        if resource.wanted_by:
            resource.state = "subscribing"
            self._to_ask.append(uri)
        else:
            self._resources.pop(uri, None)
        self._ask()

    def _set_subscribed(self, uri: str, resource: _Resource) -> None:
        resource.state = "subscribed"
        self._tell(uri, resource, subscribed=True)

    def _tell(self, uri: str, resource: _Resource, *, subscribed: bool) -> None:
        unsettled, resource.unsettled = resource.unsettled, {}
        for then in unsettled.values():
            then(uri, subscribed)

    def _rerouted(self) -> list[Request]:
        waiting = {who for resource in self._resources.values() for who in resource.unsettled}
        for resource in self._resources.values():
            resource.unsettled.clear()
            resource.wanted_by.clear()
        self._to_ask.clear()
        return self._on_rerouted(waiting)
