"""Messages from the host that get no answer: notifications, and its answers to requests of the server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bridge.protocol.jsonrpc import Notification, Response
from bridge.session import reconnect_delay, response_kind
from bridge.session.commands import Post
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, Cause, EventReceived, ExchangeFailed, ResponseStarted
from bridge.session.faults import Fault
from bridge.session.gate import Gate
from bridge.session.response_kind import ResponseKind
from bridge.session.session_state import Exchange, SessionState


class OneWayMessages:
    """Sends them, and sends them again if that does no harm.

    `session_gone(generation)` is called when the server no longer knows the session of that generation.
    """

    def __init__(
        self, state: SessionState, gate: Gate, delivery: Delivery, session_gone: Callable[[int], None]
    ) -> None:
        self.state = state
        self.delivery = delivery
        self.session_gone = session_gone
        self._gate = gate
        self._last_number = 0

    def submit(self, message: Notification | Response) -> None:
        """Send a message as soon as the gate is open."""
        self.resubmit(self._message(message, None))

    def post_past_gate(self, message: Notification, then: Callable[[], None]) -> None:
        """Send a notification that opens the gate; `then` is called once it is delivered or given up."""
        self._message(message, then).go()

    def resubmit(self, oneway: OneWayMessage) -> None:
        """Send a message once more, as soon as the gate is open."""
        self._gate.submit(oneway)

    def retry(self, oneway: OneWayMessage, what: str, seconds: float | None) -> None:
        """Send a message again after `seconds`, within the retry window; None gives it up."""
        now = self.state.now
        if oneway.retry_until is None:
            oneway.retry_until = now + self.state.retry_window
        oneway.attempts += 1
        if seconds is None or now + seconds > oneway.retry_until:
            name = oneway.message.method if isinstance(oneway.message, Notification) else "a response from the host"
            self.state.report("warning", f"{name} could not be delivered: {what}")
            oneway.done()
            return
        self.state.timers.new("note", partial(self._try_again, oneway), oneway.number).start(seconds, spread=0.5)

    def _try_again(self, oneway: OneWayMessage) -> None:
        """The pause before the next try is over."""
        if oneway.opens_gate:
            oneway.go()
        else:
            self.resubmit(oneway)

    def _message(self, message: Notification | Response, then: Callable[[], None] | None) -> OneWayMessage:
        self._last_number += 1
        return OneWayMessage(self, message, self._last_number, then)


class OneWayMessage:
    """One message. An answer is valid only in the session in which the server asked."""

    __slots__ = ("_sender", "_then", "attempts", "generation", "message", "number", "retry_until")

    def __init__(
        self, sender: OneWayMessages, message: Notification | Response, number: int, then: Callable[[], None] | None
    ) -> None:
        self.message = message
        self.number = number
        self.generation = sender.state.generation
        self.attempts = 0
        self.retry_until: float | None = None
        self._sender = sender
        self._then = then

    @property
    def opens_gate(self) -> bool:
        """Whether other messages wait at the gate for it."""
        return self._then is not None

    def go(self) -> None:
        """POST it."""
        state = self._sender.state
        if isinstance(self.message, Response) and self.generation != state.generation:
            return
        number = state.begin(OneWayExchange(self._sender, self))
        state.commands.append(Post(number, self.message.line, state.headers(), state.endpoint, urgent=True))

    def goes_early(self) -> bool:
        """Never: its place in the order matters."""
        return False

    def refuse(self, fault: Fault) -> None:
        """Give it up: only the messages at the gate wait for it."""
        self.done()

    def done(self) -> None:
        """It was delivered, or given up."""
        then, self._then = self._then, None
        if then:
            then()


class OneWayExchange(Exchange):
    """The POST of one message."""

    def __init__(self, sender: OneWayMessages, oneway: OneWayMessage) -> None:
        self._sender = sender
        self._message = oneway

    def on_started(self, event: ResponseStarted) -> None:
        if event.streams:
            self._message.done()

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None:
            self._sender.delivery.take(event.event.data)

    def on_body(self, event: BodyReceived) -> None:
        sender, oneway = self._sender, self._message
        if event.status < 300:
            oneway.done()
            return
        state = sender.state
        judged = response_kind.judge(event, state.url, (), in_session=state.was_in_session(self))
        if judged.kind is ResponseKind.SESSION_GONE and not oneway.opens_gate:
            sender.session_gone(self.generation)
            if isinstance(oneway.message, Notification) and oneway.attempts == 0:
                oneway.attempts += 1
                sender.resubmit(oneway)
        else:
            later = judged.kind is ResponseKind.LATER
            sender.retry(oneway, judged.fault.message, judged.seconds if later else None)

    def on_failed(self, event: ExchangeFailed) -> None:
        oneway = self._message
        again = event.cause is Cause.UNREACHABLE or (
            event.cause is Cause.LOST and (not event.sent or isinstance(oneway.message, Response))
        )
        self._sender.retry(
            oneway, event.message, reconnect_delay.UNANSWERED.before(oneway.attempts + 1) if again else None
        )
