"""The hosts that this run of the tests is about, and where they were installed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host, TestEnvironment
from tests.hosts.report import add_row
from tests.hosts.table import all_hosts
from tests.support.process.node import NODE_VARIABLE

VARIABLE = "MCP_BRIDGE_TEST_HOSTS"
"""What `scripts/hosts.py` found and installed, as JSON."""
HOW = "python3 scripts/test.py --hosts"


@dataclass(frozen=True)
class Place:
    """Where a host is."""

    folder: Path
    node: Path


def _told() -> dict[str, Any] | None:
    text = os.environ.get(VARIABLE)
    return None if text is None else dict(json.loads(text))


def _chosen() -> tuple[list[Host], list[Host]]:
    told = _told()
    every = all_hosts()
    chosen = [host for host in every if (host.quick if told is None else host.name in told["hosts"])]
    return chosen, [host for host in every if host not in chosen]


CHOSEN, OTHERS = _chosen()
"""The hosts that are run, and those that are not: without the script, those that take long or have to be installed."""


def in_a_moment() -> bool:
    """Whether only what takes a few seconds is run: all but the script wants to be through soon."""
    return _told() is None


def installed(host: Host) -> Place:
    """Return where a host is; skips the calling test, saying why, where it is not there."""
    if sys.platform == "win32":
        pytest.skip(f"{host.name}: the stand-in for the user's browser is a shell script")
    told = _told()
    environment = Path(sys.prefix)
    if told is None:
        return Place(environment, Path(os.environ.get(NODE_VARIABLE, "node")))
    if why := told["missing"].get(host.name):
        pytest.skip(f"{host.name} could not be installed: {why}")
    folder = environment if isinstance(host.source, TestEnvironment) else Path(told["folder"]) / host.environment
    return Place(folder, Path(told["node"]))


def add_result(host: Host, scenario: str, what: str, *, holds: bool, **details: object) -> bool:
    """Add a cell to the table, where one is made; returns `holds`."""
    told = _told()
    if told is not None:
        row = {"host": host.name, "scenario": scenario, "what": what, "holds": holds}
        add_row(Path(told["results"]), row | details)
    return holds


def run_folder(host: Host, what: str, otherwise: Path) -> Path:
    """Return an empty folder for one run: one that a person finds, where the script runs the tests."""
    told = _told()
    if told is None:
        return otherwise
    folder = Path(told["runs"]) / host.name / what
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
