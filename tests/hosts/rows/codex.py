"""Codex, from npm: one turn of `codex exec`, and turns of the app server, which its desktop app and extensions use."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.hosts.host import PROMPT, Host, Npm, Setting, Start

# What is TOML and JSON alike: strings and lists of strings.
CONFIG = """\
model = "gpt-5.1-codex"
model_provider = "stand-in"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.stand-in]
name = "stand-in"
base_url = {url}
env_key = "STAND_IN_KEY"
wire_api = "responses"
request_max_retries = 0

"""

SERVER_CONFIG = """
[mcp_servers.{server}]
command = {command}
args = {arguments}
"""


PROGRAM = Path(__file__).parents[1] / "programs" / "codex_app.py"


def _configure(setting: Setting, more: str = "") -> dict[str, str]:
    text = CONFIG.format(url=json.dumps(f"{setting.model}/v1"))
    for name, entry in setting.entries.items():
        command, arguments = json.dumps(entry.command), json.dumps(list(entry.arguments))
        text += SERVER_CONFIG.format(server=name, command=command, arguments=arguments) + more
        if setting.call_patience is not None:
            text += f"tool_timeout_sec = {setting.call_patience}\n"
    setting.write(setting.home / ".codex" / "config.toml", text)
    return {"STAND_IN_KEY": "stand-in"}


def turn(setting: Setting) -> Start:
    # Without `required` the turn begins about a second after the start, with the tools that are there by then.
    variables = _configure(setting, "required = true\n")
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    command = [*setting.npm("@openai/codex", "bin/codex.js"), "exec", *flags, PROMPT]
    return Start(command, variables)


def app(setting: Setting) -> Start:
    variables = _configure(setting)
    server = [*setting.npm("@openai/codex", "bin/codex.js"), "app-server"]
    return Start([sys.executable, str(PROGRAM), PROMPT, *server], variables)


SOURCE = Npm(("@openai/codex@0.171.0",))

HOSTS = (
    Host(
        name="codex",
        source=SOURCE,
        start=turn,
        opens_with="2025-06-18",
        client="codex-mcp-client",
        patience=30,
        passes_desktop=False,
        lists_again="never",
        shows="output",
        restarts_on_progress=False,
        speaks="openai-responses",
        servers_at_once=16,
        logs=(".codex/log/*.log",),
    ),
    Host(
        name="codex-app",
        installs_as="codex",
        source=SOURCE,
        start=app,
        opens_with="2025-06-18",
        client="codex-mcp-client",
        patience=30,
        passes_desktop=False,
        lists_again="never",
        shows="output",
        speaks="openai-responses",
        logs=(".codex/log/*.log",),
    ),
)
