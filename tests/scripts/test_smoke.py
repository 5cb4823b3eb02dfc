"""The smoke test runs here too, so that it is right when it is first run on another system."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import smoke
from scripts.environment import SetupError
from tests.support.waits import stretched

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("mcp-remote-bridge.exe" if sys.platform == "win32" else "mcp-remote-bridge")


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed beside this Python")
@pytest.mark.parametrize("row", smoke.ROWS)
def test_a_row_holds(row: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "smoke.py"), "--program", str(PROGRAM), row],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=stretched(120),
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert done.stdout.split()[:2] in ([row, "ok"], [row, "skipped,"])


def test_what_is_asked_for_is_read() -> None:
    assert smoke.options([]) == (None, list(smoke.ROWS))
    assert smoke.options(["--program", str(PROGRAM), "eof"]) == (PROGRAM, ["eof"])
    with pytest.raises(SetupError, match="No row is called speed"):
        smoke.options(["eof", "speed"])


def test_the_table_tells_every_row() -> None:
    assert smoke.__doc__ is not None
    assert [line.split("|")[1].strip() for line in smoke.__doc__.splitlines() if line.startswith("| ")][1:] == list(
        smoke.ROWS
    )
