"""What `FeatureMachine` knows of the requests that pass it, until each is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.features.pages import ListReading
from bridge.protocol.jsonrpc import Request, RequestId
from bridge.session.calls import Batch
from bridge.session.events import HostMessage

if TYPE_CHECKING:
    from bridge.features.large_results import LargeResult


class PassingRequest:
    """A request of the host under way. `sent` is what the server gets for it; `reading` the list that answers it.

    `page` is the id of the request for a page after the first, and `large` its result while that is saved; None where
    there is none.
    """

    __slots__ = ("batch", "large", "page", "reading", "request", "sent")

    def __init__(self, request: Request, batch: Batch | None = None) -> None:
        self.request = request
        self.sent = request
        self.batch = batch
        self.reading: ListReading | None = None
        self.page: RequestId | None = None
        self.large: LargeResult | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for something else than the server's answer to `sent`."""
        return self.page is not None or self.large is not None


class OwnReading:
    """A list that the bridge itself reads, and the host's messages that wait for it, each with its batch."""

    __slots__ = ("id", "reading", "waiting")

    def __init__(self, id_: RequestId, reading: ListReading) -> None:
        self.id = id_
        self.reading = reading
        self.waiting: list[tuple[HostMessage, Batch | None]] = []
