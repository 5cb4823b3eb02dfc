"""The answers that the bridge can give before the user has signed in, in either era.

| request | answer |
|---|---|
| `initialize` | the host's version if the bridge knows it; lists that may change; instructions about the sign-in |
| `server/discover` | the same for a modern host |
| `tools/list` | the tool `sign_in` |
| the other lists | an empty list |
| `ping` | an empty result |
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge import PROGRAM, __version__
from bridge.protocol import client_meta, mcp, writing
from bridge.protocol.jsonrpc import Octets, Request
from bridge.provisional import sign_in_tool
from bridge.provisional.host_state import HostState
from bridge.provisional.sign_in_tool import SignInStatus
from bridge.translate import request_meta
from bridge.translate.downgrade import input_requests

LISTS = {
    mcp.TOOLS_LIST: ("tools", "tools"),
    mcp.PROMPTS_LIST: ("prompts", "prompts"),
    mcp.RESOURCES_LIST: ("resources", "resources"),
    mcp.TEMPLATES_LIST: ("resources", "resourceTemplates"),
}
"""For each list method: its capability, and the member of its result."""

KINDS = ("tools", "prompts", "resources")
"""The capabilities that the host is told of, each with `listChanged`."""

_CAPABILITIES = {kind: {"listChanged": True} for kind in KINDS}


def host_can_open_urls(host: HostState) -> bool:
    """Whether a legacy host may be asked to open a link: it declared that, in the one revision that has it."""
    return input_requests.can_open_urls(host.declared) and mcp.features(host.version).has_url_elicitation


def can_open_urls(request: Request) -> bool:
    """Whether the modern host that sent this request may be asked to open a link."""
    _, meta = client_meta.state_and_meta(request.params)
    return input_requests.can_open_urls(writing.members(writing.members(meta).get(mcp.META_CAPABILITIES, Raw())))


def introduction(request: Request, status: SignInStatus) -> Octets:
    """The answer to `initialize` or `server/discover`."""
    said: dict[str, object] = {"capabilities": _CAPABILITIES, "instructions": sign_in_tool.instructions(status)}
    if request.method == mcp.DISCOVER:
        return result(request, {"supportedVersions": mcp.MODERN_VERSIONS, **said}, status, is_modern=True)
    return result(request, {"protocolVersion": version(request), **said, "serverInfo": _info(status)}, status)


def version(initialize: Request) -> str:
    """The version to answer with: the host's if it is a legacy one (MCP 2025-11-25, Version Negotiation)."""
    asked = request_meta.text(writing.members(initialize.params).get("protocolVersion"))
    return asked if asked in mcp.LEGACY_VERSIONS else mcp.LATEST_LEGACY


def sign_in_only(request: Request, status: SignInStatus, *, is_modern: bool) -> Octets:
    """The list of tools with `sign_in` alone."""
    return result(request, {"tools": [sign_in_tool.tool(status)]}, status, is_modern=is_modern)


def empty(request: Request, status: SignInStatus, *, is_modern: bool) -> Octets:
    """An empty list (`LISTS`); for any other method, an empty result."""
    said: dict[str, object] = {LISTS[request.method][1]: []} if request.method in LISTS else {}
    return result(request, said, status, is_modern=is_modern)


def tool_result(
    request: Request, text: str, status: SignInStatus, *, is_modern: bool, is_error: bool = False
) -> Octets:
    """The result of a tool call, with one text."""
    said: dict[str, object] = {"content": [{"type": "text", "text": text}], "isError": is_error}
    return result(request, said, status, is_modern=is_modern)


def result(request: Request, said: dict[str, object], status: SignInStatus, *, is_modern: bool = False) -> Octets:
    """The line of a result. A modern one has more members (MCP 2026-07-28, Result, CacheableResult)."""
    if is_modern:
        said = {"resultType": "complete", **said, "_meta": {mcp.META_SERVER: _info(status)}}
        if request.method in mcp.CACHED_METHODS:
            said |= {"ttlMs": 0, "cacheScope": "private"}
    return writing.result(request.raw_id, msgspec.json.encode(said)).line


def missing(result: Raw) -> frozenset[str]:
    """The methods of `LISTS` that the host was told of, and that the server's own answer does not offer."""
    offered = writing.members(result).get("capabilities")
    if not request_meta.is_object(offered) or offered is None:
        return frozenset()
    names = writing.members(offered)
    return frozenset(method for method, (capability, _) in LISTS.items() if capability not in names)


def _info(status: SignInStatus) -> dict[str, str]:
    return {"name": PROGRAM, "version": __version__, "title": f"{status.server} (sign-in needed)"}
