"""How long a test waits: the one factor by which all waits grow on a slow or busy machine.

A deadline is written in seconds of an ordinary machine. What really waits, and what asserts that something was quick,
passes it through `stretched`. `scripts/test.py` measures how slow the machine is and says so in the environment.
"""

from __future__ import annotations

import os

VARIABLE = "BRIDGE_TEST_SLOWNESS"
"""Not `MCP_BRIDGE_...`: those are the bridge's own options, and a test's bridge must not see it as one."""


def slowness() -> float:
    """How many times as long as on an ordinary machine everything takes here; at least 1."""
    return max(1.0, float(os.environ.get(VARIABLE) or 1))


def stretched(seconds: float) -> float:
    """The seconds to wait at most on this machine for what may take `seconds` on an ordinary one."""
    return seconds * slowness()
