"""What the parts of a machine share: its commands, its exchanges and timers in progress, and its session."""

from __future__ import annotations

from collections.abc import Callable

from bridge import PROGRAM
from bridge.protocol import mcp
from bridge.session.commands import Abandon, Command, DrainStream, Headers, Report
from bridge.session.events import (
    BodyReceived,
    Event,
    EventReceived,
    ExchangeEvent,
    ExchangeFailed,
    ResponseFound,
    ResponseStarted,
    StreamClosed,
    TimerFired,
)
from bridge.session.timers import Timers

UPSTREAM_NUMBERS = 10**9
"""The exchanges and timers of upstream n are numbered from n times this."""

_FRESH_ID = f'"{PROGRAM}/%d"'.encode()


class Exchange:
    """One HTTP request in progress, and what to do with its response. Each purpose has a subclass.

    The look for a cached answer is an exchange too, although it sends nothing.

    `number` is 0 until the exchange has begun. `generation` numbers the session that it was sent in.
    """

    number = 0
    generation = 0

    def take(self, event: ExchangeEvent) -> None:
        """Call the method for an event."""
        match event:
            case EventReceived():
                self.on_event(event)
            case ResponseStarted():
                self.on_started(event)
            case BodyReceived():
                self.on_body(event)
            case StreamClosed():
                self.on_closed(event)
            case ExchangeFailed():
                self.on_failed(event)
            case ResponseFound():
                self.on_found(event)

    def on_started(self, event: ResponseStarted) -> None:
        """The head of the response came."""

    def on_event(self, event: EventReceived) -> None:
        """An event came on the response."""

    def on_body(self, event: BodyReceived) -> None:
        """The response is complete; the exchange is over."""

    def on_closed(self, event: StreamClosed) -> None:
        """The stream of the response ended; the exchange is over."""

    def on_failed(self, event: ExchangeFailed) -> None:
        """There is no response; the exchange is over."""

    def on_found(self, event: ResponseFound) -> None:
        """The look into the cache is over, and so is the exchange."""


class SessionState:
    """The shared state. `now` is the time of the event being handled, in seconds of a monotonic clock.

    `retry_window`: for how many seconds the bridge tries to reach the server. `redact` removes secrets from a text,
    because a server may quote in an error what it was sent. `upstream` is the number of the upstream that the machine
    belongs to; the numbers of its exchanges and timers contain it.
    """

    def __init__(self, url: str, retry_window: float, redact: Callable[[str], str] = str, upstream: int = 0) -> None:
        self.url = url
        self.retry_window = retry_window
        self._upstream = upstream
        self.redact = redact
        self.now = 0.0
        self.commands: list[Command] = []
        self.exchanges: dict[int, Exchange] = {}
        self.session_id: bytes | None = None
        self.version: str | None = None
        self.generation = 1
        self.endpoint: str | None = None
        self._last_exchange = 0
        self._last_id = 0
        self.timers = Timers(self.do, upstream * UPSTREAM_NUMBERS)

    def begin(self, exchange: Exchange) -> int:
        """Begin an exchange, and return its number."""
        self._last_exchange += 1
        exchange.number = self._outer(self._last_exchange)
        exchange.generation = self.generation
        self.exchanges[exchange.number] = exchange
        return exchange.number

    def take(self, event: Event) -> bool:
        """Give the event of an exchange or a timer to that object. Returns False for any other event."""
        match event:
            case EventReceived() | ResponseStarted():
                exchange = self.exchanges.get(event.exchange)
            case BodyReceived() | StreamClosed() | ExchangeFailed() | ResponseFound():
                exchange = self.exchanges.pop(event.exchange, None)
            case TimerFired():
                self.timers.fire(event.timer)
                return True
            case _:
                return False
        if exchange is not None:
            exchange.take(event)
        return True

    def abandon(self, exchange: Exchange | None) -> None:
        """Stop an exchange, if it is still in progress."""
        if exchange and self.exchanges.pop(exchange.number, None):
            self.commands.append(Abandon(exchange.number))

    def drain(self, exchange: Exchange | None) -> None:
        """Expect nothing more from an exchange, if it is still in progress."""
        if exchange and exchange.number in self.exchanges:
            self.commands.append(DrainStream(exchange.number))

    def was_in_session(self, exchange: Exchange) -> bool:
        """Whether an exchange carried a session id."""
        return self.session_id is not None or exchange.generation != self.generation

    def headers(self, last_event_id: bytes | None = None) -> Headers:
        """The MCP headers of a request in this session (MCP 2025-06-18, Streamable HTTP)."""
        headers: list[tuple[bytes, bytes]] = []
        if self.session_id is not None:
            headers.append((mcp.SESSION_ID, self.session_id))
        if self.version is not None:
            headers.append((mcp.PROTOCOL_VERSION, self.version.encode()))
        if last_event_id:
            headers.append((mcp.LAST_EVENT_ID, last_event_id))
        return tuple(headers)

    def forget_session(self) -> None:
        """Begin a new generation, without session id, version or endpoint."""
        self.session_id = None
        self.version = None
        self.endpoint = None
        self.generation += 1

    def fresh_id(self) -> bytes:
        """A new id, as JSON, for a request that the bridge itself makes."""
        self._last_id += 1
        return _FRESH_ID % self._last_id

    def do(self, command: Command) -> None:
        """Issue a command."""
        self.commands.append(command)

    def _outer(self, number: int) -> int:
        return self._upstream * UPSTREAM_NUMBERS + number

    def report(self, level: str, text: str) -> None:
        """Write to the log."""
        self.commands.append(Report(level, text))
