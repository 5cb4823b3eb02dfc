"""How a run of the tests ends when it is interrupted, and when a test hangs: with the names of what failed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.test import WITH_PROGRESS
from tests.support.waits import stretched

ROOT = Path(__file__).parents[2]

FAILED = re.compile(r"^FAILED \S+::(\S+)", re.MULTILINE)
RUN = "import os, sys; from scripts.test import run_tests; sys.exit(run_tests(sys.argv[1:], os.environ))"

FAILING = "def test_that_fails():\n    assert False\n\n"
WAITING = "def test_that_waits():\n    import threading\n    threading.Event().wait(600)\n\n"
LOSING = """
import os, signal, threading

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

def test_that_loses_it():
    Finalized()
    threading.Event().wait(600)

"""
STUBBORN = """
import asyncio
import pytest
import tests.conftest

tests.conftest.CLEANING_LIMIT = 1.0

@pytest.mark.anyio
async def test_that_clings():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

"""
PASSING = "def test_that_passes():\n    pass\n"


@contextmanager
def run_of(folder: Path, source: str, *options: str, ignoring: str = "") -> Iterator[subprocess.Popen[str]]:
    """A run of these tests through `scripts/test.py`; `ignoring` names a signal that it inherits as ignored."""
    file = folder / "test_sample.py"
    file.write_text(source)
    pytest_ = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-c", RUN, *pytest_, f"--rootdir={folder}", *options, str(file)]
    if ignoring:
        command = ["sh", "-c", f"trap '' {ignoring}; exec \"$@\"", "sh", *command]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def said_until(run: subprocess.Popen[str], text: str) -> str:
    assert run.stdout is not None
    said = ""
    while text not in said:
        line = run.stdout.readline()
        assert line, said
        said += line
    return said


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_that_is_ended_names_what_failed(name: str, tmp_path: Path) -> None:
    with run_of(tmp_path, FAILING + WAITING) as run:
        said_until(run, "FAILED test_sample.py::test_that_fails")
        run.send_signal(getattr(signal, name))
        rest, _ = run.communicate(timeout=stretched(60))
        assert "short test summary" in rest
        assert FAILED.findall(rest) == ["test_that_fails"]
        assert run.returncode not in (0, None)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_a_run_ends_although_the_exception_of_the_signal_was_lost(tmp_path: Path) -> None:
    with run_of(tmp_path, FAILING + LOSING) as run:
        said, _ = run.communicate(timeout=stretched(60))
    assert FAILED.findall(said.split("short test summary")[1]) == ["test_that_fails"]
    assert "KeyboardInterrupt" in said


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_a_run_in_a_scripts_background_goes_on_after_an_interrupt(tmp_path: Path) -> None:
    look = "import signal\n\ndef test_children():\n    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN\n\n"
    pause = "def test_pause():\n    import time\n    time.sleep(1)\n\n"
    with run_of(tmp_path, FAILING + look + pause + PASSING, ignoring="INT") as run:
        said_until(run, "FAILED test_sample.py::test_that_fails")
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate(timeout=stretched(60))
        assert "1 failed, 3 passed" in rest
        assert run.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there the whole process is ended")
def test_a_test_that_hangs_ends_and_is_named_and_the_others_run(tmp_path: Path) -> None:
    with run_of(tmp_path, WAITING + STUBBORN + PASSING, "--timeout=0.5") as run:
        said, _ = run.communicate(timeout=stretched(60))
        at_once, summary = said.split("short test summary")
        assert FAILED.findall(at_once) == FAILED.findall(summary) == ["test_that_waits", "test_that_clings[asyncio]"]
        assert said.count("Failed: Timeout (>0.5s)") >= 2
        assert "2 failed, 1 passed" in said
        assert run.returncode == 1


def test_a_run_with_progress_lines_says_where_it_ended(tmp_path: Path) -> None:
    with run_of(tmp_path, PASSING + FAILING, *WITH_PROGRESS) as run:
        said, _ = run.communicate(timeout=stretched(60))
    assert re.search(r"^ +\d+ s: 2 of 2 tests in process, 0 left, 1 failed$", said, re.MULTILINE), said
    assert FAILED.findall(said) == ["test_that_fails"] * 2, "when it fails, and at the end"
