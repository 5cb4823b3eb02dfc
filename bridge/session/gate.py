"""The gate: while a session is being opened, whatever wants to go up waits here, in order."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from bridge.session.faults import Fault


class Waiting(Protocol):
    """Something on its way up."""

    def go(self) -> None:
        """Be sent."""

    def refuse(self, fault: Fault) -> None:
        """There is no way up."""


class Gate:
    """Lets through what comes while it is open, and holds back the rest."""

    def __init__(self) -> None:
        self._is_open = True
        self._held: deque[Waiting] = deque()

    def submit(self, item: Waiting) -> None:
        """Send an item as soon as the gate is open."""
        if self._is_open:
            item.go()
        else:
            self._held.append(item)

    def close(self) -> None:
        """Hold back everything from now on."""
        self._is_open = False

    def open(self) -> None:
        """Send what was held back, unless that closes the gate again."""
        self._is_open = True
        while self._held and self._is_open:
            self._held.popleft().go()

    def refuse(self, fault: Fault) -> None:
        """Open the gate, but send nothing of what was held back."""
        self._is_open = True
        held, self._held = self._held, deque()
        for item in held:
            item.refuse(fault)
