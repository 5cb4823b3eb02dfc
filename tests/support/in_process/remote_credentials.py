"""A `Remote` on real sockets whose credentials a test gives."""

from __future__ import annotations

import asyncio

from bridge.errors import BridgeError
from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.credentials import AuthRefusal, Credential
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.http1 import Header
from bridge.remote.proxy import Proxy
from bridge.session.events import Connected, Event
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched

ONE = Credential(1, b"Bearer one")


class Guard:
    """An authorization. Each refusal gets the next credential, or the error that `problem` is."""

    def __init__(self, credential: Credential | None = ONE) -> None:
        self.credential = credential
        self.refusals: list[AuthRefusal] = []
        self.taken: list[Credential] = []
        self.problem: BridgeError | None = None
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def ready(self) -> Credential | None:
        return self.credential

    async def obtain(self) -> Credential:
        await self.goes_on.wait()
        if self.problem:
            raise self.problem
        self.credential = Credential(9, b"Bearer waited-for")
        return self.credential

    def accepted(self, credential: Credential) -> None:
        self.taken.append(credential)

    async def refused(self, refusal: AuthRefusal) -> None:
        self.refusals.append(refusal)
        await self.goes_on.wait()
        if self.problem:
            raise self.problem
        self.credential = Credential(refusal.credential.serial + 1, b"Bearer next")


class RemoteHarness:
    """A remote whose credential is the guard's. `connected` counts how often a first connection was told."""

    def __init__(self, url: str, guard: Guard | None, *headers: Header, proxy: Proxy | None = None) -> None:
        self.events: list[Event] = []
        self.connected = 0
        self.connections = Connections(Route(origin_of(url), proxy, None), stretched(DEADLINE))
        self.remote = Remote(
            url,
            headers,
            self.connections,
            authorization=guard,
            emit=self._take,
            clear=self._clear,
        )

    async def run(self, method: bytes = b"POST", *, quiet: bool = False, tentative: bool = False) -> list[Event]:
        before = len(self.events)
        body = b"{}" if method == b"POST" else None
        await self.remote.run(RemoteRequest(1, method, (), body, quiet=quiet, tentative=tentative))
        return self.events[before:]

    def _take(self, event: Event) -> None:
        if isinstance(event, Connected):
            self.connected += 1
        else:
            self.events.append(event)

    async def _clear(self) -> None:
        pass
