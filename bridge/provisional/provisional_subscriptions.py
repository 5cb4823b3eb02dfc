"""`subscriptions/listen` of modern hosts while the user has to sign in (MCP 2026-07-28, Subscriptions).

The server can acknowledge a subscription only after the sign-in. A host that must not wait so long gets the
acknowledgment from the bridge, for everything that it asked for, so that it can be told later that its lists changed.
The server's own acknowledgment is not passed on then. If the server refuses a subscription because the user is not
signed in, the bridge asks for it again after the sign-in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Raw

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import NotAMessage, Notification, Octets, Request, RequestId, request_id
from bridge.provisional.pending import Awaiting

_MOST = 256


class _Filter(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is subscribed to (MCP 2026-07-28, SubscriptionFilter)."""

    tools_list_changed: bool = False
    prompts_list_changed: bool = False
    resources_list_changed: bool = False
    resource_subscriptions: list[str] = []


class _Listen:
    """A subscription. `granted` is what was acknowledged to the host, None before that.

    `is_early`: the server has not acknowledged it, or has ended it because the user is not signed in.
    """

    __slots__ = ("granted", "is_early", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.granted: _Filter | None = None
        self.is_early = False


class ProvisionalSubscriptions:
    """The open subscriptions. `awaiting` tells which of them are open on the server's side."""

    def __init__(self, awaiting: Awaiting) -> None:
        self._awaiting = awaiting
        self._open: dict[RequestId, _Listen] = {}

    def __contains__(self, id_: RequestId | None) -> bool:
        return id_ in self._open

    def get(self, id_: RequestId | None) -> Request | None:
        """The `subscriptions/listen` with this id; None where there is none."""
        return self._open[id_].request if id_ is not None and id_ in self._open else None

    @property
    def is_unsettled(self) -> bool:
        """Whether an answer or an acknowledgment of the server may be about one of these."""
        return any(listen.granted is None or listen.is_early for listen in self._open.values())

    @property
    def has_early(self) -> bool:
        """Whether the bridge keeps any of them open without the server."""
        return any(listen.is_early for listen in self._open.values())

    def open(self, request: Request) -> None:
        """Add a subscription. Beyond 256 open ones it is not added: the host then hears only what the server says."""
        if len(self._open) >= _MOST:
            self._open = {id_: one for id_, one in self._open.items() if one.is_early or self._awaiting.awaits(id_)}
        if len(self._open) < _MOST:
            self._open[request.id] = _Listen(request)

    def acknowledged(self, note: Notification) -> bool:
        """Take the server's acknowledgment; return whether it goes to the host."""
        params = writing.members(note.params)
        raw_id = bytes(writing.members(params.get("_meta", Raw())).get(mcp.META_SUBSCRIPTION, Raw()))
        try:
            listen = self._open.get(request_id(raw_id)) if raw_id else None
        except NotAMessage:
            listen = None
        if listen is None:
            return True
        if listen.is_early:
            listen.is_early = False  # From now on the server serves it.
            return False
        listen.granted = _filter(params) or _Filter()
        return True

    def acknowledge(self, may_answer: Callable[[Request], bool]) -> list[Octets]:
        """Acknowledge, in the server's place, what it has not acknowledged yet; return the lines for the host."""
        lines = []
        for listen in self._open.values():
            asked = _filter(writing.members(listen.request.params))
            if listen.granted is None and asked is not None and may_answer(listen.request):
                listen.granted, listen.is_early = asked, True
                lines.append(_tagged(listen, mcp.ACKNOWLEDGED, {"notifications": asked}))
        return lines

    def changed(self, kinds: Iterable[str]) -> list[Octets]:
        """The lines that tell each subscriber that its lists of these kinds changed."""
        lines: list[Octets] = []
        for id_, listen in self._open.items():
            granted = listen.granted
            if granted is not None and (listen.is_early or self._awaiting.awaits(id_)):
                wanted = [kind for kind in kinds if getattr(granted, f"{kind}_list_changed")]
                lines += [_tagged(listen, f"notifications/{kind}/list_changed", {}) for kind in wanted]
        return lines

    def answered(self, request: Request, *, may_return: bool) -> bool:
        """Take the answer that ends a subscription; return whether it goes to the host.

        `may_return`: the bridge may open the subscription again after a sign-in.
        """
        listen = self._open[request.id]
        if may_return and listen.granted is not None:
            listen.is_early = True
            return False
        del self._open[request.id]
        return True

    def lost(self) -> list[Request]:
        """The subscriptions that the server has to be asked for again."""
        return [one.request for id_, one in self._open.items() if one.is_early and not self._awaiting.awaits(id_)]

    def cancel(self, id_: RequestId) -> Octets | None:
        """Remove a subscription that the host cancelled.

        Return the line that ends it; None where it is open on the server's side, which ends it then.
        """
        listen = self._open.pop(id_)
        return None if self._awaiting.awaits(id_) else writing.listen_ended(listen.request.raw_id).line


def _filter(params: writing.Members) -> _Filter | None:
    try:
        return msgspec.json.decode(params.get("notifications", Raw()), type=_Filter)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _tagged(listen: _Listen, method: str, params: dict[str, object]) -> Octets:
    """A notification with the id of its subscription."""
    tagged = {"_meta": {mcp.META_SUBSCRIPTION: Raw(listen.request.raw_id)}, **params}
    return writing.notification(method, msgspec.json.encode(tagged)).line
