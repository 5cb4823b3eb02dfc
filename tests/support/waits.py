"""How long a test waits: the one factor by which all waits grow on a slow or busy machine.

A deadline is written in seconds of an ordinary machine. What really waits, and what asserts that something was quick,
passes it through `stretched`. `scripts/test.py` measures how slow the machine is when a run begins and says so in the
environment; what else the machine is given to do later shows in its load, which is asked for at each wait.
"""

from __future__ import annotations

import os

VARIABLE = "BRIDGE_TEST_SLOWNESS"
"""Not `MCP_BRIDGE_...`: those are the bridge's own options, and a test's bridge must not see it as one."""

ORDINARY_LOAD = 3.0
"""Programs at work for each processor, on average over a minute, where nothing but the tests runs."""


def slowness() -> float:
    """How many times as long as on an ordinary machine everything takes here and now; at least 1."""
    return max(1.0, float(os.environ.get(VARIABLE) or 1), _load() / ORDINARY_LOAD)


def stretched(seconds: float) -> float:
    """The seconds to wait at most on this machine for what may take `seconds` on an ordinary one."""
    return seconds * slowness()


def _load() -> float:
    """Programs that run or want to, for each processor; 0 where the system does not say (Windows)."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return 0.0
