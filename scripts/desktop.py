"""Programs of a desktop that a few tests drive: a browser, and a Secret Service with its bus.

They are Debian packages and large, so they are a convenience: where they are missing and cannot be installed, the
tests that want them are skipped, by name.
"""

from __future__ import annotations

import shutil
import sys

from scripts.environment import SetupError, install_packages

# program: (package, what is tested with it)
PROGRAMS = {
    "chromium": ("chromium", "a sign-in in a real browser"),
    "gnome-keyring-daemon": ("gnome-keyring", "tokens in a real keyring"),
    "dbus-daemon": ("dbus-daemon", "tokens in a real keyring"),
    "Xvfb": ("xvfb", "a browser on the display that a host hid"),
}


def install_desktop_programs(timeout: float) -> str:
    """Install what is missing, within `timeout` seconds a step; return what to tell where something stays missing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing or sys.platform != "linux":
        return ""
    packages = sorted({PROGRAMS[program][0] for program in missing})
    why = "this user may not install packages"
    try:
        print(f"Installing {', '.join(packages)} for a few tests, where that is allowed.", flush=True)
        if install_packages(packages, timeout=timeout):
            why = "the packages do not hold them"
    except SetupError as error:
        why = str(error).splitlines()[-1].strip()
    still = [program for program in missing if shutil.which(program) is None]
    tested = sorted({PROGRAMS[program][1] for program in still})
    return (
        f"Without {', '.join(still)}, these tests are skipped, by name: {', '.join(tested)} ({why})." if still else ""
    )
