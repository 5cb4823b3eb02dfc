"""The parent's death: noticed on each system, and no harm done where it cannot be."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.host.parent import watch_parent
from tests.host.conftest import MakePipe
from tests.support.bridge_process import ROOT
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

PARENT = 4711


def refuse(*_: Any) -> Any:
    raise AssertionError("not to be called")


class System:
    """Replaces what `bridge.host.parent` asks of the system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.closed: list[int] = []

    def is_(self, platform: str, parents: tuple[int, ...] = (PARENT,), **calls: Callable[..., Any]) -> None:
        """Name the platform, the pids that `getppid` tells one after the other, and more of `os`."""
        answers = list(parents)
        fake = SimpleNamespace(
            getppid=lambda: answers.pop(0) if len(answers) > 1 else answers[0],
            close=self.closed.append,
            dup=os.dup,
            **calls,
        )
        self._monkeypatch.setattr("bridge.host.parent.sys", SimpleNamespace(platform=platform))
        self._monkeypatch.setattr("bridge.host.parent.os", fake)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


WATCHER = """
import asyncio
from bridge.host.parent import watch_parent
async def main():
    dead = asyncio.Event()
    assert watch_parent(dead.set)
    print("watching", flush=True)
    await asyncio.wait_for(dead.wait(), 120)
    print("dead", flush=True)
asyncio.run(main())
"""
BETWEEN = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.DEVNULL)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="a child outlives its parent otherwise there")
def test_a_real_parents_death_is_noticed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BETWEEN, WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as between:
        alarm = threading.Timer(stretched(30), between.kill)
        alarm.start()
        try:
            assert between.stdout is not None
            assert between.stdout.readline() == b"watching\n"
            between.send_signal(signal.SIGKILL)
            assert between.stdout.read() == b"dead\n"
        finally:
            alarm.cancel()


# -- Linux


async def test_nothing_is_told_while_the_parent_lives_and_its_death_once(system: System, make_pipe: MakePipe) -> None:
    descriptor, other_end = make_pipe()
    asked: list[int] = []
    deaths: list[int] = []
    dead = asyncio.Event()

    def on_death() -> None:
        deaths.append(threading.get_ident())
        dead.set()

    def pidfd_open(pid: int) -> int:
        asked.append(pid)
        return descriptor

    system.is_("linux", pidfd_open=pidfd_open)
    assert watch_parent(on_death)
    await turns()
    assert (asked, deaths) == ([PARENT], [])
    os.write(other_end, b"x")
    await asyncio.wait_for(dead.wait(), stretched(5))
    await turns()
    assert deaths == [threading.get_ident()]
    assert not asyncio.get_running_loop().remove_reader(descriptor)


async def test_a_parent_that_dies_meanwhile_is_dead(system: System, make_pipe: MakePipe) -> None:
    descriptor, _ = make_pipe()
    dead = asyncio.Event()
    system.is_("linux", (PARENT, 1), pidfd_open=lambda _: descriptor)
    assert watch_parent(dead.set)
    await asyncio.wait_for(dead.wait(), stretched(5))
    assert system.closed == [descriptor]
    assert not asyncio.get_running_loop().remove_reader(descriptor)


async def test_a_parent_that_is_gone_before_it_can_be_watched_is_dead(system: System) -> None:
    def pidfd_open(pid: int) -> int:
        raise ProcessLookupError

    dead = asyncio.Event()
    system.is_("linux", (PARENT, 1), pidfd_open=pidfd_open)
    assert watch_parent(dead.set)
    await asyncio.wait_for(dead.wait(), stretched(5))


@pytest.mark.parametrize("error", [OSError(38, "no such call"), PermissionError(), OSError(24, "too many files")])
async def test_a_kernel_that_refuses_cannot_tell(error: OSError, system: System) -> None:
    def pidfd_open(pid: int) -> int:
        raise error

    system.is_("linux", pidfd_open=pidfd_open)
    assert watch_parent(refuse) is False


async def test_a_python_built_without_pidfds_cannot_tell(system: System) -> None:
    # Such as conda's, built with the headers of an old kernel.
    system.is_("linux")
    assert watch_parent(refuse) is False


async def test_a_parent_in_another_namespace_cannot_be_watched(system: System) -> None:
    system.is_("linux", (0,), pidfd_open=refuse)
    assert watch_parent(refuse) is False


