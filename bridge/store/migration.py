"""Takes over what earlier versions left in other folders (`store/roots`), key by key, when it is needed.

There may be several such folders, and two of them may have the same store key. The newest value wins, by the time of
the file that decides: the marker's where the secret is in the keyring or gone, else the secret's. What is taken over
keeps its time, so a later write of an older version that still runs wins over it.

| step, under the lock of a save | a reader, if it ends here |
|---|---|
| the secret's file is written, where the newest value is in a file | the old value; it looks at the old folders again |
| the marker is written, with the generations of all | the newest value; it looks at the old folders again |
| the files in the old folders are removed | the newest value |

So nothing is lost, wherever this is cut short, and doing it again changes nothing. A removed file may have hidden
another one, because a packaged app on Windows sees its own copy of a file in place of the real one. So it looks again.

The caches are removed and not taken over, because an answer for one user only must not outlive a sign-out.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bridge.store.errors import StoreError
from bridge.store.file import PrivateFiles
from bridge.store.marker import MOST_REMAINS, Marker, read_marker
from bridge.store.paths import StorePaths, marker_name, secret_name

_ROUNDS = 5
_CACHES = ("eras", "responses")

_logger = logging.getLogger("bridge.store")


class _Kept(NamedTuple):
    """One value of a store key, or that it is gone, and the time of that (nanoseconds)."""

    files: PrivateFiles
    marker: Marker
    secret: bytes | None
    at: int


class FormerKeys:
    """The store keys that are still in the old folders. Every method blocks; all are quick without such folders."""

    def __init__(self, paths: StorePaths) -> None:
        self._folders = [PrivateFiles(root / "credentials") for root in paths.former]
        self._files = PrivateFiles(paths.credentials)

    def has(self, key: str) -> bool:
        """Whether the old folders have anything of this store key."""
        names = (secret_name(key), marker_name(key))
        return any(files.exists(name) for files in self._folders for name in names)

    def names(self) -> list[str]:
        """The names of the files in the old folders; a folder that cannot be read counts as empty."""
        found: list[str] = []
        for files in self._folders:
            with contextlib.suppress(StoreError):
                found += files.names()
        return found

    def take_over(self, key: str) -> None:
        """Save the newest value in today's folder, and remove the old files. Call it under the lock of a save.

        Raises `StoreError` where today's folder cannot be read or written; then the old files are still there.
        """
        for _ in range(_ROUNDS):
            found = {files: kept for files in self._folders if (kept := _look_at_former(files, key))}
            if not found:
                return
            here = _look(self._files, key)[:1]
            candidates = [*here, *(kept for each in found.values() for kept in each)]
            newest = max(candidates, key=lambda kept: kept.at)  # The first of those with the same time.
            self._keep(key, newest, _merged(newest.marker, [kept.marker for kept in candidates]), here)
            folders = ", ".join(str(files.path("")) for files in found)
            _logger.info("took over the sign-ins that an earlier version stored in %s", folders)
            were_removed = [_removed(files, key, kept) for files, kept in found.items()]
            if not all(were_removed):
                return

    def _keep(self, key: str, newest: _Kept, marker: Marker, here: list[_Kept]) -> None:
        if newest not in here and newest.secret is not None:
            self._files.write(secret_name(key), newest.secret, at=newest.at)
        known = here[0].marker if here else Marker("file")
        if marker != known:
            self._files.write(marker_name(key), marker.encode(), at=newest.at)


def forget_caches(roots: Iterable[Path]) -> bool:
    """Remove the servers' answers that earlier versions stored; return whether all are gone."""
    folders = [root / "Cache" / kind for root in roots for kind in _CACHES]
    for folder in folders:
        if folder.is_dir():
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
    return not any(folder.is_dir() for folder in folders)


def newest_of(roots: Iterable[Path], below: str, name: str) -> bytes | None:
    """The content of the newest file `name` in the folders `below` the old ones; None where there is none.

    A file that cannot be read counts as missing.
    """
    found: list[tuple[int, bytes]] = []
    for root in roots:
        files = PrivateFiles(root / below)
        with contextlib.suppress(StoreError):
            if (data := files.read(name)) is not None:
                found.append((_time_of(files, name), data))
    return max(found)[1] if found else None


def _look(files: PrivateFiles, key: str) -> list[_Kept]:
    """The values in a folder; the first is the one that a reader gets. Raises `StoreError`.

    A file beside a marker that does not name it is older, or from a save that was cut short, or really in another
    folder that the marker's folder hides. So it counts with its own time.
    """
    marker = read_marker(files.read(marker_name(key)))
    secret = files.read(secret_name(key))
    found = []
    if marker is not None and (marker.holds != "file" or secret is None):
        # A marker that names a missing file only tells what else the keyring may have.
        at = _time_of(files, marker_name(key)) if marker.holds != "file" else 0
        found.append(_Kept(files, marker, None, at))
    if secret is not None:
        known = marker.generations if marker else ()
        found.append(_Kept(files, Marker("file", remains=known), secret, _time_of(files, secret_name(key))))
    return found


def _look_at_former(files: PrivateFiles, key: str) -> list[_Kept]:
    """The same for an old folder; empty where it cannot be read."""
    try:
        return _look(files, key)
    except StoreError as problem:
        _logger.debug("what an earlier version stored of %s cannot be read: %s", key, problem)
        return []


def _merged(newest: Marker, everything: list[Marker]) -> Marker:
    """The newest marker, with every generation of which the keyring may have chunks; its own come last."""
    generations = [generation for marker in (*everything, newest) for generation in marker.generations]
    remains = dict.fromkeys(one for one in reversed(generations) if one != newest.current)
    return Marker(newest.holds, newest.current, tuple(reversed(list(remains)[:MOST_REMAINS])))


def _removed(files: PrivateFiles, key: str, kept: list[_Kept]) -> bool:
    """Remove a store key's old files; return whether that succeeded.

    Files that a version which still runs has written meanwhile stay, and are looked at again.
    """
    if _look_at_former(files, key) != kept:
        return True
    try:
        files.delete(secret_name(key))
        files.delete(marker_name(key))
    except StoreError as problem:
        _logger.debug("what an earlier version stored cannot be removed: %s", problem)
        return False
    root = files.path("").parent
    for folder in (root / "locks", root / "credentials", root / "logins", root):
        with contextlib.suppress(OSError):
            folder.rmdir()  # It fails for a folder that is not empty.
    return True


def _time_of(files: PrivateFiles, name: str) -> int:
    try:
        return files.path(name).lstat().st_mtime_ns
    except OSError:
        return 0  # Another process has just removed it.
