"""MCP Inspector's command line, and mcporter: each calls one tool by name, without a model."""

from __future__ import annotations

import json

from tests.hosts.host import SERVER, Host, Npm, Setting, Start


def inspector(setting: Setting) -> Start:
    config = setting.write(setting.folder / "mcp.json", json.dumps({"mcpServers": {SERVER: setting.entry.as_json()}}))
    program = setting.npm("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    chosen = ["--cli", "--config", str(config), "--server", SERVER]
    return Start([*program, *chosen, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "said=hello"])


def inspector_list(setting: Setting) -> Start:
    config = setting.write(setting.folder / "mcp.json", json.dumps({"mcpServers": {SERVER: setting.entry.as_json()}}))
    program = setting.npm("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    return Start([*program, "--cli", "--config", str(config), "--server", SERVER, "--method", "tools/list"])


def mcporter(setting: Setting) -> Start:
    config = setting.write(setting.folder / "mcp.json", json.dumps({"mcpServers": {SERVER: setting.entry.as_json()}}))
    program = setting.npm("mcporter", "dist/cli.js")
    return Start([*program, "--config", str(config), "call", f"{SERVER}.echo", "said=hello"])


def mcporter_list(setting: Setting) -> Start:
    config = setting.write(setting.folder / "mcp.json", json.dumps({"mcpServers": {SERVER: setting.entry.as_json()}}))
    program = setting.npm("mcporter", "dist/cli.js")
    return Start([*program, "--config", str(config), "list", SERVER])


INSPECTOR = Npm(("@modelcontextprotocol/inspector@2.12.0",))
MCPORTER = Npm(("mcporter@0.12.3",))

HOSTS = (
    Host(
        name="inspector",
        shows_tools=False,
        source=INSPECTOR,
        start=inspector,
        opens_with="2025-11-25",
        client="inspector-cli",
        patience=30,
        passes_desktop=False,
        lists_again="not seen",
        shows="output",
    ),
    Host(
        name="inspector-list",
        installs_as="inspector",
        source=INSPECTOR,
        start=inspector_list,
        opens_with="2025-11-25",
        client="inspector-cli",
        patience=30,
        passes_desktop=False,
        lists_again="not seen",
        shows="output",
        calls=False,
    ),
    Host(
        name="mcporter",
        shows_tools=False,
        source=MCPORTER,
        start=mcporter,
        opens_with="2025-11-25",
        client="mcporter",
        patience=60,
        passes_desktop=True,
        lists_again="not seen",
        shows="output",
    ),
    Host(
        name="mcporter-list",
        installs_as="mcporter",
        source=MCPORTER,
        start=mcporter_list,
        opens_with="2025-11-25",
        client="mcporter",
        patience=30,
        passes_desktop=True,
        lists_again="not seen",
        shows="output",
        calls=False,
    ),
)
