"""What goes up to the server: the host's calls, each until it is answered, and its notes, which want no answer.

A note is a notification, or the host's answer to a request of the server's. While the gate is closed (a session is
being opened) everything waits here in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Notification, Response
from bridge.session import faults, verdicts
from bridge.session.answers import Answers
from bridge.session.calls import Call, Calls
from bridge.session.commands import OpenStream, Post
from bridge.session.deadlines import Deadlines
from bridge.session.events import (
    BodyReceived,
    Cause,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from bridge.session.faults import Fault
from bridge.session.ledger import Exchange, Ledger, back_off
from bridge.session.verdicts import Verdict

_MAX_RENEWALS = 1
_MAX_CUTS = 6


class Note:
    """A notification or a response of the host's, on its way. `then` is called once, however it ends."""

    __slots__ = ("attempts", "message", "number", "patience_ends", "then")

    def __init__(self, message: Notification | Response, number: int, then: Callable[[], None] | None) -> None:
        self.message = message
        self.number = number
        self.then = then
        self.attempts = 0
        self.patience_ends: float | None = None

    def done(self) -> None:
        """It has arrived, or been given up."""
        then, self.then = self.then, None
        if then:
            then()


class Sending:
    """Sends, judges what comes back, and sends again where that is right.

    `session_gone(generation)` is told when the server no longer knows the session of that generation;
    `try_legacy(call, fault)` is asked whether an older transport may answer where `fault` stands.
    """

    def __init__(
        self,
        ledger: Ledger,
        calls: Calls,
        answers: Answers,
        deadlines: Deadlines,
        patience: float,
        session_gone: Callable[[int], None],
        try_legacy: Callable[[Call, Fault], bool],
        other_way: Callable[[], bool],
    ) -> None:
        self.ledger = ledger
        self.calls = calls
        self.answers = answers
        self.deadlines = deadlines
        self.session_gone = session_gone
        self.try_legacy = try_legacy
        self.other_way = other_way
        self.patience = patience
        self._gate_open = True
        self._held: deque[Call | Note] = deque()
        self._notes: dict[int, Note] = {}
        self._last_note = 0

    # -- the gate

    def close_gate(self) -> None:
        """Hold back everything from now on."""
        self._gate_open = False

    def open_gate(self) -> None:
        """Send what was held back, in order."""
        self._gate_open = True
        while self._held and self._gate_open:
            item = self._held.popleft()
            if isinstance(item, Note):
                self._post_note(item)
            elif self.calls.numbered(item.number):
                self._post_call(item)

    def refuse_held(self, fault: Fault) -> None:
        """Open the gate and fail the calls behind it."""
        self._gate_open = True
        held, self._held = self._held, deque()
        for item in held:
            if isinstance(item, Note):
                item.done()
            else:
                self.answers.fail(item, fault)

    # -- calls

    def submit(self, call: Call) -> None:
        """Send a call as soon as the gate is open."""
        if self._gate_open:
            self._post_call(call)
        else:
            self._held.append(call)

    def _post_call(self, call: Call) -> None:
        ledger = self.ledger
        call.sent_at = ledger.now
        exchange = call.exchange = CallExchange(self, call)
        number = ledger.begin(exchange)
        initial = call.request.method == mcp.INITIALIZE
        headers = () if initial else ledger.headers()
        ledger.commands.append(Post(number, call.request.line, headers, ledger.endpoint))

    def resume(self, call: Call) -> None:
        """Ask for the rest of a call's stream (MCP, Resumability and Redelivery)."""
        ledger = self.ledger
        exchange = call.exchange = CallExchange(self, call, resumes=True)
        ledger.commands.append(OpenStream(ledger.begin(exchange), ledger.headers(call.cursor.last_event_id)))

    def on_call_timer(self, number: int) -> None:
        """The pause before a call's next try is over."""
        call = self.calls.numbered(number)
        if call is None:
            return
        if call.cursor.last_event_id is None:
            self.submit(call)
        elif call.exchange and call.exchange.generation != self.ledger.generation:
            self.lost(call, "the session it ran in is gone")
        else:
            self.resume(call)

    def stream_ended(self, call: Call, reason: str) -> None:
        """A stream ended before the answer: resume it, or take the call for lost."""
        cursor = call.cursor
        if cursor.last_event_id is None:
            self.lost(call, reason)
            return
        call.attempts += 1
        pause = cursor.pause
        if pause is None:
            self.ledger.set_timer("call", call.number, back_off(call.attempts, first=0.5), spread=0.5)
        else:
            self.ledger.set_timer("call", call.number, max(pause, back_off(call.attempts - 4)))

    def lost(self, call: Call, reason: str) -> None:
        """The connection went and the server may have run the call: again if that does no harm, else say so."""
        call.cursor.rewind()
        url, method = self.ledger.url, call.request.method
        if not self.calls.is_repeatable(call.request):
            self.answers.fail(call, faults.outcome_unknown(url, method, reason))
        elif call.cuts >= _MAX_CUTS or not self.is_patient(call):
            self.answers.fail(call, faults.no_answer(url, method, reason))
        else:
            call.cuts += 1
            call.trouble = reason
            self._again(call, back_off(call.attempts + 1, longest=5.0))

    def unreachable(self, call: Call, event: ExchangeFailed) -> None:
        """The call never left: try until patience ends."""
        now = self.ledger.now
        if call.patience_ends is None:
            self.ledger.report("warning", f"{event.message} Trying again for {self.patience:g} seconds.")
        pause = back_off(call.attempts + 1, longest=5.0)
        call.trouble = event.message
        # A try that takes long, such as one that meets a firewall, must fit into the patience too.
        took = now - call.sent_at
        if not self.is_patient(call) or call.patience_ends is None or now + took > call.patience_ends:
            self.answers.fail(call, Fault("unreachable", event.message, event.hint))
        else:
            self._again(call, min(pause, call.patience_ends - now))

    def is_patient(self, call: Call) -> bool:
        """Whether trying goes on; patience begins with the try that failed first."""
        if call.patience_ends is None:
            call.patience_ends = (call.sent_at or self.ledger.now) + self.patience
        return self.ledger.now < call.patience_ends

    def renew(self, call: Call, generation: int, said: str) -> None:
        """The server forgot the session and did not run the call: send it in the next one."""
        call.renewals += 1
        if call.renewals > _MAX_RENEWALS:
            self.answers.fail(call, faults.session_lost(self.ledger.url, said))
            return
        call.cursor.rewind()
        self.session_gone(generation)
        self.submit(call)

    def wait(self, call: Call, seconds: float, fault: Fault) -> None:
        """The server asked to come back later."""
        seconds = max(seconds, back_off(call.attempts + 1))
        call.waited += seconds
        call.trouble = fault.message
        if call.waited > 2 * self.patience:
            self.answers.fail(call, fault)
        else:
            self._again(call, seconds, spread=0.0)

    def _again(self, call: Call, seconds: float, spread: float = 0.5) -> None:
        call.attempts += 1
        call.exchange = None
        self.ledger.set_timer("call", call.number, seconds, spread)

    # -- notes

    def submit_note(self, message: Notification | Response, then: Callable[[], None] | None = None) -> None:
        """Send a note as soon as the gate is open."""
        self._last_note += 1
        self.pass_note(Note(message, self._last_note, then))

    def post_past_gate(self, message: Notification, then: Callable[[], None]) -> None:
        """Send a note that opens the gate itself."""
        self._last_note += 1
        self._post_note(Note(message, self._last_note, then))

    def _post_note(self, note: Note) -> None:
        ledger = self.ledger
        number = ledger.begin(NoteExchange(self, note))
        ledger.commands.append(Post(number, note.message.line, ledger.headers(), ledger.endpoint, urgent=True))

    def pass_note(self, note: Note) -> None:
        """Post a note, or hold it back while the gate is closed."""
        if self._gate_open:
            self._post_note(note)
        else:
            self._held.append(note)

    def note_failed(self, note: Note, what: str, seconds: float | None = None) -> None:
        """Try a note again after `seconds`, while there is patience; None gives it up."""
        now = self.ledger.now
        if note.patience_ends is None:
            note.patience_ends = now + self.patience
        note.attempts += 1
        if seconds is None or now + seconds > note.patience_ends:
            name = note.message.method if isinstance(note.message, Notification) else "an answer of the host's"
            self.ledger.report("warning", f"{name} did not get through: {what}")
            note.done()
            return
        self._notes[note.number] = note
        self.ledger.set_timer("note", note.number, seconds, spread=0.5)

    def on_note_timer(self, number: int) -> None:
        """The pause before a note's next try is over."""
        if note := self._notes.pop(number, None):
            self._post_note(note)


