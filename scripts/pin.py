"""Write `constraints.txt` anew: `python3 scripts/pin.py`.

It names what an installation consists of: each package, its newest version that `pyproject.toml` allows, and the
hashes of all files of that version, so that one file serves every system and Python from 3.11 on. uv resolves it, since
pip can do so for the machine it runs on only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import OLDEST_PYTHON, ROOT, SetupError, environment, run_script, run_step

UV = "uv>=0.9,<1"
PINS = ROOT / "constraints.txt"
TIMEOUT = 300.0
HEAD = """\
# Every package of an installation, for all systems and Python 3.11 to 3.14, with its files' hashes.
# Made by scripts/pin.py; the README says how to install with it.
"""


def main(arguments: Sequence[str]) -> int:
    """Resolve and write; returns 0."""
    if arguments:
        raise SetupError("usage: python3 scripts/pin.py")
    uv = environment("pin", requirements=[UV], project=False).program("uv")
    fresh = PINS.with_suffix(".new")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    command = [str(uv), "pip", "compile", "--universal", "--python-version", oldest, "--generate-hashes"]
    # Neither who asked for a package nor the index it came from belongs into the file.
    quiet = ["--no-header", "--no-annotate", "--no-emit-index-url", "--upgrade", "--quiet"]
    try:
        run_step(
            [*command, *quiet, "--output-file", str(fresh), "pyproject.toml"],
            timeout=TIMEOUT,
            doing="resolve the dependencies (is the network there?)",
        )
        fresh.write_text(HEAD + fresh.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
        fresh.replace(PINS)
    finally:
        fresh.unlink(missing_ok=True)
    packages = re.findall(r"^[\w.-]+==", PINS.read_text(encoding="utf-8"), re.MULTILINE)
    print(f"{PINS.name} holds {len(packages)} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
