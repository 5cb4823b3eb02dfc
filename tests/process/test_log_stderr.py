"""Text for stderr: in order, without waiting for who does not read it, and with an honest count of what was lost."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from bridge.cli.running import write
from bridge.process import log_stderr
from bridge.process.log_stderr import MOST_WAITING, StderrLines
from tests.support.process.bridge_process import ROOT
from tests.support.waits import stretched

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot ask a pipe whether it takes more")
LINE = "a line that a host may read\n"


class Pipe:
    """A pipe in place of stderr, with a reader that reads when it is told to."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = open(writing, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
        self._received = b""

    def read_until(self, text: str) -> list[str]:
        """All lines, up to the one with this text."""
        end = time.monotonic() + stretched(10)
        while text.encode() not in self._received or not self._received.endswith(b"\n"):
            assert time.monotonic() < end, self._received[-200:]
            # Windows cannot tell whether there is something.
            if sys.platform == "win32" or select.select([self.reading], [], [], 0.1)[0]:
                self._received += os.read(self.reading, 1 << 16)
        return self._received.decode().replace(os.linesep, "\n").splitlines(keepends=True)

    def read(self) -> str:
        """What is there."""
        return os.read(self.reading, 1 << 16).decode().replace(os.linesep, "\n")

    def stop_reading(self) -> None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self.reading)
        os.close(nothing)

    def close(self) -> None:
        os.close(self.reading)
        self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture(params=[pytest.param("posix", marks=posix), "win32"])
def lines(request: pytest.FixtureRequest, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> Iterator[StderrLines]:
    """A writer to that pipe, on a system that can be asked whether a pipe is ready, and on one that cannot."""
    platform = sys.platform if request.param == "posix" else "win32"
    monkeypatch.setattr(log_stderr, "sys", SimpleNamespace(platform=platform, stderr=pipe.stream))
    lines = StderrLines()
    yield lines
    # Its thread is to be done with the descriptor before another file gets that number.
    pipe.stop_reading()
    lines.close(stretched(10))


def promptly(what: Callable[[], object]) -> None:
    """Do it in a thread: one that blocks fails the test, and not the whole run."""
    thread = threading.Thread(target=what, daemon=True)
    thread.start()
    thread.join(stretched(20))
    assert not thread.is_alive(), "it blocks"


def flood(lines: StderrLines) -> None:
    for _ in range(20_000):
        lines.write(LINE)


def test_lines_come_in_order(lines: StderrLines, pipe: Pipe) -> None:
    written = [f"{number} {'x' * (6000 if number % 7 == 3 else 20)}\n" for number in range(300)]

    def write_all() -> None:
        for line in written:
            lines.write(line, is_kept=True)

    thread = threading.Thread(target=write_all)
    thread.start()
    assert pipe.read_until("299 ") == written
    thread.join(stretched(10))


def test_a_pipe_that_nobody_reads_freezes_nobody(lines: StderrLines, pipe: Pipe) -> None:
    """640 lines did, on Windows."""
    promptly(lambda: flood(lines))
    promptly(lambda: lines.write("the link\n", is_kept=True))
    received = pipe.read_until("the link")
    assert received[-1] == "the link\n"
    kept = received[:-1].count(LINE)
    assert kept * len(LINE.replace("\n", os.linesep)) >= MOST_WAITING
    assert kept + dropped_of(received) == 20_000


def dropped_of(received: list[str]) -> int:
    """How many lines were dropped, by the lines that tell of it: all that is no `LINE` but the last."""
    pattern = r"mcp-remote-bridge: warning: (\d+) lines? dropped because stderr was not read\n"
    counts = [re.fullmatch(pattern, line) for line in received[:-1] if line != LINE]
    assert counts
    return sum(int(found[1]) for found in counts if found)


def test_the_count_comes_without_another_line(lines: StderrLines, pipe: Pipe) -> None:
    promptly(lambda: flood(lines))
    assert dropped_of([*pipe.read_until("dropped"), ""])


def test_the_end_waits_for_a_reader_but_not_for_ever(lines: StderrLines, pipe: Pipe) -> None:
    promptly(lambda: flood(lines))
    begun = time.monotonic()
    lines.close(0.05)
    assert time.monotonic() - begun < stretched(5)
    assert dropped_of([*pipe.read_until("dropped"), ""])


def test_what_waits_is_written_before_the_end(lines: StderrLines, pipe: Pipe) -> None:
    for number in range(100):
        lines.write(f"{number}\n")
    lines.close(stretched(10))
    assert pipe.read() == "".join(f"{number}\n" for number in range(100))


def test_a_reader_that_is_gone_blocks_nothing(lines: StderrLines, pipe: Pipe) -> None:
    pipe.stop_reading()
    promptly(lambda: flood(lines))
    promptly(lambda: lines.close(stretched(10)))


@posix
def test_short_lines_to_a_ready_pipe_need_no_thread(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    before = threading.enumerate()
    lines = StderrLines()
    for _ in range(100):
        lines.write(LINE)
    assert threading.enumerate() == before
    assert pipe.read() == 100 * LINE


@posix
def test_a_line_that_a_ready_pipe_does_not_take_whole_blocks_nobody(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    lines = StderrLines()
    promptly(lambda: lines.write("x" * 200_000 + "\n", is_kept=True))
    assert pipe.read_until("x\n") == ["x" * 200_000 + "\n"]


@posix
def test_a_pipe_that_another_process_made_non_blocking_loses_nothing(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    os.set_blocking(pipe.stream.fileno(), False)
    lines = StderrLines()
    lines.write("x" * 200_000 + "\n", is_kept=True)
    assert pipe.read_until("x\n") == ["x" * 200_000 + "\n"]


def test_a_stream_without_a_descriptor_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    StderrLines().write("ä\n")
    assert stream.getvalue() == "ä\n"


def test_a_console_of_windows_gets_letters(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    console = io.StringIO()
    monkeypatch.setattr(console, "fileno", pipe.stream.fileno)
    monkeypatch.setattr(console, "isatty", lambda: True)
    monkeypatch.setattr(log_stderr, "sys", SimpleNamespace(platform="win32", stderr=console))
    StderrLines().write("ä\n")
    assert console.getvalue() == "ä\n"


def test_without_stderr_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    lines = StderrLines()
    lines.write(LINE)
    lines.close(stretched(10))


def test_the_last_error_waits_for_no_reader(lines: StderrLines, pipe: Pipe) -> None:
    promptly(lambda: flood(lines))
    promptly(lambda: write("mcp-remote-bridge: error: it did not work\n"))
    assert pipe.read_until("it did not work")


def test_a_thread_that_is_stuck_does_not_keep_the_interpreter_from_ending() -> None:
    program = textwrap.dedent(
        """
        import logging, sys, types
        from bridge.process import log, log_stderr
        from bridge.config import Settings
        log_stderr.sys = types.SimpleNamespace(platform="win32", stderr=sys.stderr)
        with log.configure(Settings(url="https://h/")):
            for number in range(20_000):
                logging.getLogger("bridge").error("line %d of a log that nobody reads", number)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.wait(stretched(30)) == 0
        finally:
            process.kill()