class CallExchange(Exchange):
    """A call's POST, or the GET that resumes its stream."""

    def __init__(self, sending: Sending, call: Call, *, resumes: bool = False) -> None:
        self._sending = sending
        self._call = call
        self._resumes = resumes

    def on_started(self, event: ResponseStarted) -> None:
        call = self._call
        if call.request.method == mcp.INITIALIZE and event.session_id:
            call.session_id = event.session_id
        if event.streams:
            call.patience_ends = None

    def on_event(self, event: EventReceived) -> None:
        call = self._call
        if call.exchange is self:
            call.attempts = 0
            self._sending.deadlines.renew(call)
        data = call.cursor.take(event.event)
        if data is not None:
            self._sending.answers.take(data)

    def on_closed(self, event: StreamClosed) -> None:
        if self._call.exchange is self:
            self._sending.stream_ended(self._call, event.reason)

    def on_failed(self, event: ExchangeFailed) -> None:
        call, sending = self._call, self._sending
        if event.cause in {Cause.UNREACHABLE, Cause.LOST} and self._resumes:
            (sending.stream_ended if sending.is_patient(call) else sending.lost)(call, event.message)
        elif event.cause is Cause.UNREACHABLE or (event.cause is Cause.LOST and not event.sent):
            sending.unreachable(call, event)
        elif event.cause is Cause.LOST:
            sending.lost(call, event.message)
        elif event.cause is Cause.TRUNCATED and not sending.calls.is_repeatable(call.request):
            method = call.request.method
            sending.answers.fail(call, faults.outcome_unknown(sending.ledger.url, method, "its answer broke off"))
        else:
            kind = "unreachable" if event.cause is Cause.UNTRUSTED else event.cause.value
            sending.answers.fail(call, Fault(kind, event.message, event.hint))

    def on_body(self, event: BodyReceived) -> None:
        call, sending = self._call, self._sending
        if sending.ledger.endpoint is not None and event.status < 300:
            return  # The answer comes on the stream (MCP 2024-11-05).
        verdict = verdicts.judge(event, sending.ledger.url, call.request, in_session=self._in_session())
        if verdict.kind is Verdict.Kind.SESSION_GONE:
            if self._resumes:
                sending.session_gone(self.generation)
                sending.lost(call, verdict.fault.message)
            else:
                sending.renew(call, self.generation, verdict.fault.message)
        elif self._resumes:
            patient = verdict.kind is Verdict.Kind.LATER and sending.is_patient(call)
            (sending.stream_ended if patient else sending.lost)(call, verdict.fault.message)
        elif verdict.kind is Verdict.Kind.LATER:
            sending.wait(call, verdict.seconds, verdict.fault)
        elif verdict.kind is Verdict.Kind.READ:
            if fault := sending.answers.take_body(event.body, call):
                sending.answers.fail(call, fault)
        elif verdict.kind is Verdict.Kind.EMPTY and sending.other_way():
            return  # The answer comes on another stream.
        elif not sending.try_legacy(call, verdict.fault):
            sending.answers.fail(call, verdict.fault)

    def _in_session(self) -> bool:
        """Whether the request carried a session id."""
        ledger = self._sending.ledger
        return self._call.request.method != mcp.INITIALIZE and (
            ledger.session_id is not None or self.generation != ledger.generation
        )


