"""OpenCode, from npm: one turn of `opencode run`, and `opencode mcp list`."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, SERVER, Host, Npm, Setting, Start

SOURCE = Npm(("opencode-ai@1.18.33",))


def _configure(setting: Setting) -> dict[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "stand-in",
        "options": {"baseURL": f"{setting.model}/v1", "apiKey": "stand-in"},
        "models": {"stand-in": {"name": "stand-in", "tool_call": True}},
    }
    servers: dict[str, dict[str, object]] = {
        name: {"type": "local", "command": [entry.command, *entry.arguments], "enabled": True}
        for name, entry in setting.entries.items()
    }
    if setting.call_patience is not None:
        servers = {name: server | {"timeout": setting.call_patience * 1000} for name, server in servers.items()}
    config = {
        "$schema": "https://opencode.ai/config.json",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"stand-in": provider},
        "model": "stand-in/stand-in",
        "small_model": "stand-in/stand-in",
        "mcp": servers,
    }
    setting.write(setting.home / ".config" / "opencode" / "opencode.json", json.dumps(config))
    return {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }


def turn(setting: Setting) -> Start:
    variables = _configure(setting)
    return Start([setting.program("opencode-[!a]*/bin/opencode*"), "run", PROMPT], variables)


def listing(setting: Setting) -> Start:
    variables = _configure(setting)
    return Start([setting.program("opencode-[!a]*/bin/opencode*"), "mcp", "list"], variables)


HOSTS = (
    Host(
        name="opencode",
        source=SOURCE,
        start=turn,
        opens_with="2025-11-25",
        client="opencode",
        patience=30,
        passes_desktop=True,
        lists_again="same turn",
        shows="nowhere",
        restarts_on_progress=True,
        speaks="openai-chat",
        servers_at_once=16,
        logs=(".local/share/opencode/log/*.log",),
        failed="server unavailable",
    ),
    Host(
        name="opencode-mcp-list",
        installs_as="opencode",
        source=SOURCE,
        start=listing,
        opens_with="2025-11-25",
        client="opencode",
        patience=30,
        passes_desktop=True,
        lists_again="not seen",
        shows="output",
        calls=False,
        shows_tools=False,
        connected=f"✓ {SERVER} .*connected",
        logs=(".local/share/opencode/log/*.log",),
    ),
)
