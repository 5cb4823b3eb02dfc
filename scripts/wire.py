"""Real proxies and servers to test the bridge's HTTP with: Debian packages, and PyPI's under `.work/wire`.

`tests/wire/rows` says which. Nothing installs them but `python3 scripts/test.py --wire [NAME ...]`. Debian packages are
installed by root on Debian; elsewhere what is there already is used. What cannot be had is skipped, by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import counterparts
from scripts.environment import (
    ROOT,
    WORK,
    Environment,
    SetupError,
    clean_variables,
    install_packages,
    lock,
    remove,
    run_step,
    stamp,
    stamped,
)
from tests.wire.equipment import Debian, Equipment, NodeModules, PyPi, found
from tests.wire.report import read_rows, summary
from tests.wire.table import all_equipment

FOLDER = WORK / "wire"
INSTALL_TIMEOUT = 600.0
RESULTS = FOLDER / "results.jsonl"
SERVICES_POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's packages ask it whether their services may be started."""


def chosen(names: Sequence[str]) -> list[Equipment]:
    """Return the rows of these names, or all of them. Raises `SetupError`."""
    every = all_equipment()
    unknown = set(names) - {row.name for row in every}
    if unknown:
        known = ", ".join(row.name for row in every)
        raise SetupError(f"No equipment is called {', '.join(sorted(unknown))}. There is: {known}")
    return [row for row in every if not names or row.name in names]


def prepare(rows: Sequence[Equipment], made: Environment) -> dict[str, str]:
    """Install what is missing, and return the variables that tell the tests what is there and why others are not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.unlink(missing_ok=True)
    missing: dict[str, str] = {}
    variables: dict[str, str] = {}
    for row in rows:
        try:
            if isinstance(row.source, NodeModules):
                variables |= counterparts.counterparts(made).variables()
            install(row)
        except SetupError as error:
            missing[row.name] = " ".join(str(error).split())[-300:]
            print(f"Without {row.name}: {missing[row.name]}", flush=True)
    told = {
        "equipment": [row.name for row in rows],
        "missing": missing,
        "folder": str(FOLDER),
        "results": str(RESULTS),
    }
    return variables | {"MCP_BRIDGE_TEST_WIRE": json.dumps(told)}


def install(row: Equipment) -> None:
    """Install a row where it is not there. Raises `SetupError`."""
    source = row.source
    if isinstance(source, Debian):
        absent = [program for program in source.programs if not found(program)]
        if not absent:
            return
        print(f"Installing {', '.join(source.packages)}, where that is allowed.", flush=True)
        with services_stay_down():
            install_packages(source.packages, timeout=INSTALL_TIMEOUT)
        if absent := [program for program in source.programs if not found(program)]:
            raise SetupError(f"there is no {', '.join(absent)} here, and Debian's packages cannot be installed")
    elif isinstance(source, PyPi):
        _from_pypi(source, FOLDER / row.name)


def results() -> str:
    """Return the table of what the tests found."""
    return summary([row.name for row in all_equipment()], read_rows(RESULTS))


@contextlib.contextmanager
def services_stay_down() -> Iterator[None]:
    """Keep packages from starting their services, where this user may: the tests start what they need themselves."""
    if SERVICES_POLICY.exists() or not os.access(SERVICES_POLICY.parent, os.W_OK):
        yield
        return
    SERVICES_POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    SERVICES_POLICY.chmod(0o755)
    try:
        yield
    finally:
        SERVICES_POLICY.unlink(missing_ok=True)


def _from_pypi(source: PyPi, folder: Path) -> None:
    decides = [str(ROOT), *source.packages, sys.version_info[:2]]
    content = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    if stamped(folder, content):
        return
    with lock(f"wire-{folder.name}") as held:
        if stamped(folder, content):
            return
        print(f"Preparing {folder.relative_to(ROOT)} ({', '.join(source.packages)}, once).", flush=True)
        remove(folder)
        python = str(Environment(folder).python)
        make = [sys.executable, "-m", "venv", str(folder)]
        fill = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        run_step(make, timeout=180, held=held, doing="make a virtual environment")
        run_step(
            [*fill, *source.packages],
            variables=clean_variables({}),
            timeout=INSTALL_TIMEOUT,
            held=held,
            doing="install the Python packages",
        )
        stamp(folder, content)
