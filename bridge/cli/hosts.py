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

_BRIDGES = frozenset(("mcp-remote", "mcp-proxy", "mcp-stdio", "supergateway"))
"""Programs that do what this one does."""


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

    It also names remote servers that a host connects to by itself, and entries of programs such as mcp-remote:
    mcp-remote-bridge migrate turns these into entries of this bridge. No variable or header is shown.
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
    lines += [f"{clean(other.name)}: {_what(other)}" for other in _of_interest(one.others)]
    if plain := len(one.others) - len(_of_interest(one.others)):
        lines.append(f"{plain} local server{'s' if plain > 1 else ''}")
    return lines or ["no servers"]


def _of_interest(others: Sequence[OtherEntry]) -> list[OtherEntry]:
    """The entries that this bridge could serve: remote servers, and those of programs that do the same."""
    return [other for other in others if not other.program or other.program in _BRIDGES]


def _what(other: OtherEntry) -> str:
    url = _without_query(other.url)
    return f"{other.program}{f', {url}' if url else ''}" if other.program else f"the host itself, {url}"


def _server_of(arguments: Sequence[str]) -> str:
    """The URL in the bridge's arguments, without its query; else the name, which is their first word."""
    url = next((word for word in arguments if is_url(word)), "")
    return _without_query(url) if url else clean(arguments[0] if arguments else "no server")


def _without_query(url: str) -> str:
    return clean(url.partition("?")[0])


def _as_object(one: _HostEntries) -> dict[str, Any]:
    entries: list[dict[str, str | None]] = [
        {"name": clean(entry.name), "file": str(entry.path), "runs": PROGRAM, "server": _server_of(entry.arguments)}
        for entry in one.ours
    ]
    entries += [
        {
            "name": clean(other.name),
            "file": str(other.path),
            "runs": clean(other.program) or None,
            "server": _without_query(other.url) or None,
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
