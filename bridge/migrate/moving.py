"""Changes hosts' files so that their entries run this bridge, and takes that back.

`plan_file` reads and decides; `write` acts. `plan_undo` and `write_undo` do the same for what the last migration wrote:

| the file is now | what is planned |
|---|---|
| as the migration left it, and the backup is there | its former content, byte for byte |
| changed since, but the entry is as the migration left it | the entry as it was, in today's file |
| without the entry, or with another one of that name | nothing for this entry, and a sentence |
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.documents.editing import Format, format_of, with_value, without
from bridge.documents.reading import BrokenConfig, read_config
from bridge.documents.replacing import FileChange, planned, replace
from bridge.errors import BridgeError
from bridge.install.installing import backups
from bridge.install.launcher import Launcher
from bridge.inventory.host_entries import HostFile, Place
from bridge.migrate.migrated import LastMigration, MigratedEntry, MigratedFile, Migration, digest_of
from bridge.migrate.old_entries import MemberEdit, OldEntry, edits, old_entries
from bridge.protocol.sanitize import shown

FreeName = Callable[[str, str], str]
"""Gives a name for a secret: the proposed one, or another if that is taken by another value."""


@dataclass(frozen=True, slots=True)
class MovedEntry:
    """An entry that becomes ours. `secrets` are names and values that have to be stored before it can work."""

    old: OldEntry
    words: tuple[str, ...] = field(repr=False)
    secrets: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One file: what changes in it, and the entries that stay although another bridge serves them."""

    file: HostFile
    content: object = field(repr=False)
    moved: tuple[MovedEntry, ...]
    staying: tuple[OldEntry, ...]
    change: FileChange | None


@dataclass(frozen=True, slots=True)
class PlannedUndo:
    """One file as it was before the migration, as far as that can be had; `notes` has a sentence for what cannot."""

    file: MigratedFile
    content: object = field(repr=False)
    change: FileChange | None
    notes: tuple[str, ...] = ()


def each_once(files: Iterable[HostFile]) -> Iterator[HostFile]:
    """The files, each once, although several hosts read one, or a link leads to it."""
    seen: set[Path] = set()
    for file in files:
        path = _resolved(file.path)
        if path not in seen:
            seen.add(path)
            yield file


def find_entries(file: HostFile, platform: str, *, remote: bool) -> tuple[object, list[OldEntry]]:
    """A file's content, and the entries in it that another bridge serves. Raises `BridgeError` for a broken file."""
    try:
        content = read_config(file.path)
    except BrokenConfig as why:
        raise BridgeError(f"The configuration of {file.host} cannot be read ({file.path}): {why}.") from None
    return content, list(old_entries(file, content, _text_of, platform, remote=remote))


def plan_file(
    file: HostFile, content: object, entries: Sequence[OldEntry], launcher: Launcher, free_name: FreeName
) -> PlannedMove:
    """What changes in one file. Raises `BridgeError` where it cannot be changed."""
    moved = [_moved(entry, free_name) for entry in entries if not entry.reasons]
    staying = tuple(entry for entry in entries if entry.reasons)
    changes = [edit for one in moved for edit in edits(one.old, launcher.command, (*launcher.arguments, *one.words))]
    form = format_of(file.path)
    change = planned(file.path, lambda text: _edited(text, form, changes)) if changes else None
    if change is not None and _content(file.path) != content:
        raise BridgeError(f"{file.path} changed meanwhile, so nothing was written.", hint="Run the command again.")
    return PlannedMove(file, content, tuple(moved), staying, change)


def write(
    plan: PlannedMove, migration: Migration, last: LastMigration, stored: Sequence[str]
) -> tuple[Migration, Path | None]:
    """Write a planned file; return the record with it, and the backup. Raises `BridgeError`.

    `stored` are the names of the plan's secrets, which have to be stored before.
    """
    change = plan.change
    if change is None or change.before is None or change.after is None:
        return migration, None
    entries = [one.old for one in plan.moved]
    backup = replace(change, backups())
    content = read_config(plan.file.path)
    record = MigratedFile(
        host=plan.file.host,
        path=str(plan.file.path),
        before=digest_of(change.before),
        after=digest_of(change.after),
        backup=str(backup or ""),
        entries=tuple(MigratedEntry(one.place, one.value, _value_at(content, one.place) or {}) for one in entries),
    )
    migration = migration.with_file(record, stored)
    last.write(migration)
    return migration, backup


def plan_undo(file: MigratedFile) -> PlannedUndo:
    """What to write so that a file is as it was before. Raises `BridgeError` where it cannot be read or changed."""
    path = Path(file.path)
    content = _content(path)
    former = _former(file)
    form = format_of(path)
    notes: list[str] = []

    def change(text: str) -> str:
        for entry in file.entries:
            if _value_at(content, entry.place) == entry.after:
                text = with_value(text, form, entry.place, entry.before)
            elif _value_at(content, entry.place) != entry.before:
                name = shown(entry.place[-1], 60)
                notes.append(f"The entry {name} of {file.host} was changed since, so it stays as it is ({path}).")
        return text

    made = planned(path, change)
    if former is not None and made.before is not None and digest_of(made.before) == file.after:
        made = FileChange(made.path, made.target, made.before, former)
    return PlannedUndo(file, content, None if made.is_empty else made, tuple(notes))


def write_undo(plan: PlannedUndo) -> Path | None:
    """Write what was planned; return the backup. Raises `BridgeError`, and then nothing is changed."""
    return None if plan.change is None else replace(plan.change, backups())


def _moved(entry: OldEntry, free_name: FreeName) -> MovedEntry:
    made = entry.translation
    assert made is not None  # noqa: S101 - an entry without a translation has reasons to stay
    names = [free_name(f"{entry.place[-1]}-{one.named_after}", one.secret) for one in made.secrets]
    words = made.with_references([f"keyring:{name}" for name in names])
    return MovedEntry(entry, words, tuple((name, one.secret) for name, one in zip(names, made.secrets, strict=True)))


def _edited(text: str, form: Format, changes: Sequence[MemberEdit]) -> str:
    for edit in changes:
        text = without(text, form, edit.place) if edit.is_removed else with_value(text, form, edit.place, edit.value)
    return text


def _former(file: MigratedFile) -> bytes | None:
    """The content before the migration, from the backup; None where that is gone or is another."""
    with contextlib.suppress(OSError):
        content = Path(file.backup).read_bytes() if file.backup else b""
        if digest_of(content) == file.before:
            return content
    return None


def _content(path: Path) -> object:
    try:
        return read_config(path)
    except BrokenConfig as why:
        raise BridgeError(f"{path} cannot be changed: {why}.", hint="Correct it, and run the command again.") from None


def _value_at(value: Any, place: Place) -> Any:
    for member in place:
        value = value.get(member) if isinstance(value, dict) else None
    return value


def _text_of(path: str) -> str:
    """The text of a file that an entry names. Only the host knows from which folder a relative path begins."""
    if not (Path(path).is_absolute() and Path(path).is_file()):
        raise FileNotFoundError(path)
    with Path(path).open(encoding="utf-8-sig") as file:
        return file.read(_MOST_CHARACTERS)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


_MOST_CHARACTERS = 1024 * 1024
