"""Codex, from npm: one turn of `codex exec`."""

from __future__ import annotations

import json

from tests.hosts.host import PROMPT, SERVER, Host, Npm, Setting, Start

# Without `required` a turn of `codex exec` begins about a second after the start, with the tools that are there then.
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

[mcp_servers.{server}]
command = {command}
args = {arguments}
required = true
"""


def turn(setting: Setting) -> Start:
    text = CONFIG.format(
        url=json.dumps(f"{setting.model}/v1"),
        server=SERVER,
        command=json.dumps(setting.entry.command),
        arguments=json.dumps(list(setting.entry.arguments)),
    )
    setting.write(setting.home / ".codex" / "config.toml", text)
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    command = [*setting.npm("@openai/codex", "bin/codex.js"), "exec", *flags, PROMPT]
    return Start(command, {"STAND_IN_KEY": "stand-in"})


HOSTS = (
    Host(
        name="codex",
        source=Npm(("@openai/codex@0.171.0",)),
        start=turn,
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
