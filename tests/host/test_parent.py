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
from bridge.host.parent_chain import ParentProcess
from tests.host.conftest import MakePipe
from tests.support.process.bridge_process import ROOT
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

PARENT = 4711

watched_by_the_loop = pytest.mark.skipif(sys.platform == "win32", reason="its event loop watches no descriptors")


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
from bridge.host.parent_chain import ParentProcess
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


@watched_by_the_loop
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


@watched_by_the_loop
async def test_a_parent_that_dies_meanwhile_is_dead(system: System, make_pipe: MakePipe) -> None:
    descriptor, _ = make_pipe()
    dead = asyncio.Event()
    system.is_("linux", (PARENT, 1), pidfd_open=lambda _: descriptor)
    assert watch_parent(dead.set)
    await asyncio.wait_for(dead.wait(), stretched(5))
    assert system.closed == [descriptor]
    assert not asyncio.get_running_loop().remove_reader(descriptor)


@watched_by_the_loop
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


@watched_by_the_loop
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


# -- those above the parent


class Above:
    """Stands for the processes above the parent: each has a pipe that becomes readable at its death."""

    def __init__(self, system: System, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe) -> None:
        self._system = system
        self._monkeypatch = monkeypatch
        self._make_pipe = make_pipe
        self.ends: dict[int, int] = {}
        self.readers: dict[int, int] = {}

    def are(self, *pids: int, gone: tuple[int, ...] = (), hidden: tuple[int, ...] = ()) -> None:
        for pid in (PARENT, *pids):
            self.readers[pid], self.ends[pid] = self._make_pipe()

        def pidfd_open(pid: int) -> int:
            if pid in hidden:
                raise PermissionError
            return self.readers[pid]

        def others_above(parent: int, platform: str) -> list[ParentProcess]:
            assert (parent, platform) == (PARENT, "linux")
            return [ParentProcess(pid, "name", (), lambda pid=pid: pid not in gone) for pid in pids]  # type: ignore[misc]

        self._system.is_("linux", pidfd_open=pidfd_open)
        self._monkeypatch.setattr("bridge.host.parent.others_above", others_above)

    def dies(self, pid: int) -> None:
        os.write(self.ends[pid], b"x")


@pytest.fixture
def above(system: System, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe) -> Above:
    return Above(system, monkeypatch, make_pipe)


@watched_by_the_loop
@pytest.mark.parametrize("dying", [PARENT, 20, 10], ids=["the-parent", "a-launcher", "the-host"])
async def test_the_death_of_each_up_to_the_host_is_told_once(dying: int, above: Above) -> None:
    deaths: list[int] = []
    above.are(20, 10)
    assert watch_parent(lambda: deaths.append(1))
    await turns()
    assert deaths == []
    above.dies(dying)
    await turns()
    assert deaths == [1]
    for pid in (PARENT, 20, 10):
        above.dies(pid)
    await turns()
    assert deaths == [1]


@watched_by_the_loop
async def test_one_that_died_before_it_was_watched_is_dead(above: Above, system: System) -> None:
    deaths: list[int] = []
    above.are(20, 10, gone=(20,))
    assert watch_parent(lambda: deaths.append(1))
    await turns()
    assert deaths == [1]
    assert system.closed == [above.readers[20]]


@watched_by_the_loop
async def test_one_that_cannot_be_watched_is_passed_over(above: Above) -> None:
    deaths: list[int] = []
    above.are(20, 10, hidden=(20,))
    assert watch_parent(lambda: deaths.append(1))
    await turns()
    assert deaths == []
    above.dies(10)
    await turns()
    assert deaths == [1]


