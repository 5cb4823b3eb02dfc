"""Tells how long the machine was suspended, by comparing a clock that stops during that with one that does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_NOTEWORTHY = 10.0

Clock = Callable[[], float]


def clock_that_stops() -> Clock:
    """A clock that does not count suspended time. Python's monotonic clock does so on Windows."""
    if sys.platform == "win32":
        import ctypes

        read = ctypes.WinDLL("kernel32").QueryUnbiasedInterruptTime
        ticks = ctypes.c_ulonglong()

        def unbiased() -> float:
            read(ctypes.byref(ticks))
            return ticks.value / 1e7

        return unbiased
    return time.monotonic


def clock_that_runs_on() -> Clock:
    """A clock that counts suspended time: CLOCK_BOOTTIME (Linux), CLOCK_MONOTONIC_RAW (macOS), or the wall clock."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW"):
        number = getattr(time, name, None)
        if number is not None:
            return lambda: time.clock_gettime(number)
    return time.time


class SuspendDetector:
    """Tells for how many seconds the machine was suspended since the last call; 0 for a short time."""

    def __init__(self, runs_on: Clock | None = None, stops: Clock | None = None) -> None:
        self._runs_on = runs_on or clock_that_runs_on()
        self._stops = stops or clock_that_stops()
        self._gap = self._measure()

    def slept(self) -> float:
        """Seconds suspended since the last call."""
        before, self._gap = self._gap, self._measure()
        seconds = self._gap - before
        return seconds if seconds >= _NOTEWORTHY else 0.0

    def _measure(self) -> float:
        return self._runs_on() - self._stops()
