"""The words that a shell may complete: commands, and names of servers and hosts, from the files of this machine.

Only plain names are offered. The shell puts a word into the command line as it is, so one that came from a file and has
characters with a meaning to the shell could run something.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from click.shell_completion import CompletionItem

from bridge.cli.command_table import NAME, NAME_OR_URL, CommandRow
from bridge.errors import BridgeError

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")


def command_items(rows: Iterable[CommandRow], incomplete: str, options: Mapping[str, Any]) -> list[CompletionItem]:
    """What may stand as the first word: a command, or a server in the user's file."""
    commands = [CompletionItem(row.name, help=row.summary) for row in rows if row.name.startswith(incomplete)]
    return [*commands, *argument_items(NAME, incomplete, options)]


def argument_items(metavar: str | None, incomplete: str, options: Mapping[str, Any]) -> list[CompletionItem]:
    """What may stand for an argument that help shows as `metavar`. `options` are those before it."""
    names: dict[str, str] = {}
    for find in _SOURCES.get(metavar or "", ()):
        with suppress(BridgeError, OSError):
            names |= dict(find(options.get("config")))
    plain = {name: about for name, about in names.items() if _PLAIN.fullmatch(name)}
    return [CompletionItem(name, help=about) for name, about in plain.items() if name.startswith(incomplete)]


def _own(config: Path | None) -> Iterator[tuple[str, str]]:
    from bridge.cli.named_server import own_servers

    file = own_servers(config, os.environ)
    yield from ((name, "in your file") for name in (file.servers if file else ()))


def _of_hosts(_: Path | None) -> Iterator[tuple[str, str]]:
    from bridge.cli.targets import host_entries

    yield from ((entry.name, f"in {entry.host}") for entry in host_entries().entries)


def _hosts(_: Path | None) -> Iterator[tuple[str, str]]:
    from bridge.inventory.host_table import HOSTS

    yield from ((row.key, row.name) for row in HOSTS)


_SOURCES: dict[str, tuple[Callable[[Path | None], Iterator[tuple[str, str]]], ...]] = {
    NAME: (_own,),
    NAME_OR_URL: (_of_hosts, _own),
    f"[HOST] {NAME_OR_URL}": (_hosts, _own),
    f"[HOST] {NAME}": (_hosts, _of_hosts),
}
"""Where the words for an argument come from, by how help shows it."""
