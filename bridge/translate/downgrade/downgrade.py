"""A modern host on a legacy server: the bridge opens a session for the host's requests (MCP 2026-07-28, Versioning).

| the host sends | the bridge sends the server | file |
|---|---|---|
| its first request | `initialize`, `notifications/initialized` | `legacy_server` |
| `server/discover` | nothing: the result of `initialize` answers it | `legacy_server` |
| the protocol fields in `_meta` | `logging/setLevel`, where a request asks for a level | `request_meta`, `log_level` |
| `subscriptions/listen` | `resources/subscribe`, once for each resource | `subscriptions`, `resource_subscriptions` |
| a retry with answers | those answers, to the server's own requests | `input_required` |
| a call of a tool that runs only as a task | `tools/call`, then `tasks/result` | `tool_tasks` |

| the server sends | the bridge sends the host | file |
|---|---|---|
| a result or an error | one that is valid in the host's revision | `results` |
| a request of its own | a result of type `input_required` | `input_requests`, `input_required` |
| progress, log messages | the same, where an unanswered request asked for them | `calls` |
| notifications of changes | the same, once for each subscription that includes them | `subscriptions` |
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_REQUEST, METHOD_NOT_FOUND, SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Message, Notification, Request, RequestId, Response
from bridge.protocol.writing import Json, Members, members
from bridge.translate import request_meta
from bridge.translate.downgrade import input_requests, results, tool_tasks
from bridge.translate.downgrade.calls import ForwardedCall, ForwardedCalls
from bridge.translate.downgrade.input_required import InputRound, InputRounds
from bridge.translate.downgrade.legacy_server import LegacyServer
from bridge.translate.downgrade.log_level import LogLevel
from bridge.translate.downgrade.subscriptions import CHANGES, ListenSubscriptions
from bridge.translate.downgrade.tool_tasks import ToolTasks
from bridge.translate.pending import PendingRequests
from bridge.translate.request_meta import ModernRequest
from bridge.translate.translator import TranslatorPort, TranslatorRefusal

_DROPPED = frozenset({mcp.ELICITATION_COMPLETE, mcp.TASK_STATUS, mcp.ACKNOWLEDGED, mcp.INITIALIZED})
"""Notifications that a modern host does not know, or that only the bridge sends it."""
_IN_USE = TranslatorRefusal(
    INVALID_REQUEST, ErrorKind.DUPLICATE_ID, "This id belongs to a request that has not been answered yet."
)
_TOO_MANY = TranslatorRefusal(
    SERVER_ERROR, ErrorKind.TOO_MANY, "Too many requests are unanswered. Wait for some of them to be answered."
)
_DECLINED = TranslatorRefusal(
    SERVER_ERROR, ErrorKind.DECLINED, "The server requires the user to open a page first, and the user declined."
)
_SHUT_DOWN = TranslatorRefusal(
    SERVER_ERROR, ErrorKind.SHUTDOWN, "The bridge ended before the server had set the log level."
)
_TASK_LOST = TranslatorRefusal(
    SERVER_ERROR, ErrorKind.OUTCOME_UNKNOWN, "The tool is running, but the bridge cannot ask the server for its result."
)
_NOT_RECEIVED = (
    b'{"code":-32000,"message":"The server has not received this request. Send it again without requestState."}'
)
_CANNOT_OPEN = TranslatorRefusal(
    mcp.MISSING_CAPABILITY,
    ErrorKind.NOT_DECLARED,
    "The server requires the user to open a page first, and this host did not declare elicitation.url.",
    {"requiredCapabilities": {"elicitation": {"url": {}}}},
)


class Downgrade:
    """The translator for one legacy session.

    `server_name` stands for a server that does not name itself. `client` is the `_meta` of the host's first request:
    the session has its client and capabilities, so all other requests must have the same `session_key`.
    """

    def __init__(self, port: TranslatorPort, server_name: str, client: Members) -> None:
        said = request_meta.legacy_client(client)
        self._declared = members(said["capabilities"])
        self._port = port
        self._waiting = PendingRequests(port)
        self._server = LegacyServer(port, self._waiting, server_name, said)
        self._calls = ForwardedCalls()
        self._log_level = LogLevel(port, self._server)
        self._meta_reader = request_meta.RequestMetaReader()
        self._input_required = InputRounds(port, self._waiting, self._server, self._calls, self._declared)
        self._subscriptions = ListenSubscriptions(port, self._waiting, self._server)
        self._tasks = ToolTasks(self._server)

    @property
    def is_waiting(self) -> bool:
        """Whether requests wait for the session to be open."""
        return self._server.holds

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id has no answer yet."""
        return id_ in self._waiting

    def asks(self, id_: RequestId | None) -> bool:
        """False: a modern host is asked in results, not by requests."""
        return False

    @property
    def is_idle(self) -> bool:
        """Whether the session can be ended without loss to the host: it has no request, subscription or round."""
        return not self.is_waiting and self._subscriptions.is_empty and self._input_required.is_empty

    def owns(self, state: Raw | bytes) -> bool:
        """Whether this `requestState`, as JSON, belongs to an open round of this session."""
        try:
            return self._input_required.owns(msgspec.json.decode(state, type=str))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False

    def close(self) -> None:
        """The run ends: fail what the server does not have, and end the subscriptions gracefully."""
        self._server.close()
        for request in self._log_level.take_waiting():
            self._waiting.refuse(request, _SHUT_DOWN)
        self._subscriptions.close()

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request to the server with this id, and return the host's requests that depended on it."""
        depended = self._server.reroute(id_)
        for request in depended:
            self._waiting.forget(request)
        return depended

    # -- the host

    def from_host(self, message: Message) -> None:
        """The host sent a message. A modern host has one kind of notification, and sends no answers."""
        match message:
            case Request():
                self._host_request(message)
            case Notification(method=mcp.CANCELLED):
                reason = members(message.params).get("reason")
                told = reason if reason is not None and request_meta.is_string(reason) else Raw()
                self._waiting.cancelled(messages.cancelled_request(message.params), told)

    def _host_request(self, request: Request) -> None:
        if request.id in self._waiting:
            self._port.refuse(request, _IN_USE)
            return
        if self._waiting.is_full:
            self._port.refuse(request, _TOO_MANY)
            return
        asked = request_meta.read(request, self._meta_reader)
        if isinstance(asked, TranslatorRefusal):
            self._port.refuse(request, asked)
        elif asked.state is None:
            self._server.when_open(asked.request, partial(self._serve, asked))
        elif isinstance(round_ := self._input_required.resume(asked), TranslatorRefusal):
            self._port.refuse(request, round_)
        else:
            self._retry(round_, asked)

    def _serve(self, asked: ModernRequest) -> None:
        self._waiting.enter(asked.request, lambda _reason: None)
        if asked.method == mcp.DISCOVER:
            self._waiting.result(asked.request, self._server.discover_result())
        elif asked.method == mcp.LISTEN:
            self._subscriptions.open(asked)
        else:
            self._begin(asked)

    # -- a call

    def _begin(self, asked: ModernRequest) -> None:
        call = ForwardedCall(asked)
        self._waiting.enter(asked.request, partial(self._cancel, call))
        if asked.level is None:
            self._send(call, asked)
        else:
            self._log_level.reach(asked.level, asked.request, partial(self._send, call, asked))

    def _send(self, call: ForwardedCall, asked: ModernRequest) -> None:
        if call.is_over:
            return
        token = self._calls.enter(call, self._server.number())
        params = asked.legacy_params(token, self._tasks.extra_params(call))
        self._ask(call, call.method, params)

    def _ask(self, call: ForwardedCall, method: str, params: bytes) -> None:
        self._server.ask(call.server_id, method, params, partial(self._answered, call), partial(self._rerouted, call))

    def _rerouted(self, call: ForwardedCall) -> list[Request]:
        self._calls.remove(call)
        if (request := call.waiting) is None:
            call.answer = writing.error(b"%d" % call.server_id, _NOT_RECEIVED)
            return []
        call.is_over = True
        if call.task_id:
            # Only `tasks/result` did not arrive: the tool is running, and must not be called twice.
            self._waiting.refuse(request, _TASK_LOST)
            return []
        return [request]

    def _answered(self, call: ForwardedCall, response: Response) -> None:
        if self._tasks.was_created(call, response):
            if call.is_over:
                self._tasks.cancel(call)
                return
            self._calls.move(call, self._server.number())
            self._ask(call, mcp.TASKS_RESULT, tool_tasks.named(call))
        elif not call.is_over:
            self._calls.remove(call)
            call.answer = response
            if call.method == mcp.TOOLS_LIST:
                self._tasks.learn(response)
            self._deliver(call)

    def _deliver(self, call: ForwardedCall) -> None:
        """Answer the host's request with the server's answer, if there are both."""
        request, response = call.waiting, call.answer
        if request is None or response is None:
            return
        urls = results.wanted_urls(response.error) if response.is_error else []
        if urls and call.method in mcp.NAMED_METHODS:
            if input_requests.can_open_urls(self._declared):
                self._input_required.ask_for_urls(call, urls)
            else:
                self._waiting.refuse(request, _CANNOT_OPEN)
            return
        self._waiting.line(request, results.answer_line(request.raw_id, call.method, response, self._server.info))

    def _cancel(self, call: ForwardedCall, reason: Json) -> None:
        call.is_over = True
        if not call.server_id and call.waiting is not None:
            self._log_level.forget(call.waiting)
            return
        self._calls.remove(call)
        if call.is_task and not call.task_id:
            return  # The server must name the task before it can be cancelled.
        self._server.cancel(call.server_id, reason)
        if call.is_task:
            self._tasks.cancel(call)

    def _retry(self, round_: InputRound, asked: ModernRequest) -> None:
        """The host sends a call again, with answers: from now on this request is the one that waits."""
        call = round_.call
        open_ = self._input_required.reply(round_, asked.responses)
        self._waiting.enter(asked.request, partial(self._cancel, call))
        call.waiting, call.level, call.token = asked.request, asked.level, bytes(asked.token)
        for line in self._calls.missed_progress(call):
            self._port.down(line)
        if asked.level is not None:
            self._log_level.reach(asked.level, None, lambda: None)
        if round_.is_new_call:
            if open_:
                self._input_required.begin(call, open_, is_new_call=True)
            elif all(_is_accepted(asked.responses[one.key]) for one in round_.asked):
                self._begin(asked)
            else:
                self._waiting.refuse(asked.request, _DECLINED)
        elif call.answer is not None:
            self._input_required.drop(open_)
            self._deliver(call)
        elif open_:
            self._input_required.begin(call, open_)

    # -- the server

    def from_server(self, message: Message, about: RequestId | None) -> None:
        """The server sent a message."""
        match message:
            case Response():
                self._server.take(message)
            case Request():
                self._server_request(message, about)
            case Notification():
                self._notification(message, about)

    def _notification(self, note: Notification, about: RequestId | None) -> None:
        match note.method:
            case mcp.PROGRESS:
                if line := self._calls.progress(note):
                    self._port.down(line)
            case mcp.LOG_MESSAGE:
                if self._calls.wants_log(note, about):
                    self._port.down(note.line)
            case mcp.CANCELLED:
                self._input_required.withdraw(messages.cancelled_request(note.params))
            case method if method in CHANGES:
                self._subscriptions.changed(note)
            case method if method not in _DROPPED:
                self._port.down(note.line)

    def _server_request(self, request: Request, about: RequestId | None) -> None:
        if request.method == mcp.PING:
            self._server.answer(request, b"{}")
            return
        call = self._call_asked_about(about)
        if call is None:
            message = "The host can be asked only while it waits for a tool, a prompt or a resource."
            self._server.refuse(request, METHOD_NOT_FOUND, message)
        else:
            self._input_required.ask(call, request)

    def _call_asked_about(self, about: RequestId | None) -> ForwardedCall | None:
        """The call that a server's request belongs to.

        Where its stream does not show that, it is the newest call about which the host is not being asked; if there is
        none, the newest call.
        """
        if about is not None:
            call = self._calls.get(about)
            return call if call is not None and call.method in mcp.NAMED_METHODS else None
        newest = None
        for call in self._calls:
            if call.method in mcp.NAMED_METHODS:
                if call.waiting is not None:
                    return call
                newest = newest or call
        return newest


def _is_accepted(response: Raw) -> bool:
    return bytes(members(response).get("action", Raw())) == b'"accept"'
