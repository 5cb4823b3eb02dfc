"""Locks by name: among the tasks of this process, and among the processes of this machine.

The second kind is the operating system's own (flock, LockFileEx) on an empty file that is never removed, so a lock ends
with its owner, however that ends. Systems offer no way to wait for one without a thread, so the first waiting task of
each process tries again and again, and its other tasks wait for that task.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.protocol.backoff import Backoff
from bridge.store.errors import StoreBusy, StoreError
from bridge.store.paths import make_private, reason_of

if TYPE_CHECKING:
    from filelock import BaseFileLock

# What a file system without locks answers; some network and container mounts are such.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
_PAUSES = Backoff(0.01, 0.1)


class TaskLocks:
    """Locks among the tasks of one event loop. The task that has waited longest is next."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def hold(self, name: str, seconds: float) -> AsyncIterator[None]:
        """Hold the lock; raises `StoreBusy` if it was not free within `seconds`."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(seconds):
                await lock.acquire()
        except TimeoutError:
            raise _busy(seconds) from None
        try:
            yield
        finally:
            lock.release()


class ProcessLocks:
    """Locks among all processes of this user that share `folder`, and among the tasks of each."""

    def __init__(self, folder: Path, notice: Callable[[str], None]) -> None:
        self._folder = folder
        self._notice = notice
        self._tasks = TaskLocks()
        self._without = False

    @contextlib.asynccontextmanager
    async def hold(self, name: str, seconds: float) -> AsyncIterator[None]:
        """Hold the lock. Raises `StoreBusy` after `seconds`, and `StoreError` where the lock's file cannot be created.

        On a file system without locks, only the tasks of this process exclude one another, and a notice says so.
        """
        end = asyncio.get_running_loop().time() + seconds
        async with self._tasks.hold(name, seconds):
            lock = await self._acquire(name, seconds, end)
            try:
                yield
            finally:
                if lock is not None:
                    with contextlib.suppress(OSError):
                        lock.release()

    async def _acquire(self, name: str, seconds: float, end: float) -> BaseFileLock | None:
        """Try until `end`; None where the file system has no locks."""
        if self._without:
            return None
        from filelock import FileLock, Timeout

        make_private(self._folder)
        # No soft lock, which is made of a file's existence: it would outlive its owner.
        path = self._folder / f"{name}.lock"
        lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
        pauses = _PAUSES.pauses()
        while True:
            try:
                lock.acquire(blocking=False)
                return lock
            except Timeout:
                if (left := end - asyncio.get_running_loop().time()) <= 0:
                    raise _busy(seconds) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise StoreError(f"The lock file {path} cannot be locked: {reason_of(error)}.") from None
                self._without = True
                self._notice(
                    f"The file system of {self._folder} supports no locks, so bridges that run at the "
                    "same time may ask you to sign in more often than needed."
                )
                return None
            # The pauses are random, so that many waiting processes do not try at the same time.
            await asyncio.sleep(min(left, next(pauses) * random.uniform(0.5, 1.0)))  # noqa: S311


def _busy(seconds: float) -> StoreBusy:
    return StoreBusy(
        f"Another bridge has been working on the same sign-in for {seconds:g} s.",
        hint="Wait until it is done, or end it.",
    )
