"""Gemini CLI, and Qwen Code, which began as a copy of it: one turn each, and `mcp list`."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, SERVER, Host, Npm, Setting, Start

GEMINI = Npm(("@google/gemini-cli@0.61.0",))
QWEN = Npm(("@qwen-code/qwen-code@0.24.4",))


def _gemini(setting: Setting) -> dict[str, str]:
    settings = {
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "mcpServers": setting.timed_servers(),
    }
    setting.write(setting.home / ".gemini" / "settings.json", json.dumps(settings))
    return {
        "GEMINI_API_KEY": "stand-in",
        "GOOGLE_GEMINI_BASE_URL": setting.model,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def gemini_turn(setting: Setting) -> Start:
    variables = _gemini(setting)
    program = setting.npm("@google/gemini-cli", "bundle/gemini.js")
    return Start([*program, "--yolo", "--model", "gemini-2.5-flash", "--prompt", PROMPT], variables)


def gemini_list(setting: Setting) -> Start:
    variables = _gemini(setting)
    return Start([*setting.npm("@google/gemini-cli", "bundle/gemini.js"), "mcp", "list"], variables)


def _qwen(setting: Setting) -> dict[str, str]:
    settings = {
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "security": {"auth": {"selectedType": "openai"}},
        "model": {"name": "stand-in"},
        "mcpServers": setting.timed_servers(),
    }
    setting.write(setting.home / ".qwen" / "settings.json", json.dumps(settings))
    return {"OPENAI_API_KEY": "stand-in", "OPENAI_BASE_URL": f"{setting.model}/v1", "OPENAI_MODEL": "stand-in"}


def qwen_turn(setting: Setting) -> Start:
    variables = _qwen(setting)
    return Start([*setting.npm("@qwen-code/qwen-code", "cli-entry.js"), "--yolo", PROMPT], variables)


def qwen_list(setting: Setting) -> Start:
    variables = _qwen(setting)
    return Start([*setting.npm("@qwen-code/qwen-code", "cli-entry.js"), "mcp", "list"], variables)


HOSTS = (
    Host(
        name="gemini",
        source=GEMINI,
        start=gemini_turn,
        opens_with="2025-06-18",
        client="gemini-cli-mcp-client",
        patience=None,
        passes_desktop=True,
        lists_again="same turn",
        shows="nowhere",
        restarts_on_progress=False,
        reads_one_page=("tools/list", "prompts/list"),
        failed="MCP issues detected",
        speaks="gemini",
        servers_at_once=16,
    ),
    Host(
        name="gemini-mcp-list",
        installs_as="gemini",
        source=GEMINI,
        start=gemini_list,
        opens_with="2025-06-18",
        client="mcp-test-client",
        patience=5,
        passes_desktop=True,
        lists_again="not seen",
        shows="nowhere",
        calls=False,
        shows_tools=False,
        connected=f"✓ {SERVER}",
        failed=f"✗ {SERVER}",
    ),
    Host(
        name="qwen",
        source=QWEN,
        start=qwen_turn,
        opens_with="2025-11-25",
        client=f"qwen-cli-mcp-client-{SERVER}",
        patience=30,
        passes_desktop=True,
        lists_again="never",
        shows="nowhere",
        restarts_on_progress=False,
        reads_one_page=("prompts/list", "resources/list"),
        speaks="openai-chat",
        servers_at_once=16,
        failed=f"failed to start: {SERVER}",
    ),
    Host(
        name="qwen-mcp-list",
        installs_as="qwen",
        source=QWEN,
        start=qwen_list,
        opens_with="2025-11-25",
        client="mcp-test-client",
        patience=10,
        passes_desktop=True,
        lists_again="not seen",
        shows="nowhere",
        calls=False,
        shows_tools=False,
        connected=f"✓.* {SERVER}",
        failed=f"✗.* {SERVER}",
    ),
)
