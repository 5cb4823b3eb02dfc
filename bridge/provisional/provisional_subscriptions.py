"""`subscriptions/listen` of modern hosts while somebody has to sign in (MCP 2026-07-28, Subscriptions).

A listen is acknowledged by the server, once somebody has signed in. A host that must not wait so long gets the
acknowledgment early, of all that it asked for, so that it can be told then that its lists changed; the server's own is
not passed on. Should the server refuse the listen for want of a sign-in, it is asked for again after one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Raw

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import NotAMessage, Notification, Octets, Request, RequestId, request_id

_MOST = 256


class _Filter(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is asked for (MCP 2026-07-28, SubscriptionFilter)."""

    tools_list_changed: bool = False
    prompts_list_changed: bool = False
    resources_list_changed: bool = False
    resource_subscriptions: list[str] = []


class _Listen:
    """One of them. `granted` is what was acknowledged, None before that.

    `is_early`: the server did not acknowledge it, or has ended it since for want of a sign-in.
    """

    __slots__ = ("granted", "is_early", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.granted: _Filter | None = None
        self.is_early = False


class ProvisionalSubscriptions:
    """Those that are open. `awaits(id)` tells whether whoever speaks to the server has this listen open."""

    def __init__(self, awaits: Callable[[RequestId], bool]) -> None:
        self._awaits = awaits
        self._open: dict[RequestId, _Listen] = {}

    def __contains__(self, id_: RequestId | None) -> bool:
        return id_ in self._open

    def get(self, id_: RequestId | None) -> Request | None:
        """The request of this id, if it is one of these."""
        return self._open[id_].request if id_ is not None and id_ in self._open else None

    @property
    def is_unsettled(self) -> bool:
        """Whether what comes from the server's side may be about one of these."""
        return any(listen.granted is None or listen.is_early for listen in self._open.values())

    def open(self, request: Request) -> None:
        """The host listens; so often that there is no room, it hears what the server says and no more."""
        if len(self._open) >= _MOST:
            self._open = {id_: one for id_, one in self._open.items() if one.is_early or self._awaits(id_)}
        if len(self._open) < _MOST:
            self._open[request.id] = _Listen(request)

    def acknowledged(self, note: Notification) -> bool:
        """The server acknowledges one; whether the host is to hear that."""
        params = writing.members(note.params)
        raw_id = bytes(writing.members(params.get("_meta", Raw())).get(mcp.META_SUBSCRIPTION, Raw()))
        try:
            listen = self._open.get(request_id(raw_id)) if raw_id else None
        except NotAMessage:
            listen = None
        if listen is None:
            return True
        if listen.is_early:
            listen.is_early = False  # From now on it is like any other.
            return False
        listen.granted = _filter(params) or _Filter()
        return True

    def acknowledge(self, may_answer: Callable[[Request], bool]) -> list[Octets]:
        """Acknowledge those that the server has not."""
        lines = []
        for listen in self._open.values():
            asked = _filter(writing.members(listen.request.params))
            if listen.granted is None and asked is not None and may_answer(listen.request):
                listen.granted, listen.is_early = asked, True
                lines.append(_tagged(listen, mcp.ACKNOWLEDGED, {"notifications": asked}))
        return lines

    def changed(self, kinds: Iterable[str]) -> list[Octets]:
        """Tell those who want to know that lists of these kinds changed."""
        lines: list[Octets] = []
        for id_, listen in self._open.items():
            granted = listen.granted
            if granted is not None and (listen.is_early or self._awaits(id_)):
                wanted = [kind for kind in kinds if getattr(granted, f"{kind}_list_changed")]
                lines += [_tagged(listen, f"notifications/{kind}/list_changed", {}) for kind in wanted]
        return lines

    def answered(self, request: Request, *, may_return: bool) -> bool:
        """An answer came, which ends it; whether the host is to hear that. `may_return`: a sign-in brings it back."""
        listen = self._open[request.id]
        if may_return and listen.granted is not None:
            listen.is_early = True
            return False
        del self._open[request.id]
        return True

    def lost(self) -> list[Request]:
        """Those that have to be asked for again."""
        return [one.request for id_, one in self._open.items() if one.is_early and not self._awaits(id_)]

    def cancel(self, id_: RequestId) -> Octets | None:
        """The host wants no more of one: the line that ends it, None where whoever has it open says so."""
        listen = self._open.pop(id_)
        return None if self._awaits(id_) else writing.listen_ended(listen.request.raw_id).line


def _filter(params: writing.Members) -> _Filter | None:
    try:
        return msgspec.json.decode(params.get("notifications", Raw()), type=_Filter)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _tagged(listen: _Listen, method: str, params: dict[str, object]) -> Octets:
    """A notification that says which listen it belongs to."""
    tagged = {"_meta": {mcp.META_SUBSCRIPTION: Raw(listen.request.raw_id)}, **params}
    return writing.notification(method, msgspec.json.encode(tagged)).line
