"""How long the first requests of a host wait for a connection to a server that was not reached yet in this run.

A host waits 3 to 75 seconds for the answer to its first request (`protocol/hosts`). If the bridge is silent for longer,
the host shows "timed out" and ignores any better explanation. So until the first connection is open:

| what happens | the waiting requests fail | what follows |
|---|---|---|
| a definite failure: connection refused, unknown host name, certificate | at once | nothing |
| a failure that may pass: no network, no route | after `FIRST_SECONDS` | the bridge keeps trying to connect |
| nothing: the connection hangs | after `FIRST_SECONDS`, with what the bridge is waiting for | the same |
| a connection is opened | no: the server answers them; from now on `retry_window` holds | |

A host that tries again uses the connection that was opened in the meantime. If there is none, the same table applies to
its new request, and the error names the newest failure.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from bridge.errors import ErrorKind
from bridge.protocol import client_meta
from bridge.protocol.backoff import Backoff
from bridge.protocol.hosts import host_named
from bridge.protocol.jsonrpc import Request
from bridge.session.commands import Connect, Report
from bridge.session.events import (
    BodyReceived,
    Cause,
    ConnectDelayed,
    Connected,
    ConnectFailed,
    Event,
    ExchangeFailed,
    HostBatch,
    HostClosed,
    HostMessage,
    NeverConnected,
    ResponseStarted,
    SignInStarted,
)
from bridge.session.faults import Fault, not_connected
from bridge.session.upstream import RouterContext

FIRST_SECONDS = 4.0
"""How long the host's requests wait for the first connection; less if the host is known to time out earlier."""

_PAUSES = Backoff(0.5, 5.0)


class Waiters(Protocol):
    """What waits for the first connection."""

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""

    def never_connected(self, event: NeverConnected) -> None:
        """Fail every request that waits, with the message of the event."""


class FirstContact:
    """Watches the events of a run until the first connection; `is_over` from then on. `retry_window` in seconds."""

    def __init__(self, context: RouterContext, retry_window: float, waiters: Waiters) -> None:
        self.is_over = False
        self._context = context
        self._retry_window = retry_window
        self._waiters = waiters
        self._limit = context.timers.new("first-contact", self._on_limit)
        self._pause = context.timers.new("first-contact/retry", self._try_again)
        self._seconds = FIRST_SECONDS
        self._failure: Fault | None = None
        self._has_failed = False
        self._is_trying = False
        self._attempts = 0
        self._tries_until = 0.0

    def before(self, event: Event) -> Event:
        """Look at an event before the machines get it; return the event that they get instead."""
        match event:
            case ExchangeFailed():
                return self._failed(event)
            case Connected() | ResponseStarted() | BodyReceived() | SignInStarted():
                self._contact()
            case ConnectFailed():
                self._try_later(event)
            case ConnectDelayed():
                self._failure = Fault(ErrorKind.UNREACHABLE, event.message, event.hint)
            case HostClosed():
                self.is_over = True
        return event

    def after(self, event: Event) -> None:
        """Look at an event after the machines got it: the time runs while the host waits."""
        if isinstance(event, HostMessage | HostBatch) and not self._limit.is_running and self._waiters.busy:
            self._failure = None  # An earlier failure may not be the reason why this connection takes long.
            self._seconds = _first_seconds(event)
            self._limit.start(self._seconds)
        elif not self._waiters.busy:
            self._limit.stop()

    def _contact(self) -> None:
        self.is_over = True
        self._limit.stop()
        self._pause.stop()
        if self._has_failed:
            self._context.do(Report("info", f"{self._context.url} can be reached now"))

    def _failed(self, event: ExchangeFailed) -> ExchangeFailed:
        if event.cause is Cause.UNREACHABLE:
            self._fail_with(event)
            # A definite failure is not tried again: for the machines it is one that will not pass.
            return msgspec.structs.replace(event, cause=Cause.UNTRUSTED) if event.definite else event
        if event.cause is not Cause.UNTRUSTED:
            self._contact()  # The server was reached, even though the exchange failed.
        return event

    def _fail_with(self, event: ExchangeFailed | ConnectFailed) -> None:
        """Note why there is no connection, for the error that the host gets when its time is over."""
        self._failure = Fault(ErrorKind.UNREACHABLE, event.message, event.hint)
        self._has_failed = True

    def _on_limit(self) -> None:
        """The host has waited long enough."""
        fault = self._failure or not_connected(self._context.url, self._seconds)
        self._has_failed = True
        if self._waiters.busy:
            self._waiters.never_connected(NeverConnected(fault.message, fault.hint))
        if not self._is_trying:
            self._is_trying = True
            self._attempts = 0
            self._tries_until = self._context.now + self._retry_window
            self._context.do(Connect())

    def _try_again(self) -> None:
        self._context.do(Connect())

    def _try_later(self, event: ConnectFailed) -> None:
        """The bridge could not open a connection by itself: try again within the retry window, if that can help."""
        self._fail_with(event)
        self._attempts += 1
        pause = _PAUSES.before(self._attempts)
        if event.definite or self._context.now + pause > self._tries_until:
            self._is_trying = False
        else:
            self._pause.start(pause, spread=0.5)


def _first_seconds(event: HostMessage | HostBatch) -> float:
    """How long the host that sent this event may be kept waiting, in seconds."""
    message = event.message if isinstance(event, HostMessage) else None
    if not isinstance(message, Request):
        return FIRST_SECONDS
    host = host_named(client_meta.asking_program(message.method, message.params))
    return min(FIRST_SECONDS, host.answer_by or FIRST_SECONDS)
