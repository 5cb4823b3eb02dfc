"""The calls of the tool `sign_in` that wait for the end of a sign-in, and the question whether the host opens the link.

| state | what happens to a call |
|---|---|
| no link yet | it waits |
| a browser shows the link, or is being opened | it waits, and the user is asked nothing |
| no browser could be opened; the host can open links (MCP, Elicitation, URL mode) | the host is asked to, once |
| no browser could be opened, and the host has not been told the link | its result is the link, at once |
| any other link | it waits |
| the user declines to have the link opened | its result says so, with the link |
| the host declines within `ANSWERED_BY_HOST` seconds | its result is that the user was not asked, with the link |
| `WAIT_SECONDS` have passed, or the host is about to give up | its result is the state of the sign-in |
| the sign-in ends | its result is the outcome |

A legacy host is asked with a request. A modern host is asked with the result, and its retry is the call that waits.
A host without a user at the screen, as in a script, answers the question itself: `claude -p` with `cancel`, Codex and
Copilot with `decline`, each within 20 ms. It is not asked again about the same link.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.errors import INVALID_PARAMS
from bridge.protocol import client_meta, mcp, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response, request_id
from bridge.provisional import provisional_results, sign_in_tool
from bridge.provisional.port import ProvisionalPort
from bridge.provisional.sign_in_tool import WAIT_SECONDS, SignInStatus
from bridge.session import faults
from bridge.session.timers import Timer
from bridge.translate import request_meta

ANSWERED_BY_HOST = 1.0
"""Seconds. If the question is cancelled or declined sooner, the user has not read it."""

_MOST = 64
_KEY = "sign-in"
_UNKNOWN = "The requestState is unknown, used up or too old. Call the tool again without one."


class _Call:
    """One call. `asks`: its host may be asked to open the link. `timer` ends its wait."""

    __slots__ = ("asks", "is_modern", "request", "timer")

    def __init__(self, request: Request, timer: Timer, *, is_modern: bool, asks: bool) -> None:
        self.request = request
        self.timer = timer
        self.is_modern = is_modern
        self.asks = asks


class _LinkQuestion:
    """The request that asks a legacy host to open a link, because of `call`. `asked_at` is in seconds.

    `is_accepted`: the user agreed.
    """

    __slots__ = ("asked_at", "call", "elicitation", "is_accepted", "raw_id", "url")

    def __init__(self, call: _Call, raw_id: bytes, elicitation: str, url: str, asked_at: float) -> None:
        self.call = call
        self.raw_id = raw_id
        self.elicitation = elicitation
        self.url = url
        self.asked_at = asked_at
        self.is_accepted = False


class _State(msgspec.Struct, frozen=True):
    """What a `requestState` stands for: the link that a modern host was asked to open, and when (seconds)."""

    url: str
    asked_at: float


class SignInCalls:
    """All calls that wait."""

    def __init__(self, status: SignInStatus, port: ProvisionalPort) -> None:
        self._status = status
        self._port = port
        self._waiting: dict[RequestId, _Call] = {}
        self._questions: dict[RequestId, None] = {}
        self._question: _LinkQuestion | None = None
        self._states: dict[str, _State] = {}
        self._told_url = ""
        self._unasked_url = ""
        self._last_number = 0

    def __contains__(self, id_: RequestId | None) -> bool:
        """Whether a call with this id waits."""
        return id_ in self._waiting

    @property
    def is_busy(self) -> bool:
        """Whether the host waits for the result of a call."""
        return bool(self._waiting)

    @property
    def has_questions(self) -> bool:
        """Whether the host may still answer a question."""
        return bool(self._questions)

    # -- the host

    def begin(self, request: Request, *, is_modern: bool, asks: bool, seconds: float = WAIT_SECONDS) -> bool:
        """Take a call; return whether it waits now, for at most `seconds`.

        `asks`: the host may be asked to open a link.
        """
        is_accepted, asked = False, None
        if is_modern and len(state := client_meta.state_and_meta(request.params)[0]):
            asked = self._states.pop(request_meta.text(state) or "", None)
            if asked is None:
                self._port.tell(faults.bad_input(request.raw_id, _UNKNOWN, INVALID_PARAMS))
                return False
            responses = writing.members(writing.members(request.params).get("inputResponses", Raw()))
            is_accepted = _is_accepted(responses.get(_KEY, Raw()))
            asks = asks and asked.url != self._status.url
        if (text := self._result_at_once(asked, is_accepted=is_accepted)) is not None:
            is_error = asked is not None and self._status.has_failed
            self._port.tell(self._result(request, text, is_modern=is_modern, is_error=is_error))
            return False
        self._last_number += 1
        timer = self._port.timers.new("provisional/call", lambda: self._time_out(call), self._last_number)
        call = _Call(request, timer, is_modern=is_modern, asks=asks)
        self._waiting[request.id] = call
        timer.start(min(seconds, WAIT_SECONDS))
        return True

    def _result_at_once(self, asked: _State | None, *, is_accepted: bool) -> str | None:
        """The text of the result of a call that does not wait; None for one that does.

        `asked` is the question that the call answers; `is_accepted`: the user agreed.
        """
        if asked is not None and self._status.has_failed:
            return sign_in_tool.failed(self._status)
        if asked is not None and not is_accepted:
            return self._refused(asked.url, asked.asked_at)
        if len(self._waiting) >= _MOST:
            return sign_in_tool.still_waiting(self._status)
        return None

    def cancel(self, id_: RequestId) -> None:
        """Forget a call that the host cancelled."""
        self._waiting.pop(id_).timer.stop()

    def take(self, response: Response) -> bool:
        """Take the host's answer to a question of the bridge; return False where it answers no such question."""
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
        if self._waiting.get(question.call.request.id) is question.call:
            self._finish(question.call, text)
        return True

    def _refused(self, url: str, asked_at: float) -> str:
        """The text for a link that was not opened, because the user or the host declined."""
        if self._status.now - asked_at < ANSWERED_BY_HOST:
            self._unasked_url = url
            return sign_in_tool.not_asked(self._status)
        return sign_in_tool.declined(self._status)

    # -- the sign-in

    def link_changed(self) -> None:
        """The link became known or changed, or a call began."""
        if self._status.url:
            for call in self._all():
                self._show_link(call)

    def end(self, text: str, *, is_error: bool) -> None:
        """The sign-in ended: `text` is the result of every call."""
        self._close_question()
        self._told_url = ""
        for call in self._all():
            self._finish(call, text, is_error=is_error)

    def close(self) -> None:
        """The run ends."""
        url = self._status.server_url
        for call in self._all():
            self._port.tell(faults.shut_down(url, "").error_line(call.request.raw_id, url))
        self._waiting.clear()

    # -- one call

    def _time_out(self, call: _Call) -> None:
        """A call has waited long enough."""
        self._finish(call, sign_in_tool.still_waiting(self._status))

    def _show_link(self, call: _Call) -> None:
        status = self._status
        if status.is_open:
            return  # The browser shows the page, so there is nothing to ask or to show.
        is_asked = call.asks and status.url != self._unasked_url and not status.is_too_long
        if is_asked and sign_in_tool.is_safe_link(status.url):
            self._ask(call)
        elif status.needs_user and self._told_url != status.url:
            self._finish(call, sign_in_tool.still_waiting(status))

    def _ask(self, call: _Call) -> None:
        if call.is_modern:
            state = self._port.fresh()
            self._told_url = self._status.url
            self._states[state] = _State(self._status.url, self._status.now)
            if len(self._states) > _MOST:
                del self._states[next(iter(self._states))]
            self._finish_with(call, self._input_required(call, state))
        elif self._question is None or self._question.url != self._status.url:
            self._close_question()
            number = self._port.fresh()
            raw_id = msgspec.json.encode(f"{PROGRAM}/sign-in/{number}")
            self._question = _LinkQuestion(call, raw_id, self._port.fresh(), self._status.url, self._status.now)
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
        """Withdraw the question, or tell that it is settled (MCP 2025-11-25, Completion Notifications)."""
        question, self._question = self._question, None
        if question is None:
            return
        if not question.is_accepted:
            self._say(writing.cancellation(question.raw_id))
        named = msgspec.json.encode({"elicitationId": question.elicitation})
        self._say(writing.notification(mcp.ELICITATION_COMPLETE, named))

    def _finish(self, call: _Call, text: str, *, is_error: bool = False) -> None:
        self._finish_with(call, self._result(call.request, text, is_modern=call.is_modern, is_error=is_error))

    def _finish_with(self, call: _Call, line: Octets) -> None:
        del self._waiting[call.request.id]
        call.timer.stop()
        self._port.tell(line)

    def _result(self, request: Request, text: str, *, is_modern: bool, is_error: bool = False) -> Octets:
        self._told_url = self._status.url
        return provisional_results.tool_result(request, text, self._status, is_modern=is_modern, is_error=is_error)

    def _say(self, message: Request | Notification) -> None:
        self._port.tell(message.line)

    def _all(self) -> list[_Call]:
        return list(self._waiting.values())


def _is_accepted(answer: Raw) -> bool:
    """Whether the user agreed (MCP, Elicitation, Response Actions); an error, or nonsense, is no agreement."""
    return request_meta.text(writing.members(answer).get("action")) == "accept"
