"""Whether a package of `constraints.txt` has a known vulnerability: pip-audit, asking the package index.

It needs the index's own data (`https://pypi.org/pypi/NAME/VERSION/json`). Where that cannot be reached, nothing is
installed and nothing fails: the reason is said. pip-audit calls a package that the index does not know a success, so
that is looked for in its report and said too. A good result stands for a day: most checks need no network for it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import queue
import re
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.environment import ROOT, WORK, SetupError, clean_variables, environment, stamp, stamped

PIP_AUDIT = "pip-audit>=2.9,<3"
PINS = ROOT / "constraints.txt"
INDEX = "https://pypi.org/pypi"
REMEMBERED = WORK / "audit"
PROBE_LIMIT = 4.0
"""Seconds to wait for the index to say that it is there."""
LIMIT = 90.0
"""Seconds for the whole audit."""


@dataclass(frozen=True)
class Audit:
    """What came of it: `good` is None where it was not done."""

    good: bool | None
    said: str


def audit() -> Audit:
    """Ask for every pinned package, unless that was done today; never raises for want of a network."""
    text = PINS.read_text(encoding="utf-8")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    content = f"{today} {hashlib.sha256(text.encode()).hexdigest()}"
    if stamped(REMEMBERED, content):
        return Audit(good=True, said="pip-audit (was done today)")
    if why := unreachable(text):
        return Audit(good=None, said=f"pip-audit: {why}")
    try:
        program = environment("audit", requirements=[PIP_AUDIT], project=False).program("pip-audit")
        found = verdict(ask(program))
    except (SetupError, subprocess.TimeoutExpired) as error:
        return Audit(good=None, said=f"pip-audit: {str(error).strip().splitlines()[-1].strip()}")
    if found.good:
        REMEMBERED.mkdir(parents=True, exist_ok=True)
        stamp(REMEMBERED, content)
    return found


def unreachable(pins: str) -> str | None:
    """Say why the index's data cannot be had, or nothing where it can: one request for the first package."""
    first = re.search(r"^([\w.-]+)==([^\s\\;]+)", pins, re.MULTILINE)
    if first is None:
        return f"{PINS.name} pins nothing"
    url = f"{INDEX}/{first[1]}/{first[2]}/json"
    answers: queue.Queue[str | None] = queue.Queue()
    # In a thread: looking a name up has no limit of its own.
    threading.Thread(target=lambda: answers.put(_complaint(url)), daemon=True).start()
    try:
        return answers.get(timeout=PROBE_LIMIT)
    except queue.Empty:
        return f"its data cannot be had here (no answer from {url} within {PROBE_LIMIT:g} s)"


def _complaint(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=PROBE_LIMIT) as answer:  # noqa: S310 - https, above
            json.loads(answer.read(8 << 20))
    except urllib.error.HTTPError as error:
        error.close()
        return f"its data cannot be had here ({url} answered {error.code})"
    except (OSError, ValueError) as error:
        return f"its data cannot be had here ({url}: {error})"
    return None


def ask(program: Path) -> str:
    """Return pip-audit's report as JSON; without one, what it complained about is raised as `SetupError`."""
    command = [str(program), "--disable-pip", "--require-hashes", "--requirement", str(PINS)]
    plain = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    done = subprocess.run(
        [*command, *plain],
        cwd=ROOT,
        env=clean_variables(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if not done.stdout.startswith("{"):
        raise SetupError(done.stderr.strip() or f"pip-audit ended with {done.returncode}")
    return done.stdout


def verdict(report: str) -> Audit:
    """Read pip-audit's report: what is vulnerable fails, and what was not asked for is no success."""
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    bad = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    if bad:
        return Audit(good=False, said="pip-audit: " + "; ".join(bad))
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown or not packages:
        return Audit(good=None, said=f"pip-audit: the index does not know {', '.join(unknown) or 'any package'}")
    return Audit(good=True, said=f"pip-audit: {len(packages)} packages")
