"""Reads the servers from the configuration files of the hosts on this machine (`host_table`). It changes no file.

Files in the working folder (`.mcp.json`, `.vscode/mcp.json`) are left out, because the author of that folder would
choose which server a name means, and which of the user's variables and files are sent there as a client secret.

Entries that do not run this bridge are returned too, without what may be secret in them, so that an error can name
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.documents.reading import BrokenConfig, read_config
from bridge.inventory.command_line import arguments_of, is_url
from bridge.inventory.entry_shapes import Launch, RemoteServer, read_entry
from bridge.inventory.host_table import HOSTS, paths_of

_MOST_ENTRIES = 1000
_MCP_REMOTE = re.compile(r"(^|[/\\])mcp-remote(@[^/\\]*)?(\.cmd)?$")
_PROJECTS = "projects"

Place = tuple[str, ...]
"""The members that lead to a value in a file."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """One configuration file. `table` are the members that lead to the servers in it; `key` is that of `host_table`."""

    host: str
    path: Path
    table: Place = ("mcpServers",)
    key: str = ""


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
    is the remote server's URL, where the entry has one; it may hold a secret. `words` are the command line, which may
    hold one too.
    """

    host: str
    path: Path
    name: str
    program: str
    url: str = field(default="", repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class HostEntries:
    """The entries; `notes` has a sentence for each file that could not be read."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    others: tuple[OtherEntry, ...] = ()


def host_files(platform: str, environ: Mapping[str, str], home: Path) -> list[HostFile]:
    """The hosts' configuration files on `platform` (`sys.platform`), whether or not they exist."""
    return [
        HostFile(row.name, path, row.table, row.key) for row in HOSTS for path in paths_of(row, platform, environ, home)
    ]


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


def entry_values(content: object, table: Place) -> Iterator[tuple[Place, object]]:
    """The place and the value of each entry in a file's content: those of its table, and those of each project.

    Claude Code keeps a table of the same name for each project in its own file.
    """
    holders: list[tuple[Place, object]] = [((), content)]
    projects = content.get(_PROJECTS) if isinstance(content, dict) else None
    if isinstance(projects, dict):
        holders += [((_PROJECTS, folder), project) for folder, project in projects.items()]
    for above, holder in holders:
        for member in table:
            holder = holder.get(member) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            yield from (((*above, *table, name), value) for name, value in holder.items() if isinstance(name, str))


def bridge_arguments(value: object) -> tuple[str, ...] | None:
    """The arguments with which an entry runs this bridge; None where it does something else."""
    launch = read_entry(value)
    if not isinstance(launch, Launch):
        return None
    return arguments_of([launch.command, *launch.arguments], is_process=False)


def _entries(file: HostFile, content: object) -> Iterator[Entry | OtherEntry]:
    for place, value in entry_values(content, file.table):
        name, found = place[-1], read_entry(value)
        arguments = bridge_arguments(value)
        if isinstance(found, Launch) and arguments is not None:
            yield Entry(file.host, file.path, name, arguments, found.environ)
        elif isinstance(found, Launch):
            yield _of_another(file, name, [found.command, *found.arguments])
        elif isinstance(found, RemoteServer) and is_url(found.url):
            yield OtherEntry(file.host, file.path, name, "", found.url)


def _of_another(file: HostFile, name: str, words: list[str]) -> OtherEntry:
    remote = next((index for index, word in enumerate(words) if _MCP_REMOTE.search(word)), None)
    if remote is not None:
        url = next((word for word in words[remote + 1 :] if is_url(word)), "")
        return OtherEntry(file.host, file.path, name, "mcp-remote", url, tuple(words))
    return OtherEntry(file.host, file.path, name, re.split(r"[/\\]", words[0])[-1], words=tuple(words))
