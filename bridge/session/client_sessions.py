"""Modern clients on a legacy server: one session for each client that the server could tell apart.

A modern host names its client and capabilities in each request; a legacy server is told both once, by `initialize`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.protocol import client_meta, mcp
from bridge.protocol.jsonrpc import Request
from bridge.protocol.writing import Members, members
from bridge.session.probing import LEGACY
from bridge.session.upstream import TranslatedUpstream
from bridge.session.upstreams import Upstreams

if TYPE_CHECKING:
    from bridge.translate.downgrade.downgrade import Downgrade

_MAX_KEYS = 64


class ClientSessions:
    """The sessions, by the client information that the server is given."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._by_key: dict[bytes, TranslatedUpstream[Downgrade]] = {}
        self._keys: dict[tuple[bytes, bytes], bytes] = {}

    def upstream_for(self, request: Request) -> TranslatedUpstream[Downgrade] | None:
        """The session for the client of a request, or for its `requestState`; None if there are too many."""
        state, raw_meta = client_meta.state_and_meta(request.params)
        if len(state):
            for upstream in self._by_key.values():
                if upstream.translator.owns(state):
                    return upstream
        meta = members(raw_meta)
        key = self._key(meta)
        if key not in self._by_key and self._has_room():
            self._by_key[key] = self._upstream(meta)
        return self._by_key.get(key)

    def retire(self) -> None:
        """Stop using all these sessions: a subscription in one of them would get no notifications."""
        for upstream in self._by_key.values():
            self._upstreams.retire(upstream)
        self._by_key.clear()

    def _key(self, meta: Members) -> bytes:
        """The key of a client. Most requests carry the same bytes as the one before, so these find the key."""
        seen = bytes(meta.get(mcp.META_CLIENT, b"")), bytes(meta.get(mcp.META_CAPABILITIES, b""))
        if seen not in self._keys:
            from bridge.translate.request_meta import session_key

            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            self._keys[seen] = session_key(meta)
        return self._keys[seen]

    def _has_room(self) -> bool:
        """Whether there is room for one more session. An idle session gives way where there is none."""
        if not self._upstreams.is_full:
            return True
        for key, upstream in self._by_key.items():
            if upstream.translator.is_idle and not upstream.busy:
                self._upstreams.dismiss(self._by_key.pop(key))
                return True
        return False

    def _upstream(self, meta: Members) -> TranslatedUpstream[Downgrade]:
        from bridge.translate.downgrade.downgrade import Downgrade

        return self._upstreams.translated(LEGACY, lambda port: Downgrade(port, self._upstreams.server_name, meta))
