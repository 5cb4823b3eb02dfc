"""A modern server, seen by a modern host: events in, commands out. No IO, no clock, no randomness.

It keeps no session: each request is complete in itself (MCP 2026-07-28).

To its host it looks like a server of the same revision on stdio. What HTTP needs beyond that is done here: headers,
harmless retries, and closing the stream of a request that the host cancels.

| the server answers | what follows |
|---|---|
| `HeaderMismatch` | the bridge lists the tools, and sends the call once more |
| `UnsupportedProtocolVersion` with a version that the bridge knows | it sends the call again in that version |
| a `tools/list` with tools that break the rules of `x-mcp-header` | it leaves them out, with a warning |
| anything else | the host gets it |

Answers may come from the cache (`cached_calls`), and the tools are requested ahead (`tools_prefetch`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.protocol import client_meta, jsonrpc, mcp, messages, writing
from bridge.protocol.headers import Headers, request_headers
from bridge.protocol.jsonrpc import Notification, Request, Response
from bridge.session import faults
from bridge.session.cached_calls import CachedCalls, Lookup
from bridge.session.calls import Call, Calls
from bridge.session.commands import Deliver, DropConnections, Post
from bridge.session.deadlines import UNLIMITED, LongCalls, deadlines_of
from bridge.session.delivery import Delivery
from bridge.session.events import (
    Event,
    HostClosed,
    HostMessage,
    NeverConnected,
    SignInEnded,
    SignInStarted,
    SystemResumed,
)
from bridge.session.faults import Fault
from bridge.session.gate import Gate
from bridge.session.machine import ServerMachine
from bridge.session.requests import Outgoing, Requests
from bridge.session.response_cache import ResponseCache, cache_query_of
from bridge.session.session_state import Exchange, SessionState
from bridge.session.subscriptions import Subscriptions
from bridge.session.tool_refresh import ToolRefresh
from bridge.session.tools_prefetch import ToolsPrefetch
from bridge.translate.tool_headers import ToolHeaders


class Stateless(ServerMachine):
    """The state machine. `retry_window` and `request_timeout` in seconds; `request_timeout` None means no limit.

    `is_own`: it sends requests of the bridge itself, which need the server's own answer and may fail quietly.
    `cache`: the cache of answers; None: there is none.
    """

    server_asks = False

    def __init__(
        self,
        url: str,
        retry_window: float,
        request_timeout: float | None,
        redact: Callable[[str], str] = str,
        upstream: int = 0,
        *,
        is_own: bool = False,
        cache: ResponseCache | None = None,
        long_calls: LongCalls = UNLIMITED,
    ) -> None:
        state = SessionState(url, retry_window, redact, upstream)
        super().__init__(state, Calls(resumable=False))
        self._deadlines = deadlines_of(state, request_timeout, self._on_deadline, long_calls)
        self.failure_level = "debug" if is_own else "warning"
        self._delivery = answers = Delivery(state, self._calls, self._deadlines, self)
        self._requests = Requests(state, Gate(), self._calls, answers, self._deadlines, self)
        self._subscriptions = Subscriptions(state, answers, self.on_notification)
        self._tool_refresh = ToolRefresh(state, answers, self._learn_tools, self._again, _headers_of)
        self._tool_headers = ToolHeaders()
        self._other_versions: dict[str, str] = {}
        self._cached: CachedCalls | None = None
        self._early: ToolsPrefetch | None = None
        if cache is not None:
            self._cached = CachedCalls(state, answers, cache, self._requests.submit, asks_anyway=is_own)
            if not is_own:
                self._early = ToolsPrefetch(state, self._calls, answers, cache, self._cached)
        self._is_connected = is_own  # A connection for the bridge's own requests is not reported.

    @property
    def restorable(self) -> list[Request]:
        """See `Machine`: each request is complete in itself, so nothing has to be restored."""
        return []

    def awaits(self, id_: jsonrpc.RequestId) -> bool:
        """Whether a request from the host with this id has no answer yet."""
        return id_ in self._calls or id_ in self._subscriptions

    def _dispatch(self, event: Event) -> None:
        if self._state.take(event):
            return
        match event:
            case HostMessage():
                self._host_message(event)
            case SignInStarted() | SignInEnded():
                self._on_sign_in(event)
                self._subscriptions.restart_retry_window()
                if isinstance(event, SignInStarted):
                    self._end_early_list()
            case SystemResumed():
                self._state.commands.append(DropConnections())
                self._subscriptions.refresh()
            case NeverConnected():
                self._on_never_connected(event)
                self._end_early_list()
            case HostClosed():
                self._close()

    def _end_early_list(self) -> None:
        if self._early is not None:
            self._early.end()

    # -- the host

    def _host_message(self, event: HostMessage) -> None:
        match message := event.message:
            case Request():
                self._host_request(message, event.version)
            case Response():
                self._state.report("debug", "dropped a response from the host: the server sends no requests")
            case Notification(method=mcp.CANCELLED):
                self._cancel(message)
            case Notification():
                self._post_note(message)

    def _host_request(self, request: Request, version: str) -> None:
        version = version or client_meta.meta_version(request.params) or mcp.LATEST_MODERN
        headers = request_headers(self._sent_as(version), request.method, request.params)
        is_listening = request.method == mcp.LISTEN
        if self.awaits(request.id):
            self._state.commands.append(Deliver(faults.duplicate_id(request.raw_id)))
        elif headers is None:
            why = "The method or protocol version contains characters that an HTTP header cannot carry."
            self._state.commands.append(Deliver(faults.bad_input(request.raw_id, why)))
        elif self._calls.is_full or (is_listening and self._subscriptions.is_full):
            fault = faults.too_many(len(self._calls))
            self._state.commands.append(
                Deliver(fault.error_line(request.raw_id, self._state.url), None, request.id, fault, request)
            )
        elif is_listening:
            self._subscriptions.begin(request, headers)
        else:
            call = self._calls.enter(request, None)
            call.headers = headers
            call.version = version
            self._deadlines.start(call)
            self._submit(call)

    def _submit(self, call: Call) -> None:
        """Have a call answered by the server or from the cache."""
        if self._cached is None or (question := cache_query_of(call.request)) is None:
            self._requests.submit(call)
            return
        if self._early is None or not self._early.claims(call, question):
            self._cached.submit(call, question)
        if self._early is not None and call.request.method == mcp.DISCOVER and not self._state.timers.is_signing_in:
            self._early.begin(call.request)

    def answer_instead(self, call: Call, fault: Fault) -> bool:
        """See `AnswerPolicy`."""
        return self._cached is not None and self._cached.answer_instead(call, fault)

    def on_notification(self, note: Notification) -> None:
        """See `AnswerPolicy`."""
        if self._cached is not None:
            self._cached.on_notification(note)

    def session_gone(self, generation: int) -> None:
        """See `CallPolicy`: this server keeps no sessions."""

    def _cancel(self, note: Notification) -> None:
        """Cancel a request by closing its stream (Streamable HTTP, Cancellation)."""
        id_ = messages.cancelled_request(note.params)
        if id_ is not None and id_ in self._subscriptions:
            self._subscriptions.cancel(id_)
        elif call := self._calls.get(id_):
            self._delivery.withdraw(call)

    def _post_note(self, note: Notification) -> None:
        """Send a notification: the core protocol has none for hosts, but an extension may."""
        headers = request_headers(client_meta.meta_version(note.params) or mcp.LATEST_MODERN, note.method, note.params)
        if headers is not None:
            number = self._state.begin(Exchange())
            self._state.commands.append(Post(number, note.line, headers, urgent=True))

    def _close(self) -> None:
        """Fail every call, and stop every exchange."""
        self._closed = True
        state = self._state
        # A closed stream does not cancel a task (SEP-2663), so these requests are not stopped.
        goodbyes = [call.exchange for call in self._calls if call.request.method == mcp.TASKS_CANCEL]
        for call in self._calls:
            self._delivery.fail(call, faults.shut_down(state.url, call.trouble))
        self._subscriptions.fail_all(faults.shut_down(state.url, ""))
        for exchange in list(state.exchanges.values()):
            if exchange not in goodbyes:
                state.abandon(exchange)

    # -- the server

    def _sent_as(self, version: str) -> str:
        """The revision used in place of this one: the same, or one that the server asked for."""
        return self._other_versions.get(version, version)

    def outgoing(self, call: Call) -> Outgoing:
        """See `CallPolicy`. A call that is sent again gets a new id (Changelog, 9): the old one may still be in use."""
        request, headers, params = call.request, call.headers, call.request.params
        if self._other_versions:
            version = self._sent_as(call.version)
            headers = request_headers(version, request.method, params) or ()
            params = Raw(_with_version(params, version))
        if self._tool_headers.marked and request.method == mcp.TOOLS_CALL:
            headers += self._tool_headers.param_headers(messages.named(params), params)
        if call.sends == 1 and params is request.params:
            return Outgoing(request.line, headers)
        raw_id = request.raw_id
        if call.sends > 1:
            raw_id = self._state.fresh_id()
            self._calls.alias(call, jsonrpc.request_id(raw_id))
        return Outgoing(writing.request(raw_id, request.method, params).line, headers)

    def on_answer(self, call: Call, response: Response) -> Response | None:
        """See `AnswerPolicy`."""
        if response.is_error:
            code = faults.error_code(response.line)
            if self._mends(call, code, response.error):
                return None
            if self._cached is not None:
                self._cached.refused(call, code)
            return response
        is_served = isinstance(call.lookup, Lookup) and call.lookup.is_served
        if self._cached is not None:
            self._cached.answered(call, response)
        if not self._is_connected and not is_served:
            self._is_connected = True
            self._state.report("info", f"connected to {self._state.url} (MCP {self._sent_as(call.version)})")
        if call.request.method != mcp.TOOLS_LIST:
            return response
        shown = self._learn_tools(response.result)
        return response if shown is response.result else writing.result(call.request.raw_id, shown)

    def rescue(self, call: Call, fault: Fault) -> bool:
        """See `CallPolicy`: an error without an id, for example from a gateway, may still say what is wrong."""
        return self._mends(call, fault.code, Raw())

    def _mends(self, call: Call, code: int | None, error: Raw) -> bool:
        """Send the call again if this error allows it, once for each reason; returns whether it does."""
        if code == mcp.HEADER_MISMATCH and call.request.method == mcp.TOOLS_CALL and not call.renewals:
            call.renewals += 1
            self._let_go(call)
            self._tool_refresh.begin(call, self._sent_as(call.version))
            return True
        if code == mcp.UNSUPPORTED_VERSION and (version := self._version_for(call, error)):
            self._other_versions[call.version] = version
            self._again(call)
            return True
        return False

    def _version_for(self, call: Call, error: Raw) -> str | None:
        """A version that the error names, the bridge knows and it has not tried yet (Versioning, Negotiation)."""
        tried = {call.version, self._sent_as(call.version)}
        named = messages.supported_versions(error)
        return next((version for version in mcp.MODERN_VERSIONS if version in named and version not in tried), None)

    def _again(self, call: Call) -> None:
        if self._calls.is_open(call):
            call.cursor.rewind()
            self._let_go(call)
            self._requests.submit(call)

    def _let_go(self, call: Call) -> None:
        exchange, call.exchange = call.exchange, None
        self._state.drain(exchange)

    def _learn_tools(self, result: Raw) -> Raw:
        """Learn from a list of tools, and return the part that the host may see."""
        self._calls.learn_tools(messages.repeatable_tools(result))
        tools = self._tool_headers.read_tools(result)
        for left_out in tools.left_out:
            self._state.report("warning", f"the tool {left_out.tool} was left out of tools/list: {left_out.reason}")
        return tools.result


def _headers_of(version: str, request: Request) -> Headers:
    return request_headers(version, request.method, request.params) or ()


def _with_version(params: Raw, version: str) -> bytes:
    members = writing.members(params)
    meta = writing.members(members.get("_meta", Raw()))
    meta[mcp.META_VERSION] = Raw(msgspec.json.encode(version))
    members["_meta"] = Raw(msgspec.json.encode(meta))
    return msgspec.json.encode(members)
