"""Build the sdist and the wheel, and check them: `python3 scripts/package.py [FOLDER]`, by default `.work/dist`.

The wheel is built from the sdist, so what is missing in that is noticed. `twine` checks what an index reads of both,
`check-wheel-contents` what is in the wheel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, WORK, SetupError, clean_variables, environment, run_script

TOOLS = ["build>=1.3,<2", "check-wheel-contents>=0.6.3,<1", "hatchling>=1.27,<2", "twine>=6.2,<7"]
"""The build backend too (pyproject.toml), so that it is not fetched again for each build."""
FOLDER = WORK / "dist"
TIMEOUT = 120.0
"""Seconds one of the steps may take."""


def main(arguments: Sequence[str]) -> int:
    """Build and check; 1 when something is wrong with them."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        raise SetupError("usage: python3 scripts/package.py [FOLDER]")
    folder = Path(arguments[0]).absolute() if arguments else FOLDER
    if problem := package(folder):
        print(problem, file=sys.stderr)
        return 1
    print(*sorted(folder.iterdir()), sep="\n")
    return 0


def package(folder: Path) -> str:
    """Build the sdist and the wheel into an empty folder; return what is wrong with them, or ""."""
    made = environment("package", requirements=TOOLS, project=False)
    if folder == FOLDER:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists() and any(folder.iterdir()):
        raise SetupError(f"{folder} is not empty: choose a new folder.")
    build = [str(made.python), "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    if problem := _problem(build):
        return problem
    files = [str(path) for path in sorted(folder.iterdir())]
    wheels = [name for name in files if name.endswith(".whl")]
    return _problem([str(made.program("twine")), "check", "--strict", *files]) or _problem(
        [str(made.program("check-wheel-contents")), *wheels]
    )


def _problem(command: Sequence[str]) -> str:
    """What a step printed, if it failed."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_variables(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{Path(command[0]).name} did not end within {TIMEOUT:.0f} s.") from error
    return "" if done.returncode == 0 else f"{Path(command[0]).name} failed:\n{done.stdout}"


if __name__ == "__main__":
    sys.exit(run_script(main))
