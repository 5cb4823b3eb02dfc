"""Answers the host in the server's place while the user has to sign in. It stands between the host and `HostRouter`.

Most of the time it passes everything on, and only remembers what the host asked, and when. Once a request has waited
for `answer_within` seconds because the user has to sign in, or no sign-in is under way although one is needed, the
bridge answers the host itself until the server does:

| the host sends | before the server has answered `initialize` | in the middle of a session |
|---|---|---|
| `initialize`, `server/discover` | a provisional answer; the server's own is dropped | the same |
| `tools/list` | the tool `sign_in` | the same; with no sign-in under way, the server is asked |
| another list | an empty one | it waits for the server |
| `ping` | an answer | an answer |
| a call of `sign_in` | see `sign_in_calls` | the same |
| another call | it waits; where no browser is open, its result says what to do | the same |
| `subscriptions/listen` | an early acknowledgment | the same |
| a batch | its members are taken one by one | it waits for the server if it came earlier; else the same |
| anything else | it is held until the server answers `initialize`; modern: it waits for the server | it waits |

After the sign-in, the bridge asks the server what it has answered itself, sends what was held, and tells the host that
its lists changed. The calls of `sign_in` end once the host has listed the tools. If the sign-in fails, their results
say why, and the next call tries again.

Some hosts never ask for their lists again (`protocol/hosts`): they would keep the list with `sign_in` in it. Such a
host is not answered; it waits, and gets the server's own answer if the user signs in meanwhile. Just before it would
give up, it gets an error with the link. Where its users would not see that error, it is answered after all, for the
tool `sign_in` tells them more than silence.

| file | subject |
|---|---|
| `answer_deadline` | when the host must be answered |
| `host_messages` | what happens to each message of the host |
| `session` | the time in which the bridge answers, from beginning to end |
| `response_filter` | which of the server's messages the host gets |
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Octets, Request, Response
from bridge.provisional.answer_deadline import AnswerDeadline
from bridge.provisional.host_messages import HostMessages
from bridge.provisional.host_timers import HostTimers
from bridge.provisional.provisional_session import ProvisionalSession
from bridge.provisional.sign_in_calls import SignInCalls
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session.commands import Command, SendToHost
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
from bridge.session.router import HostRouter

_NEVER_PASSED_BY = frozenset((HostClosed, SignInStarted, SignInShown, SignInEnded))
_SHOW_THE_HOST = frozenset((mcp.INITIALIZE, mcp.INITIALIZED, mcp.LISTEN))


class ProvisionalServer:
    """Takes the events that `HostRouter` would take, and returns commands as it does. It is a `ProvisionalPort`.

    `answer_within` is in seconds. `redact` takes secrets out of a text, `fresh()` returns one that cannot be guessed.
    `url` is the server's; `login_command()` is what the user types to sign in there. `started_at` is when this process
    was started, by the clock of the events: the host waits for its first answer from then on.
    """

    def __init__(
        self,
        router: HostRouter,
        answer_within: float,
        redact: Callable[[str], str] = str,
        *,
        url: str,
        login_command: Callable[[], str],
        fresh: Callable[[], str],
        started_at: float = math.inf,
    ) -> None:
        self._router = self.awaiting = router
        self.redact = redact
        self.fresh = fresh
        self.timers = HostTimers(self.do)
        self._commands: list[Command] = []
        self._status = SignInStatus(url, login_command)
        self._calls = SignInCalls(self._status, self)
        self._session = ProvisionalSession(self._status, self._calls, self, started_at=started_at)
        self._deadline = AnswerDeadline(answer_within, self._status, self._session, self)
        self._messages = HostMessages(self._status, self._calls, self._session, self._deadline, self)
        self._is_idle = False
        self._is_closed = False

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
        if self._is_closed or (self._is_idle and self._passes_by(event, now)):
            return self._router.handle(event, now)
        self._status.now = now
        self._take(event)
        self._session.finish_event()
        self._is_idle = not (self._status.is_under_way or self._session.is_involved or self._session.reads_answers)
        commands = self._commands[:]
        self._commands.clear()
        return commands

    def _passes_by(self, event: Event, now: float) -> bool:
        """Whether an event only has to be passed on while no sign-in is needed. A request is remembered."""
        if isinstance(event, HostBatch):
            for member in event.messages:
                if isinstance(member, Request):
                    self._session.pending.enter(member, now, in_batch=True)
            return True
        if type(event) is not HostMessage:
            return type(event) not in _NEVER_PASSED_BY
        message = event.message
        if isinstance(message, Response):
            return True
        if message.method in _SHOW_THE_HOST:
            return False
        if isinstance(message, Request):
            self._session.pending.enter(message, now)
        return True

    def _take(self, event: Event) -> None:
        match event:
            case HostMessage():
                self._messages.take(event)
            case HostBatch():
                self.tell(*event.errors)
                for message in event.messages:
                    self._messages.take(HostMessage(message))
            case SignInStarted():
                self._on_started(event)
            case SignInShown() if self._status.is_under_way:
                self._status.show(event)
                self._session.link_changed()
            case SignInShown():
                pass
            case SignInEnded():
                self._on_ended(event)
            case TimerFired() if self.timers.fire(event.timer):
                pass
            case HostClosed():
                self.pass_on(event)
                self._session.close()
                self._is_closed = True
            case _:
                self.pass_on(event)

    def _on_started(self, event: SignInStarted) -> None:
        self._messages.can_ask = True
        self.pass_on(event)
        if event.widens:
            return  # The token is good for all other requests, so the server is still asked.
        self._status.begin()
        if self._session.is_active:
            self._session.answer_pending()
        else:
            self._deadline.watch()

    def _on_ended(self, event: SignInEnded) -> None:
        if event.widened:
            self.pass_on(event)
            return
        self._status.end(self.redact(event.problem))
        self._messages.can_ask = True
        self._deadline.sign_in_ended(event.problem)
        self.pass_on(event)
        if event.problem:
            self._session.fail()
        else:
            self._session.hand_over()

    # -- `ProvisionalPort`

    def do(self, command: Command) -> None:
        """See `ProvisionalPort`."""
        self._commands.append(command)

    def tell(self, *lines: Octets) -> None:
        """See `ProvisionalPort`."""
        self._commands += [SendToHost(line) for line in lines]

    def pass_on(self, event: Event) -> None:
        """See `ProvisionalPort`."""
        commands = self._router.handle(event, self._status.now)
        if self._session.reads_answers:
            for command in commands:
                if not isinstance(command, SendToHost) or self._session.filter.passes(
                    command.line, is_own=command.is_own
                ):
                    self.do(command)
        else:
            self._commands += commands
