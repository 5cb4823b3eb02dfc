"""The Proactor test mode: that it is one, which Pythons it finds, and what its table leaves out."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import proactor, test
from scripts.environment import ROOT
from tests.support.process.bridge_process import launch
from tests.support.servers.fault_server import FaultServer
from tests.support.systems import proactor_rows
from tests.support.waits import stretched

in_the_mode = pytest.mark.skipif(not proactor_rows.is_mode(), reason="scripts/test.py --proactor was not asked for")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Windows' kernel is played on Linux only")

SHOW = "import asyncio; loop = asyncio.new_event_loop(); print(type(loop).__mro__[1].__name__); loop.close()"


@pytest.mark.parametrize("name", proactor_rows.REASONS)
def test_each_row_names_a_test(name: str) -> None:
    file, _, function = name.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function.partition('[')[0]}\(", source, re.MULTILINE)


def test_the_script_and_the_tests_mean_the_same_variable() -> None:
    assert test.PROACTOR == proactor_rows.VARIABLE


def test_all_that_has_to_do_with_a_loop_is_run() -> None:
    assert all((ROOT / folder).exists() for folder in proactor.FOLDERS)


# -- the Pythons


def python(folder: Path, version: str) -> Path:
    """A program that says it is Python of this version."""
    program = folder / "python"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho {version} {program}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@on_linux
def test_a_python_is_found_on_the_path_or_with_pyenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shims, root = tmp_path / "shims", tmp_path / "pyenv"
    on_path = python(shims, "3.97")
    on_path.rename(shims / "python3.97")
    python(shims, "3.11").rename(shims / "python3.98")  # A shim that leads to another.
    with_pyenv = python(root / "versions" / "3.98.1" / "bin", "3.98")
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYENV_ROOT", str(root))
    assert proactor.python_of("3.97") == str(on_path)  # What it says of itself.
    assert proactor.python_of("3.98") == str(with_pyenv)
    assert proactor.python_of("3.99") is None
    assert proactor.python_of("{}.{}".format(*sys.version_info[:2])) == sys.executable


def test_a_python_that_is_missing_is_named_and_the_others_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def run_tests(command: list[str], variables: object) -> int:
        commands.append(command)
        return 1

    monkeypatch.setattr(proactor, "python_of", lambda version: None if version == "3.13" else f"/python{version}")
    monkeypatch.setattr(test, "run_tests", run_tests)
    assert test.main(["--proactor", "tests/host", "-x"]) == 1
    ((program, _, *rest),) = commands
    assert (program, rest[1:]) == ("/python3.11", ["tests/host", "-x"])
    told = capsys.readouterr().out
    assert "Python 3.11: failed (exit code 1)" in told
    assert "Python 3.13: not run, for there is no python3.13" in told


# -- the mode


@in_the_mode
def test_this_process_is_on_the_proactor_loop() -> None:
    async def play() -> str:
        return type(asyncio.get_running_loop()).__mro__[1].__name__

    assert asyncio.run(play()) == "BaseProactorEventLoop"


@in_the_mode
@pytest.mark.parametrize("options", [[], ["-P"], ["-I"]])
def test_so_is_every_program_that_is_started_with_this_python(options: list[str], tmp_path: Path) -> None:
    command = [sys.executable, *options, "-c", SHOW]
    limit = stretched(60)
    ran = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=limit, check=True)
    assert ran.stdout.strip() == "BaseProactorEventLoop"


@in_the_mode
@pytest.mark.anyio
async def test_so_is_a_bridge() -> None:
    async with FaultServer() as server, launch(server.url, "--log-level", "debug") as bridge:
        await bridge.initialize()
        await bridge.stderr_says("Using proactor", deadline=10)
