"""The copies that run, among the processes of a machine: simulated ones, and a real one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.inventory.running_instances import RunningInstance, instances_among, running_instances
from bridge.process.parent_name import UNKNOWN
from tests.support.process.bridge_process import environment

URL = "https://mcp.example/mcp"
ME = "anna"


class Process:
    """A process as psutil shows it. What is an exception is raised."""

    def __init__(self, pid: int, words: Any, parent: "Process | None" = None, **facts: Any) -> None:
        self.pid = pid
        known = {"name": f"program-{pid}", "cmdline": words, "create_time": float(pid), "environ": {}, "username": ME}
        self._facts = known | facts
        self._parent = parent

    def __getattr__(self, name: str) -> Any:
        def fact() -> Any:
            value = self._facts[name]
            if isinstance(value, Exception):
                raise value
            return value

        return fact

    def parent(self) -> "Process | None":
        return self._parent


HOST = Process(10, ["/opt/host/host"], name="Claude")


def test_a_copy_is_told_with_who_started_it_and_what_it_was_told() -> None:
    facts = {"MCP_BRIDGE_PROFILE": "work", "HOME": "/x", "SECRET": "planted"}
    instance = Process(11, ["mcp-remote-bridge", URL], HOST, create_time=5.5, environ=facts)
    assert instances_among([HOST, instance], ME) == [
        RunningInstance(11, 5.5, "Claude", (URL,), {"MCP_BRIDGE_PROFILE": "work"})
    ]


def test_nothing_that_may_be_secret_is_shown() -> None:
    words = ["mcp-remote-bridge", URL, "--header", "X: planted"]
    [instance] = instances_among([Process(11, words, HOST, environ={"MCP_BRIDGE_HEADER": "X: planted"})], ME)
    assert "planted" not in repr(instance)


def test_other_programs_commands_and_this_process_are_none() -> None:
    others = [
        Process(11, ["python", "-m", "bridge", "login-process"], HOST),
        Process(12, ["mcp-remote-bridge", "status"], HOST),
        Process(13, ["uvx", "mcp-remote-bridge", URL], HOST),
        Process(14, [], HOST),
        Process(os.getpid(), ["mcp-remote-bridge", URL], HOST),
    ]
    assert instances_among(others, ME) == []


def test_a_launcher_that_waits_for_its_copy_is_none_and_the_host_is_above_it() -> None:
    launcher = Process(11, ["C:\\bin\\mcp-remote-bridge.exe", URL], HOST)
    python = Process(12, ["python.exe", "C:\\bin\\mcp-remote-bridge.exe", URL], launcher)
    assert [(instance.pid, instance.host) for instance in instances_among([python, launcher, HOST], ME)] == [
        (12, "Claude")
    ]


def test_one_that_got_the_number_of_a_parent_that_ended_is_no_launcher() -> None:
    # On Windows a process goes on naming the number of a parent that is long gone; psutil's `parent` knows.
    old, new = Process(12, ["mcp-remote-bridge", URL], None, ppid=11), Process(11, ["mcp-remote-bridge", URL], HOST)
    assert [(instance.pid, instance.host) for instance in instances_among([old, new], ME)] == [
        (11, "Claude"),
        (12, UNKNOWN),
    ]


@pytest.mark.parametrize("user", ["bert", psutil.AccessDenied(11)], ids=["named", "hidden"])
def test_those_of_other_users_are_none(user: object) -> None:
    mine, other = (
        Process(number, ["mcp-remote-bridge", URL], HOST, username=who) for number, who in ((12, ME), (11, user))
    )
    assert [instance.pid for instance in instances_among([other, mine], ME)] == [12]


def test_the_oldest_comes_first() -> None:
    processes = [
        Process(number, ["mcp-remote-bridge", URL], HOST, create_time=at) for number, at in ((12, 2.0), (11, 3.0))
    ]
    assert [instance.pid for instance in instances_among(processes, ME)] == [12, 11]


@pytest.mark.parametrize(
    "error", [psutil.NoSuchProcess(11), psutil.AccessDenied(11), OSError(5, "x")], ids=["gone", "hidden", "broken"]
)
@pytest.mark.parametrize("fact", ["cmdline", "create_time", "username"])
def test_one_that_ends_meanwhile_or_is_hidden_is_left_out(fact: str, error: Exception) -> None:
    gone = Process(11, ["mcp-remote-bridge", URL], HOST, **{fact: error} if fact != "cmdline" else {})
    if fact == "cmdline":
        gone = Process(11, error, HOST)
    assert [
        instance.pid for instance in instances_among([gone, Process(12, ["mcp-remote-bridge", URL], HOST)], ME)
    ] == [12]


def test_variables_and_parents_that_are_hidden_are_not_missed() -> None:
    instance = Process(11, ["mcp-remote-bridge", URL], None, environ=psutil.AccessDenied(11))
    assert instances_among([instance], ME) == [RunningInstance(11, 11.0, UNKNOWN, (URL,), {})]


def test_a_name_that_would_restyle_the_terminal_is_made_fit() -> None:
    host = Process(10, ["x"], name="evil\x1b[2J\nhost" + "x" * 500)
    [instance] = instances_among([Process(11, ["mcp-remote-bridge", URL], host)], ME)
    assert instance.host.isprintable()
    assert len(instance.host) <= 60


def test_a_system_that_shows_no_processes_has_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> list[int]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(psutil, "pids", hidden)
    assert running_instances() == []


def test_a_real_copy_is_found(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/real"
    env = environment(tmp_path, {"MCP_BRIDGE_PROFILE": "real"})
    command = [sys.executable, "-m", "bridge", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        try:
            # Its first answer, for until then it might not be what it is going to be.
            assert process.stdin
            assert process.stdout
            process.stdin.write(b"nonsense\n")
            process.stdin.flush()
            assert b"-32700" in process.stdout.readline()
            [instance] = [instance for instance in running_instances() if instance.pid == process.pid]
        finally:
            process.kill()
    assert instance.arguments == (url,)
    assert instance.environ == {"MCP_BRIDGE_PROFILE": "real"}
    assert instance.host == psutil.Process().name()