class NoteExchange(Exchange):
    """A note's POST."""

    def __init__(self, sending: Sending, note: Note) -> None:
        self._sending = sending
        self._note = note

    def on_started(self, event: ResponseStarted) -> None:
        if event.streams:
            self._note.done()

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None:
            self._sending.answers.take(event.event.data)

    def on_body(self, event: BodyReceived) -> None:
        sending, note = self._sending, self._note
        if event.status < 300:
            note.done()
            return
        ledger = sending.ledger
        in_session = ledger.session_id is not None or self.generation != ledger.generation
        verdict = verdicts.judge(event, ledger.url, None, in_session=in_session)
        if verdict.kind is Verdict.Kind.SESSION_GONE and note.then is None:
            sending.session_gone(self.generation)
            if isinstance(note.message, Notification) and note.attempts == 0:
                note.attempts += 1
                sending.pass_note(note)
        elif verdict.kind is Verdict.Kind.LATER:
            sending.note_failed(note, verdict.fault.message, verdict.seconds)
        else:
            sending.note_failed(note, verdict.fault.message)

    def on_failed(self, event: ExchangeFailed) -> None:
        note = self._note
        again = event.cause is Cause.UNREACHABLE or (
            event.cause is Cause.LOST and (not event.sent or isinstance(note.message, Response))
        )
        self._sending.note_failed(note, event.message, back_off(note.attempts + 1, longest=5.0) if again else None)
