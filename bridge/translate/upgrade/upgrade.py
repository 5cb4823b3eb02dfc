"""A legacy host on a modern server (MCP 2026-07-28): the bridge keeps the session, and the server gets single requests.

| the host sends | what the bridge does |
|---|---|
| `initialize` | asks `server/discover`, unless it has just done so for this host (`HostSession`) |
| `ping` | answers it |
| `logging/setLevel` | answers it, and puts the level into each later request |
| `resources/subscribe`, `resources/unsubscribe` | keeps one `subscriptions/listen` for all (`HostSubscriptions`) |
| `notifications/initialized` | subscribes to changes of the lists in the same way |
| `notifications/cancelled` | tells the server, or withdraws the questions that the host was asked |
| an answer | takes it for a question that a server asked during a call (`InputRequired`, `Tasks`) |
| `tasks/...` | uses the server's tasks extension (`Tasks`); without that, method not found |
| another request | sends it to the server under another id, with what the host declared |
| what only modern hosts send | answers method not found |
| another notification | nothing: modern servers accept none |
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.errors import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, messages, writing
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Message, Notification, Request, RequestId, Response
from bridge.protocol.sanitize import shown
from bridge.protocol.surrogates import replaced
from bridge.protocol.writing import Json, Members, members
from bridge.translate import request_meta
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal
from bridge.translate.upgrade import results
from bridge.translate.upgrade.host_session import HostSession
from bridge.translate.upgrade.input_required import InputRequired, UpgradedCall
from bridge.translate.upgrade.legacy_host import LegacyHost
from bridge.translate.upgrade.tasks import METHODS as TASK_METHODS
from bridge.translate.upgrade.tasks import Tasks

_ROUND_TRIP = ("inputResponses", "requestState")
_SHUTDOWN = TranslatorRefusal(SERVER_ERROR, ErrorKind.SHUTDOWN, "The bridge ended before the request was answered.")
_REOPENED = TranslatorRefusal(
    INVALID_REQUEST, ErrorKind.REOPENED, "The host opened a new session before the request was answered."
)


class Upgrade:
    """The translator. `server_name`: what to call a server that does not say its name.

    `discovered` is the server's answer to `server/discover`, where the bridge has just asked for this host.
    """

    def __init__(self, port: TranslatorPort, server_name: str, discovered: Response | None = None) -> None:
        self._port = port
        self._server_name = server_name
        self._discovery = discovered
        self._waiting = PendingRequests(port)
        self._session: HostSession | None = None
        self._calls: dict[RequestId, UpgradedCall] = {}
        self._input_required = InputRequired(
            port, self._send, lambda call, refusal: self._waiting.refuse(call.request, refusal)
        )
        self._tasks = Tasks(port, self._waiting, self._number, self._cancel, self._complete_elicitations)
        self._last_number = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the host waits for an answer, and the server has no request that brings it."""
        waits_elsewhere = not self._input_required.is_empty or self._tasks.is_waiting
        return waits_elsewhere or (self._session is not None and self._session.is_waiting)

    def awaits(self, id_: RequestId) -> bool:
        """Whether a request of the host's with this id has no answer yet."""
        return id_ in self._waiting

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""
        return self._input_required.asks(id_) or self._tasks.asks(id_)

    @property
    def restorable(self) -> list[Request]:
        """What the host asked for and still has, the log level and subscriptions, as requests to a legacy server."""
        asked = self._session.restorable if self._session else []
        return [
            writing.request(f'"{PROGRAM}/set-up/{number}"'.encode(), method, params)
            for number, (method, params) in enumerate(asked)
        ]

    def adopt(self, initialize: Request, initialized: bool, restorable: list[Request]) -> None:
        """Take over a host whose `initialize` and `restorable` have been answered elsewhere.

        `initialized`: it has sent `notifications/initialized`.
        """
        session = self._begin(initialize, is_answered=True)
        session.adopt(is_initialized=initialized)
        for request in restorable:
            if request.method == mcp.SUBSCRIBE:
                session.subscriptions.adopt(request)
            elif (level := _level(request)) in mcp.LOG_LEVELS:
                session.host.set_level(level)

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request to the server with this id, and return the host's requests that wait for its answer."""
        if call := self._calls.pop(id_, None):
            call.server_id = None
            requests = [call.request]
        else:
            requests = self._tasks.reroute(id_) or (self._session.reroute(id_) if self._session else [])
        for request in requests:
            self._waiting.forget(request)
        return requests

    def close(self) -> None:
        """The run ends: answer, with errors, the requests that the server does not have."""
        self._input_required.close(_SHUTDOWN)
        self._tasks.close(_SHUTDOWN)
        if self._session:
            self._session.fail_held(_SHUTDOWN)
            self._session.subscriptions.close(_SHUTDOWN)

    # -- from the host

    def from_host(self, message: Message) -> None:
        """The host sent a message."""
        match message:
            case Request():
                self._request(message)
            case Response():
                if not (self._input_required.take(message) or self._tasks.from_host(message)):
                    self._port.report("debug", "dropped a response from the host that matches no open request")
            case Notification(method=mcp.CANCELLED):
                self._cancelled(message)
            case Notification(method=mcp.INITIALIZED):
                if self._session:
                    self._session.initialized()

    def _request(self, request: Request) -> None:
        session = self._session
        if request.id in self._waiting:
            what = "This id belongs to a request that has not been answered yet."
            self._port.refuse(request, TranslatorRefusal(INVALID_REQUEST, ErrorKind.DUPLICATE_ID, what))
        elif request.method == mcp.PING:
            self._answer_empty(request)
        elif self._waiting.is_full:
            what = "Too many requests are unanswered. Wait for some of them to be answered."
            self._port.refuse(request, TranslatorRefusal(SERVER_ERROR, ErrorKind.TOO_MANY, what))
        elif request.method == mcp.INITIALIZE:
            self._begin(request, is_answered=False)
        elif session is None:
            what = f"The host must send initialize before {shown(request.method)}."
            self._port.refuse(request, TranslatorRefusal(INVALID_REQUEST, ErrorKind.NOT_INITIALIZED, what))
        elif session.discover_id is not None:
            session.hold(request)
        else:
            self._route(session, request)

    def _route(self, session: HostSession, request: Request) -> None:
        method = request.method
        if method == mcp.SET_LEVEL:
            self._set_level(session, request)
        elif method == mcp.SUBSCRIBE:
            session.subscriptions.subscribe(request)
        elif method == mcp.UNSUBSCRIBE:
            session.subscriptions.unsubscribe(request)
        elif method in TASK_METHODS and session.host.knows_tasks:
            self._tasks.request(request, session.host)
        elif method in mcp.MODERN_METHODS or method.startswith("tasks/") or replaced(method) != method:
            what = f"{shown(method)} is not available in a session of MCP {session.host.version} with this server."
            self._port.refuse(request, TranslatorRefusal(METHOD_NOT_FOUND, ErrorKind.UNKNOWN_METHOD, what))
        elif not (request_meta.is_object(request.params) or bytes(request.params) in (b"", b"null")):
            what = "The params must be an object."
            self._port.refuse(request, TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_PARAMS, what))
        else:
            call = UpgradedCall(request, session.host)
            self._waiting.enter(request, partial(self._cancel_call, call))
            self._send(call, {})

    def _set_level(self, session: HostSession, request: Request) -> None:
        level = _level(request)
        if session.capabilities is not None and "logging" not in session.capabilities:
            refusal = TranslatorRefusal(METHOD_NOT_FOUND, ErrorKind.UNKNOWN_METHOD, "The server sends no log messages.")
            self._port.refuse(request, refusal)
        elif level not in mcp.LOG_LEVELS:
            what = f"The level must be one of {', '.join(mcp.LOG_LEVELS)}."
            self._port.refuse(request, TranslatorRefusal(INVALID_PARAMS, ErrorKind.INVALID_PARAMS, what))
        else:
            session.host.set_level(level)
            self._answer_empty(request)

    def _answer_empty(self, request: Request) -> None:
        self._port.down(writing.result(request.raw_id, b"{}").line)

    def _cancelled(self, note: Notification) -> None:
        id_ = messages.cancelled_request(note.params)
        session = self._session
        if session and session.opens_with(id_):
            return  # It must not be cancelled (MCP 2025-11-25, Cancellation, Behavior Requirements).
        self._waiting.cancelled(id_, members(note.params).get("reason", Raw()))

    def _cancel_call(self, call: UpgradedCall, reason: Json) -> None:
        """The host cancelled a call: withdraw its questions, and cancel it on the server."""
        self._input_required.withdraw(call, "The call was cancelled.")
        if call.server_id is not None:
            self._cancel(call.server_id, reason)

    # -- one session

    def _begin(self, initialize: Request, *, is_answered: bool) -> HostSession:
        self._end_session()
        session = self._session = HostSession(
            self._port,
            self._waiting,
            self._server_name,
            initialize,
            self._number,
            self._route,
            is_answered=is_answered,
        )
        discovered, self._discovery = self._discovery, None
        if discovered is not None:
            self._discovered(session, discovered)
        else:
            session.discover()
        return session

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        self._input_required.close(_REOPENED)
        self._tasks.close(_REOPENED)
        session.subscriptions.close(_REOPENED)
        session.fail_held(_REOPENED)
        if session.discover_id is not None:
            self._cancel(session.discover_id, b"")
        session.fail_initialize(_REOPENED)

    def _discovered(self, session: HostSession, response: Response) -> None:
        if not session.discovered(response):
            self._session = None

    # -- to the server

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _send(self, call: UpgradedCall, added: Members) -> None:
        """Send a call to the server, for the first time or again."""
        request = call.request
        without = _ROUND_TRIP if request.method in mcp.NAMED_METHODS else ()
        if request.method == mcp.TOOLS_CALL:
            without = (*without, "task")
        call.server_id = number = self._number()
        self._calls[number] = call
        params = call.host.with_request_meta(request.params, without, added)
        self._port.up(writing.request(b"%d" % number, request.method, params))

    def _cancel(self, number: int, reason: Json) -> None:
        self._calls.pop(number, None)
        self._port.up(writing.cancellation(b"%d" % number, reason))

    # -- from the server

    def from_server(self, message: Message, about: RequestId | None) -> None:
        """The server sent a message. `about`: the id that the server knows of the request with whose answer it came."""
        match message:
            case Response():
                self._response(message)
            case Request():
                self._port.report("warning", f"the server asked for {shown(message.method)}; it was dropped")
            case Notification():
                self._notification(message, about)

    def _notification(self, note: Notification, about: RequestId | None) -> None:
        if self._session and about is not None and about in self._session.subscriptions:
            self._session.subscriptions.notified(about, note)
        elif about in self._calls and note.method not in (mcp.CANCELLED, mcp.ACKNOWLEDGED):
            if note.method == mcp.PROGRESS:
                note = self._calls[about].progressed(note)
            self._port.down(note.line)

    def _response(self, response: Response) -> None:
        session = self._session
        call = self._calls.pop(response.id, None) if response.id is not None else None
        if call:
            call.server_id = None
            self._answered(call, response)
        elif self._tasks.from_server(response) or session is None:
            return
        elif response.id is not None and response.id == session.discover_id:
            self._discovered(session, response)
        elif response.id in session.subscriptions:
            session.subscriptions.ended(response)

    def _answered(self, call: UpgradedCall, response: Response) -> None:
        request = call.request
        if response.is_error:
            self._waiting.line(request, results.error(request, response.error).line)
            return
        said = members(response.result)
        kind = results.result_type(response.result, said)
        if kind == results.COMPLETE:
            if not self._tasks.keep(call, said):
                answer = results.complete(request, said, call.host.features, offers_tasks=call.host.knows_tasks)
                self._waiting.line(request, answer.line)
            self._complete_elicitations(call.host, call.visited)
        elif kind == results.INPUT_REQUIRED and request.method in mcp.NAMED_METHODS:
            if refusal := self._input_required.begin(call, said):
                self._waiting.refuse(request, refusal)
        elif kind == results.TASK and request.method == mcp.TOOLS_CALL and call.host.runs_tasks:
            if refusal := self._tasks.begin(call, said):
                self._waiting.refuse(request, refusal)
        else:
            self._waiting.refuse(request, results.unknown(request, kind))

    def _complete_elicitations(self, host: LegacyHost, visited: list[str]) -> None:
        """Tell the host that URL elicitations are complete (MCP 2025-11-25, Elicitation, Completion Notifications)."""
        if host.features.has_elicitation_complete:
            for one in visited:
                params = msgspec.json.encode({"elicitationId": one})
                self._port.down(writing.notification(mcp.ELICITATION_COMPLETE, params).line)


def _level(request: Request) -> str:
    return string(members(request.params).get("level", Raw())) or ""
