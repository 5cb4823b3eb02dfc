"""Programs of a desktop that a few tests drive: a browser, a Secret Service with its bus, and a display.

They are Debian packages and large, so they are installed only where that is asked for: in CI (`CI`), or with
`BRIDGE_TEST_PACKAGES=1` (`0` forbids it in CI too). Elsewhere, and where they cannot be installed, the tests that want
them are skipped, by name, and the end of the run says what to type.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scripts.environment import SetupError, install_packages

VARIABLE = "BRIDGE_TEST_PACKAGES"


@dataclass(frozen=True)
class Program:
    """A program, by any of its `names`; the Debian `package` that brings the first; what is `tested` with it."""

    names: tuple[str, ...]
    package: str
    tested: str

    def found(self) -> str | None:
        """Return its path, if it is there."""
        return next(filter(None, map(shutil.which, self.names)), None)

    @property
    def reason(self) -> str:
        """Why a test that wants it is skipped."""
        return f"no {self.names[0]}: the Debian package {self.package} brings it"


CHROMIUM = Program(
    ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "chromium", "a sign-in in a real browser"
)
KEYRING = Program(("gnome-keyring-daemon",), "gnome-keyring", "tokens in a real keyring")
BUS = Program(("dbus-daemon",), "dbus-daemon", "a real message bus")
DISPLAY = Program(("Xvfb",), "xvfb", "a browser on the display that a host hid")
PROGRAMS = (CHROMIUM, KEYRING, BUS, DISPLAY)


def may_install(variables: Mapping[str, str]) -> bool:
    """Tell whether packages that only some tests use may be installed; an empty variable counts as not given."""
    said = variables.get(VARIABLE) or variables.get("CI") or "0"
    return said.lower() not in {"0", "false", "no"}


def install_desktop_programs(timeout: float) -> str:
    """Install what is missing, where asked for, within `timeout` seconds a step; return why anything stays missing."""
    missing = [program for program in PROGRAMS if program.found() is None]
    if not missing or sys.platform != "linux" or not may_install(os.environ):
        return ""
    packages = sorted(program.package for program in missing)
    why = "this user may not install packages"
    try:
        print(f"Installing {', '.join(packages)} for a few tests, where that is allowed.", flush=True)
        if install_packages(packages, timeout=timeout):
            why = "the packages do not hold them"
    except SetupError as error:
        why = str(error).splitlines()[-1].strip()
    still = [program for program in missing if program.found() is None]
    tested = sorted({program.tested for program in still})
    names = ", ".join(program.names[0] for program in still)
    return f"Without {names}, these tests are skipped, by name: {', '.join(tested)} ({why})." if still else ""


def how_to_run_the_skipped(reasons: Iterable[str]) -> str:
    """Return what to type for the tests that were skipped for these reasons; nothing where no package is missing."""
    said = list(reasons) if shutil.which("apt-get") else []
    skipped = [program for program in PROGRAMS if any(program.reason in reason for reason in said)]
    if not skipped:
        return ""
    packages = " ".join(sorted(program.package for program in skipped))
    return (
        f"Some tests were skipped for want of Debian packages. Install them for these tests, or set {VARIABLE}=1\n"
        f"where you may become root without a password:\n    sudo apt-get install -y --no-install-recommends {packages}"
    )
