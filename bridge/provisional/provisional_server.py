"""Who answers the host in time while somebody has to sign in: stands before `HostRouter`, and most of the time aside.

Aside, it only remembers what the host asks, and when. Once a request of the host's has waited for `answer_within`
seconds for a person, or nobody is asked though it would be necessary, the host is *received* here, until the server
lets it in:

| the host sends | at first | in the middle of a session |
|---|---|---|
| `initialize`, `server/discover` | a provisional answer; the server's own is swallowed | the same |
| `tools/list` | the tool `sign_in` | the same; where nobody is asked, the server may say otherwise |
| another list | an empty one | it waits for the server |
| `ping` | an answer | an answer |
| a call of `sign_in` | see `sign_in_calls` | the same |
| another call | waits; is told what to do where no browser is open for it | the same |
| `subscriptions/listen` | an early acknowledgment | the same |
| a batch | is taken member by member | it waits for the server where it came before; else the same |
| anything else | held until the server answers `initialize`; modern: waits for the server | it waits |

When the user has signed in, what is still wanted of the server is asked of it, what was held follows, and the host is
told that its lists changed; the calls of `sign_in` end once it has listed the tools. If the sign-in fails, they say
why, and the next one tries again.

A host that never asks for its lists again (`protocol/hosts`) is not received: it waits, and gets the server's own
answer if the user signs in meanwhile. Just before it would give up, it gets an error with the link; where its users
would not see that, it is received after all: the tool `sign_in` says more than silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from bridge.protocol import mcp, messages
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response
from bridge.provisional import provisional_results, sign_in_calls, sign_in_tool
from bridge.provisional.provisional_session import LISTING_TIMER, ProvisionalSession
from bridge.provisional.sign_in_calls import SignInCalls
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults
from bridge.session.commands import CancelTimer, Command, OpenSignIn, SendToHost, SetTimer
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
from bridge.session.router import HostRouter, is_modern

_TIMER = ("reception", 0)
_SOON = 0.001
_IN_USE = "This id is in use by a request that has no answer yet."
_ALWAYS_OURS = frozenset((HostClosed, SignInStarted, SignInShown, SignInEnded))
_SHOW_THE_HOST = frozenset((mcp.INITIALIZE, mcp.INITIALIZED, mcp.LISTEN))


class ProvisionalServer:
    """Takes the events that `HostRouter` would take, and gives commands as it does.

    `answer_within` in seconds; None: the host waits for the sign-in, however long it takes. `redact` takes secrets out
    of a text, `fresh()` gives an unguessable one. `url` is the server's, `login_command()` what a user types to sign in
    there. `started_at`: when this process started, by the clock of the events; a host's patience with its first request
    begins there.
    """

    def __init__(
        self,
        router: HostRouter,
        answer_within: float | None,
        redact: Callable[[str], str] = str,
        *,
        url: str,
        login_command: Callable[[], str],
        fresh: Callable[[], str],
        started_at: float = math.inf,
    ) -> None:
        self._router = router
        self._answer_within = answer_within
        self._redact = redact
        self._now = 0.0
        self._commands: list[Command] = []
        self._status = SignInStatus(url, login_command)
        self._calls = SignInCalls(self._status, self._do, fresh)
        self._session = ProvisionalSession(self._status, self._calls, router, self._pass, self._do, redact)
        self._is_timed = False
        self._has_wished = False
        self._is_aside = False
        self._started_at = started_at

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        busy = self._session.busy
        return self._router.busy if busy is None else busy

    @property
    def host_name(self) -> str:
        """What the host calls itself; empty before it has."""
        return self._router.host_name

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        if self._answer_within is None or (self._is_aside and self._is_not_ours(event, now)):
            return self._router.handle(event, now)
        self._now = self._status.now = now
        self._take(event)
        self._session.go_on()
        self._is_aside = not (self._status.is_under_way or self._session.is_concerned or self._session.is_listening)
        commands = self._commands[:]
        self._commands.clear()
        return commands

    def _is_not_ours(self, event: Event, now: float) -> bool:
        """Whether an event means nothing here while nobody has to sign in, but that the host may ask: most do."""
        if isinstance(event, HostBatch):
            for member in event.messages:
                if isinstance(member, Request):
                    self._session.unanswered.enter(member, now, in_batch=True)
            return True
        if type(event) is not HostMessage:
            return type(event) not in _ALWAYS_OURS
        message = event.message
        if isinstance(message, Response):
            return True
        if message.method in _SHOW_THE_HOST:
            return False
        if isinstance(message, Request):
            self._session.unanswered.enter(message, now)
        return True

    def _take(self, event: Event) -> None:
        if isinstance(event, HostMessage):
            self._from_host(event)
        elif isinstance(event, HostBatch):
            self._tell(*event.errors)
            for message in event.messages:
                self._from_host(HostMessage(message))
        elif isinstance(event, SignInStarted):
            self._started(event)
        elif isinstance(event, SignInShown):
            if self._status.is_under_way:
                self._status.show(event)
                self._session.shown()
        elif isinstance(event, SignInEnded):
            self._ended(event)
        elif isinstance(event, TimerFired) and event.timer == _TIMER:
            self._is_timed = False
            self._watch_the_clock()
        elif isinstance(event, TimerFired) and event.timer == LISTING_TIMER:
            self._session.on_timer()
        elif isinstance(event, TimerFired) and event.timer[0] == sign_in_calls.TIMER:
            self._calls.on_timer(event.timer[1])
        elif isinstance(event, HostClosed):
            self._pass(event)
            self._session.close()
            self._answer_within = None  # Whatever comes now is HostRouter's, which does no more.
        else:
            self._pass(event)

    # -- how the sign-in goes

    def _started(self, event: SignInStarted) -> None:
        self._has_wished = False
        self._pass(event)
        if event.widens:
            return  # The token is good for all else: the server goes on being asked.
        self._status.begin()
        if self._session.is_on:
            self._session.answer_waiting()
        else:
            self._watch_the_clock()

    def _ended(self, event: SignInEnded) -> None:
        if event.widened:
            self._pass(event)
            return
        self._status.end(self._redact(event.problem))
        self._has_wished = False
        if self._is_timed:
            self._is_timed = False
            self._do(CancelTimer(_TIMER))
        if event.problem and self._sees_no_error(self._session.unanswered.awaited()):
            self._session.told.gives_up = True  # The error that is about to come would not be seen.
        self._pass(event)
        if event.problem:
            self._session.fail()
        else:
            self._session.let_in()

    def _watch_the_clock(self) -> None:
        """Answer the host once something has waited for long enough; till then, be woken for it."""
        session = self._session
        if session.is_on or self._is_timed or not self._status.is_under_way:
            return
        awaited = session.unanswered.awaited()
        is_received = any(map(session.told.may_answer, awaited))
        limit = self._answer_within if is_received else self._patience(awaited)
        began = session.unanswered.oldest()
        if began is None or limit is None:
            return
        left = began + limit - self._now
        if left > _SOON:
            self._is_timed = True
            self._do(SetTimer(_TIMER, left))
        elif is_received:
            session.begin()
        elif self._sees_no_error(awaited):
            session.told.gives_up = True
            session.begin()
        else:
            session.turn_away()
            self._watch_the_clock()

    def _sees_no_error(self, awaited: Sequence[Request]) -> bool:
        """Whether the host that gives up now is introducing itself, and its users would not see an error."""
        opening = [request for request in awaited if request.method in {mcp.INITIALIZE, mcp.DISCOVER}]
        return any(not self._session.told.host_of(request).shows_errors for request in opening)

    def _patience(self, awaited: Sequence[Request]) -> float | None:
        """How long the host that asks this can be kept waiting, in seconds; None: as long as the user takes."""
        return min((by for request in awaited if (by := self._session.told.host_of(request).answer_by)), default=None)

    # -- the host

    def _from_host(self, event: HostMessage) -> None:
        message, session = event.message, self._session
        if isinstance(message, Request):
            if session.is_concerned:
                self._route(message)
            else:
                self._up(message)
            return
        if not (session.is_concerned and self._keeps(message)):
            self._pass(event)
        if session.told.host_state and isinstance(message, Notification) and message.method == mcp.INITIALIZED:
            self._tell(*session.told.host_state.initialized())

    def _keeps(self, message: Notification | Response) -> bool:
        """Whether a notification or an answer does not go up now."""
        if isinstance(message, Response) and self._calls.take(message):
            return True
        if isinstance(message, Notification) and message.method == mcp.CANCELLED:
            return self._cancel(messages.cancelled_request(message.params))
        if self._session.told.is_at_door:
            self._session.room.hold(message)
        return self._session.told.is_at_door

    def _cancel(self, id_: RequestId | None) -> bool:
        session = self._session
        if id_ is None:
            return session.told.is_at_door
        if id_ in session.response_filter or session.room.drop(id_):
            return True  # One has its answer, and what is still under way for it is wanted.
        if id_ in self._calls:
            self._calls.cancel(id_)
            return True
        if id_ in session.listens and (line := session.listens.cancel(id_)) is not None:
            self._tell(line)
            return True
        return session.told.is_at_door and not self._router.awaits(id_)

    def _route(self, request: Request) -> None:
        """A request that comes while the host is received, or later."""
        session, method, modern = self._session, request.method, is_modern(request)
        told, has_failed = session.told, self._status.has_failed
        is_new = session.is_on and method in {mcp.INITIALIZE, mcp.DISCOVER}
        if not session.is_on and session.response_filter.is_repeated(request):
            session.response_filter.expect_no_more(request.id)
            session.unanswered.enter(request, self._now)
            self._watch_the_clock()
        elif request.id in self._calls or (request.id in session.response_filter and not is_new):
            self._tell(faults.bad_input(request.raw_id, _IN_USE))
        elif method == mcp.TOOLS_CALL and self._is_sign_in(request):
            self._sign_in(request, modern)
        elif is_new:
            self._introduce(request)
        elif (line := told.stand_in(request)) is not None:
            self._tell(line)
        elif not session.is_on:
            told.listed(request)
            self._up(request)
        elif told.knows(modern=modern) and not self._status.is_under_way and method != mcp.PING:
            self._up(request)  # Nobody is asked, so it is the server that has to say whether somebody must be.
        elif (line := told.answer(request)) is not None:
            self._tell(line)
        elif modern or not told.is_at_door:
            self._up(request)
        elif has_failed:
            self._tell(told.refusal(request))
        else:
            session.room.hold(request)

    def _introduce(self, request: Request) -> None:
        """A host that begins while it can only be received."""
        session = self._session
        if request.id in session.response_filter:
            if request.method == mcp.INITIALIZE:
                session.open_anew(request)
        else:
            self._up(request)
            if request.id not in session.unanswered:
                return  # It was answered just now.
        session.introduce(request)

    def _up(self, request: Request) -> None:
        """A request on its way to the server."""
        session = self._session
        if request.method == mcp.LISTEN:
            session.listens.open(request)
        else:
            # The host's patience with its first request began when it started this process.
            began, self._started_at = min(self._now, self._started_at), math.inf
            session.unanswered.enter(request, began)
        if request.method == mcp.INITIALIZE:
            session.open_anew(request)
        self._pass(HostMessage(request))
        if session.is_on and request.method == mcp.LISTEN:
            self._tell(*session.listens.acknowledge(session.told.may_answer))
        elif self._status.is_under_way:
            self._watch_the_clock()

    # -- the tool

    def _is_sign_in(self, request: Request) -> bool:
        told = self._session.told
        is_known = self._session.is_on or told.shows_tool
        return is_known and messages.named(request.params) == sign_in_tool.NAME and told.may_answer(request)

    def _sign_in(self, request: Request, modern: bool) -> None:
        status, told = self._status, self._session.told
        status.product = told.product_of(request)
        told.shows_tool = True
        if not self._session.is_on and not status.is_under_way:
            text = sign_in_tool.done_before(status)
            self._tell(provisional_results.tool_result(request, text, status, is_modern=modern))
            return
        if not self._session.is_on:
            self._session.begin()
        asks = (
            provisional_results.can_open_urls(request)
            if modern
            else told.host_state is not None and told.host_state.can_open_urls
        )
        host = told.host_of(request)
        seconds = host.answer_call_by or sign_in_tool.WAIT_SECONDS
        if not self._calls.begin(request, is_modern=modern, asks=asks and host.opens_links, seconds=seconds):
            return
        initialize = told.introductions.get(mcp.INITIALIZE)
        if status.is_under_way:
            if status.needs_hands and self._wish():
                return  # What became of it will be told: a browser, or the link to show.
        elif status.trouble:
            self._session.let_in()
        elif status.problem or initialize is None or not self._router.awaits(initialize.id):
            # That the sign-in failed may be known before the request that asked for it has ended.
            self._wish()
        self._calls.shown()

    def _wish(self) -> bool:
        """Have the user asked, and a browser opened; once for each sign-in. Whether this is that once."""
        is_first = not self._has_wished
        if is_first:
            self._has_wished = True
            self._do(OpenSignIn())
        return is_first

    # -- both ways

    def _pass(self, event: Event) -> None:
        commands = self._router.handle(event, self._now)
        if self._session.is_on or self._session.response_filter.is_needed:
            for command in commands:
                if not isinstance(command, SendToHost) or self._session.response_filter.passes(
                    command.line, is_own=command.is_own
                ):
                    self._do(command)
        else:
            self._commands += commands

    def _tell(self, *lines: Octets) -> None:
        self._commands += [SendToHost(line) for line in lines]

    def _do(self, command: Command) -> None:
        self._commands.append(command)
