"""`--request-timeout`: how long a call may go on without an answer, an event on its stream or progress."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bridge.protocol import messages
from bridge.protocol.jsonrpc import Notification
from bridge.session.calls import Call
from bridge.session.session_state import SessionState
from bridge.session.timers import LIMIT_EXTENSION


class Deadlines:
    """Gives each call a timer and restarts it on progress (MCP, Lifecycle, Timeouts). `seconds` None: no deadline.

    `expired(call, seconds)` is called when the time of a call is over.
    """

    def __init__(self, state: SessionState, seconds: float | None, expired: Callable[[Call, float], None]) -> None:
        self.seconds = seconds
        self._timers = state.timers
        self._expired = expired
        self._by_token: dict[bytes, Call] = {}

    def start(self, call: Call) -> None:
        """Start the timer of a call."""
        if self.seconds is None:
            return
        call.deadline = self._timers.new(
            "deadline", partial(self._expired, call, self.seconds), call.number, extension=LIMIT_EXTENSION
        )
        self.renew(call)
        if token := messages.asked_progress_token(call.request.params):
            call.progress_token = token
            self._by_token[token] = call

    def renew(self, call: Call) -> None:
        """Restart the timer of a call."""
        if self.seconds is not None and call.deadline is not None:
            call.deadline.start(self.seconds)

    def progress(self, notification: Notification) -> None:
        """Restart the timer of the call that this progress notification belongs to."""
        if self._by_token and (call := self._by_token.get(messages.told_progress_token(notification.params))):
            self.renew(call)

    def stop(self, call: Call) -> None:
        """Stop the timer of a call that is over."""
        if call.deadline is not None:
            call.deadline.stop()
            self._by_token.pop(call.progress_token, None)
