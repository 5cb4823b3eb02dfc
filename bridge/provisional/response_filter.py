"""Which messages from the server's side reach the host once the bridge has answered it (see `provisional_server`).

| message | what happens |
|---|---|
| an answer to a request that the bridge has answered | it is dropped; an opening tells what the server offers |
| an error because no user is signed in, with no sign-in in progress | a more helpful answer, where there is one |
| an acknowledgment of a subscription that the bridge has acknowledged | it is dropped |
| anything else | it goes to the host unchanged |

An opening is `initialize` or `server/discover`.
"""

from __future__ import annotations

from typing import Protocol

from bridge.errors import ErrorKind
from bridge.protocol import jsonrpc, mcp
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response
from bridge.protocol.sanitize import said
from bridge.provisional.pending import PendingHostRequests
from bridge.provisional.port import ProvisionalPort
from bridge.provisional.provisional_state import ProvisionalState
from bridge.provisional.provisional_subscriptions import ProvisionalSubscriptions
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults

_UNAUTHORIZED = ErrorKind.UNAUTHORIZED


class AnswerObserver(Protocol):
    """Is told what the server's answers mean."""

    def on_result(self) -> None:
        """The server answered something with a result, so it takes the token."""

    def on_opened(self) -> None:
        """The server answered the `initialize` that the bridge has answered."""

    def on_failed(self) -> None:
        """The server answered that `initialize` with an error, though no sign-in has failed."""

    def on_listed(self) -> None:
        """The host has the server's list of tools."""

    def on_unauthorized(self, request: Request) -> Octets | None:
        """A request needs a sign-in, and none is in progress. Return the answer sent instead of the error, if any."""


class ResponseFilter:
    """The filter. `observer` is told what an answer means."""

    def __init__(
        self,
        status: SignInStatus,
        state: ProvisionalState,
        pending: PendingHostRequests,
        subscriptions: ProvisionalSubscriptions,
        observer: AnswerObserver,
        port: ProvisionalPort,
    ) -> None:
        self._status = status
        self._state = state
        self._pending = pending
        self._subscriptions = subscriptions
        self._observer = observer
        self._port = port
        self._suppressed: dict[RequestId, Request] = {}

    def __contains__(self, id_: RequestId) -> bool:
        """Whether the server's answer to the request with this id will be dropped."""
        return id_ in self._suppressed

    def is_repeated(self, request: Request) -> bool:
        """Whether the host repeats, byte for byte, a request whose answer from the server will be dropped."""
        before = self._suppressed.get(request.id)
        return before is not None and before.line == request.line

    @property
    def is_suppressing(self) -> bool:
        """Whether an answer of the server is still to be dropped."""
        return bool(self._suppressed)

    @property
    def is_needed(self) -> bool:
        """Whether messages have to be read even while the bridge does not answer the host itself."""
        return self._state.needs_answers or self.is_suppressing or self._status.has_failed

    def suppress(self, request: Request) -> None:
        """Drop the server's answer to a request that the bridge has answered."""
        self._pending.pop(request.id)
        self._suppressed[request.id] = request

    def forget(self, id_: RequestId) -> None:
        """Expect no answer of the server to this request any more."""
        self._suppressed.pop(id_, None)

    def passes(self, line: Octets, *, is_own: bool) -> bool:
        """Whether a line goes to the host. `is_own`: it is an error that the bridge made."""
        try:
            message = jsonrpc.parse(line)
        except ValueError:
            return True  # A batch: its requests came before any sign-in was needed.
        match message:
            case Response():
                return self._answer_passes(message, is_own=is_own)
            case Notification(method=mcp.ACKNOWLEDGED):
                return self._subscriptions.acknowledged(message)
            case _:
                return True

    def _answer_passes(self, response: Response, *, is_own: bool) -> bool:
        id_ = response.id
        request = self._suppressed.pop(id_, None) if id_ is not None else None
        if not response.is_error and not (request and request.method == mcp.INITIALIZE):
            self._observer.on_result()
        if request is not None:
            self._take_late(request, response, is_own=is_own)
            return False
        needs_sign_in = response.is_error and faults.own_kind(response.error) == _UNAUTHORIZED
        is_helped = needs_sign_in and self._status.has_failed
        if listen := self._subscriptions.get(id_):
            if is_helped:
                self._observer.on_unauthorized(listen)
            return self._subscriptions.answered(listen, may_return=needs_sign_in and self._state.may_answer(listen))
        asked = self._pending.pop(id_)
        self._state.take_answer(asked, response)
        if asked is not None and asked.method == mcp.TOOLS_LIST and not response.is_error:
            self._observer.on_listed()
        return not (is_helped and asked and self._observer.on_unauthorized(asked))

    def _take_late(self, request: Request, response: Response, *, is_own: bool) -> None:
        """Take the server's answer to a request that the bridge has answered."""
        state, status = self._state, self._status
        if state.openings.get(request.method) is not request:
            return
        opens_session = request.method == mcp.INITIALIZE
        if not response.is_error:
            state.confirm(request, response)
            if opens_session:
                self._observer.on_opened()
        elif opens_session and not status.has_failed and not status.is_under_way:
            why = self._reason(response, is_own=is_own) or "it answered initialize with an error"
            if is_own and faults.own_kind(response.error) == _UNAUTHORIZED:
                status.problem = why
            else:
                status.trouble = why
            self._observer.on_failed()

    def _reason(self, response: Response, *, is_own: bool) -> str:
        """What an error says. A server's words are marked as such, whatever kind the error claims to be."""
        words = self._port.redact(faults.server_words(response.line))
        return words if is_own else said(words)
