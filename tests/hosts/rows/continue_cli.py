"""Continue's CLI, from npm: one turn in print mode."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, Host, Npm, Setting, Start


def turn(setting: Setting) -> Start:
    model = {
        "name": "stand-in",
        "provider": "openai",
        "model": "gpt-4o",
        "apiBase": f"{setting.model}/v1",
        "apiKey": "stand-in",
        "roles": ["chat"],
        "capabilities": ["tool_use"],
    }
    config = {
        "name": "stand-in",
        "version": "1.0.0",
        "schema": "v1",
        "models": [model],
        "mcpServers": [{"name": name} | entry for name, entry in setting.servers().items()],
    }
    # JSON is YAML.
    file = setting.write(setting.home / ".continue" / "config.yaml", json.dumps(config))
    command = [*setting.npm("@continuedev/cli", "dist/cn.js"), "--print", "--auto", "--config", str(file), PROMPT]
    return Start(command, {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_ENABLE_TELEMETRY": "0"})


HOSTS = (
    Host(
        name="continue",
        source=Npm(("@continuedev/cli@1.5.47",)),
        start=turn,
        opens_with="2025-11-25",
        client="continue-cli-client",
        patience=60,
        passes_desktop=True,
        lists_again="never",
        shows="output",
        reads_one_page=("tools/list", "prompts/list"),
        speaks="openai-chat",
        servers_at_once=16,
        logs=(".continue/logs/*.log",),
        limit=130,
    ),
)
