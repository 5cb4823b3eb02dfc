"""The resources that a legacy server was asked to watch, counted over all who want them (MCP 2025-11-25, Resources).

| state | when somebody begins to want it | when the last wants it no more |
|---|---|---|
| (not in the table) | `resources/subscribe` | |
| joining: that is not answered | waits with the others | nothing, until it is answered |
| joined | told at once | `resources/unsubscribe` |
| leaving: that is not answered | subscribed again afterwards | |

So the server never has a `subscribe` and an `unsubscribe` of one resource before it that could overtake each other.
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
"""Called with the resource's URI, and whether the server watches it."""

_MOST_AT_ONCE = 16


class _Resource:
    __slots__ = ("state", "untold", "wanted_by")

    def __init__(self) -> None:
        self.state: Literal["joining", "joined", "leaving"] = "joining"
        self.wanted_by: set[RequestId] = set()
        self.untold: dict[RequestId, OnSettled] = {}


class ResourceSubscriptions:
    """The table of them. At most 16 requests are under way at once.

    `taken_back` is told, where a request never reached the server, who waited for any; nobody is called any more then.
    """

    def __init__(self, server: LegacyServer, taken_back: Callable[[set[RequestId]], list[Request]]) -> None:
        self._server = server
        self._on_taken_back = taken_back
        self._resources: dict[str, _Resource] = {}
        self._to_ask: deque[str] = deque()
        self._asked = 0
        self._is_asking = False

    def want(self, uri: str, who: RequestId, then: OnSettled) -> None:
        """`who` wants to hear of this resource; `then` is called once the server has answered."""
        resource = self._resources.get(uri)
        if resource is None:
            resource = self._resources[uri] = _Resource()
            self._to_ask.append(uri)
        resource.wanted_by.add(who)
        if resource.state == "joined":
            then(uri, True)
        else:
            resource.untold[who] = then
            self._ask()

    def unwant(self, uri: str, who: RequestId) -> None:
        """`who` does not want it any more, and is told nothing more of it."""
        resource = self._resources.get(uri)
        if resource is None:
            return
        resource.wanted_by.discard(who)
        resource.untold.pop(who, None)
        if resource.state == "joined" and not resource.wanted_by:
            self._leave(uri, resource)

    def _leave(self, uri: str, resource: _Resource) -> None:
        resource.state = "leaving"
        self._to_ask.append(uri)
        self._ask()

    def _ask(self) -> None:
        """Send what is due. An answer may come before `ask` returns, so this does not enter itself."""
        if self._is_asking:
            return
        self._is_asking = True
        while self._to_ask and self._asked < _MOST_AT_ONCE:
            uri = self._to_ask.popleft()
            resource = self._resources[uri]
            if resource.state == "joining" and not resource.wanted_by:
                del self._resources[uri]
            else:
                self._asked += 1
                joins = resource.state == "joining"
                method, then = (mcp.SUBSCRIBE, self._on_joined) if joins else (mcp.UNSUBSCRIBE, self._on_left)
                params = msgspec.json.encode({"uri": uri})
                self._server.ask(self._server.number(), method, params, partial(then, uri, resource), self._taken_back)
        self._is_asking = False

    def _on_joined(self, uri: str, resource: _Resource, response: Response) -> None:
        self._asked -= 1
        if response.is_error:
            self._resources.pop(uri, None)
            self._tell(uri, resource, watched=False)
        elif resource.wanted_by:
            self._joined(uri, resource)
        else:
            self._leave(uri, resource)
        self._ask()

    def _on_left(self, uri: str, resource: _Resource, _response: Response) -> None:
        self._asked -= 1
        if resource.wanted_by:
            resource.state = "joining"
            self._to_ask.append(uri)
        else:
            self._resources.pop(uri, None)
        self._ask()

    def _joined(self, uri: str, resource: _Resource) -> None:
        resource.state = "joined"
        self._tell(uri, resource, watched=True)

    def _tell(self, uri: str, resource: _Resource, *, watched: bool) -> None:
        untold, resource.untold = resource.untold, {}
        for then in untold.values():
            then(uri, watched)

    def _taken_back(self) -> list[Request]:
        waited = {who for resource in self._resources.values() for who in resource.untold}
        for resource in self._resources.values():
            resource.untold.clear()
            resource.wanted_by.clear()
        self._to_ask.clear()
        return self._on_taken_back(waited)
