"""The hosts whose configuration the commands read and write, one row each.

| column | meaning |
|---|---|
| `key`, `name` | how the user writes the host on the command line; how messages name it |
| `files` | the user's own files, for each system; the first is the usual one |
| `project` | the file in a project's folder; empty where the host has none |
| `table` | the members that lead to the servers' table in each of these files |
| `shape` | the form of one entry (`entry_shapes`) |
| `names` | the characters that an entry's name may consist of |
| `programs`, `apps` | programs on PATH and macOS applications; any shows that the host is there, as its folder does |
| `restart` | what the user does so that the host reads its file again |
| `source` | where the row is from |
| `takes_urls` | whether the host itself connects to a server whose URL is in this file |
| `note` | what else the user has to know |

A name that programs other than the host have too (`goose`, `amp`, `pi`) is not in `programs`.

A path is written as a shell would take it: `~`, `${NAME:-default}`, `*` for any part of a name. `{a,b}` stands for the
first of several files that exists, or else the first. The member `projects` of Claude Code's file holds a table of its
own for each project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Literal

import msgspec

from bridge import PROGRAM
from bridge.inventory.entry_shapes import (
    CODEX,
    COPILOT,
    GOOSE,
    KIMI,
    OPENCODE,
    PLAIN,
    STDIO,
    WINDSURF,
    ZED,
    EntryShape,
)

Paths = Mapping[str, tuple[str, ...]]
"""For each of `linux`, `darwin` and `win32` the paths of a host's files."""

NameRule = Literal["A-Za-z0-9_-", "A-Za-z0-9-", "a-z0-9_-"]

_LONGEST_NAME = 40
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_CHOICE = re.compile(r"\{([^}]*,[^}]*)\}")

_XDG = "${XDG_CONFIG_HOME:-~/.config}"
_ROAMING = "${APPDATA:-~/AppData/Roaming}"
_LOCAL = "${LOCALAPPDATA:-~/AppData/Local}"
_SUPPORT = "~/Library/Application Support"


def _everywhere(*paths: str) -> Paths:
    return {"linux": paths, "darwin": paths, "win32": paths}


def _in_settings(*paths: str) -> Paths:
    """The same file in the folder in which each system keeps applications' settings."""
    folders = {"linux": _XDG, "darwin": _SUPPORT, "win32": _ROAMING}
    return {system: tuple(f"{folder}/{path}" for path in paths) for system, folder in folders.items()}


def _of_extension(path: str, *more: str) -> Paths:
    """The file of a VS Code extension, in each editor that can have it; `more` are the same everywhere."""
    found = _in_settings(*(f"{editor}/User/globalStorage/{path}" for editor in ("Code", "Code - Insiders", "VSCodium")))
    return {system: (*paths, *more) for system, paths in found.items()}


_PACKAGE = f"{_LOCAL}/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json"

_QUIT = "Quit {0} completely, also from the tray or the menu bar, and open it again."
_WINDOW = "In {0}, run the command Developer: Reload Window, or open it again."
_SESSION = "Start a new session of {0}; sessions that are open do not see the entry."

_ADD_MCP = "npm add-mcp 2.4.0"


class HostRow(msgspec.Struct, frozen=True):
    """One host; the columns are explained at the head of this file."""

    key: str
    name: str
    files: Paths
    restart: str
    source: str
    project: str = ""
    table: tuple[str, ...] = ("mcpServers",)
    shape: EntryShape = PLAIN
    names: NameRule = "A-Za-z0-9_-"
    programs: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    takes_urls: bool = True
    note: str = ""

    @property
    def restart_sentence(self) -> str:
        """What the user does so that the host reads its file again."""
        return self.restart.format(self.name)

    def may_be_named(self, name: str) -> bool:
        """Whether an entry of this host may have this name."""
        return re.fullmatch(f"[{self.names}]{{1,{_LONGEST_NAME}}}", name) is not None

    def name_from(self, text: str) -> str:
        """`text` as a name that this host allows; `server` where nothing of it is left."""
        lower = text.lower() if "A-Z" not in self.names else text
        kept = re.sub(f"[^{self.names}]+", "-", lower).strip("-_")[:_LONGEST_NAME]
        return kept.rstrip("-_") or "server"


