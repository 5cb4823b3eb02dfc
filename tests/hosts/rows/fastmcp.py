"""FastMCP, from PyPI: its client, which others build on (Pydantic AI)."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "fastmcp_client.py"


def start(setting: Setting) -> Start:
    return Start([setting.python(), str(PROGRAM), setting.entry.command, *setting.entry.arguments])


HOSTS = (
    Host(
        name="fastmcp",
        source=PyPi(("fastmcp==4.2.3", "mcp==2.3.0")),
        start=start,
        opens_with="2026-07-28",
        client="fastmcp",
        patience=None,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="same turn",
        shows="output",
        limit=60,
        notes="Its caller lists again; it does not listen for changes by itself.",
    ),
)
