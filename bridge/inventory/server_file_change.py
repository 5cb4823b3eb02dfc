"""Changes the user's own file of servers: one server at a time, and nothing else in it.

What was there is kept in a folder of backups. A new file names the schema beside it, which is written with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.documents.backups import kept
from bridge.documents.editing import with_value, without
from bridge.documents.replacing import FileChange, planned, replace
from bridge.inventory.server_file import SCHEMA, SERVERS
from bridge.store.roots import config_root


def backup_folder() -> Path:
    """The folder in which the former contents of files are kept."""
    return config_root() / "backups"


def planned_server(path: Path, name: str, members: Mapping[str, Any], schema: str) -> FileChange:
    """The change that puts a server into the file, in the place of one of that name.

    `schema` is what a new file names as its schema. Raises `DocumentError`.
    """
    return planned(path, lambda text: with_value(_begun(text, schema), "json", (SERVERS, name), dict(members)))


def planned_removal(path: Path, name: str) -> FileChange:
    """The change that takes a server out of the file. Raises `DocumentError`."""
    return planned(path, lambda text: without(text, "json", (SERVERS, name)))


def planned_file(path: Path, schema: str) -> FileChange:
    """The change that makes a file without servers where there is none. Raises `DocumentError`."""
    return planned(path, lambda text: _begun(text, schema))


def carry_out(change: FileChange) -> Path | None:
    """Make the change; returns where the old content is kept, None where there was none. Raises `DocumentError`."""
    return replace(change, backup_folder())


def keep(data: bytes, path: Path) -> Path:
    """Keep a content of the file among the backups; returns where. Raises `BridgeError`."""
    return kept(data, path, backup_folder())


def write_schema(path: Path, text: str, title: str) -> None:
    """Write the schema, unless the file there is another one than an earlier copy. Raises `DocumentError`.

    An earlier copy has `title` in it.
    """

    def change(before: str) -> str:
        return text if not before.strip() or title in before[: len(text)] else before

    made = planned(path, change)
    if not made.is_empty:
        carry_out(made)


def _begun(text: str, schema: str) -> str:
    if text.strip():
        return text
    return f'{{\n  "{SCHEMA}": "{schema}",\n  "{SERVERS}": {{}}\n}}\n'
