"""The bridge's own requests to a modern server, each with what to do with its answer."""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol import writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Json, Members
from bridge.translate.translator import TranslatorPort
from bridge.translate.upgrade.legacy_host import LegacyHost

Then = Callable[[Response | None], None]
"""What to do with the answer. It is given None where the server never accepted the request."""


class BridgeRequests:
    """A table by id. `number()` gives an id that was never given before; `cancel(id, reason)` cancels a request."""

    def __init__(self, port: TranslatorPort, number: Callable[[], int], cancel: Callable[[int, Json], None]) -> None:
        self._port = port
        self.number = number
        self._cancel = cancel
        self._asked: dict[RequestId, tuple[Then, Request | None]] = {}

    def ask(self, host: LegacyHost, method: str, said: Members, then: Then, request: Request | None = None) -> int:
        """Send a request with these params, and return its id. `request`: the host's that is to be answered with it."""
        number = self.number()
        self._asked[number] = then, request
        self._port.up(writing.request(b"%d" % number, method, host.with_request_meta(said)))
        return number

    def take(self, response: Response) -> bool:
        """The server answered; False where this answers none of these."""
        then, _ = self._asked.pop(response.id, (None, None)) if response.id is not None else (None, None)
        if then is None:
            return False
        then(response)
        return True

    def cancel(self, number: int | None, reason: Json = b"") -> None:
        """Cancel a request, if it has no answer yet."""
        if number is not None and number in self._asked:
            del self._asked[number]
            self._cancel(number, reason)

    def reroute(self, id_: RequestId) -> list[Request]:
        """The server never accepted this request: return the host's that depends on it, or call `then(None)`."""
        then, request = self._asked.pop(id_, (None, None))
        if request is None and then is not None:
            then(None)
        return [request] if request else []
