"""The lanes that serve the hosts of a run, one of each era, and how a host moves from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.protocol.jsonrpc import Request, Response
from bridge.session.clients import Clients
from bridge.session.lane import Lane, TranslatedLane
from bridge.session.lanes import Lanes
from bridge.session.probing import LEGACY, MODERN, Eras

if TYPE_CHECKING:
    from bridge.era.upgrade import Upgrade


class HostLanes:
    """Knows them. `legacy` and `modern` are None while there is no such host; `clients` are those of a modern one.

    `initialize` is what the legacy host opened with last, `is_initialized` whether it has said that it is ready.
    `introduction`: what the server said of itself just now, in that host's name; good for the next lane.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.legacy: Lane | None = None
        self.modern: Lane | None = None
        self.clients = Clients(lanes)
        self.initialize: Request | None = None
        self.is_initialized = False
        self.introduction: Response | None = None

    def legacy_on(self, era: str) -> Lane:
        """The lane of the legacy host on a server of this era."""
        if self.legacy is None or self.legacy.era != era:
            if self.legacy is not None:
                self._lanes.retire(self.legacy)
            self.legacy = self._lanes.native(LEGACY) if era == LEGACY else self._upgraded()
        return self.legacy

    def modern_on_modern(self) -> Lane:
        """The lane of the modern host on a modern server; on a legacy one each of its `clients` has its own."""
        self.modern = self.modern or self._lanes.native(MODERN)
        return self.modern

    def retire(self, lane: Lane, eras: Eras, *, opens_again: bool) -> None:
        """Use a lane no more. A legacy host that has opened goes on in a new one as if it had opened that.

        `eras` are the server's.
        """
        self._lanes.retire(lane)
        if lane.era == LEGACY:
            # None of these sessions is worth anything any more; a subscription there would never hear a word.
            self.clients.retire()
        if lane is self.modern:
            self.modern = None
        if lane is self.legacy:
            self.legacy = None
            if self.initialize is not None and not opens_again:
                self._take_over(self.initialize, lane, eras)

    def _take_over(self, initialize: Request, before: Lane, eras: Eras) -> None:
        initialized = self.is_initialized
        set_up: list[Request] = before.translator.set_up if isinstance(before, TranslatedLane) else before.set_up
        if LEGACY in eras:
            self.legacy = self._lanes.taking_over(
                lambda session: session.adopt(initialize, set_up, is_initialized=initialized)
            )
        else:
            lane = self.legacy = self._upgraded()
            lane.translator.adopt(initialize, initialized, set_up)

    def _upgraded(self) -> TranslatedLane[Upgrade]:
        from bridge.era.upgrade import Upgrade

        said, self.introduction = self.introduction, None
        return self._lanes.translated(MODERN, lambda outlet: Upgrade(outlet, self._lanes.server_name, said))
