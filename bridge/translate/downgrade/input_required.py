"""Calls for which a legacy server requires input from a modern host (MCP 2026-07-28, Multi Round-Trip Requests).

A round is what one `input_required` result asks for. The server's requests have no answer while it is open; what else
the server asks about the same call meanwhile belongs to the next round. A round ends when the host sends the call again
with its `requestState`. It also ends when it is too old, or too many are open: then the server's requests are cancelled
or fail.
"""

from __future__ import annotations

from functools import partial

import msgspec

from bridge.errors import INVALID_PARAMS, SERVER_ERROR, ErrorKind
from bridge.protocol.jsonrpc import Request, RequestId
from bridge.protocol.writing import Members
from bridge.translate.downgrade import input_requests
from bridge.translate.downgrade.calls import ForwardedCall, ForwardedCalls
from bridge.translate.downgrade.input_requests import InputRequest, NotAskable
from bridge.translate.downgrade.legacy_server import LegacyServer
from bridge.translate.pending import PendingRequests
from bridge.translate.request_meta import ModernRequest, is_object
from bridge.translate.translator import TranslatorPort, TranslatorRefusal, TranslatorTimer

_ROUND_SECONDS = 1800.0
_MAX_ROUNDS = 1000
_MAX_QUESTIONS = 64
_CANCEL = b'{"action":"cancel"}'
_UNKNOWN = "The requestState is unknown, already used or expired. Send the request again without it."
_FOREIGN = "The requestState belongs to another request. Send the request again without it."


class InputRound(msgspec.Struct, eq=False):
    """One round. `later` belongs to the next one; `is_new_call`: the retry is a new call for the server."""

    state: str
    call: ForwardedCall
    asked: list[InputRequest]
    is_new_call: bool
    later: list[InputRequest] = []
    expiry: TranslatorTimer | None = None


class InputRounds:
    """The open rounds. `declared` are the host's capabilities."""

    def __init__(
        self,
        port: TranslatorPort,
        waiting: PendingRequests,
        server: LegacyServer,
        calls: ForwardedCalls,
        declared: Members,
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._server = server
        self._calls = calls
        self._declared = declared
        self._by_state: dict[str, InputRound] = {}
        self._by_call: dict[ForwardedCall, InputRound] = {}
        self._unanswered: dict[RequestId, InputRequest] = {}
        self._last_key = 0

    @property
    def is_empty(self) -> bool:
        """Whether no round is open."""
        return not self._by_state

    def owns(self, state: str) -> bool:
        """Whether an open round has this `requestState`."""
        return state in self._by_state

    # -- the server asks

    def ask(self, call: ForwardedCall, request: Request) -> None:
        """The server asks something about a call. What the host cannot be asked is answered with an error."""
        round_ = self._by_call.get(call)
        self.withdraw(request.id)
        try:
            if round_ is not None and len(round_.asked) + len(round_.later) >= _MAX_QUESTIONS:
                raise NotAskable(SERVER_ERROR, "Too many requests about one call are unanswered.")
            asked = input_requests.from_request(request, self._key(), self._declared)
        except NotAskable as problem:
            self._server.refuse(request, problem.code, str(problem))
            return
        self._unanswered[request.id] = asked
        if round_ is not None:
            round_.later.append(asked)
        else:
            self.begin(call, [asked])

    def ask_for_urls(self, call: ForwardedCall, urls: list[Members]) -> None:
        """The server refuses a call until URLs have been opened: ask for that. The retry will be a new call."""
        self.begin(call, [input_requests.from_url(url, self._key()) for url in urls], is_new_call=True)

    def withdraw(self, id_: RequestId | None) -> None:
        """The server cancelled a request of its own."""
        asked = self._unanswered.pop(id_, None) if id_ is not None else None
        if asked is not None:
            asked.is_withdrawn = True

    def begin(self, call: ForwardedCall, asked: list[InputRequest], *, is_new_call: bool = False) -> None:
        """Begin a round: answer the host's request for this call with questions."""
        request, call.waiting = call.waiting, None
        if request is None:
            return
        round_ = InputRound(self._port.fresh(), call, asked, is_new_call)
        self._by_state[round_.state] = self._by_call[call] = round_
        round_.expiry = self._port.timer("round", partial(self._expire, round_))
        round_.expiry.start(_ROUND_SECONDS)
        self._waiting.result(request, input_requests.input_required(asked, round_.state))
        if len(self._by_state) > _MAX_ROUNDS:
            self._expire(next(iter(self._by_state.values())))

    # -- the host answers

    def resume(self, retry: ModernRequest) -> InputRound | TranslatorRefusal:
        """End the round whose `requestState` a retry has; or say why that is impossible."""
        round_ = self._by_state.get(retry.state or "")
        if round_ is None:
            return TranslatorRefusal(INVALID_PARAMS, ErrorKind.UNKNOWN_STATE, _UNKNOWN)
        if (round_.call.method, round_.call.target) != (retry.method, retry.target):
            return TranslatorRefusal(INVALID_PARAMS, ErrorKind.FOREIGN_STATE, _FOREIGN)
        self._forget(round_)
        return round_

    def reply(self, round_: InputRound, responses: Members) -> list[InputRequest]:
        """Send the server the host's answers; return what the next round has to ask.

        That is what the host did not answer, and what the server asked meanwhile.
        """
        left_out: list[InputRequest] = []
        for asked in round_.asked:
            response = responses.get(asked.key)
            if asked.is_withdrawn:
                continue
            if response is None or not is_object(response):
                left_out.append(asked)
            elif asked.request is not None:
                self._unanswered.pop(asked.request.id, None)
                self._server.answer(asked.request, response)
        return [asked for asked in left_out + round_.later if not asked.is_withdrawn]

    def drop(self, unasked: list[InputRequest]) -> None:
        """Forget questions about a call that has been answered."""
        for asked in unasked:
            if asked.request is not None:
                self._unanswered.pop(asked.request.id, None)

    # -- the host does not answer

    def _expire(self, round_: InputRound) -> None:
        self._forget(round_)
        self._calls.remove(round_.call)
        for asked in round_.asked + round_.later:
            request = asked.request
            if request is None or asked.is_withdrawn:
                continue
            self._unanswered.pop(request.id, None)
            if asked.is_elicitation:
                self._server.answer(request, _CANCEL)
            else:
                self._server.refuse(request, SERVER_ERROR, "The host was asked for input but did not answer.")

    def _forget(self, round_: InputRound) -> None:
        del self._by_state[round_.state], self._by_call[round_.call]
        if round_.expiry is not None:
            round_.expiry.stop()

    def _key(self) -> str:
        self._last_key += 1
        return f"input-{self._last_key}"
