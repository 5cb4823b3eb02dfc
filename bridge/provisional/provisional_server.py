"""Answers the host in the server's place while the user has to sign in. It stands between the host and `HostRouter`.

Once a request has waited for `answer_within` seconds because the user has to sign in, or no sign-in is in progress
although one is needed, the bridge answers the host itself until the server does:

| the host sends | before the server has answered `initialize` | in the middle of a session |
|---|---|---|
| `initialize`, `server/discover` | a provisional answer; the server's own is dropped | the same |
| `tools/list` | the tool `sign_in` | the same; with no sign-in in progress, the server is asked |
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
| `standby` | before a sign-in is needed: everything is passed on, and what matters is remembered (`host_state`) |
| `answer_deadline` | when the host must be answered |
| `host_messages` | what happens to each message of the host |
| `provisional_session` | the time in which the bridge answers, from beginning to end |
| `response_filter` | which of the server's messages the host gets |
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.protocol.jsonrpc import Octets
from bridge.provisional.answer_deadline import AnswerDeadline
from bridge.provisional.host_messages import HostMessages
from bridge.provisional.host_state import HostMemory
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
from bridge.session.timers import Timers


class ProvisionalServer:
    """Takes the events that `HostRouter` would take, and returns commands as it does. It is a `ProvisionalPort`.

    `memory` is what is remembered of the host. `answer_within` is in seconds. `redact` takes secrets out of a text,
    `fresh()` returns one that cannot be guessed. `url` is the server's; `login_command()` is what the user types to
    sign in there.
    """

    def __init__(
        self,
        router: HostRouter,
        memory: HostMemory,
        answer_within: float,
        redact: Callable[[str], str] = str,
        *,
        url: str,
        login_command: Callable[[], str],
        fresh: Callable[[], str],
    ) -> None:
        self._router = self.awaiting = router
        self.redact = redact
        self.fresh = fresh
        self.timers = Timers(self.do)
        self._commands: list[Command] = []
        self._status = SignInStatus(url, login_command)
        self._calls = SignInCalls(self._status, self)
        self._session = ProvisionalSession(self._status, self._calls, memory, self)
        self._deadline = AnswerDeadline(answer_within, self._status, self._session, self)
        self._messages = HostMessages(self._status, self._calls, self._session, self._deadline, self)

    @property
    def busy(self) -> bool:
        """Whether the host waits for an answer."""
        busy = self._session.busy
        return self._router.busy if busy is None else busy

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take an event at time `now` (seconds, monotonic) and return what to do, in order."""
        self._status.now = now
        self._take(event)
        self._session.finish_event()
        commands = self._commands[:]
        self._commands.clear()
        return commands

    @property
    def is_needed(self) -> bool:
        """Whether events have to pass here: a sign-in is needed, or messages may be about what the bridge answered."""
        session = self._session
        return (
            self._status.is_under_way
            or session.is_involved
            or self._status.has_failed
            or session.subscriptions.has_early
        )

    def passes(self, command: SendToHost) -> bool:
        """Whether the host is to have this line."""
        return self._session.filter.passes(command.line, is_own=command.is_own)

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
        self._status.end(self.redact(event.problem), needs_change=event.needs_change)
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
                if not isinstance(command, SendToHost) or self.passes(command):
                    self.do(command)
        else:
            self._commands += commands
