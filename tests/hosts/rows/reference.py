"""The reference clients: PyPI's `mcp`, of either era, and npm's `@modelcontextprotocol/sdk`."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.host import Host, Setting, Start, TestEnvironment

PROGRAM = Path(__file__).parents[1] / "programs" / "mcp_client.py"


def _modern(setting: Setting) -> Start:
    return Start([setting.python(), str(PROGRAM), "modern", setting.entry.command, *setting.entry.arguments])


def _legacy(setting: Setting) -> Start:
    return Start([setting.python(), str(PROGRAM), "legacy", setting.entry.command, *setting.entry.arguments])


HOSTS = (
    Host(
        name="mcp-python",
        source=TestEnvironment(),
        start=_modern,
        opens_with="2026-07-28",
        client="mcp",
        patience=None,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="same turn",
        shows="output",
        reads_one_page=("tools/list",),
        servers_at_once=1,
        quick=True,
        limit=60,
    ),
    Host(
        name="mcp-python-legacy",
        source=TestEnvironment(),
        start=_legacy,
        opens_with="2025-11-25",
        client="mcp",
        patience=None,
        passes_desktop=False,
        lists_again="same turn",
        shows="output",
        reads_one_page=("tools/list",),
        servers_at_once=1,
        quick=True,
        limit=60,
    ),
)
