"""Writes an entry into a host's files, and takes it out again. Nothing is written before the user has seen the change.

`plan_entry` and `plan_removal` read and decide; `write` and `remove` act. Where a host has several files of the user
(`host_table`), the entry goes into each whose folder exists, or else into the first.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bridge.documents.editing import Format, format_of, missing_parents, with_value, without
from bridge.documents.reading import BrokenConfig, parse_json, parse_toml, parse_yaml, read_config
from bridge.documents.replacing import FileChange, planned, replace
from bridge.errors import BridgeError
from bridge.install import installed
from bridge.install.installed import InstalledEntry, InstalledFile
from bridge.inventory.entry_shapes import Launch, member_names, read_entry
from bridge.inventory.host_entries import Place, bridge_arguments
from bridge.inventory.host_table import HostRow, paths_of, project_path
from bridge.store.roots import config_root

_STORED = re.compile(r"(?:^|: ?)keyring:([A-Za-z0-9._-]+)$")

_PARSERS: Mapping[Format, Callable[[str], object]] = {"json": parse_json, "toml": parse_toml, "yaml": parse_yaml}

State = Literal["new", "same", "other", "changed"]


class PlannedEntry(NamedTuple):
    """What is to be written into one file.

    | state | the file |
    |---|---|
    | `new` | has no entry of that name |
    | `same` | has this entry already, and nothing is to be written |
    | `other` | has another entry of that name, and was not to be changed |
    | `changed` | has another entry of that name, which is replaced |
    """

    row: HostRow
    path: Path
    place: Place
    state: State
    change: FileChange | None
    parents: int = 0


class PlannedRemoval(NamedTuple):
    """What is to be taken out of one file.

    `is_ours`: the entry runs this bridge. `restores`: the entry that ours replaced comes back.
    """

    row: HostRow
    path: Path
    place: Place
    is_ours: bool
    change: FileChange
    record: InstalledEntry | None
    secrets: tuple[str, ...] = ()
    """The names of stored secrets that the entry refers to."""
    restores: bool = False


def backups() -> Path:
    """The folder in which the files' former contents are kept."""
    return config_root() / "backups"


def is_here(row: HostRow, platform: str, environ: Mapping[str, str], home: Path) -> bool:
    """Whether the host is on this machine: its folder, a program or an application of it."""
    if any(path.exists() or _has_folder(path, home) for path in paths_of(row, platform, environ, home)):
        return True
    if any(shutil.which(program, path=environ.get("PATH")) for program in row.programs):
        return True
    applications = (Path("/Applications"), home / "Applications") if platform == "darwin" else ()
    return any((folder / f"{app}.app").exists() for app in row.apps for folder in applications)


def target_paths(
    row: HostRow, platform: str, environ: Mapping[str, str], home: Path, project: Path | None = None
) -> list[Path]:
    """The files that an entry goes into; none where the host has no file for projects. A file counts once."""
    if project is not None:
        path = project_path(row, project)
        return [] if path is None else [path]
    every = paths_of(row, platform, environ, home)
    there = [path for path in every if path.exists() or _has_folder(path, home)]
    once: dict[str, Path] = {}
    for path in there or every[:1]:
        once.setdefault(os.path.realpath(path), path)
    return list(once.values())


def _has_folder(path: Path, home: Path) -> bool:
    """Whether the folder of a file is there; the home folder itself says nothing."""
    return path.parent != home and path.parent.is_dir()


def plan_entry(row: HostRow, path: Path, name: str, launch: Launch, *, replaces: bool) -> PlannedEntry:
    """What to write so that the host starts `launch` under this name. Raises `BridgeError` where the file is broken."""
    place = (*row.table, name)
    old = _value_at(path, place)
    launch = _with_own_variables(launch, old)
    if old is not None and read_entry(old) == launch:
        return PlannedEntry(row, path, place, "same", None)
    if old is not None and not replaces:
        return PlannedEntry(row, path, place, "other", None)
    entry = _merged(row.shape.entry_of(name, launch), old)
    form, parents = format_of(path), 0

    def change(text: str) -> str:
        nonlocal parents
        parents = missing_parents(text, form, place)
        return with_value(text, form, place, entry)

    made = planned(path, change)
    return PlannedEntry(row, path, place, "new" if old is None else "changed", made, parents)


