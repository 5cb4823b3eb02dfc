"""Run all tests: `python3 scripts/test.py [--fast] [pytest arguments]`.

With `--fast`, for while one works, it leaves out the tests that start whole programs or run whole sign-ins
(`tests/order.py`), and tries fewer examples; the build (`.ci/run`) tries twice as many as a plain run. Every 15 seconds
a line says how many tests have run, and how many are left.

With `--hosts [NAME ...]` it installs real hosts, runs them with the bridge, and prints what came of it as a table; with
`--wire [NAME ...]` it does so with real proxies and servers between the bridge and the remote server. With
`--proactor [pytest arguments]` it runs what has to do with a loop on Windows' (`scripts/proactor`), on two Pythons.

Makes what they need first. They get a home directory of their own and none of this machine's proxies,
certificates or bridge settings, so that they pass or fail alike everywhere and can touch nobody's files or
keyring.

The run as a whole has no limit, however slow the machine is. Each test has one, so one that hangs ends by itself and is
named. What failed is named at once, and again at the end, also after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.counterparts import counterparts
from scripts.desktop import install_desktop_programs
from scripts.environment import ROOT, Environment, SetupError, clean_variables, environment, run_script
from scripts.slowness import VARIABLE, default_workers, slowness

PACKAGES_LIMIT = 150.0
"""Seconds a step of installing Debian packages may take; they serve a few tests only."""
TEST_LIMIT = 300.0
"""Seconds one test may take on an ordinary machine: far more than the longest does."""
SUMMARY_PATIENCE = 60.0
"""Seconds that interrupted tests get to clean up and to say what failed."""

WITH_PROGRESS = ["-p", "tests.progress", "-o", "console_output_style=classic"]
"""pytest's options for lines that say where the run is, in the place of dots."""

EXAMPLES = "BRIDGE_TEST_EXAMPLES"
"""Read by `tests/support/examples.py`: by how much the number of Hypothesis' examples is multiplied."""
PLAIN_EXAMPLES = "0.5"
FAST_EXAMPLES = "0.25"

PROACTOR = "BRIDGE_TEST_PROACTOR"
"""Tells the tests that they run on the Proactor loop (`tests/support/systems/proactor_rows`)."""
_PROACTOR_HERE = "--proactor-on-this-python"

_KEPT_OUT = {
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_OPTIONS"),
    # Without bytecode files each worker compiles all 500 test files again, and each program the modules it imports.
    "PYTHONDONTWRITEBYTECODE",
}
_DESKTOP = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
"""Empty for the tests: were they missing, the bridge would look for the real desktop among the processes above it."""


def main(arguments: Sequence[str]) -> int:
    """Prepare, run pytest, and return its exit code."""
    if arguments and arguments[0] == "--hosts":
        return run_hosts(arguments[1:])
    if arguments and arguments[0] == "--wire":
        return run_wire(arguments[1:])
    if arguments and arguments[0] == "--proactor":
        return run_proactor(arguments[1:])
    if arguments and arguments[0] == _PROACTOR_HERE:
        from scripts.proactor import FOLDERS, proactor_environment

        return run_parallel(proactor_environment(), arguments[1:] or FOLDERS, {PROACTOR: "1"})
    return run_parallel(environment("test", extras=["test"]), arguments)


