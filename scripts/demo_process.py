"""The demo's processes, as a host has them: lines in and out, a deadline for every wait, none left behind."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NoReturn

from scripts.environment import ROOT, clean_variables

PATIENCE = 20.0
"""Seconds a line may take; far more than any line of the demo needs."""
EXIT_PATIENCE = 5.0

Message = dict[str, Any]


class DemoError(Exception):
    """Something was not as it has to be; the message says what."""


class Process:
    """A child whose stdout and stderr arrive as lines."""

    def __init__(self, name: str, command: Sequence[str], on_words: Callable[[str, str], None]) -> None:
        self.name = name
        self._on_words = on_words
        self._lines: queue.Queue[tuple[str, str | None]] = queue.Queue()
        self._running = subprocess.Popen(
            command,
            cwd=ROOT,
            env=own_variables(os.environ) | own_folders(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers: list[threading.Thread] = []
        for kind, pipe in (("out", self._running.stdout), ("words", self._running.stderr)):
            assert pipe is not None  # noqa: S101 - Popen was asked for it
            reader = threading.Thread(target=self._read, args=(kind, pipe), daemon=True)
            reader.start()
            self._readers.append(reader)

    def write(self, line: str) -> None:
        """Write one line to its stdin."""
        assert self._running.stdin is not None  # noqa: S101 - Popen was asked for it
        try:
            self._running.stdin.write(line.encode() + b"\n")
            self._running.stdin.flush()
        except OSError as error:
            self._died(f"its input is closed ({error})")

    def line(self, patience: float = PATIENCE) -> str:
        """Return the next line of its stdout; what it says on stderr meanwhile goes to `on_words`."""
        deadline = time.monotonic() + patience
        while True:
            try:
                kind, line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise DemoError(f"the {self.name}: no line within {patience:.0f} s") from None
            if kind == "words":
                if line is not None:
                    self._on_words(self.name, line)
            elif line is None:
                self._died("its output ended")
            else:
                return line

    def end_input(self) -> int:
        """Close its stdin, as a host that goes does, and return its exit code."""
        assert self._running.stdin is not None  # noqa: S101 - Popen was asked for it
        with contextlib.suppress(OSError):
            self._running.stdin.close()
        try:
            return self._running.wait(EXIT_PATIENCE)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the {self.name}: still there {EXIT_PATIENCE:.0f} s after its input ended") from None

    def rest(self) -> list[str]:
        """Return the lines of stdout nobody has read, once the process is gone."""
        lines, open_pipes = [], 2
        while open_pipes:
            try:
                kind, line = self._lines.get(timeout=EXIT_PATIENCE)
            except queue.Empty:
                raise DemoError(f"the {self.name}: something holds its output open after its end") from None
            if line is None:
                open_pipes -= 1
            elif kind == "words":
                self._on_words(self.name, line)
            else:
                lines.append(line)
        return lines

    def kill(self) -> None:
        """Make sure that it is gone."""
        if self._running.poll() is None:
            self._running.kill()
            self._running.wait(EXIT_PATIENCE)
        if self._running.stdin is not None:
            with contextlib.suppress(OSError):
                self._running.stdin.close()
        for reader in self._readers:
            reader.join(EXIT_PATIENCE)

    def _read(self, kind: str, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put((kind, line.decode(errors="replace").rstrip("\r\n")))
        self._lines.put((kind, None))

    def _died(self, how: str) -> NoReturn:
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._running.wait(EXIT_PATIENCE)
        # Its last words are what a person needs to see now.
        while not self._lines.empty():
            kind, line = self._lines.get_nowait()
            if kind == "words" and line is not None:
                self._on_words(self.name, line)
        raise DemoError(f"the {self.name}: {how} too early, exit code {code}")


class Host:
    """The host's end of the bridge: raw JSON-RPC, one message a line."""

    def __init__(self, bridge: Process, on_message: Callable[[str, Message], None]) -> None:
        self._bridge = bridge
        self._on_message = on_message
        self._next_id = 0

    def request(self, method: str, params: Message | None = None) -> int:
        """Send a request and return its id."""
        request_id = self._next_id
        self._next_id += 1
        self._send({"id": request_id, "method": method} | ({} if params is None else {"params": params}))
        return request_id

    def notify(self, method: str) -> None:
        """Send a notification."""
        self._send({"method": method})

    def answer(self, request: Message, result: Message) -> None:
        """Answer a request of the server."""
        self._send({"id": request["id"], "result": result})

    def receive(self) -> Message:
        """Return the next message, which has to be JSON-RPC."""
        line = self._bridge.line()
        try:
            message = json.loads(line)
        except ValueError:
            raise DemoError(f"the bridge wrote a line that is not JSON: {line[:200]}") from None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise DemoError(f"the bridge wrote a line that is not a JSON-RPC message: {line[:200]}")
        self._on_message("server", message)
        return message

    def result(self, request_id: int) -> Message:
        """Return the result the next message has to carry for this request."""
        message = self.receive()
        result = message.get("result")
        if message.get("id") != request_id or not isinstance(result, dict):
            raise DemoError(f"expected the result of request {request_id}, got {json.dumps(message)[:200]}")
        return result

    def _send(self, message: Message) -> None:
        message = {"jsonrpc": "2.0"} | message
        self._on_message("host", message)
        self._bridge.write(json.dumps(message))


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[Callable[[Process], Process]]:
    """Yield a function that registers a process; at the end, however it comes, all of them are gone."""
    processes: list[Process] = []

    def register(process: Process) -> Process:
        processes.append(process)
        return process

    def stop(signal_number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + signal_number)

    # Being terminated has to run the clean-up as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield register
    finally:
        for process in reversed(processes):
            process.kill()
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def own_variables(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that set up the bridge or lead it through a proxy.

    The demo shows what the bridge does by itself, not what this machine's settings make of it.
    """
    return {
        name: value
        for name, value in clean_variables(inherited).items()
        if not name.upper().startswith("MCP_BRIDGE_") and not name.upper().endswith("_PROXY")
    }


def own_folders() -> dict[str, str]:
    """Return the variables that keep what the bridge remembers of the demo's server out of the person's own folders."""
    home = ROOT / ".work" / "demo-home"
    home.mkdir(parents=True, exist_ok=True)
    return dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(home)) | {
        f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")
    }


def supports_colour() -> bool:
    """Tell whether stdout is a terminal that shows colours and a person who wants them."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or sys.platform == "win32"
    return sys.stdout.isatty() and not plain
