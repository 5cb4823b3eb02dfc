"""Measure again what a decision rests on: `python3 scripts/measure.py [NAME ...]`.

The names are those of `SUBJECTS`, one for each page in `docs/decisions/` that has figures of its own; without one, all
are measured. Prints a Markdown table for each. The figures depend on the machine, the ratios much less.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, clean_variables, environment, run_script

SUBJECTS = ("http", "sse", "login", "channel", "claims", "authlib")
TIMEOUT = 600.0
"""Seconds for one subject."""


def main(arguments: Sequence[str]) -> int:
    """Measure each subject in a process of its own; returns 0, or the exit code of the first that failed."""
    unknown = [name for name in arguments if name not in SUBJECTS]
    if unknown:
        raise SetupError(f"usage: python3 scripts/measure.py [{' | '.join(SUBJECTS)}] ...")
    made = environment("test", extras=["test"])
    for name in arguments or SUBJECTS:
        try:
            done = subprocess.run(
                [str(made.python), "-m", "scripts.benchmark.decisions", name],
                cwd=ROOT,
                env=clean_variables(os.environ),
                stdin=subprocess.DEVNULL,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"Measuring {name} did not end within {TIMEOUT:.0f} s.") from error
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
