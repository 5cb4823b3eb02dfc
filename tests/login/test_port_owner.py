"""Which program listens on a port."""

import os
import socket
import sys
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bridge.login.port_owner import UNKNOWN, describe_port_owner
from tests.support.ports import free_port


class FakeProcess:
    """A process as psutil shows it."""

    def __init__(self, name: str, words: list[str] | None, ports: list[int]) -> None:
        self.pid = 4711
        self._name = name
        self._words = words
        self._ports = ports

    def name(self) -> str:
        return self._name

    def cmdline(self) -> list[str]:
        if self._words is None:
            raise psutil.AccessDenied(self.pid)
        return self._words

    def net_connections(self, kind: str) -> list[Any]:
        return [connection(port) for port in self._ports]


def connection(port: int, status: str = psutil.CONN_LISTEN, pid: int | None = 4711) -> Any:
    return SimpleNamespace(laddr=SimpleNamespace(ip="127.0.0.1", port=port), status=status, pid=pid)


def system(monkeypatch: pytest.MonkeyPatch, process: FakeProcess, *connections: Any) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda kind: list(connections))
    monkeypatch.setattr(psutil, "Process", lambda pid: process)


def test_this_program_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert describe_port_owner(held.getsockname()[1]) == f"this program (process {os.getpid()})"


def test_a_port_that_nobody_listens_on_is_anybodys() -> None:
    assert describe_port_owner(free_port()) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("node", ["node", "server.js", "--key=hunter2"], "node (process 4711)"),
        ("python3", None, "python3 (process 4711)"),
        ("python3", ["python3", "-m", "bridge", "https://s"], "mcp-remote-bridge, run by python3 (process 4711)"),
        (
            "python3",
            ["python3", "/home/u/.local/bin/mcp-remote-bridge"],
            "mcp-remote-bridge, run by python3 (process 4711)",
        ),
        (
            "python.exe",
            ["python.exe", r"C:\bin\mcp-remote-bridge.exe"],
            "mcp-remote-bridge, run by python.exe (process 4711)",
        ),
        ("mcp-remote-bridge", ["mcp-remote-bridge"], "mcp-remote-bridge (process 4711)"),
        ("evil\x1b[31m\nname\u202e", [], "evil [31m name (process 4711)"),
        ("", [], "another program (process 4711)"),
        ("x" * 500, [], "x" * 57 + "... (process 4711)"),
    ],
)
def test_the_holder_is_named(monkeypatch: pytest.MonkeyPatch, name: str, words: list[str] | None, says: str) -> None:
    system(
        monkeypatch, FakeProcess(name, words, []), connection(1), connection(50123, "ESTABLISHED"), connection(50123)
    )
    assert describe_port_owner(50123) == says


def test_only_a_listener_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, FakeProcess("node", [], []), connection(50123, "TIME_WAIT"), connection(50123, pid=None))
    assert describe_port_owner(50123) == UNKNOWN


def test_a_system_that_hides_the_table_is_asked_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FakeProcess("node", [], [50123])

    def hidden(kind: str) -> list[Any]:
        raise psutil.AccessDenied

    class Gone(FakeProcess):
        def net_connections(self, kind: str) -> list[Any]:
            raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil, "net_connections", hidden)
    monkeypatch.setattr(psutil, "process_iter", lambda: iter([Gone("gone", [], []), process]))
    monkeypatch.setattr(psutil, "Process", lambda pid: process)
    assert describe_port_owner(50123) == "node (process 4711)"
    assert describe_port_owner(50124) == UNKNOWN


@pytest.mark.parametrize("error", [psutil.AccessDenied(4711), psutil.NoSuchProcess(4711), OSError("no /proc")])
def test_whatever_the_system_refuses_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(psutil, "Process", refuse)
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [connection(50123)])
    assert describe_port_owner(50123).startswith(UNKNOWN)
    monkeypatch.setattr(psutil, "net_connections", refuse)
    monkeypatch.setattr(psutil, "process_iter", refuse)
    assert describe_port_owner(50123) == UNKNOWN


def test_a_system_without_psutil_gets_the_plain_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert describe_port_owner(50123) == UNKNOWN
