"""A process that has imported one of `FAMILIES` of programs, and forks one of them whenever a test starts it (Linux).

Most of a start is imports, and the tests start two thousand programs. What is forked is a process of its own like any
other: it has the arguments, the environment and the descriptors that it is given, signals reach it, and it exits as
ever. What differs, and who needs it starts a program of its own (`as_program`):

| what | where it is tested |
|---|---|
| what a start imports | `tests/integration/test_start_path` |
| the command line and the environment that the system shows are those of this process | `login_processes` asks here |
| the parent is this process, and not who asked | `tests/login/test_spawn`, `tests/integration/test_login_process` |

`python -m tests.support.process.fork_server FAMILY ADDRESS` is that process. It listens at the Unix socket ADDRESS, and
takes one request a connection (`fork_request`): four bytes of length, with them the descriptors of stdin, stdout and
stderr, then the program's name, arguments, environment, folder and whether to lead a session. It answers with the
number of the new process and, when that has ended, with its exit code. While a process runs, a file beside ADDRESS,
named by its number, holds its arguments and its environment as JSON. It ends with its stdin.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import marshal
import os
import pkgutil
import runpy
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import bridge
from bridge.login import spawn
from tests.support.ports import callback_ports_of_tests
from tests.support.process.fork_request import LENGTH, NUMBER, VARIABLE, read_code, request
from tests.support.waits import stretched

ROOT = Path(bridge.__file__).resolve().parents[1]

FAMILIES = {
    "bridge": {
        "bridge": "bridge.__main__",
        "conformance-browser": "tests.conformance.browser",
        "conformance-host": "tests.conformance.host",
        "user-browser": "tests.support.oauth.browser_program",
    },
    # What these import is as much again.
    "reference": {
        name: name
        for name in (
            "tests.support.oauth.protected_reference",
            "tests.support.servers.reference_server",
            "tests.support.servers.two_era_server",
        )
    },
}
"""What can be forked: the name of each program, and the module that is run."""

IMPORTED_LATE = (
    *("anyio._backends._asyncio", "authlib.oauth2.rfc6749", "authlib.oauth2.rfc7009", "authlib.oauth2.rfc7636"),
    *("concurrent.futures.thread", "csv", "encodings.ascii", "encodings.idna", "encodings.utf_16_le", "filelock"),
    *("h11", "httpx", "psutil", "pygments.lexers", "zipfile"),
)
"""What the bridge imports only when it needs it."""

_STARTING = 60.0
_ENDING = 5.0
_FAR_TOO_EARLY = ("PYTHON", "LANG", "LC_", "LD_", "OPENSSL", "TZ")
"""What the names of variables begin with that a Python reads only as it starts."""
_NO_FORK = {"MCP_BRIDGE_TEST_COMMAND", "BRIDGE_TEST_NO_FORK"}


def may_fork() -> bool:
    """Whether programs are forked at all.

    MCP_BRIDGE_TEST_COMMAND puts another program in the bridge's place, and BRIDGE_TEST_NO_FORK has each start as a
    program, for who measures what is run.
    """
    return sys.platform == "linux" and not _NO_FORK & os.environ.keys()


def can_fork(environment: Mapping[str, str], usual: Mapping[str, str]) -> bool:
    """Whether a bridge with this environment may be forked: nothing in it is for a Python that starts.

    `usual` is what every test's bridge has of that.
    """
    return may_fork() and all(
        usual.get(name) == value for name, value in environment.items() if name.startswith(_FAR_TOO_EARLY)
    )


def command_to_fork(name: str) -> list[str] | None:
    """The command line of a program that stands for a program of the bridge's family; None where none may be forked.

    It finds the server by the variable that `fork_server().variables` holds.
    """
    if not may_fork():
        return None
    assert name in FAMILIES["bridge"]
    return [sys.executable, "-E", "-S", str(Path(__file__).with_name("fork_request.py")), name]


def browser_variables(name: str, script: Path) -> dict[str, str]:
    """The variables for a browser of the bridge's family, or for `script` where none may be forked."""
    if forking := command_to_fork(name):
        return {"BROWSER": f"{shlex.join(forking)} %s", **fork_server().variables}
    return {"BROWSER": f'"{Path(sys.executable).as_posix()}" "{script.as_posix()}" %s'}


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
        (self.returncode,) = NUMBER.unpack(await code.readexactly(NUMBER.size))
        return self.returncode


