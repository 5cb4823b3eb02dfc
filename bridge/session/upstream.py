"""An upstream: one machine for the server, and what stands between it and the host."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from bridge import PROGRAM
from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId
from bridge.session import faults
from bridge.session.commands import Command, Deliver, Report, SendToHost
from bridge.session.events import Event, HostClosed, HostMessage
from bridge.session.faults import Fault
from bridge.session.session_state import UPSTREAM_NUMBERS
from bridge.session.timers import Timer, Timers
from bridge.translate.translator import Translator, TranslatorRefusal

_TRANSLATOR = "era/"


class Machine(Protocol):
    """A server as a host of its own era sees it: `Session` or `Stateless`."""

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""

    @property
    def restorable(self) -> list[Request]:
        """Requests of the host with a lasting effect (log level, subscriptions), to be sent again elsewhere."""

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request with this id has no answer yet."""

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` and return what to do, in order."""


class RouterContext:
    """What all upstreams share: the time of the event being handled, in seconds, its commands, and the timers.

    `keep_alive`: see `LongCalls`.
    `fresh()` returns an unguessable text, `timestamp()` the date and time.
    """

    def __init__(self, url: str, fresh: Callable[[], str], timestamp: Callable[[], str]) -> None:
        self.url = url
        self.fresh = fresh
        self.timestamp = timestamp
        self.now = 0.0
        self.keep_alive: float | None = None
        self.commands: list[Command] = []
        self.timers = Timers(self.do)

    def do(self, command: Command) -> None:
        """Issue a command."""
        self.commands.append(command)

    def refuse(self, request: Request, fault: Fault) -> None:
        """Answer a request from the host with an error made by the bridge."""
        level = "debug" if fault.kind == faults.SHUTDOWN else "warning"
        self.do(Report(level, faults.unanswered(request, fault)))
        self.do(SendToHost(fault.error_line(request.raw_id, self.url), is_own=True))


class Upstream:
    """One machine, for the server's `era`. `receive(upstream, deliver)` gets what it delivers to its host."""

    def __init__(
        self,
        number: int,
        era: str,
        context: RouterContext,
        machine: Machine,
        receive: Callable[[Upstream, Deliver], None],
    ) -> None:
        self.number = number
        self.era = era
        self._context = context
        self._machine = machine
        self._receive = receive
        self._is_over = False

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer from this upstream."""
        return self._machine.busy

    @property
    def restorable(self) -> list[Request]:
        """See `Machine`."""
        return self._machine.restorable

    def awaits(self, id_: RequestId) -> bool:
        """Whether the host waits for this upstream to answer the request with this id."""
        return self._machine.awaits(id_)

    def asks(self, id_: RequestId | None) -> bool:
        """Whether this upstream itself sent the host a request with this id that has no answer yet."""
        return False

    def host(self, message: Message, version: str = "") -> None:
        """The host sent a message for this upstream. `version`: see `HostMessage`."""
        self.on(HostMessage(message, version))

    def on(self, event: Event) -> None:
        """Give the machine an event."""
        commands = self._context.commands
        for command in self._machine.handle(event, self._context.now):
            if isinstance(command, Deliver):
                self._receive(self, command)
            elif not self._is_over:
                commands.append(command)

    def pass_on(self, deliver: Deliver) -> None:
        """Pass what the machine delivered on to the host."""
        self._context.do(SendToHost(deliver.line, is_own=deliver.fault is not None))

    def reroute(self, request: Request) -> list[Request]:
        """The host's requests that depended on `request`, whose answer the host does not get."""
        return [request]

    def close(self) -> None:
        """The run ends: answer the requests that the machine does not know of."""

    def dismiss(self) -> None:
        """Fail the requests that still wait, because the bridge shuts down, and do nothing after that.

        The machine may be in the middle of an event when this is called; its further commands are dropped.
        """
        self.close()
        self.on(HostClosed())
        self._is_over = True

    def give_up(self) -> None:
        """Stop everything in progress, and drop the answers."""
        commands = self._machine.handle(HostClosed(), self._context.now)
        self._context.commands.extend(command for command in commands if not isinstance(command, Deliver | Report))


T = TypeVar("T", bound=Translator)


class TranslatedUpstream(Upstream, Generic[T]):
    """A machine behind a translator. This upstream is the translator's port."""

    def __init__(
        self,
        number: int,
        era: str,
        context: RouterContext,
        machine: Machine,
        receive: Callable[[Upstream, Deliver], None],
        make: Callable[[TranslatedUpstream[T]], T],
    ) -> None:
        super().__init__(number, era, context, machine, receive)
        self._last_timer = 0
        self._passes_fault = False
        self.translator: T = make(self)

    @property
    def busy(self) -> bool:
        """See `Upstream`."""
        return super().busy or self.translator.is_waiting

    def awaits(self, id_: RequestId) -> bool:
        """See `Upstream`."""
        return self.translator.awaits(id_)

    def asks(self, id_: RequestId | None) -> bool:
        """See `Upstream`."""
        return self.translator.asks(id_)

    def host(self, message: Message, version: str = "") -> None:
        """See `Upstream`."""
        self.translator.from_host(message)

    def pass_on(self, deliver: Deliver) -> None:
        """See `Upstream`."""
        self._passes_fault = deliver.fault is not None
        self.translator.from_server(deliver.message or jsonrpc.parse(deliver.line), deliver.about)
        self._passes_fault = False

    def reroute(self, request: Request) -> list[Request]:
        """See `Upstream`."""
        return self.translator.reroute(request.id)

    def close(self) -> None:
        """See `Upstream`."""
        self.translator.close()

    # -- `TranslatorPort`

    @property
    def now(self) -> float:
        """See `TranslatorPort`."""
        return self._context.now

    @property
    def keep_alive(self) -> float | None:
        """See `TranslatorPort`."""
        return self._context.keep_alive

    def up(self, message: Message) -> None:
        """See `TranslatorPort`."""
        super().on(HostMessage(message))

    def down(self, line: Octets) -> None:
        """See `TranslatorPort`."""
        self._context.do(SendToHost(line, is_own=self._passes_fault))

    def refuse(self, request: Request, refusal: TranslatorRefusal) -> None:
        """See `TranslatorPort`."""
        named = {"source": PROGRAM, "kind": refusal.kind, "url": self._context.url}
        self.down(jsonrpc.error_line(request.raw_id, refusal.code, refusal.message, refusal.data | named))

    def timer(self, purpose: str, fired: Callable[[], None]) -> Timer:
        """See `TranslatorPort`."""
        self._last_timer += 1
        number = self.number * UPSTREAM_NUMBERS + self._last_timer
        return self._context.timers.new(_TRANSLATOR + purpose, partial(self._on_timer, fired), number)

    def timestamp(self) -> str:
        """See `TranslatorPort`."""
        return self._context.timestamp()

    def fresh(self) -> str:
        """See `TranslatorPort`."""
        return self._context.fresh()

    def report(self, level: str, text: str) -> None:
        """See `TranslatorPort`."""
        self._context.do(Report(level, text))

    def _on_timer(self, fired: Callable[[], None]) -> None:
        if not self._is_over:
            fired()
