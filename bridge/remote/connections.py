"""Connections to the one server, kept for the next request, and opened ahead while calls are frequent.

A stack of idle connections costs nothing however many requests are in flight, and the one used last is the likeliest to
be alive. Which may be used at all says `reuse`. Whoever finds none has one opened, and takes what comes first: that one
or one that comes back. What was opened and is not needed any more serves the next, or stays idle.

Servers close idle connections after a few seconds, so a connection is replaced before it is too old to be used, and one
that ended is replaced too, for as long as the next call is likely:

| the last two calls were apart | a connection is kept ready, from the last call on, for |
|---|---|
| less than a second: they belong together | as before |
| up to 5 s; or there were no two | 10 s |
| 5 to 30 s | twice as long |
| 30 to 60 s | 60 s |
| more than 60 s | 10 s |

`warm` counts as a call. Requests that are urgent (streams, notifications) do not count.

Requests that hold a connection have a limit; beyond it a call waits in a queue for `_PLACE_SECONDS`
(`NoFreeConnection`). Urgent ones, a cancellation among them, neither count nor wait.
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
    """As many requests as there may be are without an answer; none ended in the time that a call waits for a place."""


class Connections:
    """Lends connections that lead one way. `connect_timeout` in seconds."""

    def __init__(self, way: Route, connect_timeout: float) -> None:
        self.way = way
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
        """Lend a connection. Raises `NotConnected`, or `NoFreeConnection` where too many are lent and it can wait."""
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
            connection = await self._fit_one()
        except BaseException:
            if not urgent:
                self._leave()
            raise
        return connection

    def give_back(self, connection: HttpConnection, response: h11.Response | None, *, urgent: bool) -> None:
        """Take a connection back, to lend it again if it can still serve; `response` is the last it carried."""
        if not urgent:
            self._leave()
        if response is not None and connection in self._trusted and connection.recycle():
            now = time.monotonic()
            connection.expires = now + kept_seconds(response)
            self._offer(connection, now)
            return
        self._let_go(connection)
        if response is not None and not urgent:
            self._refill()

    def drop_idle(self) -> None:
        """Trust no connection made before now: close the idle ones, and the lent ones once they come back.

        One that is being opened is opened anew where somebody waits for it.
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
        """Have `count` connections ready until the first call, and one from then on. Raises `NotConnected`.

        Comes back when the first is ready; the others follow, and where they fail nobody is told.
        """
        self._on_call()
        self._wanted = count
        self._refill()
        if not self._idle:
            self._offer_again(await self._next_one())

    def expect(self, opening: Coroutine[Any, Any, HttpConnection]) -> None:
        """Take over a connection that is being opened elsewhere, as if it were opened here."""
        self._track(asyncio.get_running_loop().create_task(opening))

    def rest(self) -> None:
        """Open nothing ahead any more, for the run ends."""
        self._is_resting = True

    def _on_call(self) -> None:
        now = time.monotonic()
        if self._called is not None and (apart := now - self._called) >= _APART:
            is_rhythm = apart <= _LONGEST_WARMTH
            self._warmth = min(_LONGEST_WARMTH, max(_SHORTEST_WARMTH, 2 * apart)) if is_rhythm else _SHORTEST_WARMTH
        self._called = now
        self._wanted = 1

    def _refill(self) -> None:
        """Open what should be ready and is not, while calls are frequent."""
        now = time.monotonic()
        if self._is_resting or self._called is None or now >= self._called + self._warmth:
            return
        ready = sum(connection.expires - now > _AHEAD and connection.may_serve(now) for connection in self._idle)
        for _ in range(self._wanted - ready - len(self._opening) + len(self._waiting)):
            self._open()

    def _watch(self, connection: HttpConnection, now: float) -> None:
        """See to it that an idle connection is replaced `_AHEAD` of its end, and let go at its end."""
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
                self._let_go(connection)
        self._refill()

    # -- one that comes back, or a new one

    async def _fit_one(self) -> HttpConnection:
        """An idle one, or the next; on a Proactor one that was used is looked at once more, when all has come in."""
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
            self._let_go(connection)

    def _idle_one(self) -> HttpConnection | None:
        if self._idle:
            now = time.monotonic()
            while self._idle:
                connection = self._idle.pop()
                if connection.may_serve(now):
                    return connection
                self._let_go(connection)
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
        """Give a connection to who waits longest, else keep it. Whether it may be used is asked when it is lent."""
        if not self._waiting:
            self._idle.append(connection)
            self._watch(connection, now)
        elif not connection.may_serve(now):
            self._let_go(connection)
        elif waiter := self._first_waiter():
            waiter.set_result(connection)
        else:
            self._offer(connection, now)

    def _offer_again(self, connection: HttpConnection) -> None:
        """Offer one that was lent for a moment; `drop_idle` may have come in between."""
        if connection in self._trusted:
            self._offer(connection, time.monotonic())
        else:
            self._let_go(connection)

    def _first_waiter(self, at_least: int = 1) -> asyncio.Future[HttpConnection] | None:
        """Who waits longest, taken off the queue, where so many wait."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return self._waiting.popleft() if len(self._waiting) >= at_least else None

    def _open(self) -> None:
        self._track(asyncio.get_running_loop().create_task(self.way.connect(self._connect_timeout)))

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
            self._tell(NotConnected(ConnectionAbortedError("connecting was given up"), at_proxy=False))
        elif problem := task.exception():
            self._tell(problem)
        else:
            connection = task.result()
            now = time.monotonic()
            connection.expires = now + KEPT_UNANNOUNCED
            self._trusted.add(connection)
            if waiter := self._first_waiter():
                waiter.set_result(connection)  # Whatever the server has said already is its answer to who waits.
            else:
                self._offer(connection, now)

    def _tell(self, problem: BaseException) -> None:
        """A connection did not come about: tell who waits longest, unless another is being opened for it."""
        if waiter := self._first_waiter(at_least=len(self._opening) + 1):
            waiter.set_exception(problem)

    def _let_go(self, connection: HttpConnection) -> None:
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
                raise NoFreeConnection(f"{self._lent} requests are without an answer") from problem
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()
            raise
        finally:
            if place in self._places:
                self._places.remove(place)

    def _leave(self) -> None:
        """Free a place, for who waits longest."""
        while self._places:
            place = self._places.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._lent -= 1
