"""Plays runs of the public conformance suite and says how each went."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.catalogue import EXTENSION, Run
from tests.conformance.host import DEADLINE, ERA_VARIABLE, QUIT_PATIENCE
from tests.support.process.fork_server import command_to_fork, fork_server
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


class SuiteProcess:
    """The suite in a process of its own, which plays one run after the other."""

    def __init__(self, node: Path, suite: Path) -> None:
        pipe = subprocess.PIPE
        self._forking = command_to_fork("conformance-host")
        variables = fork_server().variables if self._forking else {}
        # A group of its own: the suite starts a shell, that starts the host, that starts the bridge.
        self._process = subprocess.Popen(
            [str(node), str(Path(__file__).with_name("runs.mjs")), str(suite)],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=pipe,
            stdout=pipe,
            start_new_session=os.name != "nt",
        )
        self._codes: queue.Queue[int | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        atexit.register(self.end)

    @property
    def has_ended(self) -> bool:
        """Whether it can play no more."""
        return self._process.poll() is not None

    def play(self, run: Run, results: Path) -> Outcome:
        """Play `run`, keeping what the suite writes under `results`; it is over after RUN_DEADLINE seconds."""
        results.mkdir(parents=True)
        output = results / "output.txt"
        output.touch()
        arguments = [
            *("client", "--command", _joined(self._forking or [sys.executable, "-m", "tests.conformance.host"])),
            *("--scenario", run.scenario),
            *(("--spec-version", run.revision) if run.revision != EXTENSION else ()),
            *("--timeout", str(round(CLIENT_DEADLINE * 1000)), "-o", str(results)),
        ]
        order = {"arguments": arguments, "environment": {ERA_VARIABLE: run.host}, "output": str(output)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        try:
            code = self._codes.get(timeout=RUN_DEADLINE)
        except queue.Empty:
            code = None
        if code is None:
            self.end()
        return judge(code, results, output.read_text(encoding="utf-8", errors="replace"))

    def end(self) -> None:
        """Kill it, with all that it started."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # Closed by `end`.
            for line in self._process.stdout:
                self._codes.put(json.loads(line)["code"])
        self._codes.put(None)


_processes: list[SuiteProcess] = []


def play(run: Run, node: Path, suite: Path, results: Path) -> Outcome:
    """Play `run` in the suite's process, which is started where there is none that can; see `SuiteProcess.play`."""
    if not _processes or _processes[-1].has_ended:
        _processes.append(SuiteProcess(node, suite))
    return _processes[-1].play(run, results)


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


def _joined(parts: Sequence[str]) -> str:
    # The suite splits this at spaces and joins it again for a shell.
    return subprocess.list2cmdline(parts) if os.name == "nt" else shlex.join(parts)
