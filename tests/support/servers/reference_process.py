"""Real servers as processes of their own, and the four ways the reference server can answer.

A server is killed when its context ends. Should the test run itself be killed, its stdin ends and it leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from tests.support.process.bridge_process import ROOT
from tests.support.process.fork_server import FAMILIES, BlockingForkedProcess, fork_server, may_fork
from tests.support.waits import stretched

START_DEADLINE = 20.0
"""Seconds a server may take to say that it listens; a cold start on a busy machine takes a few."""


ServerProcess = subprocess.Popen[bytes] | BlockingForkedProcess


@dataclass(frozen=True)
class Mode:
    """One way the reference server answers, and what that way cannot carry by the standard."""

    name: str
    stateful: bool
    json: bool

    @property
    def asks_in_calls(self) -> bool:
        """Whether the server can ask the host on the stream of a call: that needs a stream and a session."""
        return self.stateful and not self.json

    @property
    def tells_in_calls(self) -> bool:
        """Whether progress and log messages can come on the stream of a call."""
        return not self.json

    @property
    def options(self) -> list[str]:
        """The server's command line for this mode."""
        return (["--json"] if self.json else []) + ([] if self.stateful else ["--stateless"])


STATEFUL_SSE = Mode("stateful-sse", stateful=True, json=False)
STATEFUL_JSON = Mode("stateful-json", stateful=True, json=True)
STATELESS_SSE = Mode("stateless-sse", stateful=False, json=False)
STATELESS_JSON = Mode("stateless-json", stateful=False, json=True)
MODES = (STATEFUL_SSE, STATEFUL_JSON, STATELESS_SSE, STATELESS_JSON)


@dataclass(frozen=True)
class ReferenceProcess:
    """A running reference server."""

    port: int
    process: ServerProcess

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/mcp"

    async def journal(self, session: str | None = None) -> list[dict[str, Any]]:
        """The HTTP requests it had so far, those of one session if that is named."""

        def read() -> list[dict[str, Any]]:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{self.port}/journal", timeout=stretched(5)) as answer:
                entries: list[dict[str, Any]] = json.load(answer)
            return entries

        entries = await anyio.to_thread.run_sync(read)
        return [e for e in entries if session is None or e["headers"].get("mcp-session-id") == session]


@contextlib.contextmanager
def running(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[tuple[ServerProcess, str]]:
    """A server process and the first line it says on stdout; killed at the end, whatever happens."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = _start(command, env, errors.fileno())
        # A server that neither speaks nor ends must not hold the run: killing it ends the line read below.
        watchdog = threading.Timer(stretched(START_DEADLINE), process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            watchdog.cancel()
            if not line:
                process.wait(stretched(5))
                errors.seek(0)
                raise AssertionError(f"{command} did not start: {errors.read()[-2000:]}")
            yield process, line.decode()
        finally:
            watchdog.cancel()
            process.kill()
            process.wait(stretched(5))
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _start(command: Sequence[str], env: Mapping[str, str] | None, stderr: int) -> ServerProcess:
    program, *module, name = command[:3]
    if may_fork() and [program, *module] == [sys.executable, "-m"] and name in FAMILIES["reference"]:
        variables = os.environ if env is None else env
        address = fork_server("reference").address
        return BlockingForkedProcess(address, name, command[3:], variables, str(ROOT), stderr=stderr)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, bufsize=0, cwd=ROOT, env=env)


@contextlib.contextmanager
def reference_process(mode: Mode, port: int = 0) -> Iterator[ReferenceProcess]:
    """The reference server in one mode, at an ephemeral port or at one it had before."""
    command = [sys.executable, "-m", "tests.support.servers.reference_server", *mode.options, "--port", str(port)]
    with running(command) as (process, line):
        yield ReferenceProcess(json.loads(line)["port"], process)
