"""What the machines for a server of either era have in common: events in, commands out, and the calls under way."""

from __future__ import annotations

import abc

from bridge.session.answers import Answers
from bridge.session.calls import Calls
from bridge.session.commands import Command
from bridge.session.events import Event, NeverConnected, SignInEnded, SignInStarted
from bridge.session.faults import Fault
from bridge.session.ledger import Ledger


class ServerMachine(abc.ABC):
    """Takes events until it is closed. `_signing_in`: a person is being asked, and nothing is given up meanwhile."""

    def __init__(self, ledger: Ledger, calls: Calls) -> None:
        self._ledger = ledger
        self._calls = calls
        self._closed = False
        self._signing_in = False

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer; a subscription has none to wait for."""
        return len(self._calls) > 0

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        ledger = self._ledger
        ledger.now = now
        if not self._closed:
            self._dispatch(event)
        commands, ledger.commands = ledger.commands, []
        return commands

    @abc.abstractmethod
    def _dispatch(self, event: Event) -> None:
        """Act on an event."""

    def _on_never_connected(self, event: NeverConnected, answers: Answers) -> None:
        """Answer what waits: the host would not wait any longer. What was not sent yet is not sent any more."""
        for call in self._calls:
            exchange = call.exchange
            answers.fail(call, Fault("unreachable", event.message, event.hint))
            self._ledger.abandon(exchange)

    def _on_sign_in(self, event: SignInStarted | SignInEnded) -> None:
        self._signing_in = isinstance(event, SignInStarted)
        for call in self._calls:
            call.sent_at = self._ledger.now  # The person's time is not the server's.
