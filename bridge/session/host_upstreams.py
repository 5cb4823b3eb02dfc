"""The upstreams that serve the hosts of a run, one for each era, and how a host moves from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.protocol.jsonrpc import Request, Response
from bridge.session.probing import LEGACY, MODERN, Eras
from bridge.session.upstream import TranslatedUpstream, Upstream
from bridge.session.upstreams import Upstreams

if TYPE_CHECKING:
    from bridge.session.client_sessions import ClientSessions
    from bridge.translate.upgrade.upgrade import Upgrade


class HostUpstreams:
    """Makes and replaces them. `legacy` and `modern` are None while there is no such host.

    `initialize` is the last one that the legacy host sent; `is_initialized`: it has sent `notifications/initialized`.
    `introduction`: the answer to a `server/discover` that was just sent for that host; the next upstream uses it.
    """

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self.legacy: Upstream | None = None
        self.modern: Upstream | None = None
        self._clients: ClientSessions | None = None
        self.initialize: Request | None = None
        self.is_initialized = False
        self.introduction: Response | None = None

    @property
    def clients(self) -> ClientSessions:
        """The modern host's clients on a legacy server."""
        if self._clients is None:
            from bridge.session.client_sessions import ClientSessions  # Most runs need none.

            self._clients = ClientSessions(self._upstreams)
        return self._clients

    def legacy_on(self, era: str) -> Upstream:
        """The upstream of the legacy host for a server of this era."""
        if self.legacy is None or self.legacy.era != era:
            if self.legacy is not None:
                self._upstreams.retire(self.legacy)
            self.legacy = self._upstreams.native(LEGACY) if era == LEGACY else self._upgraded()
        return self.legacy

    def modern_on_modern(self) -> Upstream:
        """The upstream of the modern host for a modern server. For a legacy one each of its `clients` has its own."""
        self.modern = self.modern or self._upstreams.native(MODERN)
        return self.modern

    def retire(self, upstream: Upstream, eras: Eras, *, opens_again: bool) -> None:
        """Stop using an upstream. A legacy host that has sent `initialize` continues in a new one as if opened there.

        `eras` are those that the server speaks.
        """
        self._upstreams.retire(upstream)
        if upstream.era == LEGACY and self._clients is not None:
            # The server does not speak this era, so a subscription in one of these sessions would get no notifications.
            self._clients.retire()
        if upstream is self.modern:
            self.modern = None
        if upstream is self.legacy:
            self.legacy = None
            if self.initialize is not None and not opens_again:
                self._take_over(self.initialize, upstream, eras)

    def _take_over(self, initialize: Request, before: Upstream, eras: Eras) -> None:
        initialized = self.is_initialized
        restorable: list[Request] = (
            before.translator.restorable if isinstance(before, TranslatedUpstream) else before.restorable
        )
        if LEGACY in eras:
            self.legacy = self._upstreams.taking_over(
                lambda session: session.adopt(initialize, restorable, is_initialized=initialized)
            )
        else:
            upstream = self.legacy = self._upgraded()
            upstream.translator.adopt(initialize, initialized, restorable)

    def _upgraded(self) -> TranslatedUpstream[Upgrade]:
        from bridge.translate.upgrade.upgrade import Upgrade

        said, self.introduction = self.introduction, None
        return self._upstreams.translated(MODERN, lambda port: Upgrade(port, self._upstreams.server_name, said))
