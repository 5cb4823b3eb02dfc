"""What waits until the era of the server is known: the host's messages, and answers that contradict what was known."""

from __future__ import annotations

from bridge.protocol.jsonrpc import Message, Request, RequestId
from bridge.session.commands import Deliver
from bridge.session.upstream import TranslatedUpstream, Upstream

_MAX_HELD = 4096

Doubted = list[tuple[Upstream, Deliver]]


class EraQueue:
    """Holds them in order. `withdrawn`: ids of requests that the host cancelled while their answers were in doubt.

    `initialize_id`: the id of the legacy host's `initialize` whose answer will show the era; None if there is none.
    """

    def __init__(self) -> None:
        self.withdrawn: set[RequestId] = set()
        self.initialize_id: RequestId | None = None
        self._held: list[Message] = []
        self._doubted: Doubted = []

    def __len__(self) -> int:
        return len(self._held) + len(self._doubted)

    @property
    def is_full(self) -> bool:
        """Whether the queue takes no more messages from the host."""
        return len(self._held) >= _MAX_HELD

    def awaits(self, id_: RequestId) -> bool:
        """Whether the queue holds a request from the host with this id, or its answer."""
        return any(isinstance(message, Request) and message.id == id_ for message in self._held) or any(
            deliver.request is not None and deliver.request.id == id_ for _, deliver in self._doubted
        )

    def hold(self, message: Message) -> None:
        """Hold a message from the host."""
        self._held.append(message)

    def doubt(self, upstream: Upstream, deliver: Deliver) -> None:
        """Hold an answer that must not go to the host yet."""
        self._doubted.append((upstream, deliver))

    def discard(self, request: Request) -> bool:
        """Drop this request; returns whether it was held."""
        before = len(self._held)
        self._held = [message for message in self._held if message is not request]
        return len(self._held) < before

    def cancel(self, id_: RequestId | None) -> list[Request]:
        """The host cancels a request: drop the held ones with this id, and return them."""
        gone = [message for message in self._held if isinstance(message, Request) and message.id == id_]
        if gone:
            self._held = [message for message in self._held if not (isinstance(message, Request) and message.id == id_)]
        return gone

    def withdraw(self, id_: RequestId | None) -> list[Request]:
        """The host cancels a request whose answer is in doubt: return the request; its answer will be dropped."""
        if id_ is None or id_ in self.withdrawn:
            return []
        # A translator sends requests with ids of its own, and still waits for their answers.
        gone = [
            deliver.request
            for upstream, deliver in self._doubted
            if deliver.request and deliver.about == id_ and not isinstance(upstream, TranslatedUpstream)
        ]
        if gone:
            self.withdrawn.add(id_)
        return gone

    def take_held(self) -> list[Message]:
        """Return the host's messages, and hold none."""
        held, self._held = self._held, []
        return held

    def take_doubted(self) -> Doubted:
        """Return the answers in doubt, and hold none."""
        doubted, self._doubted = self._doubted, []
        return doubted
