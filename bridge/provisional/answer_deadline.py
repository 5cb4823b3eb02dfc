"""When the host must have an answer although the user is still signing in.

| the host | it is answered |
|---|---|
| asks for its lists again when they change | `answer_within` seconds after the oldest request without an answer |
| never does, and its users see errors | with the link, as an error, just before it would give up (`protocol/hosts`) |
| never does, and its users do not see an error while it opens | as if it asked again, at the same time |
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Request
from bridge.provisional.port import ProvisionalPort
from bridge.provisional.provisional_session import ProvisionalSession
from bridge.provisional.sign_in_tool import SignInStatus

_SOON = 0.001


class AnswerDeadline:
    """Watches the oldest request without an answer, and begins the provisional session in time.

    `answer_within` is in seconds.
    """

    def __init__(
        self, answer_within: float, status: SignInStatus, session: ProvisionalSession, port: ProvisionalPort
    ) -> None:
        self._answer_within = answer_within
        self._status = status
        self._session = session
        self._timer = port.timers.new("provisional", self.watch)

    def watch(self) -> None:
        """Answer the host if its time is over; else set the timer, unless it is set."""
        session = self._session
        if session.is_active or self._timer.is_running or not self._status.is_under_way:
            return
        awaited = session.pending.awaited()
        may_answer = any(map(session.state.may_answer, awaited))
        limit = self._answer_within if may_answer else self._patience(awaited)
        sent = session.pending.oldest()
        if sent is None or limit is None:
            return
        left = sent + limit - self._status.now
        if left > _SOON:
            self._timer.start(left)
        elif may_answer:
            session.begin()
        elif self._hides_errors(awaited):
            session.state.is_out_of_time = True
            session.begin()
        else:
            session.answer_with_link()
            self.watch()

    def sign_in_ended(self, problem: str) -> None:
        """Stop the timer. Where the sign-in failed and the host would hide the error, have it answered instead."""
        self._timer.stop()
        if problem and self._hides_errors(self._session.pending.awaited()):
            self._session.state.is_out_of_time = True

    def _hides_errors(self, awaited: Sequence[Request]) -> bool:
        """Whether the host waits for an answer to its opening, and would not show its users an error."""
        openings = [request for request in awaited if request.method in {mcp.INITIALIZE, mcp.DISCOVER}]
        return any(not self._session.state.quirks_of(request).shows_errors for request in openings)

    def _patience(self, awaited: Sequence[Request]) -> float | None:
        """How long the host can be kept waiting, in seconds; None where it waits as long as the sign-in takes."""
        return min(
            (by for request in awaited if (by := self._session.state.quirks_of(request).answer_by)), default=None
        )
