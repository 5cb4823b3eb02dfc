"""The file of each host as it is found on people's machines: with other servers, other settings, and comments."""

from __future__ import annotations

PLANTED = "pl4nted-s3cret-value"
"""A secret of another entry; no command may show it."""

_SERVERS = """{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/me/notes"],
      "env": { "API_KEY": "pl4nted-s3cret-value" }
    }
  }
}
"""

_VS_CODE = """{
\t// Servers of this profile
\t"servers": {
\t\t"playwright": {
\t\t\t"type": "stdio",
\t\t\t"command": "npx",
\t\t\t"args": ["@playwright/mcp@latest"],
\t\t\t"env": {"API_KEY": "pl4nted-s3cret-value"},
\t\t},
\t},
\t"inputs": []
}
"""

_CLAUDE_CODE = """{
  "numStartups": 41,
  "installMethod": "npm",
  "tipsHistory": {"new-user-warmup": 3, "plan-mode": 17},
  "mcpServers": {
    "files": {"type": "stdio", "command": "npx", "args": ["-y", "files"], "env": {"API_KEY": "pl4nted-s3cret-value"}}
  },
  "projects": {
    "/home/me/code": {"allowedTools": [], "history": [{"display": "caf\\u00e9 \\"quoted\\""}], "mcpServers": {}}
  },
  "userID": "0a1b2c"
}"""

_GEMINI = """{
  "security": {"auth": {"selectedType": "oauth-personal"}},
  // shared with the team
  "ui": {"theme": "Ayu", "hideTips": true}
}
"""

_CODEX = """# my settings
model = "gpt-5.1-codex"   # the default
approval_policy = "on-request"

[projects."/home/me/code"]
trust_level = "trusted"

[mcp_servers.files]
command = "npx"
args = ["-y", "files"]
env = { "API_KEY" = "pl4nted-s3cret-value" }

[mcp_servers.files.tools.read]
approval_mode = "approve"

[tui]
notifications = true
"""

_ZED = """// Zed settings
//
// For information on how to configure Zed, see the Zed
// documentation: https://zed.dev/docs/configuring-zed
{
  "ui_font_size": 16, // larger
  "context_servers": {
    /* the first one */
    "files": {
      "source": "custom",
      "command": "npx",
      "args": [],
      "env": {"API_KEY": "pl4nted-s3cret-value"},
    },
  },
  "theme": { "mode": "system", "light": "One Light", "dark": "One Dark" },
}
"""

_GOOSE = """# Goose
GOOSE_PROVIDER: anthropic
GOOSE_MODEL: claude-sonnet-4-5   # the one that works
extensions:
  developer:
    bundled: true
    enabled: true
    name: developer
    timeout: 300
    type: builtin
  # mine
  files:
    args:
    - -y
    - files
    cmd: npx
    enabled: true
    envs:
      API_KEY: pl4nted-s3cret-value
    name: files
    type: stdio
GOOSE_MODE: smart_approve
"""

_OPENCODE = """{
  "$schema": "https://opencode.ai/config.json",
  "theme": "opencode",
  "mcp": {
    "files": {"type": "local", "command": ["npx", "files"], "environment": {"API_KEY": "pl4nted-s3cret-value"}}
  }
}
"""

_AMP = """{
  "$schema": "https://ampcode.com/cli-settings.schema.json",
  "amp.showCosts": true,
  "amp.mcpServers": {"files": {"command": "npx", "args": ["files"], "env": {"API_KEY": "pl4nted-s3cret-value"}}}
}
"""

_CRUSH = """{
  "$schema": "https://charm.land/crush.json",
  "lsp": {"go": {"command": "gopls"}},
  "mcp": {"files": {"type": "stdio", "command": "npx", "args": ["files"], "env": {"API_KEY": "pl4nted-s3cret-value"}}}
}
"""

OF_HOST = {
    **dict.fromkeys(("vscode", "vscode-insiders", "vscodium"), _VS_CODE),
    **dict.fromkeys(("gemini", "qwen"), _GEMINI),
    "claude-code": _CLAUDE_CODE,
    "codex": _CODEX,
    "grok": _CODEX,
    "kilo": _OPENCODE,
    "zed": _ZED,
    "goose": _GOOSE,
    "opencode": _OPENCODE,
    "amp": _AMP,
    "crush": _CRUSH,
}
"""The files by the key of the host."""


def file_of(key: str) -> str:
    """The file of a host; most have the plain form."""
    return OF_HOST.get(key, _SERVERS)
