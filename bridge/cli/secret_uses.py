"""Which stored secrets the servers of the user's file, and hosts' entries, refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bridge.cli.server_values import HEADER_MEMBER
from bridge.cli.settings import SECRET_MEMBER
from bridge.config.secret_reference import reference_in
from bridge.inventory.server_file import DEFAULTS, ServerFile

if TYPE_CHECKING:
    from bridge.inventory.host_entries import Entry


def secrets_of(server: object) -> list[str]:
    """The names of the stored secrets to which a server, or `defaults`, refers; in order, each once."""
    if not isinstance(server, dict):
        return []
    texts = [server.get(SECRET_MEMBER), *_header_values(server.get(HEADER_MEMBER))]
    references = [reference_in(text.strip()) for text in texts if isinstance(text, str)]
    return list(dict.fromkeys(found.place for found in references if found and found.kind == "keyring"))


def users_of(name: str, file: ServerFile | None, entries: Iterable[Entry] = ()) -> list[str]:
    """Who refers to the secret `name`: servers of the file, `defaults`, and entries as `NAME in HOST`."""
    from bridge.install.installing import secrets_in

    own = [] if file is None else [user for user, server in _places(file) if name in secrets_of(server)]
    return [*own, *(f"{entry.name} in {entry.host}" for entry in entries if name in secrets_in(entry.arguments))]


def _places(file: ServerFile) -> Iterator[tuple[str, Any]]:
    yield DEFAULTS, file.defaults
    yield from file.servers.items()


def _header_values(header: object) -> Iterable[object]:
    if isinstance(header, dict):
        return header.values()
    lines = header if isinstance(header, list) else [header]
    return [line.partition(":")[2] for line in lines if isinstance(line, str)]
