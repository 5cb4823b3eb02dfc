"""The reference clients in TypeScript, from npm: `@modelcontextprotocol/client`, and `.../sdk`, which it succeeds."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.hosts.host import Host, Npm, Setting, Start

PROGRAMS = Path(__file__).parents[1] / "programs"
CLIENT = Npm(("@modelcontextprotocol/client@2.4.0",))


def _start(setting: Setting, program: str, *arguments: str) -> Start:
    entry = setting.entry
    # What it imports is looked for beside it.
    copied = shutil.copy(PROGRAMS / program, setting.installed)
    return Start([str(setting.node), str(copied), *arguments, entry.command, *entry.arguments])


def modern(setting: Setting) -> Start:
    return _start(setting, "mcp_client.mjs", "auto")


def legacy(setting: Setting) -> Start:
    return _start(setting, "mcp_client.mjs", "legacy")


def first_line(setting: Setting) -> Start:
    return _start(setting, "mcp_client_1.mjs")


HOSTS = (
    Host(
        name="mcp-typescript",
        source=CLIENT,
        start=modern,
        opens_with="2026-07-28",
        client="mcp-typescript",
        patience=60,
        passes_desktop=False,
        lists_again="same turn",
        lists_again_modern="same turn",
        shows="output",
        servers_at_once=1,
        notes="It asks server/discover of a copy of its own, which is killed then; 60 s for a call.",
    ),
    Host(
        name="mcp-typescript-legacy",
        installs_as="mcp-typescript",
        source=CLIENT,
        start=legacy,
        opens_with="2025-11-25",
        client="mcp-typescript",
        patience=60,
        passes_desktop=False,
        lists_again="same turn",
        shows="output",
        servers_at_once=1,
    ),
    Host(
        name="mcp-typescript-1",
        source=Npm(("@modelcontextprotocol/sdk@1.32.2",)),
        start=first_line,
        opens_with="2025-11-25",
        client="mcp-typescript",
        patience=60,
        passes_desktop=False,
        lists_again="same turn",
        shows="output",
        reads_one_page=("tools/list",),
        servers_at_once=1,
    ),
)
