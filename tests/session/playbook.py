"""A session on paper: say what happens, look at what it wants done.

A step returns the commands that it caused, in order, without those for the log; these are in `reports`. The playbook
knows which exchanges and timers are open, and refuses steps and commands about others.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import msgspec

from bridge.protocol.sse import ServerSentEvent
from bridge.session.commands import (
    Abandon,
    CancelTimer,
    Command,
    Deliver,
    DrainStream,
    EndSession,
    FindResponse,
    Headers,
    OpenStream,
    Post,
    Report,
    SendToHost,
    SetTimer,
)
from bridge.session.events import (
    BodyReceived,
    Cause,
    Event,
    EventReceived,
    ExchangeFailed,
    HostBatch,
    HostClosed,
    HostMessage,
    ResponseStarted,
    StreamClosed,
    SystemResumed,
    TimerFired,
    TimerKey,
)
from bridge.session.host_input import read_line
from bridge.session.session import Session, Transport
from bridge.session.session_state import UPSTREAM_NUMBERS

URL = "https://mcp.example/mcp"
SID = b"session-one"
VERSION = "2025-06-18"
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


def _line(**members: object) -> bytes:
    kept = {name: value for name, value in members.items() if value is not None}
    return msgspec.json.encode({"jsonrpc": "2.0", **kept})


def request(id_: object, method: str = "ping", params: object = None) -> bytes:
    """A request's line."""
    return _line(id=id_, method=method, params=params)


def notification(method: str, params: object = None) -> bytes:
    """A notification's line."""
    return _line(method=method, params=params)


def result(id_: object, value: object = None) -> bytes:
    """The line of a good answer."""
    return _line(id=id_, result={} if value is None else value)


def error(id_: object, message: str, code: int = -32603) -> bytes:
    """The line of an error that a server sends."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": message}})


def tool_call(id_: object, name: str = "pay") -> bytes:
    """A call of a tool that nothing is known about."""
    return request(id_, "tools/call", {"name": name})


def cancelled(id_: object) -> bytes:
    """The host cancels its request."""
    return notification("notifications/cancelled", {"requestId": id_})


INITIALIZE = request(0, "initialize", {"protocolVersion": VERSION})


def session_headers(
    session_id: bytes | None = SID, version: str = VERSION, last_event_id: bytes | None = None
) -> Headers:
    """What requests of a session carry."""
    headers = [] if session_id is None else [(b"mcp-session-id", session_id)]
    headers.append((b"mcp-protocol-version", version.encode()))
    if last_event_id is not None:
        headers.append((b"last-event-id", last_event_id))
    return tuple(headers)


def fault(command: Command) -> dict[str, Any]:
    """An error of the bridge's own to one request: its `id`, `kind` and `message`."""
    assert isinstance(command, SendToHost), command
    answer = msgspec.json.decode(command.line)
    said = answer["error"]
    assert said["data"]["source"] == "mcp-remote-bridge"
    return {"id": answer["id"], "code": said["code"], "message": said["message"], **said["data"]}


class Machine(Protocol):
    """What takes events and gives commands."""

    @property
    def busy(self) -> bool: ...

    def handle(self, event: Event, now: float) -> list[Command]: ...


