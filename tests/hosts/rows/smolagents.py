"""smolagents, from PyPI: two turns of an agent that calls tools."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import PROMPT, Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "smolagents_turn.py"


def turn(setting: Setting) -> Start:
    entry = setting.entry
    return Start([setting.python(), str(PROGRAM), f"{setting.model}/v1", PROMPT, entry.command, *entry.arguments])


HOSTS = (
    Host(
        name="smolagents",
        # Its adapter cannot be imported with mcp 2, and does not say so.
        source=PyPi(("smolagents[mcp,openai]==1.26.0", "mcpadapt==0.1.19", "mcp==1.30.0")),
        start=turn,
        opens_with="2025-11-25",
        client="mcp",
        patience=30,
        passes_desktop=False,
        lists_again="never",
        shows="output",
        reads_one_page=("tools/list",),
        speaks="openai-chat",
        notes="Told of an error it says so at once, and waits out its 30 s before it gives up.",
    ),
)
