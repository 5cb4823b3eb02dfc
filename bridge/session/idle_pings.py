"""`--keep-alive`, as a server hears it: `ping` in a session where nothing else is said, lest it be given up.

| the session | what follows |
|---|---|
| of a legacy server | `ping`; where the server no longer knows the session, the bridge opens another |
| over HTTP+SSE (2024-11-05) | the same; its answer comes on the stream, which so is never idle |
| none: a legacy server that names none | nothing: there is none to keep |
| none: a modern server | nothing: it has no `ping` either |
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import RequestId, Response
from bridge.session import response_kind
from bridge.session.commands import Post
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, EventReceived, ExchangeFailed
from bridge.session.response_kind import ResponseKind
from bridge.session.session_state import Exchange, SessionState


class IdlePings:
    """Sends `ping` where nothing came from a legacy server for `seconds`, and nothing went there.

    `session_gone(generation)` is called when the server no longer knows the session of that generation.
    """

    def __init__(
        self, state: SessionState, delivery: Delivery, seconds: float, session_gone: Callable[[int], None]
    ) -> None:
        self.state = state
        self.delivery = delivery
        self.session_gone = session_gone
        self._seconds = seconds
        self._busy_at = 0.0
        self._timer = state.timers.new("ping", self._on_time)
        self._id: RequestId | None = None

    def start(self) -> None:
        """A session is open, or the machine has slept."""
        self._busy_at = self.state.now
        self._timer.start(self._seconds)

    def note_traffic(self) -> None:
        """Something came, or went."""
        self._busy_at = self.state.now

    def takes(self, response: Response) -> bool:
        """Whether an answer is to a ping."""
        if self._id is None or response.id != self._id:
            return False
        self._id = None
        return True

    def _on_time(self) -> None:
        state = self.state
        if state.session_id is None and state.endpoint is None:
            return  # There is none to keep. It starts again with the next.
        quiet = state.now - self._busy_at
        if 0 < quiet < self._seconds:
            self._timer.start(self._seconds - quiet)
            return
        self._timer.start(self._seconds)
        if state.timers.is_signing_in:
            return
        request = writing.request(state.fresh_id(), mcp.PING)
        self._id = request.id
        number = state.begin(_Ping(self))
        state.commands.append(Post(number, request.line, state.headers(), state.endpoint, urgent=True, quiet=True))


class _Ping(Exchange):
    """The POST of a `ping`. Whatever comes of it, the host is told nothing."""

    def __init__(self, pings: IdlePings) -> None:
        self._pings = pings

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None:
            self._pings.delivery.take(event.event.data)
            self._pings.state.drain(self)

    def on_body(self, event: BodyReceived) -> None:
        state = self._pings.state
        if event.status < 300:
            return  # Any answer is a sign of life, an error too.
        judged = response_kind.judge(event, state.url, (), in_session=state.was_in_session(self))
        if judged.kind is ResponseKind.SESSION_GONE:
            self._pings.session_gone(self.generation)
        else:
            state.report("debug", f"a ping to {state.url} was refused: {judged.fault.message}")

    def on_failed(self, event: ExchangeFailed) -> None:
        state = self._pings.state
        state.report("debug", f"a ping to {state.url} failed: {event.message}")
