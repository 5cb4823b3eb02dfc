"""A legacy session whose server compares headers with messages, as MCP 2026-07-28 has it for modern ones.

| the server answers a request | what follows |
|---|---|
| `HeaderMismatch` (-32020), the first time | from now on all requests of the session's server carry `Mcp-Method` and
`Mcp-Name`, and calls of tools the `Mcp-Param-*` headers that the tool's schema marks; the request is sent again |
| the same to that request again, or to `initialize` | the host gets it |

The tools are listed before a call is sent again, because only their schemas have the marks. Nothing of a list is looked
through before a server has answered so.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from bridge.protocol import mcp, messages
from bridge.protocol.headers import Headers, request_headers
from bridge.protocol.jsonrpc import Request
from bridge.session.calls import Call
from bridge.session.delivery import Delivery
from bridge.session.session_state import SessionState
from bridge.session.tool_refresh import ToolRefresh
from bridge.translate.tool_headers import ToolHeaders


class HeaderMismatch:
    """The headers that are added since the first such answer. `again(call)` sends a call once more."""

    def __init__(self, state: SessionState, delivery: Delivery, again: Callable[[Call], None]) -> None:
        self._state = state
        self._again = again
        self._is_reported = False
        self._tools = ToolHeaders()
        self._refresh = ToolRefresh(state, delivery, self.learn, again, self._of_list)

    def mend(self, call: Call) -> None:
        """Send this call again, with what was missing."""
        self._report(call.request)
        if call.request.method == mcp.TOOLS_CALL:
            self._refresh.begin(call, self._state.version or "")
        else:
            self._again(call)

    def _report(self, request: Request) -> None:
        """Say it once for a session: each tool may be refused for the first time."""
        if self._is_reported:
            return
        self._is_reported = True
        what = f"the tool {messages.named(request.params)}" if request.method == mcp.TOOLS_CALL else request.method
        self._state.report(
            "info",
            f"{self._state.url} wants headers that repeat the message (-32020, for {what}); they are sent from now on",
        )

    def learn(self, result: Raw) -> Raw:
        """Read which parameters of the tools in a list are repeated in headers."""
        self._tools.read_tools(result)
        return result

    def headers(self, request: Request) -> Headers:
        """What a request carries beside the headers of its session."""
        named = request_headers(mcp.LATEST_LEGACY, request.method, request.params) or ()
        headers = tuple(header for header in named if header[0] != mcp.PROTOCOL_VERSION)
        if request.method == mcp.TOOLS_CALL:
            headers += self._tools.param_headers(messages.named(request.params), request.params)
        return headers

    def _of_list(self, version: str, request: Request) -> Headers:
        return self._state.headers() + self.headers(request)
