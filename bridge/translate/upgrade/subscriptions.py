"""All subscriptions of a legacy host as one `subscriptions/listen` (MCP 2026-07-28, Subscriptions).

The filter of a stream cannot change. So when the host subscribes to something else, the bridge opens another stream for
everything, and closes the earlier one when the new one is acknowledged: no notification is lost or sent twice.

| the server | what the bridge does |
|---|---|
| acknowledges a URI | answers the host's `resources/subscribe` for it |
| acknowledges without that URI, ends the stream, or does not acknowledge in time | fails that request |
| ends the stream | opens it again, after pauses that grow |
| answers method not found | stops trying |
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.backoff import Backoff
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Notification, Request, RequestId, Response
from bridge.protocol.sanitize import shown
from bridge.protocol.surrogates import replaced
from bridge.protocol.writing import Members, members
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal, TranslatorTimer
from bridge.translate.upgrade.legacy_host import LegacyHost

_MAX_RESOURCES = 10_000
_ACKNOWLEDGE_SECONDS = 60.0
_STEADY_SECONDS = 30.0
_PAUSES = Backoff(1.0, 300.0)


class _Code(msgspec.Struct, frozen=True):
    code: int


class SubscriptionStream:
    """One `subscriptions/listen`. `server_id` is its id for the server, `wanted` its filter.

    `unanswered` are the host's requests that its acknowledgment answers. `agreed` are the URIs that the server
    acknowledged; `limit` bounds the wait for that.
    """

    limit: TranslatorTimer

    def __init__(self, server_id: int, wanted: bytes, unanswered: dict[RequestId, tuple[Request, str]]) -> None:
        self.server_id = server_id
        self.wanted = wanted
        self.unanswered = unanswered
        self.agreed: frozenset[str] = frozenset()
        self.acknowledged_at = 0.0


class HostSubscriptions:
    """The host's subscriptions. `number()` gives an id for a request to the server that was never given before."""

    def __init__(
        self, port: TranslatorPort, waiting: PendingRequests, host: LegacyHost, number: Callable[[], int]
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._host = host
        self._number = number
        self._filters: list[str] = []
        self._uris: dict[str, None] = {}
        self._unanswered: dict[RequestId, tuple[Request, str]] = {}
        self._current: SubscriptionStream | None = None
        self._next: SubscriptionStream | None = None
        self._is_changed = False
        self._is_refused = False
        self._pauses = 0
        self._reopening = port.timer("listen", self._renew)

    def __contains__(self, number: RequestId | None) -> bool:
        """Whether the request to the server with this id is a `subscriptions/listen`."""
        return any(stream.server_id == number for stream in (self._current, self._next) if stream)

    @property
    def is_waiting(self) -> bool:
        """Whether a request of the host waits for a stream to be acknowledged."""
        return bool(self._unanswered or (self._next and self._next.unanswered))

    def listen(self, capabilities: Members) -> None:
        """The host is ready: subscribe to what the server announces (Tools, Prompts, Resources, Capabilities)."""
        filters = [
            member
            for capability, member in mcp.LIST_CHANGES.values()
            if _announces_changes(capabilities.get(capability, Raw()))
        ]
        if filters != self._filters or self._is_changed:
            self._filters = filters
            self._renew()

    @property
    def restorable(self) -> list[tuple[str, bytes]]:
        """The methods and params that subscribe to the same resources at a legacy server."""
        return [(mcp.SUBSCRIBE, msgspec.json.encode({"uri": uri})) for uri in self._uris]

    def adopt(self, request: Request) -> None:
        """The host subscribed elsewhere, and has been answered; `listen` will follow."""
        uri = string(members(request.params).get("uri", Raw()))
        if uri is not None and len(self._uris) < _MAX_RESOURCES:
            self._uris[uri] = None
            self._is_changed = True

    def subscribe(self, request: Request) -> None:
        """Answer `resources/subscribe`, now or later."""
        uri = string(members(request.params).get("uri", Raw()))
        if uri is None:
            self._port.refuse(
                request, TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_PARAMS, "The uri is missing.")
            )
        elif self._is_refused:
            self._port.refuse(request, _cannot_listen())
        elif self._current and not self._next and uri in self._current.agreed and uri in self._uris:
            self._port.down(writing.result(request.raw_id, b"{}").line)
        elif uri not in self._uris and len(self._uris) >= _MAX_RESOURCES:
            what = f"Already subscribed to {_MAX_RESOURCES} resources, the maximum. Unsubscribe from some first."
            self._port.refuse(request, TranslatorRefusal(SERVER_ERROR, ErrorKind.TOO_MANY, what))
        else:
            self._uris[uri] = None
            self._unanswered[request.id] = request, uri
            self._waiting.enter(request, lambda _: self._forget(request))
            self._renew()

    def unsubscribe(self, request: Request) -> None:
        """Answer `resources/unsubscribe`, and the unanswered requests to subscribe to the same."""
        uri = string(members(request.params).get("uri", Raw()))
        if uri is None:
            self._port.refuse(
                request, TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_PARAMS, "The uri is missing.")
            )
            return
        for unanswered in (self._unanswered, self._next.unanswered if self._next else {}):
            for asked in [request_ for request_, its_uri in unanswered.values() if its_uri == uri]:
                del unanswered[asked.id]
                self._waiting.result(asked, b"{}")
        self._port.down(writing.result(request.raw_id, b"{}").line)
        if uri in self._uris:
            del self._uris[uri]
            self._renew()

    def notified(self, number: RequestId, note: Notification) -> None:
        """A notification came on a stream."""
        if note.method == mcp.ACKNOWLEDGED:
            self._acknowledged(number, note)
        elif self._current and number == self._current.server_id and note.method != mcp.CANCELLED:
            self._port.down(_without_subscription_id(note))

    def ended(self, response: Response) -> None:
        """The server answered `subscriptions/listen`, which ends that stream."""
        is_unknown = _is_unknown_method(response)
        stream = self._next
        if stream and stream.server_id == response.id:
            stream.limit.stop()
            self._next = None
            for request, _ in self._take(stream.unanswered):
                if response.is_error and not is_unknown:
                    self._waiting.line(request, writing.answering(response, request.raw_id).line)
                else:
                    self._waiting.refuse(request, _cannot_listen() if is_unknown else _ended_early())
        else:
            if self._current and self._port.now - self._current.acknowledged_at >= _STEADY_SECONDS:
                self._pauses = 0
            self._current = None
        self._go_on(is_refused=is_unknown)

    def reroute(self, number: RequestId) -> list[Request]:
        """Forget a stream, and return the host's requests that its acknowledgment would have answered."""
        stream = self._next
        if stream is None or stream.server_id != number:
            return []
        stream.limit.stop()
        self._next = None
        return [request for request, _ in self._take(stream.unanswered) + self._take(self._unanswered)]

    def close(self, refusal: TranslatorRefusal) -> None:
        """Fail the requests that wait, and close the streams."""
        self._reopening.stop()
        streams = [stream for stream in (self._current, self._next) if stream]
        self._current = self._next = None
        for stream in streams:
            stream.limit.stop()
            for request, _ in self._take(stream.unanswered):
                self._waiting.refuse(request, refusal)
        for request, _ in self._take(self._unanswered):
            self._waiting.refuse(request, refusal)
        for stream in streams:
            self._close(stream, refusal.message)

    def _renew(self) -> None:
        """Open a stream for everything that is wanted now, unless one is waiting to be acknowledged."""
        if self._next is not None:
            self._is_changed = True
            return
        self._is_changed = False
        self._reopening.stop()
        if self._is_refused:
            return
        if not self._wants_any:
            current, self._current = self._current, None
            if current:
                self._close(current, "There is no subscriber left.")
            return
        wanted = self._wanted()
        params = self._host.with_request_meta(Raw(), added={"notifications": Raw(wanted)})
        stream = self._next = SubscriptionStream(self._number(), wanted, self._unanswered)
        self._unanswered = {}
        stream.limit = self._port.timer("acknowledge", partial(self._not_acknowledged, stream))
        stream.limit.start(_ACKNOWLEDGE_SECONDS)
        self._port.up(writing.request(b"%d" % stream.server_id, mcp.LISTEN, params))

    def _acknowledged(self, number: RequestId, note: Notification) -> None:
        stream = self._next
        if stream is None or stream.server_id != number:
            return
        stream.limit.stop()
        before, self._current, self._next = self._current, stream, None
        stream.agreed = _agreed(note)
        stream.acknowledged_at = self._port.now
        if before:
            self._close(before, "Another stream replaced it.")
        for request, uri in list(stream.unanswered.values()):
            if uri in stream.agreed:
                del stream.unanswered[request.id]
                self._waiting.result(request, b"{}")
        for request, uri in self._take(stream.unanswered):
            self._waiting.refuse(request, _not_agreed(uri))
        if self._is_changed or not self._wants_any:
            self._renew()

    def _not_acknowledged(self, stream: SubscriptionStream) -> None:
        """The server took too long to acknowledge a stream."""
        self._next = None
        for request, _ in self._take(stream.unanswered):
            self._waiting.refuse(request, _acknowledged_too_late())
        self._close(stream, "It was not acknowledged.")
        self._go_on()

    def _go_on(self, *, is_refused: bool = False) -> None:
        """A stream has ended."""
        if is_refused and self._current is None and self._next is None:
            self._is_refused = True
            for request, _ in self._take(self._unanswered):
                self._waiting.refuse(request, _cannot_listen())
            self._port.report(
                "debug", f"the server does not know {mcp.LISTEN}; the host will not be notified of changes"
            )
        elif self._is_changed:
            self._renew()
        elif self._next is None and self._wants_any and not (self._current and self._current.wanted == self._wanted()):
            self._pauses += 1
            self._reopening.start(_PAUSES.before(self._pauses))

    @property
    def _wants_any(self) -> bool:
        return bool(self._filters or self._uris)

    def _wanted(self) -> bytes:
        """The filter for everything (Subscriptions, Notification Filter)."""
        wanted: dict[str, object] = dict.fromkeys(self._filters, True)
        if self._uris:
            wanted["resourceSubscriptions"] = list(self._uris)
        return msgspec.json.encode(wanted)

    def _take(self, unanswered: dict[RequestId, tuple[Request, str]]) -> list[tuple[Request, str]]:
        """Remove and return requests that will fail; their URIs are no longer wanted."""
        asked = list(unanswered.values())
        unanswered.clear()
        for _, uri in asked:
            if not (self._current and uri in self._current.agreed):
                self._uris.pop(uri, None)
        return asked

    def _forget(self, request: Request) -> None:
        for unanswered in (self._unanswered, self._next.unanswered if self._next else {}):
            unanswered.pop(request.id, None)

    def _close(self, stream: SubscriptionStream, reason: str) -> None:
        self._port.up(writing.cancellation(b"%d" % stream.server_id, msgspec.json.encode(reason)))


