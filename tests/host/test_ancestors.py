"""The processes above this one: whose they are, in which order, and that nothing odd among them does harm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bridge.host.ancestors import LONGEST, ancestors, from_proc, from_psutil
from bridge.host.parent_chain import MOST
from tests.support.process.bridge_process import ROOT
from tests.support.waits import stretched

USER = os.geteuid() if os.name == "posix" else 0
NAMES = ("DISPLAY", "PATH")


class Proc:
    """A tree as Linux shows it under /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        pid: int,
        parent: int,
        environ: Mapping[str, str] | bytes = b"",
        *,
        name: str = "host",
        user: str = f"{USER}\t{USER}\t{USER}\t{USER}",
        started: int | None = None,
    ) -> Path:
        folder = self.root / str(pid)
        folder.mkdir()
        rest = ["S", str(parent), *["0"] * 17, str(pid if started is None else started), "0"]
        (folder / "stat").write_text(f"{pid} ({name}) {' '.join(rest)}\n")
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t{user}\nGid:\t0\t0\t0\t0\n")
        data = environ if isinstance(environ, bytes) else b"".join(f"{k}={v}\0".encode() for k, v in environ.items())
        (folder / "environ").write_bytes(data)
        return folder

    def seen(self, pid: int) -> list[tuple[int, dict[str, str]]]:
        return [(one.pid, dict(one.environ)) for one in from_proc(self.root, pid, USER, NAMES)]


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners of files")


def test_the_nearest_comes_first_and_only_named_variables_come(proc: Proc) -> None:
    proc.add(10, 1, {"DISPLAY": ":0", "API_KEY": "secret"}, name="gnome-shell")
    proc.add(20, 10, {"PATH": "/bin"}, name="codex")
    proc.add(30, 20)
    found = list(from_proc(proc.root, 30, USER, NAMES))
    assert [(one.pid, one.name, one.environ) for one in found] == [
        (20, "codex", {"PATH": "/bin"}),
        (10, "gnome-shell", {"DISPLAY": ":0"}),
    ]
    assert ":0" not in repr(found)


@pytest.mark.parametrize(
    "user",
    [f"{USER + 1}\t" * 3 + f"{USER + 1}", f"{USER + 1}\t{USER}\t{USER}\t{USER}", f"{USER}\t{USER}\t{USER + 1}\t{USER}"],
    ids=["another", "began-as-another", "can-become-another"],
)
def test_another_users_process_is_passed_over_and_not_read(proc: Proc, user: str) -> None:
    proc.add(10, 1, {"DISPLAY": ":0"})
    proc.add(20, 10, {"DISPLAY": ":6"}, user=user)
    proc.add(30, 20)
    assert proc.seen(30) == [(10, {"DISPLAY": ":0"})]


def test_a_process_that_says_nothing_of_its_user_is_not_read(proc: Proc) -> None:
    (proc.add(10, 1, {"DISPLAY": ":0"}) / "status").write_text("Name:\tx\n")
    proc.add(30, 10)
    assert proc.seen(30) == []


@pytest.mark.parametrize("name", ["tmux: server", "screen", "zellij"])
def test_a_terminal_multiplexer_knows_only_the_day_it_was_started(proc: Proc, name: str) -> None:
    proc.add(5, 1, {"DISPLAY": ":5"})
    proc.add(10, 5, {"DISPLAY": ":6"}, name=name)
    proc.add(20, 10, {"DISPLAY": ":0"}, name="bash")
    proc.add(30, 20)
    assert proc.seen(30) == [(20, {"DISPLAY": ":0"})]


def test_a_number_that_was_given_to_a_younger_process_is_no_parent(proc: Proc) -> None:
    proc.add(10, 1, {"DISPLAY": ":6"}, started=99)
    proc.add(30, 10, started=50)
    assert proc.seen(30) == []


