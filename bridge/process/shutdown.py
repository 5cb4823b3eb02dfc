"""How a process of ours is made to end: in good order when somebody asks, and for certain when something hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable


def stop_on_signals(stop: Callable[[str], object]) -> None:
    """Have `stop` called, on the running loop, with the name of whatever signal asks this process to end.

    A process that was started with an interrupt or a hangup ignored goes on ignoring it, as programs do: a shell starts
    what a script runs in the background so, for Ctrl-C is not meant for it, and `nohup` everything. asyncio's own
    handlers are not there on Windows.
    """
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None or (name != "SIGTERM" and signal.getsignal(number) == signal.SIG_IGN):
            continue
        signal.signal(number, lambda *_, why=name: loop.call_soon_threadsafe(stop, why))


def end_for_certain(seconds: float, code: int) -> threading.Timer:
    """Exit with `code` after `seconds`, whatever hangs: a name lookup in a thread, a dead disk under the log."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), os._exit, (code,))
    timer.daemon = True
    timer.start()
    return timer
