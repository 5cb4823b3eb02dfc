"""The host's pipes: read by the loop or by a thread, and their ends noticed."""

import asyncio
import os
import select
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.host.stdio import HostInput, can_watch, watch_hang_up
from tests.host.conftest import MakePipe
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell closes descriptors, a loop watches pipes")


# -- HostInput


class Heard:
    """What an input told, and on which threads."""

    def __init__(self, descriptor: int) -> None:
        self.data = b""
        self.ends = 0
        self.ended = asyncio.Event()
        self.threads: set[int] = set()
        self._some = asyncio.Event()
        self.input = HostInput(descriptor, self._on_data, self._on_end)

    def _on_data(self, data: bytes) -> None:
        assert data
        self.data += data
        self.threads.add(threading.get_ident())
        self._some.set()

    def _on_end(self) -> None:
        self.ends += 1
        self.threads.add(threading.get_ident())
        self.ended.set()

    async def until(self, data: bytes) -> None:
        async with asyncio.timeout(stretched(10)):
            while self.data != data:
                self._some.clear()
                await self._some.wait()


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "host-input"]


def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.host.stdio.sys", SimpleNamespace(platform="win32"))


def loop_watches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)


def loop_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)


async def test_each_piece_is_told_as_it_comes_and_the_end_once(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    heard = Heard(reader)
    heard.input.start()
    os.write(writer, b"one")
    await heard.until(b"one")
    os.write(writer, b"two")
    await heard.until(b"onetwo")
    assert heard.ends == 0
    os.close(writer)
    await asyncio.wait_for(heard.ended.wait(), stretched(10))
    await turns()
    assert heard.ends == 1
    assert heard.threads == {threading.get_ident()}


@posix
async def test_a_pipe_is_read_by_the_loop_and_stays_blocking(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    heard = Heard(reader)
    heard.input.start()
    os.write(writer, b"x")
    await heard.until(b"x")
    assert reader_threads() == []
    assert os.get_blocking(reader)
    os.close(writer)
    await asyncio.wait_for(heard.ended.wait(), stretched(10))
    assert not asyncio.get_running_loop().remove_reader(reader)


@posix
async def test_a_socket_is_read_by_the_loop() -> None:
    ours, hosts = socket.socketpair()
    with ours, hosts:
        heard = Heard(ours.fileno())
        heard.input.start()
        assert reader_threads() == []
        hosts.sendall(b"x")
        await heard.until(b"x")
        hosts.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(heard.ended.wait(), stretched(10))


@posix
async def test_nothing_is_read_after_a_stop(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    heard = Heard(reader)
    heard.input.stop()
    heard.input.start()
    os.write(writer, b"x")
    await heard.until(b"x")
    heard.input.stop()
    heard.input.stop()
    os.write(writer, b"y")
    await turns()
    assert (heard.data, heard.ends) == (b"x", 0)
    assert os.read(reader, 10) == b"y"


@pytest.mark.parametrize("why", [on_windows, loop_watches_nothing, loop_refuses])
async def test_a_thread_reads_what_no_loop_can_watch(
    why: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    reader, writer = make_pipe()
    why(monkeypatch)
    heard = Heard(reader)
    heard.input.start()
    (thread,) = reader_threads()
    assert thread.daemon
    os.write(writer, b"one")
    await heard.until(b"one")
    os.write(writer, b"two")
    await heard.until(b"onetwo")
    assert heard.ends == 0
    os.close(writer)
    await asyncio.wait_for(heard.ended.wait(), stretched(10))
    await asyncio.to_thread(thread.join, 10)
    await turns()
    assert heard.ends == 1
    assert heard.threads == {threading.get_ident()}


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"0123456789" * 100_000)
    with file.open("rb") as opened:
        heard = Heard(opened.fileno())
        heard.input.start()
        await asyncio.wait_for(heard.ended.wait(), stretched(10))
    assert heard.data == b"0123456789" * 100_000


@posix
async def test_an_input_that_breaks_has_ended(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)  # reading a directory fails
    try:
        heard = Heard(descriptor)
        heard.input.start()
        await asyncio.wait_for(heard.ended.wait(), stretched(10))
        assert (heard.data, heard.ends) == (b"", 1)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("data", [b"x", b""])
def test_the_thread_outlives_its_loop_quietly(
    data: bytes, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    reader, writer = make_pipe()
    on_windows(monkeypatch)

    async def begin() -> threading.Thread:
        Heard(reader).input.start()
        (thread,) = reader_threads()
        return thread

    thread = asyncio.run(begin())
    os.write(writer, data)
    os.close(writer)
    thread.join(stretched(10))
    assert not thread.is_alive()


# -- can_watch


@posix
async def test_pipes_and_sockets_can_be_watched(
    monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe, tmp_path: Path
) -> None:
    ours, hosts = socket.socketpair()
    with ours, hosts, (tmp_path / "file").open("wb") as file:
        descriptors = [*make_pipe(), ours.fileno(), file.fileno()]
        assert [can_watch(descriptor) for descriptor in descriptors] == [True, True, True, False]
        on_windows(monkeypatch)
        assert not any(can_watch(descriptor) for descriptor in descriptors)


# -- watch_hang_up


class HangUp:
    def __init__(self) -> None:
        self.threads: list[int] = []
        self.told = asyncio.Event()

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        self.told.set()


@posix
async def test_a_reader_that_closes_is_noticed_once_and_without_a_write(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    hang_up = HangUp()
    watch_hang_up(writer, hang_up)
    os.write(writer, b"x")
    os.read(reader, 10)
    await turns()
    assert hang_up.threads == []
    os.close(reader)
    await asyncio.wait_for(hang_up.told.wait(), stretched(10))
    await turns()
    assert hang_up.threads == [threading.get_ident()]


@posix
async def test_a_socket_that_closes_is_noticed() -> None:
    ours, hosts = socket.socketpair()
    with ours:
        hang_up = HangUp()
        watch_hang_up(ours.fileno(), hang_up)
        hosts.close()
        await asyncio.wait_for(hang_up.told.wait(), stretched(10))


@posix
async def test_a_host_that_writes_on_our_output_has_not_hung_up_and_costs_no_turns() -> None:
    ours, hosts = socket.socketpair()
    with ours, hosts:
        hang_up = HangUp()
        watch_hang_up(ours.fileno(), hang_up)
        hosts.sendall(b"x")
        await turns()
        assert hang_up.threads == []
        assert not asyncio.get_running_loop().remove_reader(ours.fileno())


class MacPoll:
    """`select.poll` as macOS has it (xnu, sys_generic.c): only what is registered has a filter that can fire."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._events: dict[int, int] = {}

    def register(self, descriptor: int, events: int) -> None:
        self._events[descriptor] = events
        self._poll.register(descriptor, events)

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        told = []
        for descriptor, found in self._poll.poll(timeout):
            events = self._events[descriptor]
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
            if not events or (is_socket and events == select.POLLHUP):  # The latter since 15.4.
                continue
            is_over = found & (select.POLLHUP | select.POLLERR)
            told.append((descriptor, (found & events & select.POLLIN) | (select.POLLHUP if is_over else 0)))
        return [(descriptor, found) for descriptor, found in told if found]


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_closed_reader_is_noticed_where_poll_tells_only_what_is_asked(
    kind: str, monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe
) -> None:
    asked = SimpleNamespace(poll=MacPoll, POLLIN=select.POLLIN, POLLHUP=select.POLLHUP, POLLERR=select.POLLERR)
    monkeypatch.setattr("bridge.host.stdio.select", asked)
    ours, hosts = socket.socketpair()
    reader, writer = make_pipe() if kind == "pipe" else (hosts.detach(), ours.fileno())
    with ours:
        hang_up = HangUp()
        watch_hang_up(writer, hang_up)
        await turns()
        assert hang_up.threads == []
        os.close(reader)
        await asyncio.wait_for(hang_up.told.wait(), stretched(10))
    hosts.close()


@posix
async def test_an_output_that_cannot_be_watched_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, make_pipe: MakePipe, tmp_path: Path
) -> None:
    hang_up = HangUp()
    with (tmp_path / "file").open("wb") as file:
        watch_hang_up(file.fileno(), hang_up)
    for why in (on_windows, without_poll, loop_watches_nothing, loop_refuses):
        reader, writer = make_pipe()
        with monkeypatch.context() as patch:
            why(patch)
            watch_hang_up(writer, hang_up)
        assert not asyncio.get_running_loop().remove_reader(writer)
        os.close(reader)
    await turns()
    assert hang_up.threads == []


def without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.host.stdio.select", SimpleNamespace())


async def turns() -> None:
    """Let the loop look at its descriptors a few times."""
    for _ in range(3):
        await asyncio.sleep(0)
