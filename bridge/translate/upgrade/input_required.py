"""Calls for which a modern server requires input from the host (MCP 2026-07-28, Multi Round-Trip Requests).

A round is what one `input_required` result asks for.

| the server asks for | what the bridge does |
|---|---|
| answers | sends all of its questions to the host; with the last answer, sends the call again |
| only another request | sends the call again: the first time at once, then after pauses that grow |
| something that the host cannot answer | fails the call |
| something for the 33rd time | fails the call |

If the host answers one question with an error, the other questions are withdrawn and the call fails. A call is sent
again as it was, with the answers of this round only, and with the `requestState` of this round, if there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import ErrorKind
from bridge.protocol import writing
from bridge.protocol.backoff import Backoff
from bridge.protocol.jsonrpc import Notification, Request, RequestId, Response
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta
from bridge.translate.translator import TranslatorPort, TranslatorRefusal, TranslatorTimer
from bridge.translate.upgrade.host_inquiries import HostInquiries, Inquiry, broken, failed
from bridge.translate.upgrade.input_requests import subject
from bridge.translate.upgrade.legacy_host import LegacyHost

_MAX_ROUNDS = 32
_PAUSES = Backoff(0.25, 10.0)
_NULL = b"null"


class UpgradedCall:
    """A request of the host's, from its arrival to its answer.

    `server_id` is its id for the server, None while the server does not have it. `visited` are the elicitations whose
    URL the host opened, `progress` is the last value that the host was told, None before.
    """

    __slots__ = ("host", "inquiry", "pauses", "progress", "request", "rounds", "server_id", "state", "visited")

    def __init__(self, request: Request, host: LegacyHost) -> None:
        self.request = request
        self.host = host
        self.server_id: int | None = None
        self.rounds = 0
        self.pauses = 0
        self.state: Raw | None = None
        self.inquiry: Inquiry | None = None
        self.visited: list[str] = []
        self.progress: float | None = None

    def progressed(self, note: Notification) -> Notification:
        """`notifications/progress` as the host gets it.

        For the server each round is a request of its own, whose progress begins anew. For the host they are one
        request, whose progress must increase (MCP 2025-11-25, Progress, Behavior Requirements). So a value that does
        not increase becomes one that is minimally larger than the last.
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
    """The calls that wait for the host, or for time to pass.

    `again(call, added)` sends a call with these members added to its params; `fail(call, refusal)` ends it.
    """

    def __init__(
        self,
        port: TranslatorPort,
        again: Callable[[UpgradedCall, Members], None],
        fail: Callable[[UpgradedCall, TranslatorRefusal], None],
    ) -> None:
        self._port = port
        self._again = again
        self._fail = fail
        self._inquiries = HostInquiries(port)
        self._pausing: dict[UpgradedCall, TranslatorTimer] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no call waits for the host, or for time to pass."""
        return self._inquiries.is_empty and not self._pausing

    def begin(self, call: UpgradedCall, said: Members) -> TranslatorRefusal | None:
        """Begin a round for a call whose result, `input_required`, has these members; or say why that is impossible."""
        call.rounds += 1
        if call.rounds > _MAX_ROUNDS:
            return failed(
                ErrorKind.ROUNDS,
                f"While running {subject(call.request)}, the server asked for input more than {_MAX_ROUNDS} times.",
            )
        state, wanted = _given(said, "requestState"), _given(said, "inputRequests")
        call.state = None if state is None else state.copy()
        if wanted is None and state is None:
            return broken(call.request, "without a question")
        if wanted is not None and not request_meta.is_object(wanted):
            return broken(call.request, "with something that is not an object")
        asked = members(wanted or b"")
        if not asked:
            self._pause(call)
            return None
        call.pauses = 0
        begun = self._inquiries.ask(
            call.request, call.host, asked, partial(self._answered, call), partial(self._fail, call)
        )
        if isinstance(begun, TranslatorRefusal):
            return begun
        call.inquiry = begun
        return None

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""
        return id_ in self._inquiries

    def take(self, response: Response) -> bool:
        """The host answered; False where that answers none of these questions."""
        return self._inquiries.take(response)

    def withdraw(self, call: UpgradedCall, reason: str) -> None:
        """Withdraw what the host was asked for a call, and do not send the call again."""
        if pause := self._pausing.pop(call, None):
            pause.stop()
        if call.inquiry:
            self._inquiries.withdraw(call.inquiry, reason)

    def close(self, refusal: TranslatorRefusal) -> None:
        """Fail every call that waits for the host, or for time to pass."""
        self._inquiries.close(refusal)
        for call in list(self._pausing):
            self.withdraw(call, refusal.message)
            self._fail(call, refusal)

    def _answered(self, call: UpgradedCall, answers: Members) -> None:
        if call.inquiry:
            call.visited += call.inquiry.visited
        call.inquiry = None
        self._again(call, {"inputResponses": Raw(msgspec.json.encode(answers)), **_state(call)})

    def _pause(self, call: UpgradedCall) -> None:
        """Nothing is asked, so the call is sent again after a pause (Client Requirements, 1)."""
        call.pauses += 1
        if call.pauses == 1:
            self._again(call, _state(call))
            return
        pause = self._pausing[call] = self._port.timer("round", partial(self._pause_over, call))
        pause.start(_PAUSES.before(call.pauses - 1))

    def _pause_over(self, call: UpgradedCall) -> None:
        del self._pausing[call]
        self._again(call, _state(call))


def _state(call: UpgradedCall) -> Members:
    return {} if call.state is None else {"requestState": call.state}


def _given(said: Members, name: str) -> Raw | None:
    """A member; null counts as absent, because many libraries write it so."""
    value = said.get(name)
    return None if value is None or (len(value) == len(_NULL) and bytes(value) == _NULL) else value


def _number(value: Raw) -> float | None:
    """A number, infinite where Python cannot hold it; None where it is not a number."""
    try:
        return msgspec.json.decode(value, type=float)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return math.inf if bytes(value)[:1].isdigit() else None
