"""Which stored secrets the servers of the user's file refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bridge.cli.server_values import HEADER_MEMBER
from bridge.cli.settings import SECRET_MEMBER
from bridge.config.secret_reference import reference_in
from bridge.inventory.server_file import DEFAULTS, ServerFile


def secrets_of(server: object) -> list[str]:
    """The names of the stored secrets to which a server, or `defaults`, refers; in order, each once."""
    if not isinstance(server, dict):
        return []
    texts = [server.get(SECRET_MEMBER), *_header_values(server.get(HEADER_MEMBER))]
    references = [reference_in(text.strip()) for text in texts if isinstance(text, str)]
    return list(dict.fromkeys(found.place for found in references if found and found.kind == "keyring"))


def users_of(name: str, file: ServerFile | None) -> list[str]:
    """The names of the servers that refer to the secret `name`, and `defaults` where that does."""
    if file is None:
        return []
    return [user for user, server in _places(file) if name in secrets_of(server)]


def _places(file: ServerFile) -> Iterator[tuple[str, Any]]:
    yield DEFAULTS, file.defaults
    yield from file.servers.items()


def _header_values(header: object) -> Iterable[object]:
    if isinstance(header, dict):
        return header.values()
    lines = header if isinstance(header, list) else [header]
    return [line.partition(":")[2] for line in lines if isinstance(line, str)]
