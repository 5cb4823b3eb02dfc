"""How a session is opened, and reopened without the host noticing (MCP, Lifecycle; Session Management, 4).

The bridge stores the host's `initialize` and `notifications/initialized` and replays them, and then restores the log
level and the resource subscriptions. Until that is done, the gate is closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bridge.protocol import client_meta, mcp, messages
from bridge.protocol.headers import request_headers
from bridge.protocol.jsonrpc import Notification, Octets, Request, Response
from bridge.protocol.sanitize import said
from bridge.session import faults, reconnect_delay, response_kind
from bridge.session.calls import Call
from bridge.session.commands import Headers, Post
from bridge.session.delivery import Delivery
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from bridge.session.gate import Gate
from bridge.session.oneway import OneWayMessages
from bridge.session.response_kind import ResponseKind
from bridge.session.session_state import Exchange, SessionState
from bridge.session.timers import LIMIT_EXTENSION

_VERSION = re.compile(r"[\x21-\x7e]{1,64}")
_MAX_SUBSCRIPTIONS = 10_000
_INITIALIZED_SECONDS = 5.0


class Handshake:
    """Opens and reopens sessions. `opened(go)` is called when a session is ready for the standing stream.

    `go()` opens the gate. `is_answered`: the server has answered the host's `initialize`. `is_broken`: the session was
    lost, and the last try to reopen it failed.
    """

    def __init__(
        self,
        state: SessionState,
        gate: Gate,
        oneway: OneWayMessages,
        delivery: Delivery,
        opened: Callable[[Callable[[], None]], None],
    ) -> None:
        self.state = state
        self._gate = gate
        self._oneway = oneway
        self._delivery = delivery
        self._opened = opened
        self.is_answered = False
        self.is_broken = False
        self._initialize: Request | None = None
        self._initialized: Notification | None = None
        self._version: str | None = None
        self._awaits_initialized = False
        self._replay: Replay | None = None
        self._set_level: Request | None = None
        self._subscriptions: dict[str, Request] = {}
        self._reopening = False
        self._retry_until = 0.0
        self._attempts = 0
        timers = state.timers
        self._pause = timers.new("reopen", self.replay)
        self._replay_limit = timers.new("replayed", self._replay_is_late, extension=LIMIT_EXTENSION)
        # If the server is slow to take this notification, the other messages are sent all the same.
        self._initialized_limit = timers.new("initialized", self._ready, extension=LIMIT_EXTENSION)

    @property
    def is_complete(self) -> bool:
        """Whether the host has sent `notifications/initialized`."""
        return self._initialized is not None

    def host_initialize(self, request: Request) -> None:
        """The host opens a session, which replaces any earlier one."""
        if self._reopening or self._awaits_initialized:
            self.interrupt()
            self._gate.refuse(faults.session_lost(self.state.url, "the host opened another session in the meantime"))
        if self._initialize is not None:
            self.state.session_id = self.state.version = None
            self.state.generation += 1
        self._initialize = request
        self.is_answered = self.is_broken = False
        self._initialized = self._set_level = None
        self._subscriptions.clear()

    @property
    def restorable(self) -> list[Request]:
        """The host's requests with an effect that lasts as long as the session."""
        return [*([self._set_level] if self._set_level else []), *self._subscriptions.values()]

    def adopt(self, request: Request, note: Notification | None, restorable: list[Request]) -> None:
        """Take over a host that sent these messages elsewhere. Its session is opened when the next message needs it."""
        self._initialize, self._initialized = request, note
        self.is_answered = self.is_broken = True
        for one in restorable:
            self._keep(one)

    def host_initialized(self, note: Notification) -> None:
        """The host ends the handshake. Other messages wait until the server got this one, unless they may go early."""
        self._initialized = note
        if not self._reopening:  # Otherwise it is sent when the replay is answered.
            self._post_initialized(note)

    def on_answer(self, call: Call, response: Response) -> None:
        """Learn from an answer that the host got what has to be replayed."""
        request = call.request
        if response.is_error:
            return
        if request.method == mcp.INITIALIZE:
            self._adopt(call.session_id, response)
        else:
            self._keep(request)

    def _keep(self, request: Request) -> None:
        """Note a request with a lasting effect that the server has granted, to repeat it in the next session."""
        if request.method == mcp.SET_LEVEL:
            self._set_level = request
        elif request.method == mcp.SUBSCRIBE and len(self._subscriptions) < _MAX_SUBSCRIPTIONS:
            self._subscriptions[messages.resource_uri(request.params)] = request
        elif request.method == mcp.UNSUBSCRIBE:
            self._subscriptions.pop(messages.resource_uri(request.params), None)

    def reopen(self) -> None:
        """Reopen the session; all messages wait in the meantime."""
        if self._reopening or self._initialize is None:
            return
        self._reopening = True
        self.is_broken = False
        self._gate.close()
        self._retry_until = self.state.now + self.state.retry_window
        self._attempts = 0
        self._replay_limit.start(self.state.retry_window + _INITIALIZED_SECONDS)
        self.state.report("info", f"{self.state.url} no longer knows the session; opening a new one")
        self.replay()

    def replay(self) -> None:
        """Send the host's `initialize` again."""
        if self._reopening and self._initialize is not None:
            self._replay = Replay(self, self._initialize)
            self.post(self._replay, self._initialize.line, headers_of(self._initialize))

    def post(self, exchange: Exchange, line: Octets, more: Headers = ()) -> None:
        """POST a message of the handshake without waiting at the gate."""
        state = self.state
        number = state.begin(exchange)
        state.commands.append(Post(number, line, state.headers() + more, state.endpoint, urgent=True))

    def replayed(self, session_id: bytes | None, response: Response) -> None:
        """The server answered the replay."""
        if not self._reopening:
            return
        if response.is_error or not self._adopt(session_id, response):
            self.give_up(said(faults.server_words(response.line)) or "its response to initialize is invalid")
        elif self._initialized is None:
            self._ready()
        else:
            self._post_initialized(self._initialized)

    def again(self, reason: str, seconds: float | None = None) -> None:
        """The replay failed: try again within the retry window."""
        if not self._reopening:
            return
        self._attempts += 1
        pause = reconnect_delay.UNANSWERED.before(self._attempts) if seconds is None else seconds
        if self.state.now + pause > self._retry_until:
            self.give_up(reason)
        else:
            self._pause.start(pause, spread=0.5 if seconds is None else 0.0)

    def give_up(self, reason: str, fault: faults.Fault | None = None) -> None:
        """Stop trying. The messages that wait fail with `fault`, or with the reason; the next message tries again."""
        if self._reopening:
            self.interrupt()
            self.is_broken = True
            self._gate.refuse(fault or faults.session_lost(self.state.url, reason))

    def interrupt(self) -> None:
        """Stop opening a session."""
        self._reopening = False
        self._awaits_initialized = False
        self.state.abandon(self._replay)
        self._replay = None
        for timer in (self._pause, self._replay_limit, self._initialized_limit):
            timer.stop()

    def _replay_is_late(self) -> None:
        self.give_up("it did not answer initialize in time")

    def take_unmatched(self, response: Response) -> bool:
        """Take an answer from another stream, if it is the answer to the replay."""
        replay = self._replay
        if replay is None or response.id != replay.request.id:
            return False
        replay.answer(response)
        return True

    def take(self, data: Octets, exchange: Replay) -> None:
        """Read what the server sends in response to the replay."""
        for message in self._delivery.read(data):
            if not isinstance(message, Response):
                self._delivery.deliver(message)
            elif message.id == exchange.request.id:
                exchange.answer(message)

    def _adopt(self, session_id: bytes | None, response: Response) -> bool:
        result = messages.initialize_result(response.result)
        if result is None or not _VERSION.fullmatch(result.protocol_version):
            return False
        state, version = self.state, result.protocol_version
        if self.is_answered and self._version not in {None, version}:
            state.report("warning", f"{state.url} now uses MCP {version}; before it used {self._version}")
        if not self.is_answered:
            state.report("info", f"connected to {state.url} (MCP {version})")
        state.session_id = session_id
        state.version = self._version = version
        self.is_answered = True
        return True

    def _post_initialized(self, note: Notification) -> None:
        self._awaits_initialized = True
        self._gate.close()
        self._oneway.post_past_gate(note, self._ready)
        self._initialized_limit.start(_INITIALIZED_SECONDS)
        if self.state.endpoint is None and not self._reopening:
            self._gate.be_ajar()

    def _ready(self) -> None:
        if self._initialized is not None and not self._awaits_initialized:
            return
        self._awaits_initialized = False
        self._initialized_limit.stop()
        if self._reopening:
            self._reopening = False
            self._replay = None
            self._replay_limit.stop()
            for request in self.restorable:
                self.post(Restoration(self.state), request.line)
        self._opened(self._gate.open)


