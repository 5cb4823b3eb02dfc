"""GitHub's Copilot CLI, from npm: one turn with a model of the user's own."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, Host, Npm, Setting, Start


def turn(setting: Setting) -> Start:
    servers = {name: {"type": "local", "tools": ["*"]} | entry for name, entry in setting.timed_servers().items()}
    setting.write(setting.home / ".copilot" / "mcp-config.json", json.dumps({"mcpServers": servers}))
    variables = {
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
        "COPILOT_ALLOW_ALL": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{setting.model}/v1",
        "COPILOT_PROVIDER_API_KEY": "stand-in",
        "COPILOT_MODEL": "gpt-4.1",
    }
    return Start([setting.program("@github/copilot-*/copilot*"), "-p", PROMPT, "--allow-all-tools"], variables)


HOSTS = (
    Host(
        name="copilot",
        source=Npm(("@github/copilot@1.0.102",)),
        start=turn,
        opens_with="2026-07-28",
        client="copilot-cli",
        patience=65,
        passes_desktop=True,
        lists_again="same turn",
        shows="log",
        restarts_on_progress=True,
        speaks="openai-chat",
        servers_at_once=16,
        # Any "401" in an error is taken for a question of its own sign-in.
        misread="expected CallToolResult|Re-authentication required",
        limit=150,
        logs=(".copilot/logs/*.log",),
    ),
)
