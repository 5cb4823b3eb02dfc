"""The host's requests that have no answer yet. Each gets exactly one answer, or none if the host cancels it."""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol import writing
from bridge.protocol.jsonrpc import Octets, Request, RequestId
from bridge.protocol.writing import Json
from bridge.translate.translator import TranslatorPort, TranslatorRefusal

OnCancel = Callable[[Json], None]
"""What to do when the host cancels a request. It is given the host's reason, as JSON; empty where there is none."""

_MAX_REQUESTS = 4096


class PendingRequests:
    """A table by id, with what to do when the host cancels."""

    def __init__(self, port: TranslatorPort) -> None:
        self._port = port
        self._requests: dict[RequestId, OnCancel] = {}

    def __contains__(self, id_: RequestId) -> bool:
        """Whether a request with this id waits."""
        return id_ in self._requests

    @property
    def is_full(self) -> bool:
        """Whether no more can be accepted."""
        return len(self._requests) >= _MAX_REQUESTS

    def enter(self, request: Request, on_cancel: OnCancel) -> None:
        """Add a request. For one that is there already, replace what is done when the host cancels it."""
        self._requests[request.id] = on_cancel

    def result(self, request: Request, value: Json) -> None:
        """Answer it with a result."""
        self.line(request, writing.result(request.raw_id, value).line)

    def line(self, request: Request, answer: Octets) -> None:
        """Answer it with this line, whose id must be the request's."""
        if self._requests.pop(request.id, None) is not None:
            self._port.down(answer)

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        """Answer it with an error of the bridge's own."""
        if self._requests.pop(request.id, None) is not None:
            self._port.refuse(request, refusal)

    def forget(self, request: Request) -> None:
        """Remove a request without an answer from here."""
        self._requests.pop(request.id, None)

    def cancelled(self, id_: RequestId | None, reason: Json) -> None:
        """The host cancels a request, and gets no more messages about it (MCP 2026-07-28, stdio, Cancellation)."""
        on_cancel = self._requests.pop(id_, None) if id_ is not None else None
        if on_cancel is not None:
            on_cancel(reason)
