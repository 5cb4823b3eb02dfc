"""The chain from this process to the host: where it ends, and what is not believed of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bridge.host.parent_chain import MOST, ParentProcess, from_proc, from_psutil, others_above, up_to_host

OWN = ["python", "bridge", "https://host/mcp"]


def chain_of(*above: tuple[int, str]) -> list[int]:
    relatives = [ParentProcess(pid, name, (), lambda: True) for pid, name in above]
    return [one.pid for one in up_to_host(relatives, OWN)]


@pytest.mark.parametrize(
    ("above", "chain"),
    [
        ([(30, "claude"), (20, "bash"), (10, "sshd")], [30]),
        ([(40, "sh"), (30, "claude"), (20, "bash")], [40, 30]),
        ([(50, "python.exe"), (40, "mcp-remote-bridge.exe"), (30, "cmd.exe"), (20, "Claude.exe")], [50]),
        ([(40, "mcp-remote-bridge.exe"), (30, "cmd.exe"), (20, "Claude.exe"), (10, "explorer.exe")], [40, 30, 20]),
        ([(40, "cmd.exe"), (10, "explorer.exe")], [40]),
        ([(40, "sh"), (1, "node")], [40]),
        ([(40, "sh"), (7, "systemd")], [40]),
        ([(40, "sh"), (30, "bash")], [40, 30]),
        ([], []),
    ],
)
def test_the_chain_ends_with_the_first_that_is_no_launcher(above: list[tuple[int, str]], chain: list[int]) -> None:
    assert chain_of(*above) == chain


def test_the_python_of_a_virtual_environment_is_passed() -> None:
    above = [
        ParentProcess(50, "python.exe", ["C:\\venv\\Scripts\\python.exe", *OWN[1:]], lambda: True),
        ParentProcess(40, "mcp-remote-bridge.exe", (), lambda: True),
        ParentProcess(30, "Claude.exe", (), lambda: True),
        ParentProcess(20, "explorer.exe", (), lambda: True),
    ]
    assert [one.pid for one in up_to_host(above, OWN)] == [50, 40, 30]


def test_the_chain_ends_before_a_shell_that_is_typed_at() -> None:
    above = [
        ParentProcess(40, "bash", ["bash", "./agent.sh"], lambda: True),
        ParentProcess(30, "bash", ["-bash"], lambda: True),
        ParentProcess(20, "sshd", ["sshd"], lambda: True),
    ]
    assert [one.pid for one in up_to_host(above, OWN)] == [40]


class Proc:
    """A tree as Linux shows it under /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, pid: int, parent: int, name: str, *arguments: str, started: int | None = None) -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        rest = ["S", str(parent), *["0"] * 17, str(pid if started is None else started), "0"]
        (folder / "stat").write_text(f"{pid} ({name}) {' '.join(rest)}\n")
        (folder / "cmdline").write_bytes("".join(f"{argument}\0" for argument in arguments).encode())

    def above(self, pid: int) -> list[ParentProcess]:
        return list(from_proc(self.root, pid))


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_they_come_nearest_first_with_their_arguments(proc: Proc) -> None:
    proc.add(10, 1, "host", "host", "--a b", "")
    proc.add(20, 10, "a) S 1 (b")
    proc.add(30, 20, "python")
    assert [(one.pid, one.name, list(one.arguments)) for one in proc.above(30)] == [
        (20, "a) S 1 (b", [""]),
        (10, "host", ["host", "--a b", ""]),
    ]


def test_a_number_that_was_given_to_a_younger_process_is_no_parent(proc: Proc) -> None:
    proc.add(10, 1, "host", started=99)
    proc.add(20, 10, "sh", started=50)
    proc.add(30, 20, "python", started=60)
    assert [one.pid for one in proc.above(30)] == [20]


def test_one_whose_number_is_given_away_is_there_no_more(proc: Proc) -> None:
    proc.add(10, 1, "host")
    proc.add(30, 10, "python")
    (host,) = proc.above(30)
    assert host.is_there()
    proc.add(10, 1, "host", started=11)
    assert not host.is_there()
    (proc.root / "10" / "stat").unlink()
    assert not host.is_there()


def test_the_chain_has_an_end_though_the_system_shows_none(proc: Proc) -> None:
    proc.add(10, 20, "sh", started=1)
    proc.add(20, 10, "sh", started=1)
    assert len(proc.above(20)) == MOST


@pytest.mark.parametrize("stat", [b"", b"10 (x) S", b"10 (x) S parent", b"\xff" * 100])
def test_a_process_that_cannot_be_read_ends_the_chain(proc: Proc, stat: bytes) -> None:
    proc.add(10, 1, "host")
    (proc.root / "10" / "stat").write_bytes(stat)
    proc.add(20, 10, "sh")
    proc.add(30, 20, "python")
    assert [one.pid for one in proc.above(30)] == [20]
    assert proc.above(4711) == []


class Shown:
    """A process as psutil shows it."""

    def __init__(self, pid: int, name: str, parent: Shown | None = None, arguments: list[str] | None = None) -> None:
        self.pid = pid
        self.name = lambda: name
        self.parent = lambda: parent
        self._arguments = arguments
        self.is_running = lambda: True

    def cmdline(self) -> list[str]:
        if self._arguments is None:
            raise psutil.AccessDenied(self.pid)
        return self._arguments


def test_elsewhere_psutil_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Shown(10, "Claude.exe")
    launcher = Shown(20, "cmd.exe", host, ["cmd", "/c"])
    monkeypatch.setattr(psutil, "Process", lambda: Shown(30, "python.exe", launcher))
    shown = list(from_psutil())
    assert [(one.pid, one.name, one.arguments) for one in shown] == [
        (20, "cmd.exe", ["cmd", "/c"]),
        (10, "Claude.exe", ()),
    ]
    assert all(one.is_there() for one in shown)
    assert [one.pid for one in others_above(20, "win32")] == [10]
    assert others_above(21, "win32") == []


def test_a_system_that_shows_no_processes_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=fails))
    assert list(from_psutil()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_both_ways_show_the_same_of_this_process() -> None:
    by_proc = list(from_proc(Path("/proc"), os.getpid()))
    by_psutil = list(from_psutil())
    assert [one.pid for one in by_proc] == [one.pid for one in by_psutil]
    assert by_proc[0].pid == os.getppid()
    assert by_proc[0].is_there()
