"""What can honestly be answered before anybody has signed in, in either era.

| request | answer |
|---|---|
| `initialize` | the host's version where it is known; lists that change; instructions that say what is waited for |
| `server/discover` | the same for a modern host |
| `tools/list` | the tool `sign_in` |
| the other lists | nothing |
| `ping` | nothing |
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from bridge import __version__
from bridge.protocol import client_meta, mcp, writing
from bridge.protocol.jsonrpc import Octets, Request
from bridge.provisional import sign_in_tool
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.translate import request_meta
from bridge.translate.downgrade import input_requests

LISTS = {
    mcp.TOOLS_LIST: ("tools", "tools"),
    mcp.PROMPTS_LIST: ("prompts", "prompts"),
    mcp.RESOURCES_LIST: ("resources", "resources"),
    mcp.TEMPLATES_LIST: ("resources", "resourceTemplates"),
}
"""For each method that lists: the capability it belongs to, and the member of its result."""

KINDS = ("tools", "prompts", "resources")
"""What a host is told to have: each may change."""

_CAPABILITIES = {kind: {"listChanged": True} for kind in KINDS}
_NAME = "mcp-remote-bridge"


class HostState:
    """A legacy host, as it introduced itself. `version` is the one it was answered in, empty before it was.

    `program` is the name of its program. `is_initialized`: it has said `notifications/initialized`. `is_confirmed`: the
    server itself has answered it, in `servers_version`.
    """

    def __init__(self, request: Request) -> None:
        params = writing.members(request.params)
        declared = writing.members(params.get("capabilities", Raw()))
        self.request = request
        self.program = mcp.client_program(request.params)
        self.version = self.servers_version = ""
        self.is_initialized = False
        self.is_confirmed = False
        self._missed: Sequence[str] = ()
        self._declares_urls = input_requests.can_open_urls(declared)

    def changed(self, kinds: Sequence[str]) -> list[Octets]:
        """What tells it that lists of these kinds changed; nothing before it listens, and then what it has missed."""
        if not self.version:
            return []
        if not self.is_initialized:
            self._missed = kinds
            return []
        return [writing.notification(f"notifications/{kind}/list_changed").line for kind in kinds]

    def initialized(self) -> list[Octets]:
        """It said `notifications/initialized`; what it has missed."""
        self.is_initialized = True
        missed, self._missed = self._missed, ()
        return self.changed(missed)

    @property
    def can_open_urls(self) -> bool:
        """Whether it may be asked to open a page: it says so, in the one revision that has it."""
        return self._declares_urls and mcp.features(self.version).has_url_elicitation


def can_open_urls(request: Request) -> bool:
    """Whether the modern host of this request may be asked to open a page."""
    _, meta = client_meta.state_and_meta(request.params)
    return input_requests.can_open_urls(writing.members(writing.members(meta).get(mcp.META_CAPABILITIES, Raw())))


def introduction(request: Request, status: SignInStatus) -> Octets:
    """The answer to `initialize` or `server/discover`."""
    said: dict[str, object] = {"capabilities": _CAPABILITIES, "instructions": sign_in_tool.instructions(status)}
    if request.method == mcp.DISCOVER:
        return result(request, {"supportedVersions": mcp.MODERN_VERSIONS, **said}, status, is_modern=True)
    return result(request, {"protocolVersion": version(request), **said, "serverInfo": _info(status)}, status)


def version(initialize: Request) -> str:
    """The revision to answer in: the host's where it is a legacy one (MCP 2025-11-25, Version Negotiation)."""
    asked = request_meta.text(writing.members(initialize.params).get("protocolVersion"))
    return asked if asked in mcp.LEGACY_VERSIONS else mcp.LATEST_LEGACY


def sign_in_only(request: Request, status: SignInStatus, *, is_modern: bool) -> Octets:
    """The list of tools in which there is but one."""
    return result(request, {"tools": [sign_in_tool.tool(status)]}, status, is_modern=is_modern)


def empty(request: Request, status: SignInStatus, *, is_modern: bool) -> Octets:
    """A list (`LISTS`) with nothing in it; for any other method, a result that says nothing."""
    said: dict[str, object] = {LISTS[request.method][1]: []} if request.method in LISTS else {}
    return result(request, said, status, is_modern=is_modern)


def tool_result(
    request: Request, text: str, status: SignInStatus, *, is_modern: bool, is_error: bool = False
) -> Octets:
    """The result of a tool's call: one text."""
    said: dict[str, object] = {"content": [{"type": "text", "text": text}], "isError": is_error}
    return result(request, said, status, is_modern=is_modern)


def result(request: Request, said: dict[str, object], status: SignInStatus, *, is_modern: bool = False) -> Octets:
    """The line of a good answer; a modern one says more (MCP 2026-07-28, Result, CacheableResult)."""
    if is_modern:
        said = {"resultType": "complete", **said, "_meta": {mcp.META_SERVER: _info(status)}}
        if request.method in mcp.CACHED_METHODS:
            said |= {"ttlMs": 0, "cacheScope": "private"}
    return writing.result(request.raw_id, msgspec.json.encode(said)).line


def missing(result: Raw) -> frozenset[str]:
    """The methods of `LISTS` that a server does not offer in its own introduction, though the host was told so."""
    offered = writing.members(result).get("capabilities")
    if not request_meta.is_object(offered) or offered is None:
        return frozenset()
    names = writing.members(offered)
    return frozenset(method for method, (capability, _) in LISTS.items() if capability not in names)


def _info(status: SignInStatus) -> dict[str, str]:
    return {"name": _NAME, "version": __version__, "title": f"{status.server} (sign-in needed)"}
