"""Requests upwards that are not simply a host's passed on, each with what follows its answer."""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol import writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Json, Members
from bridge.translate.translator import TranslatorPort
from bridge.translate.upgrade.legacy_host import LegacyHost

Then = Callable[[Response | None], None]
"""What follows the answer; None where the server never took the request."""


class BridgeRequests:
    """A table by id. `number()` gives an id never given before; `cancel(number, reason)` takes a request back."""

    def __init__(self, port: TranslatorPort, number: Callable[[], int], cancel: Callable[[int, Json], None]) -> None:
        self._port = port
        self.number = number
        self._cancel = cancel
        self._asked: dict[RequestId, tuple[Then, Request | None]] = {}

    def ask(self, host: LegacyHost, method: str, said: Members, then: Then, request: Request | None = None) -> int:
        """Ask with these params, and return the id; `request` is the host's that this is all about, if there is one."""
        number = self.number()
        self._asked[number] = then, request
        self._port.up(writing.request(b"%d" % number, method, host.with_request_meta(said)))
        return number

    def take(self, response: Response) -> bool:
        """The server answered; False where this is no answer to one of these."""
        then, _ = self._asked.pop(response.id, (None, None)) if response.id is not None else (None, None)
        if then is None:
            return False
        then(response)
        return True

    def cancel(self, number: int | None, reason: Json = b"") -> None:
        """Nobody wants that answer any more."""
        if number is not None and number in self._asked:
            del self._asked[number]
            self._cancel(number, reason)

    def reroute(self, id_: RequestId) -> list[Request]:
        """The server never took this one: return the host's that it is about, or go on without an answer."""
        then, request = self._asked.pop(id_, (None, None))
        if request is None and then is not None:
            then(None)
        return [request] if request else []
