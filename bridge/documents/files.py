"""Files written whole or not at all, with the patience that Windows asks for (see `store/file` for why)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bridge.protocol.backoff import Backoff

_T = TypeVar("_T")

_PASSING = (5, 32, 33)  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
_PATIENCE = 2.0
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
            if getattr(error, "winerror", None) not in _PASSING or time.monotonic() >= deadline:
                raise
        time.sleep(next(pauses))


@contextlib.contextmanager
def written_whole(path: Path, data: bytes, mode_and_owner: tuple[int, int, int]) -> Iterator[Path]:
    """A draft beside `path` with these bytes on the disk; it is removed if it is still there afterwards.

    `mode_and_owner`: permissions, user and group; -1 leaves the last two as they are. Raises OSError.
    """
    mode, user, group = mode_and_owner
    draft = path.with_name(f".{path.name[:100]}.{os.urandom(8).hex()}.tmp")
    try:
        with os.fdopen(os.open(draft, _MAKE, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if user >= 0 and os.name == "posix":
            with contextlib.suppress(
                OSError
            ):  # Only root can give a file away; the folder's owner can write it anyway.
                getattr(os, "chown")(draft, user, group)  # noqa: B009
        draft.chmod(mode)
        yield draft
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def reason_of(problem: OSError) -> str:
    """The system's words for it."""
    return problem.strerror or type(problem).__name__
