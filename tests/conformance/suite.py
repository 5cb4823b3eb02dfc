"""Plays one run of the public conformance suite in a process of its own and says how it went."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.catalogue import Run
from tests.conformance.host import DEADLINE, ERA_VARIABLE, QUIT_PATIENCE
from tests.support.waits import stretched

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "@modelcontextprotocol/conformance"
ENTRY = "dist/index.js"

# Each bound is looser than the one inside it: the innermost knows most and gets to say what was late.
CLIENT_DEADLINE = DEADLINE + QUIT_PATIENCE + stretched(3.0)
RUN_DEADLINE = CLIENT_DEADLINE + stretched(10.0)

OUTPUT_TAIL = 1500


@dataclass(frozen=True)
class Outcome:
    """What came of a run: whether it held, whether the suite got to judge it at all, and why."""

    held: bool
    judged: bool
    report: str


def play(run: Run, node: Path, suite: Path, results: Path) -> Outcome:
    """Play `run`, keeping what the suite writes under `results`; it is over after RUN_DEADLINE seconds."""
    results.mkdir(parents=True)
    output = results / "output.txt"
    with output.open("wb") as sink:
        code = _bounded(
            [
                *(str(node), str(suite), "client"),
                *("--command", _host_command()),
                *("--scenario", run.scenario, "--spec-version", run.revision),
                *("--timeout", str(round(CLIENT_DEADLINE * 1000)), "-o", str(results)),
            ],
            {**os.environ, ERA_VARIABLE: run.host},
            sink.fileno(),
        )
    return judge(code, results, output.read_text(encoding="utf-8", errors="replace"))


def judge(code: int | None, results: Path, output: str) -> Outcome:
    """Read the suite's verdict from exit code and checks; `code` is None for a run that was killed."""
    found = next(results.glob("**/checks.json"), None)
    if found is None:
        # A skipped scenario exits with 0 too: without checks, nothing was tested.
        report = f"the suite wrote no checks (exit code {code}):\n{output[-OUTPUT_TAIL:]}"
        return Outcome(held=False, judged=False, report=report)
    checks: list[dict[str, Any]] = json.loads(found.read_text(encoding="utf-8"))
    statuses = {check["status"] for check in checks}
    held = code == 0 and "SUCCESS" in statuses
    said = found.with_name("stderr.txt").read_text(encoding="utf-8", errors="replace").strip()
    lines = [_line(check) for check in checks if check["status"] in ("FAILURE", "WARNING")]
    lines.append(f"suite's exit code {code}; host and bridge said:\n{said[-OUTPUT_TAIL:] or '(nothing)'}")
    return Outcome(held=held, judged=True, report="\n".join(lines))


def _line(check: dict[str, Any]) -> str:
    return f"{check['status']} {check['id']}: {check.get('errorMessage') or check['description']}"


def _host_command() -> str:
    # The suite splits this at spaces and joins it again for a shell.
    parts = [sys.executable, "-m", "tests.conformance.host"]
    return subprocess.list2cmdline(parts) if os.name == "nt" else shlex.join(parts)


def _bounded(command: Sequence[str], env: dict[str, str], sink: int) -> int | None:
    """Run `command` with its output to `sink`; return its exit code, or None when it had to be killed."""
    # A group of its own: the suite starts a shell, that starts the host, that starts the bridge.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
        start_new_session=os.name != "nt",
    )
    try:
        return process.wait(timeout=RUN_DEADLINE)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
