"""Reads the servers from the configuration files of the hosts on this machine. It changes no file.

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

Files in the working folder (`.mcp.json`, `.vscode/mcp.json`) are left out, because the author of that folder would
choose which server a name means, and which of the user's variables and files are sent there as a client secret. Goose
is left out, because its file is YAML.

Entries that do not run this bridge are returned too, without what may be secret in them, so that an error can name
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.documents.reading import BrokenConfig, read_config
from bridge.inventory.command_line import arguments_of, is_url

_MOST_ENTRIES = 1000
_URL_KEYS = ("url", "serverUrl", "httpUrl")  # Most hosts; Windsurf; Gemini CLI.
_MCP_REMOTE = re.compile(r"(^|[/\\])mcp-remote(@[^/\\]*)?(\.cmd)?$")

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
class OtherEntry:
    """A server's entry that does not run this bridge.

    `program` is the name of the command, without its folder; empty where the host itself connects to the server. `url`
    is the remote server's URL, where the entry has one; it may hold a secret.
    """

    host: str
    path: Path
    name: str
    program: str
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HostEntries:
    """The entries; `notes` has a sentence for each file that could not be read."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    others: tuple[OtherEntry, ...] = ()


def host_files(platform: str, environ: Mapping[str, str], home: Path) -> list[HostFile]:
    """The hosts' configuration files on `platform` (`sys.platform`), whether or not they exist."""
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
    """The entries in these files. A file that cannot be read becomes a note; a missing one is ignored."""
    entries: list[Entry] = []
    others: list[OtherEntry] = []
    notes = []
    for file in files:
        try:
            content = read_config(file.path)
        except BrokenConfig as why:
            notes.append(f"The configuration of {file.host} cannot be read ({file.path}): {why}.")
            continue
        for entry in _entries(file, content):
            if isinstance(entry, Entry):
                entries.append(entry)
            else:
                others.append(entry)
    return HostEntries(tuple(entries[:_MOST_ENTRIES]), tuple(notes), tuple(others[:_MOST_ENTRIES]))


def _entries(file: HostFile, content: object) -> Iterator[Entry | OtherEntry]:
    for table in _tables(content, file.key):
        for name, value in table.items():
            words, environ = _words(value)
            arguments = arguments_of(words, is_process=False)
            if arguments is not None:
                yield Entry(file.host, file.path, name, arguments, environ)
            elif url := _own_url(value):
                yield OtherEntry(file.host, file.path, name, "", url)
            elif words:
                yield _of_another(file, name, words)


def _own_url(value: object) -> str:
    """The URL of a server that the host itself connects to; empty for other entries."""
    found = (value.get(key) for key in _URL_KEYS) if isinstance(value, dict) else ()
    return next((url for url in found if isinstance(url, str) and is_url(url)), "")


def _of_another(file: HostFile, name: str, words: list[str]) -> OtherEntry:
    remote = next((index for index, word in enumerate(words) if _MCP_REMOTE.search(word)), None)
    if remote is not None:
        url = next((word for word in words[remote + 1 :] if is_url(word)), "")
        return OtherEntry(file.host, file.path, name, "mcp-remote", url)
    return OtherEntry(file.host, file.path, name, re.split(r"[/\\]", words[0])[-1])


def _tables(content: object, key: Key) -> Iterator[dict[str, Any]]:
    """The tables of servers: the file's own, and those that Claude Code has for each project."""
    if not isinstance(content, dict):
        return
    projects = content.get("projects") if key == "mcpServers" else None
    for holder in (content, *(projects.values() if isinstance(projects, dict) else ())):
        table = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(table, dict):
            yield table


def _words(value: object) -> tuple[list[str], dict[str, str]]:
    """The command line of an entry, and its variables; no words where it runs no program."""
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
        return [], {}  # No system can start a program with these words.
    return [command, *words], variables
