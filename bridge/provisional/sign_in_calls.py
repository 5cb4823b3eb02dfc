"""The calls of the tool `sign_in` that wait for the outcome, and the question whether the host opens the link.

| what is known | what a call gets |
|---|---|
| no link yet | it waits |
| a browser shows the link, or is being opened | it waits, and the user is asked nothing |
| no browser could be opened; the host offers to open links (MCP, Elicitation, URL mode) | the host is asked to, once |
| no browser could be opened, and the link was not told yet | it is told the link at once |
| any other link | it waits |
| the user declines to have it opened | that, and the link in words |
| the host declines within `ANSWERED_BY_HOST` seconds | that the user was not asked, and the link in words |
| `WAIT_SECONDS` are over, or the host would give up | how it stands |
| the end | the end |

A legacy host is asked with a request; a modern one with the result, and its retry is the call that waits on. A host
without a user at the screen, as in a script, answers the question itself: `claude -p` with `cancel`, Codex and Copilot
with `decline`, each within 20 ms. It is not asked again about the same link.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS
from bridge.protocol import client_meta, mcp, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response, request_id
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.sign_in_tool import WAIT_SECONDS, SignInStatus
from bridge.session import faults
from bridge.session.commands import CancelTimer, Command, SendToHost, SetTimer
from bridge.translate import request_meta

TIMER = "reception/call"
"""The purpose of the timers that end the waiting of calls."""

ANSWERED_BY_HOST = 1.0
"""A question that is cancelled or declined within so many seconds was not read by a user."""

_MOST = 64
_KEY = "sign-in"
_UNKNOWN = "The requestState is unknown, used up or too old: call it again without one."


class _Call:
    """One call. `asks`: its host may be asked to open the link."""

    __slots__ = ("asks", "is_modern", "number", "request")

    def __init__(self, number: int, request: Request, *, is_modern: bool, asks: bool) -> None:
        self.number = number
        self.request = request
        self.is_modern = is_modern
        self.asks = asks


class _LinkQuestion:
    """The request to a legacy host to open a link; `number` is the call's, `asked_at` in seconds.

    `is_accepted`: the user agreed.
    """

    __slots__ = ("asked_at", "elicitation", "is_accepted", "number", "raw_id", "url")

    def __init__(self, number: int, raw_id: bytes, elicitation: str, url: str, asked_at: float) -> None:
        self.number = number
        self.raw_id = raw_id
        self.elicitation = elicitation
        self.url = url
        self.asked_at = asked_at
        self.is_accepted = False


class _State(msgspec.Struct, frozen=True):
    """What a `requestState` stands for: the link that a modern host was asked to open, and when, in seconds."""

    url: str
    asked_at: float


class SignInCalls:
    """All of them. `do(command)` has something done; `fresh()` gives a text that nobody can guess."""

    def __init__(self, status: SignInStatus, do: Callable[[Command], None], fresh: Callable[[], str]) -> None:
        self._status = status
        self._do = do
        self._fresh = fresh
        self._waiting: dict[RequestId, _Call] = {}
        self._questions: dict[RequestId, None] = {}
        self._question: _LinkQuestion | None = None
        self._states: dict[str, _State] = {}
        self._told_url = ""
        self._unasked_url = ""
        self._last_number = 0

    def __contains__(self, id_: RequestId | None) -> bool:
        """Whether a call of this id waits."""
        return id_ in self._waiting

    @property
    def is_busy(self) -> bool:
        """Whether the host waits for the result of one."""
        return bool(self._waiting)

    @property
    def has_questions(self) -> bool:
        """Whether the host may still answer one."""
        return bool(self._questions)

    # -- the host

    def begin(self, request: Request, *, is_modern: bool, asks: bool, seconds: float = WAIT_SECONDS) -> bool:
        """The host calls. `asks`: it may be asked to open a link. Whether the call waits now, so many `seconds`."""
        is_accepted, asked = False, None
        if is_modern and len(state := client_meta.state_and_meta(request.params)[0]):
            asked = self._states.pop(request_meta.text(state) or "", None)
            if asked is None:
                self._do(SendToHost(faults.bad_input(request.raw_id, _UNKNOWN, INVALID_PARAMS)))
                return False
            responses = writing.members(writing.members(request.params).get("inputResponses", Raw()))
            is_accepted = _is_accepted(responses.get(_KEY, Raw()))
            asks = asks and asked.url != self._status.url
        self._last_number += 1
        call = _Call(self._last_number, request, is_modern=is_modern, asks=asks)
        if asked is not None and self._status.has_failed:
            self._answer(call, sign_in_tool.failed(self._status), is_error=True)
            return False
        if asked is not None and not is_accepted:
            self._answer(call, self._refused(asked.url, asked.asked_at))
            return False
        if len(self._waiting) >= _MOST:
            self._answer(call, sign_in_tool.still_waiting(self._status))
            return False
        self._waiting[request.id] = call
        self._do(SetTimer((TIMER, call.number), min(seconds, WAIT_SECONDS)))
        return True

    def cancel(self, id_: RequestId) -> None:
        """The host takes a call back."""
        call = self._waiting.pop(id_)
        self._do(CancelTimer((TIMER, call.number)))

    def take(self, response: Response) -> bool:
        """Take the host's answer to a question of the bridge's own; False where it is no such answer."""
        if response.id is None or response.id not in self._questions:
            return False
        del self._questions[response.id]
        question = self._question
        if question is None or response.id != request_id(question.raw_id):
            return True
        if _is_accepted(response.result):
            question.is_accepted = True
            return True
        self._question = None
        text = self._refused(question.url, question.asked_at)
        for call in self._all():
            if call.number == question.number:
                self._finish(call, text)
        return True

    def _refused(self, url: str, asked_at: float) -> str:
        """The user, or the host in the user's place, did not have the link opened."""
        if self._status.now - asked_at < ANSWERED_BY_HOST:
            self._unasked_url = url
            return sign_in_tool.not_asked(self._status)
        return sign_in_tool.declined(self._status)

    # -- the sign-in

    def shown(self) -> None:
        """What is known of the link changed, or a call began."""
        if self._status.url:
            for call in self._all():
                self._tell(call)

    def end(self, text: str, *, is_error: bool) -> None:
        """There is an outcome."""
        self._close_question()
        self._told_url = ""
        for call in self._all():
            self._finish(call, text, is_error=is_error)

    def on_timer(self, number: int) -> None:
        """A call has waited long enough."""
        for call in self._all():
            if call.number == number:
                del self._waiting[call.request.id]
                self._answer(call, sign_in_tool.still_waiting(self._status))

    def close(self) -> None:
        """The run ends."""
        url = self._status.server_url
        for call in self._all():
            self._do(SendToHost(faults.shut_down(url, "").error_line(call.request.raw_id, url)))
        self._waiting.clear()

    # -- one call

    def _tell(self, call: _Call) -> None:
        status = self._status
        if status.is_open:
            return  # The browser shows the page: there is nothing to ask or to tell.
        is_asked = call.asks and status.url != self._unasked_url and not status.is_too_long
        if is_asked and sign_in_tool.is_safe_link(status.url):
            self._ask(call)
        elif status.needs_hands and self._told_url != status.url:
            self._finish(call, sign_in_tool.still_waiting(status))

    def _ask(self, call: _Call) -> None:
        if call.is_modern:
            state = self._fresh()
            self._told_url = self._status.url
            self._states[state] = _State(self._status.url, self._status.now)
            if len(self._states) > _MOST:
                del self._states[next(iter(self._states))]
            self._finish_with(call, self._input_required(call, state))
        elif self._question is None or self._question.url != self._status.url:
            self._close_question()
            number = self._fresh()
            raw_id = msgspec.json.encode(f"mcp-remote-bridge/sign-in/{number}")
            self._question = _LinkQuestion(call.number, raw_id, self._fresh(), self._status.url, self._status.now)
            self._questions[request_id(raw_id)] = None
            if len(self._questions) > _MOST:
                del self._questions[next(iter(self._questions))]
            asked = {**self._asked(), "elicitationId": self._question.elicitation}
            self._say(writing.request(raw_id, mcp.ELICITATION, msgspec.json.encode(asked)))

    def _asked(self) -> dict[str, str]:
        return {"mode": "url", "url": self._status.url, "message": sign_in_tool.asking(self._status)}

    def _input_required(self, call: _Call, state: str) -> Octets:
        asked = {_KEY: {"method": mcp.ELICITATION, "params": self._asked()}}
        said: dict[str, object] = {"resultType": "input_required", "inputRequests": asked, "requestState": state}
        return provisional_results.result(call.request, said, self._status, is_modern=True)

    def _close_question(self) -> None:
        """Nothing depends on the host's answer any more (MCP 2025-11-25, Completion Notifications)."""
        question, self._question = self._question, None
        if question is None:
            return
        if not question.is_accepted:
            self._say(writing.cancellation(question.raw_id))
        named = msgspec.json.encode({"elicitationId": question.elicitation})
        self._say(writing.notification(mcp.ELICITATION_COMPLETE, named))

    def _finish(self, call: _Call, text: str, *, is_error: bool = False) -> None:
        self._finish_with(call, self._result(call, text, is_error=is_error))

    def _finish_with(self, call: _Call, line: Octets) -> None:
        del self._waiting[call.request.id]
        self._do(CancelTimer((TIMER, call.number)))
        self._do(SendToHost(line))

    def _answer(self, call: _Call, text: str, *, is_error: bool = False) -> None:
        self._do(SendToHost(self._result(call, text, is_error=is_error)))

    def _result(self, call: _Call, text: str, *, is_error: bool = False) -> Octets:
        self._told_url = self._status.url
        return provisional_results.tool_result(
            call.request, text, self._status, is_modern=call.is_modern, is_error=is_error
        )

    def _say(self, message: Request | Notification) -> None:
        self._do(SendToHost(message.line))

    def _all(self) -> list[_Call]:
        return list(self._waiting.values())


def _is_accepted(answer: Raw) -> bool:
    """Whether the user agreed (MCP, Elicitation, Response Actions); an error, or nonsense, is no agreement."""
    return request_meta.text(writing.members(answer).get("action")) == "accept"
