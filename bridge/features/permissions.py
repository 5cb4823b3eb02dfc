"""Least privilege: which tools, prompts and resources the host may see and use, by the user's patterns.

| what | is matched with |
|---|---|
| a tool, a prompt | its name |
| a resource | its URI |
| a resource template | its URI template; a URI made of it counts as the resource's own |

A pattern is a glob: `*` stands for any characters, `?` for one, `[abc]` for one of these; capitals count. Where there
are patterns of what is shown, only that is; what a pattern hides is never shown. With `--read-only` only tools are left
that say `readOnlyHint` and not `destructiveHint` (MCP 2025-03-26, Tools, ToolAnnotations). What is not shown cannot be
used either.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from bridge.errors import ErrorKind
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Request
from bridge.protocol.messages import decoded
from bridge.protocol.sanitize import shown
from bridge.session.faults import Fault

_LONGEST = 200
_MOST_NAMES = 100_000


class Pattern:
    """One pattern of an option. `option` is what the user wrote before it, for messages.

    `--ignore-tool` reads it as mcp-remote does: only `*` is special, and capitals do not count.
    """

    def __init__(self, option: str, text: str) -> None:
        self.option = option
        self.text = text
        is_mcp_remotes = option == "--ignore-tool"
        glob = re.sub(r"[\[?]", r"[\g<0>]", text) if is_mcp_remotes else text
        # What `translate` makes takes no more than one pass over a name for each `*`, however hostile the name.
        self._match = re.compile(fnmatch.translate(glob), re.IGNORECASE if is_mcp_remotes else 0).match

    def matches(self, name: str) -> bool:
        """Whether the pattern stands for this name."""
        return self._match(name) is not None

    @property
    def spelled(self) -> str:
        """The option with the pattern, as in a message."""
        return shown(f"{self.option} {self.text}", _LONGEST)


class Rule:
    """The patterns for one kind, such as "tool": `show` lists what alone is shown, `hide` what never is."""

    def __init__(self, kind: str, show: Sequence[Pattern], hide: Sequence[Pattern]) -> None:
        self.kind = kind
        self.show = show
        self.hide = hide

    def refusal(self, name: str) -> str:
        """Why this name is not shown, as the end of a sentence; empty where it is."""
        if hiding := next((pattern for pattern in self.hide if pattern.matches(name)), None):
            return f"is hidden by {hiding.spelled}"
        if self.show and not any(pattern.matches(name) for pattern in self.show):
            options = " and ".join(dict.fromkeys(pattern.option for pattern in self.show))
            return f"is not among those that {options} allows"
        return ""

    def unmatched(self, names: Sequence[str]) -> list[Pattern]:
        """The patterns that stand for none of these names."""
        return [one for one in (*self.show, *self.hide) if not any(one.matches(name) for name in names)]


class _Definition(msgspec.Struct, frozen=True, gc=False):
    """What counts of a definition. The rest of it is not decoded: it may hold what Python cannot."""

    name: Any = None
    uri: Any = None
    template: Any = msgspec.field(name="uriTemplate", default=None)
    annotations: Raw = Raw()


_LISTED_AS = {
    mcp.TOOLS_LIST: ("tool", "name"),
    mcp.PROMPTS_LIST: ("prompt", "name"),
    mcp.RESOURCES_LIST: ("resource", "uri"),
    mcp.TEMPLATES_LIST: ("resource", "template"),
}
_USED_BY = {
    mcp.TOOLS_CALL: ("tool", messages.named),
    mcp.PROMPTS_GET: ("prompt", messages.named),
    mcp.RESOURCES_READ: ("resource", messages.resource_uri),
    mcp.SUBSCRIBE: ("resource", messages.resource_uri),
}
_REFERENCES = {"ref/prompt": ("prompt", "name"), "ref/resource": ("resource", "uri")}
"""What `completion/complete` may refer to (MCP 2025-11-25, Completion, Reference Types)."""

_SUBSCRIBED = "resourceSubscriptions"
"""The resources in the filter of `subscriptions/listen` (MCP 2026-07-28, Subscriptions, Notification Filter)."""

_decode_uris = partial(msgspec.json.decode, type=list[Any])
_decode_definition = partial(msgspec.json.decode, type=_Definition)
_decode_any = partial(msgspec.json.decode, type=dict[str, Any])
_NONE = _Definition()


class Permissions(FeaturePart):
    """Leaves out of lists what the rules do not show, and refuses its use. `rules` by kind, one for each."""

    def __init__(self, context: FeatureContext, rules: Sequence[Rule], *, is_read_only: bool = False) -> None:
        self._context = context
        self._rules = {rule.kind: rule for rule in rules if rule.show or rule.hide}
        self._is_read_only = is_read_only
        self._reads_only: dict[str, bool] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._whole: set[str] = set()

    def needs_list(self, request: Request) -> str:
        """See `FeaturePart`: only its definition says whether a tool reads only."""
        if not self._is_read_only or request.method != mcp.TOOLS_CALL:
            return ""
        return "" if messages.named(request.params) in self._reads_only else mcp.TOOLS_LIST

    def request(self, request: Request) -> Request | Fault:
        """See `FeaturePart`."""
        kind, name = self._used(request)
        rule = self._rules.get(kind)
        if rule is not None and (why := rule.refusal(name)):
            return _hidden(kind, name, why)
        if self._is_read_only and request.method == mcp.TOOLS_CALL and not self._reads_only.get(name):
            why = "does not say that it only reads" if name in self._reads_only else "is not in the server's list"
            return _hidden(kind, name, f"{why}, and --read-only is set")
        return request

    def subscription(self, request: Request) -> Request:
        """See `FeaturePart`: of the resources only those are left that the rules show."""
        rule = self._rules.get("resource")
        params = writing.members(request.params) if rule is not None else {}
        wanted = writing.members(params.get("notifications", Raw()))
        if rule is None or (uris := wanted.get(_SUBSCRIBED)) is None:
            return request
        asked = decoded(_decode_uris, uris) or []
        left = [uri for uri in asked if isinstance(uri, str) and not rule.refusal(uri)]
        if left == asked and asked:
            return request
        for uri in asked:
            if isinstance(uri, str) and (why := rule.refusal(uri)):
                said = f"the host is not subscribed to the resource {shown(uri, _LONGEST)}, which {why}"
                self._context.report_once("info", uri, said)
        wanted[_SUBSCRIBED] = Raw(msgspec.json.encode(left))
        params["notifications"] = Raw(msgspec.json.encode(wanted))
        return writing.request(request.raw_id, request.method, msgspec.json.encode(params))

    def listed(self, method: str, items: list[Raw]) -> list[Raw]:
        """See `FeaturePart`."""
        kind, member = _LISTED_AS[method]
        rule = self._rules.get(kind)
        reads_only = self._is_read_only and method == mcp.TOOLS_LIST
        if rule is None and not reads_only:
            return items
        found: list[tuple[Raw, str]] = []
        only: dict[str, bool] = {}
        for item in items:
            definition = decoded(_decode_definition, item) or _NONE
            name = getattr(definition, member)
            if not isinstance(name, str):
                continue  # It can be neither matched nor used.
            self._note(method, name)
            found.append((item, name))
            if reads_only:  # Of a tool that is listed twice both have to say so.
                only[name] = only.get(name, True) and _only_reads(definition)
        self._reads_only |= only
        kept = [
            item
            for item, name in found
            if (rule is None or not rule.refusal(name)) and (only.get(name, not reads_only))
        ]
        self._tell(method, len(items) - len(kept), len(items))
        return items if len(kept) == len(items) else kept

    def whole(self, method: str) -> None:
        """See `FeaturePart`: only now is it known which patterns stand for nothing."""
        kind, _ = _LISTED_AS[method]
        if (rule := self._rules.get(kind)) is None:
            return
        self._whole.add(method)
        if kind == "resource" and not self._are_all_resources_known:
            return
        names = list(self._names.pop(mcp.RESOURCES_LIST if kind == "resource" else method, {}))
        for pattern in rule.unmatched(names):
            near = _near(pattern.text, names)
            said = f"{pattern.spelled} matches no {kind} of this server{near}"
            self._context.report_once("warning", pattern.spelled, said)

    @property
    def _are_all_resources_known(self) -> bool:
        # They come in two lists, and a template stands for URIs that no list has.
        return {mcp.RESOURCES_LIST, mcp.TEMPLATES_LIST} <= self._whole and not self._names.get(mcp.TEMPLATES_LIST)

    def _used(self, request: Request) -> tuple[str, str]:
        """What a request uses: its kind and its name; empty for what is not restricted."""
        if (found := _USED_BY.get(request.method)) is not None:
            kind, name_in = found
            return kind, name_in(request.params)
        if request.method == mcp.COMPLETE:
            reference = decoded(_decode_any, writing.members(request.params).get("ref", Raw())) or {}
            kind, member = _REFERENCES.get(str(reference.get("type")), ("", ""))
            return kind, str(reference.get(member, ""))
        return "", ""

    def _note(self, method: str, name: str) -> None:
        names = self._names.setdefault(method, {})
        if len(names) < _MOST_NAMES:
            names[name] = None
        if len(self._reads_only) > _MOST_NAMES:
            self._reads_only.clear()

    def _tell(self, method: str, hidden: int, count: int) -> None:
        if hidden:
            kind, _ = _LISTED_AS[method]
            said = f"{method}: {hidden} of {count} are hidden from the host by this server's options"
            self._context.report_once("info", kind, said)


def _only_reads(definition: _Definition) -> bool:
    annotations = decoded(_decode_any, definition.annotations) or {}
    return annotations.get("readOnlyHint") is True and annotations.get("destructiveHint") is not True


def _hidden(kind: str, name: str, why: str) -> Fault:
    return Fault(
        ErrorKind.HIDDEN,
        f"The {kind} {shown(name, _LONGEST)} {why}.",
        "To use it, change the options of this server where the host or your own file of servers has them.",
    )


def _near(pattern: str, names: Sequence[str]) -> str:
    import difflib

    found = difflib.get_close_matches(pattern.strip("*?"), names[:1000], n=3, cutoff=0.6)
    return f"; near it are {shown(', '.join(found), _LONGEST)}" if found else ""
