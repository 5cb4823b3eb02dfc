"""Node and the npm counterparts the test command put in place, found by what it says in the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NODE_VARIABLE = "MCP_BRIDGE_TEST_NODE"
MODULES_VARIABLE = "MCP_BRIDGE_TEST_NODE_MODULES"
WHO_SETS_IT = "scripts/test.py does, where npm can be used"


def require_node() -> Path:
    """Return the Node executable; skip the calling test, saying why, where there is none."""
    named = os.environ.get(NODE_VARIABLE, "")
    if not named:
        pytest.skip(f"no Node: {NODE_VARIABLE} is not set ({WHO_SETS_IT})")
    node = Path(named)
    if not node.is_file():
        pytest.fail(f"{NODE_VARIABLE} names {node}, which is no file")
    return node


def require_package(name: str, entry: str) -> Path:
    """Return the file `entry` of the npm package `name`; skip, saying why, where nothing was installed."""
    named = os.environ.get(MODULES_VARIABLE, "")
    if not named:
        pytest.skip(f"no npm packages: {MODULES_VARIABLE} is not set ({WHO_SETS_IT})")
    modules = Path(named)
    if not modules.is_dir():
        pytest.fail(f"{MODULES_VARIABLE} names {modules}, which is no directory")
    found = modules / name / entry
    if not found.is_file():
        # Not a skip: the directory is there, so a pinned counterpart went missing and less would be proved.
        pytest.fail(f"npm package {name} has no {entry} under {modules}")
    return found
