"""Google's Agent Development Kit, from PyPI: two turns of an agent."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import PROMPT, Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "google_adk_turn.py"


def turn(setting: Setting) -> Start:
    entry = setting.entry
    command = [setting.python(), str(PROGRAM), setting.model, PROMPT, entry.command, *entry.arguments]
    return Start(command, {"GOOGLE_API_KEY": "stand-in"})


HOSTS = (
    Host(
        name="google-adk",
        source=PyPi(("google-adk[mcp]==2.13.0", "google-genai==2.34.0", "mcp==2.3.0")),
        start=turn,
        opens_with="2025-11-25",
        client="google-adk",
        patience=5,
        passes_desktop=False,
        lists_again="next turn",
        shows="output",
        reads_one_page=("tools/list",),
        speaks="gemini",
        notes="A call may take 5 s as well; where it cannot connect, the turn goes on without the tools.",
    ),
)