def _announces_changes(capability: Raw) -> bool:
    return bytes(members(capability).get("listChanged", Raw())) == b"true"


def _agreed(note: Notification) -> frozenset[str]:
    """The URIs that the server will announce changes of (Subscriptions, Acknowledgment)."""
    said = members(members(note.params).get("notifications", Raw()))
    try:
        return frozenset(msgspec.json.decode(said.get("resourceSubscriptions", Raw(b"[]")), type=list[str]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()


def _without_subscription_id(note: Notification) -> bytes:
    """A notification as a legacy server would send it."""
    said = members(note.params)
    meta = members(said.pop("_meta", Raw()))
    meta.pop(mcp.META_SUBSCRIPTION, None)
    if meta:
        said["_meta"] = Raw(msgspec.json.encode(meta))
    return bytes(writing.notification(replaced(note.method), msgspec.json.encode(said) if said else b"").line)


def _is_unknown_method(response: Response) -> bool:
    try:
        return msgspec.json.decode(response.error, type=_Code).code == METHOD_NOT_FOUND
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _cannot_listen() -> TranslatorRefusal:
    return TranslatorRefusal(METHOD_NOT_FOUND, ErrorKind.UNKNOWN_METHOD, "The server does not announce changes.")


def _not_agreed(uri: str) -> TranslatorRefusal:
    what = f"The server does not announce changes to {shown(uri)}. Read it again when you need it."
    return TranslatorRefusal(INVALID_PARAMS, ErrorKind.NOT_SUBSCRIBED, what)


def _ended_early() -> TranslatorRefusal:
    return TranslatorRefusal(
        SERVER_ERROR, ErrorKind.NOT_SUBSCRIBED, "The server ended the subscription before it began. Try again later."
    )


def _acknowledged_too_late() -> TranslatorRefusal:
    what = (
        f"The server did not acknowledge the subscription within {_ACKNOWLEDGE_SECONDS:.0f} seconds. Try again later."
    )
    return TranslatorRefusal(SERVER_ERROR, ErrorKind.NOT_SUBSCRIBED, what)
