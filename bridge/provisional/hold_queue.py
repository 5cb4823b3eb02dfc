"""What a legacy host says after a provisional answer to `initialize`: it waits for the server's own, in order."""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Message, Notification, Octets, Request, RequestId
from bridge.session import faults

_MAX_HELD = 4096


class HoldQueue:
    """Holds that. `tell(line)` is a line to the host; `url` is the server's."""

    def __init__(self, url: str, tell: Callable[[Octets], None]) -> None:
        self._url = url
        self._tell = tell
        self._held: list[Message] = []

    @property
    def is_busy(self) -> bool:
        """Whether a request is in here."""
        return any(isinstance(message, Request) for message in self._held)

    def hold(self, message: Message) -> None:
        """Let it wait; a request for which there is no room is refused."""
        if len(self._held) < _MAX_HELD:
            self._held.append(message)
        elif isinstance(message, Request):
            self._tell(faults.too_many(len(self._held)).error_line(message.raw_id, self._url))

    def admit(self, note: Notification) -> None:
        """Let a notification go first, unless one of its kind is in here: the host has said it already."""
        if not any(isinstance(message, Notification) and message.method == note.method for message in self._held):
            self._held.insert(0, note)

    def drop(self, id_: RequestId) -> bool:
        """The host takes a request back; whether it was in here."""
        kept = [message for message in self._held if not (isinstance(message, Request) and message.id == id_)]
        found = len(kept) < len(self._held)
        self._held = kept
        return found

    def answer(self, answer: Callable[[Request], Octets | None]) -> None:
        """Answer the requests for which `answer` has a line; the rest stays."""
        held, self._held = self._held, []
        for message in held:
            line = answer(message) if isinstance(message, Request) else None
            if line is None:
                self._held.append(message)
            else:
                self._tell(line)

    def empty(self) -> list[Message]:
        """Everything, in order; nothing is held any more."""
        held, self._held = self._held, []
        return held
