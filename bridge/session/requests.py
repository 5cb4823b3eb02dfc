"""The host's calls, each until it is answered: what a response means, and when to send a call again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from bridge.errors import ErrorKind
from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Octets
from bridge.session import faults, reconnect_delay, response_kind
from bridge.session.calls import Call, Calls
from bridge.session.commands import Headers, OpenStream, Post
from bridge.session.deadlines import Deadlines
from bridge.session.delivery import Delivery
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from bridge.session.faults import Fault
from bridge.session.gate import EARLY_METHODS, Gate
from bridge.session.response_kind import JudgedResponse, ResponseKind
from bridge.session.session_state import Exchange, SessionState

_MAX_RENEWALS = 1
_MAX_CUTS = 6
_LATE_SECONDS = 300.0
_LONG_SECONDS = 5.0
"""A pause of this length is reported in the log."""

_LEAST_ERROR = 400
_ERRORS = frozenset({ResponseKind.FAULT, ResponseKind.SESSION_GONE})


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it is sent."""

    line: Octets
    headers: Headers


class CallPolicy(Protocol):
    """What a machine decides about its calls."""

    def outgoing(self, call: Call) -> Outgoing:
        """What is sent for a call."""

    def session_gone(self, generation: int) -> None:
        """The server no longer knows the session of this generation."""

    def rescue(self, call: Call, fault: Fault) -> bool:
        """Take over a call that failed with this fault; returns False if there is nothing else to try."""

    def may_answer_elsewhere(self) -> bool:
        """Whether a stream is open on which the server may answer a call that it accepted."""


