"""One bridged session: what happens goes in, what to do comes out. No IO, no clock, no randomness.

The parts, each with its own subject:

| part | decides |
|---|---|
| `Sending` | what becomes of the host's calls |
| `Notes` | what becomes of its notifications and answers |
| `Gate` | that nothing overtakes the opening of a session |
| `Answers` | what comes down, and that each call has one answer |
| `Opening` | the handshake, and its replay when the server forgot the session |
| `Listening` | the standing stream of Streamable HTTP |
| `Legacy` | the transport of 2024-11-05 |
| `Deadlines` | `--request-timeout` |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Message, Request, RequestId, Response
from bridge.session import faults, verdicts
from bridge.session.answers import Answers
from bridge.session.calls import Batch, Call, Calls
from bridge.session.commands import Deliver, DropConnections, EndSession
from bridge.session.deadlines import Deadlines
from bridge.session.events import (
    Event,
    HostBatch,
    HostMessage,
    NeverConnected,
    SignInEnded,
    SignInStarted,
    TimerFired,
    TimerKey,
    Woke,
)
from bridge.session.faults import Fault
from bridge.session.gate import Gate
from bridge.session.ledger import Exchange, Ledger
from bridge.session.legacy import Legacy
from bridge.session.listening import Listening
from bridge.session.machine import ServerMachine
from bridge.session.notes import Notes
from bridge.session.opening import Opening, headers_of
from bridge.session.sending import Outgoing, Sending

Transport = Literal["auto", "http", "sse"]

_GIVING_UP = frozenset(("deadline", "replayed", "initialized", "endpoint"))
_WHILE_SIGNING_IN = 30.0


class Session(ServerMachine):
    """The state machine. `patience` and `request_timeout` in seconds; `request_timeout` None means no limit.

    `listens_first`: nothing is sent in a session before its standing stream is there, or is known not to be: for a host
    that must not miss what comes on it.
    """

    def __init__(
        self,
        url: str,
        transport: Transport,
        patience: float,
        request_timeout: float | None,
        redact: Callable[[str], str] = str,
        lane: int = 0,
        *,
        listens_first: bool = False,
    ) -> None:
        self._transport = transport
        self._listens_first = listens_first
        ledger = Ledger(url, redact, lane)
        super().__init__(ledger, Calls())
        self._deadlines = Deadlines(ledger, request_timeout)
        self._answers = Answers(ledger, self._calls, self._deadlines, self._on_answer, self._on_stray)
        self._gate = gate = Gate(knows_early=not listens_first)
        self._notes = Notes(ledger, gate, self._answers, patience, session_gone=self._session_gone)
        self._sending = Sending(
            ledger,
            gate,
            self._calls,
            self._answers,
            self._deadlines,
            patience,
            outgoing=self._outgoing,
            session_gone=self._session_gone,
            rescue=self._try_legacy,
            other_way=self._has_other_way,
        )
        self._opening = Opening(ledger, gate, self._notes, self._answers, patience, opened=self._opened)
        self._listening = Listening(ledger, self._answers, session_gone=self._session_gone)
        self._legacy = Legacy(
            ledger,
            self._answers,
            patience,
            connected=self._legacy_connected,
            lost=self._legacy_lost,
            hopeless=self._legacy_hopeless,
        )

    @property
    def set_up(self) -> list[Request]:
        """See `Machine`."""
        return self._opening.set_up

    def adopt(self, initialize: Request, set_up: list[Request], *, is_initialized: bool) -> None:
        """Take a host over that opened elsewhere: the next message opens the session with what it said there."""
        self._opening.adopt(initialize, writing.notification(mcp.INITIALIZED) if is_initialized else None, set_up)

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id has no answer yet."""
        return id_ in self._calls

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._opening.host_name

    def _dispatch(self, event: Event) -> None:
        if self._ledger.take(event):
            return
        if isinstance(event, HostMessage):
            self._prepare(event.message)
            self._host_message(event.message, None)
        elif isinstance(event, HostBatch):
            self._host_batch(event)
        elif isinstance(event, TimerFired):
            if timer := self._ledger.timer_fired(event.timer):
                self._on_timer(timer)
        elif isinstance(event, SignInStarted | SignInEnded):
            self._on_sign_in(event)
        elif isinstance(event, Woke):
            self._ledger.commands.append(DropConnections())
            self._listening.refresh()
        elif isinstance(event, NeverConnected):
            self._on_never_connected(event, self._answers)
        else:
            self._close()

    # -- the host

    def _prepare(self, message: Message) -> None:
        """See to it that there is a way up before anything is sent on it."""
        if self._transport == "sse" and self._ledger.endpoint is None and not self._legacy.is_connecting:
            self._gate.close()
            self._legacy.connect()
        elif self._opening.is_broken and not (isinstance(message, Request) and message.method == mcp.INITIALIZE):
            self._opening.reopen()

    def _host_message(self, message: Message, batch: Batch | None) -> None:
        if isinstance(message, Request):
            self._host_request(message, batch)
        elif isinstance(message, Response):
            if self._answers.is_awaited(message):
                self._notes.submit(message)
        elif message.method == mcp.INITIALIZED:
            self._opening.host_initialized(message)
        else:
            if message.method == mcp.CANCELLED:
                call = self._calls.get(mcp.cancelled_request(message.params))
                if call is not None:
                    self._answers.withdraw(call)
            self._notes.submit(message)

    def _host_request(self, request: Request, batch: Batch | None) -> None:
        refusal = None
        if request.id in self._calls:
            refusal = "This id is in use by a request that has no answer yet."
        elif batch is not None and request.method == mcp.INITIALIZE:
            refusal = "initialize must not be part of a batch."
        if refusal is not None:
            self._refuse(faults.bad_input(request.raw_id, refusal), batch)
            return
        if self._calls.is_full:
            line = faults.too_many(len(self._calls)).error_line(request.raw_id, self._ledger.url)
            self._refuse(line, batch)
            return
        if request.method == mcp.INITIALIZE:
            self._listening.stop()
            self._opening.host_initialize(request)
        call = self._calls.enter(request, batch)
        self._deadlines.start(call)
        self._sending.submit(call)

    def _refuse(self, line: bytes, batch: Batch | None) -> None:
        whole = line if batch is None else batch.add(line)
        if whole is not None:
            self._ledger.commands.append(Deliver(whole))

    def _host_batch(self, event: HostBatch) -> None:
        expected = sum(isinstance(message, Request) for message in event.messages)
        batch = Batch(expected, list(event.errors))
        if expected == 0 and (line := batch.line()) is not None:
            self._ledger.commands.append(Deliver(line))
        for message in event.messages:
            self._prepare(message)
            self._host_message(message, batch)

    def _close(self) -> None:
        """Answer what can still be answered, let go of everything, and end the server's session."""
        self._closed = True
        ledger = self._ledger
        for call in self._calls:
            self._answers.fail(call, faults.shut_down(ledger.url, call.trouble))
        for exchange in list(ledger.exchanges.values()):
            ledger.abandon(exchange)
        if ledger.session_id is not None:
            goodbye = Exchange()
            ledger.commands.append(EndSession(ledger.begin(goodbye), ledger.headers()))

    # -- time

    def _on_timer(self, timer: TimerKey) -> None:
        purpose, number = timer
        if self._signing_in and purpose in _GIVING_UP:
            # A person is at it: what waits for the server cannot be late.
            self._ledger.set_timer(purpose, number, _WHILE_SIGNING_IN)
            return
        if purpose == "call":
            self._sending.on_call_timer(number)
        elif purpose == "note":
            self._notes.on_timer(number)
        elif purpose == "late":
            self._sending.on_late(number)
        elif purpose == "deadline":
            self._on_deadline(number)
        elif purpose in {"listen", "stream"}:
            self._listening.on_timer(purpose)
        elif purpose == "reopen":
            self._opening.replay()
        elif purpose == "replayed":
            self._opening.give_up("it did not answer initialize in time")
        elif purpose == "initialized":
            self._opening.on_late()
        elif purpose == "legacy":
            self._legacy.open()
        elif purpose == "endpoint":
            self._legacy.on_late()

    def _on_deadline(self, number: int) -> None:
        """Give a call up and tell the server so (MCP, Lifecycle, Timeouts)."""
        call = self._calls.numbered(number)
        if call is None or self._deadlines.seconds is None:
            return
        request, exchange = call.request, call.exchange
        seconds = self._deadlines.seconds
        self._answers.fail(call, faults.timed_out(self._ledger.url, request.method, seconds))
        self._ledger.abandon(exchange)
        if request.method != mcp.INITIALIZE:
            reason = msgspec.json.encode(f"no answer within {seconds:g} seconds")
            self._notes.submit(writing.cancellation(request.raw_id, reason))

    # -- the session

    def _outgoing(self, call: Call) -> Outgoing:
        request = call.request
        if request.method != mcp.INITIALIZE:
            return Outgoing(request.line, self._ledger.headers())
        return Outgoing(request.line, headers_of(request))

    def _on_answer(self, call: Call, response: Response) -> Response | None:
        if response.is_error and call.is_early:
            self._sending.refused_early(call)
            return None
        if not response.is_error and call.request.method == mcp.TOOLS_LIST:
            self._calls.learn_tools(mcp.repeatable_tools(response.result))
        self._opening.on_answer(call, response)
        return response

    def _on_stray(self, response: Response) -> bool:
        return self._opening.take_stray(response)

    def _opened(self, go: Callable[[], None]) -> None:
        listens = self._transport != "sse" and self._opening.is_complete
        if listens and self._listens_first:
            self._listening.start(go)
            return
        go()
        if listens:
            self._listening.start()

    def _session_gone(self, generation: int) -> None:
        if generation == self._ledger.generation:
            self._listening.stop()
            self._opening.interrupt()
            self._ledger.forget_session()
            self._opening.reopen()

    # -- the older transport

    def _has_other_way(self) -> bool:
        return self._ledger.endpoint is not None or self._listening.is_open

    def _try_legacy(self, call: Call, fault: Fault) -> bool:
        if self._transport != "auto" or not verdicts.may_be_legacy(call.request, fault.status, fault.code):
            return False
        self._gate.close()
        self._sending.submit(call)
        self._legacy.connect(instead_of=fault)
        return True

    def _legacy_connected(self) -> None:
        self._transport = "sse"
        if self._opening.is_answered:
            self._opening.reopen()
        else:
            self._gate.open()

    def _legacy_lost(self, reason: str) -> None:
        lost = [call for call in self._calls if call.exchange is not None]
        self._opening.interrupt()
        self._ledger.forget_session()
        self._gate.close()
        for call in lost:
            self._ledger.abandon(call.exchange)
            self._sending.lost(call, reason)
        self._legacy.reconnect()

    def _legacy_hopeless(self, fault: Fault) -> None:
        self._opening.interrupt()
        self._gate.refuse(fault)
