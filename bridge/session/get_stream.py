"""The standing GET stream (MCP, Streamable HTTP, Listening for Messages from the Server).

A server need not offer one, so a refusal is not reported as an error. A stream that ends is reopened where it ended,
after a pause (see `reconnect_delay`).
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.session import reconnect_delay
from bridge.session.commands import OpenStream
from bridge.session.cursor import Cursor
from bridge.session.delivery import Delivery
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from bridge.session.session_state import Exchange, SessionState

_STEADY_SECONDS = 30.0
_MAX_VAIN_TRIES = 3
_SLOW_SECONDS = 1.0


class GetStream:
    """Keeps the stream open. `session_gone(generation)` is called when the server no longer knows the session."""

    _then: Callable[[], None] | None = None

    def __init__(self, state: SessionState, delivery: Delivery, session_gone: Callable[[int], None]) -> None:
        self._state = state
        self._delivery = delivery
        self._session_gone = session_gone
        self._exchange: GetStreamExchange | None = None
        self._cursor = Cursor()
        self._attempts = self._hasty = 0
        self._is_told = False
        self._opened_at: float | None = None
        self._offered = False
        self._wanted = False
        self._pause = state.timers.new("listen", self._open)
        self._limit = state.timers.new("stream", self.go_on)

    @property
    def is_open(self) -> bool:
        """Whether the server can send messages on the stream now."""
        return self._opened_at is not None

    def start(self, then: Callable[[], None] | None = None) -> None:
        """Open the stream for the current session. `then()` is called when it is open, refused, or takes long."""
        self.stop()
        if then is not None:
            self._then = then
            self._limit.start(_SLOW_SECONDS)
        self._cursor = Cursor()
        self._attempts = self._hasty = 0
        self._is_told = False
        self._offered = False
        self._wanted = True
        self._open()

    def stop(self) -> None:
        """Close the stream."""
        self._wanted = False
        self._opened_at = None
        self._pause.stop()
        self._state.abandon(self._exchange)
        self._exchange = None
        self.go_on()

    def go_on(self) -> None:
        """Call what waits for the stream, if anything does."""
        then, self._then = self._then, None
        if then is not None:
            self._limit.stop()
            then()

    def refresh(self) -> None:
        """The connection may be dead: open the stream again."""
        if self._wanted and self._offered:
            self._opened_at = None
            self._pause.stop()
            self._state.abandon(self._exchange)
            self._open()

    def _open(self) -> None:
        if not self._wanted:
            return
        self._exchange = GetStreamExchange(self)
        number = self._state.begin(self._exchange)
        self._state.commands.append(OpenStream(number, self._state.headers(self._cursor.last_event_id), quiet=True))

    def started(self, event: ResponseStarted) -> None:
        """The head of the response came."""
        if event.streams:
            self._opened_at = self._state.now
            if not self._offered:
                self._state.report("debug", f"listening to {self._state.url}")
            self._offered = True
            self.go_on()

    def take(self, event: EventReceived) -> None:
        """An event came on the stream."""
        data = self._cursor.take(event.event)
        if data is not None:
            self._attempts = self._hasty = 0
            self._delivery.take(data)

    def ended(self, reason: str) -> None:
        """Reopen the stream after the pause that the server asked for, or one that grows with each failed try."""
        lasted = 0.0 if self._opened_at is None else self._state.now - self._opened_at
        if lasted >= _STEADY_SECONDS:
            self._attempts = 0
            self._is_told = False
        self._opened_at = None
        self._attempts += 1
        self._hasty = 0 if lasted >= reconnect_delay.AT_ONCE else self._hasty + 1
        pause = reconnect_delay.before_listening(self._attempts, self._hasty, self._cursor.pause)
        self._pause.start(pause.seconds, pause.spread)
        if not self._is_told:
            self._is_told = True
            self._state.report("debug", f"the stream from {self._state.url} ended ({reason}); reopening it {pause}")
        self.go_on()

    def refused(self, event: BodyReceived, generation: int) -> None:
        """The server did not open a stream."""
        self._opened_at = None
        if event.status == 404 and self._offered and self._state.session_id is not None:
            self._session_gone(generation)
        elif self._may_pass(event.status):
            self.ended(f"status {event.status}")
        else:
            self._wanted = False
            self._state.report("debug", f"{self._state.url} offers no standing stream (status {event.status})")
            self.go_on()

    def _may_pass(self, status: int) -> bool:
        """Whether another try can succeed. 409: the server believes that the previous stream is still open."""
        if status == 409:
            return self._offered
        return status == 429 or (status >= 500 and (self._offered or self._attempts < _MAX_VAIN_TRIES))

    def failed(self, event: ExchangeFailed) -> None:
        """The request failed."""
        if event.cause in {Cause.UNREACHABLE, Cause.LOST}:
            self.ended(event.message)
        else:
            self._wanted = False
            self._state.report("warning", f"no standing stream: {event.message}")
            self.go_on()


class GetStreamExchange(Exchange):
    """One GET of the standing stream."""

    def __init__(self, listening: GetStream) -> None:
        self._get_stream = listening

    def on_started(self, event: ResponseStarted) -> None:
        self._get_stream.started(event)

    def on_event(self, event: EventReceived) -> None:
        self._get_stream.take(event)

    def on_closed(self, event: StreamClosed) -> None:
        self._get_stream.ended(event.reason)

    def on_body(self, event: BodyReceived) -> None:
        self._get_stream.refused(event, self.generation)

    def on_failed(self, event: ExchangeFailed) -> None:
        self._get_stream.failed(event)