def run_parallel(made: Environment, arguments: Sequence[str], more: Mapping[str, str] | None = None) -> int:
    """Run tests on all processors, with `more` variables. Returns pytest's exit code."""
    try:
        node = counterparts(made).variables()
    except SetupError as error:
        node = {}
        why = "".join(f"\n    {line}" for line in str(error).splitlines()[:3])
        print(f"The tests that need Node will be skipped, by name; it could not be set up:{why}", flush=True)
    if told := install_desktop_programs(timeout=PACKAGES_LIMIT):
        print(told, flush=True)
    with tempfile.TemporaryDirectory(prefix="bridge-test-home-", ignore_cleanup_errors=True) as home:
        workers = default_workers(in_process="--fast" in arguments)
        slow = slowness(default_workers(), os.environ)
        if slow > 1:
            print(f"Everything takes {slow:g} times as long here as it should; the tests wait accordingly.", flush=True)
        variables = private_variables(os.environ, Path(home)) | node | {VARIABLE: str(slow), **(more or {})}
        share = FAST_EXAMPLES if "--fast" in arguments else PLAIN_EXAMPLES
        variables.setdefault(EXAMPLES, share)
        spread = ["-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]
        command = [str(made.python), "-m", "pytest", *spread, *WITH_PROGRESS, *limits(slow)]
        return run_tests([*command, *arguments], variables)


def run_proactor(arguments: Sequence[str]) -> int:
    """Run tests on the Proactor loop of one Python after the other; those of `scripts/proactor`, or as pytest is told.

    Returns an exit code that is not 0 where one of them failed. A Python that is not there is named.
    """
    from scripts.proactor import VERSIONS, python_of

    results: list[str] = []
    worst = 0
    for version in VERSIONS:
        python = python_of(version)
        if python is None:
            results.append(f"Python {version}: not run, for there is no python{version} on PATH and none of pyenv's")
            continue
        print(f"The Proactor loop of Python {version}, {python}:", flush=True)
        code = run_tests([python, str(Path(__file__).resolve()), _PROACTOR_HERE, *arguments], os.environ)
        results.append(f"Python {version}: {'passed' if code == 0 else f'failed (exit code {code})'}")
        worst = worst or code
    print("\nThe Proactor loop:", *results, sep="\n    ", flush=True)
    return worst


def limits(slow: float) -> list[str]:
    """Return pytest's options that end a test which hangs on a machine so many times `slow`.

    It fails and is named (pytest-timeout). One that hangs outside of Python cannot be ended; its stack is shown.
    """
    limit = TEST_LIMIT * slow
    return [f"--timeout={limit:g}", "-o", f"faulthandler_timeout={limit + 100:g}"]


def run_hosts(arguments: Sequence[str]) -> int:
    """Run hosts one after the other, those named or all; what follows `--` is for pytest. Returns the exit code."""
    from scripts import hosts

    names, rest = named(arguments)
    made = environment("test", extras=["test"])
    told = hosts.prepare(hosts.chosen(names), made)
    try:
        return run_in_turn(made, "tests/hosts", rest, told)
    finally:
        print(f"\n{hosts.results()}", flush=True)


def run_wire(arguments: Sequence[str]) -> int:
    """Run the wire with equipment, that named or all; what follows `--` is for pytest. Returns its exit code."""
    from scripts import wire

    names, rest = named(arguments)
    made = environment("test", extras=["test"])
    told = wire.prepare(wire.chosen(names), made)
    try:
        return run_in_turn(made, "tests/wire", rest, told)
    finally:
        print(f"\n{wire.results()}", flush=True)


def named(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names, and what follows `--`."""
    names = list(itertools.takewhile(lambda argument: argument != "--", arguments))
    return names, list(arguments[len(names) + 1 :])


def run_in_turn(made: Environment, folder: str, arguments: Sequence[str], told: dict[str, str]) -> int:
    """Run the tests of a folder one after the other, with these variables. Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="bridge-test-home-", ignore_cleanup_errors=True) as home:
        variables = private_variables(os.environ, Path(home)) | told | {VARIABLE: str(slowness(1, os.environ))}
        return run_tests([str(made.python), "-m", "pytest", "-p", "no:xdist", folder, *arguments], variables)


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
    kept.update(dict.fromkeys(_DESKTOP, ""))
    kept["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    return kept


def run_tests(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run pytest from the project's root and return its exit code; whatever ends this script, it says what failed."""
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL) as tests, passed_on(tests):
        try:
            return tests.wait()
        except KeyboardInterrupt:
            # A terminal has told pytest too; that it hears of it twice makes no difference.
            tests.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
            try:
                tests.wait(SUMMARY_PATIENCE)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                tests.kill()
            raise


@contextlib.contextmanager
def passed_on(tests: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass signals that would end this script on to pytest, and go on waiting for what it says."""
    names = () if sys.platform == "win32" else ("SIGTERM", "SIGHUP")
    numbers = [number for name in names if signal.getsignal(number := getattr(signal, name)) == signal.SIG_DFL]
    before = {number: signal.signal(number, lambda got, _: tests.send_signal(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(run_script(main))
