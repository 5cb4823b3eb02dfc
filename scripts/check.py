"""Check the code without running it: `python3 scripts/check.py [--fix]`.

ruff (rules and layout) and mypy (types, strict), as pyproject.toml sets them, the packages that a release consists of
(`scripts/package`), and pip-audit (known vulnerabilities of the packages in constraints.txt) where its data can be
reached. With `--fix`, ruff first repairs what it safely can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.audit import audit
from scripts.environment import ROOT, Environment, SetupError, clean_variables, environment, run_script
from scripts.package import FOLDER, package

TIMEOUT = 300.0
"""Seconds one checker may take."""


def main(arguments: Sequence[str]) -> int:
    """Run every checker, also after one has found something; 1 when any did."""
    if any(argument != "--fix" for argument in arguments):
        raise SetupError("usage: python3 scripts/check.py [--fix]")
    made = environment("test", extras=["test"])
    if arguments:
        _run(made, "ruff", "check", "--fix-only", "--quiet", ".")
        _run(made, "ruff", "format", "--quiet", ".")
    verdicts = [
        _checked(made, "rules", "ruff", "check", "--quiet", "."),
        _checked(made, "layout", "ruff", "format", "--check", "--quiet", "."),
        _checked(made, "types", "mypy", "--no-error-summary"),
        _packaged(),
        _audited(),
    ]
    print("All checks passed." if all(verdicts) else "Checks failed.", flush=True)
    return 0 if all(verdicts) else 1


def _checked(made: Environment, subject: str, program: str, *arguments: str) -> bool:
    began = time.monotonic()
    good = _run(made, program, *arguments) == 0
    took = time.monotonic() - began
    print(
        f"{subject:<8}{'ok' if good else 'FAILED':<8}{program} {' '.join(arguments)} ({took:.1f} s)",
        flush=True,
    )
    return good


def _packaged() -> bool:
    began = time.monotonic()
    problem = package(FOLDER)
    took = time.monotonic() - began
    print(
        f"{'package':<8}{'FAILED' if problem else 'ok':<8}build, twine, check-wheel-contents ({took:.1f} s)", flush=True
    )
    if problem:
        print(problem, flush=True)
    return not problem


def _audited() -> bool:
    done = audit()
    word = {True: "ok", False: "FAILED", None: "not run"}[done.good]
    print(f"{'audit':<8}{word:<8}{done.said}", flush=True)
    return done.good is not False


def _run(made: Environment, program: str, *arguments: str) -> int:
    try:
        return subprocess.run(
            [str(made.program(program)), *arguments],
            cwd=ROOT,
            env=clean_variables(os.environ),
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{program} did not end within {TIMEOUT:.0f} s.") from error


if __name__ == "__main__":
    sys.exit(run_script(main))
