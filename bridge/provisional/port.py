"""What every part of this room can do: speak to the host, pass events on to `HostRouter`, and set timers."""

from __future__ import annotations

from typing import Protocol

from bridge.protocol.jsonrpc import Octets
from bridge.provisional.pending import Awaiting
from bridge.session.commands import Command
from bridge.session.events import Event
from bridge.session.timers import Timers


class ProvisionalPort(Protocol):
    """What a part of this room can do. `ProvisionalServer` implements it."""

    timers: Timers

    @property
    def awaiting(self) -> Awaiting:
        """Tells which requests have no answer yet."""

    def do(self, command: Command) -> None:
        """Issue a command."""

    def tell(self, *lines: Octets) -> None:
        """Send lines to the host."""

    def pass_on(self, event: Event) -> None:
        """Hand an event to `HostRouter`; its messages for the host pass `ResponseFilter`, while that is needed."""

    def redact(self, text: str, /) -> str:
        """Take secrets out of a text."""

    def fresh(self) -> str:
        """Return a text that cannot be guessed."""
