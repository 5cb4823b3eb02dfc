"""A column that is a bridge: launched as a desktop host launches it, spoken to over its pipes."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from scripts.benchmark import messages, processes
from scripts.benchmark.messages import ColumnError


class Driver(Protocol):
    """What every column can do. Times are nanoseconds; each method raises `ColumnError` when it cannot."""

    def start(self) -> int:
        """Open a session; return the time until `initialize` was answered."""

    def call(self) -> int:
        """Return the time of one small call."""

    def parallel(self, total: int, in_flight: int) -> int:
        """Return the time of `total` small calls, `in_flight` of them at a time."""

    def big(self) -> int:
        """Return the time until the big result was read whole."""

    def progress(self, count: int) -> int:
        """Return the time until `count` notifications and the answer behind them were read."""

    def usage(self) -> processes.Usage:
        """Return the account of the column's process as it is."""

    def settled(self) -> processes.Usage:
        """Return the account once the process has come to rest."""

    def alive(self) -> bool:
        """Return whether the session can be used."""

    def close(self) -> None:
        """End the session and whatever runs for it."""


class Lines:
    """Lines from a pipe, read as they come and put together only when whole."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._ready: deque[bytes] = deque()
        self._begun: list[bytes] = []

    def next(self, deadline: float) -> bytes:
        """Return the next line; raises `ColumnError` at the deadline (monotonic) or at end of file."""
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise ColumnError("no answer in time")
            chunk = os.read(self._descriptor, messages.READ_BYTES)
            if not chunk:
                raise ColumnError("the process ended")
            if b"\n" not in chunk:
                self._begun.append(chunk)
                continue
            first, *rest = chunk.split(b"\n")
            self._ready.append(b"".join([*self._begun, first]) if self._begun else first)
            self._ready.extend(rest[:-1])
            self._begun = [rest[-1]] if rest[-1] else []
        return self._ready.popleft()


class StdioDriver:
    """A bridge as a process of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stderr: Path,
        patience: float = 60.0,
        tongue: messages.Tongue = messages.LEGACY,
    ) -> None:
        self._command = command
        self._environment = environment
        self._stderr = stderr
        self._patience = patience
        self._tongue = tongue
        self._next_id = 0
        self._launched = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Lines
        self._stdin: int

    def start(self) -> int:
        """Launch the bridge and open a session; return the time from launch to the answer."""
        with self._stderr.open("wb") as stderr:
            self._launched = time.perf_counter_ns()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                env=self._environment,
                start_new_session=True,
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise ColumnError("no pipes")
        self._stdin = self._process.stdin.fileno()
        self._lines = Lines(self._process.stdout.fileno())
        _, ended = self._ask(self._tongue.opening, messages.check_answer)
        if self._tongue.opened:
            self._write(self._tongue.opened)
        return ended - self._launched

    def listed(self) -> int:
        """Ask for the tools; return the time from launch to the answer."""
        _, ended = self._ask(self._tongue.list_tools, messages.check_answer)
        return ended - self._launched

    def list_tools(self) -> int:
        """Return the time from the request for a long list of tools to its whole line."""
        begun, ended = self._ask(self._tongue.list_tools, messages.check_many_tools)
        return ended - begun

    def call(self) -> int:
        """Return the time of one small call."""
        begun, ended = self._ask(self._tongue.echo, messages.check_echo)
        return ended - begun

    def big(self) -> int:
        """Return the time from the request to the whole line of the big answer."""
        begun, ended = self._ask(messages.big, messages.check_big)
        return ended - begun

    def parallel(self, total: int, in_flight: int) -> int:
        """Return the time of `total` calls; a new one goes out for each answer that comes in."""
        last = self._next_id + total
        waiting: set[int] = set()
        deadline = time.monotonic() + self._patience

        def send() -> None:
            if self._next_id < last:
                request_id = self._new_id()
                waiting.add(request_id)
                self._write(self._tongue.echo(request_id))

        begun = time.perf_counter_ns()
        for _ in range(in_flight):
            send()
        while waiting:
            answered = messages.echoed(self._lines.next(deadline))
            if answered is not None:
                waiting.remove(answered)
                send()
        return time.perf_counter_ns() - begun

    def progress(self, count: int) -> int:
        """Return the time until all notifications and the answer were read; each must have come."""
        request_id = self._new_id()
        deadline = time.monotonic() + self._patience
        lines: list[bytes] = []
        begun = time.perf_counter_ns()
        self._write(messages.progress(request_id, count))
        while len(lines) <= count:
            lines.append(self._lines.next(deadline))
        took = time.perf_counter_ns() - begun
        if sum(b'"notifications/progress"' in line for line in lines) != count:
            raise ColumnError("notifications were lost")
        if not any(messages.check_answer(line, request_id) for line in lines if b'"result"' in line):
            raise ColumnError("the answer came before its notifications, or not at all")
        return took

    def usage(self) -> processes.Usage:
        """Return the account of the process and its children as it is."""
        return processes.usage(self._pid())

    def settled(self) -> processes.Usage:
        """Return the account once the process and its children have come to rest."""
        return processes.settled(self._pid())

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """Close the bridge's standard input, as a host does; kill it if it stays."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        processes.stop(process)
        if process.stdout is not None:
            process.stdout.close()

    def _pid(self) -> int:
        if self._process is None:
            raise ColumnError("not started")
        return self._process.pid

    def _ask(self, make: Callable[[int], bytes], check: Callable[[bytes, int], object]) -> tuple[int, int]:
        """Send a request, read until its answer; return when it went out and when that was read, both unchecked yet."""
        request_id = self._new_id()
        request = make(request_id)
        deadline = time.monotonic() + self._patience
        begun = time.perf_counter_ns()
        self._write(request)
        while True:
            line = self._lines.next(deadline)
            ended = time.perf_counter_ns()
            if check(line, request_id):
                return begun, ended

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _write(self, message: bytes) -> None:
        # All requests that can be under way at a time fit the pipe, so this never waits.
        try:
            os.write(self._stdin, message + b"\n")
        except OSError as error:
            raise ColumnError(f"the process takes no more input ({error.strerror})") from None
