"""What a part of this room can do to a message, and what it knows.

A part is one mend or one restriction. All upstreams of a run share the same parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Raw

from bridge.protocol import client_meta, hosts, mcp
from bridge.protocol.hosts import UNKNOWN, Host
from bridge.protocol.jsonrpc import Request, Response
from bridge.session.faults import Fault

if TYPE_CHECKING:
    from bridge.features.large_results import LargeResult, LargeResults

LISTS = {
    mcp.TOOLS_LIST: "tools",
    mcp.PROMPTS_LIST: "prompts",
    mcp.RESOURCES_LIST: "resources",
    mcp.TEMPLATES_LIST: "resourceTemplates",
}
"""The requests that are answered with a list, each with the member of the result that holds it."""

USES = mcp.USE_METHODS


class FeatureContext:
    """What the parts of a run know and may do. `url` is the server's. `report(level, text)` writes to the log.

    `later(work)` has `work` called soon, after what is to be sent now; None where nothing is put off.
    """

    def __init__(
        self,
        url: str,
        report: Callable[[str, str], None],
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.url = url
        self.report = report
        self.later = later
        self.host: Host = UNKNOWN
        """The row of the host; that of an unknown one until it has given its name."""
        self.is_host_known = False
        self.is_modern = False
        """Whether the last list was asked for in MCP 2026-07-28."""
        self._told: set[tuple[str, str]] = set()

    def learn_host(self, request: Request) -> None:
        """Note what a request says of the host."""
        self.is_host_known = True
        self.is_modern = request.method != mcp.INITIALIZE and client_meta.has_request_meta(request.params)
        if name := client_meta.asking_program(request.method, request.params):
            self.host = hosts.host_named(name)

    def report_once(self, level: str, what: str, text: str) -> None:
        """Write to the log, unless the same `text` about `what` (a tool's name) was written in this run."""
        if (what, text) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((what, text))
            self.report(level, text)


class FeaturePart:
    """One mend or restriction. What a part does not override changes nothing."""

    def prepare(self) -> None:
        """Make what the first list will need, while the server is asked for it."""

    def request(self, request: Request) -> Request | Fault:
        """A request of the host (see `USES`) on its way to the server: the same, changed, or why it is refused."""
        return request

    def subscription(self, request: Request) -> Request:
        """A `subscriptions/listen` on its way to the server: the same, or changed."""
        return request

    def needs_list(self, request: Request) -> str:
        """The list (see `LISTS`) that must be read before this request can be sent; empty for none."""
        return ""

    def takes(self, method: str, result: Raw) -> bool:
        """Whether this result of a list request is the whole list, and `listed` would change nothing in it.

        A quick look, before the result is taken apart: False where that is in doubt.
        """
        return False

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


class FeatureParts:
    """The parts of a run. `make(context)` makes them when the first is needed: down the list go answers, up requests.

    `merges_pages`: whether all pages of a list are merged; None: where the host is known to read only the first.
    `max_result`: the bytes of the largest result of a tool that the host gets whole; None: any.
    """

    def __init__(
        self,
        context: FeatureContext,
        make: Callable[[FeatureContext], Sequence[FeaturePart]],
        *,
        merges_pages: bool | None = None,
        max_result: int | None = None,
    ) -> None:
        self.context = context
        self._large_results: LargeResults | None = None
        if max_result is not None:
            from bridge.features.large_results import LargeResults

            self._large_results = LargeResults(max_result)
        self._make = make
        self._made: Sequence[FeaturePart] | None = None
        self._is_prepared = False
        self._merges_pages = merges_pages
        self.lists_read: set[str] = set()
        """The lists that were read to their end in this run."""

    @property
    def all(self) -> Sequence[FeaturePart]:
        """The parts, in the order in which an answer passes them."""
        if self._made is None:
            self._made = self._make(self.context)
        return self._made

    def prepare(self) -> None:
        """A list was asked for: make the parts while the server answers."""
        if self._made is None and self.context.later is not None and not self._is_prepared:
            self._is_prepared = True
            self.context.later(self._prepare)

    def _prepare(self) -> None:
        for part in self.all:
            part.prepare()

    @property
    def merges_pages(self) -> bool | None:
        """Whether the host gets all pages of a list at once; None: where it could not read on by itself."""
        if self._merges_pages is not None:
            return self._merges_pages
        return None if self.context.host.reads_all_pages else True

    def too_large(self, request: Request, response: Response) -> LargeResult | None:
        """The answer to a request, if it is a result that is too large for the host."""
        return None if self._large_results is None else self._large_results.of(request, response)


_MOST_TOLD = 10_000
