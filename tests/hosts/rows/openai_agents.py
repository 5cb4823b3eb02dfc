"""The OpenAI Agents SDK, of either language: one turn of an agent."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.hosts.host import PROMPT, Host, Npm, PyPi, Setting, Start

PROGRAMS = Path(__file__).parents[1] / "programs"


def _variables(setting: Setting) -> dict[str, str]:
    # Traces go to OpenAI, wherever the model is.
    return {
        "OPENAI_BASE_URL": f"{setting.model}/v1",
        "OPENAI_API_KEY": "stand-in",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }


def python(setting: Setting) -> Start:
    entry = setting.entry
    program = str(PROGRAMS / "openai_agents_turn.py")
    return Start([setting.python(), program, PROMPT, entry.command, *entry.arguments], _variables(setting))


def javascript(setting: Setting) -> Start:
    entry = setting.entry
    # What it imports is looked for beside it.
    program = shutil.copy(PROGRAMS / "openai_agents_turn.mjs", setting.installed)
    return Start([str(setting.node), str(program), PROMPT, entry.command, *entry.arguments], _variables(setting))


HOSTS = (
    Host(
        name="openai-agents",
        source=PyPi(("openai-agents==0.24.0", "openai==3.57.0", "mcp==2.3.0")),
        start=python,
        opens_with="2026-07-28",
        client="mcp",
        patience=15,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="same turn",
        shows="output",
        speaks="openai-responses",
        notes="server/discover 10 s, then initialize 5 s; a call may take 5 s, and the model is not told what failed.",
    ),
    Host(
        name="openai-agents-js",
        source=Npm(("@openai/agents@0.20.0",)),
        start=javascript,
        opens_with="2026-07-28",
        client="example",
        patience=5,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="same turn",
        shows="output",
        speaks="openai-responses",
        notes="server/discover is asked of a first copy, which is killed; the second gets initialize. A call: 60 s.",
    ),
)
