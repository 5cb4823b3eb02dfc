"""Messages of a legacy host that wait, in order, until the server has answered `initialize` too.

The bridge has answered the host's `initialize` by then, so the host goes on sending.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Message, Notification, Octets, Request, RequestId
from bridge.provisional.port import ProvisionalPort
from bridge.session import faults

_MAX_HELD = 4096


class HoldQueue:
    """The queue. `url` is the server's."""

    def __init__(self, url: str, port: ProvisionalPort) -> None:
        self._url = url
        self._port = port
        self._held: list[Message] = []

    @property
    def is_busy(self) -> bool:
        """Whether a request is in the queue."""
        return any(isinstance(message, Request) for message in self._held)

    def hold(self, message: Message) -> None:
        """Append a message. Where the queue is full, a request gets an error, and anything else is dropped."""
        if len(self._held) < _MAX_HELD:
            self._held.append(message)
        elif isinstance(message, Request):
            self._port.tell(faults.too_many(len(self._held)).error_line(message.raw_id, self._url))

    def put_first(self, note: Notification) -> None:
        """Put a notification at the head of the queue, unless the host has sent one of this method, which waits."""
        if not any(isinstance(message, Notification) and message.method == note.method for message in self._held):
            self._held.insert(0, note)

    def drop(self, id_: RequestId) -> bool:
        """Remove a request that the host cancelled; return whether it was in the queue."""
        kept = [message for message in self._held if not (isinstance(message, Request) and message.id == id_)]
        found = len(kept) < len(self._held)
        self._held = kept
        return found

    def answer(self, answer: Callable[[Request], Octets | None]) -> None:
        """Answer the requests for which `answer` returns a line; the rest stays."""
        held, self._held = self._held, []
        for message in held:
            line = answer(message) if isinstance(message, Request) else None
            if line is None:
                self._held.append(message)
            else:
                self._port.tell(line)

    def empty(self) -> list[Message]:
        """Remove and return everything, in order."""
        held, self._held = self._held, []
        return held