class Playbook:
    """One session with a clock that only the test moves."""

    def __init__(
        self, transport: Transport = "http", retry_window: float = 30.0, request_timeout: float | None = None
    ) -> None:
        self.session: Machine = self.machine(transport, retry_window, request_timeout)
        self.now = 1000.0
        self.exchanges: dict[int, Post | OpenStream | EndSession] = {}
        self.lookups: dict[int, FindResponse] = {}
        self.settled: set[int] = set()
        self.timers: dict[TimerKey, SetTimer] = {}
        self.reports: list[Report] = []
        self._last_exchange: dict[int, int] = {}

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        """What is tried out; a subclass may choose another."""
        return Session(URL, transport, retry_window, request_timeout)

    # -- the host

    def host(self, line: bytes) -> list[Command]:
        """The host writes a line that is a message or a batch."""
        event = read_line(line)
        assert isinstance(event, HostMessage | HostBatch), event
        return self.on(event)

    def host_closes(self) -> list[Command]:
        return self.on(HostClosed())

    # -- the server; `exchange` is the number in the command that began it

    def starts(self, exchange: int, session_id: bytes | None = None, *, status: int = 200) -> list[Command]:
        """The head of a response that streams."""
        return self._at(ResponseStarted(exchange, status, session_id, streams=True))

    def sends(
        self, exchange: int, data: bytes | None = None, *, id_: bytes | None = None, retry: int | None = None
    ) -> list[Command]:
        """An event on a stream."""
        return self._at(EventReceived(exchange, ServerSentEvent(b"message", data, id_, retry)))

    def names_endpoint(self, exchange: int, endpoint: bytes) -> list[Command]:
        """The first event of the transport of 2024-11-05."""
        return self._at(EventReceived(exchange, ServerSentEvent(b"endpoint", endpoint)))

    def closes(self, exchange: int, reason: str = "the server closed it") -> list[Command]:
        """A stream ends."""
        return self._over(StreamClosed(exchange, reason))

    def answers(
        self,
        exchange: int,
        body: bytes = b"",
        *,
        status: int = 200,
        session_id: bytes | None = None,
        retry_after: float | None = None,
    ) -> list[Command]:
        """A response that does not stream."""
        head = self._at(ResponseStarted(exchange, status, session_id, streams=False))
        return head + self._over(BodyReceived(exchange, status, b"application/json", body, retry_after))

    def fails(
        self, exchange: int, cause: Cause, *, sent: bool = True, message: str = "It broke.", definite: bool = False
    ) -> list[Command]:
        """An exchange comes to nothing."""
        return self._over(ExchangeFailed(exchange, cause, sent, message, definite=definite))

    # -- time

    def passes(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.now += seconds

    def fires(self, purpose: str, number: int = 0) -> list[Command]:
        """A timer's full time passes and it fires."""
        self.now += self.timers[purpose, number].seconds
        return self.on(TimerFired((purpose, number)))

    def wakes(self) -> list[Command]:
        """The machine slept."""
        return self.on(SystemResumed(600.0))

    # -- whole chapters

    def opened(self, session_id: bytes | None = SID, version: str = VERSION, *, initialize: bytes = INITIALIZE) -> Self:
        """The handshake over Streamable HTTP; the server offers no standing stream."""
        stream = self.listening(session_id, version, initialize=initialize, starts=False)
        assert self.answers(stream, status=405) == []
        assert not self.exchanges
        assert not [key for key in self.timers if key[0] not in {"deadline", "ping"}]
        return self

    def listening(
        self,
        session_id: bytes | None = SID,
        version: str = VERSION,
        *,
        initialize: bytes = INITIALIZE,
        starts: bool = True,
    ) -> int:
        """The handshake, up to the standing stream, whose number is returned."""
        (post,) = self.posts(self.host(initialize))
        answer = result(msgspec.json.decode(initialize)["id"], {"protocolVersion": version})
        assert SendToHost(answer) in self.answers(post.exchange, answer, session_id=session_id)
        (post,) = self.posts(self.host(INITIALIZED))
        (stream,) = self.streams(self.answers(post.exchange, status=202))
        if starts:
            assert self.starts(stream.exchange) == []
        return stream.exchange

    # -- what was wanted

    @staticmethod
    def posts(commands: list[Command]) -> list[Post]:
        return [command for command in commands if isinstance(command, Post)]

    @staticmethod
    def streams(commands: list[Command]) -> list[OpenStream]:
        return [command for command in commands if isinstance(command, OpenStream)]

    @staticmethod
    def told(commands: list[Command]) -> list[SendToHost]:
        return [command for command in commands if isinstance(command, SendToHost)]

    def on(self, event: Event) -> list[Command]:
        """Any event."""
        if isinstance(event, TimerFired):
            del self.timers[event.timer]
        commands: list[Command] = []
        for command in self.session.handle(event, self.now):
            self._note(command)
            if isinstance(command, Report):
                self.reports.append(command)
            elif isinstance(command, Deliver):
                commands.append(SendToHost(command.line))
            else:
                commands.append(command)
        return commands

    def _at(self, event: ResponseStarted | EventReceived) -> list[Command]:
        assert event.exchange in self.exchanges, f"{event.exchange} is not open: {self.exchanges}"
        return self.on(event)

    def _over(self, event: BodyReceived | StreamClosed | ExchangeFailed) -> list[Command]:
        del self.exchanges[event.exchange]
        return self.on(event)

    def _note(self, command: Command) -> None:
        if isinstance(command, Post | OpenStream | EndSession | FindResponse):
            upstream, number = divmod(command.exchange, UPSTREAM_NUMBERS)
            assert number == self._last_exchange.get(upstream, 0) + 1, "exchanges are numbered one by one"
            self._last_exchange[upstream] = number
            if isinstance(command, FindResponse):
                self.lookups[command.exchange] = command
            else:
                self.exchanges[command.exchange] = command
        elif isinstance(command, Abandon):
            if self.lookups.pop(command.exchange, None) is None:
                del self.exchanges[command.exchange]
        elif isinstance(command, DrainStream):
            assert command.exchange in self.exchanges or command.exchange in self.lookups
            self.settled.add(command.exchange)
        elif isinstance(command, SetTimer):
            assert command.seconds >= 0
            assert 0 <= command.spread <= 1
            self.timers[command.timer] = command
        elif isinstance(command, CancelTimer):
            del self.timers[command.timer]
