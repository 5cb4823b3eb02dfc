"""The connections to the server: kept for the next request, and opened ahead while calls are frequent.

Idle connections are a stack, for the one used last is the most likely to be alive. `reuse` says which may be used. A
request that finds none opens one, and takes whichever is free first: the new one, or one that another request returns.
A new connection that is not needed any more serves the next request or stays idle.

Servers close idle connections after a few seconds. So a connection is replaced before it is too old, and also after it
was closed, for as long as another call is likely:

| time between the last two calls | a connection is kept ready after the last call for |
|---|---|
| less than 1 s: they count as one | as long as before |
| up to 5 s, or there was only one call | 10 s |
| 5 to 30 s | twice that time |
| 30 to 60 s | 60 s |
| more than 60 s | 10 s |

`warm` counts as a call. Urgent requests (streams, notifications) do not count.

The number of requests with a connection is limited. A call beyond the limit waits in a queue for a place, at most
`_PLACE_SECONDS` (`NoFreeConnection`). Urgent requests, such as a cancellation, neither count nor wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

import h11

from bridge.remote.connecting import NotConnected, Route
from bridge.remote.http1 import HttpConnection
from bridge.remote.reuse import KEPT_UNANNOUNCED, kept_seconds

_MOST = 1000
_MANY = 100
_PLACE_SECONDS = 30.0
_AHEAD = 0.5
_TICK = 0.01
_APART = 1.0
_SHORTEST_WARMTH = 10.0
_LONGEST_WARMTH = 60.0


class NoFreeConnection(Exception):
    """The limit of requests without an answer was reached, and none ended while a call waited for a place."""


class Connections:
    """Lends connections of one route. `connect_timeout` is in seconds."""

    def __init__(self, route: Route, connect_timeout: float) -> None:
        self.route = route
        self._connect_timeout = connect_timeout
        self._idle: list[HttpConnection] = []
        self._trusted: set[HttpConnection] = set()
        self._opening: set[asyncio.Task[HttpConnection]] = set()
        self._waiting: deque[asyncio.Future[HttpConnection]] = deque()
        self._most = _MOST
        self._lent = 0
        self._places: deque[asyncio.Future[None]] = deque()
        self._wanted = 1
        self._called: float | None = None
        self._warmth = _SHORTEST_WARMTH
        self._is_resting = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    # -- lending

    async def take(self, *, urgent: bool) -> HttpConnection:
        """Lend a connection. Raises `NotConnected`; if it is not urgent and too many are lent, `NoFreeConnection`."""
        if not urgent:
            if self._lent >= self._most or self._places:
                await self._place()
            else:
                self._lent += 1
                if self._lent == _MANY:
                    from bridge.remote.descriptors import room_for_connections

                    self._most = min(_MOST, room_for_connections(_MOST))
            self._on_call()
        try:
            connection = await self._usable_one()
        except BaseException:
            if not urgent:
                self._leave()
            raise
        return connection

    def give_back(self, connection: HttpConnection, response: h11.Response | None, *, urgent: bool) -> None:
        """Take a connection back, and keep it if it can serve again. `response` is the last one on it."""
        if not urgent:
            self._leave()
        if response is not None and connection in self._trusted and connection.recycle():
            now = time.monotonic()
            connection.expires = now + kept_seconds(response)
            self._offer(connection, now)
            return
        self._close(connection)
        if response is not None and not urgent:
            self._refill()

    def drop_idle(self) -> None:
        """Close all idle connections now, and each lent one when it comes back.

        A connection that is being opened is opened anew if a request waits for it.
        """
        idle, self._idle = self._idle, []
        opening, self._opening = self._opening, set()
        self._trusted.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in idle:
            connection.abort()
        for task in opening:
            task.cancel()
        for _ in range(min(len(opening), len(self._waiting))):
            self._open()

    # -- opening ahead

    async def warm(self, count: int = 1) -> None:
        """Keep `count` connections ready until the first call, and one after it. Raises `NotConnected`.

        Returns when the first is ready. The others follow; their failures are not reported.
        """
        self._on_call()
        self._wanted = count
        self._refill()
        if not self._idle:
            self._offer_again(await self._next_one())

    def expect(self, opening: Coroutine[Any, Any, HttpConnection]) -> None:
        """Take over a connection that is being opened elsewhere."""
        self._track(asyncio.get_running_loop().create_task(opening))

    def rest(self) -> None:
        """Open no connection ahead any more: the run ends."""
        self._is_resting = True

    def _on_call(self) -> None:
        now = time.monotonic()
        if self._called is not None and (apart := now - self._called) >= _APART:
            is_rhythm = apart <= _LONGEST_WARMTH
            self._warmth = min(_LONGEST_WARMTH, max(_SHORTEST_WARMTH, 2 * apart)) if is_rhythm else _SHORTEST_WARMTH
        self._called = now
        self._wanted = 1

    def _refill(self) -> None:
        """Open the connections that should be ready, while calls are frequent."""
        now = time.monotonic()
        if self._is_resting or self._called is None or now >= self._called + self._warmth:
            return
        ready = sum(connection.expires - now > _AHEAD and connection.may_serve(now) for connection in self._idle)
        for _ in range(self._wanted - ready - len(self._opening) + len(self._waiting)):
            self._open()

    def _watch(self, connection: HttpConnection, now: float) -> None:
        """Replace an idle connection `_AHEAD` seconds before it expires, and close it when it does."""
        left = connection.expires - now
        due = connection.expires - _AHEAD if left > _AHEAD else connection.expires
        if self._timer is None or due < self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - now) + _TICK, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = time.monotonic()
        idle, self._idle = self._idle, []
        for connection in idle:
            if connection.may_serve(now):
                self._idle.append(connection)
                self._watch(connection, now)
            else:
                self._close(connection)
        self._refill()

    # -- one that comes back, or a new one

    async def _usable_one(self) -> HttpConnection:
        """An idle one or the next. On a Proactor loop, a used one is checked again after pending data has come in."""
        while True:
            connection = self._idle_one()
            if connection is None:
                connection = await self._next_one()
                if not connection.was_lent:
                    return connection
            if not connection.reads_ahead:
                return connection
            try:
                await connection.come_in()
            except asyncio.CancelledError:
                self._offer_again(connection)
                raise
            if connection in self._trusted and connection.may_serve(time.monotonic()):
                return connection
            self._close(connection)

    def _idle_one(self) -> HttpConnection | None:
        if self._idle:
            now = time.monotonic()
            while self._idle:
                connection = self._idle.pop()
                if connection.may_serve(now):
                    return connection
                self._close(connection)
        return None

    async def _next_one(self) -> HttpConnection:
        waiter: asyncio.Future[HttpConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if len(self._opening) < len(self._waiting):
            self._open()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._offer_again(waiter.result())
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _offer(self, connection: HttpConnection, now: float) -> None:
        """Give a connection to the oldest waiter, else keep it. It is checked when it is lent."""
        if not self._waiting:
            self._idle.append(connection)
            self._watch(connection, now)
        elif not connection.may_serve(now):
            self._close(connection)
        elif waiter := self._first_waiter():
            waiter.set_result(connection)
        else:
            self._offer(connection, now)

    def _offer_again(self, connection: HttpConnection) -> None:
        """Offer a connection that was lent for a moment; `drop_idle` may have been called meanwhile."""
        if connection in self._trusted:
            self._offer(connection, time.monotonic())
        else:
            self._close(connection)

    def _first_waiter(self, at_least: int = 1) -> asyncio.Future[HttpConnection] | None:
        """Remove and return the oldest waiter, if at least so many wait."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return self._waiting.popleft() if len(self._waiting) >= at_least else None

    def _open(self) -> None:
        self._track(asyncio.get_running_loop().create_task(self.route.connect(self._connect_timeout)))

    def _track(self, task: asyncio.Task[HttpConnection]) -> None:
        self._opening.add(task)
        task.add_done_callback(self._on_opened)

    def _on_opened(self, task: asyncio.Task[HttpConnection]) -> None:
        is_wanted = task in self._opening
        self._opening.discard(task)
        if not is_wanted:
            if not task.cancelled() and task.exception() is None:
                task.result().abort()
        elif task.cancelled():
            self._tell(NotConnected(ConnectionAbortedError("the connection attempt was abandoned"), at_proxy=False))
        elif problem := task.exception():
            self._tell(problem)
        else:
            connection = task.result()
            now = time.monotonic()
            connection.expires = now + KEPT_UNANNOUNCED
            self._trusted.add(connection)
            if waiter := self._first_waiter():
                waiter.set_result(connection)  # Even if the server has sent data already: that is its answer.
            else:
                self._offer(connection, now)

    def _tell(self, problem: BaseException) -> None:
        """A connection failed: tell the oldest waiter, unless another connection is being opened for it."""
        if waiter := self._first_waiter(at_least=len(self._opening) + 1):
            waiter.set_exception(problem)

    def _close(self, connection: HttpConnection) -> None:
        self._trusted.discard(connection)
        connection.abort()

    # -- places

    async def _place(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._places.append(place)
        try:
            async with asyncio.timeout(_PLACE_SECONDS):
                await place
        except TimeoutError as problem:
            if place.cancelled():
                raise NoFreeConnection(f"{self._lent} requests have no response yet") from problem
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()
            raise
        finally:
            if place in self._places:
                self._places.remove(place)

    def _leave(self) -> None:
        """Free a place, for the oldest waiter."""
        while self._places:
            place = self._places.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._lent -= 1
