"""The part that lets one odd tool not empty a server: each definition as the host takes it.

Most hosts refuse a whole list for one definition (anthropics/claude-code#88049, can1357/oh-my-pi#2652), or hand it to
the provider of their model, who then refuses every request (mastra-ai/mastra#23731). A definition is repaired where the
same arguments stay valid, and else withheld; what is done to a tool is said once a run. Definitions that were looked at
in this run are known by their bytes and not decoded again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from bridge.features.host_limits import Limits, limits_of
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.features.tool_check import ToolCheck
from bridge.features.tool_names import ToolNames, may_be_own
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Request
from bridge.protocol.sanitize import quoted
from bridge.protocol.writing import members
from bridge.session.faults import Fault

if TYPE_CHECKING:
    from bridge.features.tool_repair import RepairedTool

_MOST_KNOWN = 20_000
_MOST_KEPT = 4 * 1024 * 1024
_LARGEST_GOOD = 1024 * 1024


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """A definition that was looked at: the tool's name for the host, and its definition there.

    `name` is None where the tool is withheld, and `changed` where it stays as it came. The host takes tools
    with the same `alike` for one.
    """

    name: str | None
    alike: str = ""
    changed: Raw | None = None


class ToolDefinitions(FeaturePart):
    """See the head of this file. `server_name` is the server's name in the host; empty where that is not known."""

    def __init__(self, context: FeatureContext, server_name: str = "") -> None:
        self._context = context
        self._names = ToolNames(server_name)
        self._check: ToolCheck | None = None
        self._checked_for: tuple[Limits, bool] | None = None
        # By the hash of the bytes, which Python makes with a secret of the process: nobody can choose two alike.
        self._seen: dict[int, _Seen] = {}
        self._kept = 0
        self._good = b""

    def prepare(self) -> None:
        """See `FeaturePart`."""
        self._list_check()

    def _list_check(self) -> ToolCheck:
        limits, is_modern = self._settle()
        if self._check is None:
            self._check = ToolCheck(limits, is_modern=is_modern)
        return self._check

    def takes(self, method: str, result: Raw) -> bool:
        """See `FeaturePart`: nearly all lists are good as they are, and many come again and again."""
        if method != mcp.TOOLS_LIST:
            return False
        check, octets = self._list_check(), bytes(result)
        if octets == self._good:
            return True
        names = check.names_if_good(octets)
        if names is None or not self._names.takes_all(names, limits_of(self._context.host)):
            return False
        self._good = octets if len(octets) <= _LARGEST_GOOD else b""
        return True

    def listed(self, method: str, items: list[Raw]) -> list[Raw]:
        """See `FeaturePart`."""
        if method != mcp.TOOLS_LIST:
            return items
        limits, is_modern = self._settle()
        shown: list[Raw] = []
        names: dict[str, str] = {}
        same = True
        for item in items:
            octets = bytes(item)
            seen = self._seen.get(hash(octets))
            if seen is None:
                seen = self._look(item, octets, limits, is_modern=is_modern)
            if seen.name is None:
                same = False
                continue
            name, definition = seen.name, item if seen.changed is None else seen.changed
            if (other := names.get(seen.alike)) is None:
                names[seen.alike] = name
            else:
                if other == name:
                    same = False
                    self._withhold(name, "another tool of the list has the same name")
                    continue
                definition = self._renamed(name, definition, self._names.distinct(name, limits))
            shown.append(definition)
            same &= definition is item
        return items if same else shown

    def _settle(self) -> tuple[Limits, bool]:
        """What counts for the host now; what was found for another is forgotten."""
        limits, is_modern = limits_of(self._context.host), self._context.is_modern
        if self._checked_for != (limits, is_modern):
            self._checked_for = (limits, is_modern)
            self._check = None
            self._forget()
        return limits, is_modern

    def request(self, request: Request) -> Request | Fault:
        """See `FeaturePart`: a call by a name of the bridge's own goes up by the real one."""
        if request.method != mcp.TOOLS_CALL or not self._names.has_any:
            return request
        real = self._names.real(messages.named(request.params))
        if real is None:
            return request
        params = members(request.params) | {"name": Raw(real)}
        return writing.request(request.raw_id, request.method, msgspec.json.encode(params))

    def needs_list(self, request: Request) -> str:
        """See `FeaturePart`: the host may have kept a name of the bridge's own from an earlier run."""
        if request.method != mcp.TOOLS_CALL or not limits_of(self._context.host).renames:
            return ""
        name = messages.named(request.params)
        return mcp.TOOLS_LIST if may_be_own(name) and self._names.real(name) is None else ""

    def _look(self, item: Raw, octets: bytes, limits: Limits, *, is_modern: bool) -> _Seen:
        if self._check is None:
            self._check = ToolCheck(limits, is_modern=is_modern)
        name, definition = self._check.name_if_good(octets), item
        if name is None:
            from bridge.features.tool_repair import repaired_tool  # Most servers have no odd tool.

            tool = repaired_tool(item, limits, is_modern=is_modern)
            name, definition = tool.name, tool.definition
            if tool.withheld:
                self._withhold(name, tool.withheld)
                return self._keep(octets, _Seen(None))
            self._say_repaired(tool)
        shown = self._names.shown(name, limits)
        definition = self._renamed(name, definition, shown)
        # A copy, because a `Raw` may be a view into the whole list.
        changed = None if definition is item else Raw(bytes(definition))
        alike = re.sub(limits.alike_in_names, "_", shown) if limits.alike_in_names else shown
        return self._keep(octets, _Seen(shown, alike, changed))

    def _renamed(self, name: str, definition: Raw, shown: str) -> Raw:
        if shown == name:
            return definition
        fields = members(definition) | {"name": Raw(msgspec.json.encode(shown))}
        text = f"The tool {_quoted(name)} is called {_quoted(shown)} for the host, which does not take its name."
        self._context.report_once("info", name, text)
        return Raw(msgspec.json.encode(fields))

    def _say_repaired(self, tool: RepairedTool) -> None:
        if not tool.notes:
            return
        text = f"The tool {_quoted(tool.name)} was repaired for the host: {'; '.join(tool.notes)}."
        if tool.widened:
            text += " By its own schema no host can tell which arguments are valid, so the server decides that."
        self._context.report_once("warning" if tool.widened else "info", tool.name, text)

    def _withhold(self, name: str, why: str) -> None:
        whose = f"The tool {_quoted(name)}" if name else "A tool"
        text = f"{whose} is withheld from the host: {why}. With --pass-through the host gets it as it is."
        self._context.report_once("warning", name, text)

    def _keep(self, octets: bytes, seen: _Seen) -> _Seen:
        size = 0 if seen.changed is None else len(seen.changed)
        if len(self._seen) >= _MOST_KNOWN or self._kept + size > _MOST_KEPT:
            self._forget()
        self._kept += size
        self._seen[hash(octets)] = seen
        return seen

    def _forget(self) -> None:
        self._seen.clear()
        self._kept = 0
        self._good = b""


def _quoted(name: str) -> str:
    return quoted(name) or '""'