@pytest.mark.parametrize("name", ["a) S 1 (b", "x\n y\t\u202e", "((((", ""])
def test_a_name_may_be_anything(proc: Proc, name: str) -> None:
    proc.add(10, 1, {"DISPLAY": ":0"}, name=name)
    proc.add(30, 10, name=name)
    (found,) = from_proc(proc.root, 30, USER, NAMES)
    assert found.name.isprintable()
    assert found.name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"DISPLAY=:0", {}),
        (b"DISPLAY=:0\0PATH=/bi", {"DISPLAY": ":0"}),
        (b"no equals\0=x\0DISPLAY=:0\0", {"DISPLAY": ":0"}),
        (b"DISPLAY=:0\0DISPLAY=:6\0", {"DISPLAY": ":0"}),
        (b"DISPLAY=a=b\nc\0", {"DISPLAY": "a=b\nc"}),
        (b"DISPLAY=\xff\0", {"DISPLAY": "\udcff"}),
        (b"X=" + b"y" * (LONGEST + 10) + b"\0DISPLAY=:6\0", {}),
    ],
)
def test_an_environment_may_be_anything(proc: Proc, data: bytes, expected: dict[str, str]) -> None:
    proc.add(10, 1, data)
    proc.add(30, 10)
    assert proc.seen(30) == [(10, expected)]


def test_a_chain_has_an_end(proc: Proc) -> None:
    proc.add(10, 20, {"DISPLAY": ":0"}, started=1)
    proc.add(20, 10, {"DISPLAY": ":0"}, started=1)
    assert len(proc.seen(20)) == MOST


@pytest.mark.parametrize("stat", [b"", b"30 (x) S", b"30 (x) S parent", b"\xff" * 100])
def test_a_process_that_cannot_be_read_ends_the_search(proc: Proc, stat: bytes) -> None:
    (proc.add(10, 1, {"DISPLAY": ":0"}) / "stat").write_bytes(stat)
    proc.add(20, 10, {"DISPLAY": ":1"})
    proc.add(30, 20)
    assert proc.seen(30) == [(20, {"DISPLAY": ":1"})]
    assert proc.seen(4711) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("way", ["from /proc", "by psutil"])
def test_a_real_parent_is_found_though_the_process_between_hides_it(way: str) -> None:
    show = "from bridge.host.ancestors import ancestors; print([dict(a.environ) for a in ancestors(['MARK'], '%s')])"
    platform = "linux" if way == "from /proc" else "freebsd14"
    between = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {show % platform!r}], env={{}}, check=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", between],
        env={"MARK": "found", "SECRET": "hunter2"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=stretched(60),
        check=True,
    )
    assert "{'MARK': 'found'}" in done.stdout
    assert "hunter2" not in done.stdout


def test_a_program_with_borrowed_rights_reads_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: USER + 1)
    assert list(ancestors(NAMES)) == []


class Psutil:
    """Processes as psutil shows them, on macOS with numbers of users and on Windows with their names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, windows: bool) -> None:
        self._windows = windows
        self.parents: list[Any] = []
        monkeypatch.setattr(psutil, "Process", lambda: self.process(1, "own"))

    def process(self, pid: int, name: str, environ: Any = None, *, user: str = "me") -> Any:
        def fails() -> Any:
            raise psutil.AccessDenied(pid)

        return SimpleNamespace(
            pid=pid,
            name=lambda: name,
            environ=fails if environ is None else lambda: environ,
            parents=lambda: self.parents,
            **({"username": lambda: f"HOME\\{user}"} if self._windows else {"uids": lambda: (hash(user),) * 3}),
        )


@pytest.mark.parametrize("windows", [False, True], ids=["macos", "windows"])
def test_elsewhere_psutil_shows_them(monkeypatch: pytest.MonkeyPatch, windows: bool) -> None:
    system = Psutil(monkeypatch, windows=windows)
    system.parents = [
        system.process(2, "hidden"),
        system.process(3, "other", {"PATH": "/evil"}, user="you"),
        system.process(4, "Terminal", {"PATH": "/bin", "API_KEY": "secret"}),
    ]
    assert [(one.pid, one.name, one.environ) for one in from_psutil(NAMES)] == [(4, "Terminal", {"PATH": "/bin"})]


def test_a_system_that_shows_no_processes_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil, "Process", fails)
    assert list(from_psutil(NAMES)) == []
