"""The gate: while a session is being opened, messages to the server wait here in order.

| the gate | because | what is sent |
|---|---|---|
| open | the session is open | everything |
| closed | the session is being opened or reopened | nothing |
| ajar | `notifications/initialized` is being sent | requests that change nothing (`EARLY_METHODS`); the rest waits |

While the gate is ajar, `notifications/initialized` is sent first, and the early requests follow at once on another
connection. This saves a round trip to a distant server. The standard allows it, since the server has answered
`initialize` (MCP 2025-11-25, Lifecycle, Initialization). But some servers require the notification first, and an early
request may overtake it. So the bridge does not believe an error that an early request gets: it sends the request once
more when the notification has arrived, and sends nothing early for the rest of the run. Nothing is sent early over
HTTP+SSE, nor in a session that is reopened (its log level and subscriptions are restored first), nor where the standing
stream must be open first.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from bridge.protocol import mcp
from bridge.session.faults import Fault

EARLY_METHODS = mcp.LIST_METHODS | {mcp.PING}
"""Requests that may be sent twice, and whose answer does not depend on `notifications/initialized`."""


class GateEntry(Protocol):
    """A message that is to be sent to the server."""

    def go(self) -> None:
        """Send it."""

    def goes_early(self) -> bool:
        """Send it while the gate is ajar, if that does no harm; returns whether it was sent."""

    def refuse(self, fault: Fault) -> None:
        """It cannot be sent, because of this fault."""


class Gate:
    """Sends messages while it is open, and holds them otherwise. `knows_early`: it may be ajar."""

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
        """Hold every message from now on."""
        self._is_open = self._is_ajar = False

    def be_ajar(self) -> None:
        """Send the held messages that may go early, and those that come from now on."""
        self._is_ajar = True
        if self.knows_early:
            self._held = deque(item for item in self._held if not item.goes_early())

    def open(self) -> None:
        """Send the held messages, until one of them closes the gate again."""
        self._is_open, self._is_ajar = True, False
        while self._held and self._is_open:
            self._held.popleft().go()

    def refuse(self, fault: Fault) -> None:
        """Open the gate, and refuse the held messages."""
        self._is_open, self._is_ajar = True, False
        held, self._held = self._held, deque()
        for item in held:
            item.refuse(fault)
