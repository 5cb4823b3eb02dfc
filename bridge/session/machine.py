"""What the machines for a server of either era have in common: events in, commands out, and the calls under way.

Every wait in this room has an owner and an end:

| what waits | for what | owner | it ends in any case |
|---|---|---|---|
| the first requests of a run | a connection | `FirstContact` | after 4 s, earlier for hosts that time out earlier |
| the host's messages, answers in doubt | the server's era | `ServerEra` | after 4 s without an answer |
| a call that was sent | its answer | the host | when it cancels; `Deadlines`; when the connection ends |
| a call | a connection, a throttling server | `Requests` | after the retry window (30 s), twice that if throttled |
| a call whose stream ended | the next try to resume it | `Requests` | after 30 s at most (`reconnect_delay`) |
| a call being resumed | a stream, then its answer | `Requests`, the host | retry window; as a call that was sent |
| a call answered 202 | its answer on another stream | `Requests` | after 300 s |
| messages at the gate | `initialized` delivered | `Handshake` | after 5 s |
| the same | the session reopened | `Handshake` | 5 s after the retry window; then they fail |
| the same | the endpoint of HTTP+SSE | `HttpSse` | after 10 s; if the stream does not open, after the retry window |
| a modern host's requests on a legacy server | the standing stream | `GetStream` | after 1 s |
| the standing stream | messages from the server | `GetStream` | with the session; a pause ends after 60 s |
| a subscription | its acknowledgment | `Subscriptions` | after the retry window; then when the host cancels |
| a one-way message, a restored setting | delivery | `OneWayMessages`, `Handshake` | after 30 s without a response |
| a stream with nothing left to say | its end | `SessionState.drain` | a second later |
| an upstream no longer used | its last answers | `Upstreams` | when they are given, or its place is needed |

While the user signs in, none of these limits applies. Whatever still waits when the run ends gets an error.
"""

from __future__ import annotations

import abc

from bridge.errors import ErrorKind
from bridge.protocol.jsonrpc import Response
from bridge.session.calls import Call, Calls
from bridge.session.commands import Command
from bridge.session.deadlines import Deadlines
from bridge.session.delivery import Delivery
from bridge.session.events import Event, NeverConnected, SignInEnded, SignInStarted
from bridge.session.faults import Fault
from bridge.session.requests import Outgoing
from bridge.session.session_state import SessionState


class ServerMachine(abc.ABC):
    """Takes events until it is closed. The public methods after `handle` are for its own parts.

    See `delivery.AnswerPolicy` and `requests.CallPolicy`.
    """

    server_asks = True
    failure_level = "warning"
    _delivery: Delivery
    _deadlines: Deadlines

    def __init__(self, state: SessionState, calls: Calls) -> None:
        self._state = state
        self._calls = calls
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer. A subscription does not count: it stays open."""
        return len(self._calls) > 0

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        state = self._state
        state.now = now
        if not self._closed:
            self._dispatch(event)
        commands, state.commands = state.commands, []
        return commands

    @abc.abstractmethod
    def outgoing(self, call: Call) -> Outgoing:
        """See `CallPolicy`."""

    @abc.abstractmethod
    def on_answer(self, call: Call, response: Response) -> Response | None:
        """See `AnswerPolicy`."""

    def rescue(self, call: Call, fault: Fault) -> bool:
        """See `CallPolicy`."""
        return False

    def may_answer_elsewhere(self) -> bool:
        """See `CallPolicy`."""
        return False

    def on_unmatched(self, response: Response) -> bool:
        """See `AnswerPolicy`."""
        return False

    def answer_instead(self, call: Call, fault: Fault) -> bool:
        """See `AnswerPolicy`."""
        return False

    @abc.abstractmethod
    def _dispatch(self, event: Event) -> None:
        """Handle one event."""

    def _on_never_connected(self, event: NeverConnected) -> None:
        """Fail every call, because the host would not wait any longer. Calls that were not sent yet are not sent."""
        for call in self._calls:
            exchange = call.exchange
            self._delivery.fail(call, Fault(ErrorKind.UNREACHABLE, event.message, event.hint))
            self._state.abandon(exchange)

    def _on_sign_in(self, event: SignInStarted | SignInEnded) -> None:
        self._state.timers.is_signing_in = isinstance(event, SignInStarted)
        self._deadlines.on_sign_in(begins=self._state.timers.is_signing_in)
        for call in self._calls:
            call.sent_at = self._state.now  # The server did not cause the delay.

    def _on_deadline(self, call: Call, fault: Fault, seconds: float) -> None:
        """The time of a call is over: answer it with an error and stop its exchange."""
        exchange = call.exchange
        self._delivery.fail(call, fault)
        self._state.abandon(exchange)
