"""Requests upwards that are not simply a host's passed on, each with what follows its answer."""

from __future__ import annotations

from collections.abc import Callable

from bridge.era.legacy_host import LegacyHost
from bridge.era.outlet import Outlet
from bridge.protocol import writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Json, Members

Then = Callable[[Response | None], None]
"""What follows the answer; None where the server never took the request."""


class OwnRequests:
    """A table by id. `number()` gives an id never given before; `cancel(number, reason)` takes a request back."""

    def __init__(self, outlet: Outlet, number: Callable[[], int], cancel: Callable[[int, Json], None]) -> None:
        self._outlet = outlet
        self.number = number
        self._cancel = cancel
        self._asked: dict[RequestId, tuple[Then, Request | None]] = {}

    def ask(self, host: LegacyHost, method: str, said: Members, then: Then, request: Request | None = None) -> int:
        """Ask with these params, and return the id; `request` is the host's that this is all about, if there is one."""
        number = self.number()
        self._asked[number] = then, request
        self._outlet.up(writing.request(b"%d" % number, method, host.stamped(said)))
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

    def take_back(self, id_: RequestId) -> list[Request]:
        """The server never took this one: return the host's that it is about, or go on without an answer."""
        then, request = self._asked.pop(id_, (None, None))
        if request is None and then is not None:
            then(None)
        return [request] if request else []
