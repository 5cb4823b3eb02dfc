"""A modern server's questions that a legacy host has not answered yet.

Several are sent to the host at once, and the server gets their answers together, under the keys that it gave them. If
the host answers one with an error, the others are withdrawn, and what needed the answers fails.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, ErrorKind
from bridge.protocol import writing
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.sanitize import shown
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta
from bridge.translate.translator import TranslatorPort, TranslatorRefusal
from bridge.translate.upgrade import input_requests
from bridge.translate.upgrade.input_requests import HostQuestion, NoQuestion, NotDeclared, subject
from bridge.translate.upgrade.legacy_host import LegacyHost

MAX_QUESTIONS = 64
"""How many may be asked at once."""


class Inquiry:
    """Questions that were asked together for one request of the host's.

    `open` are those without an answer, by their id for the host. `visited` are the elicitations whose URL the host
    opened. `done(answers)` is called with the last answer, or `fail(refusal)` where there will be none.
    """

    __slots__ = ("answers", "done", "fail", "open", "request", "visited")

    def __init__(
        self,
        request: Request,
        keys: Members,
        done: Callable[[Members], None],
        fail: Callable[[TranslatorRefusal], None],
    ) -> None:
        self.request = request
        self.done = done
        self.fail = fail
        self.open: dict[str, tuple[str, HostQuestion]] = {}
        self.answers: dict[str, Raw] = dict.fromkeys(keys, Raw())
        self.visited: list[str] = []


class HostInquiries:
    """The inquiries of calls, or of tasks."""

    def __init__(self, port: TranslatorPort) -> None:
        self._port = port
        self._asked: dict[str, Inquiry] = {}

    @property
    def is_empty(self) -> bool:
        """Whether the host has answered all of these questions."""
        return not self._asked

    def __contains__(self, id_: RequestId | None) -> bool:
        """Whether a question with this id has no answer yet."""
        return id_ in self._asked

    def ask(
        self,
        request: Request,
        host: LegacyHost,
        asked: Members,
        done: Callable[[Members], None],
        fail: Callable[[TranslatorRefusal], None],
        meta: Members | None = None,
    ) -> Inquiry | TranslatorRefusal:
        """Send the host the questions in `inputRequests`, or say why not; `meta` is added to the `_meta` of each."""
        if len(asked) > MAX_QUESTIONS:
            return broken(request, f"with {len(asked)} questions at once (the maximum is {MAX_QUESTIONS})")
        inquiry = Inquiry(request, asked, done, fail)
        for key, value in asked.items():
            question = input_requests.read(value, host, self._port.fresh())
            match question:
                case NotDeclared():
                    return input_requests.not_declared(request, question.path)
                case NoQuestion():
                    return broken(request, question.what)
                case HostQuestion():
                    inquiry.open[f"bridge-{self._port.fresh()}"] = key, question
        self._asked.update(dict.fromkeys(inquiry.open, inquiry))
        for id_, (_, question) in inquiry.open.items():
            params = _with_meta(question.params, meta) if meta else question.params
            self._port.down(writing.request(msgspec.json.encode(id_), question.method, params).line)
        return inquiry

    def take(self, response: Response) -> bool:
        """The host answered; False where that answers none of these questions."""
        inquiry = self._asked.pop(response.id, None) if isinstance(response.id, str) else None
        if inquiry is None:
            return False
        key, question = inquiry.open.pop(str(response.id))
        if response.is_error or not request_meta.is_object(response.result):
            self.withdraw(inquiry, "Another question of the same call failed.")
            inquiry.fail(_unanswered(inquiry.request, question, response))
            return True
        inquiry.answers[key] = response.result
        if question.elicitation_id and string(members(response.result).get("action", Raw())) == "accept":
            inquiry.visited.append(question.elicitation_id)
        if not inquiry.open:
            inquiry.done(inquiry.answers)
        return True

    def withdraw(self, inquiry: Inquiry, reason: str) -> None:
        """Withdraw what the host has not answered; neither `done` nor `fail` is called."""
        asked, inquiry.open = inquiry.open, {}
        for id_ in asked:
            del self._asked[id_]
            self._port.down(writing.cancellation(msgspec.json.encode(id_), msgspec.json.encode(reason)).line)

    def close(self, refusal: TranslatorRefusal) -> None:
        """Withdraw all questions, and fail what needed their answers."""
        for inquiry in list(dict.fromkeys(self._asked.values())):
            self.withdraw(inquiry, refusal.message)
            inquiry.fail(refusal)


def failed(kind: ErrorKind, message: str) -> TranslatorRefusal:
    """Why a call cannot continue."""
    return TranslatorRefusal(INTERNAL_ERROR, kind, message)


def broken(request: Request, what: str) -> TranslatorRefusal:
    """Why a call cannot continue: the server asked in a way that MCP does not allow. `what`: how."""
    message = f"While running {subject(request)}, the server asked for input {what}, which MCP does not allow."
    return failed(ErrorKind.WRONG_ANSWER, message)


def _with_meta(params: Raw, more: Members) -> bytes:
    said = members(params)
    meta = members(said.get("_meta", Raw()))
    return msgspec.json.encode({**said, "_meta": {**meta, **more}})


def _unanswered(request: Request, question: HostQuestion, response: Response) -> TranslatorRefusal:
    said = members(response.error)
    message = shown(string(said.get("message", Raw())) or "") if response.is_error else "without a result"
    return failed(
        ErrorKind.UNANSWERED,
        f"To continue with {subject(request)}, the server needs an answer to {question.method}, "
        f"but the host answered: {message or 'an error without a message'}.",
    )
