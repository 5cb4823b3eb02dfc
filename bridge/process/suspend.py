"""Tells how long the machine slept, by comparing a clock that stops in sleep with one that does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_NOTEWORTHY = 10.0

Clock = Callable[[], float]


def clock_that_stops() -> Clock:
    """A clock that does not count sleep. Python's monotonic one does on Windows."""
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
    """A clock that counts sleep: CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC_RAW on macOS, else the wall clock."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW"):
        number = getattr(time, name, None)
        if number is not None:
            return lambda: time.clock_gettime(number)
    return time.time


class SuspendDetector:
    """Asked now and then, says how many seconds of sleep have passed since it was asked last; 0 for a wink."""

    def __init__(self, runs_on: Clock | None = None, stops: Clock | None = None) -> None:
        self._runs_on = runs_on or clock_that_runs_on()
        self._stops = stops or clock_that_stops()
        self._gap = self._measure()

    def slept(self) -> float:
        """Seconds slept since the last call."""
        before, self._gap = self._gap, self._measure()
        seconds = self._gap - before
        return seconds if seconds >= _NOTEWORTHY else 0.0

    def _measure(self) -> float:
        return self._runs_on() - self._stops()
