"""The writer of the host's output: order, few writes, a slow reader, a gone reader, the end."""

import asyncio
import contextlib
import os
import select
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

from bridge.host.output import HostOutput
from tests.host.conftest import MakePipe
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

tells_of_room = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell whether a pipe has room")
shares_blocking = pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="Windows has no such pipes")

KIB, MIB = 1 << 10, 1 << 20
NO_DESCRIPTOR = 1 << 20


def not_broken() -> None:
    raise AssertionError("the output was called broken")


class Gate:
    """Stands for `os.write`: each call waits to be let through."""

    def __init__(self, most: int | None = None) -> None:
        self.pieces: list[bytes] = []
        self.most = most
        self.error: OSError | None = None
        self._let = threading.Semaphore(0)
        self._changed = threading.Condition()
        self._started = 0
        self._open = False

    def write(self, descriptor: int, data: memoryview) -> int:
        with self._changed:
            self._started += 1
            self._changed.notify_all()
        if not self._open:
            self._let.acquire()
        if self.error:
            raise self.error
        self.pieces.append(bytes(data[: self.most]))
        return len(self.pieces[-1])

    def let(self, calls: int = 1) -> None:
        self._let.release(calls)

    def open(self) -> None:
        self._open = True
        self._let.release()

    async def started(self, calls: int) -> None:
        """Wait until that many calls have begun; what followed the one before is then done."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self._started >= calls, stretched(10))

        assert await asyncio.to_thread(wait), f"{self._started} writes, not {calls}"
        await asyncio.sleep(0)  # a turn of the loop, for what the thread told it


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr("bridge.host.output.os", SimpleNamespace(write=gate.write))
    monkeypatch.setattr("bridge.host.output.can_watch", lambda descriptor: False)
    return gate


def has_room(output: HostOutput) -> bool:
    """Ask anew: a type checker takes a property for a constant."""
    return output._room.is_set()


def read_all(descriptor: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, MIB):
        pieces.append(piece)
    return b"".join(pieces)


async def test_every_line_comes_in_order(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    lines = [b"%d %s" % (n, b"x" * ((400 * KIB) if n % 500 == 7 else n % 97)) for n in range(3000)]
    for n, line in enumerate(lines):
        output.write(line)
        if n % 100 == 0:
            await asyncio.wait_for(output.drained(), stretched(10))
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    os.close(writer)
    assert await asyncio.wait_for(reading, stretched(10)) == b"".join(line + b"\n" for line in lines)


async def test_a_host_that_expects_headers_gets_them(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    output.has_headers = True
    lines: list[bytes | bytearray] = [b"{}", b"x" * (400 * KIB), bytearray(b"[1]")]
    for line in lines:
        output.write(line)
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    os.close(writer)
    expected = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(line), bytes(line)) for line in lines)
    assert await asyncio.wait_for(reading, stretched(10)) == expected
    assert has_room(output)


async def test_what_waits_is_written_at_once(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"first")
    await gate.started(1)
    for n in range(100):
        output.write(b"%d" % n)
    gate.open()
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert gate.pieces == [b"first\n", b"".join(b"%d\n" % n for n in range(100))]


async def test_a_large_line_is_not_copied_together_with_others(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"first")
    await gate.started(1)
    large = b"x" * MIB
    for line in (b"a", b"b", large, b"c", large, large, b""):
        output.write(line)
    gate.open()
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert b"".join(gate.pieces) == b"first\na\nb\n" + large + b"\nc\n" + large + b"\n" + large + b"\n\n"
    assert [piece for piece in gate.pieces if len(piece) >= MIB] == [large] * 3
    assert b"a\nb\n" in gate.pieces


async def test_a_line_that_was_written_is_held_no_longer(gate: Gate) -> None:
    class Line(bytearray):
        """One that can be watched."""

    line = Line(b"x" * MIB)
    held = weakref.ref(line)
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(line)
    del line
    gate.let(2)
    begun = time.monotonic()
    while held() is not None:
        assert time.monotonic() - begun < stretched(5), "it is held while the next one is waited for"
        await asyncio.sleep(0.001)
    gate.open()
    await output.close(stretched(1))


async def test_many_small_lines_are_joined_in_bounded_portions(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"first")
    await gate.started(1)
    for _ in range(200):
        output.write(b"x" * (10 * KIB))
    gate.open()
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert b"".join(gate.pieces) == b"first\n" + (b"x" * (10 * KIB) + b"\n") * 200
    assert max(map(len, gate.pieces)) < 300 * KIB
    assert len(gate.pieces) < 12


async def test_a_write_that_takes_a_part_is_gone_on_with(gate: Gate) -> None:
    gate.most = 7
    gate.open()
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"0123456789" * 3)
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert gate.pieces == [b"0123456", b"7890123", b"4567890", b"1234567", b"89\n"]


async def test_producers_wait_for_a_slow_reader(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    assert has_room(output)
    for _ in range(8):
        assert has_room(output)
        output.write(b"x" * MIB)
    assert not has_room(output)
    waiting = asyncio.create_task(output.drained())
    # Each line is two writes, itself and its end. Room is told of only when nearly all is gone.
    gate.let(12)
    await gate.started(13)
    assert not has_room(output)
    assert not waiting.done()
    gate.open()
    await asyncio.wait_for(waiting, stretched(10))
    assert has_room(output)
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert len(b"".join(gate.pieces)) == 8 * (MIB + 1)


async def test_producers_wait_each_time(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    gate.open()
    for _ in range(3):
        for _ in range(12):
            output.write(b"x" * MIB)
        await asyncio.wait_for(output.drained(), stretched(10))
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    assert len(b"".join(gate.pieces)) == 36 * (MIB + 1)


class Recorder:
    """Stands for `os.write`: writes, in portions of `most` bytes, and tells which thread wrote what."""

    def __init__(self, most: int | None = None) -> None:
        self.writes: list[tuple[bool, bytes]] = []
        self.most = most
        self._loop_thread = threading.get_ident()

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        written = os.write(descriptor, data[: self.most])
        self.writes.append((threading.get_ident() == self._loop_thread, bytes(data[:written])))
        return written


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("bridge.host.output.os", SimpleNamespace(write=recorder.write))
    return recorder


async def ended(output: HostOutput) -> None:
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))


@tells_of_room
async def test_short_lines_of_one_turn_are_one_write_of_the_loop(make_pipe: MakePipe, recorder: Recorder) -> None:
    _, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    output.write(b"a")
    output.write(b"b")
    await asyncio.sleep(0)
    output.write(b"x" * (select.PIPE_BUF - 1))
    await asyncio.sleep(0)
    assert recorder.writes == [(True, b"a\nb\n"), (True, b"x" * (select.PIPE_BUF - 1) + b"\n")]
    await ended(output)


@tells_of_room
async def test_a_line_longer_than_a_ready_pipe_takes_is_the_threads(make_pipe: MakePipe, recorder: Recorder) -> None:
    _, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    output.write(b"x" * 5000)
    await asyncio.sleep(0)
    await ended(output)
    assert [is_loops for is_loops, _ in recorder.writes] == [False]


@tells_of_room
async def test_a_full_pipe_is_left_to_the_thread(make_pipe: MakePipe, recorder: Recorder) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    os.set_blocking(writer, False)
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filled += os.write(writer, b"." * KIB)
    os.set_blocking(writer, True)
    output.write(b"short")
    await asyncio.sleep(0)
    output.write(b"next")
    await asyncio.sleep(0)
    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    await ended(output)
    os.close(writer)
    assert (await asyncio.wait_for(reading, stretched(10)))[filled:] == b"short\nnext\n"
    assert not any(is_loops for is_loops, _ in recorder.writes)


@tells_of_room
@pytest.mark.parametrize("has_headers", [False, True])
async def test_what_the_loop_could_not_write_whole_is_gone_on_with(
    has_headers: bool, make_pipe: MakePipe, recorder: Recorder
) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    output.has_headers = has_headers
    recorder.most = 7
    for line in (b"0123456789", b"012345", b"abc"):
        output.write(line)
        await asyncio.sleep(0)
    await ended(output)
    os.close(writer)
    written = await asyncio.to_thread(read_all, reader)
    if has_headers:
        assert written == b"".join(
            b"Content-Length: %d\r\n\r\n%b" % (len(n), n) for n in (b"0123456789", b"012345", b"abc")
        )
    else:
        assert written == b"0123456789\n012345\nabc\n"
    assert recorder.writes[0][0]


async def test_what_was_said_last_is_written_before_the_end(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    output.write(b"last")
    await ended(output)
    os.close(writer)
    assert await asyncio.to_thread(read_all, reader) == b"last\n"


async def test_a_slow_reader_does_not_block_the_loop(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    output = HostOutput(writer, not_broken)
    start = time.monotonic()
    output.write(b"x" * 4 * MIB)
    output.write(b"y")
    await asyncio.sleep(0)
    assert time.monotonic() - start < stretched(5)
    assert output._room.is_set()
    closing = asyncio.create_task(output.close(stretched(10)))
    reading = asyncio.create_task(asyncio.to_thread(os.read, reader, 10))
    assert await asyncio.wait_for(reading, stretched(10)) == b"x" * 10
    assert not closing.done()
    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    await asyncio.wait_for(closing, stretched(10))
    os.close(writer)
    assert (await asyncio.wait_for(reading, stretched(10))).endswith(b"xxx\ny\n")


async def test_a_reader_that_is_gone_is_told_once_on_the_loop(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    os.close(reader)
    told: list[int] = []
    broken = asyncio.Event()

    def on_broken() -> None:
        told.append(threading.get_ident())
        broken.set()

    output = HostOutput(writer, on_broken)
    output.write(b"first")
    await asyncio.wait_for(broken.wait(), stretched(10))
    for _ in range(20):
        output.write(b"x" * MIB)
    await asyncio.wait_for(output.drained(), stretched(10))
    await asyncio.wait_for(output.close(stretched(10)), stretched(5))
    assert told == [threading.get_ident()]


async def test_producers_that_wait_are_let_go_when_the_reader_is_gone(gate: Gate) -> None:
    broken = asyncio.Event()
    output = HostOutput(NO_DESCRIPTOR, broken.set)
    for _ in range(12):
        output.write(b"x" * MIB)
    assert not output._room.is_set()
    await gate.started(1)
    gate.error = BrokenPipeError()
    gate.let()
    await asyncio.wait_for(output.drained(), stretched(10))
    await asyncio.wait_for(broken.wait(), stretched(10))
    await asyncio.wait_for(output.close(stretched(10)), stretched(5))
    assert gate.pieces == []


@shares_blocking
async def test_an_output_that_another_process_made_non_blocking_is_not_broken(make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    os.set_blocking(writer, False)
    broken = asyncio.Event()
    output = HostOutput(writer, broken.set)
    output.write(b"x" * 4 * MIB)
    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    await asyncio.wait_for(output.close(stretched(10)), stretched(10))
    os.close(writer)
    assert await asyncio.wait_for(reading, stretched(10)) == b"x" * 4 * MIB + b"\n"
    assert not broken.is_set()


async def test_closing_waits_for_what_is_left(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"a")
    await gate.started(1)
    output.write(b"b")
    closing = asyncio.create_task(output.close(stretched(10)))
    await asyncio.sleep(0)
    assert not closing.done()
    gate.open()
    await asyncio.wait_for(closing, stretched(10))
    assert gate.pieces == [b"a\n", b"b\n"]


async def test_closing_with_nothing_left_is_quick(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    await asyncio.wait_for(output.close(stretched(10)), stretched(5))
    await asyncio.wait_for(output.close(stretched(10)), stretched(5))
    assert b"".join(gate.pieces) == b""


async def test_closing_waits_so_long_at_the_most(gate: Gate) -> None:
    output = HostOutput(NO_DESCRIPTOR, not_broken)
    output.write(b"a")
    await gate.started(1)
    await asyncio.wait_for(output.close(0.01), stretched(5))
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "host-output"]
    assert thread.daemon
    gate.open()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [None, BrokenPipeError()])
def test_the_thread_outlives_its_loop_quietly(error: OSError | None, gate: Gate) -> None:
    async def begin() -> threading.Thread:
        output = HostOutput(NO_DESCRIPTOR, not_broken)
        output.write(b"a")
        await gate.started(1)
        await output.close(0)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "host-output"]
        return thread

    thread = asyncio.run(begin())
    gate.error = error
    gate.open()
    thread.join(stretched(10))
    assert not thread.is_alive()
