"""A `Remote` on real sockets, whose events a test reads."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.http1 import Header
from bridge.remote.lookups import Lookups
from bridge.remote.proxy import Proxy
from bridge.session.events import Connected, Event
from tests.support.servers.raw_server import DEADLINE

E = TypeVar("E")


class Exchanging:
    """Carries exchanges out against `url`. `events` are those of all exchanges; `cleared` counts pauses,
    `connected` how often a first connection was told."""

    def __init__(
        self,
        url: str,
        *headers: Header,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
        connect_timeout: float = DEADLINE,
        lookups: Lookups | None = None,
        choose: Callable[[], Proxy | None] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.connected = 0
        self.cleared = 0
        self.connections = Connections(Route(origin_of(url), proxy, tls, lookups, choose=choose), connect_timeout)
        self.remote = Remote(
            url,
            headers,
            self.connections,
            emit=self._take,
            clear=self._clear,
        )

    async def post(self, body: bytes = b"{}", *headers: Header, url: str | None = None) -> list[Event]:
        """POST a body and return the events of that exchange."""
        return await self.run(RemoteRequest(1, b"POST", headers, body, url))

    async def run(self, request: RemoteRequest) -> list[Event]:
        """Carry one exchange out and return its events. Connections stay open for the next one."""
        before = len(self.events)
        await self.remote.run(request)
        return self.events[before:]

    def close(self) -> None:
        """Let go of idle connections."""
        self.connections.drop_idle()

    def _take(self, event: Event) -> None:
        if isinstance(event, Connected):
            self.connected += 1
        else:
            self.events.append(event)

    async def _clear(self) -> None:
        self.cleared += 1


def only(kind: type[E], events: list[Event]) -> E:
    """The last event, which must be of that kind, and the only one of it."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, events
    assert events[-1] is found[0], events
    return found[0]
