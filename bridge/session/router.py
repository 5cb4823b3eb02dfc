"""Connects any host with any server: which era each speaks, and what stands between them (MCP 2026-07-28, Versioning).

| host | server | upstream |
|---|---|---|
| legacy | legacy | `Session` |
| modern | modern | `Stateless` |
| legacy | modern | `Upgrade` in front of `Stateless` |
| modern | legacy | `Downgrade` in front of `Session`, one for each client that the server could tell apart |

If the server speaks the era of the host, nothing is translated. Each request shows the host's era: `initialize` opens
the legacy one, and `_meta` with a version is modern; one host process may use both. The server's era is known from an
earlier run, or the host's first message or a probe shows it (see `server_era`). During a probe all messages from the
host wait. An answer that contradicts the known era is held back until a probe was answered.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.errors import ErrorKind
from bridge.protocol import client_meta, mcp, messages, writing
from bridge.protocol.jsonrpc import Message, Notification, Request, RequestId, Response
from bridge.session import faults, probing
from bridge.session.commands import Command, Deliver, SendToHost
from bridge.session.deadlines import UNLIMITED, LongCalls
from bridge.session.era_queue import EraQueue
from bridge.session.events import (
    ConnectDelayed,
    Connected,
    ConnectFailed,
    Event,
    HostBatch,
    HostClosed,
    HostMessage,
    NeverConnected,
    ResultSaved,
    SignInEnded,
    SignInShown,
    SignInStarted,
    SystemResumed,
    TimerFired,
)
from bridge.session.faults import Fault
from bridge.session.first_contact import FirstContact
from bridge.session.host_upstreams import HostUpstreams
from bridge.session.probing import LEGACY, MODERN, Eras, ProbeResult
from bridge.session.rerouting import Rerouting
from bridge.session.server_era import ServerEra
from bridge.session.session import Transport
from bridge.session.upstream import RouterContext, TranslatedUpstream, Upstream
from bridge.session.upstreams import InFront, Upstreams


class HostRouter:
    """The state machine of the whole bridge. `retry_window` and `request_timeout` in seconds.

    `eras`: what is known of the server from earlier runs; `is_fixed`: the user set it, so it is never in doubt.
    `keeps_responses`: a modern server's answers are cached. `in_front(machine, context)` returns what takes the place
    of each machine that serves a host. `mends_headers`: see `Session`. `fresh()` returns an unguessable text,
    `timestamp()` the time (RFC 3339, UTC).
    """

    def __init__(
        self,
        url: str,
        transport: Transport,
        retry_window: float,
        request_timeout: float | None,
        redact: Callable[[str], str] = str,
        *,
        eras: Eras = frozenset(),
        is_fixed: bool = False,
        keeps_responses: bool = False,
        in_front: InFront | None = None,
        long_calls: LongCalls = UNLIMITED,
        mends_headers: bool = True,
        fresh: Callable[[], str],
        timestamp: Callable[[], str],
    ) -> None:
        if transport == "sse":
            eras, is_fixed = frozenset({LEGACY}), True
        self._context = context = RouterContext(url, fresh, timestamp)
        self._upstreams = upstreams = Upstreams(
            context,
            transport,
            retry_window,
            request_timeout,
            redact,
            self._receive,
            keeps_responses=keeps_responses,
            in_front=in_front,
            long_calls=long_calls,
            mends_headers=mends_headers,
        )
        self._server = ServerEra(context, upstreams, eras, self._settled, is_fixed=is_fixed)
        self._hosts = HostUpstreams(upstreams)
        self._first_contact = FirstContact(context, retry_window, self)
        self._era_queue = EraQueue()
        self._rerouting = Rerouting(self._hosts, self._server, self._era_queue, self._host_message)
        self._closed = False
        self._host_name = ""

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        return len(self._era_queue) > 0 or any(upstream.busy for upstream in self._upstreams)

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._host_name

    def awaits(self, id_: RequestId) -> bool:
        """Whether the host's request with this id has no answer yet; a subscription has none until it ends."""
        return self._upstream_that_awaits(id_) is not None or self._era_queue.awaits(id_)

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        context = self._context
        context.now = now
        first = self._first_contact
        if first.is_over:
            if not self._closed:
                self._dispatch(event)
        else:
            self._dispatch(first.before(event))
            first.after(event)
        commands, context.commands = context.commands, []
        return commands

    def _dispatch(self, event: Event) -> None:
        match event:
            case HostMessage():
                self._host_message(event.message)
            case HostBatch():
                self._host_batch(event)
            case TimerFired():
                if not self._context.timers.fire(event.timer) and (upstream := self._upstreams.of(event.timer[1])):
                    upstream.on(event)
            case SignInStarted() | SignInEnded() | SystemResumed() | ResultSaved() | HostClosed():
                self._on_change(event)
            case SignInShown() | Connected() | ConnectFailed() | ConnectDelayed() | NeverConnected():
                pass  # The machines need not know what the user has to do, nor how the first connection goes.
            case _:
                if upstream := self._upstreams.of(event.exchange):
                    upstream.on(event)

    def never_connected(self, event: NeverConnected) -> None:
        """See `first_contact.Waiters`."""
        self._release(Fault(ErrorKind.UNREACHABLE, event.message, event.hint))
        for upstream in self._upstreams:
            upstream.on(event)

    def _on_change(self, event: SignInStarted | SignInEnded | SystemResumed | ResultSaved | HostClosed) -> None:
        if isinstance(event, HostClosed):
            self._close()
        elif isinstance(event, SignInStarted | SignInEnded):
            self._context.timers.is_signing_in = isinstance(event, SignInStarted)
        for upstream in self._upstreams:
            upstream.on(event)
        self._closed = isinstance(event, HostClosed)

    def _close(self) -> None:
        """The run ends: deliver the answers that were held back, and fail the requests that were not sent."""
        self._server.close()
        for upstream, deliver in self._era_queue.take_doubted():
            self._rerouting.tell(upstream, deliver)
        for message in self._era_queue.take_held():
            if isinstance(message, Request):
                self._context.refuse(message, faults.shut_down(self._context.url, ""))
        for upstream in self._upstreams:
            upstream.close()

    # -- the host

    def _host_batch(self, event: HostBatch) -> None:
        """Only a legacy host sends a batch (MCP 2025-03-26, Batching). A translator gets its members one by one."""
        upstream = self._hosts.legacy
        if upstream is not None and not isinstance(upstream, TranslatedUpstream) and not self._is_held:
            upstream.on(event)
            return
        for line in event.errors:
            self._context.do(SendToHost(line))
        for message in event.messages:
            self._host_message(message)

    def _host_message(self, message: Message) -> None:
        if self._is_held and isinstance(message, Notification) and message.method == mcp.CANCELLED:
            self._cancel(message)
        elif self._server.is_asked:
            self._hold(message)
        elif isinstance(message, Request) and (version := client_meta.modern_version(message)) is not None:
            self._modern_request(message, version)
        elif self._era_queue.initialize_id is not None and not _belongs_to_handshake(message):
            self._hold(message, asks=False)
        elif isinstance(message, Request):
            self._legacy_request(message)
        else:
            self._note(message)

    @property
    def _is_held(self) -> bool:
        return self._server.is_asked or self._era_queue.initialize_id is not None

    def _note(self, message: Message) -> None:
        """An answer or a notification. A modern host sends only `notifications/cancelled`."""
        upstream = self._hosts.legacy
        match message:
            case Response():
                upstream = next((other for other in self._upstreams if other.asks(message.id)), upstream)
            case Notification(method=mcp.CANCELLED):
                upstream = self._upstream_that_awaits(messages.cancelled_request(message.params)) or upstream
            case Notification(method=mcp.INITIALIZED):
                self._hosts.is_initialized = True
            case Notification():
                upstream = upstream or self._hosts.modern
        if upstream is not None:
            upstream.host(message)

    def _cancel(self, note: Notification) -> None:
        """A cancellation during a probe: a request that waits for the probe is dropped, and a subscription answered."""
        id_ = messages.cancelled_request(note.params)
        gone = self._era_queue.cancel(id_)
        if not gone and (upstream := self._upstream_that_awaits(id_)):
            upstream.host(note)
            if id_ == self._era_queue.initialize_id:
                self._handshake_is_over()
        elif not gone:
            gone = self._era_queue.withdraw(id_)
        for request in gone:
            if request.method == mcp.LISTEN:
                self._context.do(SendToHost(writing.listen_ended(request.raw_id).line))

    def _legacy_request(self, request: Request) -> None:
        if request.method == mcp.INITIALIZE:
            self._hosts.initialize = request
            self._hosts.is_initialized = False
            self._host_name = client_meta.client_name(request.params)
        elif self._hosts.legacy is not None:
            self._hosts.legacy.host(request)
            return
        if not self._server.eras and request is self._hosts.initialize:
            self._server.take_for_legacy()
        elif not self._server.eras:
            self._hold(request)
            return
        era = LEGACY if LEGACY in self._server.eras else MODERN
        upstream = self._hosts.legacy_on(era)
        if era == LEGACY and self._server.wants_request_meta and request is self._hosts.initialize:
            self._era_queue.initialize_id = None if self._server.is_assumed else request.id
            request = self._rerouting.add_request_meta(request)
        elif request is self._hosts.initialize:
            self._rerouting.forget_request_meta(request)
        upstream.host(request)

    def _modern_request(self, request: Request, version: str) -> None:
        if self._server.may_be_modern and request.method not in mcp.LIST_METHODS:
            self._hold(request)
            return
        self._host_name = self._host_name or client_meta.meta_client_name(request.params)
        if self._server.may_be_modern:
            # A list may be sent twice without harm, so it need not wait until the era is known.
            self._rerouting.beside = request
            self._hosts.modern_on_modern().host(request, version)
            self._server.ask(request)
        elif MODERN in self._server.eras:
            self._hosts.modern_on_modern().host(request, version)
        elif upstream := self._hosts.clients.upstream_for(request):
            upstream.host(request)
        else:
            fault = Fault(ErrorKind.TOO_MANY, "Too many different clients are connected at the same time.")
            self._context.refuse(request, fault)

    def _upstream_that_awaits(self, id_: RequestId | None) -> Upstream | None:
        if id_ is None:
            return None
        return next((upstream for upstream in self._upstreams if upstream.awaits(id_)), None)

    # -- the server

    def _receive(self, upstream: Upstream, deliver: Deliver) -> None:
        if self._server.is_in_doubt(upstream, deliver):
            self._era_queue.doubt(upstream, deliver)
            if not self._server.is_asked:
                self._go_on(None)
        else:
            upstream.pass_on(deliver)
            if deliver.request is not None and deliver.request.id == self._era_queue.initialize_id:
                self._handshake_is_over()

    def _hold(self, message: Message, *, asks: bool = True) -> None:
        if self._era_queue.is_full:
            if isinstance(message, Request):
                self._context.refuse(message, faults.too_many(len(self._era_queue)))
            return
        self._era_queue.hold(message)
        if asks and not self._server.is_asked:
            self._server.ask(message if isinstance(message, Request) else None)

    def _settled(self, result: ProbeResult, asked_by: Request | None, answer: Response | None) -> None:
        """A probe was answered. It was sent for `asked_by`, for which its answer may serve too."""
        if asked_by is not None and answer is not None and MODERN in self._server.eras:
            if asked_by.method == mcp.INITIALIZE:
                self._hosts.introduction = answer
            elif probing.asks_the_same(asked_by) and self._era_queue.discard(asked_by):
                self._context.do(SendToHost(writing.answering(answer, asked_by.raw_id).line))
        self._go_on(result.fault)
        self._hosts.introduction = None

    def _go_on(self, fault: Fault | None) -> None:
        """A probe is over: what waited for it continues, or fails with `fault` if the era is still unknown."""
        self._rerouting.decide(fault)
        self._release(fault)

    def _handshake_is_over(self) -> None:
        """The legacy host's `initialize` was answered or cancelled."""
        self._era_queue.initialize_id = None
        if not self._server.is_asked:
            self._release(None)

    def _release(self, fault: Fault | None) -> None:
        """Send what was held; with a `fault`, fail the requests for which the era is still unknown."""
        self._era_queue.initialize_id = None
        for message in self._era_queue.take_held():
            if fault is None or not isinstance(message, Request) or self._has_upstream(message):
                self._host_message(message)
            else:
                self._context.refuse(message, fault)

    def _has_upstream(self, request: Request) -> bool:
        """Whether it is known to which upstream a request belongs."""
        return bool(self._server.eras) and not (client_meta.is_modern(request) and self._server.may_be_modern)


def _belongs_to_handshake(message: Message) -> bool:
    """Whether a message from a legacy host is sent although its `initialize` has no answer yet."""
    return isinstance(message, Response) or message.method == mcp.INITIALIZE
