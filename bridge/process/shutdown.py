"""Ends a process of the bridge: in order when a signal asks for it, and in any case when something hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable


def stop_on_signals(stop: Callable[[str], object]) -> None:
    """Call `stop` on the running loop, with the name of the signal, when a signal asks this process to end.

    A process that was started with an interrupt or a hangup ignored goes on ignoring it, as is usual: a shell starts
    the background commands of a script like this, because Ctrl-C is not meant for them, and so does `nohup`. asyncio's
    own handlers do not exist on Windows.
    """
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None or (name != "SIGTERM" and signal.getsignal(number) == signal.SIG_IGN):
            continue
        signal.signal(number, lambda *_, why=name: loop.call_soon_threadsafe(stop, why))


def end_for_certain(seconds: float, code: int) -> threading.Timer:
    """Exit with `code` after `seconds`, even where something hangs, such as a name lookup in a thread or a disk."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), os._exit, (code,))
    timer.daemon = True
    timer.start()
    return timer
