"""What a part of this room can do to a message, and what it knows.

A part is one mend or one restriction. All upstreams of a run share the same parts.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from bridge.protocol import client_meta, hosts, mcp
from bridge.protocol.hosts import UNKNOWN, Host
from bridge.protocol.jsonrpc import Request, Response
from bridge.session.faults import Fault

LISTS = {
    mcp.TOOLS_LIST: "tools",
    mcp.PROMPTS_LIST: "prompts",
    mcp.RESOURCES_LIST: "resources",
    mcp.TEMPLATES_LIST: "resourceTemplates",
}
"""The requests that are answered with a list, each with the member of the result that holds it."""

USES = frozenset(
    {mcp.TOOLS_CALL, mcp.PROMPTS_GET, mcp.RESOURCES_READ, mcp.SUBSCRIBE, mcp.UNSUBSCRIBE, mcp.COMPLETE},
)
"""The requests that use what a list named."""


class FeatureContext:
    """What the parts of a run know and may do. `report(level, text)` writes to the log; `url` is the server's."""

    def __init__(self, url: str, report: Callable[[str, str], None]) -> None:
        self.url = url
        self.report = report
        self.host: Host = UNKNOWN
        """The row of the host; that of an unknown one until it has given its name."""
        self.is_host_known = False
        self._told: set[tuple[str, str]] = set()

    def learn_host(self, request: Request) -> None:
        """Note what a request says of the host."""
        self.is_host_known = True
        if name := client_meta.asking_program(request.method, request.params):
            self.host = hosts.host_named(name)

    def report_once(self, level: str, what: str, text: str) -> None:
        """Write to the log, unless the same `text` about `what` (a tool's name) was written in this run."""
        if (what, text) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((what, text))
            self.report(level, text)


class FeaturePart:
    """One mend or restriction. What a part does not override changes nothing."""

    def request(self, request: Request) -> Request | Fault:
        """A request of the host (see `USES`) on its way to the server: the same, changed, or why it is refused."""
        return request

    def needs_list(self, request: Request) -> str:
        """The list (see `LISTS`) that must be read before this request can be sent; empty for none."""
        return ""

    def listed(self, method: str, items: list[Raw]) -> list[Raw] | Fault:
        """The definitions in the answer to a list request, each as JSON; the same object where nothing changes.

        A fault: why the host gets no list.
        """
        return items

    def whole(self, method: str) -> None:
        """The list that answers this request was read to its end; `listed` has had all that is in it."""

    def result(self, request: Request, response: Response) -> Response:
        """The server's result for a request of `USES` on its way to the host. `request` is as the host sent it."""
        return response


_MOST_TOLD = 10_000
