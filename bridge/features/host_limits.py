"""Which host refuses what in a tool's definition, one row each, by the product's name in `protocol.hosts`.

| column | meaning |
|---|---|
| `at_root` | keywords that the host, or the provider of its model, refuses at the root of an `inputSchema` |
| `longest_name` | how long a tool's name may be with what the host puts before it; 0 where no limit is known |
| `added` | how many characters it puts before it, beside the server's name; None: nothing, nor that name |
| `refused_in_names` | the characters that a name may not have, as a pattern; empty where none is known |
| `alike_in_names` | the characters that the host itself replaces by `_`, so that two names may become one |
| `deepest` | how many levels a schema may have; 0 where no limit is known |
| `wants_items` | whether it refuses the type `array` without `items` |

What hosts in general refuse is in `tool_check`. A host that mends a thing by itself needs no entry for it: Claude Code
rewrites combinators at the root, VS Code leaves them out; Codex, Copilot CLI, Gemini CLI, Qwen Code, VS Code and Zed
shorten names. "seen": measured on Linux on 2026-12-01 with the releases that `tests/hosts` pins.
"""

from __future__ import annotations

import msgspec

from bridge.protocol.hosts import Host

_ANTHROPIC = ("anyOf", "oneOf", "allOf")
"""anthropics/claude-code#657, dearlordylord/huly-mcp#66, anomalyco/opencode#38616; `if` is taken: kenn-io/kata#365."""
_OPENAI = ("anyOf", "oneOf", "allOf", "enum", "not")
"""The error quoted in dcc-mcp/dcc-mcp-blender#64 and Dicklesworthstone/flywheel_connectors#49."""
_NOT_IN_NAMES = r"[^a-zA-Z0-9_-]"
"""All but those of the pattern in Anthropic's API: inngest/agent-kit#108, github/copilot-cli#1879."""
_SERDE_JSON = 120
"""serde_json reads 128 levels, of which the message around a schema has some."""


class Limits(msgspec.Struct, frozen=True):
    """A row; see the head of this file."""

    at_root: tuple[str, ...] = ()
    longest_name: int = 0
    added: int | None = None
    refused_in_names: str = ""
    alike_in_names: str = ""
    deepest: int = 0
    wants_items: bool = False

    @property
    def renames(self) -> bool:
        """Whether a name can break a limit of this host."""
        return self.longest_name > 0 or self.refused_in_names + self.alike_in_names != ""


NO_LIMITS = Limits()
"""What is known of every other host."""

ROWS = {
    # mcp__SERVER__TOOL; a longer name, and one of two that become alike, is left out: seen in 2.1.332.
    "Claude Code": Limits(longest_name=128, added=7, alike_in_names=_NOT_IN_NAMES),
    # Schemas: marianfoo/mcp-sap-docs#51. Names: evoila/meho#2745, barryw/ImmichMCP#3.
    "Claude Desktop": Limits(_ANTHROPIC, longest_name=64, refused_in_names=_NOT_IN_NAMES),
    "Codex": Limits(_OPENAI, deepest=_SERDE_JSON),
    # SERVER and TOOL together have less than 60: ComposioHQ/composio#2788, PostHog/posthog#51483.
    "Cursor": Limits(longest_name=59, added=0),
    # SERVER_TOOL; longer names go to the provider, and one of two that become alike is left out: seen in 1.18.33.
    "OpenCode": Limits(_ANTHROPIC, longest_name=64, added=1, alike_in_names=_NOT_IN_NAMES),
    **dict.fromkeys(("Goose", "Warp", "Zed"), Limits(deepest=_SERDE_JSON)),
    # microsoft/vscode#246119, #284536; toolSchemaNormalizer.ts of microsoft/vscode-copilot-chat
    **dict.fromkeys(("Visual Studio Code", "Visual Studio Code Insiders"), Limits(wants_items=True)),
}


"""The rows."""


def limits_of(host: Host) -> Limits:
    """The row of a host."""
    return ROWS.get(host.product, NO_LIMITS)
