"""The servers that hosts on this machine are configured to reach through this bridge. Files are only read.

| host | file | where in it |
|---|---|---|
| Claude Desktop | `claude_desktop_config.json`, on Windows also that of its MSIX package | `mcpServers` |
| Claude Code | `~/.claude.json` | `mcpServers`, and those of its `projects` |
| Cursor | `~/.cursor/mcp.json` | `mcpServers` |
| VS Code, and Insiders | `mcp.json` of the user's folder; `~/.copilot/mcp-config.json` | `servers`; `mcpServers` |
| Windsurf | `~/.codeium/windsurf/mcp_config.json` | `mcpServers` |
| Codex | `config.toml` of `$CODEX_HOME` or `~/.codex` | `mcp_servers` |
| Gemini CLI | `~/.gemini/settings.json` | `mcpServers` |
| Zed | `settings.json` | `context_servers` |

Files in the working folder (`.mcp.json`, `.vscode/mcp.json`) are left out: whoever made that folder would decide which
server a name means, and which of the user's variables and files are sent there as a client secret. So is Goose, whose
file is YAML.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.app.invocation import arguments_of

LIMIT = 16_000_000
"""Bytes that are read of one file: Claude Code keeps more than servers in its own."""

_MOST_ENTRIES = 1000

Key = Literal["mcpServers", "servers", "context_servers", "mcp_servers"]


@dataclass(frozen=True, slots=True)
class HostFile:
    """One configuration file. `key` names the table of servers in it."""

    host: str
    path: Path
    key: Key = "mcpServers"


@dataclass(frozen=True, slots=True)
class Entry:
    """A server's entry: the bridge's arguments, and the variables that the host sets for it. Both may hold secrets."""

    host: str
    path: Path
    name: str
    arguments: tuple[str, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostEntries:
    """What was found; `notes` tell of files that could not be read, a sentence each."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def host_files(platform: str, environ: Mapping[str, str], home: Path) -> list[HostFile]:
    """Where hosts keep their configuration on `platform` (`sys.platform`); not all of it is there."""
    settings = _settings_folder(platform, environ, home)
    zed = settings / "Zed" if platform == "win32" else _xdg(platform, environ, home) / "zed"
    codex = Path(environ.get("CODEX_HOME") or home / ".codex")
    claude = [settings / "Claude"]
    if platform == "win32":
        # The package's own view of that folder: its builds read only this one.
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        claude += sorted((local / "Packages").glob("Claude_*/LocalCache/Roaming/Claude"))
    return [
        *(HostFile("Claude Desktop", folder / "claude_desktop_config.json") for folder in claude),
        HostFile("Claude Code", home / ".claude.json"),
        HostFile("Cursor", home / ".cursor" / "mcp.json"),
        HostFile("VS Code", settings / "Code" / "User" / "mcp.json", "servers"),
        HostFile("VS Code Insiders", settings / "Code - Insiders" / "User" / "mcp.json", "servers"),
        HostFile("VS Code", home / ".copilot" / "mcp-config.json"),
        HostFile("Windsurf", home / ".codeium" / "windsurf" / "mcp_config.json"),
        HostFile("Codex", codex / "config.toml", "mcp_servers"),
        HostFile("Gemini CLI", home / ".gemini" / "settings.json"),
        HostFile("Zed", zed / "settings.json", "context_servers"),
    ]


def _settings_folder(platform: str, environ: Mapping[str, str], home: Path) -> Path:
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    if platform == "darwin":
        return home / "Library" / "Application Support"
    return _xdg(platform, environ, home)


def _xdg(platform: str, environ: Mapping[str, str], home: Path) -> Path:
    named = environ.get("XDG_CONFIG_HOME") if platform not in ("darwin", "win32") else None
    return Path(named or home / ".config")


def read_entries(files: Iterable[HostFile]) -> HostEntries:
    """The entries that run this bridge. A broken file is a note; one that is not there is nothing."""
    entries: list[Entry] = []
    notes = []
    for file in files:
        try:
            content = _content(file)
        except (OSError, ValueError, RecursionError) as problem:
            why = (problem.strerror if isinstance(problem, OSError) else None) or "it is not what its name says"
            notes.append(f"The configuration of {file.host} cannot be read: {why} ({file.path}).")
            continue
        entries += _entries(file, content)
    return HostEntries(tuple(entries[:_MOST_ENTRIES]), tuple(notes))


def _content(file: HostFile) -> object:
    try:
        with file.path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > LIMIT:
        raise ValueError("too long")
    text = data.decode("utf-8-sig")
    if file.path.suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        # Editors' files hold comments and commas before a closing bracket.
        import jsonc

        return jsonc.loads(text)


def _entries(file: HostFile, content: object) -> Iterator[Entry]:
    for table in _tables(content, file.key):
        for name, value in table.items():
            words, environ = _words(value)
            arguments = arguments_of(words, is_process=False)
            if arguments is not None:
                yield Entry(file.host, file.path, name, arguments, environ)


def _tables(content: object, key: Key) -> Iterator[dict[str, Any]]:
    """The tables of servers: the file's own, and those that Claude Code keeps for each project."""
    if not isinstance(content, dict):
        return
    projects = content.get("projects") if key == "mcpServers" else None
    for holder in (content, *(projects.values() if isinstance(projects, dict) else ())):
        table = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(table, dict):
            yield table


def _words(value: object) -> tuple[list[str], dict[str, str]]:
    """The command line of an entry and its variables; no words where it runs no program."""
    if not isinstance(value, dict):
        return [], {}
    command = value.get("command")
    if isinstance(command, dict):  # As older settings of Zed have it.
        value, command = command, command.get("path")
    words = value.get("args") or []
    if not isinstance(command, str) or not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return [], {}
    variables = value.get("env")
    environ = variables.items() if isinstance(variables, dict) else ()
    variables = {name: text for name, text in environ if isinstance(text, str)}
    if any("\0" in text for text in (command, *words, *variables, *variables.values())):
        return [], {}  # No system starts a program so.
    return [command, *words], variables