# fmt: off
HOSTS: tuple[HostRow, ...] = (
    HostRow("claude-desktop", "Claude Desktop",
            # The packaged build (MSIX) reads only its own copy of AppData (anthropics/claude-code#26073).
            {**_in_settings("Claude/claude_desktop_config.json"),
             "win32": (f"{_ROAMING}/Claude/claude_desktop_config.json", _PACKAGE)},
            _QUIT, f"https://modelcontextprotocol.io/quickstart/user; anthropics/claude-code#26073; {_ADD_MCP}",
            apps=("Claude",), takes_urls=False,
            note="It takes only local servers in this file, and none by a URL alone."),
    HostRow("claude-code", "Claude Code",
            _everywhere("${CLAUDE_CONFIG_DIR:-~}/.claude.json"),
            _SESSION, f"https://code.claude.com/docs/en/mcp; {_ADD_MCP}",
            project=".mcp.json", shape=STDIO, programs=("claude",)),
    HostRow("cursor", "Cursor",
            _everywhere("~/.cursor/mcp.json"),
            "In the settings of {0}, under MCP, turn the server on, or open {0} again.",
            f"https://cursor.com/docs/context/mcp; {_ADD_MCP}",
            project=".cursor/mcp.json", programs=("cursor", "cursor-agent"), apps=("Cursor",)),
    HostRow("vscode", "VS Code",
            _in_settings("Code/User/mcp.json"),
            _WINDOW, f"https://code.visualstudio.com/docs/copilot/customization/mcp-servers; {_ADD_MCP}",
            project=".vscode/mcp.json", table=("servers",), shape=STDIO, programs=("code",),
            apps=("Visual Studio Code",), note="Profiles other than the default one have files of their own."),
    HostRow("vscode-insiders", "VS Code Insiders",
            _in_settings("Code - Insiders/User/mcp.json"),
            _WINDOW, "https://code.visualstudio.com/docs/copilot/customization/mcp-servers",
            project=".vscode/mcp.json", table=("servers",), shape=STDIO, programs=("code-insiders",),
            apps=("Visual Studio Code - Insiders",)),
    HostRow("vscodium", "VSCodium",
            _in_settings("VSCodium/User/mcp.json"),
            _WINDOW, "VSCodium/vscodium, docs: the folder is VSCodium; the rest is as in VS Code",
            project=".vscode/mcp.json", table=("servers",), shape=STDIO, programs=("codium",), apps=("VSCodium",)),
    HostRow("windsurf", "Windsurf",
            _everywhere("~/.codeium/windsurf/mcp_config.json"),
            "In the MCP settings of {0}, refresh the servers, or open {0} again.",
            f"https://docs.windsurf.com/windsurf/cascade/mcp; {_ADD_MCP}",
            shape=WINDSURF, programs=("windsurf",), apps=("Windsurf",)),
    HostRow("codex", "Codex",
            _everywhere("${CODEX_HOME:-~/.codex}/config.toml"),
            _SESSION, f"openai/codex/docs/config.md; {_ADD_MCP}",
            project=".codex/config.toml", table=("mcp_servers",), shape=CODEX, programs=("codex",), apps=("Codex",),
            note="Codex reads the file of a project only if you trust that project."),
    HostRow("gemini", "Gemini CLI",
            _everywhere("~/.gemini/settings.json"),
            _SESSION, f"google-gemini/gemini-cli/docs/tools/mcp-server.md (no underscores in names); {_ADD_MCP}",
            project=".gemini/settings.json", names="A-Za-z0-9-", programs=("gemini",)),
    HostRow("qwen", "Qwen Code",
            _everywhere("${QWEN_HOME:-~/.qwen}/settings.json"),
            _SESSION, "npm @qwen-code/qwen-code 0.15.10 (getGlobalQwenDir); names as in Gemini CLI",
            project=".qwen/settings.json", names="A-Za-z0-9-", programs=("qwen",)),
    HostRow("zed", "Zed",
            {"linux": (f"{_XDG}/zed/settings.json",), "darwin": ("~/.config/zed/settings.json",),
             "win32": (f"{_ROAMING}/Zed/settings.json",)},
            "{0} starts the server at once; its Agent Panel shows whether it runs.",
            f"https://zed.dev/docs/ai/mcp; zed-industries/zed/crates/paths; {_ADD_MCP}",
            project=".zed/settings.json", table=("context_servers",), shape=ZED, programs=("zed", "zeditor"),
            apps=("Zed",)),
    HostRow("goose", "Goose",
            {"linux": (f"{_XDG}/goose/config.yaml",), "darwin": ("~/.config/goose/config.yaml",),
             "win32": (f"{_ROAMING}/Block/goose/config/config.yaml",)},
            _SESSION, f"https://block.github.io/goose/docs/guides/config-files; {_ADD_MCP}",
            table=("extensions",), shape=GOOSE, names="a-z0-9_-", apps=("Goose",)),
    HostRow("opencode", "OpenCode",
            _everywhere(f"{_XDG}/opencode/{{opencode.json,opencode.jsonc}}"),
            _SESSION, f"https://opencode.ai/docs/mcp-servers; {_ADD_MCP}",
            project="{opencode.json,opencode.jsonc}", table=("mcp",), shape=OPENCODE, programs=("opencode",)),
    HostRow("copilot", "GitHub Copilot CLI",
            _everywhere("${COPILOT_HOME:-~/.copilot}/mcp-config.json"),
            _SESSION, f"https://docs.github.com/copilot/how-tos/copilot-cli; npm @github/copilot 1.0.102; {_ADD_MCP}",
            project=".github/mcp.json", shape=COPILOT, programs=("copilot",)),
    HostRow("cline", "Cline",
            _of_extension("saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
                          "${CLINE_DIR:-~/.cline}/data/settings/cline_mcp_settings.json"),
            "The extension starts the server at once; start a new session of the CLI.",
            f"npm cline 3.0.65; {_ADD_MCP}", programs=("cline",),
            note="The extension in VS Code, VS Code Insiders and VSCodium, and the CLI: each that is there."),
    HostRow("roo", "Roo Code",
            _of_extension("rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
            "{0} starts the server at once; its MCP view shows whether it runs.",
            "https://docs.roocode.com/features/mcp/using-mcp-in-roo",
            project=".roo/mcp.json"),
    HostRow("continue", "Continue",
            _everywhere(f"~/.continue/mcpServers/{PROGRAM}.json"),
            "In the editor, run the command Developer: Reload Window.",
            "continuedev/continue/core/context/mcp/json/loadJsonMcpConfigs.ts, #12254",
            project=f".continue/mcpServers/{PROGRAM}.json",
            note="Continue's extensions read every file of that folder. Its CLI (cn) reads only config.yaml."),
    HostRow("crush", "Crush",
            _everywhere(f"{_XDG}/crush/crush.json"),
            _SESSION, "charmbracelet/crush/docs/config/README.md (JSON beside crushrc)",
            project="{crush.json,.crush.json}", table=("mcp",), shape=STDIO, programs=("crush",)),
    HostRow("amp", "Amp",
            _everywhere("~/.config/amp/{settings.json,settings.jsonc}"),
            _SESSION, "https://ampcode.com/manual; the dot is part of the member's name",
            project=".amp/{settings.json,settings.jsonc}", table=("amp.mcpServers",),
            note="Amp asks you to approve the servers of a project: amp mcp approve NAME."),
    HostRow("junie", "JetBrains Junie",
            _everywhere("~/.junie/mcp/mcp.json"),
            "Open a new chat with Junie; Settings, Tools, Junie, MCP Settings shows whether the server runs.",
            "https://www.jetbrains.com/help/junie/model-context-protocol-mcp.html",
            project=".junie/mcp/mcp.json", programs=("junie",)),
    HostRow("lm-studio", "LM Studio",
            _everywhere("~/{.lmstudio,.cache/lm-studio}/mcp.json"),
            "{0} reads the file at once; turn the server on in the tab Program.",
            "https://lmstudio.ai/docs/app/mcp; lmstudio-ai/lmstudio-bug-tracker#1371",
            programs=("lms",), apps=("LM Studio",)),
    HostRow("warp", "Warp",
            _everywhere("~/.warp/.mcp.json"),
            "In Warp, open Settings, Agents, MCP servers, and start the server.",
            "warpdotdev/warp, skill agent-add-mcp; https://docs.warp.dev/agents/capabilities/mcp",
            project=".warp/.mcp.json", programs=("warp-terminal",), apps=("Warp",)),
    HostRow("kiro", "Kiro",
            _everywhere("~/.kiro/settings/mcp.json"),
            "{0} starts the server at once; start a new session of its CLI.",
            f"https://kiro.dev/docs/mcp/configuration; {_ADD_MCP}",
            project=".kiro/settings/mcp.json", programs=("kiro", "kiro-cli"), apps=("Kiro",)),
    HostRow("antigravity", "Antigravity",
            _everywhere("~/.gemini/config/mcp_config.json"),
            "In {0}, refresh the MCP servers, or open {0} again.", _ADD_MCP,
            shape=WINDSURF, programs=("antigravity",), apps=("Antigravity",)),
    HostRow("kilo", "Kilo Code",
            _everywhere(f"{_XDG}/kilo/{{kilo.json,kilo.jsonc}}"),
            _SESSION, _ADD_MCP,
            project="{kilo.json,kilo.jsonc,.kilo/kilo.json,.kilo/kilo.jsonc}", table=("mcp",), shape=OPENCODE),
    HostRow("kimi", "Kimi Code",
            _everywhere("${KIMI_CODE_HOME:-~/.kimi-code}/mcp.json"),
            _SESSION, _ADD_MCP, project=".kimi-code/mcp.json", shape=KIMI, programs=("kimi",)),
    HostRow("grok", "Grok Build",
            _everywhere("${GROK_HOME:-~/.grok}/config.toml"),
            _SESSION, _ADD_MCP, project=".grok/config.toml", table=("mcp_servers",), programs=("grok",)),
    HostRow("pi", "Pi",
            _everywhere("${PI_CODING_AGENT_DIR:-~/.pi/agent}/mcp.json"),
            _SESSION, _ADD_MCP, project=".pi/mcp.json"),
)
# fmt: on

HOSTS_BY_KEY: Mapping[str, HostRow] = {row.key: row for row in HOSTS}


def paths_of(row: HostRow, platform: str, environ: Mapping[str, str], home: Path) -> list[Path]:
    """The user's files of this host on `platform` (`sys.platform`), whether or not they exist.

    A pattern stands for the files whose folder exists.
    """
    system = platform if platform in row.files else "linux"
    found: dict[Path, None] = {}
    for template in row.files[system]:
        found.update(dict.fromkeys(_paths(template, environ, home)))
    return list(found)


def project_path(row: HostRow, folder: Path) -> Path | None:
    """The host's file in the project `folder`; None where it has none."""
    return _best([folder / text for text in _alternatives(row.project)]) if row.project else None


def _paths(template: str, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    text = _VARIABLE.sub(lambda found: environ.get(found[1]) or found[2], template)
    paths = [Path(f"{home}{one[1:]}" if one.startswith("~") else one) for one in _alternatives(text)]
    path = _best(paths)
    parts = path.parts
    patterns = [index for index, part in enumerate(parts[:-1]) if "*" in part]
    if not patterns or "*" in str(home):
        yield path
        return
    # The folder of the file shows that the file belongs there; the file itself may be missing.
    fixed, varying = Path(*parts[: patterns[0]]), Path(*parts[patterns[0] : -1])
    yield from (folder / path.name for folder in sorted(fixed.glob(varying.as_posix())))


def _alternatives(text: str) -> list[str]:
    """The texts that one with `{a,b}` stands for."""
    parts = _CHOICE.split(text)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def _best(paths: list[Path]) -> Path:
    """The first that exists; else the first whose folder exists; else the first."""
    found = next((path for path in paths if path.exists()), None)
    return found or next((path for path in paths if path.parent.is_dir()), paths[0])
