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

import math
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol import writing
from bridge.protocol.jsonrpc import Notification, Request, RequestId, Response
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta
from bridge.translate.translator import TranslatorPort, TranslatorRefusal, TranslatorTimer
from bridge.translate.upgrade.host_inquiries import HostInquiries, Inquiry, broken, failed
from bridge.translate.upgrade.input_requests import subject
from bridge.translate.upgrade.legacy_host import LegacyHost

_MAX_ROUNDS = 32
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_NULL = b"null"


class UpgradedCall:
    """A request of the host's, from its arrival to its answer.

    `number` is its id upwards while the server has it. `visited` are the elicitations whose URL the host opened,
    `progress` the last that the host was told, None before.
    """

    __slots__ = ("host", "inquiry", "number", "pauses", "progress", "request", "rounds", "state", "visited")

    def __init__(self, request: Request, host: LegacyHost) -> None:
        self.request = request
        self.host = host
        self.number: int | None = None
        self.rounds = 0
        self.pauses = 0
        self.state: Raw | None = None
        self.inquiry: Inquiry | None = None
        self.visited: list[str] = []
        self.progress: float | None = None

    def progressed(self, note: Notification) -> Notification:
        """What the host is to be told of `notifications/progress`.

        To the server each round is a request, whose progress begins anew; to the host it is one, whose progress must
        increase (MCP 2025-11-25, Progress, Behavior Requirements), and stands all but still until it is caught up with.
        """
        said = members(note.params)
        told, before = _number(said.get("progress", Raw())), self.progress
        if told is None:
            return note
        self.progress = told
        if not self.rounds or before is None or told > before:
            return note
        self.progress = math.nextafter(before, math.inf)
        if math.isinf(self.progress):
            return note
        said["progress"] = Raw(msgspec.json.encode(self.progress))
        return writing.notification(note.method, msgspec.json.encode(said))


class InputRequired:
    """`again(call, added)` sends a call up with these members added to its params; `fail(call, refusal)` ends it."""

    def __init__(
        self,
        port: TranslatorPort,
        again: Callable[[UpgradedCall, Members], None],
        fail: Callable[[UpgradedCall, TranslatorRefusal], None],
    ) -> None:
        self._port = port
        self._again = again
        self._fail = fail
        self._asking = HostInquiries(port)
        self._pausing: dict[UpgradedCall, TranslatorTimer] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no call waits for the host, or for time to pass."""
        return self._asking.is_empty and not self._pausing

    def begin(self, call: UpgradedCall, said: Members) -> TranslatorRefusal | None:
        """The server answered a call with an input-required result of these members; or why it cannot go on."""
        call.rounds += 1
        if call.rounds > _MAX_ROUNDS:
            return failed("rounds", f"The server asked more than {_MAX_ROUNDS} times before {subject(call.request)}.")
        state, wanted = _given(said, "requestState"), _given(said, "inputRequests")
        call.state = None if state is None else state.copy()
        if wanted is None and state is None:
            return broken(call.request, "without saying what for")
        if wanted is not None and not request_meta.is_object(wanted):
            return broken(call.request, "with something that is not an object")
        asked = members(wanted or b"")
        if not asked:
            self._pause(call)
            return None
        call.pauses = 0
        begun = self._asking.ask(
            call.request, call.host, asked, partial(self._answered, call), partial(self._fail, call)
        )
        if isinstance(begun, TranslatorRefusal):
            return begun
        call.inquiry = begun
        return None

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""
        return id_ in self._asking

    def take(self, response: Response) -> bool:
        """The host answered; False where nobody waits for it."""
        return self._asking.take(response)

    def withdraw(self, call: UpgradedCall, reason: str) -> None:
        """Take back from the host what it was asked for a call, and let the call rest."""
        if pause := self._pausing.pop(call, None):
            pause.stop()
        if call.inquiry:
            self._asking.withdraw(call.inquiry, reason)

    def end(self, refusal: TranslatorRefusal) -> None:
        """Fail every call that waits for the host, or for time to pass."""
        self._asking.end(refusal)
        for call in list(self._pausing):
            self.withdraw(call, refusal.message)
            self._fail(call, refusal)

    def _answered(self, call: UpgradedCall, answers: Members) -> None:
        if call.inquiry:
            call.visited += call.inquiry.visited
        call.inquiry = None
        self._again(call, {"inputResponses": Raw(msgspec.json.encode(answers)), **_state(call)})

    def _pause(self, call: UpgradedCall) -> None:
        """Nothing is asked, so time must make the difference (Client Requirements, 1)."""
        call.pauses += 1
        if call.pauses == 1:
            self._again(call, _state(call))
            return
        pause = self._pausing[call] = self._port.timer("round", partial(self._pause_over, call))
        pause.start(min(_FIRST_PAUSE * 2.0 ** (call.pauses - 2), _LONGEST_PAUSE))

    def _pause_over(self, call: UpgradedCall) -> None:
        del self._pausing[call]
        self._again(call, _state(call))


def _state(call: UpgradedCall) -> Members:
    return {} if call.state is None else {"requestState": call.state}


def _given(said: Members, name: str) -> Raw | None:
    """A member; one that is null counts as absent, for many libraries write it so."""
    value = said.get(name)
    return None if value is None or (len(value) == len(_NULL) and bytes(value) == _NULL) else value


def _number(value: Raw) -> float | None:
    """A number, as far as Python has it; None where it is none."""
    try:
        return msgspec.json.decode(value, type=float)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return math.inf if bytes(value)[:1].isdigit() else None
