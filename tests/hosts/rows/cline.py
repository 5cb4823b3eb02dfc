"""Cline's CLI, from npm: one turn with a model of the user's own."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, Host, Npm, Setting, Start


def turn(setting: Setting) -> Start:
    folder = setting.home / ".cline" / "data" / "settings"
    provider = {
        "provider": "openai-compatible",
        "apiKey": "stand-in",
        "model": "stand-in",
        "baseUrl": f"{setting.model}/v1",
    }
    providers = {
        "version": 1,
        "lastUsedProvider": "openai-compatible",
        "modes": {},
        "providers": {
            "openai-compatible": {
                "settings": provider,
                "updatedAt": "2026-11-30T00:00:00.000Z",
                "tokenSource": "manual",
            }
        },
    }
    setting.write(folder / "providers.json", json.dumps(providers))
    servers = {"mcpServers": setting.servers()}
    setting.write(folder / "cline_mcp_settings.json", json.dumps(servers))
    command = [setting.program("@cline/cli-*/bin/cline*"), "--provider", "openai-compatible", PROMPT]
    return Start(command, {"CLINE_NO_AUTO_UPDATE": "1", "DO_NOT_TRACK": "1", "CLINE_TELEMETRY_DISABLED": "1"})


HOSTS = (
    Host(
        name="cline",
        source=Npm(("cline@3.0.65",)),
        start=turn,
        opens_with="2024-11-05",
        client="@cline/core",
        patience=2.9,
        passes_desktop=True,
        lists_again="never",
        shows="log",
        reads_one_page=("tools/list",),
        speaks="openai-chat",
        servers_at_once=4,
        logs=(".cline/data/logs/*.log",),
    ),
)
