"""How long a call may take.

| option | what it limits | what begins it anew |
|---|---|---|
| `--request-timeout` | any call | an event on its stream, progress |
| `--tool-timeout` | a call of a tool | nothing; while the user signs in, it stands still |

A call that is over in time is answered with an error, and cancelled at the server.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bridge.protocol import mcp, messages
from bridge.protocol.jsonrpc import Notification
from bridge.session import faults
from bridge.session.calls import Call
from bridge.session.faults import Fault
from bridge.session.session_state import SessionState
from bridge.session.timers import LIMIT_EXTENSION, Timer

if TYPE_CHECKING:
    from bridge.session.keep_alive import KeepAlive


class LongCalls(msgspec.Struct, frozen=True):
    """What is done about calls that take long. Times in seconds; None: nothing.

    `tool_timeout`: how long a call of a tool may take in all. `keep_alive`: how long the bridge lets a host or a server
    hear nothing (`keep_alive`).
    """

    tool_timeout: float | None = None
    keep_alive: float | None = None


UNLIMITED = LongCalls()
"""What is done without an option: nothing."""


class Deadlines:
    """Gives each call its timers. `seconds`, `tool_seconds`: the two options; None: no limit.

    `expired(call, fault, seconds)` is called when the time of a call is over. `keep_alive` is told of the same calls.
    """

    def __init__(
        self,
        state: SessionState,
        seconds: float | None,
        expired: Callable[[Call, Fault, float], None],
        tool_seconds: float | None = None,
        keep_alive: KeepAlive | None = None,
    ) -> None:
        self.seconds = seconds
        self.tool_seconds = tool_seconds
        self._url = state.url
        self._state = state
        self._timers = state.timers
        self._expired = expired
        self._by_token: dict[bytes, Call] = {}
        self._limits: dict[int, _Limit] = {}
        self._keep_alive = keep_alive

    def start(self, call: Call) -> None:
        """Start the timers of a call."""
        if self._keep_alive is not None:
            self._keep_alive.start(call)
        if self.tool_seconds is not None and call.request.method == mcp.TOOLS_CALL:
            timer = self._timers.new("tool-deadline", partial(self._tool_is_late, call), call.number)
            limit = self._limits[call.number] = _Limit(timer, self.tool_seconds)
            if not self._timers.is_signing_in:
                limit.run(self._state.now)
        if self.seconds is None:
            return
        late = partial(self._is_late, call)
        call.deadline = self._timers.new("deadline", late, call.number, extension=LIMIT_EXTENSION)
        self.renew(call)
        if token := messages.asked_progress_token(call.request.params):
            call.progress_token = token
            self._by_token[token] = call

    def renew(self, call: Call) -> None:
        """Begin the time of `--request-timeout` anew."""
        if self.seconds is not None and call.deadline is not None:
            call.deadline.start(self.seconds)

    def progress(self, notification: Notification) -> None:
        """Begin the time of the call anew that this progress notification belongs to."""
        if self._keep_alive is not None:
            self._keep_alive.progress(notification)
        if self._by_token and (call := self._by_token.get(messages.told_progress_token(notification.params))):
            self.renew(call)

    def stop(self, call: Call) -> None:
        """Stop the timers of a call that is over."""
        if self._keep_alive is not None:
            self._keep_alive.stop(call)
        if limit := self._limits.pop(call.number, None):
            limit.timer.stop()
        if call.deadline is not None:
            call.deadline.stop()
            self._by_token.pop(call.progress_token, None)

    def on_sign_in(self, *, begins: bool) -> None:
        """The user begins to sign in, or is done: what limits tools stands still meanwhile."""
        for limit in self._limits.values():
            if begins:
                limit.stand_still(self._state.now)
            else:
                limit.run(self._state.now)

    def _is_late(self, call: Call) -> None:
        seconds = self.seconds or 0.0
        self._expired(call, faults.timed_out(self._url, call.request.method, seconds), seconds)

    def _tool_is_late(self, call: Call) -> None:
        seconds = self.tool_seconds or 0.0
        self._expired(call, faults.tool_timed_out(self._url, messages.named(call.request.params), seconds), seconds)


def deadlines_of(
    state: SessionState,
    request_timeout: float | None,
    expired: Callable[[Call, Fault, float], None],
    long_calls: LongCalls,
) -> Deadlines:
    """The deadlines of a machine, with `KeepAlive` where that is asked for."""
    keep_alive = None
    if long_calls.keep_alive is not None:
        from bridge.session.keep_alive import KeepAlive

        keep_alive = KeepAlive(state, long_calls.keep_alive)
    return Deadlines(state, request_timeout, expired, long_calls.tool_timeout, keep_alive)


class _Limit:
    """The time that a call of a tool has `left`, in seconds, when its timer was last started or stopped."""

    __slots__ = ("_started_at", "left", "timer")

    def __init__(self, timer: Timer, left: float) -> None:
        self.timer = timer
        self.left = left
        self._started_at = 0.0

    def run(self, now: float) -> None:
        if not self.timer.is_running:
            self._started_at = now
            self.timer.start(self.left)

    def stand_still(self, now: float) -> None:
        if self.timer.is_running:
            self.left = max(0.0, self.left - (now - self._started_at))
            self.timer.stop()
