"""What hosts are called: the product's name for the `clientInfo.name` (MCP, Initialization) that a host sends.

A name that no row has is shown as it is sent. Names of libraries tell nothing: the program that uses one goes unnamed.

Sources: "seen" rows are names that the program of that version sent to this bridge in November 2026; the others are in
the public list TianqiZhang/mcp-client-registry (clients.json), which is gathered from servers' logs.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.words import shown

PRODUCTS = {
    "claude-ai": "Claude Desktop",  # the list; mixelpixx/Konnect#476
    "claude-code": "Claude Code",  # seen: 2.1.332
    "cursor-vscode": "Cursor",  # the list
    "cursor": "Cursor",  # the list
    "Visual Studio Code": "Visual Studio Code",  # the list
    "Visual Studio Code - Insiders": "Visual Studio Code Insiders",  # the list
    "codex-mcp-client": "Codex",  # seen: 0.171
    "copilot-cli": "Copilot CLI",  # seen: 1.0.102
    "gemini-cli-mcp-client": "Gemini CLI",  # seen: 0.61
    "opencode": "OpenCode",  # seen: 1.18
    "continue-cli-client": "Continue",  # seen: CLI 1.5
    "continue-client": "Continue",  # the list
    "@cline/core": "Cline",  # seen: 3.0
    "grok-cli": "Grok CLI",  # seen
    "inspector-cli": "MCP Inspector",  # seen: 2.12, with --cli
    "goose": "Goose",  # the list
    "warp": "Warp",  # the list
    "zed": "Zed",  # the list
    "jetbrains-ai-assistant-client": "JetBrains AI Assistant",  # the list
    "@librechat/api-client": "LibreChat",  # the list
}
"""Product names by `clientInfo.name`."""

PREFIXES = (
    ("qwen-cli-mcp-client-", "Qwen Code"),  # seen: 0.24, followed by the server's name
)
"""Product names by how `clientInfo.name` begins."""

LIBRARIES = frozenset(
    (
        "mcp",  # seen: the Python SDK
        "mcp-test-client",  # seen: `gemini mcp list` and `qwen mcp list`
        "fastmcp",  # seen: fastmcp and pydantic-ai
        "ai-sdk-mcp-client",  # seen
        "spring-ai-mcp-client",  # the list
        "example-client",  # the list
    )
)
"""Names that many programs send, for a library they share sends them."""

_LONGEST = 120


class _Client(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


class _Params(msgspec.Struct, frozen=True):
    client: _Client | None = msgspec.field(name="clientInfo", default=None)


class _Meta(msgspec.Struct, frozen=True):
    client: _Client | None = msgspec.field(name=mcp.META_CLIENT, default=None)


def product_name(name: str) -> str:
    """What people call the host that sends `name`; empty where that is not known."""
    if name in LIBRARIES:
        return ""
    for begin, product in PREFIXES:
        if name.startswith(begin):
            return product
    return PRODUCTS.get(name) or PRODUCTS.get(name.lower(), name)


def described(params: Raw) -> str:
    """The name and version in the params of `initialize`, or of a modern request; empty where they are not there."""
    client = _decoded(params)
    if client is None:
        return ""
    return shown(f"{client.name} {client.version}", _LONGEST)


def _decoded(params: Raw) -> _Client | None:
    try:
        if (client := msgspec.json.decode(params, type=_Params).client) is not None:
            return client
        _, meta = mcp.stamp(params)
        return msgspec.json.decode(meta, type=_Meta).client if len(meta) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
