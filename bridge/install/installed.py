"""What `install` wrote into hosts' files, so that `uninstall` leaves each file as it was before.

It is `installed.json` in the data folder. It holds no secret: digests of the files, not their content.

| if the file is | `uninstall` |
|---|---|
| as `install` left it for this entry | writes the bytes from before, or removes the file that `install` made |
| changed since | takes the entry out, and what was made around the entries, if that is empty now |
| then, without our last entry, different in white space only | writes the bytes from before the first entry |

The bytes are those of the backups. Where one is gone, the entry is taken out all the same.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from bridge.errors import BridgeError
from bridge.store.roots import data_root

_FILE = "installed.json"


class InstalledEntry(msgspec.Struct, frozen=True):
    """One entry that was written. `place` are the members that lead to it.

    `before` and `after` are digests (SHA-256 in hex) of its file; `before` is empty where the file was made for it.
    """

    host: str
    path: str
    place: tuple[str, ...]
    before: str = ""
    after: str = ""
    backup: str = ""
    replaced: bool = False
    """Whether another entry of this name was there before."""


class InstalledFile(msgspec.Struct, frozen=True):
    """A file that has entries of ours, as it was before the first of them.

    `parents` is how many members around the entries were made; `folders` are the folders that were made for the file,
    the innermost first.
    """

    path: str
    before: str = ""
    backup: str = ""
    parents: int = 0
    folders: tuple[str, ...] = ()

    @property
    def was_made(self) -> bool:
        """Whether the file was not there before."""
        return not self.before


class Installed(msgspec.Struct, frozen=True):
    """The whole record."""

    entries: tuple[InstalledEntry, ...] = ()
    files: tuple[InstalledFile, ...] = ()

    def entry(self, path: Path, place: tuple[str, ...]) -> InstalledEntry | None:
        """The record of the entry at `place` in the file."""
        return next((one for one in self.entries if one.path == str(path) and one.place == place), None)

    def file(self, path: Path) -> InstalledFile | None:
        """The record of the file."""
        return next((one for one in self.files if one.path == str(path)), None)

    def is_last(self, entry: InstalledEntry) -> bool:
        """Whether the file has no other entry of ours."""
        return [one.place for one in self.entries if one.path == entry.path] == [entry.place]

    def added(self, new: InstalledEntry, file: InstalledFile) -> Installed:
        """With a new entry. What is known of an entry of ours that it replaces, and of the file, stays."""
        old = self.entry(Path(new.path), new.place)
        if old is not None:
            new = msgspec.structs.replace(new, before=old.before, backup=old.backup, replaced=old.replaced)
        files = self.files if self.file(Path(file.path)) else (*self.files, file)
        return Installed((*(one for one in self.entries if one is not old), new), files)

    def without(self, gone: InstalledEntry) -> Installed:
        """Without this entry, and without its file where it was the last there."""
        entries = tuple(one for one in self.entries if (one.path, one.place) != (gone.path, gone.place))
        paths = {one.path for one in entries}
        return Installed(entries, tuple(one for one in self.files if one.path in paths))


def digest(data: bytes) -> str:
    """The digest of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def load(root: Path | None = None) -> Installed:
    """The record; an empty one where it is missing or damaged, which costs nothing but exactness."""
    try:
        data = ((root or data_root()) / _FILE).read_bytes()
        return msgspec.json.decode(data, type=Installed)
    except (OSError, msgspec.DecodeError):
        return Installed()


def save(record: Installed, root: Path | None = None) -> None:
    """Replace the record. Raises `BridgeError`."""
    folder = root or data_root()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=_FILE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(record), indent=2))
        os.replace(name, folder / _FILE)  # noqa: PTH105 - atomic on every system
    except OSError as problem:
        raise BridgeError(
            f"The host's file was written, but {folder / _FILE} cannot be: {problem.strerror or problem}.",
            hint="uninstall takes the entry out all the same, but may leave empty members around it.",
        ) from None


def original(entry: InstalledEntry, now: bytes) -> bytes | None:
    """The bytes from before the entry, where the file is as `install` left it and the backup is there; else None."""
    return _backup(entry.backup, entry.before) if digest(now) == entry.after else None


def original_but_for_space(file: InstalledFile, now: bytes) -> bytes | None:
    """The bytes from before the first entry, where `now` differs from them in white space only; else None."""
    found = _backup(file.backup, file.before)
    return found if found is not None and found.split() == now.split() else None


def _backup(path: str, wanted: str) -> bytes | None:
    with suppress(OSError):
        data = Path(path).read_bytes() if path else b""
        if digest(data) == wanted:
            return data
    return None