def headers_of(initialize: Request) -> Headers:
    """The headers of an `initialize` with the metadata of a modern request; none for any other."""
    version = client_meta.meta_version(initialize.params)
    return (request_headers(version, initialize.method, initialize.params) or ()) if version else ()


class Replay(Exchange):
    """The host's `initialize`, sent again by the bridge."""

    def __init__(self, handshake: Handshake, request: Request) -> None:
        self.request = request
        self._handshake = handshake
        self._session_id: bytes | None = None
        self._answered = False

    def answer(self, response: Response) -> None:
        """Take the answer, once."""
        if not self._answered:
            self._answered = True
            self._handshake.replayed(self._session_id, response)

    def on_started(self, event: ResponseStarted) -> None:
        self._session_id = event.session_id

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None:
            self._handshake.take(event.event.data, self)

    def on_closed(self, event: StreamClosed) -> None:
        if not self._answered:
            self._handshake.again(event.reason)

    def on_body(self, event: BodyReceived) -> None:
        handshake = self._handshake
        if handshake.state.endpoint is not None and event.status < 300:
            return  # The answer comes on the stream (MCP 2024-11-05).
        judged = response_kind.judge(event, handshake.state.url, (self.request.id,), in_session=False)
        if judged.kind is ResponseKind.LATER:
            handshake.again(judged.fault.message, judged.seconds)
        elif judged.kind is ResponseKind.READ:
            handshake.take(event.body, self)
            if not self._answered:
                handshake.give_up("it did not answer initialize")
        elif event.status >= 500:
            handshake.again(judged.fault.message)
        elif judged.kind is not ResponseKind.ACCEPTED:
            handshake.give_up(judged.fault.message)

    def on_failed(self, event: ExchangeFailed) -> None:
        if event.cause in {Cause.UNREACHABLE, Cause.LOST}:
            self._handshake.again(event.message)
        elif event.cause is Cause.UNAUTHORIZED:
            fault = faults.Fault(event.cause.kind, event.message, event.hint)
            self._handshake.give_up(event.message, fault)
        else:
            self._handshake.give_up(event.message)


class Restoration(Exchange):
    """A setting of the host, sent again by the bridge; the host got its answer in the old session."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._has_answer = False

    def on_event(self, event: EventReceived) -> None:
        if not self._has_answer and event.event.data is not None:
            self._has_answer = True
            self._state.drain(self)  # Nothing else would end the stream.
