"""A legacy server, seen by a legacy host: events in, commands out. No IO, no clock, no randomness.

Each part has its own subject:

| part | subject |
|---|---|
| `Requests` | the host's requests, until each is answered |
| `OneWayMessages` | its notifications and answers |
| `Gate` | nothing is sent before the session is open |
| `Delivery` | what the host gets, with one answer to each call |
| `Handshake` | the handshake, and its replay if the server forgot the session |
| `GetStream` | the standing stream of Streamable HTTP |
| `HttpSse` | the transport of 2024-11-05 |
| `Deadlines` | `--request-timeout`, `--tool-timeout` |
| `KeepAlive`, `IdlePings` | `--keep-alive` |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Message, Notification, Request, RequestId, Response
from bridge.session import faults, response_kind
from bridge.session.calls import Batch, Call, Calls
from bridge.session.commands import Deliver, DropConnections, EndSession
from bridge.session.deadlines import UNLIMITED, LongCalls, deadlines_of
from bridge.session.delivery import Delivery
from bridge.session.events import (
    Event,
    HostBatch,
    HostClosed,
    HostMessage,
    NeverConnected,
    SignInEnded,
    SignInStarted,
    SystemResumed,
    TimerFired,
)
from bridge.session.faults import Fault
from bridge.session.gate import Gate
from bridge.session.get_stream import GetStream
from bridge.session.handshake import Handshake, headers_of
from bridge.session.machine import ServerMachine
from bridge.session.oneway import OneWayMessages
from bridge.session.requests import Outgoing, Requests
from bridge.session.session_state import Exchange, SessionState

if TYPE_CHECKING:
    from bridge.session.header_mismatch import HeaderMismatch
    from bridge.session.http_sse import HttpSse
    from bridge.session.idle_pings import IdlePings

Transport = Literal["auto", "http", "sse"]


class Session(ServerMachine):
    """The state machine. `retry_window` and `request_timeout` in seconds; `request_timeout` None means no limit.

    `listens_first`: nothing is sent in a session before its standing stream is open or refused, for a host that must
    not miss what comes on it. `mends_headers`: a server that misses headers gets them (`header_mismatch`).
    """

    def __init__(
        self,
        url: str,
        transport: Transport,
        retry_window: float,
        request_timeout: float | None,
        redact: Callable[[str], str] = str,
        upstream: int = 0,
        *,
        listens_first: bool = False,
        long_calls: LongCalls = UNLIMITED,
        mends_headers: bool = True,
    ) -> None:
        self._mends_headers = mends_headers
        self._mismatch: HeaderMismatch | None = None
        self._transport = transport
        self._listens_first = listens_first
        state = SessionState(url, retry_window, redact, upstream)
        super().__init__(state, Calls())
        self._deadlines = deadlines_of(state, request_timeout, self._on_deadline, long_calls)
        self._delivery = Delivery(state, self._calls, self._deadlines, self)
        self._gate = gate = Gate(knows_early=not listens_first)
        self._oneway = OneWayMessages(state, gate, self._delivery, self.session_gone)
        self._requests = Requests(state, gate, self._calls, self._delivery, self._deadlines, self)
        self._handshake = Handshake(state, gate, self._oneway, self._delivery, self._opened)
        self._get_stream = GetStream(state, self._delivery, self.session_gone)
        self._legacy: HttpSse | None = None
        self._pings: IdlePings | None = None
        if long_calls.keep_alive is not None:
            from bridge.session.idle_pings import IdlePings

            self._pings = IdlePings(state, self._delivery, long_calls.keep_alive, self.session_gone)

    @property
    def restorable(self) -> list[Request]:
        """See `Machine`."""
        return self._handshake.restorable

    def adopt(self, initialize: Request, restorable: list[Request], *, is_initialized: bool) -> None:
        """Take over a host that sent `initialize` elsewhere: its next message opens a session with the same."""
        self._handshake.adopt(initialize, writing.notification(mcp.INITIALIZED) if is_initialized else None, restorable)

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request from the host with this id has no answer yet."""
        return id_ in self._calls

    def _dispatch(self, event: Event) -> None:
        if self._pings is not None and not isinstance(event, TimerFired):
            self._pings.note_traffic()
        if self._state.take(event):
            return
        match event:
            case HostMessage():
                self._prepare(event.message)
                self._host_message(event.message, None)
            case HostBatch():
                self._host_batch(event)
            case SignInStarted() | SignInEnded():
                self._on_sign_in(event)
            case SystemResumed():
                self._state.commands.append(DropConnections())
                self._get_stream.refresh()
                if self._pings is not None:
                    self._pings.start()
            case NeverConnected():
                self._on_never_connected(event)
            case HostClosed():
                self._close()

    # -- the host

    def _prepare(self, message: Message) -> None:
        """Begin to open the session or the stream that this message needs, if there is none."""
        if self._transport == "sse" and self._state.endpoint is None and not self._older.is_connecting:
            self._gate.close()
            self._older.connect()
        elif self._handshake.is_broken and not (isinstance(message, Request) and message.method == mcp.INITIALIZE):
            self._handshake.reopen()

    def _host_message(self, message: Message, batch: Batch | None) -> None:
        match message:
            case Request():
                self._host_request(message, batch)
            case Response():
                if self._delivery.is_awaited(message):
                    self._oneway.submit(message)
            case Notification(method=mcp.INITIALIZED):
                self._handshake.host_initialized(message)
            case Notification():
                if message.method == mcp.CANCELLED:
                    self._cancel(messages.cancelled_request(message.params))
                self._oneway.submit(message)

    def _cancel(self, id_: RequestId | None) -> None:
        if call := self._calls.get(id_):
            self._delivery.withdraw(call)

    def _host_request(self, request: Request, batch: Batch | None) -> None:
        refusal = self._refusal(request, is_in_batch=batch is not None)
        if refusal is not None:
            self._refuse(refusal, batch)
            return
        if request.method == mcp.INITIALIZE:
            self._get_stream.stop()
            self._handshake.host_initialize(request)
        call = self._calls.enter(request, batch)
        self._deadlines.start(call)
        self._requests.submit(call)

    def _refusal(self, request: Request, *, is_in_batch: bool) -> bytes | None:
        """The error for a request that cannot be sent; None for any other."""
        if request.id in self._calls:
            return faults.duplicate_id(request.raw_id)
        if is_in_batch and request.method == mcp.INITIALIZE:
            return faults.bad_input(request.raw_id, "initialize must not be part of a batch.")
        if self._calls.is_full:
            return faults.too_many(len(self._calls)).error_line(request.raw_id, self._state.url)
        return None

    def _refuse(self, line: bytes, batch: Batch | None) -> None:
        whole = line if batch is None else batch.add(line)
        if whole is not None:
            self._state.commands.append(Deliver(whole))

    def _host_batch(self, event: HostBatch) -> None:
        expected = sum(isinstance(message, Request) for message in event.messages)
        batch = Batch(expected, list(event.errors))
        if expected == 0 and (line := batch.line()) is not None:
            self._state.commands.append(Deliver(line))
        for message in event.messages:
            self._prepare(message)
            self._host_message(message, batch)

    def _close(self) -> None:
        """Fail every call, stop every exchange, and end the session at the server."""
        self._closed = True
        state = self._state
        for call in self._calls:
            self._delivery.fail(call, faults.shut_down(state.url, call.trouble))
        for exchange in list(state.exchanges.values()):
            state.abandon(exchange)
        if state.session_id is not None:
            goodbye = Exchange()
            state.commands.append(EndSession(state.begin(goodbye), state.headers()))

    def _on_deadline(self, call: Call, fault: Fault, seconds: float) -> None:
        """Fail a call and cancel it at the server (MCP, Lifecycle, Timeouts)."""
        super()._on_deadline(call, fault, seconds)
        request = call.request
        if request.method != mcp.INITIALIZE:
            reason = msgspec.json.encode(f"no answer within {seconds:g} seconds")
            self._oneway.submit(writing.cancellation(request.raw_id, reason))

    # -- the session

    def outgoing(self, call: Call) -> Outgoing:
        """See `CallPolicy`."""
        request = call.request
        if request.method != mcp.INITIALIZE:
            headers = self._state.headers()
            return Outgoing(
                request.line, headers if self._mismatch is None else headers + self._mismatch.headers(request)
            )
        return Outgoing(request.line, headers_of(request))

    def on_answer(self, call: Call, response: Response) -> Response | None:
        """See `AnswerPolicy`."""
        if response.is_error and call.is_early:
            self._requests.refused_early(call)
            return None
        if response.is_error and self._mends(call, faults.error_code(response.line)):
            return None
        if not response.is_error and call.request.method == mcp.TOOLS_LIST:
            self._calls.learn_tools(messages.repeatable_tools(response.result))
            if self._mismatch is not None:
                self._mismatch.learn(response.result)
        self._handshake.on_answer(call, response)
        return response

    def on_notification(self, note: Notification) -> None:
        """See `AnswerPolicy`: there is no cache that a notification could make invalid."""

    def on_unmatched(self, response: Response) -> bool:
        """See `AnswerPolicy`."""
        is_pong = self._pings is not None and self._pings.takes(response)
        return is_pong or self._handshake.take_unmatched(response)

    def _mends(self, call: Call, code: int | None) -> bool:
        """Send a call again whose headers the server misses, once; returns whether it is."""
        is_missed = code == mcp.HEADER_MISMATCH and call.request.method != mcp.INITIALIZE and not call.is_mended
        if not (is_missed and self._mends_headers and self._state.endpoint is None):
            return False
        if self._mismatch is None:
            from bridge.session.header_mismatch import HeaderMismatch  # Few servers of this era compare headers.

            self._mismatch = HeaderMismatch(self._state, self._delivery, self._again)
        call.is_mended = True
        exchange, call.exchange = call.exchange, None
        self._state.drain(exchange)
        self._mismatch.mend(call)
        return True

    def _again(self, call: Call) -> None:
        if self._calls.is_open(call):
            call.cursor.rewind()
            self._requests.submit(call)

    def _opened(self, go: Callable[[], None]) -> None:
        if self._pings is not None:
            self._pings.start()
        listens = self._transport != "sse" and self._handshake.is_complete
        if listens and self._listens_first:
            self._get_stream.start(go)
            return
        go()
        if listens:
            self._get_stream.start()

    def session_gone(self, generation: int) -> None:
        """See `CallPolicy`."""
        if generation == self._state.generation:
            self._get_stream.stop()
            self._handshake.interrupt()
            self._state.forget_session()
            self._handshake.reopen()

    # -- the older transport

    @property
    def _older(self) -> HttpSse:
        if self._legacy is None:
            from bridge.session.http_sse import HttpSse  # Only old servers need it.

            self._legacy = HttpSse(self._state, self._delivery, self)
        return self._legacy

    def may_answer_elsewhere(self) -> bool:
        """See `CallPolicy`."""
        return self._state.endpoint is not None or self._get_stream.is_open

    def rescue(self, call: Call, fault: Fault) -> bool:
        """See `CallPolicy`: the server may miss headers, or know only the older transport."""
        if self._mends(call, fault.code):
            return True
        if self._transport != "auto" or not response_kind.may_be_legacy(call.request, fault.status, fault.code):
            return False
        self._gate.close()
        self._requests.submit(call)
        self._older.connect(instead_of=fault)
        return True

    def sse_connected(self) -> None:
        """See `http_sse.SseOwner`."""
        self._transport = "sse"
        if self._handshake.is_answered:
            self._handshake.reopen()
        else:
            self._gate.open()

    def sse_lost(self, reason: str) -> None:
        """See `http_sse.SseOwner`."""
        lost = [call for call in self._calls if call.exchange is not None]
        self._handshake.interrupt()
        self._state.forget_session()
        self._gate.close()
        for call in lost:
            self._state.abandon(call.exchange)
            self._requests.lost(call, reason)
        self._older.reconnect()

    def sse_failed(self, fault: Fault) -> None:
        """See `http_sse.SseOwner`."""
        self._handshake.interrupt()
        self._gate.refuse(fault)
