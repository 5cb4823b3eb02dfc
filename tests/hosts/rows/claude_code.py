"""Claude Code, from npm: one turn in print mode, and `claude mcp list`."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, SERVER, Host, Npm, Setting, Start

SOURCE = Npm(("@anthropic-ai/claude-code@2.1.332",))

QUIET = {
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
"""https://code.claude.com/docs/en/env-vars"""
FOR_SEVERAL = {
    "MCP_CONNECTION_NONBLOCKING": "0",
    "MCP_SERVER_CONNECTION_BATCH_SIZE": "100",
    "MCP_TIMEOUT": "60000",
    "ENABLE_TOOL_SEARCH": "false",
}
"""With several servers: a turn waits for all of them, and begins with all their tools."""


def _program(setting: Setting) -> str:
    # Its own installer, which is not run here, links this one to `bin/claude`.
    return setting.program("@anthropic-ai/claude-code-*/claude*")


def _configure(setting: Setting) -> dict[str, str]:
    """The file of the user's own servers."""
    servers = {name: {"type": "stdio"} | entry for name, entry in setting.servers().items()}
    own = {"hasCompletedOnboarding": True, "mcpServers": servers}
    setting.write(setting.home / ".claude.json", json.dumps(own))
    more = FOR_SEVERAL if setting.others else {}
    if setting.call_patience is not None:
        more |= {"CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT": str(setting.call_patience * 1000)}
    return QUIET | more | {"ANTHROPIC_BASE_URL": setting.model, "ANTHROPIC_API_KEY": "stand-in"}


def turn(setting: Setting) -> Start:
    variables = _configure(setting)
    flags = ["--output-format", "stream-json", "--verbose", "--model", "claude-sonnet-4-5"]
    allowed = ["--allowedTools", f"mcp__{SERVER}"]
    return Start([_program(setting), "-p", PROMPT, *flags, *allowed], variables)


def listing(setting: Setting) -> Start:
    variables = _configure(setting)
    return Start([_program(setting), "mcp", "list"], variables)


HOSTS = (
    Host(
        name="claude-code",
        source=SOURCE,
        start=turn,
        opens_with="2026-07-28",
        client="claude-code",
        patience=30,
        passes_desktop=True,
        lists_again="same turn",
        shows="output",
        restarts_on_progress=True,
        silence=45,
        speaks="anthropic",
        notes="It looks every 30 s for calls without progress; all of a call may take MCP_TOOL_TIMEOUT.",
        servers_at_once=16,
        limit=120,
    ),
    Host(
        name="claude-mcp-list",
        installs_as="claude-code",
        source=SOURCE,
        start=listing,
        opens_with="2026-07-28",
        client="claude-code",
        patience=30,
        passes_desktop=True,
        lists_again="not seen",
        shows="output",
        calls=False,
        connected=f"{SERVER}: .* ✔ Connected",
        shows_tools=False,
        limit=60,
    ),
)
