"""Notices the end of the host that started this process, without polling.

When the host ends, stdin is closed, unless another process holds the same pipe open. So the ancestors of this process
are watched, from the parent to the first that is not a launcher (`parent_chain`): a host that kills its child may kill
only a launcher, and a launcher may keep running after the host has ended.

| system | how the end of a process is noticed | when the ancestors are read |
|---|---|---|
| Linux | a pidfd for each process, on the event loop | at once |
| macOS | a kqueue with NOTE_EXIT, on the event loop | after `LOOK_AFTER`, in a thread: psutil is slow to import |
| Windows | a thread waits for a handle of each (WaitForMultipleObjects) | after `LOOK_AFTER`, in that thread |

A process id may have been given to another process. POSIX keeps the id of a parent while it is the parent. Windows does
not, so there a parent that is younger than this process does not count. The other ancestors are checked again after the
watch on them has begun. A failed wait (WAIT_FAILED) is no sign of an end: it only stops the watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from bridge.host.parent_chain import ParentProcess, others_above

LOOK_AFTER = 3.0
"""Seconds after the start of the process, when it is less busy."""

_SYNCHRONIZE = 0x00100000
_PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
_INFINITE = 0xFFFFFFFF
_WAIT_OBJECT_0 = 0
_WAIT_TIMEOUT = 0x102


def watch_parent(on_death: Callable[[], None]) -> bool:
    """Call `on_death` once, on the event loop, when the parent or the host above it has ended.

    Return False if the system offers no way to watch the parent.
    """
    parent = os.getppid()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        return _watch_handles(parent, lambda: _tell(loop, on_death))
    watch = _Watch(loop, on_death)
    descriptor = _descriptor_of(parent)
    if os.getppid() != parent:  # It has just ended.
        if descriptor is not None:
            os.close(descriptor)
        loop.call_soon(watch.died)
        return True
    if descriptor is None:
        return False
    watch.add(descriptor)
    if sys.platform == "linux":
        watch.add_others(others_above(parent, sys.platform))
    else:
        loop.call_later(LOOK_AFTER, watch.add_others_later, parent)
    return True


class _Watch:
    """Watches descriptors that become readable when a process ends; the first one ends the watch."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_death: Callable[[], None]) -> None:
        self._loop = loop
        self._on_death = on_death
        self._descriptors: list[int] = []
        self._is_over = False

    def add(self, descriptor: int) -> None:
        self._descriptors.append(descriptor)
        self._loop.add_reader(descriptor, self.died)

    def add_others(self, others: Iterable[ParentProcess]) -> None:
        for one in others:
            if self._is_over:
                return
            descriptor = _descriptor_of(one.pid)
            if not one.is_there():
                if descriptor is not None:
                    os.close(descriptor)
                self._loop.call_soon(self.died)
            elif descriptor is not None:
                self.add(descriptor)

    def add_others_later(self, parent: int) -> None:
        def look() -> None:
            others = others_above(parent, sys.platform)
            _tell(self._loop, lambda: self.add_others(others))

        threading.Thread(target=look, name="parent-watch", daemon=True).start()

    def died(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        for descriptor in self._descriptors:
            self._loop.remove_reader(descriptor)
        self._on_death()


def _descriptor_of(process: int) -> int | None:
    """A descriptor that becomes readable when the process ends."""
    if process <= 0:  # It is in a namespace that is not visible from here.
        return None
    descriptor = None
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            if hasattr(os, "pidfd_open"):
                descriptor = os.pidfd_open(process)
        elif sys.platform == "darwin":
            descriptor = _kqueue_of(process)
    return descriptor


def _kqueue_of(process: int) -> int:
    system: Any = select  # Type checkers on other systems know no kqueue.
    kqueue = system.kqueue()
    event = system.kevent(process, system.KQ_FILTER_PROC, system.KQ_EV_ADD, system.KQ_NOTE_EXIT)
    kqueue.control([event], 0)
    descriptor = os.dup(kqueue.fileno())
    kqueue.close()
    return descriptor


def _watch_handles(parent: int, on_death: Callable[[], None]) -> bool:
    system = _Handles()
    handle = system.of(parent)
    if handle is None or not system.is_older(handle):
        return False

    def wait() -> None:
        handles = [handle]
        ended = system.wait(handles, LOOK_AFTER)
        if ended is None:
            for one in others_above(parent, sys.platform):
                other = system.of(one.pid)
                if not one.is_there():  # While a handle is open, the id is not given to another process.
                    on_death()
                    return
                if other is not None:
                    handles.append(other)
            ended = system.wait(handles, None)
        if ended:
            on_death()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
    return True


class _Handles:
    """Functions of Windows for processes (processthreadsapi.h, synchapi.h)."""

    def __init__(self) -> None:
        import ctypes

        self._ctypes = ctypes
        self._kernel = kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
        handle, number = ctypes.c_void_p, ctypes.c_uint32
        time = ctypes.POINTER(ctypes.c_uint64)  # A FILETIME: 100 ns since 1601.
        kernel.OpenProcess.argtypes = (number, ctypes.c_int, number)
        kernel.OpenProcess.restype = handle
        kernel.GetCurrentProcess.restype = handle
        kernel.GetProcessTimes.argtypes = (handle, time, time, time, time)
        kernel.WaitForMultipleObjects.argtypes = (number, ctypes.POINTER(handle), ctypes.c_int, number)
        kernel.WaitForMultipleObjects.restype = number

    def of(self, process: int) -> int | None:
        """A handle of a process, to wait for; None if there is no such process, or access is denied."""
        handle = self._kernel.OpenProcess(_SYNCHRONIZE | _PROCESS_QUERY_LIMITED_INFORMATION, False, process)
        return int(handle) if handle else None

    def is_older(self, handle: int) -> bool:
        """Whether a process was started before this one, as far as the system tells."""
        started, own = self._started(handle), self._started(self._kernel.GetCurrentProcess())
        return started is None or own is None or started <= own

    def wait(self, handles: list[int], seconds: float | None) -> bool | None:
        """Wait until one of the processes ends: True then, False if the wait fails, None after `seconds`."""
        several = (self._ctypes.c_void_p * len(handles))(*handles)
        milliseconds = _INFINITE if seconds is None else round(seconds * 1000)
        told = self._kernel.WaitForMultipleObjects(len(handles), several, False, milliseconds)
        return None if told == _WAIT_TIMEOUT else _WAIT_OBJECT_0 <= told < _WAIT_OBJECT_0 + len(handles)

    def _started(self, handle: int) -> int | None:
        started, *rest = (self._ctypes.c_uint64() for _ in range(4))
        by_reference = (self._ctypes.byref(time) for time in (started, *rest))
        return started.value if self._kernel.GetProcessTimes(handle, *by_reference) else None


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # The loop is closed, for the bridge has ended.
        loop.call_soon_threadsafe(what)
