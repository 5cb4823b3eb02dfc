"""Run tests on a Windows CPython under Wine: `python3 scripts/wine.py [--smoke] [pytest arguments]`.

The Python is put together under `.work/wine`, once (`wine_python` says of what). With `--smoke`, `scripts/smoke.py`
runs there, with the `.exe` that pip would make, and what follows are its rows. This needs Linux on x86-64, and Debian's
Wine and mingw-w64.

What fails here may be a gap of Wine's: those that are known are rows of `tests/support/systems/wine_rows`. What holds
here holds for CPython's code for Windows, and for Windows itself only as far as Wine imitates it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.desktop import VARIABLE as PACKAGES_VARIABLE
from scripts.desktop import Program, may_install
from scripts.environment import ROOT, SetupError, install_packages, lock, run_script
from scripts.slowness import VARIABLE, slowness
from scripts.test import limits, passed_on, private_variables
from scripts.wine_python import COMPILER, HOME, PREFIX, PYTHON, VERSIONS, make, windows_path

WINE = "BRIDGE_TEST_WINE"
"""Tells the tests that they run under Wine (`tests/support/systems/wine_rows`)."""
PROGRAMS = (
    Program(("wine",), "wine", "Windows' Python"),
    Program((f"{COMPILER}-gcc",), "gcc-mingw-w64-x86-64", "Windows' Python"),
)
TESTS = ("tests/store", "tests/host", "tests/protocol", "tests/login/test_spawn.py")
"""What runs where no tests are named, with `tests/test_config*.py`: files, processes, and settings."""
ROWS = ("call", "eof", "stdout", "stderr", "killed", "sign-in", "job")
"""The smoke test's, without `host` and `shell`: what psutil asks for there, Wine 8 does not know (WinError 87)."""

SLOWER = 4.0
"""How many times as long a process takes to start as on Linux."""
PACKAGES_LIMIT = 600.0
LOCK_PATIENCE = 3600.0
"""Seconds to wait for another run in the same prefix."""
END_PATIENCE = 30.0


def main(arguments: Sequence[str]) -> int:
    """Make the Python if it is not there, and run tests on it; returns their exit code."""
    if told := what_is_missing(sys.platform, platform.machine(), sys.version_info[:2]):
        raise SetupError(told)
    provide_programs()
    with lock("wine", LOCK_PATIENCE):
        variables = wine_variables(os.environ)
        make(variables)
        words = command(arguments, slow := SLOWER * slowness(1, os.environ), sorted(ROOT.glob("tests/test_config*.py")))
        return run(["wine", str(PYTHON / "python.exe"), *words], {**variables, VARIABLE: f"{slow:g}", WINE: "1"})


def what_is_missing(system: str, machine: str, version: Sequence[int]) -> str | None:
    """Say what stands in the way here; nothing where it can be done."""
    if system != "linux" or machine not in {"x86_64", "amd64"}:
        return "This needs Linux on x86-64: Windows' programs are run by Wine there."
    if tuple(version) not in VERSIONS:
        known = ", ".join("{}.{}".format(*known) for known in VERSIONS)
        return f"PyPI has the files of Windows' Python {known} only: run this script with one of these."
    return None


def provide_programs() -> None:
    """See that Wine and the compiler are there; they are installed where that is asked for. Raises `SetupError`."""
    missing = [program.package for program in PROGRAMS if program.found() is None]
    if missing and may_install(os.environ):
        print(f"Installing {', '.join(missing)}.", flush=True)
        install_packages(missing, timeout=PACKAGES_LIMIT)
        missing = [program.package for program in PROGRAMS if program.found() is None]
    if missing:
        raise SetupError(how_to_install(missing))


def how_to_install(missing: Sequence[str]) -> str:
    """Return what to type for packages that are missing."""
    names = " ".join(missing)
    return (
        f"This needs the Debian packages {names}. Install them, or set {PACKAGES_VARIABLE}=1\n"
        f"where you may become root without a password:\n    sudo apt-get install -y --no-install-recommends {names}"
    )


def command(arguments: Sequence[str], slow: float, settings: Sequence[Path]) -> list[str]:
    """Return what Python is given: pytest with one worker, or the smoke test, on a machine so many times `slow`."""
    if arguments[:1] == ["--smoke"]:
        program = windows_path(PYTHON / "mcp-remote-bridge.exe")
        return ["scripts/smoke.py", "--program", program, *(arguments[1:] or ROWS)]
    tests = arguments or [*TESTS, *(path.relative_to(ROOT).as_posix() for path in settings)]
    return ["-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", *limits(slow), *tests]


def wine_variables(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the run: its own prefix and home, and Windows' folders as Wine has them."""
    kept = private_variables(inherited, HOME)
    for name in ("USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        del kept[name]
    # Neither Wine's own words, nor its offers to install .NET and a browser, nor menus of a desktop.
    kept |= {"WINEPREFIX": str(PREFIX), "WINEARCH": "win64", "WINEDEBUG": "-all"}
    kept |= {"WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=d"}
    # The tree's compiled files stay those of Linux.
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def run(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run words in the prefix, and end all that is still there afterwards; returns the exit code."""
    # Wine writes to a terminal or a file in its own way; a pipe it takes for a pipe.
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - as asked
        telling = threading.Thread(target=_tell, args=(process.stdout, sys.stdout.buffer.write), daemon=True)
        telling.start()
        try:
            with passed_on(process):
                return process.wait()
        finally:
            process.kill()
            _end_prefix(variables)
            telling.join(END_PATIENCE)


def _tell(said: IO[bytes], write: Callable[[bytes], object]) -> None:
    for line in said:
        write(line)
        sys.stdout.flush()


def _end_prefix(variables: Mapping[str, str]) -> None:
    """End every process of the prefix; where there is none, that is told by a code."""
    if server := shutil.which("wineserver"):
        subprocess.run(
            [server, "-k"],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=END_PATIENCE,
            check=False,
        )


if __name__ == "__main__":
    sys.exit(run_script(main))