def write(plan: PlannedEntry) -> Path | None:
    """Write what was planned, and record it; returns the backup.

    Raises `BridgeError`; then nothing is changed, unless the error says that only the record could not be written.
    """
    change = plan.change
    if change is None or change.after is None:
        return None
    folders = _missing_folders(change.target.parent)
    backup = replace(change, backups())
    before = "" if change.before is None else installed.digest(change.before)
    after, path, kept = installed.digest(change.after), str(plan.path), str(backup or "")
    entry = InstalledEntry(plan.row.key, path, plan.place, before, after, kept, plan.state == "changed")
    file = InstalledFile(path, before, kept, plan.parents, tuple(map(str, folders)))
    installed.save(installed.load().added(entry, file))
    return backup


def plan_removal(row: HostRow, path: Path, name: str) -> PlannedRemoval | None:
    """What to write so that the entry is gone; None where there is none. Raises `BridgeError`."""
    place = (*row.table, name)
    old = _value_at(path, place)
    if old is None:
        return None
    known = installed.load()
    record, file, form = known.entry(path, place), known.file(path), format_of(path)
    prune, was_made = (file.parents, file.was_made) if file else (0, False)
    change = planned(path, lambda text: without(text, form, place, prune), removes_empty=was_made)
    exact = None if record is None else installed.original(record, change.before or b"")
    restores = exact is not None and record is not None and record.replaced
    if exact is None and record is not None and file is not None and change.after is not None and known.is_last(record):
        exact = _original_of(file, change.after, form)
    if exact is not None:
        change = dataclasses.replace(change, after=exact)
    words = bridge_arguments(old)
    return PlannedRemoval(row, path, place, words is not None, change, record, secrets_in(words or ()), restores)


def remove(plan: PlannedRemoval) -> Path | None:
    """Write what was planned; returns the backup. Raises `BridgeError` as `write` does."""
    backup = replace(plan.change, backups())
    if plan.record is not None:
        known = installed.load()
        file = known.file(plan.path)
        if plan.change.after is None and file is not None:
            _remove_folders([Path(folder) for folder in file.folders])
        installed.save(known.without(plan.record))
    return backup


def _original_of(file: InstalledFile, now: bytes, form: Format) -> bytes | None:
    """The bytes from before our first entry, where they say the same and differ in white space between words only."""
    found = installed.original_but_for_space(file, now)
    if found is None:
        return None
    with suppress(BrokenConfig, UnicodeDecodeError):
        parse = _PARSERS[form]
        if parse(found.decode("utf-8-sig")) == parse(now.decode("utf-8-sig")):
            return found
    return None


def entries_in(row: HostRow, path: Path) -> list[str]:
    """The names of the entries of ours in a file; none where it cannot be read."""
    with suppress(BridgeError):
        table = _value_at(path, row.table)
        if isinstance(table, dict):
            return [name for name, value in table.items() if bridge_arguments(value) is not None]
    return []


def secrets_in(words: Sequence[str]) -> tuple[str, ...]:
    """The names of the stored secrets to which the arguments of the bridge refer."""
    return tuple(found[1] for word in words if (found := _STORED.search(word)))


def _value_at(path: Path, place: Place) -> Any:
    """The value at a place in a file; None where there is none. Raises `BridgeError` where the file is broken."""
    try:
        value = read_config(path)
    except BrokenConfig as why:
        raise BridgeError(
            f"{path} cannot be changed: {why}.", hint="Correct it, or remove it, and run the command again."
        ) from None
    for member in place:
        value = value.get(member) if isinstance(value, dict) else None
    return value


def _with_own_variables(launch: Launch, old: object) -> Launch:
    """`launch` with the variables that the user gave an entry of ours, such as the token that a header names."""
    found = read_entry(old)
    if not isinstance(found, Launch) or bridge_arguments(old) is None:
        return launch
    return Launch(launch.command, launch.arguments, {**found.environ, **launch.environ})


def _merged(entry: dict[str, Any], old: object) -> dict[str, Any]:
    """The entry with what the user added to the one that it replaces, such as the tools that need no approval."""
    if not isinstance(old, dict):
        return entry
    known = member_names()
    kept = {key: value for key, value in old.items() if key not in entry and key not in known}
    return entry | kept


def _missing_folders(folder: Path) -> list[Path]:
    """The folders that are to be made for a file, the innermost first."""
    missing = []
    while not folder.exists() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    return missing


def _remove_folders(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # Another program has put something into it.
            folder.rmdir()