class Requests:
    """Sends calls, judges the responses, and sends calls again if that does no harm."""

    def __init__(
        self,
        state: SessionState,
        gate: Gate,
        calls: Calls,
        delivery: Delivery,
        deadlines: Deadlines,
        policy: CallPolicy,
    ) -> None:
        self.state = state
        self.calls = calls
        self.delivery = delivery
        self.deadlines = deadlines
        self.policy = policy
        self._gate = gate

    def submit(self, call: Call) -> None:
        """Send a call as soon as the gate is open."""
        self._gate.submit(_Waiting(self, call))

    def post(self, call: Call) -> None:
        """POST a call now."""
        state = self.state
        call.sends += 1
        call.sent_at = state.now
        exchange = call.exchange = CallExchange(self, call)
        number = state.begin(exchange)
        outgoing = self.policy.outgoing(call)
        state.commands.append(Post(number, outgoing.line, outgoing.headers, state.endpoint))

    def refused_early(self, call: Call) -> None:
        """An early call got an error, which may be wrong: send it again as soon as the gate is open."""
        self._gate.knows_early = False
        self.state.report("debug", f"{self.state.url} refused {call.request.method} before it was told `initialized`")
        call.is_early = False
        call.cursor.rewind()
        exchange, call.exchange = call.exchange, None
        self.state.drain(exchange)
        self.submit(call)

    def resume(self, call: Call) -> None:
        """Resume the stream of a call (MCP, Resumability and Redelivery)."""
        state = self.state
        call.sent_at = state.now
        exchange = call.exchange = CallExchange(self, call, resumes=True)
        state.commands.append(OpenStream(state.begin(exchange), state.headers(call.cursor.last_event_id)))

    def await_elsewhere(self, call: Call) -> None:
        """The answer to a call may come on another stream. The standard does not allow that, but some servers do it."""
        self._wait(call, "late", self._not_answered_elsewhere, _LATE_SECONDS)

    def _not_answered_elsewhere(self, call: Call) -> None:
        if self.calls.is_open(call):
            self.delivery.fail(call, faults.accepted_only(self.state.url, call.request.method, _LATE_SECONDS))

    def _try_again(self, call: Call) -> None:
        """The pause before a call's next try is over."""
        if not self.calls.is_open(call):
            return
        if call.cursor.last_event_id is None:
            self.submit(call)
        elif call.exchange and call.exchange.generation != self.state.generation:
            self.lost(call, "the session it was sent in no longer exists")
        else:
            self.resume(call)

    def stream_ended(self, call: Call, reason: str) -> None:
        """A stream ended before the answer: resume it if possible, else treat the call as lost."""
        cursor = call.cursor
        if cursor.last_event_id is None:
            self.lost(call, reason)
            return
        call.attempts += 1
        pause = reconnect_delay.before_resuming(call.attempts, cursor.pause)
        self._wait(call, "call", self._try_again, pause.seconds, pause.spread)
        if call.attempts == 1:
            level = "info" if pause.seconds >= _LONG_SECONDS else "debug"
            what = f"the stream with the response to {call.request.method} ended ({reason})"
            self.state.report(level, f"{self.state.url}: {what}; resuming it {pause}")

    def lost(self, call: Call, reason: str) -> None:
        """The connection was lost, and the server may have run the call: send it again if that does no harm."""
        call.cursor.rewind()
        url, method = self.state.url, call.request.method
        if not self.calls.is_repeatable(call.request):
            self.delivery.fail(call, faults.outcome_unknown(url, method, reason))
        elif call.cuts >= _MAX_CUTS or not self.may_retry(call):
            self.delivery.fail(call, faults.no_answer(url, method, reason))
        else:
            call.cuts += 1
            call.trouble = reason
            self._again(call, reconnect_delay.UNANSWERED.before(call.attempts + 1))

    def unreachable(self, call: Call, event: ExchangeFailed) -> None:
        """The call did not reach the server: try again within the retry window."""
        now = self.state.now
        if self.delivery.answer_instead(call, Fault(ErrorKind.UNREACHABLE, event.message)):
            return
        if call.retry_until is None:
            self.state.report("warning", f"{event.message} Trying again.")
        pause = reconnect_delay.UNANSWERED.before(call.attempts + 1)
        call.trouble = event.message
        # A try that takes long, for example because of a firewall, must fit into the retry window too.
        took = now - call.sent_at
        if not self.may_retry(call) or call.retry_until is None or now + took > call.retry_until:
            self.delivery.fail(call, Fault(ErrorKind.UNREACHABLE, event.message, event.hint))
        else:
            self._again(call, min(pause, call.retry_until - now))

    def may_retry(self, call: Call) -> bool:
        """Whether the retry window is still open. It begins with the first try that failed."""
        if call.retry_until is None:
            call.retry_until = (call.sent_at or self.state.now) + self.state.retry_window
        return self.state.now < call.retry_until

    def renew(self, call: Call, generation: int, said: str) -> None:
        """The server forgot the session and did not run the call: send it in the next one."""
        call.renewals += 1
        if call.renewals > _MAX_RENEWALS:
            self.delivery.fail(call, faults.session_lost(self.state.url, said))
            return
        call.cursor.rewind()
        self.policy.session_gone(generation)
        self.submit(call)

    def wait(self, call: Call, seconds: float, fault: Fault) -> None:
        """The server asked the bridge to try again later."""
        if self.delivery.answer_instead(call, fault):
            return
        seconds = max(seconds, reconnect_delay.THROTTLED.before(call.attempts + 1))
        if seconds >= _LONG_SECONDS and not call.waited:
            what = f"{call.request.method} is sent again in {seconds:g} s, as the server asked"
            self.state.report("info", f"{self.state.url}: {what}: {fault.message}")
        call.waited += seconds
        call.trouble = fault.message
        if call.waited > 2 * self.state.retry_window:
            self.delivery.fail(call, fault)
        else:
            self._again(call, seconds, spread=0.0)

    def _again(self, call: Call, seconds: float, spread: float = 0.5) -> None:
        call.attempts += 1
        call.exchange = None
        self._wait(call, "call", self._try_again, seconds, spread)

    def _wait(
        self, call: Call, purpose: str, then: Callable[[Call], None], seconds: float, spread: float = 0.0
    ) -> None:
        if call.timer is not None:
            call.timer.stop()
        call.timer = self.state.timers.new(purpose, partial(then, call), call.number)
        call.timer.start(seconds, spread)


class _Waiting(msgspec.Struct, frozen=True):
    """A call at the gate, where the host may cancel it."""

    requests: Requests
    call: Call

    def go(self) -> None:
        if self.requests.calls.is_open(self.call):
            self.call.is_early = False
            self.requests.post(self.call)

    def goes_early(self) -> bool:
        if self.call.request.method not in EARLY_METHODS:
            return False
        if self.requests.calls.is_open(self.call):
            self.call.is_early = True
            self.requests.post(self.call)
        return True

    def refuse(self, fault: Fault) -> None:
        self.requests.delivery.fail(self.call, fault)


