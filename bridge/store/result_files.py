"""Results of tools that were too large for the host (`--max-result`), in private files for a few days.

| what | rule |
|---|---|
| where | the folder `results` in the cache folder, with files that only their owner may read |
| a name | time in UTC, tool, digits: `20261201-070102-list_rows-5f3a9c01.json`; `.txt` has the text alone |
| a file older than `KEPT_FOR`, or half written and older than an hour | removed at the next save |
| more than `MOST_FILES` files or `MOST_BYTES` bytes | the oldest are removed, before the new ones are written |
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from bridge.errors import BridgeError
from bridge.store.file import PrivateFiles
from bridge.store.paths import platform_cache

KEPT_FOR = 3 * 24 * 3600.0
"""Seconds for which a result is kept."""

MOST_FILES = 200
MOST_BYTES = 1024 * 1024 * 1024

_NAME = r"\d{8}-\d{6}-[A-Za-z0-9_-]{1,40}-[0-9a-f]{8}\.(json|txt)"
_NOT_IN_NAME = r"[^A-Za-z0-9_-]+"
_LONGEST_TOOL = 40
_LEFTOVER_AGE = 3600.0


class SavedFiles(NamedTuple):
    """The paths of one result; `text` is None where it has no text."""

    result: Path
    text: Path | None


def folder() -> Path:
    """The folder of all results of this user."""
    return platform_cache() / "results"


def save(tool: str, result: bytes, text: str, now: float) -> SavedFiles:
    """Save a result, and its text if there is one. `now` in Unix seconds.

    Blocks. Raises `StoreError`, and `OSError` where the folder cannot be read; then nothing of it is left.
    """
    octets = text.encode("utf-8", "replace")
    where = folder()
    _make_room(where, len(result) + len(octets), now)
    stem = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    stem += f"-{_plain(tool)}-{secrets.token_hex(4)}"
    files = PrivateFiles(where, limit=MOST_BYTES)
    files.write(f"{stem}.json", result, is_lasting=False)
    if not octets:
        return SavedFiles(files.path(f"{stem}.json"), None)
    try:
        files.write(f"{stem}.txt", octets, is_lasting=False)
    except BridgeError:
        with contextlib.suppress(BridgeError):
            files.delete(f"{stem}.json")
        raise
    return SavedFiles(files.path(f"{stem}.json"), files.path(f"{stem}.txt"))


def _plain(tool: str) -> str:
    """A tool's name, as it can be part of a file's name on every system."""
    return re.sub(_NOT_IN_NAME, "_", tool)[:_LONGEST_TOOL] or "tool"


class _ResultFile(NamedTuple):
    at: float
    bytes: int
    path: str


def _make_room(where: Path, needed: int, now: float) -> None:
    """Remove what is too old, and the oldest until the new files have room."""
    kept: list[_ResultFile] = []
    for entry, is_whole in _entries(where):
        if now - entry.at > (KEPT_FOR if is_whole else _LEFTOVER_AGE):
            _remove(entry)
        elif is_whole:
            kept.append(entry)
    kept.sort()
    size = sum(entry.bytes for entry in kept) + needed
    while kept and (len(kept) + 2 > MOST_FILES or size > MOST_BYTES):
        size -= kept[0].bytes
        _remove(kept.pop(0))


def _entries(where: Path) -> list[tuple[_ResultFile, bool]]:
    """The files there, and of each whether it is a result, not one that was half written."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(where) as entries:
        for entry in entries:
            is_whole = re.fullmatch(_NAME, entry.name) is not None
            if is_whole or entry.name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((_ResultFile(status.st_mtime, status.st_size, entry.path), is_whole))
    return found


def _remove(entry: _ResultFile) -> None:
    with contextlib.suppress(BridgeError):
        PrivateFiles(Path(entry.path).parent).delete(Path(entry.path).name)
