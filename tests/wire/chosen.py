"""The equipment that this run of the tests is about, and where each piece was installed."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.process.node import MODULES_VARIABLE, NODE_VARIABLE
from tests.wire.equipment import Debian, Equipment, NodeModules, TestEnvironment, found
from tests.wire.table import all_equipment

VARIABLE = "MCP_BRIDGE_TEST_WIRE"
"""What `scripts/wire.py` found and installed, as JSON."""
HOW = "python3 scripts/test.py --wire"


@dataclass(frozen=True)
class Spot:
    """A door of a piece of equipment."""

    row: Equipment
    door: str


def told() -> dict[str, Any] | None:
    """What the script says; None where the tests are run without it."""
    text = os.environ.get(VARIABLE)
    return None if text is None else dict(json.loads(text))


def _chosen() -> tuple[list[Equipment], list[Equipment]]:
    said = told()
    every = all_equipment()
    chosen = [row for row in every if (row.quick if said is None else row.name in said["equipment"])]
    return chosen, [row for row in every if row not in chosen]


CHOSEN, OTHERS = _chosen()
"""What is run, and what is not: without the script, what has to be installed or takes long."""


def why_missing(row: Equipment) -> str:
    """Why a chosen piece cannot be run here, with the command that changes it; empty where it can."""
    said = told()
    how = f"{HOW} {row.name}"
    if said is not None and (why := said["missing"].get(row.name)):
        return f"{row.name} could not be installed: {why}"
    if isinstance(row.source, Debian):
        absent = [program for program in row.source.programs if not found(program)]
        packages = " ".join(row.source.packages)
        return (
            f"{row.name}: no {', '.join(absent)} here; as root on Debian, {how} installs {packages}" if absent else ""
        )
    if isinstance(row.source, NodeModules):
        modules = os.environ.get(MODULES_VARIABLE, "")
        there = os.environ.get(NODE_VARIABLE) and modules and (Path(modules) / row.source.entry).exists()
        return "" if there else f"{row.name}: no Node, or no npm packages ({how} installs them)"
    if not isinstance(row.source, TestEnvironment) and said is None:
        return f"{row.name} is installed by {how}"
    return ""


def environment_of(row: Equipment) -> Path:
    """The environment a row was installed into."""
    said = told()
    if said is None or isinstance(row.source, Debian | TestEnvironment | NodeModules):
        return Path(sys.prefix)
    return Path(said["folder"]) / row.name


def in_a_moment() -> bool:
    """Whether only what takes a moment is run: all but the script wants to be through soon."""
    return told() is None


by_the_script = pytest.mark.skipif(in_a_moment(), reason=f"run by {HOW}")


def at(*doors: str, serves: bool | None = None) -> pytest.MarkDecorator:
    """Run a test at these doors of all chosen equipment that has them; at the first alone where it has to be soon over.

    `serves`: only at equipment that answers itself, or only at what passes requests on. The test is skipped, by name,
    where no such equipment is chosen.
    """
    every = [Spot(row, door) for row, door in _having(doors) if serves in {None, row.serves}]
    return spots([spot for spot in every if spot.door == doors[0] or not in_a_moment() or not spot.row.quick])


def at_idle_limits(door: str) -> pytest.MarkDecorator:
    """Run a test at this door of all equipment that closes idle connections there."""
    return spots([Spot(row, door) for row in all_equipment() if door in row.idle])


def spots(every: list[Spot]) -> pytest.MarkDecorator:
    """Run a test at the chosen ones of these."""
    chosen = [pytest.param(spot, id=f"{spot.row.name}-{spot.door}") for spot in every if spot.row in CHOSEN]
    if not chosen:
        names = " ".join(dict.fromkeys(spot.row.name for spot in every))
        skip = pytest.mark.skip(reason=f"needs one of {names}: {HOW} {names}")
        chosen = [pytest.param(None, id="none", marks=skip)]
    return pytest.mark.parametrize("spot", chosen, indirect=True)


def _having(doors: tuple[str, ...]) -> list[tuple[Equipment, str]]:
    return [(row, door) for row in all_equipment() for door in doors if door in row.doors]
