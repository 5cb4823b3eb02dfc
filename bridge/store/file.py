"""Small private files: only their owner may read them; each is replaced as a whole, and none is read through a link.

| what is found | what follows |
|---|---|
| no file | None |
| a link, a device, a folder, another user's file | refused |
| others may write to it | refused: they may have changed it |
| others may read it | that permission is removed, then it is read |
| more than a megabyte | refused |

On Windows a file that a virus scanner or another reader has open cannot be opened, replaced or removed for a moment.
Python reports this in two ways, depending on the call, so both are tried again for two seconds:

| call | goes through | what an `OSError` carries | source |
|---|---|---|---|
| `os.replace`, `os.unlink`, `os.stat` | Win32 | `winerror` 5, 32 or 33 | CPython, `posixmodule.c`: `path_error` |
| `os.open` | the C runtime's `_wopen` | `errno` EACCES, and no `winerror` | CPython, `os_open_impl` |

The C runtime makes EACCES of Win32's 5 and of all from 19 to 36. Where access is denied for good, this costs two
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
    """The files of one folder, by name. Every method blocks; nothing is cached between calls.

    `limit`: the bytes that a file may have when it is written.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    def path(self, name: str) -> Path:
        """The path of the file with this name, whether or not it exists."""
        return self._folder / name

    def names(self) -> list[str]:
        """The names in the folder, in no order; none where the folder does not exist. Raises `StoreError`."""
        try:
            return [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"The folder {self._folder} cannot be read: {reason_of(error)}.") from None

    def exists(self, name: str) -> bool:
        """Whether there is a file, folder or link with this name."""
        return os.path.lexists(self.path(name))

    def read(self, name: str) -> bytes | None:
        """The file's bytes; None where there is no file. Raises `StoreError` for a file that cannot be trusted."""
        path = self.path(name)
        try:
            return _patiently(lambda: _read(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {reason_of(error)}.") from None

    def write(self, name: str, data: bytes, *, is_lasting: bool = True, at: int | None = None) -> None:
        """Replace the file's content. Raises `StoreError`, and then the old content is still there.

        `is_lasting`: wait for the disk, so that the file survives a power cut. `at` is the time of the file
        (nanoseconds since 1970), where that is not now.
        """
        path = self.path(name)
        if len(data) > self._limit:
            raise StoreError(f"{path} would be larger than {self._limit} bytes, so it was not written.")
        make_private(self._folder)
        self._sweep(name)
        # The name begins with a dot and ends as no store key does, so no reader mistakes it for a stored secret.
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
                hint="Make room, or allow writing there; or keep tokens for this run only, with --token-store memory.",
            ) from None

    def delete(self, name: str) -> None:
        """Remove the file, if it exists. Raises `StoreError`."""
        path = self.path(name)
        try:
            _patiently(lambda: path.unlink(missing_ok=True))
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {reason_of(error)}.", hint="Remove it yourself.") from None
        self._sweep(name, age=0.0)

    def _sweep(self, name: str, age: float = _LEFTOVER_AGE) -> None:
        """Remove drafts of processes that were killed while writing, because they hold secrets too."""
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
            hint = "Remove it, and sign in again, or store the secret again."
            raise StoreError(f"{path} is a link or not a plain file, so the bridge does not read it.", hint=hint)
        descriptor = os.open(path, _READ)
        with os.fdopen(descriptor, "rb") as file:
            opened = os.fstat(descriptor)
            # A save, or another program's link, may have replaced the file since `lstat`. This is not checked on
            # Windows, where the two calls need not give the same numbers, and only an administrator can make links.
            if os.name == "posix" and not os.path.samestat(named, opened):
                continue
            _check_access(path, opened, descriptor)
            data = file.read(LIMIT + 1)
        if len(data) > LIMIT:
            raise StoreError(f"{path} is larger than {LIMIT} bytes, so the bridge does not read it.", hint="Remove it.")
        return data
    raise StoreError(f"{path} was replaced again and again while the bridge opened it.", hint="Try again.")


def _check_access(path: Path, found: os.stat_result, descriptor: int) -> None:
    if is_foreign(found):
        raise StoreError(
            f"{path} belongs to another user, so the bridge does not read it.",
            hint="Remove it, and sign in again, or store the secret again.",
        )
    if os.name != "posix":
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022:
        raise StoreError(
            f"Other users can write to {path}, so the bridge does not trust it.",
            hint=f"If you are sure that its content is yours, run: chmod 600 '{path}' ; otherwise remove it.",
        )
    if mode & 0o055:
        # By name, because Windows lacks this function.
        getattr(os, "fchmod")(descriptor, 0o600)  # noqa: B009


def _write_whole(path: Path, data: bytes, *, is_lasting: bool) -> None:
    descriptor = _patiently(lambda: os.open(path, _MAKE, 0o600))
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if is_lasting:
            os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where folders can be synced."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _patiently(work: Callable[[], _T]) -> _T:
    """Try again for up to two seconds while another program has the file open (Windows)."""
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
    """Whether the error may only mean that another program has the file open; see the table above."""
    number = getattr(error, "winerror", None)
    if number is not None:
        return number in _PASSING
    return _ON_WINDOWS and error.errno == errno.EACCES
