"""What waits until it is known which era the server speaks: the host's messages, and answers that speak against it."""

from __future__ import annotations

from bridge.protocol.jsonrpc import Message, Request, RequestId
from bridge.session.commands import Deliver
from bridge.session.upstream import TranslatedUpstream, Upstream

_MAX_HELD = 4096

Doubted = list[tuple[Upstream, Deliver]]


class EraQueue:
    """Keeps them, in order. `withdrawn`: ids of requests that the host took back while their answers were in doubt.

    `opening`: the id of the legacy host's `initialize` whose answer will show the era; None: there is none.
    """

    def __init__(self) -> None:
        self.withdrawn: set[RequestId] = set()
        self.opening: RequestId | None = None
        self._held: list[Message] = []
        self._doubted: Doubted = []

    def __len__(self) -> int:
        return len(self._held) + len(self._doubted)

    @property
    def is_full(self) -> bool:
        """Whether no more of the host's messages are held."""
        return len(self._held) >= _MAX_HELD

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id, or its answer, is here."""
        return any(isinstance(message, Request) and message.id == id_ for message in self._held) or any(
            deliver.request is not None and deliver.request.id == id_ for _, deliver in self._doubted
        )

    def hold(self, message: Message) -> None:
        """The host sent a message."""
        self._held.append(message)

    def doubt(self, upstream: Upstream, deliver: Deliver) -> None:
        """An answer came that must not go to the host yet."""
        self._doubted.append((upstream, deliver))

    def discard(self, request: Request) -> bool:
        """Hold this one no more; whether it was here."""
        before = len(self._held)
        self._held = [message for message in self._held if message is not request]
        return len(self._held) < before

    def reroute(self, id_: RequestId | None) -> list[Request]:
        """The host cancels a request: those held with this id, which are not any more."""
        gone = [message for message in self._held if isinstance(message, Request) and message.id == id_]
        if gone:
            self._held = [message for message in self._held if not (isinstance(message, Request) and message.id == id_)]
        return gone

    def withdraw(self, id_: RequestId | None) -> list[Request]:
        """The host cancels a request whose answer is in doubt: neither is of interest any more."""
        if id_ is None or id_ in self.withdrawn:
            return []
        # What a translator has sent has ids of its own; it still waits for what is doubted there.
        gone = [
            deliver.request
            for upstream, deliver in self._doubted
            if deliver.request and deliver.about == id_ and not isinstance(upstream, TranslatedUpstream)
        ]
        if gone:
            self.withdrawn.add(id_)
        return gone

    def take_held(self) -> list[Message]:
        """The host's messages; none is held any more."""
        held, self._held = self._held, []
        return held

    def take_doubted(self) -> Doubted:
        """The answers; none is in doubt any more."""
        doubted, self._doubted = self._doubted, []
        return doubted