class CallExchange(Exchange):
    """A call's POST, or the GET that resumes its stream."""

    def __init__(self, requests: Requests, call: Call, *, resumes: bool = False) -> None:
        self._requests = requests
        self._call = call
        self._resumes = resumes

    def on_started(self, event: ResponseStarted) -> None:
        call = self._call
        if call.request.method == mcp.INITIALIZE and event.session_id:
            call.session_id = event.session_id
        if event.streams:
            call.retry_until = None

    def on_event(self, event: EventReceived) -> None:
        call = self._call
        if call.exchange is self:
            self._requests.deadlines.renew(call)
        data = call.cursor.take(event.event)
        if data is not None:
            call.attempts = 0 if call.exchange is self else call.attempts
            self._requests.delivery.take(data, call)

    def on_closed(self, event: StreamClosed) -> None:
        call, requests = self._call, self._requests
        if call.exchange is self:
            if requests.state.now - call.sent_at >= reconnect_delay.AT_ONCE:
                call.attempts = 0
            requests.stream_ended(call, event.reason)

    def on_failed(self, event: ExchangeFailed) -> None:
        call, requests = self._call, self._requests
        if call.exchange is not self:
            return
        if event.cause in {Cause.UNREACHABLE, Cause.LOST} and self._resumes:
            (requests.stream_ended if requests.may_retry(call) else requests.lost)(call, event.message)
        elif event.cause is Cause.UNREACHABLE or (event.cause is Cause.LOST and not event.sent):
            requests.unreachable(call, event)
        elif event.cause is Cause.LOST:
            requests.lost(call, event.message)
        elif event.cause is Cause.TRUNCATED and not requests.calls.is_repeatable(call.request):
            method = call.request.method
            requests.delivery.fail(call, faults.outcome_unknown(requests.state.url, method, "its response was cut off"))
        else:
            requests.delivery.fail(call, Fault(event.cause.kind, event.message, event.hint))

    def on_body(self, event: BodyReceived) -> None:
        call, requests = self._call, self._requests
        if call.exchange is not self:
            return  # The call was answered or sent again by another exchange.
        if requests.state.endpoint is not None and event.status < 300:
            return  # The answer comes on the stream (MCP 2024-11-05).
        judged = response_kind.judge(event, requests.state.url, call.ids, in_session=self._in_session())
        if self._resumes:
            self._on_resumption_refused(event, judged)
        elif call.is_early and event.status >= _LEAST_ERROR and judged.kind in _ERRORS:
            requests.refused_early(call)
        elif judged.kind is ResponseKind.SESSION_GONE:
            requests.renew(call, self.generation, judged.fault.message)
        elif judged.kind is ResponseKind.LATER:
            requests.wait(call, judged.seconds, judged.fault)
        elif judged.kind is ResponseKind.READ:
            if fault := requests.delivery.take_body(event.body, call):
                requests.delivery.fail(call, fault)
        elif judged.kind is ResponseKind.ACCEPTED and requests.policy.may_answer_elsewhere():
            requests.await_elsewhere(call)
        elif not requests.policy.rescue(call, judged.fault):
            requests.delivery.fail(call, judged.fault)

    def _on_resumption_refused(self, event: BodyReceived, judged: JudgedResponse) -> None:
        """The request to resume got a response that is not a stream."""
        call, requests = self._call, self._requests
        if judged.kind is ResponseKind.SESSION_GONE:
            requests.policy.session_gone(self.generation)
            requests.lost(call, judged.fault.message)
        elif judged.kind is ResponseKind.READ:
            if fault := requests.delivery.take_body(event.body, call):
                requests.lost(call, fault.message)
        elif judged.kind is ResponseKind.LATER and requests.may_retry(call):
            requests.stream_ended(call, judged.fault.message)
        else:
            requests.lost(call, judged.fault.message)

    def _in_session(self) -> bool:
        """Whether the request carried a session id."""
        return self._call.request.method != mcp.INITIALIZE and self._requests.state.was_in_session(self)
