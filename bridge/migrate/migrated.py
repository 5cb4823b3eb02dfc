"""What the last migration changed, so that it can be taken back.

It is a private file in the data folder, because an entry as it was may hold secrets. A file as a whole is in its
backup; here are the entries, for the case that the file, or the backup, is no longer as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bridge.inventory.host_entries import Place
from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.paths import StorePaths, platform_paths

_FOLDER, _NAME = "migration", "last.json"
_FORMAT = 1


class MigratedEntry(msgspec.Struct, frozen=True):
    """One entry: where it is, and what it was and is. Both may hold secrets."""

    place: Place
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def __repr__(self) -> str:
        """Without the values."""
        return f"MigratedEntry({self.place!r})"


class MigratedFile(msgspec.Struct, frozen=True):
    """One file. `before` and `after` are digests of its content, `backup` the path of a copy of it as it was."""

    host: str
    path: str
    before: str
    after: str
    backup: str
    entries: tuple[MigratedEntry, ...]


class Migration(msgspec.Struct, frozen=True):
    """All of one migration. `secrets` are the names of the secrets that it stored."""

    format: int = _FORMAT
    files: tuple[MigratedFile, ...] = ()
    secrets: tuple[str, ...] = ()

    def with_file(self, file: MigratedFile, stored: Sequence[str]) -> Migration:
        """A copy that has this file too, and the secrets that were stored for it."""
        secrets = tuple(dict.fromkeys((*self.secrets, *stored)))
        return msgspec.structs.replace(self, files=(*self.files, file), secrets=secrets)


def digest_of(content: bytes) -> str:
    """The digest by which a file's content is known again."""
    return hashlib.sha256(content).hexdigest()


class LastMigration:
    """The record of the last migration, on disk."""

    def __init__(self, paths: StorePaths | None = None) -> None:
        self._files = PrivateFiles((paths or platform_paths()).root / _FOLDER)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._files.path(_NAME)

    def read(self) -> Migration | None:
        """The record; None if there is none. Raises `StoreError` where it cannot be read or trusted."""
        data = self._files.read(_NAME)
        if data is None:
            return None
        try:
            found = msgspec.json.decode(data, type=Migration)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = Migration(format=0)
        if found.format != _FORMAT:
            raise StoreError(
                f"{self.path} is damaged, or was written by a later version of the bridge, so nothing can be undone.",
                hint="The copies of the files as they were are among the backups; put them back by hand.",
            )
        return found

    def write(self, migration: Migration) -> None:
        """Keep the record in place of an earlier one. Raises `StoreError`."""
        self._files.write(_NAME, msgspec.json.encode(migration))

    def forget(self) -> None:
        """Remove the record. Raises `StoreError`."""
        self._files.delete(_NAME)