@watched_by_the_loop
async def test_macos_looks_at_those_above_later_and_in_a_thread(
    system: System, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    readers, ends = zip(*(make_pipe() for _ in range(2)), strict=True)
    looked: list[int] = []
    dead = asyncio.Event()

    def others_above(parent: int, platform: str) -> list[ParentProcess]:
        looked.append(threading.get_ident())
        return [ParentProcess(10, "host", (), lambda: True)]

    system.is_("darwin")
    monkeypatch.setattr("bridge.host.parent._kqueue_of", {PARENT: readers[0], 10: readers[1]}.__getitem__)
    monkeypatch.setattr("bridge.host.parent.others_above", others_above)
    monkeypatch.setattr("bridge.host.parent.LOOK_AFTER", 0.0)
    assert watch_parent(dead.set)
    assert looked == []
    os.write(ends[1], b"x")
    await asyncio.wait_for(dead.wait(), stretched(5))
    assert looked != [threading.get_ident()]


# Holds the pipe that its child has as its stdout, and lets a shell stay between.
HOST = """
import subprocess, sys
command = [sys.argv[1], "-c", sys.argv[2]]
subprocess.Popen(["/bin/sh", "-c", '"$@"; exit', "sh", *command], stdin=subprocess.DEVNULL)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere those above are looked at later")
def test_a_real_hosts_death_is_noticed_though_its_shell_stays() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST, sys.executable, WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as host:
        alarm = threading.Timer(stretched(30), host.kill)
        alarm.start()
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == b"watching\n"
            host.send_signal(signal.SIGKILL)
            assert host.stdout.read() == b"dead\n"
        finally:
            alarm.cancel()


# -- Windows

OWN = 99
BEGUN = 1000


class Kernel:
    """Stands for kernel32: handles keep a process's number and tell of its end, as Windows' do."""

    def __init__(self) -> None:
        self.started = {OWN: BEGUN}
        self.ends: dict[int, threading.Event] = {}
        self.opened: list[tuple[int, int]] = []
        self.waits: list[int] = []
        self.fails = False
        self.OpenProcess: Any = _callable(self._open)
        self.GetCurrentProcess: Any = _callable(lambda: OWN)
        self.GetProcessTimes: Any = _callable(self._times)
        self.WaitForMultipleObjects: Any = _callable(self._wait)
        self._ended = threading.Condition()

    def runs(self, pid: int, started: int) -> None:
        self.started[pid] = started
        self.ends[pid] = threading.Event()

    def ends_of(self, pid: int) -> None:
        with self._ended:
            self.ends[pid].set()
            self._ended.notify_all()

    def _open(self, access: int, inherits: bool, pid: int) -> int | None:
        self.opened.append((access, pid))
        return pid if pid in self.ends else None

    def _times(self, handle: int, created: Any, *_: Any) -> int:
        created._obj.value = self.started[handle]
        return 1

    def _wait(self, count: int, handles: Any, all_of_them: bool, milliseconds: int) -> int:
        assert not all_of_them
        self.waits.append(milliseconds)
        if self.fails:
            return 0xFFFFFFFF  # WAIT_FAILED
        several = list(handles)
        assert len(several) == count

        def first() -> int | None:
            return next((n for n, handle in enumerate(several) if self.ends[handle].is_set()), None)

        seconds = stretched(10) if milliseconds == 0xFFFFFFFF else milliseconds / 1000
        with self._ended:
            self._ended.wait_for(lambda: first() is not None, seconds)
            found = first()
        return 0x102 if found is None else found  # WAIT_TIMEOUT


def _callable(what: Callable[..., Any]) -> Any:
    """A function of a library: its types are told by attributes."""

    def call(*arguments: Any) -> Any:
        return what(*arguments)

    return call


@pytest.fixture
def kernel(system: System, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A parent, and the time after which those above it are looked at is over at once."""
    kernel = Kernel()
    kernel.runs(PARENT, BEGUN - 1)
    system.is_("win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: kernel, raising=False)
    monkeypatch.setattr("bridge.host.parent.LOOK_AFTER", 0.0)
    monkeypatch.setattr("bridge.host.parent.others_above", lambda parent, platform: [])
    return kernel


def above_is(monkeypatch: pytest.MonkeyPatch, *pids: int, there: bool = True) -> None:
    others = [ParentProcess(pid, "name", (), lambda: there) for pid in pids]
    monkeypatch.setattr("bridge.host.parent.others_above", lambda parent, platform: others)


class Deaths:
    def __init__(self) -> None:
        self.threads: list[int] = []
        self.first = asyncio.Event()

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        self.first.set()


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "parent-watch"]


async def test_a_process_handle_tells_of_the_death(kernel: Kernel) -> None:
    deaths = Deaths()
    assert watch_parent(deaths)
    assert all(thread.daemon for thread in watching())
    await turns()
    assert deaths.threads == []
    kernel.ends_of(PARENT)
    await asyncio.wait_for(deaths.first.wait(), stretched(5))
    assert deaths.threads == [threading.get_ident()]
    synchronize, query = 0x00100000, 0x1000
    assert kernel.opened == [(synchronize | query, PARENT)]


@pytest.mark.parametrize("dying", [PARENT, 20, 10], ids=["the-parent", "cmd", "the-host"])
async def test_on_windows_the_death_of_each_up_to_the_host_is_told(
    dying: int, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.runs(20, 5)
    kernel.runs(10, 3)
    above_is(monkeypatch, 20, 10)
    deaths = Deaths()
    assert watch_parent(deaths)
    kernel.ends_of(dying)
    await asyncio.wait_for(deaths.first.wait(), stretched(5))


async def test_on_windows_one_that_is_gone_when_it_is_watched_is_dead(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    above_is(monkeypatch, 20, there=False)
    deaths = Deaths()
    assert watch_parent(deaths)
    await asyncio.wait_for(deaths.first.wait(), stretched(5))


async def test_on_windows_one_that_cannot_be_opened_is_passed_over(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.runs(10, 3)
    above_is(monkeypatch, 20, 10)
    deaths = Deaths()
    assert watch_parent(deaths)
    kernel.ends_of(10)
    await asyncio.wait_for(deaths.first.wait(), stretched(5))


async def test_a_process_that_cannot_be_opened_cannot_be_watched(kernel: Kernel) -> None:
    kernel.ends.clear()
    before = watching()
    assert watch_parent(refuse) is False
    assert watching() == before


async def test_a_process_that_is_younger_than_this_one_is_not_its_parent(kernel: Kernel) -> None:
    """Windows gave its number to another after it died: the other's end says nothing."""
    kernel.runs(PARENT, BEGUN + 1)
    before = watching()
    assert watch_parent(refuse) is False
    assert watching() == before


async def test_a_wait_that_fails_is_no_death(kernel: Kernel) -> None:
    kernel.fails = True
    before = watching()
    assert watch_parent(refuse)
    for thread in watching():
        if thread not in before:
            await asyncio.to_thread(thread.join, stretched(10))
    await turns()
    assert kernel.waits == [0]


def test_a_death_after_the_end_does_no_harm(kernel: Kernel) -> None:
    async def begin() -> list[threading.Thread]:
        before = watching()
        assert watch_parent(refuse)
        return [thread for thread in watching() if thread not in before]

    (thread,) = asyncio.run(begin())
    kernel.ends_of(PARENT)
    thread.join(stretched(10))
    assert not thread.is_alive()


async def turns() -> None:
    """Let the loop look at its descriptors a few times."""
    for _ in range(3):
        await asyncio.sleep(0)
