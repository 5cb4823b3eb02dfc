"""The host's requests that may have no answer yet, with when they began.

Which of them have one is asked of whoever answers them, and only when it matters: so a message that passes costs one
entry in a table, and no answer has to be read.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Request, RequestId

_MOST = 64
_MOST_BYTES = 1024 * 1024


class PendingHostRequests:
    """The table. `awaits(id)` tells whether a request has no answer yet, `awaits_any()` whether there is one.

    What has an answer is dropped by and by.
    """

    def __init__(self, awaits: Callable[[RequestId], bool], awaits_any: Callable[[], bool]) -> None:
        self._awaits = awaits
        self._awaits_any = awaits_any
        self._began: dict[RequestId, tuple[Request, float, bool]] = {}
        self._bytes = 0
        self._room = _MOST
        self._room_bytes = _MOST_BYTES

    def __contains__(self, id_: RequestId) -> bool:
        return id_ in self._began

    def enter(self, request: Request, now: float, *, in_batch: bool = False) -> None:
        """The host asks. `in_batch`: it waits for one answer to several requests."""
        if len(self._began) >= self._room or self._bytes >= self._room_bytes:
            self._clean()
        if request.id in self._began:
            self.pop(request.id)
        self._began[request.id] = request, now, in_batch
        self._bytes += len(request.line)

    def pop(self, id_: RequestId | None) -> Request | None:
        """The request of this id, which is answered now; None where it is not known."""
        entry = self._began.pop(id_, None) if id_ is not None else None
        if entry is None:
            return None
        self._bytes -= len(entry[0].line)
        return entry[0]

    def awaited(self) -> list[Request]:
        """Those that have no answer, the oldest first."""
        return [request for request, _, _ in self._began.values() if self._awaits(request.id)]

    def single(self) -> list[Request]:
        """Those of them that are not part of a batch."""
        return [request for request in self.awaited() if not self._began[request.id][2]]

    def oldest(self) -> float | None:
        """When the oldest that has no answer began; None where there is none."""
        return next((began for request, began, _ in self._began.values() if self._awaits(request.id)), None)

    def _clean(self) -> None:
        """Drop those that were answered; as much again may come before that is done the next time."""
        is_waiting = self._awaits_any()
        self._began = {id_: entry for id_, entry in self._began.items() if is_waiting and self._awaits(id_)}
        self._bytes = sum(len(request.line) for request, _, _ in self._began.values())
        self._room = max(_MOST, 2 * len(self._began))
        self._room_bytes = max(_MOST_BYTES, 2 * self._bytes)