class BlockingForkedProcess:
    """A process that the server at `address` forked, with pipes to stdin and stdout, as `subprocess.Popen` has it."""

    def __init__(
        self,
        address: str,
        name: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        *,
        stderr: int,
        own_session: bool = False,
    ) -> None:
        self.returncode: int | None = None
        from_stdin, to_stdin = os.pipe()
        from_stdout, to_stdout = os.pipe()
        streams = [from_stdin, to_stdout, stderr]
        try:
            self.pid, self._connection = request(
                address, name, list(words), dict(environment), folder, streams, own_session=own_session
            )
        finally:
            os.close(from_stdin)
            os.close(to_stdout)
        self.stdin = os.fdopen(to_stdin, "wb", 0)
        self.stdout = os.fdopen(from_stdout, "rb", 0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code. Raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = read_code(self._connection)
            os.close(self._connection)
        return self.returncode

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def kill(self) -> None:
        """Send SIGKILL, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """A server of this process, as its client sees it."""

    def __init__(self, family: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fork-", ignore_cleanup_errors=True)
        self._address = str(Path(self._folder.name, "server"))
        # Its standard streams are pipes, as those of a bridge are: Python looks at that once, when it starts.
        pipe = subprocess.PIPE
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.process.fork_server", family, self._address],
            cwd=ROOT,
            env=own | {"PYTHONPATH": str(ROOT)},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        self._is_listening = False

    @property
    def address(self) -> str:
        """Where it listens, once it does."""
        return self.variables[VARIABLE]

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a program holds that asks this server for processes, once the server listens."""
        if not self._is_listening:
            assert self._process.stdout is not None
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                assert selector.select(stretched(_STARTING)), "the fork server does not start"
            if not self._process.stdout.readline():
                raise AssertionError(f"the fork server has ended: {self._process.communicate()[1]!r}")
            self._is_listening = True
        return {VARIABLE: self._address}

    def close(self) -> None:
        """End it, and wait a moment for that: Python warns of each process and pipe that is open when Python ends."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=_ENDING)
        self._folder.cleanup()

    def running(self) -> dict[int, tuple[list[str], dict[str, str]]]:
        """The processes it has forked that run: the arguments and the environment of each."""
        found = {}
        for path in Path(self._folder.name).glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError):
                words, environment = json.loads(path.read_bytes())
                found[int(path.name)] = (words, environment)
        return found

    async def start(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, *, own_session: bool = False
    ) -> ForkedProcess:
        """Fork a bridge with these arguments, and pipes to it; `own_session` has it lead a session (setsid(2)).

        What the bridge starts itself is forked too.
        """
        loop = asyncio.get_running_loop()
        pipes = [os.pipe() for _ in range(3)]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        own = {**environment, **self.variables}
        try:
            pid, connection = request(
                self._address, "bridge", list(words), own, str(folder), theirs, own_session=own_session
            )
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        to_stdin, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(ours[0], "wb", 0)
        )
        stdin = asyncio.StreamWriter(to_stdin, protocol, None, loop)
        readers: list[asyncio.StreamReader] = []
        transports: list[asyncio.BaseTransport] = [to_stdin]
        for descriptor in (*ours[1:], connection):
            reader = asyncio.StreamReader()
            make = functools.partial(asyncio.StreamReaderProtocol, reader)
            transport, _ = await loop.connect_read_pipe(make, os.fdopen(descriptor, "rb", 0))
            readers.append(reader)
            transports.append(transport)
        return ForkedProcess(pid, stdin, readers, transports)


@functools.cache
def fork_server(family: str = "bridge") -> ForkServer:
    """The server of this test process, started when it is first asked for; it ends with this process."""
    server = ForkServer(family)
    atexit.register(server.close)
    return server


# -- the program


def _import_all(family: str) -> None:
    names = list(FAMILIES[family].values())
    if family == "bridge":
        names += [module.name for module in pkgutil.walk_packages(bridge.__path__, "bridge.")]
        names += IMPORTED_LATE
    for name in names:
        if not name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # Some are of other systems.
                importlib.import_module(name)
    # What a collection touches would be copied in each process.
    gc.collect()
    gc.freeze()


class _Server:
    """Forks for each request until its stdin ends."""

    def __init__(self, address: str) -> None:
        self._folder = Path(address).parent
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen(128)
        self._waiting: dict[int, socket.socket] = {}
        """Who asked for each process that runs."""

    def serve(self) -> tuple[str, list[str]]:
        """Serve. Returns in a new process, with its program's name and arguments."""
        woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking)
        for number in (signal.SIGCHLD, signal.SIGINT):  # The one wakes this up; the other is for the tests alone.
            signal.signal(number, lambda *_: None)
        selector = selectors.DefaultSelector()
        for source in (0, woken, self._listener):
            selector.register(source, selectors.EVENT_READ)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if 0 in ready:
                os._exit(0)
            if woken in ready:
                os.read(woken, 4096)
                self._tell_codes()
            if self._listener in ready and (new := self._fork([woken, waking])):
                selector.close()
                return new

    def _fork(self, own: Sequence[int]) -> tuple[str, list[str]] | None:
        """Fork for the next request; `own` descriptors are not for the new process, in which alone it returns."""
        connection, _ = self._listener.accept()
        header, streams, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        (length,) = LENGTH.unpack(header)
        name, words, environment, folder, own_session = marshal.loads(connection.recv(length, socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for asked in (self._listener, connection, *self._waiting.values()):
                asked.close()
            for place, descriptor in enumerate(streams):
                os.dup2(descriptor, place)
            for descriptor in (*streams, *own):
                os.close(descriptor)
            if own_session:
                os.setsid()
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            return name, words
        for descriptor in streams:
            os.close(descriptor)
        partly = self._folder / f"new-{pid}"
        partly.write_bytes(json.dumps([words, environment]).encode())
        partly.rename(self._folder / str(pid))
        self._waiting[pid] = connection
        connection.sendall(NUMBER.pack(pid))
        return None

    def _tell_codes(self) -> None:
        """Say the exit codes of all that have ended."""
        while self._waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            (self._folder / str(pid)).unlink(missing_ok=True)
            with self._waiting.pop(pid) as asked, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                asked.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _fork_login(command: Sequence[str], environ: Mapping[str, str], how: Mapping[str, Any]) -> BlockingForkedProcess:
    """Start the login process of a bridge that was forked; stands in for `spawn._popen`."""
    words = command[list(command).index("bridge") + 1 :]
    with Path(os.devnull).open("wb") as stderr:
        return BlockingForkedProcess(
            os.environ[VARIABLE],
            "bridge",
            words,
            environ,
            "/",
            stderr=stderr.fileno(),
            own_session=how["start_new_session"],
        )


def _run(module: str, words: Sequence[str]) -> object:
    """Run a program; returns what it exits with, as `SystemExit.code` has it."""
    try:
        if module != "bridge.__main__":
            sys.argv[:] = [module, *words]
            return sys.modules[module].main()
        sys.argv[:] = [str(Path(bridge.__file__).with_name("__main__.py")), *words]
        sys.orig_argv[:] = [sys.executable, "-m", "bridge", *words]
        if VARIABLE in os.environ:
            spawn._popen = _fork_login  # type: ignore[assignment]
        with callback_ports_of_tests():
            runpy.run_module("bridge", run_name="__main__")
    except SystemExit as end:
        return end.code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: object) -> NoReturn:
    """End as Python does, but without taking each of the imported modules down, which takes as long as a short run."""
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _main(family: str, address: str) -> NoReturn:
    _import_all(family)
    name, words = _Server(address).serve()
    _end(_run(FAMILIES[family][name], words))


if __name__ == "__main__":
    _main(*sys.argv[1:])
