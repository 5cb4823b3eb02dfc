"""How slow this machine is, measured in a second, so that the tests can wait accordingly.

What the tests wait for is mostly processes that start and compute side by side. So a round starts as many bare
interpreters at once as there are workers, and each computes for a moment; how long the round takes shows a slow
processor, too few of them, and other work that goes on at the same time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

VARIABLE = "BRIDGE_TEST_SLOWNESS"
"""Read by `tests/support/waits.py`."""

REFERENCE = 0.25
"""Seconds for a round on the machine that the tests' deadlines were written on: two processors, four workers."""

_ROUNDS = 3
_MOST = 20.0
_ROUND_LIMIT = 120.0
_WORK = "sum(number * number % 7 for number in range(1_000_000))"


def slowness(workers: int, given: Mapping[str, str]) -> float:
    """Return how many times as long everything takes here, from 1 to 20; `VARIABLE`, where it is given, decides."""
    if said := given.get(VARIABLE):
        return max(1.0, float(said))
    measured = statistics.median(_round(workers) for _ in range(_ROUNDS))
    return round(min(max(1.0, measured / REFERENCE), _MOST), 1)


def _round(workers: int) -> float:
    began = time.monotonic()
    command = [sys.executable, "-I", "-S", "-c", _WORK]
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in range(workers)]
    for process in started:
        try:
            process.wait(max(0.0, began + _ROUND_LIMIT - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return time.monotonic() - began


def default_workers(*, in_process: bool = False) -> int:
    """Return how many workers run the tests.

    A test that starts programs waits for them, so there are more workers than processors; tests that run `in_process`
    wait less. Each worker reads all test files, so there are not many more.
    """
    return (os.cpu_count() or 1) + (1 if in_process else 3)
