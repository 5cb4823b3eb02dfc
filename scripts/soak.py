"""Wear the sign-in out: `python3 scripts/soak.py [--restarts N] [--seconds S] [--rounds N]`.

`--restarts`: hosts start and end copies of the bridge N times, on access tokens that live S seconds, before an
authorization server that rotates strictly. `--rounds`: five copies start together N times where nobody has signed in.
By default 200 restarts on five seconds. One line says how it went; exit code 0 means that nobody was asked twice and no
token was spent twice.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, environment, run_script
from scripts.test import private_variables

RESTARTS = 200
SECONDS = 5.0
_ONE = 10.0
"""Seconds for one restart or one round on a slow machine."""
_START = 60.0


def main(arguments: Sequence[str]) -> int:
    """Prepare, run it in the tests' own world, and return its exit code."""
    options = _options(arguments)
    made = environment("test", extras=["test"])
    limit = _START + _ONE * (options.restarts + options.rounds)
    words = [f"--{name}={getattr(options, name)}" for name in ("restarts", "seconds", "rounds")]
    with tempfile.TemporaryDirectory(prefix="bridge-soak-home-", ignore_cleanup_errors=True) as home:
        variables = private_variables(os.environ, Path(home))
        command = [str(made.python), "-m", "tests.support.process.login_soak", *words]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            print(f"soak: failed: no end after {limit:.0f} s", flush=True)
            return 1
    return done.returncode


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--restarts", type=_count, metavar="N", help=f"default: {RESTARTS}, or 0 with --rounds")
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, metavar="S", help="how long an access token lives")
    parser.add_argument("--rounds", type=_count, default=0, metavar="N", help="five copies together, N times")
    chosen = parser.parse_args(arguments)
    if chosen.restarts is None:
        chosen.restarts = 0 if chosen.rounds else RESTARTS
    return chosen


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 3600:
        raise argparse.ArgumentTypeError("must be between 1 and 3600")
    return number


if __name__ == "__main__":
    sys.exit(run_script(main))
