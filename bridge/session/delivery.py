"""What the host gets: the messages of the server as they came, and one answer to each of its calls."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bridge.protocol import jsonrpc, mcp, writing
from bridge.protocol.jsonrpc import Message, Notification, NotJson, Octets, Request, RequestId, Response
from bridge.protocol.sanitize import excerpt, quoted, said
from bridge.session import faults
from bridge.session.calls import Call, Calls
from bridge.session.commands import Deliver, DrainStream
from bridge.session.deadlines import Deadlines
from bridge.session.faults import Fault
from bridge.session.session_state import SessionState

_MAX_SERVER_REQUESTS = 10_000


class AnswerPolicy(Protocol):
    """What a machine decides about the messages of its server.

    `server_asks`: the server may send requests. `failure_level`: the level at which a failed call is logged.
    """

    @property
    def server_asks(self) -> bool: ...

    @property
    def failure_level(self) -> str: ...

    def on_answer(self, call: Call, response: Response) -> Response | None:
        """What the host gets when the server answered a call, usually the same; None if the call continues."""

    def on_unmatched(self, response: Response) -> bool:
        """Whether an answer that belongs to no call of the host is for the bridge itself."""

    def answer_instead(self, call: Call, fault: Fault) -> bool:
        """Give the call another answer than this fault; returns whether there was one."""

    def on_notification(self, note: Notification) -> None:
        """The server sent a notification."""


class Delivery:
    """Delivers messages, and never answers a call twice."""

    def __init__(self, state: SessionState, calls: Calls, deadlines: Deadlines, policy: AnswerPolicy) -> None:
        self._state = state
        self._calls = calls
        self._deadlines = deadlines
        self._policy = policy
        self._server_requests: dict[RequestId, int] = {}

    def take(self, data: Octets, about: Call | None = None) -> None:
        """Deliver the data of an event, one message or a batch. `about`: the call on whose stream it came."""
        for message in self.read(data):
            if not isinstance(message, Response):
                self.deliver(message, about)
            elif call := self._calls.get(message.id):
                self.finish(call, message)
            elif not self._policy.on_unmatched(message):
                self._state.report("debug", f"dropped a response from {self._state.url} that matches no open request")

    def take_body(self, body: Octets, call: Call) -> Fault | None:
        """Deliver a JSON body that must contain the answer to `call`; returns a fault if it does not."""
        try:
            read = jsonrpc.read_body(body)
            messages = [jsonrpc.parse(member) for member in read] if isinstance(read, list) else [read]
        except NotJson:
            return faults.not_parsed(self._state.url, 200, body)
        except jsonrpc.NotAMessage:
            return faults.wrong_answer(self._state.url, "answered with JSON that is not JSON-RPC 2.0")
        fault: Fault | None = faults.wrong_answer(self._state.url, "answered with messages but without the response")
        for message in messages:
            if not isinstance(message, Response):
                self.deliver(message, call)
            elif message.id in call.ids:
                self.finish(call, message)
                fault = None
            elif fault is not None:
                fault = self._foreign(message, call)
        return fault

    def finish(self, call: Call, response: Response) -> None:
        """Deliver the server's answer as it came, unless the call continues."""
        if response.id != call.request.id:
            response = writing.answering(response, call.request.raw_id)
        told = self._policy.on_answer(call, response)
        if told is not None:
            self._end(call, Deliver(told.line, told, call.request.id, None, call.request))

    def fail(self, call: Call, fault: Fault) -> None:
        """Answer a call with an error made by the bridge, and log the details, unless there is a better answer."""
        if self.answer_instead(call, fault):
            return
        level = "debug" if fault.kind == faults.SHUTDOWN else self._policy.failure_level
        self._state.report(level, faults.unanswered(call.request, fault))
        if fault.detail:
            self._state.report("debug", f"{call.request.method}: what came was: {fault.detail}")
        fault = msgspec.structs.replace(fault, message=self._state.redact(fault.message))
        line = fault.error_line(call.request.raw_id, self._state.url)
        self._end(call, Deliver(line, None, call.request.id, fault, call.request))

    def answer_instead(self, call: Call, fault: Fault) -> bool:
        """Give a call that failed another answer; returns whether there was one."""
        return self._policy.answer_instead(call, fault)

    def withdraw(self, call: Call) -> None:
        """End a call without an answer, because the host cancelled it."""
        exchange = call.exchange
        self._end(call, None)
        self._state.abandon(exchange)

    def is_awaited(self, response: Response) -> bool:
        """Whether the server waits for this answer in its current session. Call it once for each answer."""
        if response.id is None:
            return True
        generation = self._server_requests.pop(response.id, self._state.generation)
        return generation == self._state.generation

    def read(self, data: Octets) -> list[Message]:
        """Read what the server sent, one message or a batch. Anything else is dropped."""
        messages: list[Message] = []
        try:
            read = jsonrpc.read_body(data)
            if not isinstance(read, list):
                return [read]
            messages.extend(jsonrpc.parse(member) for member in read)
        except ValueError as problem:
            self._state.report(
                "warning", f"dropped an invalid message from {self._state.url} ({problem}): {excerpt(data)}"
            )
        return messages

    def deliver(self, message: Request | Notification, about: Call | None = None) -> None:
        """Deliver a request or a notification as it came."""
        if isinstance(message, Request):
            if not self._policy.server_asks:
                what = f"{self._state.url} sent a request of its own, {excerpt(message.method.encode(), 60)}"
                self._state.report("warning", f"{what}, which its revision forbids; it was dropped")
                return
            self._server_requests[message.id] = self._state.generation
            if len(self._server_requests) > _MAX_SERVER_REQUESTS:
                del self._server_requests[next(iter(self._server_requests))]
        elif message.method == mcp.PROGRESS:
            self._deadlines.progress(message)
        else:
            self._policy.on_notification(message)
        self._state.commands.append(Deliver(message.line, message, about.request.id if about else None))

    def _foreign(self, response: Response, call: Call) -> Fault:
        if response.id is None:
            words = said(faults.server_words(response.line))
            what = f"answered {call.request.method} with an error" + (f"; {words}" if words else "")
            return faults.wrong_answer(self._state.url, what)
        theirs = quoted(response.id, 60) if isinstance(response.id, str) else excerpt(str(response.id).encode(), 60)
        ours = excerpt(call.request.raw_id, 60)
        what = f"answered {call.request.method} with another request's id ({theirs} instead of {ours})"
        return faults.wrong_answer(self._state.url, what)

    def _end(self, call: Call, answer: Deliver | None) -> None:
        if not self._calls.remove(call):
            return
        self._deadlines.stop(call)
        if call.timer is not None:
            call.timer.stop()
        if call.batch:
            line = call.batch.add(answer.line if answer else None)
            answer = Deliver(line) if line is not None else None
        if answer is not None:
            self._state.commands.append(answer)
        exchange, call.exchange = call.exchange, None
        if exchange and exchange.number in self._state.exchanges:
            self._state.commands.append(DrainStream(exchange.number))
