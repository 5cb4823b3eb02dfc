"""What hosts do that MCP does not tell, by the `clientInfo.name` that they send: one row for each host.

`patience`: how many seconds its first request may take before it gives up. `lists_again`: whether it asks for its lists
again when told that they changed; one that never does keeps what it was shown first until it is restarted. Only a host
that was shown never to do so stands here as such. `opens_links`: whether it takes the question to open a link (URL
elicitation) that its capabilities offer to take.

Measured on Linux on 2026-11-30 with the releases that `tests/hosts` pins, unless a row names another source.
"""

from __future__ import annotations

from typing import NamedTuple

_LEAST_MARGIN = 0.5
_MOST_MARGIN = 3.0


class Host(NamedTuple):
    """A row. `product` is what its users call it, empty where that is not known."""

    product: str = ""
    patience: float | None = None
    lists_again: bool = True
    opens_links: bool = True

    @property
    def answer_by(self) -> float | None:
        """After how many seconds it has to be answered, whatever the answer: a little before its patience ends."""
        if self.patience is None:
            return None
        return self.patience - min(_MOST_MARGIN, max(_LEAST_MARGIN, self.patience / 10))


UNKNOWN = Host()
"""The row of every host that has none of its own."""

_HOSTS = {
    # Patience: modelcontextprotocol/servers#4153, anthropics/claude-code#84136. Lists: anthropics/claude-ai-mcp#960,
    # anthropics/claude-code#50339. Name: mixelpixx/Konnect#476.
    "claude-ai": Host("Claude Desktop", 60.0, lists_again=False),
    "claude-code": Host("Claude Code", 30.0),
    # Lists: openai/codex#10105, #37417, #35583; microsoft/wassette#791 names the cause.
    "codex-mcp-client": Host("Codex", 30.0, lists_again=False),
    # 1.0.102 declares URL elicitation, and fails a call that is answered with `input_required`.
    "copilot-cli": Host("Copilot CLI", 65.0, opens_links=False),
    "gemini-cli-mcp-client": Host("Gemini CLI", 30.0),
    "mcp-test-client": Host("", 5.0),  # `gemini mcp list` and `qwen mcp list`.
    "opencode": Host("OpenCode", 30.0),
    "continue-cli-client": Host("Continue", 60.0, lists_again=False),
    "@cline/core": Host("Cline", 2.9, lists_again=False),
    "grok-cli": Host("Grok CLI", 60.0),
    "inspector-cli": Host("MCP Inspector", 30.0),
    "mcporter": Host("mcporter", 30.0),
    "mcpc": Host("mcpc", 60.0),
    "mcp-cli": Host("mcp-cli", 60.0),
    "fastmcp": Host("", 5.0),  # FastMCP's client, which pydantic-ai uses too.
    "google-adk": Host("Google ADK", 5.0),
    "mcp": Host("", 15.0),  # The Python SDK where its caller gives no name, as openai-agents does.
    "ai-sdk-mcp-client": Host("", 75.0),
}

_PREFIXES = {"qwen-cli-mcp-client-": Host("Qwen Code", 30.0, lists_again=False)}
"""Hosts that put the name of the server's entry behind their own."""


def host_named(name: str) -> Host:
    """The row of the host that sends this `clientInfo.name`."""
    if (known := _HOSTS.get(name)) is not None:
        return known
    return next((host for prefix, host in _PREFIXES.items() if name.startswith(prefix)), UNKNOWN)
