"""Run all tests: `python3 scripts/test.py [pytest arguments]`.

Makes what they need first. They get a home directory of their own and none of this machine's proxies,
certificates or bridge settings, so that they pass or fail alike everywhere and can touch nobody's files or
keyring.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.counterparts import counterparts
from scripts.desktop import install_desktop_programs
from scripts.environment import ROOT, SetupError, clean_variables, environment, run_script

LIMIT = 590.0
"""Seconds for everything, set-up included."""
PACKAGES_LIMIT = 150.0
"""Seconds a step of installing Debian packages may take; they serve a few tests only."""
LEAST_FOR_TESTS = 560.0
"""Seconds the tests get even when a slow network used up the rest."""

_KEPT_OUT = {
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_OPTIONS"),
    # A real desktop session's keyring hangs on this one.
    "DBUS_SESSION_BUS_ADDRESS",
}


def main(arguments: Sequence[str]) -> int:
    """Prepare, run pytest, and return its exit code."""
    deadline = time.monotonic() + LIMIT
    made = environment("test", extras=["test"])
    try:
        node = counterparts(made).variables()
    except SetupError as error:
        node = {}
        why = "".join(f"\n    {line}" for line in str(error).splitlines()[:3])
        print(f"The tests that need Node will be skipped, by name; it could not be set up:{why}", flush=True)
    if told := install_desktop_programs(timeout=PACKAGES_LIMIT):
        print(told, flush=True)
    with tempfile.TemporaryDirectory(prefix="bridge-test-home-", ignore_cleanup_errors=True) as home:
        variables = private_variables(os.environ, Path(home)) | node
        # Most of a test's time is a process that starts or waits: more workers than processors pay.
        workers = str((os.cpu_count() or 1) + 2)
        command = [str(made.python), "-m", "pytest", "-n", workers, "--dist", "loadgroup", *arguments]
        return run_within(command, variables, max(LEAST_FOR_TESTS, deadline - time.monotonic()))


def private_variables(inherited: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables the tests run with; every place a program may write to is made under `home`."""
    kept = {
        name: value
        for name, value in clean_variables(inherited).items()
        if name.upper() not in _KEPT_OUT and not name.upper().startswith("MCP_BRIDGE_")
    }
    places = {
        "HOME": home,
        "USERPROFILE": home,
        "APPDATA": home / "AppData" / "Roaming",
        "LOCALAPPDATA": home / "AppData" / "Local",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_RUNTIME_DIR": home / ".run",
    }
    for place in places.values():
        # Only its owner may use a runtime directory, says its standard.
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.update({name: str(place) for name, place in places.items()})
    kept["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    return kept


def run_within(command: Sequence[str], variables: Mapping[str, str], seconds: float) -> int:
    """Run pytest from the project's root; past its time it is interrupted, and still says where it was."""
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL) as tests:
        try:
            return tests.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"\nThe tests did not end within {seconds:.0f} s; stopping them.", file=sys.stderr, flush=True)
            tests.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
            try:
                tests.wait(20)
            except subprocess.TimeoutExpired:
                tests.kill()
            return 1
        except KeyboardInterrupt:
            # The terminal told pytest as well; it prints its summary, then this script goes too.
            try:
                tests.wait(20)
            except subprocess.TimeoutExpired:
                tests.kill()
            raise


if __name__ == "__main__":
    sys.exit(run_script(main))
