"""The host's requests that may have no answer yet, and when each was sent.

`HostRouter` knows whether one has an answer, and is asked only when it matters. So a message that passes costs one
entry in a table, and no answer has to be read.
"""

from __future__ import annotations

import math
from typing import Protocol

from bridge.protocol.jsonrpc import Request, RequestId

_MOST = 64
_MOST_BYTES = 1024 * 1024


class Awaiting(Protocol):
    """Tells which requests of the host have no answer yet. `HostRouter` does."""

    @property
    def busy(self) -> bool:
        """Whether the host waits for any answer."""

    def awaits(self, id_: RequestId) -> bool:
        """Whether the request with this id has no answer yet."""


class PendingHostRequests:
    """The table. Requests that have an answer are dropped from time to time.

    `started_at`: when this process was started, in seconds by the clock of `enter`. The host waits for its first answer
    from then on, so the first request counts as sent at that time.
    """

    def __init__(self, awaiting: Awaiting, started_at: float = math.inf) -> None:
        self._awaiting = awaiting
        self._started_at = started_at
        self._sent: dict[RequestId, tuple[Request, float, bool]] = {}
        self._bytes = 0
        self._limit = _MOST
        self._limit_bytes = _MOST_BYTES

    def __contains__(self, id_: RequestId) -> bool:
        return id_ in self._sent

    def enter(self, request: Request, now: float, *, in_batch: bool = False) -> None:
        """Add a request sent at `now`. `in_batch`: the host expects one answer to several requests."""
        if len(self._sent) >= self._limit or self._bytes >= self._limit_bytes:
            self._clean()
        if request.id in self._sent:
            self.pop(request.id)
        self._sent[request.id] = request, min(now, self._started_at), in_batch
        self._started_at = math.inf
        self._bytes += len(request.line)

    def pop(self, id_: RequestId | None) -> Request | None:
        """Remove and return the request with this id, which has its answer now; None where it is not known."""
        entry = self._sent.pop(id_, None) if id_ is not None else None
        if entry is None:
            return None
        self._bytes -= len(entry[0].line)
        return entry[0]

    def awaited(self) -> list[Request]:
        """The requests without an answer, oldest first."""
        return [request for request, _, _ in self._sent.values() if self._awaiting.awaits(request.id)]

    def single(self) -> list[Request]:
        """Those of them that are not part of a batch."""
        return [request for request in self.awaited() if not self._sent[request.id][2]]

    def oldest(self) -> float | None:
        """When the oldest request without an answer was sent; None where there is none."""
        return next((sent for request, sent, _ in self._sent.values() if self._awaiting.awaits(request.id)), None)

    def _clean(self) -> None:
        """Drop the requests that have an answer. The limit for the next time is twice what is left."""
        is_busy = self._awaiting.busy
        self._sent = {id_: entry for id_, entry in self._sent.items() if is_busy and self._awaiting.awaits(id_)}
        self._bytes = sum(len(request.line) for request, _, _ in self._sent.values())
        self._limit = max(_MOST, 2 * len(self._sent))
        self._limit_bytes = max(_MOST_BYTES, 2 * self._bytes)
