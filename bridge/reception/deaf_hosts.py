"""Hosts that never notice that a list changed, known by the `clientInfo.name` they send.

To such a host no list may be shown that has to be taken back: whatever it sees first is what it has until it is
restarted. Only those stand here that somebody showed to be so; a host that hears again is to be taken out.
"""

from __future__ import annotations

_NAMES = frozenset(
    {
        # Claude Desktop: anthropics/claude-ai-mcp#960, anthropics/claude-code#50339; its name: mixelpixx/Konnect#476.
        "claude-ai",
        # Codex, CLI and desktop: openai/codex#10105, #37417, #35583; microsoft/wassette#791 names the cause.
        "codex-mcp-client",
    }
)


def ignores_list_changed(program: str) -> bool:
    """Whether the host of this name is known not to ask for its lists again when told that they changed."""
    return program in _NAMES
