"""How long a host's first requests wait for a connection to a server that was never reached in this run.

A host gives its first request 3 to 75 seconds (`protocol/hosts`). A bridge that is silent for longer is shown as "timed
out", whatever it has to say. So, until the first connection:

| what happens | what waits is answered | what follows |
|---|---|---|
| a definite failure: connection refused, no such name, certificate | at once | nothing |
| a failure that may pass: no network, no route | after `FIRST_SECONDS` | the bridge goes on trying to connect |
| nothing at all: the connection hangs | after `FIRST_SECONDS`, with what is waited for | the same |
| a connection comes about | by the server; from now on `retry_window` holds | |

A host that asks again finds the connection that was opened meanwhile, or is answered by the same table, with what has
happened since it asked.
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
"""How long the host's requests wait for the first connection; less where the host is known to give up before."""

_PAUSES = Backoff(0.5, 5.0)


class Waiters(Protocol):
    """What waits for the first connection."""

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""

    def never_connected(self, event: NeverConnected) -> None:
        """Answer everything that waits with the fault that the event tells of."""


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
        """Look at an event before the machines have it; return what they are to take it for."""
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
        """Look at an event once the machines have had it: the clock runs while the host waits."""
        if isinstance(event, HostMessage | HostBatch) and not self._limit.is_running and self._waiters.busy:
            self._failure = None  # What an earlier try met may be over, and need not be why this one takes long.
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
            # What is definite is not tried again: the machines take it for a failure that will not pass.
            return msgspec.structs.replace(event, cause=Cause.UNTRUSTED) if event.definite else event
        if event.cause is not Cause.UNTRUSTED:
            self._contact()  # The server was reached, whatever came of it.
        return event

    def _fail_with(self, event: ExchangeFailed | ConnectFailed) -> None:
        """Note why there is no connection, for who is asked while the clock runs."""
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
        """A connection of the bridge's own did not come about: again while patience lasts and trying can help."""
        self._fail_with(event)
        self._attempts += 1
        pause = _PAUSES.before(self._attempts)
        if event.definite or self._context.now + pause > self._tries_until:
            self._is_trying = False
        else:
            self._pause.start(pause, spread=0.5)


def _first_seconds(event: HostMessage | HostBatch) -> float:
    """How long the host that sent this may be kept waiting."""
    message = event.message if isinstance(event, HostMessage) else None
    if not isinstance(message, Request):
        return FIRST_SECONDS
    host = host_named(client_meta.asking_program(message.method, message.params))
    return min(FIRST_SECONDS, host.answer_by or FIRST_SECONDS)
