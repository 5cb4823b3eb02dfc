"""Who answers the host in time while somebody has to sign in: stands before `Pairing`, and is silent most of the time.

Once a request of the host's has waited for `answer_within` seconds for a person, or nobody is asked though it would be
necessary, the host is *received* here, until the server lets it in:

| the host sends | at first | in the middle of a session |
|---|---|---|
| `initialize`, `server/discover` | a provisional answer; the server's own is swallowed | the same |
| `tools/list` | the tool `sign_in` | the same; where nobody is asked, the server may say otherwise |
| another list | an empty one | it waits for the server |
| `ping` | an answer | an answer |
| a call of `sign_in` | see `sign_in_calls` | the same |
| another call | waits; is told what to do where no browser is open for it | the same |
| `subscriptions/listen` | an early acknowledgment | the same |
| anything else | held until the server answers `initialize`; modern: waits for the server | it waits |

When somebody has signed in, what is still wanted of the server is asked of it, what was held follows, and the host is
told that its lists changed. If that fails, the calls of `sign_in` say why, and the next one tries again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Message, Notification, Octets, Request, RequestId, Response
from bridge.session import faults, provisional, sign_in_calls, sign_in_tool
from bridge.session.commands import CancelTimer, Command, Report, SendToHost, SetTimer, SignIn
from bridge.session.early_listens import EarlyListens
from bridge.session.events import (
    Event,
    HostBatch,
    HostClosed,
    HostMessage,
    SignInEnded,
    SignInShown,
    SignInStarted,
    TimerFired,
)
from bridge.session.overhearing import Overhearing
from bridge.session.pairing import Pairing, is_modern
from bridge.session.receiving import Receiving
from bridge.session.sign_in_calls import SignInCalls
from bridge.session.sign_in_tool import Standing
from bridge.session.unanswered import Unanswered
from bridge.session.waiting_room import WaitingRoom

_TIMER = ("reception", 0)
_SOON = 0.001
_IN_USE = "This id is in use by a request that has no answer yet."
_OURS = frozenset((HostMessage, HostBatch, HostClosed, SignInStarted, SignInShown, SignInEnded, TimerFired))


class Reception:
    """Takes the events that `Pairing` would take, and gives commands as it does.

    `answer_within` in seconds; None: the host waits with the bridge, whatever happens. `redact` takes secrets out of a
    text, `fresh()` gives one that nobody can guess. `url` is the server's.
    """

    def __init__(
        self,
        pairing: Pairing,
        answer_within: float | None,
        redact: Callable[[str], str] = str,
        *,
        url: str,
        fresh: Callable[[], str],
    ) -> None:
        self._pairing = pairing
        self._answer_within = answer_within
        self._redact = redact
        self._now = 0.0
        self._commands: list[Command] = []
        self._then: list[Callable[[], None]] = []
        self._standing = standing = Standing(url)
        self._told = Receiving(standing)
        self._unanswered = Unanswered(pairing.awaits)
        self._room = WaitingRoom(url, self._tell)
        self._listens = EarlyListens(pairing.awaits)
        self._calls = SignInCalls(standing, self._do, fresh)
        self._ears = Overhearing(standing, self._told, self._unanswered, self._listens, self, redact)
        self._is_receiving = False
        self._is_timed = False
        self._has_asked_for_tab = False

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        if self._calls.is_busy or self._room.is_busy:
            return True
        return bool(self._unanswered.awaited()) if self._ears.is_swallowing else self._pairing.busy

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._pairing.host_name

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        if self._answer_within is None:
            return self._pairing.handle(event, now)
        self._now = self._standing.now = now
        if type(event) in _OURS:
            self._take(event)
        else:
            self._pass(event)
        while self._then:
            self._then.pop(0)()
        commands = self._commands[:]
        self._commands.clear()
        return commands

    def _take(self, event: Event) -> None:
        if isinstance(event, HostMessage):
            self._from_host(event.message)
        elif isinstance(event, HostBatch) and self._is_involved:
            for line in event.errors:
                self._tell(line)
            for message in event.messages:
                self._from_host(message)
        elif isinstance(event, SignInStarted):
            self._started(event)
        elif isinstance(event, SignInShown):
            self._shown(event)
        elif isinstance(event, SignInEnded):
            self._ended(event)
        elif isinstance(event, TimerFired) and event.timer == _TIMER:
            self._is_timed = False
            self._watch_the_clock()
        elif isinstance(event, TimerFired) and event.timer[0] == sign_in_calls.TIMER:
            self._calls.on_timer(event.timer[1])
        elif isinstance(event, HostClosed):
            self._close(event)
        else:
            self._pass(event)

    # -- how the sign-in goes

    def _started(self, event: SignInStarted) -> None:
        self._standing.begin()
        self._has_asked_for_tab = False
        self._pass(event)
        if self._is_receiving:
            self._answer_waiting()
        else:
            self._watch_the_clock()

    def _shown(self, event: SignInShown) -> None:
        if not self._standing.is_under_way:
            return
        self._standing.show(event)
        self._calls.shown()
        if self._is_receiving and self._standing.needs_hands:
            self._answer_waiting()
            self._room.answer(self._told.answer)

    def _ended(self, event: SignInEnded) -> None:
        self._standing.end(self._redact(event.problem))
        if self._is_timed:
            self._is_timed = False
            self._do(CancelTimer(_TIMER))
        self._pass(event)
        if self._is_receiving and event.problem:
            self._fail()
        elif self._is_receiving:
            self._then.append(self._let_in)

    def _watch_the_clock(self) -> None:
        """Receive the host once something has waited for long enough; till then, be woken for it."""
        if self._is_receiving or self._is_timed or not self._standing.is_under_way:
            return
        began = self._unanswered.oldest()
        if began is None or self._answer_within is None:
            return
        left = began + self._answer_within - self._now
        if left > _SOON:
            self._is_timed = True
            self._do(SetTimer(_TIMER, left))
        elif any(self._told.may_answer(request) for request in self._unanswered.awaited()):
            self._receive()

    def _receive(self) -> None:
        """From now on the host is answered here."""
        self._is_receiving = True
        guest = self._told.guest
        self._answer_waiting()
        if guest and guest.is_received and self._told.may_answer(guest.request):
            self._tell(*guest.changed(("tools",)))
        self._tell(*self._listens.changed(("tools",)))
        self._tell(*self._listens.acknowledge(self._told.may_answer))

    def _answer_waiting(self) -> None:
        """Answer whatever of the host's requests can be."""
        for request in self._unanswered.awaited():
            if (line := self._told.answer(request)) is not None:
                self._tell(line)
                self._ears.swallow(request)
                if request.method == mcp.TOOLS_CALL:
                    reason = msgspec.json.encode("it waits for a sign-in")
                    self._pass(HostMessage(writing.cancellation(request.raw_id, reason)))
                    if not self._pairing.awaits(request.id):
                        self._ears.expect_no_more(request.id)

    def _fail(self) -> None:
        """Nobody is signed in, and nobody is asked; or the server took it and opened no session all the same."""
        self._room.answer(self._told.refusal)
        self._calls.end(sign_in_tool.failed(self._standing), is_error=True)

    def _let_in(self) -> None:
        """Somebody has signed in: the server is asked what was answered without it, and then the host is told."""
        told, standing = self._told, self._standing
        if standing.is_under_way:
            return
        standing.problem = standing.trouble = ""
        if not self._is_receiving:
            return
        for request in [*told.introductions.values(), *self._listens.lost()]:
            if not self._pairing.awaits(request.id):
                if request.method != mcp.LISTEN:
                    self._ears.swallow(request)
                self._pass(HostMessage(request))
        if told.is_at_door:
            return
        self._is_receiving = False
        kinds = provisional.KINDS if told.gave_lists else ("tools",)
        told.gave_lists, told.is_served = False, True
        self._tell(*(told.guest.changed(kinds) if told.guest else ()), *self._listens.changed(kinds))
        self._calls.end(sign_in_tool.done(standing), is_error=False)

    def _heal(self) -> None:
        """The server answered with a result though somebody should have to sign in: it does let the host in."""
        if self._standing.has_failed:
            self._let_in()

    # -- the host

    @property
    def _is_involved(self) -> bool:
        """Whether a message of the host's may concern anybody here."""
        return self._is_receiving or self._told.is_concerned or self._calls.has_questions or self._ears.is_swallowing

    def _from_host(self, message: Message) -> None:
        if isinstance(message, Request):
            if self._is_involved:
                self._route(message)
            else:
                self._up(message)
            return
        guest = self._told.guest
        if not (self._is_involved and self._keeps(message)):
            self._pass(HostMessage(message))
        if guest and isinstance(message, Notification) and message.method == mcp.INITIALIZED:
            self._tell(*guest.initialized())

    def _keeps(self, message: Notification | Response) -> bool:
        """Whether a notification or an answer does not go up now."""
        if isinstance(message, Response) and self._calls.take(message):
            return True
        if isinstance(message, Notification) and message.method == mcp.CANCELLED:
            return self._cancel(mcp.cancelled_request(message.params))
        if self._told.is_at_door:
            self._room.hold(message)
        return self._told.is_at_door

    def _cancel(self, id_: RequestId | None) -> bool:
        if id_ is None:
            return self._told.is_at_door
        if id_ in self._ears or self._room.drop(id_):
            return True  # One has its answer, and what is still under way for it is wanted.
        if id_ in self._calls:
            self._calls.cancel(id_)
            return True
        if id_ in self._listens and (line := self._listens.cancel(id_)) is not None:
            self._tell(line)
            return True
        return self._told.is_at_door and not self._pairing.awaits(id_)

    def _route(self, request: Request) -> None:
        """A request that comes while the host is received, or later."""
        told, method, modern = self._told, request.method, is_modern(request)
        is_new = self._is_receiving and method in {mcp.INITIALIZE, mcp.DISCOVER}
        if request.id in self._calls or (request.id in self._ears and not is_new):
            self._tell(faults.bad_input(request.raw_id, _IN_USE))
        elif method == mcp.TOOLS_CALL and self._is_sign_in(request):
            self._sign_in(request, modern)
        elif is_new:
            self._introduce(request)
        elif (line := told.stand_in(request)) is not None:
            self._tell(line)
        elif not self._is_receiving:
            if method == mcp.TOOLS_LIST:
                told.listed(request)
            self._up(request)
        elif told.knows(modern=modern) and not self._standing.is_under_way and method != mcp.PING:
            self._up(request)  # Nobody is asked, so it is the server that has to say whether somebody must be.
        elif (line := told.answer(request)) is not None:
            self._tell(line)
        elif told.is_at_door and not modern and self._standing.has_failed:
            self._tell(told.refusal(request))
        elif told.is_at_door and not modern:
            self._room.hold(request)
        else:
            self._up(request)

    def _introduce(self, request: Request) -> None:
        """A host that begins while it can only be received."""
        if request.id in self._ears:
            if request.method == mcp.INITIALIZE:
                self._begin(request)
        else:
            self._up(request)
            if request.id not in self._unanswered:
                return  # It was answered just now.
        if (line := self._told.answer(request)) is not None:
            self._tell(line)
            self._ears.swallow(request)

    def _up(self, request: Request) -> None:
        """A request on its way to the server."""
        if request.method == mcp.LISTEN:
            self._listens.open(request)
        else:
            self._unanswered.enter(request, self._now)
        if request.method == mcp.INITIALIZE:
            self._begin(request)
        self._pass(HostMessage(request))
        if self._is_receiving and request.method == mcp.LISTEN:
            self._tell(*self._listens.acknowledge(self._told.may_answer))
        elif self._standing.is_under_way:
            self._watch_the_clock()

    def _begin(self, initialize: Request) -> None:
        self._room.answer(self._told.refusal)
        self._told.begin(initialize)

    # -- the tool

    def _is_sign_in(self, request: Request) -> bool:
        is_known = self._is_receiving or self._told.shows_tool
        return is_known and mcp.named(request.params) == sign_in_tool.NAME and self._told.may_answer(request)

    def _sign_in(self, request: Request, modern: bool) -> None:
        standing, guest = self._standing, self._told.guest
        self._told.shows_tool = True
        if not self._is_receiving and not standing.is_under_way:
            text = sign_in_tool.done_before(standing)
            self._tell(provisional.tool_result(request, text, standing, is_modern=modern))
            return
        if not self._is_receiving:
            self._receive()
        asks = provisional.can_open_urls(request) if modern else guest is not None and guest.can_open_urls
        if not self._calls.begin(request, is_modern=modern, asks=asks):
            return
        initialize = self._told.introductions.get(mcp.INITIALIZE)
        if standing.is_under_way:
            if standing.needs_hands and not self._has_asked_for_tab:
                self._has_asked_for_tab = True
                self._do(SignIn())
        elif standing.trouble:
            self._let_in()
        elif initialize is None or not self._pairing.awaits(initialize.id):
            self._do(SignIn())
        self._calls.shown()

    # -- the server's side

    def _pass(self, event: Event) -> None:
        commands = self._pairing.handle(event, self._now)
        if self._is_receiving or self._ears.is_needed:
            for command in commands:
                if not isinstance(command, SendToHost) or self._ears.passes(command.line):
                    self._do(command)
        else:
            self._commands += commands

    def on_result(self) -> None:
        """The server answered with a result; see `Listener`."""
        self._then.append(self._heal)

    def on_opened(self) -> None:
        """The server answered the host's `initialize`; see `Listener`."""
        self._then.append(self._open)

    def on_failed(self) -> None:
        """It answered that with an error; see `Listener`."""
        self._fail()

    def on_lacking(self, request: Request) -> Octets | None:
        """A request was refused for want of a sign-in, and nobody is asked; see `Listener`."""
        line = self._told.answer(request)
        if line is not None:
            self._tell(line)
        if not self._is_receiving and self._told.may_answer(request):
            self._receive()
        return line

    def _open(self) -> None:
        """The server answered the host's `initialize`: what was held follows."""
        guest = self._told.guest
        if guest and guest.servers_version not in {"", guest.version}:
            words = f"speaks MCP {guest.servers_version}; the host was told {guest.version}"
            self._do(Report("warning", f"{self._standing.server_url} {words}"))
        for message in self._room.empty():
            if isinstance(message, Request):
                self._up(message)
            else:
                self._pass(HostMessage(message))
        self._let_in()

    # -- the end

    def _close(self, event: HostClosed) -> None:
        self._pass(event)
        url = self._standing.server_url
        fault = faults.shut_down(url, "")
        self._room.answer(lambda request: fault.error_line(request.raw_id, url))
        self._tell(*(fault.error_line(request.raw_id, url) for request in self._listens.lost()))
        self._calls.close()
        self._answer_within = None  # Whatever comes now is Pairing's, which does no more.

    def _tell(self, *lines: Octets) -> None:
        self._commands += [SendToHost(line) for line in lines]

    def _do(self, command: Command) -> None:
        self._commands.append(command)
