"""Reading `tools/list` again because the headers of a call no longer match the server's tools.

A server that has given a tool other `Mcp-Param-*` headers answers `HeaderMismatch` (MCP 2026-07-28, Streamable HTTP,
Client Behavior). The bridge reads the list once for all calls that get this answer in the meantime, and then sends the
calls again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from bridge.protocol import mcp, writing
from bridge.protocol.headers import Headers, string
from bridge.protocol.jsonrpc import Octets, Request, Response, request_id
from bridge.protocol.writing import Members
from bridge.session.calls import Call
from bridge.session.commands import Post
from bridge.session.delivery import Delivery
from bridge.session.events import BodyReceived, EventReceived, ExchangeFailed, StreamClosed
from bridge.session.session_state import Exchange, SessionState

_MAX_PAGES = 50


class ToolRefresh:
    """Reads the list. `learn(result)` gets each page; `again(call)` each waiting call, whether the list came or not.

    `headers(version, request)` are those of the request for a page.
    """

    def __init__(
        self,
        state: SessionState,
        answers: Delivery,
        learn: Callable[[Raw], Raw],
        again: Callable[[Call], None],
        headers: Callable[[str, Request], Headers],
    ) -> None:
        self._headers = headers
        self._state = state
        self._delivery = answers
        self._learn = learn
        self._again = again
        self._waiting: list[Call] = []
        self._meta: Members = {}
        self._version = ""
        self._pages = 0

    def begin(self, call: Call, version: str) -> None:
        """A call waits for the list, which is requested with the `_meta` of that call."""
        self._waiting.append(call)
        if len(self._waiting) == 1:
            self._meta = writing.members(writing.members(call.request.params).get("_meta", Raw()))
            self._meta.pop("progressToken", None)
            self._version = version
            self._pages = 0
            self._ask(None)

    def take(self, page: ToolsPage, data: Octets) -> bool:
        """Read what the server sent; returns whether it was the page."""
        for message in self._delivery.read(data):
            if isinstance(message, Response) and message.id == page.id:
                self._learn(message.result)
                cursor = writing.members(message.result).get("nextCursor", Raw())
                self._pages += 1
                self._state.drain(page)
                if string(cursor) is not None and self._pages < _MAX_PAGES:
                    self._ask(cursor)
                else:
                    self.end()
                return True
        return False

    def end(self) -> None:
        """The list is complete, or cannot be had: send the waiting calls."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            self._again(call)

    def _ask(self, cursor: Raw | None) -> None:
        params = {} if cursor is None else {"cursor": cursor}
        if self._meta:
            params["_meta"] = Raw(msgspec.json.encode(self._meta))
        request = writing.request(self._state.fresh_id(), mcp.TOOLS_LIST, msgspec.json.encode(params))
        number = self._state.begin(ToolsPage(self, request.raw_id))
        headers = self._headers(self._version, request)
        self._state.commands.append(Post(number, request.line, headers, urgent=True))


class ToolsPage(Exchange):
    """The request for one page."""

    def __init__(self, tool_refresh: ToolRefresh, raw_id: bytes) -> None:
        self.id = request_id(raw_id)
        self._tool_refresh = tool_refresh
        self._is_read = False

    def on_event(self, event: EventReceived) -> None:
        if event.event.data is not None and not self._is_read:
            self._is_read = self._tool_refresh.take(self, event.event.data)

    def on_body(self, event: BodyReceived) -> None:
        if not self._tool_refresh.take(self, event.body):
            self._tool_refresh.end()

    def on_closed(self, event: StreamClosed) -> None:
        if not self._is_read:
            self._tool_refresh.end()

    def on_failed(self, event: ExchangeFailed) -> None:
        if not self._is_read:
            self._tool_refresh.end()
