"""The time in which the bridge answers the host in the server's place, from its beginning to its end.

It ends when the user has signed in and the server has answered the host's `initialize`, if only the bridge had. It also
ends when the server answers anything with a result although a sign-in seems to be needed: the token is good after all.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Octets, Request
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.hold_queue import HoldQueue
from bridge.provisional.host_state import HostMemory
from bridge.provisional.port import ProvisionalPort
from bridge.provisional.provisional_state import ProvisionalState
from bridge.provisional.response_filter import ResponseFilter
from bridge.provisional.sign_in_calls import SignInCalls
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults
from bridge.session.commands import Report
from bridge.session.events import HostMessage

LISTING_SECONDS = 2.0
"""How long the results of `sign_in` are held back after the sign-in, so that the host lists the tools first."""


class ProvisionalSession:
    """Whether that time is on (`is_active`), and what is remembered after it."""

    def __init__(self, status: SignInStatus, calls: SignInCalls, memory: HostMemory, port: ProvisionalPort) -> None:
        self._status = status
        self._calls = calls
        self._port = port
        self._next: list[Callable[[], None]] = []
        self._listing = port.timers.new("provisional/listing", self._end_calls)
        self.is_active = False
        self.state = ProvisionalState(status, memory)
        self.pending = memory.pending
        self.held = HoldQueue(status.server_url, port)
        self.subscriptions = memory.subscriptions
        self.filter = ResponseFilter(status, self.state, self.pending, self.subscriptions, self, port)

    @property
    def is_involved(self) -> bool:
        """Whether a message of the host may be about what the bridge told it."""
        return self.is_active or self.state.has_told_host or self._calls.has_questions or self.filter.is_suppressing

    @property
    def reads_answers(self) -> bool:
        """Whether what the server's side sends to the host has to be read."""
        return self.is_active or self.filter.is_needed

    @property
    def busy(self) -> bool | None:
        """Whether the host waits for an answer; None where that is not known here."""
        if self._calls.is_busy or self.held.is_busy:
            return True
        return bool(self.pending.awaited()) if self.filter.is_suppressing else None

    def finish_event(self) -> None:
        """Do what follows from the answers of this event, once all of them have been read."""
        while self._next:
            self._next.pop(0)()

    def begin(self) -> None:
        """Answer the host from now on."""
        self.is_active = True
        host = self.state.host
        self.answer_pending()
        if host and host.is_confirmed and self.state.may_answer(host.request):
            self._port.tell(*host.changed(("tools",)))
        self._port.tell(*self.subscriptions.changed(("tools",)))
        self._port.tell(*self.subscriptions.acknowledge(self.state.may_answer))

    def answer_pending(self) -> None:
        """Answer what can be answered. A batch is left to the server, for it has one answer as a whole."""
        for request in self.pending.single():
            if (line := self.state.answer(request)) is not None:
                self._answer(request, line)
                self._cancel_call(request)

    def answer_with_link(self) -> None:
        """Send the link, as an error, to a host that is about to give up and never asks for its lists again."""
        for request in self.pending.single():
            if not self.state.may_answer(request):
                self._answer(request, self.state.link_error(request))
                self._cancel_call(request)

    def answer_opening(self, request: Request) -> None:
        """Answer an `initialize` or `server/discover` that has gone to the server as well."""
        if (line := self.state.answer(request)) is not None:
            self._answer(request, line)

    def _answer(self, request: Request, line: Octets) -> None:
        self._port.tell(line)
        self.filter.suppress(request)

    def _cancel_call(self, request: Request) -> None:
        """A tool must not run after the sign-in if its call has been answered with an error."""
        if request.method == mcp.TOOLS_CALL:
            reason = msgspec.json.encode("waiting for a sign-in")
            self._port.pass_on(HostMessage(writing.cancellation(request.raw_id, reason)))
            if not self._port.awaiting.awaits(request.id):
                self.filter.forget(request.id)

    def open_session(self, initialize: Request) -> None:
        """A legacy host sends `initialize`. What is held back belongs to its session before, and is refused."""
        self.held.answer(self.state.refusal)
        self.state.begin(initialize)

    def link_changed(self) -> None:
        """It became known what the user has to do, or that changed."""
        self._calls.link_changed()
        if self.is_active and self._status.needs_user:
            self.answer_pending()
            self.held.answer(self.state.answer)

    def fail(self) -> None:
        """The sign-in failed, or the server took the token and opened no session."""
        if self.is_active:
            self.held.answer(self.state.refusal)
            self._calls.end(sign_in_tool.failed(self._status), is_error=True)

    def hand_over(self) -> None:
        """The user has signed in: ask the server what only the bridge has answered, and then tell the host."""
        state, status = self.state, self._status
        if status.is_under_way:
            return
        status.problem = status.trouble = ""
        for request in [*state.openings.values(), *self.subscriptions.lost()]:
            if not self._port.awaiting.awaits(request.id):
                self._ask_server(request)
        if state.is_provisional or not self.is_active:
            return
        self.is_active = False
        kinds = provisional_results.KINDS if state.gave_lists else ("tools",)
        state.gave_lists = state.is_out_of_time = False
        state.memory.is_served = True
        changes = [*(state.host.changed(kinds) if state.host else ()), *self.subscriptions.changed(kinds)]
        self._port.tell(*changes)
        if changes and self._calls.is_busy:
            # If the host had the result first, the model would go on with the old list of tools.
            self._listing.start(LISTING_SECONDS)
        else:
            self._end_calls()

    def _end_calls(self) -> None:
        self._listing.stop()
        if self._status.is_under_way:
            return  # The token did not last, so the calls wait for the next sign-in.
        self._calls.end(sign_in_tool.done(self._status), is_error=False)

    def close(self) -> None:
        """The run ends: answer what only this room knows of."""
        url = self._status.server_url
        fault = faults.shut_down(url, "")
        self.held.answer(lambda request: fault.error_line(request.raw_id, url))
        self._port.tell(*(fault.error_line(request.raw_id, url) for request in self.subscriptions.lost()))
        self._calls.close()

    # -- what the server's answers mean (`AnswerObserver`)

    def on_result(self) -> None:
        """See `AnswerObserver`."""
        self._next.append(self._recover)

    def on_opened(self) -> None:
        """See `AnswerObserver`."""
        self._next.append(self._release_held)

    def on_failed(self) -> None:
        """See `AnswerObserver`."""
        self.fail()

    def on_listed(self) -> None:
        """See `AnswerObserver`."""
        if self._listing.is_running:
            self._listing.stop()
            self._next.append(self._end_calls)

    def on_unauthorized(self, request: Request) -> Octets | None:
        """See `AnswerObserver`."""
        line = self.state.answer(request)
        if line is not None:
            self._port.tell(line)
        if not self.is_active and self.state.may_answer(request):
            self.begin()
        return line

    def _recover(self) -> None:
        if self._status.has_failed:
            self.hand_over()

    def _release_held(self) -> None:
        """The server has answered the host's `initialize`: send what was held back."""
        host = self.state.host
        if host and host.servers_version not in {"", host.version}:
            words = f"uses MCP {host.servers_version}, but the host was told {host.version}"
            self._port.do(Report("warning", f"{self._status.server_url} {words}"))
        for message in self.held.empty():
            if isinstance(message, Request):
                self.pending.enter(message, self._status.now)
            self._port.pass_on(HostMessage(message))
        self.hand_over()

    def _ask_server(self, request: Request) -> None:
        if request.method != mcp.LISTEN:
            self.filter.suppress(request)
        host = self.state.host
        if request.method == mcp.INITIALIZE and host and host.is_initialized:
            self.held.put_first(writing.notification(mcp.INITIALIZED))
        self._port.pass_on(HostMessage(request))
