"""What is remembered of the host, so that the bridge can answer it once a sign-in is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Raw

from bridge.protocol import client_meta, mcp, messages, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, Response
from bridge.provisional.pending import Awaiting, PendingHostRequests
from bridge.provisional.provisional_subscriptions import ProvisionalSubscriptions


class HostState:
    """A legacy host, known by its `initialize`. `version` is that of the answer it got, empty before that.

    `program` is its `clientInfo.name`, `declared` are its capabilities. `is_initialized`: it has sent
    `notifications/initialized`. `is_confirmed`: the server itself has answered its `initialize`, in `servers_version`.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.program = client_meta.client_program(request.params)
        self.declared = writing.members(writing.members(request.params).get("capabilities", Raw()))
        self.version = self.servers_version = ""
        self.is_initialized = False
        self.is_confirmed = False
        self._missed: Sequence[str] = ()

    def changed(self, kinds: Sequence[str]) -> list[Octets]:
        """The lines that tell it that lists of these kinds changed; before `is_initialized` they are kept for then."""
        if not self.version:
            return []
        if not self.is_initialized:
            self._missed = kinds
            return []
        return [writing.notification(f"notifications/{kind}/list_changed").line for kind in kinds]

    def initialized(self) -> list[Octets]:
        """It sent `notifications/initialized`: return the lines that were kept."""
        self.is_initialized = True
        missed, self._missed = self._missed, ()
        return self.changed(missed)


class HostMemory:
    """What is remembered. `awaiting` and `started_at` are those of `PendingHostRequests`.

    `host` is the legacy host, None before it sent `initialize`. `is_served`: the server itself has answered a request
    with a result.
    """

    def __init__(self, awaiting: Awaiting, started_at: float = math.inf) -> None:
        self.host: HostState | None = None
        self.is_served = False
        self.pending = PendingHostRequests(awaiting, started_at)
        self.subscriptions = ProvisionalSubscriptions(awaiting)

    @property
    def needs_answers(self) -> bool:
        """Whether the server's answers have to be read."""
        is_opening = self.host is not None and not self.host.is_confirmed
        return not self.is_served or is_opening or self.subscriptions.is_unsettled

    def begin(self, initialize: Request) -> None:
        """A legacy host opens a session; what was known of it before does not count any more."""
        self.host = HostState(initialize)
        self.is_served = False

    def take(self, request: Request, now: float) -> None:
        """Remember a request that goes to the server."""
        if request.method == mcp.LISTEN:
            self.subscriptions.open(request)
            return
        self.pending.enter(request, now)
        if request.method == mcp.INITIALIZE:
            self.begin(request)

    def take_answer(self, response: Response) -> None:
        """Take an answer of the server that goes to the host."""
        if request := self.subscriptions.get(response.id):
            self.subscriptions.answered(request, may_return=False)
        else:
            self.learn(self.pending.pop(response.id), response)

    def learn(self, asked: Request | None, response: Response) -> None:
        """Learn from the server's answer to `asked`, None for a request that is not known."""
        if response.is_error:
            return
        self.is_served = True
        if asked is not None and asked.method == mcp.INITIALIZE and self.host is not None:
            result = messages.initialize_result(response.result)
            self.host.version = result.protocol_version if result else ""
            self.host.is_confirmed = True

    def take_notification(self, notification: Notification) -> list[Octets]:
        """Take a notification that goes to the server; return the lines that the host gets after it."""
        if self.host is None or notification.method != mcp.INITIALIZED:
            return []
        return self.host.initialized()
