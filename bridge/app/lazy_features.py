"""Stands where `FeatureMachine` will stand, and passes everything on until the host asks for the server's features.

A start needs only the answer to `initialize`. What looks at lists and calls is loaded after it: when the host says that
it is initialized, or with the first message that concerns it, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request, RequestId
from bridge.session.commands import Command
from bridge.session.events import Event, HostBatch, HostMessage
from bridge.session.upstream import Machine

if TYPE_CHECKING:
    from bridge.features.machine import FeatureMachine

Load = Callable[[Machine, "Request | None"], "FeatureMachine"]
"""Makes what stands in front of a machine; gets the host's `initialize` as well, if there was one."""


class LazyFeatures:
    """A `Machine`. `later(work)` has `work` called soon, after what is to be sent now."""

    def __init__(self, machine: Machine, load: Load, later: Callable[[Callable[[], None]], None]) -> None:
        self._machine = machine
        self._make = load
        self._later = later
        self._initialize: Request | None = None
        self._is_loaded = False

    @property
    def busy(self) -> bool:
        """See `Machine`."""
        return self._machine.busy

    @property
    def restorable(self) -> list[Request]:
        """See `Machine`."""
        return self._machine.restorable

    def awaits(self, id_: RequestId) -> bool:
        """See `Machine`."""
        return self._machine.awaits(id_)

    def handle(self, event: Event, now: float) -> list[Command]:
        """See `Machine`."""
        if not self._is_loaded:
            self._before(event)
        return self._machine.handle(event, now)

    def _before(self, event: Event) -> None:
        if type(event) is HostBatch:
            self._load()
        elif type(event) is HostMessage:
            message = event.message
            method = getattr(message, "method", "")
            if method in mcp.FEATURE_METHODS:
                self._load()
            elif method == mcp.INITIALIZED:
                self._later(self._load)
            elif type(message) is Request and method == mcp.INITIALIZE:
                self._initialize = message

    def _load(self) -> None:
        if not self._is_loaded:
            self._is_loaded = True
            self._machine = self._make(self._machine, self._initialize)
