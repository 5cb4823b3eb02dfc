"""A `Remote` that many exchanges use at once, and what came of each."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.credentials import CredentialSource
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.http1 import Header
from bridge.remote.proxy import Proxy
from bridge.session.events import (
    BodyReceived,
    Event,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from tests.support.waits import stretched

DEADLINE = 15.0
"""Seconds that one exchange may take, where a test says no other."""
CONNECT_TIMEOUT = 10.0
POST_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
)


@dataclass
class Called:
    """One exchange, as far as it is."""

    mark: str
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    started: ResponseStarted | None = None
    events: list[tuple[float, str]] = field(default_factory=list)
    """What the stream said, each with the seconds since the beginning."""
    last: BodyReceived | StreamClosed | ExchangeFailed | None = None

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def body(self) -> bytes:
        """The body of an answer that is whole; fails with what came instead."""
        assert isinstance(self.last, BodyReceived), self.told()
        return bytes(self.last.body)

    @property
    def status(self) -> int:
        """The status of an answer that is whole; fails with what came instead."""
        assert isinstance(self.last, BodyReceived), self.told()
        return self.last.status

    @property
    def failure(self) -> ExchangeFailed:
        """Why it failed; fails with what came instead."""
        assert isinstance(self.last, ExchangeFailed), self.told()
        return self.last

    @property
    def result(self) -> object:
        """The JSON of an answer with status 200."""
        assert self.status == 200, self.told()
        return json.loads(self.body)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a host would be told that the server may have run it or not."""
        return isinstance(self.last, ExchangeFailed) and self.last.sent

    def told(self) -> str:
        """What came, in short."""
        return f"{self.mark} after {self.seconds:.2f} s: {self.started}, {len(self.events)} events, {self.last!r}"[:900]


class Caller:
    """Calls one URL. `async with` lets go of its connections at the end."""

    _counted = itertools.count(1)

    def __init__(
        self,
        url: str,
        *,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
        authorization: CredentialSource | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        self.base = url
        self._calls: dict[int, Called] = {}
        self.connections = Connections(Route(origin_of(url), proxy, tls), stretched(CONNECT_TIMEOUT))
        self.remote = Remote(
            url,
            tuple(headers),
            self.connections,
            authorization=authorization,
            emit=self._take,
            clear=self._clear,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.connections.drop_idle()

    async def post(self, path: str, body: bytes = b"{}", *, deadline: float = DEADLINE) -> Called:
        """POST a body, and wait for the end."""
        return await self.run(b"POST", path, body, deadline=deadline)

    async def run(self, method: bytes, path: str, body: bytes | None, *, deadline: float = DEADLINE) -> Called:
        """Carry an exchange out; one that does not end in time is in `Called.told` as one without an end."""
        number, called = self.begin()
        headers = POST_HEADERS if body is not None else ((b"accept", b"text/event-stream"),)
        request = RemoteRequest(number, method, headers, body, f"{self.base}{path}?{called.mark}")
        try:
            async with asyncio.timeout(stretched(deadline)):
                await self.remote.run(request)
        except TimeoutError:
            raise AssertionError(f"no end within {deadline} s: {path} {called.told()}") from None
        finally:
            called.ended = time.monotonic()
        return called

    def begin(self) -> tuple[int, Called]:
        """The number of a new exchange, and what will come of it."""
        number = next(self._counted)
        called = self._calls[number] = Called(f"mark-{number}")
        return number, called

    def _take(self, event: Event) -> None:
        called = self._calls.get(getattr(event, "exchange", 0))
        if called is None:
            return
        if isinstance(event, ResponseStarted):
            called.started = event
        elif isinstance(event, EventReceived):
            called.events.append((time.monotonic() - called.began, (event.event.data or b"").decode()))
        elif isinstance(event, BodyReceived | StreamClosed | ExchangeFailed):
            called.last = event

    async def _clear(self) -> None:
        pass
