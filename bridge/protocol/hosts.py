"""How hosts behave where MCP leaves it open, by the `clientInfo.name` that they send: one row for each host.

| column | meaning |
|---|---|
| `product` | the product's name; empty for a library, whose name does not tell which program uses it |
| `patience` | how many seconds its first request may take before it gives up; None where that is not known |
| `call_patience` | how many seconds a tool's call may take before it gives up; None where that is a minute or more |
| `lists_again` | whether it asks for its lists again when told that they changed |
| `listens` | whether it subscribes to changes where it speaks MCP 2026-07-28, as it must to hear of them there |
| `shows_errors` | whether its users see the sentence of an error to its first request |
| `opens_links` | whether it takes the question to open a link (URL elicitation) that its capabilities offer to take |
| `reads_all_pages` | whether it reads every list to its end; not so where a release in use stops after the first page |
| `restarts_on_progress` | whether progress keeps it waiting for a tool; None where not known, or it asks for none |

A host that never lists again uses its first lists until it is restarted; a row says so only where this was observed.
"seen": measured on Linux with the release that `tests/hosts` pins, on 2026-11-30; pages and progress on 2026-12-01.
"list": the name is in TianqiZhang/mcp-client-registry (clients.json), which is collected from servers' logs.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import client_meta, mcp
from bridge.protocol.sanitize import shown

_LEAST_MARGIN = 0.5
_MOST_MARGIN = 3.0
_LONGEST = 120


class Host(msgspec.Struct, frozen=True):
    """A row; see the head of this file."""

    product: str = ""
    patience: float | None = None
    lists_again: bool = True
    call_patience: float | None = None
    listens: bool = True
    shows_errors: bool = True
    opens_links: bool = True
    reads_all_pages: bool = True
    restarts_on_progress: bool | None = None

    @property
    def answer_by(self) -> float | None:
        """The seconds after which it must have an answer of any kind: a little before it gives up."""
        return None if self.patience is None else _before(self.patience)

    @property
    def answer_call_by(self) -> float | None:
        """The same for a tool's call."""
        return None if self.call_patience is None else _before(self.call_patience)


def _before(patience: float) -> float:
    return patience - min(_MOST_MARGIN, max(_LEAST_MARGIN, patience / 10))


UNKNOWN = Host()
"""The row of every host that has none of its own."""

HOSTS = {
    # Patience: modelcontextprotocol/servers#4153, anthropics/claude-code#84136. Lists: anthropics/claude-ai-mcp#960,
    # anthropics/claude-code#50339. Name: list; mixelpixx/Konnect#476.
    "claude-ai": Host("Claude Desktop", 60.0, lists_again=False),
    # seen, with shorter times set: a call may take 30 minutes without progress, and 28 hours in all.
    "claude-code": Host("Claude Code", 30.0, restarts_on_progress=True),
    # seen; openai/codex#10105, #37417, #35583; microsoft/wassette#791 names the cause.
    # Pages: openai/codex#28858 (0.140); 0.171 was seen to read all.
    "codex-mcp-client": Host("Codex", 30.0, lists_again=False, reads_all_pages=False, restarts_on_progress=False),
    # seen: declares URL elicitation, and fails a call that is answered with `input_required`.
    # Pages: github/copilot-cli#4006 (1.0.68); 1.0.102 was seen to read all.
    "copilot-cli": Host("Copilot CLI", 65.0, opens_links=False, reads_all_pages=False, restarts_on_progress=True),
    # seen: all pages of resources only
    "gemini-cli-mcp-client": Host("Gemini CLI", 600.0, reads_all_pages=False, restarts_on_progress=False),
    "opencode": Host("OpenCode", 30.0, restarts_on_progress=True),  # seen
    "continue-cli-client": Host("Continue", 60.0, lists_again=False, reads_all_pages=False),  # seen
    "continue-client": Host("Continue"),  # list
    "@cline/core": Host("Cline", 2.9, lists_again=False, shows_errors=False, reads_all_pages=False),  # seen
    "grok-cli": Host("Grok CLI", 60.0),  # seen
    "inspector-cli": Host("MCP Inspector", 30.0, lists_again=False),  # seen: one command, one list
    "mcporter": Host("mcporter", 30.0),  # seen
    "mcpc": Host("mcpc", 60.0),  # seen
    "mcp-cli": Host("mcp-cli", 60.0),  # seen
    "cursor-vscode": Host("Cursor"),  # list
    "cursor": Host("Cursor"),  # list
    "visual studio code": Host("Visual Studio Code"),  # list
    "visual studio code - insiders": Host("Visual Studio Code Insiders"),  # list
    "goose": Host("Goose"),  # list
    "warp": Host("Warp"),  # list
    "zed": Host("Zed"),  # list
    "jetbrains-ai-assistant-client": Host("JetBrains AI Assistant"),  # list
    "@librechat/api-client": Host("LibreChat"),  # list
    "google-adk": Host("", 5.0, call_patience=5.0, reads_all_pages=False),  # seen
    # seen: pydantic-ai waits 5 s, FastMCP's own client over 75 s; neither subscribes.
    "fastmcp": Host("", 5.0, listens=False, restarts_on_progress=False),
    # seen: the Python SDK where its caller gives no name; openai-agents waits 15 s, and 5 s for a call.
    # Pages: smolagents reads the first, openai-agents all.
    "mcp": Host("", 15.0, call_patience=5.0, reads_all_pages=False),
    "mcp-test-client": Host("", 5.0),  # seen: `gemini mcp list` (5 s) and `qwen mcp list` (10 s)
    "ai-sdk-mcp-client": Host("", 75.0),  # seen
    "spring-ai-mcp-client": Host(),  # list
    "example-client": Host(),  # list
}
"""The rows, by name in lower case."""

PREFIXES = {
    # seen: the server's name follows; all pages of tools, the first of prompts and resources
    "qwen-cli-mcp-client-": Host(
        "Qwen Code",
        30.0,
        lists_again=False,
        shows_errors=False,
        reads_all_pages=False,
        restarts_on_progress=False,
    ),
}
"""Rows of hosts whose name is followed by something else."""


def host_named(name: str) -> Host:
    """The row of the host that sends this `clientInfo.name`."""
    key = name.lower()
    if (known := HOSTS.get(key)) is not None:
        return known
    return next((host for prefix, host in PREFIXES.items() if key.startswith(prefix)), UNKNOWN)


def product_name(name: str) -> str:
    """The product's name for the host that sends `name`: `name` itself where it has no row, empty for a library."""
    host = host_named(name)
    return name if host is UNKNOWN else host.product


class _Client(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


class _Params(msgspec.Struct, frozen=True):
    client: _Client | None = msgspec.field(name="clientInfo", default=None)


class _Meta(msgspec.Struct, frozen=True):
    client: _Client | None = msgspec.field(name=mcp.META_CLIENT, default=None)


def described(params: Raw) -> str:
    """The name and version in the params of `initialize` or of a modern request; empty where there are none."""
    client = _decoded(params)
    if client is None:
        return ""
    return shown(f"{client.name} {client.version}", _LONGEST)


def _decoded(params: Raw) -> _Client | None:
    try:
        if (client := msgspec.json.decode(params, type=_Params).client) is not None:
            return client
        _, meta = client_meta.state_and_meta(params)
        return msgspec.json.decode(meta, type=_Meta).client if len(meta) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
