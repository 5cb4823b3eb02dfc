"""A host's stay at the reception: how it begins, what is done meanwhile, and how it ends (see `provisional`).

It ends when somebody has signed in and the server has answered a host at the door; or when the server answers anything
with a result though somebody should have to sign in: then it does let the host in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Octets, Request
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.hold_queue import HoldQueue
from bridge.provisional.pending import PendingHostRequests
from bridge.provisional.provisional_state import ProvisionalState
from bridge.provisional.provisional_subscriptions import ProvisionalSubscriptions
from bridge.provisional.response_filter import ResponseFilter
from bridge.provisional.sign_in_calls import SignInCalls
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults
from bridge.session.commands import CancelTimer, Command, Report, SendToHost, SetTimer
from bridge.session.events import Event, HostMessage
from bridge.session.router import HostRouter

LISTING_TIMER = ("reception/listing", 0)
LISTING_SECONDS = 2.0
"""How long the end of a sign-in is held back from the calls of `sign_in`, so that the host lists the tools first."""


class ProvisionalSession:
    """Whether there is one, and whatever outlives it.

    `router` knows which requests have no answer; `up(event)` hands it one; `do(command)` has something done. `redact`
    takes secrets out of a text.
    """

    def __init__(
        self,
        status: SignInStatus,
        calls: SignInCalls,
        router: HostRouter,
        up: Callable[[Event], None],
        do: Callable[[Command], None],
        redact: Callable[[str], str],
    ) -> None:
        self._status = status
        self._calls = calls
        self._awaits = router.awaits
        self._up = up
        self._do = do
        self._then: list[Callable[[], None]] = []
        self.is_on = False
        self._awaits_listing = False
        self.told = ProvisionalState(status)
        self.unanswered = PendingHostRequests(router.awaits, lambda: router.busy)
        self.room = HoldQueue(status.server_url, self._tell)
        self.listens = ProvisionalSubscriptions(router.awaits)
        self.response_filter = ResponseFilter(status, self.told, self.unanswered, self.listens, self, redact)

    @property
    def is_concerned(self) -> bool:
        """Whether a message of the host's may be about what it was told in a stay."""
        return self.is_on or self.told.is_concerned or self._calls.has_questions or self.response_filter.is_swallowing

    @property
    def is_listening(self) -> bool:
        """Whether what the server's side says to the host may mean anything here."""
        return self.is_on or self.response_filter.is_needed

    @property
    def busy(self) -> bool | None:
        """Whether the host waits for an answer; None where that is not known here."""
        if self._calls.is_busy or self.room.is_busy:
            return True
        return bool(self.unanswered.awaited()) if self.response_filter.is_swallowing else None

    def go_on(self) -> None:
        """Do what follows from what was heard; not before all of it was heard."""
        while self._then:
            self._then.pop(0)()

    def begin(self) -> None:
        """From now on the host is answered here."""
        self.is_on = True
        host_state = self.told.host_state
        self.answer_waiting()
        if host_state and host_state.is_received and self.told.may_answer(host_state.request):
            self._tell(*host_state.changed(("tools",)))
        self._tell(*self.listens.changed(("tools",)))
        self._tell(*self.listens.acknowledge(self.told.may_answer))

    def answer_waiting(self) -> None:
        """Answer whatever of the host's requests can be; a batch has its answer as a whole, from the server."""
        for request in self.unanswered.single():
            if (line := self.told.answer(request)) is not None:
                self._tell(line)
                self.response_filter.swallow(request)
                self._take_back(request)

    def turn_away(self) -> None:
        """Answer what waits of a host that gives up now, and never asks for its lists again, with the link."""
        for request in self.unanswered.single():
            if not self.told.may_answer(request):
                self._tell(self.told.turned_away(request))
                self.response_filter.swallow(request)
                self._take_back(request)

    def introduce(self, request: Request) -> None:
        """A host introduces itself, to the server as well."""
        if (line := self.told.answer(request)) is not None:
            self._tell(line)
            self.response_filter.swallow(request)

    def _take_back(self, request: Request) -> None:
        """A tool whose call has its answer must not run once the user has signed in."""
        if request.method == mcp.TOOLS_CALL:
            reason = msgspec.json.encode("it waits for a sign-in")
            self._up(HostMessage(writing.cancellation(request.raw_id, reason)))
            if not self._awaits(request.id):
                self.response_filter.expect_no_more(request.id)

    def open_anew(self, initialize: Request) -> None:
        """A legacy host opens: whatever waits was about what it had before."""
        self.room.answer(self.told.refusal)
        self.told.begin(initialize)

    def shown(self) -> None:
        """It is known what a person has to do."""
        self._calls.shown()
        if self.is_on and self._status.needs_hands:
            self.answer_waiting()
            self.room.answer(self.told.answer)

    def fail(self) -> None:
        """Nobody is signed in, and nobody is asked; or the server took it and opened no session all the same."""
        if self.is_on:
            self.room.answer(self.told.refusal)
            self._calls.end(sign_in_tool.failed(self._status), is_error=True)

    def let_in(self) -> None:
        """Somebody has signed in: the server is asked what was answered without it, and then the host is told."""
        told, status = self.told, self._status
        if status.is_under_way:
            return
        status.problem = status.trouble = ""
        for request in [*told.introductions.values(), *self.listens.lost()]:
            if not self._awaits(request.id):
                self._ask_again(request)
        if told.is_at_door or not self.is_on:
            return
        self.is_on = False
        kinds = provisional_results.KINDS if told.gave_lists else ("tools",)
        told.gave_lists, told.is_served, told.gives_up = False, True, False
        changes = [*(told.host_state.changed(kinds) if told.host_state else ()), *self.listens.changed(kinds)]
        self._tell(*changes)
        if changes and self._calls.is_busy:
            # A host that has the result first would let the model go on with the old list.
            self._awaits_listing = True
            self._do(SetTimer(LISTING_TIMER, LISTING_SECONDS))
        else:
            self._end_calls()

    def on_timer(self) -> None:
        """The host takes its time over listing the tools, or does not."""
        self._end_calls()

    def _end_calls(self) -> None:
        self._awaits_listing = False
        if self._status.is_under_way:
            return  # The token did not last: the calls wait for the next sign-in.
        self._calls.end(sign_in_tool.done(self._status), is_error=False)

    def close(self) -> None:
        """The run ends: whoever waits for what nobody else knows of is told."""
        url = self._status.server_url
        fault = faults.shut_down(url, "")
        self.room.answer(lambda request: fault.error_line(request.raw_id, url))
        self._tell(*(fault.error_line(request.raw_id, url) for request in self.listens.lost()))
        self._calls.close()

    # -- what was heard (`ResponseListener`)

    def on_result(self) -> None:
        """See `ResponseListener`."""
        self._then.append(self._heal)

    def on_opened(self) -> None:
        """See `ResponseListener`."""
        self._then.append(self._open)

    def on_failed(self) -> None:
        """See `ResponseListener`."""
        self.fail()

    def on_listed(self) -> None:
        """See `ResponseListener`."""
        if self._awaits_listing:
            self._do(CancelTimer(LISTING_TIMER))
            self._then.append(self._end_calls)

    def on_lacking(self, request: Request) -> Octets | None:
        """See `ResponseListener`."""
        line = self.told.answer(request)
        if line is not None:
            self._tell(line)
        if not self.is_on and self.told.may_answer(request):
            self.begin()
        return line

    def _heal(self) -> None:
        if self._status.has_failed:
            self.let_in()

    def _open(self) -> None:
        """The server answered the host's `initialize`: what was held follows."""
        host_state = self.told.host_state
        if host_state and host_state.servers_version not in {"", host_state.version}:
            words = f"speaks MCP {host_state.servers_version}; the host was told {host_state.version}"
            self._do(Report("warning", f"{self._status.server_url} {words}"))
        for message in self.room.empty():
            if isinstance(message, Request):
                self.unanswered.enter(message, self._status.now)
            self._up(HostMessage(message))
        self.let_in()

    def _ask_again(self, request: Request) -> None:
        if request.method != mcp.LISTEN:
            self.response_filter.swallow(request)
        host_state = self.told.host_state
        if request.method == mcp.INITIALIZE and host_state and host_state.is_initialized:
            self.room.admit(writing.notification(mcp.INITIALIZED))
        self._up(HostMessage(request))

    def _tell(self, *lines: Octets) -> None:
        for line in lines:
            self._do(SendToHost(line))
