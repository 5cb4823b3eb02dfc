"""The gate: while a session is being opened, whatever wants to go up waits here, in order.

| the gate | because | what goes up |
|---|---|---|
| open | the session is | everything |
| closed | the session is being opened, or opened again | nothing |
| ajar | `notifications/initialized` is on its way | what only looks (`EARLY_METHODS`); the rest waits |

The note is handed over first, and what only looks goes right behind it, on another connection. So a far server costs
one round trip less. The standard has nothing against it, for the server has answered `initialize` (MCP 2025-11-25,
Lifecycle, Initialization), but some servers want the note first, and it may be overtaken. So an error that such an
early request gets is not believed: the request goes once more when the note has arrived, and in this run nothing goes
early any more. HTTP+SSE knows nothing early, nor a session that is opened again, for what it had set up comes first,
nor one whose standing stream has to be there before.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from bridge.protocol import mcp
from bridge.session.faults import Fault

EARLY_METHODS = mcp.LIST_METHODS | {mcp.PING}
"""Requests that a server may be asked twice, and whose answer no note of the host's changes."""


class GateEntry(Protocol):
    """Something on its way up."""

    def go(self) -> None:
        """Be sent."""

    def goes_early(self) -> bool:
        """Be sent through a gate that is ajar, where that does no harm; whether it was."""

    def refuse(self, fault: Fault) -> None:
        """There is no way up."""


class Gate:
    """Lets through what comes while it is open, and holds back the rest. `knows_early`: it may be ajar."""

    def __init__(self, *, knows_early: bool = False) -> None:
        self.knows_early = knows_early
        self._is_open = True
        self._is_ajar = False
        self._held: deque[GateEntry] = deque()

    def submit(self, item: GateEntry) -> None:
        """Send an item as soon as the gate is open."""
        if self._is_open:
            item.go()
        elif not (self._is_ajar and self.knows_early and item.goes_early()):
            self._held.append(item)

    def close(self) -> None:
        """Hold back everything from now on."""
        self._is_open = self._is_ajar = False

    def be_ajar(self) -> None:
        """Let through, of what is held back and what is to come, what may go early."""
        self._is_ajar = True
        if self.knows_early:
            self._held = deque(item for item in self._held if not item.goes_early())

    def open(self) -> None:
        """Send what was held back, unless that closes the gate again."""
        self._is_open, self._is_ajar = True, False
        while self._held and self._is_open:
            self._held.popleft().go()

    def refuse(self, fault: Fault) -> None:
        """Open the gate, but send nothing of what was held back."""
        self._is_open, self._is_ajar = True, False
        held, self._held = self._held, deque()
        for item in held:
            item.refuse(fault)
