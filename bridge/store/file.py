"""Small private files: made for their owner alone, replaced as a whole or not at all, never read through a link.

| what is found | what follows |
|---|---|
| no file | None |
| a link, a device, a folder, another user's file | refused |
| others may write to it | refused: what it says may not be ours |
| others may read it | closed to them, then read |
| more than a megabyte | refused |

On Windows a file that a virus scanner or another reader has open can be neither opened, replaced nor removed for a
moment. How Python says so depends on who was asked, so both are tried again, for two seconds:

| call | goes through | what an `OSError` carries | source |
|---|---|---|---|
| `os.replace`, `os.unlink`, `os.stat` | Win32 | `winerror` 5, 32 or 33 | CPython, `posixmodule.c`: `path_error` |
| `os.open` | the C runtime's `_wopen` | `errno` EACCES, and no `winerror` | CPython, `os_open_impl` |

The C runtime makes EACCES of Win32's 5 and of all from 19 to 36. Where access is denied for good, that costs the two
seconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bridge.protocol.backoff import Backoff
from bridge.store.errors import StoreError
from bridge.store.paths import is_foreign, make_private, reason_of

LIMIT = 1_000_000
"""Bytes that one file may hold."""

_T = TypeVar("_T")

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

_ON_WINDOWS = os.name == "nt"
_PASSING = (5, 32, 33)  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
_PATIENCE = 2.0
_PAUSES = Backoff(0.005, 0.02)
_LEFTOVER_AGE = 3600.0
_CHANGES = 50


class PrivateFiles:
    """The files of one folder, by name. Every method blocks; none keeps anything between calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where the file of this name is, or would be."""
        return self._folder / name

    def names(self) -> list[str]:
        """The names in the folder, in no order; none where there is no folder. Raises `StoreError`."""
        try:
            return [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"The folder {self._folder} cannot be read: {reason_of(error)}.") from None

    def exists(self, name: str) -> bool:
        """Whether something bears this name."""
        return os.path.lexists(self.path(name))

    def read(self, name: str) -> bytes | None:
        """The file's bytes as they are, None where there is none; raises `StoreError` for one not to be trusted."""
        path = self.path(name)
        try:
            return _patiently(lambda: _read(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {reason_of(error)}.") from None

    def write(self, name: str, data: bytes, *, is_lasting: bool = True, at: int | None = None) -> None:
        """Replace the file's content; raises `StoreError`, and then the old content is still there.

        Where it need not outlive a power cut, it is not `is_lasting`, and the disk is not waited for. `at`: when it
        was written first (nanoseconds since 1970), where that is not now.
        """
        path = self.path(name)
        if len(data) > LIMIT:
            raise StoreError(f"{path} would be larger than {LIMIT} bytes, so it was not written.")
        make_private(self._folder)
        self._sweep(name)
        # The name begins with a dot and ends in a way no store key does, so it can never be taken for a stored one.
        draft = self.path(f".{name}.{os.urandom(8).hex()}.tmp")
        try:
            try:
                _write_whole(draft, data, is_lasting=is_lasting)
                if at is not None:
                    os.utime(draft, ns=(at, at))
                _patiently(lambda: draft.replace(path))
            except BaseException:
                with contextlib.suppress(OSError):
                    draft.unlink()
                raise
            if is_lasting:
                _sync_folder(self._folder)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written: {reason_of(error)}.",
                hint="Make room or allow writing there, or keep tokens for this run only with --token-store memory.",
            ) from None

    def delete(self, name: str) -> None:
        """Remove the file; one that is not there is fine. Raises `StoreError`."""
        path = self.path(name)
        try:
            _patiently(lambda: path.unlink(missing_ok=True))
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {reason_of(error)}.", hint="Remove it yourself.") from None
        self._sweep(name, age=0.0)

    def _sweep(self, name: str, age: float = _LEFTOVER_AGE) -> None:
        """Remove what a process that was killed while writing left behind: it holds secrets too."""
        before = time.time() - age
        with contextlib.suppress(OSError):
            for found in self._folder.glob(f".{name}.*.tmp"):
                with contextlib.suppress(OSError):
                    if found.lstat().st_mtime <= before:
                        found.unlink()


def _read(path: Path) -> bytes:
    for _ in range(_CHANGES):
        named = path.lstat()
        if not stat.S_ISREG(named.st_mode):
            hint = "Remove it, and sign in again."
            raise StoreError(f"{path} is a link or no plain file, so it is not read.", hint=hint)
        descriptor = os.open(path, _READ)
        with os.fdopen(descriptor, "rb") as file:
            opened = os.fstat(descriptor)
            # Another file than the one just looked at: a save, or somebody's link, took its place. Not on Windows:
            # the two ways of asking need not give the same numbers there, and making a link takes an administrator.
            if os.name == "posix" and not os.path.samestat(named, opened):
                continue
            _check_access(path, opened, descriptor)
            data = file.read(LIMIT + 1)
        if len(data) > LIMIT:
            raise StoreError(f"{path} is larger than {LIMIT} bytes, so it is not read.", hint="Remove it.")
        return data
    raise StoreError(f"{path} changed again and again while it was opened, so it is not read.")


def _check_access(path: Path, found: os.stat_result, descriptor: int) -> None:
    if is_foreign(found):
        raise StoreError(f"{path} belongs to another user, so it is not read.", hint="Remove it, and sign in again.")
    if os.name != "posix":
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022:
        raise StoreError(
            f"Other users can write to {path}, so it is not trusted.",
            hint=f"If it is as you left it: chmod 600 '{path}'. If not, remove it and sign in again.",
        )
    if mode & 0o055:
        # By name, for it is a function that Windows lacks.
        getattr(os, "fchmod")(descriptor, 0o600)  # noqa: B009


def _write_whole(path: Path, data: bytes, *, is_lasting: bool) -> None:
    descriptor = _patiently(lambda: os.open(path, _MAKE, 0o600))
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if is_lasting:
            os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power cut, where folders can be synced at all."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _patiently(work: Callable[[], _T]) -> _T:
    """Do it again for up to two seconds while Windows says that somebody has the file open."""
    deadline = time.monotonic() + _PATIENCE
    pauses = _PAUSES.pauses()
    while True:
        try:
            return work()
        except PermissionError as error:
            if not _is_passing(error) or time.monotonic() >= deadline:
                raise
        time.sleep(next(pauses))


def _is_passing(error: PermissionError) -> bool:
    """Whether it may only mean that another program has the file open, by the table above."""
    number = getattr(error, "winerror", None)
    if number is not None:
        return number in _PASSING
    return _ON_WINDOWS and error.errno == errno.EACCES
