"""Pydantic AI, from PyPI: one turn of an agent."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import PROMPT, Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "pydantic_ai_turn.py"


def turn(setting: Setting) -> Start:
    entry = setting.entry
    return Start([setting.python(), str(PROGRAM), f"{setting.model}/v1", PROMPT, entry.command, *entry.arguments])


HOSTS = (
    Host(
        name="pydantic-ai",
        source=PyPi(("pydantic-ai-slim[mcp,openai]==2.68.0", "fastmcp-slim==4.2.3", "mcp==2.3.0")),
        start=turn,
        opens_with="2026-07-28",
        client="fastmcp",
        patience=5,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="never",
        shows="output",
        speaks="openai-chat",
        notes="It keeps the tools until it is told of a change, and with 2026-07-28 it does not listen for any.",
    ),
)
