"""Calls that a modern server goes on with once it knows more (MCP 2026-07-28, Multi Round-Trip Requests).

| the server wants | what follows |
|---|---|
| answers | all of its questions go to the host at once; with the last answer the call goes up again |
| only to be asked again | the call goes up again: at once, then after pauses that grow |
| what the host cannot answer | the call fails |
| something for the 33rd time | the call fails |

The host may answer one question with an error: then the others are taken back and the call fails. Each time the call
goes up as it was, with the answers to the last questions only, and with the state that the server gave last, if any.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.era import per_request, questions
from bridge.era.legacy_host import LegacyHost
from bridge.era.outlet import Outlet, Refusal
from bridge.era.questions import NoQuestion, NotDeclared, Question, subject
from bridge.era.words import excerpt
from bridge.protocol import mcp, writing
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request, Response
from bridge.protocol.writing import Members, members

TIMER = "round"

_MAX_ROUNDS = 32
_MAX_QUESTIONS = 64
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_NULL = b"null"


class Call:
    """A request of the host's, from its arrival to its answer.

    `number` is its id upwards while the server has it. `visited` are the elicitations whose URL the host opened.
    """

    __slots__ = ("answers", "host", "number", "open", "pauses", "request", "rounds", "serial", "state", "visited")

    def __init__(self, serial: int, request: Request, host: LegacyHost) -> None:
        self.serial = serial
        self.request = request
        self.host = host
        self.number: int | None = None
        self.rounds = 0
        self.pauses = 0
        self.state: Raw | None = None
        self.open: dict[str, tuple[str, Question]] = {}
        self.answers: dict[str, Raw | None] = {}
        self.visited: list[str] = []


class Rounds:
    """`again(call, added)` sends a call up with these members added to its params; `fail(call, refusal)` ends it."""

    def __init__(
        self, outlet: Outlet, again: Callable[[Call, Members], None], fail: Callable[[Call, Refusal], None]
    ) -> None:
        self._outlet = outlet
        self._again = again
        self._fail = fail
        self._asked: dict[str, Call] = {}
        self._pausing: dict[int, Call] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no call waits for the host, or for time to pass."""
        return not (self._asked or self._pausing)

    def begin(self, call: Call, said: Members) -> Refusal | None:
        """The server answered a call with an input-required result of these members; or why it cannot go on."""
        call.rounds += 1
        if call.rounds > _MAX_ROUNDS:
            return _failed("rounds", f"The server asked more than {_MAX_ROUNDS} times before {subject(call.request)}.")
        state, wanted = _given(said, "requestState"), _given(said, "inputRequests")
        call.state = None if state is None else state.copy()
        if wanted is None and state is None:
            return _broken(call, "without saying what for")
        if wanted is not None and not per_request.is_object(wanted):
            return _broken(call, "with something that is no object")
        asked = members(wanted or b"")
        if not asked:
            self._pause(call)
            return None
        call.pauses = 0
        return self._ask(call, asked)

    def take(self, response: Response) -> bool:
        """The host answered; False where nobody waits for it."""
        call = self._asked.pop(response.id, None) if isinstance(response.id, str) else None
        if call is None:
            return False
        key, question = call.open.pop(str(response.id))
        if response.is_error or not per_request.is_object(response.result):
            self.withdraw(call, "Another question of the same call was answered with an error.")
            self._fail(call, _unanswered(call, question, response))
            return True
        call.answers[key] = response.result
        if question.elicitation_id and string(members(response.result).get("action", Raw())) == "accept":
            call.visited.append(question.elicitation_id)
        if not call.open:
            answers, call.answers = call.answers, {}
            self._again(call, {"inputResponses": Raw(msgspec.json.encode(answers)), **_state(call)})
        return True

    def withdraw(self, call: Call, reason: str) -> None:
        """Take back from the host what it was asked for a call, and let the call rest."""
        if self._pausing.pop(call.serial, None):
            self._outlet.stop_waiting(TIMER, call.serial)
        asked, call.open, call.answers = call.open, {}, {}
        for id_ in asked:
            del self._asked[id_]
            self._outlet.down(mcp.cancellation(msgspec.json.encode(id_), reason))

    def on_timer(self, serial: int) -> None:
        """The pause of a call is over."""
        if call := self._pausing.pop(serial, None):
            self._again(call, _state(call))

    def end(self, refusal: Refusal) -> None:
        """Fail every call that waits for the host, or for time to pass."""
        for call in list(dict.fromkeys([*self._asked.values(), *self._pausing.values()])):
            self.withdraw(call, refusal.message)
            self._fail(call, refusal)

    def _ask(self, call: Call, asked: Members) -> Refusal | None:
        if len(asked) > _MAX_QUESTIONS:
            return _broken(call, f"with {len(asked)} questions at once, where {_MAX_QUESTIONS} are the most")
        found: dict[str, tuple[str, Question]] = {}
        for key, value in asked.items():
            question = questions.read(value, call.host, self._outlet.fresh())
            if isinstance(question, NotDeclared):
                return questions.not_declared(call.request, question.path)
            if isinstance(question, NoQuestion):
                return _broken(call, question.what)
            found[f"bridge-{self._outlet.fresh()}"] = key, question
        call.open = found
        call.answers = dict.fromkeys(asked)
        self._asked.update(dict.fromkeys(found, call))
        for id_, (_, question) in found.items():
            self._outlet.down(writing.request(msgspec.json.encode(id_), question.method, question.params).line)
        return None

    def _pause(self, call: Call) -> None:
        """Nothing is asked, so time must make the difference (Client Requirements, 1)."""
        call.pauses += 1
        if call.pauses == 1:
            self._again(call, _state(call))
            return
        self._pausing[call.serial] = call
        self._outlet.wait(TIMER, call.serial, min(_FIRST_PAUSE * 2.0 ** (call.pauses - 2), _LONGEST_PAUSE))


def _state(call: Call) -> Members:
    return {} if call.state is None else {"requestState": call.state}


def _given(said: Members, name: str) -> Raw | None:
    """A member; one that is null counts as absent, for many libraries write it so."""
    value = said.get(name)
    return None if value is None or (len(value) == len(_NULL) and bytes(value) == _NULL) else value


def _failed(kind: str, message: str) -> Refusal:
    return Refusal(per_request.INTERNAL_ERROR, kind, message)


def _broken(call: Call, what: str) -> Refusal:
    return _failed(
        "wrong-answer", f"The server asked for input to {subject(call.request)} {what}, which MCP does not allow."
    )


def _unanswered(call: Call, question: Question, response: Response) -> Refusal:
    said = members(response.error)
    message = excerpt(string(said.get("message", Raw())) or "") if response.is_error else "no result at all"
    return _failed(
        "unanswered",
        f"The server needs an answer to {question.method} to go on with {subject(call.request)}, "
        f"and the host answered: {message or 'an error without a message'}.",
    )
