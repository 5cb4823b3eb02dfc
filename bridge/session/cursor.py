"""A place in an event stream, from which it can be resumed (MCP, Resumability and Redelivery)."""

from __future__ import annotations

from collections import deque

from bridge.protocol.jsonrpc import Octets
from bridge.protocol.sse import ServerSentEvent

_REMEMBERED = 128
_MAX_ID_BYTES = 4096


class Cursor:
    """The last event id of one stream, and the pause in seconds that its server asked for before it is resumed.

    `reconnect_delay` bounds that pause. Not `resumable`: the revision of the stream has no event ids (MCP 2026-07-28,
    Streamable HTTP), so an `id` field is ignored.
    """

    __slots__ = ("_resumable", "_seen", "last_event_id", "pause")

    def __init__(self, *, resumable: bool = True) -> None:
        self._resumable = resumable
        self.last_event_id: bytes | None = None
        self.pause: float | None = None
        self._seen: deque[bytes] | None = None

    def take(self, event: ServerSentEvent) -> Octets | None:
        """Move to the event and return its data; None if it has none, or if it was delivered before."""
        if event.retry is not None:
            self.pause = event.retry / 1000
        if self._resumable and event.id is not None and not self._move(event.id):
            return None
        return event.data if event.type == b"message" else None

    def rewind(self) -> None:
        """Forget the stream: a new one will repeat what it said."""
        self.last_event_id = self.pause = self._seen = None

    def _move(self, event_id: bytes) -> bool:
        if self._seen is None:
            self._seen = deque(maxlen=_REMEMBERED)
        elif event_id and event_id in self._seen:
            return False
        self._seen.append(event_id)
        self.last_event_id = event_id if _fits_header(event_id) else None
        return True


def _fits_header(event_id: bytes) -> bool:
    if not event_id or len(event_id) > _MAX_ID_BYTES or event_id != event_id.strip():
        return False
    return min(event_id) >= 0x20 and 0x7F not in event_id
