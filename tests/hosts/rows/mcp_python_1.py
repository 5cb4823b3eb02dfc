"""The reference client of the 1.x line: PyPI's `mcp`, which LangChain and smolagents are still built on."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import Host, PyPi, Setting, Start

PROGRAM = Path(__file__).parents[1] / "programs" / "mcp_client_1.py"


def start(setting: Setting) -> Start:
    return Start([setting.python(), str(PROGRAM), setting.entry.command, *setting.entry.arguments])


HOSTS = (
    Host(
        name="mcp-python-1",
        source=PyPi(("mcp==1.30.0",)),
        start=start,
        opens_with="2025-11-25",
        client="mcp",
        patience=None,
        passes_desktop=False,
        lists_again="same turn",
        shows="output",
        reads_one_page=("tools/list",),
        servers_at_once=1,
        limit=60,
    ),
)
