"""What goes from the server's side to the host, read for what it means to one that is received (see `provisional`).

| what comes | what becomes of it |
|---|---|
| an answer to what the bridge has answered | it is swallowed; to `initialize` or `server/discover`, it is learnt from |
| an error for want of a sign-in, and nobody is asked | something that helps more, where there is anything |
| an acknowledgment of a listen that was acknowledged early | it is swallowed |
| anything else | it passes, as it came |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bridge.protocol import jsonrpc, mcp
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response
from bridge.protocol.sanitize import said
from bridge.provisional.pending import PendingHostRequests
from bridge.provisional.provisional_state import ProvisionalState
from bridge.provisional.provisional_subscriptions import ProvisionalSubscriptions
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.session import faults

_UNAUTHORIZED = "unauthorized"


class ResponseListener(Protocol):
    """Who is told what was heard."""

    def on_result(self) -> None:
        """The server answered with a result: it lets the host in."""

    def on_opened(self) -> None:
        """It answered the `initialize` of a host at the door."""

    def on_failed(self) -> None:
        """It answered that with an error, though nobody has to sign in for all that was known."""

    def on_listed(self) -> None:
        """The host has the server's list of tools."""

    def on_lacking(self, request: Request) -> Octets | None:
        """Nobody is asked, though this request needs a sign-in: the answer it had instead of the error, if any."""


class ResponseFilter:
    """Reads it. `redact` takes secrets out of a text."""

    def __init__(
        self,
        status: SignInStatus,
        told: ProvisionalState,
        unanswered: PendingHostRequests,
        listens: ProvisionalSubscriptions,
        listener: ResponseListener,
        redact: Callable[[str], str],
    ) -> None:
        self._status = status
        self._told = told
        self._unanswered = unanswered
        self._listens = listens
        self._listener = listener
        self._redact = redact
        self._swallowed: dict[RequestId, Request] = {}

    def __contains__(self, id_: RequestId) -> bool:
        """Whether the answer to a request of this id will be swallowed."""
        return id_ in self._swallowed

    def is_repeated(self, request: Request) -> bool:
        """Whether the host asks, word by word, what it was answered before, and the server has not answered yet."""
        before = self._swallowed.get(request.id)
        return before is not None and before.line == request.line

    @property
    def is_swallowing(self) -> bool:
        """Whether there is anything to be swallowed yet."""
        return bool(self._swallowed)

    @property
    def is_needed(self) -> bool:
        """Whether anything that comes may mean something, though the host is not received just now."""
        return self._told.is_curious or self.is_swallowing or self._status.has_failed or self._listens.is_unsettled

    def swallow(self, request: Request) -> None:
        """The host has its answer; it must not have the server's, too."""
        self._unanswered.pop(request.id)
        self._swallowed[request.id] = request

    def expect_no_more(self, id_: RequestId) -> None:
        """The server will not answer this."""
        self._swallowed.pop(id_, None)

    def passes(self, line: Octets, *, is_own: bool) -> bool:
        """Whether the host is to have this line. `is_own`: it is an error of the bridge's own."""
        try:
            message = jsonrpc.parse(line)
        except ValueError:
            return True  # A batch: what is in it was asked for before anybody had to sign in.
        if isinstance(message, Response):
            return self._answer_passes(message, is_own=is_own)
        if isinstance(message, Notification) and message.method == mcp.ACKNOWLEDGED:
            return self._listens.acknowledged(message)
        return True

    def _answer_passes(self, response: Response, *, is_own: bool) -> bool:
        id_ = response.id
        request = self._swallowed.pop(id_, None) if id_ is not None else None
        if not response.is_error and not (request and request.method == mcp.INITIALIZE):
            self._listener.on_result()
        if request is not None:
            self._take_late(request, response, is_own=is_own)
            return False
        lacks_person = response.is_error and faults.own_kind(response.error) == _UNAUTHORIZED
        is_lacking = lacks_person and self._status.has_failed
        if listen := self._listens.get(id_):
            if is_lacking:
                self._listener.on_lacking(listen)
            return self._listens.answered(listen, may_return=lacks_person and self._told.may_answer(listen))
        asked = self._unanswered.pop(id_)
        self._told.learn(asked, response)
        if asked is not None and asked.method == mcp.TOOLS_LIST and not response.is_error:
            self._listener.on_listed()
        return not (is_lacking and asked and self._listener.on_lacking(asked))

    def _take_late(self, request: Request, response: Response, *, is_own: bool) -> None:
        """The server's answer to what the bridge has answered."""
        told, status = self._told, self._status
        if told.introductions.get(request.method) is not request:
            return
        opens = request.method == mcp.INITIALIZE
        if not response.is_error:
            told.introduced(request, response)
            if opens:
                self._listener.on_opened()
        elif opens and not status.has_failed and not status.is_under_way:
            why = self._why(response, is_own=is_own) or "it answered initialize with an error"
            if is_own and faults.own_kind(response.error) == _UNAUTHORIZED:
                status.problem = why
            else:
                status.trouble = why
            self._listener.on_failed()

    def _why(self, response: Response, *, is_own: bool) -> str:
        """What the error says; a server's words are marked as such, whatever the error claims to be."""
        words = self._redact(faults.server_words(response.line))
        return words if is_own else said(words)
