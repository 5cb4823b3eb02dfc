"""Files written whole or not at all, with the patience that Windows asks for (see `store/file` for why)."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bridge.protocol.backoff import Backoff

_T = TypeVar("_T")

_ON_WINDOWS = os.name == "nt"
_PASSING = (5, 32, 33)  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
_PATIENCE = 2.0
_LEFTOVER_AGE = 3600.0
_PAUSES = Backoff(0.005, 0.02)
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def retried(work: Callable[[], _T]) -> _T:
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
    """Whether the error may only mean that another program has the file open. `open` tells no Win32 number."""
    number = getattr(error, "winerror", None)
    return (_ON_WINDOWS and error.errno == errno.EACCES) if number is None else number in _PASSING


@contextlib.contextmanager
def written_whole(path: Path, data: bytes, mode_and_owner: tuple[int, int, int]) -> Iterator[Path]:
    """A draft beside `path` with these bytes on the disk; it is removed if it is still there afterwards.

    `mode_and_owner`: permissions, user and group; -1 leaves the last two as they are. Raises OSError.
    """
    mode, user, group = mode_and_owner
    _sweep(path)
    draft = path.with_name(f"{_draft_of(path)}{os.urandom(8).hex()}.tmp")
    try:
        with os.fdopen(os.open(draft, _MAKE, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix" and user >= 0 and not _given(draft, user, group):
            mode &= ~0o070  # What its group may do with a file is not for another group.
        draft.chmod(mode)
        yield draft
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _given(path: Path, user: int, group: int) -> bool:
    """Give the file to this user and group, as far as that is allowed; whether it has the group now."""
    change = getattr(os, "chown")  # noqa: B009 - Windows lacks it.
    for owner in (user, -1):
        with contextlib.suppress(OSError):
            change(path, owner, group)
            return True
    return False


def _draft_of(path: Path) -> str:
    return f".{path.name[:100]}."


def _sweep(path: Path) -> None:
    """Remove drafts of processes that were killed while writing; they may hold secrets."""
    before = time.time() - _LEFTOVER_AGE
    with contextlib.suppress(OSError):
        for found in path.parent.glob(f"{glob.escape(_draft_of(path))}{'[0-9a-f]' * 16}.tmp"):
            if found.lstat().st_mtime <= before:
                found.unlink()


def reason_of(problem: OSError) -> str:
    """The system's words for it."""
    return problem.strerror or type(problem).__name__
