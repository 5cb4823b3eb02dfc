"""A legacy host's session, which exists only in the bridge: a modern server has none (MCP 2025-11-25, Lifecycle).

`initialize` is answered from the server's result for `server/discover`. Requests that arrive before that wait here.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.errors import INTERNAL_ERROR, ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Members
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal
from bridge.translate.upgrade import discovery
from bridge.translate.upgrade.legacy_host import LegacyHost
from bridge.translate.upgrade.subscriptions import HostSubscriptions


class HostSession:
    """What one `initialize` began, until the next. `is_answered`: the host has its answer to `initialize` already.

    `server_name` stands for a server that does not name itself. `number()` gives an id for a request to the server that
    was never given before; `route(session, request)` handles a request that waited until the session was open.
    """

    def __init__(
        self,
        port: TranslatorPort,
        waiting: PendingRequests,
        server_name: str,
        initialize: Request,
        number: Callable[[], int],
        route: Callable[[HostSession, Request], None],
        *,
        is_answered: bool,
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._server_name = server_name
        self._route = route
        self.host = LegacyHost(initialize)
        self.subscriptions = HostSubscriptions(port, waiting, self.host, number)
        self.capabilities: Members | None = None
        """The server's; None where it did not state them."""
        self._discover: int | None = number()
        self._initialize = None if is_answered else initialize
        self._held: dict[RequestId, Request] = {}
        self._is_initialized = False
        if not is_answered:
            waiting.enter(initialize, lambda _reason: None)

    @property
    def discover_id(self) -> int | None:
        """The id of the `server/discover` that has no answer yet."""
        return self._discover

    @property
    def is_waiting(self) -> bool:
        """Whether the host waits for an answer, and the server has no request that brings it."""
        return bool(self._held) or self.subscriptions.is_waiting

    @property
    def restorable(self) -> list[tuple[str, bytes]]:
        """The methods and params that would give a legacy server the log level and the subscriptions."""
        return [*self.host.restorable, *self.subscriptions.restorable]

    def opens_with(self, id_: RequestId | None) -> bool:
        """Whether this is the id of the host's `initialize`, and that has no answer yet."""
        return self._initialize is not None and self._initialize.id == id_

    def discover(self) -> None:
        """Ask the server what it offers."""
        raw_id = str(self._discover).encode()
        self._port.up(writing.request(raw_id, mcp.DISCOVER, self.host.with_request_meta({})))

    def hold(self, request: Request) -> None:
        """Keep a request until the session is open."""
        self._held[request.id] = request
        self._waiting.enter(request, lambda _reason: self._forget(request))

    def discovered(self, response: Response) -> bool:
        """The server answered `server/discover`. Return whether the session is open; if not, its requests failed."""
        initialize, held = self._initialize, self._held
        self._discover, self._initialize, self._held = None, None, {}
        said = None if response.is_error else discovery.read(response.result)
        if said is not None:
            self.capabilities = said.capabilities
            if said.runs_tasks:
                self.host.run_tasks()
            if initialize:
                result = discovery.initialize_result(
                    said, self.host.version, self._server_name, offers_tasks=self.host.knows_tasks
                )
                self._waiting.result(initialize, result)
        elif initialize:
            for request in (initialize, *held.values()):
                self._fail(request, response)
            return False
        else:
            text = "the server did not state its capabilities; the host will not be notified of changes"
            self._port.report("warning", text)
        for request in held.values():
            self._waiting.forget(request)
            self._route(self, request)
        self._listen()
        return True

    def initialized(self) -> None:
        """The host sent `notifications/initialized`: from now on it may be sent notifications."""
        self._is_initialized = True
        self._listen()

    def adopt(self, *, is_initialized: bool) -> None:
        """The host opened its session elsewhere, and sent `notifications/initialized` there or not."""
        self._is_initialized = is_initialized

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request to the server with this id, and return the host's requests that wait for its answer."""
        if id_ != self._discover:
            return self.subscriptions.reroute(id_)
        requests = [*([self._initialize] if self._initialize else []), *self._held.values()]
        self._discover, self._initialize, self._held = None, None, {}
        return requests

    def fail_held(self, refusal: TranslatorRefusal) -> None:
        """Fail the requests that wait until the session is open."""
        held, self._held = self._held, {}
        for request in held.values():
            self._waiting.refuse(request, refusal)

    def fail_initialize(self, refusal: TranslatorRefusal) -> None:
        """Fail the host's `initialize`, if it has no answer yet."""
        if self._initialize:
            self._waiting.refuse(self._initialize, refusal)

    def _forget(self, request: Request) -> None:
        self._held.pop(request.id, None)

    def _fail(self, request: Request, response: Response) -> None:
        if response.is_error:
            self._waiting.line(request, writing.answering(response, request.raw_id).line)
        else:
            what = f"The server's response to {mcp.DISCOVER} is not valid, so it does not follow MCP."
            self._waiting.refuse(request, TranslatorRefusal(INTERNAL_ERROR, ErrorKind.WRONG_ANSWER, what))

    def _listen(self) -> None:
        if self._is_initialized and self._discover is None and self.capabilities:
            self.subscriptions.listen(self.capabilities)
