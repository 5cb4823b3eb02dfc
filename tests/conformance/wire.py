"""The host's end of the pipe: starts the command under test, speaks newline-delimited JSON-RPC with it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.process.fork_request import VARIABLE
from tests.support.process.fork_server import BlockingForkedProcess

Message = dict[str, Any]

BRIDGE = [sys.executable, "-m", "bridge"]
"""The command line of the bridge of this checkout begins so."""


class PipeError(Exception):
    """The command under test broke the stdio transport: not JSON, not one message a line, gone, or silent."""


class Pipe:
    """A running command and what it writes.

    Blocking on purpose: a thread reads, the caller waits on a queue with a deadline. That starts faster than
    an event loop, and a conformance run starts a hundred of these.
    """

    def __init__(self, command: list[str], env: dict[str, str], deadline: float) -> None:
        """Start `command`; `deadline` (monotonic seconds) bounds every later wait."""
        self._deadline = deadline
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._process = _start(command, env)
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: Message) -> None:
        """Write one message as one line. Raises PipeError when the command no longer reads."""
        assert self._process.stdin is not None
        line = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            while line:
                line = line[self._process.stdin.write(line) :]
        except OSError as error:
            raise PipeError(f"could not write {message.get('method', 'an answer')}: {error}") from error

    def receive(self) -> Message:
        """Return the next message. Raises PipeError at the deadline, at the end, and for a foreign line."""
        try:
            line = self._lines.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            raise PipeError("no message before the deadline") from None
        if line is None:
            raise PipeError(f"stdout ended (exit code {self._process.poll()})")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise PipeError(f"stdout holds a line that is not JSON: {line[:200]!r}") from error
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise PipeError(f"stdout holds a line that is not one JSON-RPC message: {line[:200]!r}")
        return message

    def close(self, patience: float) -> int:
        """Close stdin as a quitting host does; return the exit code. Raises PipeError after `patience` s."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it may have left first; the exit code tells
            self._process.stdin.close()
        try:
            return self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            raise PipeError(f"still running {patience:g} s after stdin closed") from None

    def kill(self) -> None:
        """Make sure the command is gone, whatever state it is in."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with os.fdopen(os.dup(self._process.stdout.fileno()), "rb") as stdout:
            for line in stdout:
                self._lines.put(line)
        self._lines.put(None)


def _start(command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes] | BlockingForkedProcess:
    # stderr is inherited: the suite keeps it next to the checks, where a person looks after a fall.
    if VARIABLE in env and command[:3] == BRIDGE:
        return BlockingForkedProcess(
            env[VARIABLE], "bridge", command[3:], env, str(Path.cwd()), stderr=sys.stderr.fileno()
        )
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, bufsize=0)


def private_environment(home: Path, browser: str) -> dict[str, str]:
    """Return an environment with no real home or keyring in it, and with `browser` for logging in."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    for private in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        env[private] = str(home)
    # An address that cannot be: without one, libraries go and look for the bus of the person at the machine.
    env["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
    env["BROWSER"] = browser
    return env
