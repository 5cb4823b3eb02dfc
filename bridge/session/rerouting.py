"""What becomes of answers in doubt, and of their requests, when a probe has shown which eras the server speaks.

| what waits | the server speaks the era of its upstream | it does not |
|---|---|---|
| an answer that contradicted the known era | the host gets it | its request goes to the upstream of the other era |
| the same, to an `initialize` that may have failed on its metadata | `initialize` is sent as it came | the same |
| the request that was sent together with the probe and has no answer | it continues | it is cancelled and rerouted |
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Message, Request, RequestId
from bridge.session import probing
from bridge.session.commands import Deliver
from bridge.session.era_queue import EraQueue
from bridge.session.faults import Fault
from bridge.session.host_upstreams import HostUpstreams
from bridge.session.probing import MODERN
from bridge.session.server_era import ServerEra
from bridge.session.upstream import TranslatedUpstream, Upstream


class Rerouting:
    """Decides where they go. `route(message)` handles a message as if the host had just sent it.

    `beside`: the request that was sent together with the probe, if there is one.
    """

    def __init__(
        self, hosts: HostUpstreams, server: ServerEra, era_queue: EraQueue, route: Callable[[Message], None]
    ) -> None:
        self.beside: Request | None = None
        self._hosts = hosts
        self._server = server
        self._era_queue = era_queue
        self._route = route
        self._without_meta: dict[RequestId, Request] = {}

    def add_request_meta(self, initialize: Request) -> Request:
        """The request with the metadata of a modern request, which is sent in its place."""
        self._without_meta[initialize.id] = initialize
        return probing.with_request_meta(initialize)

    def forget_request_meta(self, initialize: Request) -> None:
        """This `initialize` is sent as it came."""
        self._without_meta.pop(initialize.id, None)

    def decide(self, fault: Fault | None) -> None:
        """A probe is over. `fault`: why the era of the server is still unknown."""
        beside, self.beside = self.beside, None
        moving: list[tuple[Upstream, list[Request]]] = []
        plain: list[Request] = []
        for upstream, deliver in self._era_queue.take_doubted():
            if deliver.request is None:
                self.tell(upstream, deliver)
            elif self._server.may_be(upstream.era):
                as_it_came = self._as_it_came(deliver.request) if upstream is self._hosts.legacy else deliver.request
                if as_it_came is deliver.request or fault is not None or not probing.is_request_meta_fault(deliver):
                    self.tell(upstream, deliver)
                elif as_it_came.id not in self._era_queue.withdrawn:
                    plain.append(as_it_came)
            else:
                moving.append((upstream, upstream.reroute(deliver.request)))
        # Only now: making an upstream may dismiss another one, and with it the requests that have to move.
        for upstream, requests in moving:
            self._move(upstream, requests)
        for request in plain:
            self._route(request)
        if beside is not None and not self._server.may_be(MODERN):
            self._move_unanswered(beside)
        self._era_queue.withdrawn.clear()

    def tell(self, upstream: Upstream, deliver: Deliver) -> None:
        """Deliver an answer, unless the host has cancelled its request in the meantime."""
        # The requests of a translator have ids of its own, and it knows which ones the host cancelled.
        if isinstance(upstream, TranslatedUpstream) or deliver.about not in self._era_queue.withdrawn:
            upstream.pass_on(deliver)

    def _move_unanswered(self, request: Request) -> None:
        upstream = self._hosts.modern
        if upstream is not None and upstream.awaits(request.id):
            upstream.host(writing.cancellation(request.raw_id))
            self._hosts.retire(upstream, self._server.eras, opens_again=False)
            self._route(request)

    def _move(self, upstream: Upstream, depended: list[Request]) -> None:
        """Send the host's requests that depended on an answer in doubt to the upstream of the other era."""
        requests = [self._as_it_came(request) for request in depended if request.id not in self._era_queue.withdrawn]
        opens_again = any(request.method == mcp.INITIALIZE for request in requests)
        self._hosts.retire(upstream, self._server.eras, opens_again=opens_again)
        for request in requests:
            self._route(request)

    def _as_it_came(self, request: Request) -> Request:
        """The host's own request, if an `initialize` with metadata was sent in its place."""
        return self._without_meta.pop(request.id, request) if request.method == mcp.INITIALIZE else request
