"""Real hosts to test with, from npm and PyPI, each in an environment of its own under `.work/hosts`.

`tests/hosts/rows` says which versions. They are large (gigabytes together), so nothing installs them but
`python3 scripts/test.py --hosts [NAME ...]`. One that cannot be had is skipped, by name.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import counterparts
from scripts.environment import (
    ROOT,
    WORK,
    Environment,
    SetupError,
    clean_variables,
    lock,
    remove,
    run_step,
    stamp,
    stamped,
)
from tests.hosts.host import Host, Npm, PyPi
from tests.hosts.report import faults, measurements, outcomes, read_rows
from tests.hosts.table import all_hosts

FOLDER = WORK / "hosts"
BEFORE = "2026-11-30"
"""What npm packages depend on is taken as it was on this day."""
INSTALL_TIMEOUT = 900.0
RESULTS = FOLDER / "results.jsonl"
RUNS = FOLDER / "runs"
"""What each host's last run with each server left, for a person to read."""


def chosen(names: Sequence[str]) -> list[Host]:
    """Return the hosts of these names, or all of them. Raises `SetupError`."""
    every = all_hosts()
    unknown = set(names) - {host.name for host in every}
    if unknown:
        known = ", ".join(host.name for host in every)
        raise SetupError(f"No host is called {', '.join(sorted(unknown))}. The hosts are: {known}")
    return [host for host in every if not names or host.name in names]


def prepare(hosts: Sequence[Host], made: Environment) -> dict[str, str]:
    """Install the hosts, and return the variables that tell the tests which are there and why others are not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULTS.unlink(missing_ok=True)
    missing: dict[str, str] = {}
    for host in hosts:
        try:
            install(host, made)
        except SetupError as error:
            missing[host.name] = " ".join(str(error).split())[-300:]
            print(f"Without {host.name}: {missing[host.name]}", flush=True)
    told = {
        "hosts": [host.name for host in hosts],
        "missing": missing,
        "folder": str(FOLDER),
        "node": str(counterparts.node(made)),
        "results": str(RESULTS),
        "runs": str(RUNS),
    }
    return {"MCP_BRIDGE_TEST_HOSTS": json.dumps(told)}


def install(host: Host, made: Environment) -> Path:
    """Return the folder of a host's environment, made when it is not there as pinned. Raises `SetupError`."""
    folder = FOLDER / host.environment
    source = host.source
    if not isinstance(source, Npm | PyPi):
        return made.folder
    decides = [str(ROOT), type(source).__name__, *source.packages, BEFORE, sys.version_info[:2]]
    content = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    if stamped(folder, content):
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with lock(f"hosts-{host.environment}") as held:
        if not stamped(folder, content):
            print(f"Preparing {folder.relative_to(ROOT)} ({', '.join(source.packages)}, once).", flush=True)
            remove(folder)
            folder.mkdir()
            if isinstance(source, Npm):
                _from_npm(source, folder, made, held)
            else:
                _from_pypi(source, folder, held)
            stamp(folder, content)
    return folder


def results() -> str:
    """Return the tables of what the tests found."""
    hosts, rows = all_hosts(), read_rows(RESULTS)
    return "\n\n".join(filter(None, (measurements(hosts, rows), outcomes(hosts, rows), faults(hosts, rows))))


def _from_npm(source: Npm, folder: Path, made: Environment, held: int) -> None:
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    interpreter = counterparts.node(made)
    run_step(
        [
            *(str(interpreter), str(counterparts.npm(interpreter, made)), "install", *source.packages),
            *("--save-exact", f"--before={BEFORE}", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"),
            *("--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-timeout=60000"),
        ],
        folder=folder,
        variables={"PATH": f"{interpreter.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        timeout=INSTALL_TIMEOUT,
        held=held,
        doing="install the npm packages",
    )


def _from_pypi(source: PyPi, folder: Path, held: int) -> None:
    place = Environment(folder)
    run_step([sys.executable, "-m", "venv", str(folder)], timeout=180, held=held, doing="make a virtual environment")
    run_step(
        [
            *(str(place.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *source.packages,
        ],
        variables=clean_variables({}),
        timeout=INSTALL_TIMEOUT,
        held=held,
        doing="install the Python packages",
    )
