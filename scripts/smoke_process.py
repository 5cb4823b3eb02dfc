"""The smoke test's processes: the program as a host has it, with what is known of its processes. See `smoke`."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scripts.demo_process import own_variables
from scripts.environment import ROOT
from scripts.slowness import VARIABLE

PATIENCE = 30.0 * float(os.environ.get(VARIABLE) or 1)
"""Seconds for whatever is waited for; far more than it takes."""

FAMILY = """
import psutil, sys
found = psutil.Process(int(sys.argv[1]))
print(*(f"{p.pid}:{p.create_time()}" for p in [found, *found.children(recursive=True)]))
"""
_GONE = """
import psutil, sys, time
ends = time.monotonic() + float(sys.argv[1])
def there(text):
    pid, made = text.split(":")
    try:
        found = psutil.Process(int(pid))
        return abs(found.create_time() - float(made)) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
while (left := [text for text in sys.argv[2:] if there(text)]) and time.monotonic() < ends:
    time.sleep(0.05)
print(*left)
"""


class Wrong(Exception):
    """Something is not as it has to be; the message says what."""


def must(condition: object, words: object = "") -> None:
    """Raise `Wrong` unless the condition holds."""
    if not condition:
        raise Wrong(str(words))


@dataclass(frozen=True)
class Place:
    """What the rows work with: the program, the Python beside it, a server's origin, and a home of its own."""

    program: Path
    python: Path
    origin: str
    home: Path

    def variables(self) -> dict[str, str]:
        """Return the environment of a host: nobody's settings, desktop or files."""
        folders = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(self.home))
        folders |= {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
        desktop = dict.fromkeys(("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"), "")
        return own_variables(os.environ) | folders | desktop | {"MCP_BRIDGE_ANSWER_WITHIN": "1"}

    def ask(self, code: str, *words: str) -> list[str]:
        """Run a few lines in the program's own Python; returns the words that it prints."""
        done = subprocess.run(
            [str(self.python), "-c", code, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=True,
        )
        return done.stdout.split()

    def gone(self, processes: Sequence[str]) -> None:
        """Wait until these processes are no more."""
        left = self.ask(_GONE, str(PATIENCE), *processes)
        must(not left, f"still there after {PATIENCE:g} s: {', '.join(left)}")


class Bridge:
    """A running copy, and the host's ends of its pipes."""

    def __init__(
        self, place: Place, *arguments: str, path: str = "/mcp", before: Sequence[str] = (), reads_stderr: bool = True
    ) -> None:
        command = [*before, str(place.program), f"{place.origin}{path}", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=place.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr  # noqa: S101, PT018 - as asked
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.log: list[str] = []
        self._number = 0
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._words: queue.Queue[str | None] = queue.Queue()
        self._read(self.stdout, lambda line: self._messages.put(None if line is None else json.loads(line)))
        if reads_stderr:
            self._read(self.process.stderr, self._words.put)

    def _read(self, pipe: IO[bytes], put: Callable[[str | None], None]) -> None:
        def run() -> None:
            with contextlib.suppress(OSError, ValueError):  # Closed by us.
                for line in pipe:
                    put(line.decode(errors="replace").rstrip("\r\n"))
            put(None)

        threading.Thread(target=run, daemon=True).start()

    def send(self, method: str, params: object = None, *, is_request: bool = True) -> int:
        """Write a message; returns its id."""
        self._number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        message |= {"id": self._number} if is_request else {}
        message |= {} if params is None else {"params": params}
        self.stdin.write(json.dumps(message).encode() + b"\n")
        self.stdin.flush()
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        """Return the result of a request; what else arrives meanwhile is dropped."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                message = self._messages.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                raise Wrong(f"no answer within {PATIENCE:g} s") from None
            if message is None:
                raise Wrong("stdout ended")
            if message.get("id") == number and "method" not in message:
                must("result" in message, f"an error: {message}")
                result: dict[str, Any] = message["result"]
                return result

    def request(self, method: str, params: object = None) -> dict[str, Any]:
        """Ask, and return the result."""
        return self.answer(self.send(method, params))

    def begin(self) -> None:
        """Introduce the host."""
        info = {"name": "smoke-test", "version": "1"}
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info})
        self.send("notifications/initialized", is_request=False)

    def call(self, **arguments: object) -> None:
        """Call the server's tool, which has to answer with its arguments."""
        result = self.request("tools/call", {"name": "echo", "arguments": arguments})
        must(json.loads(result["content"][0]["text"]) == arguments, result)

    def link(self) -> str:
        """Return the link that the user is to open, from the log."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._words.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise Wrong(f"no link on stderr: {self.log[-10:]}")
            self.log.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/authorize\?\S+", line):
                return found[0].rstrip(".,)")

    def ends(self) -> int:
        """Wait for the program to end; returns its exit code."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"still there after {PATIENCE:g} s") from None

    def close(self) -> None:
        """Make sure that it is gone, and let go of the pipes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        with contextlib.suppress(OSError):  # The other pipes belong to the threads that read them.
            self.stdin.close()


@contextlib.contextmanager
def running(place: Place, *arguments: str, **how: Any) -> Iterator[Bridge]:
    """Run a copy."""
    bridge = Bridge(place, *arguments, **how)
    try:
        yield bridge
    finally:
        bridge.close()
