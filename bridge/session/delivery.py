"""What goes down to the host: the server's messages as they are, and one answer for each of the host's calls."""

from __future__ import annotations

from collections.abc import Callable

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


class Delivery:
    """Delivers, and sees to it that no call is answered twice.

    `on_answer` is asked what to tell the host where the server answered a call: that answer most often, None where the
    call goes on. `on_stray` is asked whether an answer to no call is for the bridge itself. `server_asks` tells whether
    the server may send requests of its own, `failure_level` how much the log makes of a call that has no answer.
    `makes_do` is asked whether it gave a call another answer than this fault; `heard` is told of notifications.
    """

    def __init__(
        self,
        state: SessionState,
        calls: Calls,
        deadlines: Deadlines,
        on_answer: Callable[[Call, Response], Response | None],
        on_stray: Callable[[Response], bool],
        *,
        server_asks: bool = True,
        failure_level: str = "warning",
        makes_do: Callable[[Call, Fault], bool] = lambda *_: False,
        heard: Callable[[Notification], None] = lambda _: None,
    ) -> None:
        self._state = state
        self._calls = calls
        self._deadlines = deadlines
        self._on_answer = on_answer
        self._on_stray = on_stray
        self._server_asks = server_asks
        self._failure_level = failure_level
        self.makes_do = makes_do
        self._heard = heard
        self._server_requests: dict[RequestId, int] = {}

    def take(self, data: Octets, about: Call | None = None) -> None:
        """Deliver what an event carries, one message or a batch of them. `about`: on whose stream it came."""
        for message in self.read(data):
            if not isinstance(message, Response):
                self.deliver(message, about)
            elif call := self._calls.get(message.id):
                self.finish(call, message)
            elif not self._on_stray(message):
                self._state.report("debug", f"{self._state.url} sent an answer to no open request; it was dropped")

    def take_body(self, body: Octets, call: Call) -> Fault | None:
        """Deliver a JSON body that must hold the answer to `call`; say what is wrong where it does not."""
        line = jsonrpc.single_line(body)
        try:
            members = jsonrpc.batch_members(line) if jsonrpc.is_batch(line) else [line]
            messages = [jsonrpc.parse(member) for member in members]
        except NotJson:
            return faults.not_parsed(self._state.url, 200, body)
        except jsonrpc.NotAMessage:
            return faults.wrong_answer(self._state.url, "answered with JSON that is not JSON-RPC 2.0")
        fault: Fault | None = faults.wrong_answer(self._state.url, "answered with messages but without the answer")
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
        """Pass the server's answer on, as it came, unless the call goes on."""
        if response.id != call.request.id:
            response = writing.answering(response, call.request.raw_id)
        told = self._on_answer(call, response)
        if told is not None:
            self._end(call, Deliver(told.line, told, call.request.id, None, call.request))

    def fail(self, call: Call, fault: Fault) -> None:
        """Answer a call with an error of the bridge's own, and tell the log more; unless there is a better answer."""
        if self.makes_do(call, fault):
            return
        level = "debug" if fault.kind == faults.SHUTDOWN else self._failure_level
        self._state.report(level, faults.unanswered(call.request, fault))
        if fault.detail:
            self._state.report("debug", f"{call.request.method}: what came was: {fault.detail}")
        fault = msgspec.structs.replace(fault, message=self._state.redact(fault.message))
        line = fault.error_line(call.request.raw_id, self._state.url)
        self._end(call, Deliver(line, None, call.request.id, fault, call.request))

    def withdraw(self, call: Call) -> None:
        """End a call that will get no answer, for the host cancelled it."""
        exchange = call.exchange
        self._end(call, None)
        self._state.abandon(exchange)

    def is_awaited(self, response: Response) -> bool:
        """Whether the server, in its present session, waits for this answer of the host's. Asked once for each."""
        if response.id is None:
            return True
        generation = self._server_requests.pop(response.id, self._state.generation)
        return generation == self._state.generation

    def read(self, data: Octets) -> list[Message]:
        """Read what the server sent: one message, or a batch of them; what is neither is dropped."""
        line = jsonrpc.single_line(data)
        messages: list[Message] = []
        try:
            members = jsonrpc.batch_members(line) if jsonrpc.is_batch(line) else [line]
            messages.extend(jsonrpc.parse(member) for member in members)
        except ValueError as problem:
            self._state.report(
                "warning", f"{self._state.url} sent something that was dropped, for {problem}: {excerpt(data)}"
            )
        return messages

    def deliver(self, message: Request | Notification, about: Call | None = None) -> None:
        """Pass on what is no answer, as it came."""
        if isinstance(message, Request):
            if not self._server_asks:
                what = f"{self._state.url} sent a request of its own, {excerpt(message.method.encode(), 60)}"
                self._state.report("warning", f"{what}, which its revision forbids; it was dropped")
                return
            self._server_requests[message.id] = self._state.generation
            if len(self._server_requests) > _MAX_SERVER_REQUESTS:
                del self._server_requests[next(iter(self._server_requests))]
        elif message.method == mcp.PROGRESS:
            self._deadlines.progress(message)
        else:
            self._heard(message)
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
