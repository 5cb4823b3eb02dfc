"""The transport before Streamable HTTP (MCP 2024-11-05, HTTP with SSE).

One GET stream carries all messages from the server. Its first event, `endpoint`, names the URL for POSTs. The stream is
the session: when it ends, the calls in progress are lost and a new session has to be opened.
"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from bridge.errors import ErrorKind
from bridge.protocol.sanitize import address
from bridge.session import reconnect_delay
from bridge.session.commands import OpenStream
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, Cause, EventReceived, ExchangeFailed, StreamClosed
from bridge.session.faults import Fault, refused
from bridge.session.session_state import Exchange, SessionState
from bridge.session.timers import LIMIT_EXTENSION

_ENDPOINT_SECONDS = 10.0
_MOST_REPORTED = 2
"""How many hasty streams in a row are reported in the log."""
_URL = re.compile(r"[\x21-\x7e]+")


class SseOwner(Protocol):
    """Is told what becomes of the stream."""

    def sse_connected(self) -> None:
        """There is an endpoint to post to."""

    def sse_lost(self, reason: str) -> None:
        """The stream ended, and with it the session."""

    def sse_failed(self, fault: Fault) -> None:
        """There will be no stream."""


class HttpSse:
    """Opens the stream and reads it. `is_connecting`: it is being opened, and the owner will hear the result."""

    def __init__(self, state: SessionState, delivery: Delivery, owner: SseOwner) -> None:
        self._state = state
        self._delivery = delivery
        self._owner = owner
        self._stream: HttpSseStream | None = None
        self._fault: Fault | None = None
        self._attempts = 0
        self._retry_until = 0.0
        self._opened_at = 0.0
        self._hasty = 0
        self._wished: float | None = None
        self.is_connecting = False
        self._pause = state.timers.new("legacy", self.open)
        self._endpoint_limit = state.timers.new("endpoint", self._endpoint_is_late, extension=LIMIT_EXTENSION)

    def connect(self, instead_of: Fault | None = None) -> None:
        """Open the stream. `instead_of`: the fault of another transport, which the owner gets if this one fails too."""
        self._fault = instead_of
        self.is_connecting = True
        self._attempts = 0
        self._retry_until = self._state.now + self._state.retry_window
        self.open()

    def reconnect(self) -> None:
        """Reopen a stream that was open; after a pause if such streams end at once (`reconnect_delay`)."""
        lasted = self._state.now - self._opened_at
        self._hasty = 0 if lasted >= reconnect_delay.AT_ONCE else self._hasty + 1
        pause = reconnect_delay.before_reconnecting(self._hasty, self._wished)
        if not pause.seconds:
            self.connect()
            return
        self._fault = None
        self.is_connecting = True
        self._attempts = 0
        self._retry_until = self._state.now + pause.seconds + self._state.retry_window
        self._pause.start(pause.seconds, pause.spread)
        if self._hasty <= _MOST_REPORTED:
            self._state.report("info", f"the stream from {self._state.url} ended; reopening it {pause}")

    def open(self) -> None:
        """GET the stream."""
        self._stream = HttpSseStream(self)
        self._state.commands.append(OpenStream(self._state.begin(self._stream), self._state.headers()))
        self._endpoint_limit.start(_ENDPOINT_SECONDS)

    def stop(self) -> None:
        """Close the stream."""
        self._endpoint_limit.stop()
        self._state.abandon(self._stream)
        self._stream = None

    def _endpoint_is_late(self) -> None:
        self.stop()
        self._give_up(
            Fault(ErrorKind.NO_ANSWER, f"{self._state.url} opened a stream but named no endpoint to post to.")
        )

    def take(self, event: EventReceived) -> None:
        """An event came on the stream."""
        if event.event.retry is not None:
            self._wished = event.event.retry / 1000
        if event.event.type == b"endpoint":
            self._take_endpoint(bytes(event.event.data or b""))
        elif event.event.data is not None and event.event.type == b"message":
            self._delivery.take(event.event.data)

    def ended(self, reason: str) -> None:
        """The stream is over."""
        self._endpoint_limit.stop()
        self._stream = None
        if self._state.endpoint is not None:
            self._state.endpoint = None
            self._owner.sse_lost(reason)
        else:
            self.again(Fault(ErrorKind.UNREACHABLE, reason))

    def again(self, fault: Fault) -> None:
        """The stream did not open: try again within the retry window, unless another transport failed before."""
        self._attempts += 1
        pause = reconnect_delay.UNANSWERED.before(self._attempts)
        if self._fault is not None or self._state.now + pause > self._retry_until:
            self._give_up(fault)
        else:
            if self._attempts == 1:
                self._state.report("warning", f"{fault.message} Trying again.")
            self._pause.start(pause, spread=0.5)

    def refused(self, event: BodyReceived) -> None:
        """The server answered, but with no stream."""
        self._endpoint_limit.stop()
        fault = refused(self._state.url, event.status, event.body)
        if event.status >= 500 or event.status == 429:
            self.again(fault)
        else:
            self._give_up(fault)

    def failed(self, event: ExchangeFailed) -> None:
        """The request failed."""
        self._endpoint_limit.stop()
        kind = ErrorKind.UNAUTHORIZED if event.cause is Cause.UNAUTHORIZED else ErrorKind.UNREACHABLE
        fault = Fault(kind, event.message, event.hint)
        if event.cause in {Cause.UNREACHABLE, Cause.LOST}:
            self.again(fault)
        else:
            self._give_up(fault)

    def _take_endpoint(self, data: bytes) -> None:
        self._endpoint_limit.stop()
        url = self._state.url
        endpoint = _resolve(url, data)
        if endpoint is None and self._state.endpoint is not None:
            self.stop()
            self.ended("the server named an endpoint of another origin")
            return
        if endpoint is None:
            self.stop()
            named = address(data.decode("utf-8", "replace"))
            self._give_up(
                Fault(
                    ErrorKind.REDIRECT,
                    f"{url} asks for messages to be sent to another origin, {named}, which the bridge does not allow.",
                    "This is a fault in the server, or the server knows itself by another URL than the one you gave.",
                )
            )
            return
        first = self._state.endpoint is None
        self._state.endpoint = endpoint
        self._fault = None
        self.is_connecting = False
        self._opened_at = self._state.now
        if first:
            self._owner.sse_connected()

    def _give_up(self, fault: Fault) -> None:
        self.is_connecting = False
        self._owner.sse_failed(self._fault or fault)


class HttpSseStream(Exchange):
    """The GET stream."""

    def __init__(self, legacy: HttpSse) -> None:
        self._legacy = legacy

    def on_event(self, event: EventReceived) -> None:
        self._legacy.take(event)

    def on_closed(self, event: StreamClosed) -> None:
        self._legacy.ended(event.reason)

    def on_body(self, event: BodyReceived) -> None:
        self._legacy.refused(event)

    def on_failed(self, event: ExchangeFailed) -> None:
        self._legacy.failed(event)


def _resolve(url: str, data: bytes) -> str | None:
    """The URL that an `endpoint` event names, or None if it is not of the same origin."""
    try:
        endpoint = urljoin(url, data.decode("ascii").strip())
        same = _origin(endpoint) == _origin(url)
    except ValueError:
        return None
    return endpoint if same and _URL.fullmatch(endpoint) else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return (parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme))
