"""The command `hosts`: the hosts on this machine, and the servers in their files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand
from bridge.cli.formatting import clean
from bridge.cli.host_choice import home_folder
from bridge.install.installing import is_here
from bridge.inventory.command_line import is_url
from bridge.inventory.host_entries import Entry, HostFile, OtherEntry, read_entries
from bridge.inventory.host_table import HOSTS, HostRow, paths_of
from bridge.migrate.old_programs import old_command

_LOCAL = "a local server"


class _HostEntries(NamedTuple):
    """A host, its files that exist, and what they hold."""

    row: HostRow
    is_here: bool
    files: list[Path]
    ours: tuple[Entry, ...]
    others: tuple[OtherEntry, ...]
    notes: tuple[str, ...]


@click.command("hosts", cls=OneCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def hosts(as_json: bool) -> None:
    """List the hosts on this machine, and which of their servers use this bridge.

    It also names remote servers that a host connects to by itself, or cannot connect to, and entries of programs such
    as mcp-remote: mcp-remote-bridge migrate turns these into entries of this bridge. No variable or header is shown.
    """
    import json

    home = home_folder()
    found = [_of_host(row, home) for row in HOSTS]
    if as_json:
        click.echo(json.dumps({"hosts": [_as_object(one) for one in found]}, indent=2))
        return
    here = [one for one in found if one.is_here]
    for one in here:
        click.echo(f"{one.row.key}  {one.row.name}")
        for line in _lines(one):
            click.echo(f"  {line}")
    if not here:
        click.echo("No host was found on this machine.")
    away = [one.row.key for one in found if not one.is_here]
    click.echo(f"Not found here: {', '.join(away)}." if away else "All hosts were found.")
    for advice in _advice(found):
        click.echo(advice)
    for note in (note for one in found for note in one.notes):
        click.echo(f"{PROGRAM}: {clean(note)}", err=True)


def _of_host(row: HostRow, home: Path) -> _HostEntries:
    paths = paths_of(row, sys.platform, os.environ, home)
    entries = read_entries([HostFile(row.name, path, row.table, row.key) for path in paths])
    return _HostEntries(
        row,
        is_here(row, sys.platform, os.environ, home),
        [path for path in paths if path.exists()],
        entries.entries,
        entries.others,
        entries.notes,
    )


def _lines(one: _HostEntries) -> list[str]:
    lines = [f"{clean(entry.name)}: this bridge, {_server_of(entry.arguments)}" for entry in one.ours]
    programs = [_program_of(other) for other in one.others]
    lines += [
        f"{clean(other.name)}: {program or _itself(one.row)}{_shown_url(other)}"
        for other, program in zip(one.others, programs, strict=True)
        if program != _LOCAL
    ]
    if local := programs.count(_LOCAL):
        lines.append(f"{local} local server{'s' if local > 1 else ''}")
    return lines or ["no servers"]


def _itself(row: HostRow) -> str:
    """Who connects by an entry with a URL alone."""
    return "the host itself" if row.takes_urls else "no one, because this host takes only local servers"


def _is_usable(row: HostRow, other: OtherEntry) -> bool:
    """Whether the host can do something with the entry: start its program, or connect to its URL."""
    return bool(other.program) or row.takes_urls


def _program_of(other: OtherEntry) -> str:
    """Which other bridge an entry runs; empty where the host itself connects, and `_LOCAL` for any other program."""
    if not other.program:
        return ""
    found = old_command(other.words)
    return found.program if found is not None else _LOCAL


def _shown_url(other: OtherEntry) -> str:
    url = other.url or next((word for word in other.words if is_url(word)), "")
    return f", {_without_query(url)}" if url else ""


def _advice(found: Sequence[_HostEntries]) -> list[str]:
    """What turns other bridges' entries, and hosts' own remote ones, into entries of this bridge."""
    programs = {_program_of(other) for one in found for other in one.others}
    advice = []
    if bridges := sorted(programs - {"", _LOCAL}):
        advice.append(f"To have this bridge in place of {', '.join(bridges)}: {PROGRAM} migrate")
    if "" in programs:
        advice.append(f"To have it connect in place of the hosts themselves: {PROGRAM} migrate --remote")
    return advice


def _server_of(arguments: Sequence[str]) -> str:
    """The URL in the bridge's arguments, without its query; else the name, which is their first word."""
    url = next((word for word in arguments if is_url(word)), "")
    return _without_query(url) if url else clean(arguments[0] if arguments else "no server")


def _without_query(url: str) -> str:
    return clean(url.partition("?")[0])


def _as_object(one: _HostEntries) -> dict[str, Any]:
    entries: list[dict[str, str | bool | None]] = [
        {
            "name": clean(entry.name),
            "file": str(entry.path),
            "runs": PROGRAM,
            "server": _server_of(entry.arguments),
            "is_usable": True,
        }
        for entry in one.ours
    ]
    entries += [
        {
            "name": clean(other.name),
            "file": str(other.path),
            "runs": (clean(other.program) if _program_of(other) == _LOCAL else _program_of(other)) or None,
            "server": _without_query(other.url) or None,
            "is_usable": _is_usable(one.row, other),
        }
        for other in one.others
    ]
    return {
        "host": one.row.key,
        "name": one.row.name,
        "is_here": one.is_here,
        "files": [str(path) for path in one.files],
        "entries": entries,
        "notes": [*map(clean, one.notes)],
    }
