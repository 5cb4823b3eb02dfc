"""Vercel's AI SDK, from npm: two turns."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.hosts.host import PROMPT, Host, Npm, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "ai_sdk_turn.mjs"


def turn(setting: Setting) -> Start:
    entry = setting.entry
    # What it imports is looked for beside it.
    program = shutil.copy(PROGRAM, setting.installed)
    return Start([str(setting.node), str(program), f"{setting.model}/v1", PROMPT, entry.command, *entry.arguments])


HOSTS = (
    Host(
        name="ai-sdk",
        source=Npm(("ai@7.0.173", "@ai-sdk/mcp@2.0.99", "@ai-sdk/openai@4.0.118")),
        start=turn,
        opens_with="2026-07-28",
        client="ai-sdk-mcp-client",
        patience=None,
        passes_desktop=False,
        lists_again="next turn",
        lists_again_modern="next turn",
        shows="output",
        speaks="openai-chat",
        notes="A program asks for the tools when it wants to, as a rule once a turn.",
    ),
)
