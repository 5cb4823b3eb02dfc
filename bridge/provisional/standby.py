"""Stands between the host and `HostRouter`, and passes everything on until a sign-in is needed.

Meanwhile it remembers what `ProvisionalServer` has to know of the host (`HostMemory`). That server and all that belongs
to it are loaded with the first sign-in of a run; most runs need none.

| event | what is done |
|---|---|
| of a sign-in | `ProvisionalServer` handles it, and is loaded for it |
| any other, while that server is needed | `ProvisionalServer` handles it |
| any other, while the host or a subscription opens | it is passed on, and the server's answers are read |
| any other | it is passed on; of requests, the time is remembered |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.errors import ErrorKind
from bridge.protocol import jsonrpc, mcp
from bridge.protocol.jsonrpc import Notification, Request, Response
from bridge.provisional.host_state import HostMemory
from bridge.session import faults
from bridge.session.commands import Command, SendToHost
from bridge.session.events import Event, HostBatch, HostClosed, HostMessage, SignInEnded, SignInShown, SignInStarted
from bridge.session.router import HostRouter

if TYPE_CHECKING:
    from bridge.provisional.provisional_server import ProvisionalServer

_OF_A_SIGN_IN = frozenset((SignInStarted, SignInShown, SignInEnded))
_FROM_THE_HOST = frozenset((HostMessage, HostBatch, HostClosed))
_OPENS = frozenset((mcp.INITIALIZE, mcp.INITIALIZED, mcp.LISTEN))


class Standby:
    """Takes the events that `HostRouter` would take, and returns commands as it does.

    `load(memory)` makes the `ProvisionalServer`. `started_at` is when this process was started, by the clock of the
    events: the host waits for its first answer from then on.
    """

    def __init__(
        self, router: HostRouter, load: Callable[[HostMemory], ProvisionalServer], started_at: float = math.inf
    ) -> None:
        self._router = router
        self._load = load
        self._memory = HostMemory(router, started_at)
        self._server: ProvisionalServer | None = None
        self._is_settled = False
        self._is_closed = False

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        return self._router.busy if self._server is None else self._server.busy

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._router.host_name

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        if self._is_closed or (self._is_settled and self._is_ordinary(event, now)):
            return self._router.handle(event, now)
        commands = self._handle(event, now)
        self._is_closed = type(event) is HostClosed
        self._is_settled = not (self._memory.needs_answers or (self._server is not None and self._server.is_needed))
        return commands

    def _is_ordinary(self, event: Event, now: float) -> bool:
        """Whether an event only has to be passed on while nothing is open. A request is remembered."""
        if type(event) not in _FROM_THE_HOST:
            return type(event) not in _OF_A_SIGN_IN
        if isinstance(event, HostMessage):
            message = event.message
            if isinstance(message, Response):
                return True
            if message.method in _OPENS:
                return False
            if isinstance(message, Request):
                self._memory.pending.enter(message, now)
            return True
        if isinstance(event, HostBatch):
            for member in event.messages:
                if isinstance(member, Request):
                    self._memory.pending.enter(member, now, in_batch=True)
            return True
        return False

    def _handle(self, event: Event, now: float) -> list[Command]:
        if type(event) in _OF_A_SIGN_IN:
            return self._loaded().handle(event, now)
        if self._server is not None and self._server.is_needed:
            return self._server.handle(event, now)
        if isinstance(event, HostBatch):
            return self._handle_members(event, now)
        return self._pass_on(event, now)

    def _handle_members(self, batch: HostBatch, now: float) -> list[Command]:
        """Handle the members one by one: while a host opens, the bridge may have to answer some of them."""
        commands: list[Command] = [SendToHost(line) for line in batch.errors]
        for message in batch.messages:
            commands += self.handle(HostMessage(message), now)
        return commands

    def _pass_on(self, event: Event, now: float) -> list[Command]:
        memory = self._memory
        notification: Notification | None = None
        if isinstance(event, HostMessage):
            if isinstance(event.message, Request):
                memory.take(event.message, now)
            elif isinstance(event.message, Notification):
                notification = event.message
        commands = self._router.handle(event, now)
        if memory.needs_answers:
            commands = [command for command in commands if self._reaches_host(command)]
        if notification is not None:
            commands += [SendToHost(line) for line in memory.take_notification(notification)]
        return commands

    def _reaches_host(self, command: Command) -> bool:
        """Read what goes to the host; return whether it does."""
        if not isinstance(command, SendToHost):
            return True
        try:
            message = jsonrpc.parse(command.line)
        except ValueError:
            return True  # A batch.
        match message:
            case Response() if self._may_return(message):
                return self._loaded().passes(command)
            case Response():
                self._memory.take_answer(message)
            case Notification(method=mcp.ACKNOWLEDGED):
                return self._memory.subscriptions.acknowledged(message)
        return True

    def _may_return(self, response: Response) -> bool:
        """Whether it ends a subscription that a sign-in may bring back."""
        is_subscription = response.is_error and response.id in self._memory.subscriptions
        return is_subscription and faults.own_kind(response.error) == ErrorKind.UNAUTHORIZED

    def _loaded(self) -> ProvisionalServer:
        if self._server is None:
            self._server = self._load(self._memory)
        return self._server
