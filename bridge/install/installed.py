"""What `install` wrote into hosts' files, so that `uninstall` leaves each file as it was before.

It is `installed.json` in the data folder. It holds no secret: digests of the files, not their content.

| if the file is | `uninstall` |
|---|---|
| as `install` left it, and the backup is still there | writes the bytes of the backup, or removes the file that `install` made |
| changed since | takes the entry out, and what `install` had to add around it, if that is empty now |

Entries of one file follow one another. Where an earlier one goes first, the next inherits what was before it.
"""  # noqa: E501 - a row of a table

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
    """One entry that was written. `place` are the members that lead to it; digests are SHA-256 in hex.

    `parents` is how many of the members above it were made for it; `folders` are the folders that were made for the
    file, the innermost first. `before` is empty where the file was made.
    """

    host: str
    path: str
    place: tuple[str, ...]
    before: str = ""
    after: str = ""
    backup: str = ""
    parents: int = 0
    folders: tuple[str, ...] = ()
    replaced: bool = False
    """Whether another entry of this name was there before."""

    @property
    def made_file(self) -> bool:
        """Whether the file was not there before."""
        return not self.before


def digest(data: bytes) -> str:
    """The digest of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def load(root: Path | None = None) -> list[InstalledEntry]:
    """The entries that were written; none where the record is missing or damaged, which costs nothing but exactness."""
    try:
        data = ((root or data_root()) / _FILE).read_bytes()
        return msgspec.json.decode(data, type=list[InstalledEntry])
    except (OSError, msgspec.DecodeError):
        return []


def save(entries: list[InstalledEntry], root: Path | None = None) -> None:
    """Replace the record. Raises `BridgeError`."""
    folder = root or data_root()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=_FILE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(entries), indent=2))
        os.replace(name, folder / _FILE)  # noqa: PTH105 - atomic on every system
    except OSError as problem:
        raise BridgeError(
            f"What was written cannot be recorded in {folder / _FILE}: {problem.strerror or problem}.",
            hint="uninstall removes the entry, but may leave empty members around it.",
        ) from None


def find(entries: list[InstalledEntry], path: Path, place: tuple[str, ...]) -> InstalledEntry | None:
    """The record of the entry at `place` in the file."""
    return next((entry for entry in entries if entry.path == str(path) and entry.place == place), None)


def added(entries: list[InstalledEntry], new: InstalledEntry) -> list[InstalledEntry]:
    """The entries with a new one. One that replaces an entry of ours keeps what is known of the time before that."""
    old = find(entries, Path(new.path), new.place)
    if old is not None:
        new = msgspec.structs.replace(
            new,
            before=old.before,
            backup=old.backup,
            parents=old.parents,
            folders=old.folders,
            replaced=old.replaced,
        )
        entries = [entry for entry in entries if entry is not old]
    return [*entries, new]


def removed(entries: list[InstalledEntry], gone: InstalledEntry, was: bytes, now: bytes | None) -> list[InstalledEntry]:
    """The entries without `gone`. `was` and `now` are the bytes of its file before and after; None: it is removed."""
    left = [entry for entry in entries if (entry.path, entry.place) != (gone.path, gone.place)]
    return [_inherited(entry, gone, was, now) if entry.path == gone.path else entry for entry in left]


def _inherited(entry: InstalledEntry, gone: InstalledEntry, was: bytes, now: bytes | None) -> InstalledEntry:
    """`entry` of the same file as `gone`: what `gone` added around itself is now this entry's to take out."""
    changed = msgspec.structs.replace(
        entry,
        before="" if gone.made_file else entry.before,
        parents=max(entry.parents, gone.parents),
        folders=entry.folders or gone.folders,
    )
    if entry.before != gone.after:
        return changed
    # It was written right after `gone`. Its backup, which has `gone` in it, is no longer what came before.
    changed = msgspec.structs.replace(changed, before=gone.before, backup=gone.backup)
    if now is not None and entry.after == digest(was):
        changed = msgspec.structs.replace(changed, after=digest(now))
    return changed


def original(entry: InstalledEntry, now: bytes) -> bytes | None:
    """The bytes from before the entry, where the file is as `install` left it and the backup is there; else None."""
    if entry.made_file or digest(now) != entry.after:
        return None
    with suppress(OSError):
        data = Path(entry.backup).read_bytes() if entry.backup else b""
        if digest(data) == entry.before:
            return data
    return None
