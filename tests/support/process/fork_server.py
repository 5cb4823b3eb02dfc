"""A process that has imported the bridge, and forks a bridge whenever a test starts one (Linux).

Most of a start is imports, and a thousand tests start a bridge. What is forked is a process of its own like any other:
it has the arguments, the environment and the descriptors that it is given, signals reach it, and it exits as ever. Two
things differ, and who needs them starts a program of its own: `tests.integration.test_start_path` holds what a start
imports, and the system shows the command line and the environment of the process that was forked.

`python -m tests.support.process.fork_server DESCRIPTOR` is that process. It takes requests from the socket DESCRIPTOR:
four bytes of length, with them the descriptors of stdin, stdout, stderr and of a pipe, then arguments, environment,
folder and whether to lead a session, as JSON. It answers with the number of the new process, and writes the exit code
to the pipe when that has ended.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import bridge

ROOT = Path(bridge.__file__).resolve().parents[1]

_LENGTH = struct.Struct("!I")
_NUMBER = struct.Struct("!i")
_ENDING = 5.0
_FAR_TOO_EARLY = ("PYTHON", "LANG", "LC_", "LD_", "OPENSSL", "TZ")
"""What the names of variables begin with that a Python reads only as it starts."""


def can_fork(environment: Mapping[str, str], usual: Mapping[str, str]) -> bool:
    """Whether a bridge with this environment may be forked: nothing in it is for a Python that starts.

    `usual` is what every test's bridge has of that. MCP_BRIDGE_TEST_COMMAND puts another program in the bridge's place,
    and BRIDGE_TEST_NO_FORK has each bridge start as a program, for who measures what is run.
    """
    if sys.platform != "linux" or {"MCP_BRIDGE_TEST_COMMAND", "BRIDGE_TEST_NO_FORK"} & os.environ.keys():
        return False
    return all(usual.get(name) == value for name, value in environment.items() if name.startswith(_FAR_TOO_EARLY))


class ForkedProcess:
    """A process that was forked, as `asyncio.subprocess.Process` has it."""

    def __init__(
        self,
        pid: int,
        stdin: asyncio.StreamWriter,
        readers: Sequence[asyncio.StreamReader],
        transports: Sequence[asyncio.BaseTransport],
    ) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout, self.stderr, code = readers
        self.returncode: int | None = None
        self._transports = transports
        self._waiting = asyncio.create_task(self._wait(code))

    async def wait(self) -> int:
        """Wait for its end; returns the exit code, negative where a signal ended it."""
        return await asyncio.shield(self._waiting)

    def send_signal(self, number: int) -> None:
        """Send a signal; one that has ended gets none."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of its pipes."""
        for transport in self._transports:
            transport.close()

    async def _wait(self, code: asyncio.StreamReader) -> int:
        (self.returncode,) = _NUMBER.unpack(await code.readexactly(_NUMBER.size))
        return self.returncode


class ForkServer:
    """The server of this process, as its client sees it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # Its standard streams are pipes, as those of a bridge are: Python looks at that once, when it starts.
            pipe = subprocess.PIPE
            own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.process.fork_server", str(theirs.fileno())],
                cwd=ROOT,
                env=own | {"PYTHONPATH": str(ROOT)},
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        """End it, and wait a moment for that: Python warns of each process and pipe that is open when Python ends."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=_ENDING)

    async def start(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, *, own_session: bool = False
    ) -> ForkedProcess:
        """Fork a bridge with these arguments, and pipes to it; `own_session` has it lead a session (setsid(2))."""
        loop = asyncio.get_running_loop()
        pipes = [os.pipe() for _ in range(4)]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0], pipes[3][0]]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]]
        try:
            body = json.dumps([list(words), dict(environment), str(folder), own_session]).encode()
            socket.send_fds(self._socket, [_LENGTH.pack(len(body))], theirs)
            self._socket.sendall(body)
            answer = self._socket.recv(_NUMBER.size, socket.MSG_WAITALL)
            assert answer, f"the fork server has ended: {self._process.communicate()[1]!r}"
            (pid,) = _NUMBER.unpack(answer)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        to_stdin, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(ours[0], "wb", 0)
        )
        stdin = asyncio.StreamWriter(to_stdin, protocol, None, loop)
        readers: list[asyncio.StreamReader] = []
        transports: list[asyncio.BaseTransport] = [to_stdin]
        for descriptor in ours[1:]:
            reader = asyncio.StreamReader()
            make = functools.partial(asyncio.StreamReaderProtocol, reader)
            transport, _ = await loop.connect_read_pipe(make, os.fdopen(descriptor, "rb", 0))
            readers.append(reader)
            transports.append(transport)
        return ForkedProcess(pid, stdin, readers, transports)


@functools.cache
def fork_server() -> ForkServer:
    """The server of this test process, started when it is first asked for; it ends with this process."""
    server = ForkServer()
    atexit.register(server.close)
    return server


# -- the program


def _import_the_bridge() -> None:
    for module in pkgutil.walk_packages(bridge.__path__, "bridge."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # Some are of other systems.
                importlib.import_module(module.name)


def _serve(requests: socket.socket) -> Sequence[str]:
    """Fork for each request until their end. Returns in a new process, with its arguments."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    for number in (signal.SIGCHLD, signal.SIGINT):  # The one wakes this up; the other is for the tests alone.
        signal.signal(number, lambda *_: None)
    codes: dict[int, int] = {}
    while True:
        readable, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _tell_codes(codes)
        if requests.fileno() not in readable:
            continue
        header, descriptors, _, _ = socket.recv_fds(requests, _LENGTH.size, 4)
        if not header:
            os._exit(0)
        (length,) = _LENGTH.unpack(header)
        words, environment, folder, own_session = json.loads(requests.recv(length, socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            requests.close()
            for place, descriptor in enumerate(descriptors[:3]):
                os.dup2(descriptor, place)
            for descriptor in (*descriptors, woken, waking, *codes.values()):
                os.close(descriptor)
            if own_session:
                os.setsid()
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            return [str(word) for word in words]
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        codes[pid] = descriptors[3]
        requests.sendall(_NUMBER.pack(pid))


def _tell_codes(codes: dict[int, int]) -> None:
    """Write the exit codes of all that have ended."""
    while codes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        descriptor = codes.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(descriptor, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os.close(descriptor)


def _main(descriptor: int) -> NoReturn:
    _import_the_bridge()
    words = _serve(socket.socket(fileno=descriptor))
    sys.argv[:] = [str(Path(bridge.__file__).with_name("__main__.py")), *words]
    sys.orig_argv[:] = [sys.executable, "-m", "bridge", *words]
    from bridge.cli.main import main

    main()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
