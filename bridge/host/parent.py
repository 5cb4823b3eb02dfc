"""Notices the death of the process that started this one, without asking again and again.

A host that dies closes our input, but not where another process holds the same pipe open. So the parent itself is
watched: by a pidfd on Linux, by kqueue on macOS, by a process handle on Windows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

_SYNCHRONIZE = 0x00100000
_INFINITE = 0xFFFFFFFF


def watch_parent(on_death: Callable[[], None]) -> bool:
    """Call `on_death` on the event loop once the parent is gone; False where the system offers no way to know."""
    parent = os.getppid()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        return _watch_handle(parent, lambda: _tell(loop, on_death))
    descriptor = _descriptor_of(parent)
    if os.getppid() != parent:  # It died while we looked.
        if descriptor is not None:
            os.close(descriptor)
        loop.call_soon(on_death)
        return True
    if descriptor is None:
        return False

    def died() -> None:
        loop.remove_reader(descriptor)
        on_death()

    loop.add_reader(descriptor, died)
    return True


def _descriptor_of(parent: int) -> int | None:
    """A descriptor that becomes readable when the process ends."""
    if parent <= 0:  # The parent lives in a namespace that cannot be seen from here.
        return None
    descriptor = None
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            if hasattr(os, "pidfd_open"):
                descriptor = os.pidfd_open(parent)
        elif sys.platform == "darwin":
            descriptor = _kqueue_of(parent)
    return descriptor


def _kqueue_of(parent: int) -> int:
    system: Any = select  # Whoever checks the types on another system finds no kqueue.
    kqueue = system.kqueue()
    event = system.kevent(parent, system.KQ_FILTER_PROC, system.KQ_EV_ADD, system.KQ_NOTE_EXIT)
    kqueue.control([event], 0)
    descriptor = os.dup(kqueue.fileno())
    kqueue.close()
    return descriptor


def _watch_handle(parent: int, on_death: Callable[[], None]) -> bool:
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    handle = kernel.OpenProcess(_SYNCHRONIZE, False, parent)
    if not handle:
        return False

    def wait() -> None:
        kernel.WaitForSingleObject(handle, _INFINITE)
        on_death()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
    return True


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
        loop.call_soon_threadsafe(what)