@pytest.mark.parametrize("platform", ["freebsd14", "cygwin", "emscripten"])
async def test_another_system_cannot_tell(platform: str, system: System) -> None:
    system.is_(platform, pidfd_open=refuse)
    assert watch_parent(refuse) is False


# -- macOS


class Kqueue:
    """Stands for `select.kqueue`: `descriptor` is what it looks like from outside."""

    def __init__(self, descriptor: int, error: OSError | None = None) -> None:
        self._descriptor = descriptor
        self._error = error
        self.changes: list[Any] = []
        self.closed = False

    def fileno(self) -> int:
        return self._descriptor

    def control(self, changes: list[Any], most: int) -> list[Any]:
        if self._error:
            raise self._error
        assert most == 0
        self.changes += changes
        return []

    def close(self) -> None:
        self.closed = True
        os.close(self._descriptor)


def select_with(kqueue: Kqueue) -> SimpleNamespace:
    names = {"KQ_FILTER_PROC": "process", "KQ_EV_ADD": "add", "KQ_NOTE_EXIT": "exit"}
    return SimpleNamespace(kqueue=lambda: kqueue, kevent=lambda *arguments: arguments, **names)


async def test_a_kqueue_tells_of_the_death(
    system: System, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    descriptor, other_end = make_pipe()
    kqueue = Kqueue(descriptor)
    deaths: list[int] = []
    dead = asyncio.Event()

    def on_death() -> None:
        deaths.append(threading.get_ident())
        dead.set()

    system.is_("darwin")
    monkeypatch.setattr("bridge.host.parent.select", select_with(kqueue))
    assert watch_parent(on_death)
    assert kqueue.changes == [(PARENT, "process", "add", "exit")]
    await turns()
    assert deaths == []
    os.write(other_end, b"x")
    await asyncio.wait_for(dead.wait(), stretched(5))
    await turns()
    assert deaths == [threading.get_ident()]


async def test_a_kqueue_that_refuses_cannot_tell(
    system: System, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    kqueue = Kqueue(make_pipe()[0], PermissionError())
    system.is_("darwin")
    monkeypatch.setattr("bridge.host.parent.select", select_with(kqueue))
    assert watch_parent(refuse) is False


# -- Windows


class Kernel:
    """Stands for kernel32: `death` ends the wait."""

    def __init__(self, handle: int | None) -> None:
        self.death = threading.Event()
        self.calls: list[tuple[Any, ...]] = []
        self.OpenProcess = self._recorder("OpenProcess", lambda: handle)
        self.WaitForSingleObject = self._recorder("WaitForSingleObject", lambda: self.death.wait(stretched(10)))

    def _recorder(self, name: str, act: Callable[[], Any]) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, *arguments))
            return act()

        return call


@pytest.fixture
def windows(system: System, monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], Kernel]:
    def make(handle: int | None) -> Kernel:
        kernel = Kernel(handle)
        system.is_("win32")
        monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: kernel, raising=False)
        return kernel

    return make


async def test_a_process_handle_tells_of_the_death(windows: Callable[[int | None], Kernel]) -> None:
    kernel = windows(99)
    deaths: list[int] = []
    dead = asyncio.Event()

    def on_death() -> None:
        deaths.append(threading.get_ident())
        dead.set()

    assert watch_parent(on_death)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "parent-watch"]
    assert thread.daemon
    await turns()
    assert deaths == []
    kernel.death.set()
    await asyncio.wait_for(dead.wait(), stretched(5))
    assert deaths == [threading.get_ident()]
    synchronize, for_ever = 0x00100000, 0xFFFFFFFF
    assert kernel.calls == [("OpenProcess", synchronize, False, PARENT), ("WaitForSingleObject", 99, for_ever)]


async def test_a_process_that_cannot_be_opened_cannot_be_watched(windows: Callable[[int | None], Kernel]) -> None:
    windows(None)
    assert watch_parent(refuse) is False
    assert not [thread for thread in threading.enumerate() if thread.name == "parent-watch"]


def test_a_death_after_the_end_does_no_harm(windows: Callable[[int | None], Kernel]) -> None:
    kernel = windows(99)

    async def begin() -> threading.Thread:
        assert watch_parent(refuse)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "parent-watch"]
        return thread

    thread = asyncio.run(begin())
    kernel.death.set()
    thread.join(stretched(10))
    assert not thread.is_alive()


async def turns() -> None:
    """Let the loop look at its descriptors a few times."""
    for _ in range(3):
        await asyncio.sleep(0)
