"""asyncio's Proactor event loop, as Windows has it, on Linux: the loop and the transports are asyncio's own.

Only what Windows' kernel does is played here: `CompletionPort` stands where asyncio's `IocpProactor` does, and has the
same methods. What follows from it is real: `asyncio.proactor_events`, of the Python that runs.

| what is so on Windows | here |
|---|---|
| what can complete does so when it is begun (`WSARecv`); its result is told a turn of the loop later | so |
| a read that waits takes what comes, before the process looks at the socket | not: `select` completes it |
| there is no `add_reader`, `add_signal_handler`, `create_unix_connection` | so |
| a process is waited for by its handle (`wait_for_handle`) | by its pidfd, for which alone `add_reader` works too |
| pipes to programs are duplex, so the end of a reader is noticed | a pipe is watched for its hang-up |
| the end of a connection that was reset is an "Exception in callback" (`_call_connection_lost`) | so; see below |
| errors of a connection have the numbers of Windows' kernel, not those of Winsock | so: `_AS_ON_WINDOWS` |

asyncio shuts a socket down before it closes it, which fails for one that was reset; so it is neither closed nor taken
off its server before it is collected (MagicStack/asyncpg#1190 filters it out as well). A bridge process lives with that
(`bridge.process.event_loop`). The tests' own process is spared it: it is no failure of the test at hand.

The errors are made by `windows_errors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import select
import selectors
import socket
import stat
import subprocess
import sys
from asyncio import base_subprocess, proactor_events
from collections.abc import Callable
from typing import Any

from tests.support.systems.windows_errors import windows_error

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

_AS_ON_WINDOWS: dict[int, tuple[int, str]] = {
    errno.ECONNREFUSED: (1225, "The remote computer refused the network connection"),
    errno.ETIMEDOUT: (121, "The semaphore timeout period has expired"),
    errno.ENETUNREACH: (1231, "The network location cannot be reached"),
    errno.EHOSTUNREACH: (1232, "The network location cannot be reached"),
    errno.ECONNRESET: (64, "The specified network name is no longer available"),
    # Windows knows no EPIPE of sockets: what is sent to a peer that has gone meets the reset.
    errno.EPIPE: (64, "The specified network name is no longer available"),
    errno.ECONNABORTED: (1236, "The network connection was aborted by the local system"),
}


def as_on_windows(problem: OSError) -> OSError:
    """The error that the Proactor loop has where a selector loop on Linux has `problem`."""
    known = _AS_ON_WINDOWS.get(problem.errno or 0)
    return windows_error(*known) if known else problem


class _Operation(asyncio.Future[Any]):
    """Something begun at a `CompletionPort`. Cancelling it ends it there at once."""

    def __init__(self, port: CompletionPort, owner: Any, event: int, attempt: Callable[[], Any]) -> None:
        super().__init__(loop=port.loop)
        self.owner = owner
        self.descriptor: int = owner if isinstance(owner, int) else owner.fileno()
        self.event = event
        self.attempt = attempt
        self._port = port

    def cancel(self, msg: Any | None = None) -> bool:
        self._port.forget(self)
        return super().cancel(msg)

    def go_on(self) -> None:
        """Complete it, if it can be completed now."""
        try:
            result = self.attempt()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            self._port.forget(self)
            if not self.done():
                self.set_exception(as_on_windows(problem))
        else:
            self._port.forget(self)
            if not self.done():
                self.set_result(result)


class CompletionPort:
    """Carries out what is asked, and completes the futures it gave: what asyncio calls a proactor.

    The names and arguments of its public methods are those of `asyncio.windows_events.IocpProactor`.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[int, list[_Operation]] = {}
        self._not_blocking: set[int] = set()

    def set_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        for key, events in self._selector.select(timeout):
            for operation in list(self._waiting.get(key.fd, ())):
                if operation.event & events:
                    operation.go_on()
        return []

    def close(self) -> None:
        for operation in [one for waiting in self._waiting.values() for one in waiting]:
            operation.cancel()
        self._selector.close()

    def forget(self, operation: _Operation) -> None:
        """Wait no more for what an operation waits for."""
        waiting = self._waiting.get(operation.descriptor, [])
        if operation in waiting:
            waiting.remove(operation)
            self._watch(operation.descriptor)

    # -- what may be asked

    def recv(self, conn: Any, nbytes: int, flags: int = 0) -> asyncio.Future[Any]:
        if isinstance(conn, socket.socket):
            return self._begin(conn, _READ, lambda: conn.recv(nbytes, flags))
        if _is_writing_end(conn.fileno()):
            return self._begin(conn, _READ, lambda: _hang_up_of(conn.fileno()))
        return self._begin(conn, _READ, lambda: os.read(conn.fileno(), nbytes))

    def recv_into(self, conn: Any, buf: Any, flags: int = 0) -> asyncio.Future[Any]:
        if isinstance(conn, socket.socket):
            return self._begin(conn, _READ, lambda: conn.recv_into(buf, 0, flags))
        return self._begin(conn, _READ, lambda: os.readv(conn.fileno(), [buf]))

    def recvfrom(self, conn: socket.socket, nbytes: int, flags: int = 0) -> asyncio.Future[Any]:
        return self._begin(conn, _READ, lambda: conn.recvfrom(nbytes, flags))

    def sendto(self, conn: socket.socket, buf: Any, flags: int = 0, addr: Any = None) -> asyncio.Future[Any]:
        return self._begin(conn, _WRITE, lambda: conn.sendto(buf, flags, addr))

    def send(self, conn: Any, buf: Any, flags: int = 0) -> asyncio.Future[Any]:
        """Completes once the system has taken all of it."""
        left = memoryview(bytes(buf))
        size = len(left)

        def attempt() -> int:
            nonlocal left
            while left:
                is_socket = isinstance(conn, socket.socket)
                left = left[conn.send(left, flags) if is_socket else os.write(conn.fileno(), left) :]
            return size

        return self._begin(conn, _WRITE, attempt)

    def accept(self, listener: socket.socket) -> asyncio.Future[Any]:
        def attempt() -> tuple[socket.socket, Any]:
            conn, _ = listener.accept()
            conn.setblocking(False)
            return conn, conn.getpeername()

        return self._begin(listener, _READ, attempt)

    def connect(self, conn: socket.socket, address: Any) -> asyncio.Future[Any]:
        is_begun = False

        def attempt() -> socket.socket:
            nonlocal is_begun
            if not is_begun:
                is_begun = True
                conn.connect(address)
            elif number := conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number))
            return conn

        return self._begin(conn, _WRITE, attempt)

    def wait_for_handle(self, handle: int) -> asyncio.Future[Any]:
        """Completes when the process of a pidfd has ended; nobody needs its timeout here."""

        def attempt() -> bool:
            if not select.select([handle], [], [], 0)[0]:
                raise BlockingIOError
            return True

        return self._begin(handle, _READ, attempt)

    def _stop_serving(self, obj: Any) -> None:
        """Nothing to be done: who calls it has cancelled its operation."""

    # -- how it is done

    def _begin(self, owner: Any, event: int, attempt: Callable[[], Any]) -> _Operation:
        """Begin an operation. Raises OSError where the system refuses it at once, except for the end of a pipe."""
        operation = _Operation(self, owner, event, attempt)
        self._drop_closed(operation.descriptor)
        if not isinstance(owner, int):
            os.set_blocking(operation.descriptor, False)
        operation.go_on()
        if not operation.done():
            self._waiting.setdefault(operation.descriptor, []).append(operation)
            self._watch(operation.descriptor)
        elif not operation.cancelled() and (problem := operation.exception()) is not None:
            raise problem
        return operation

    def _drop_closed(self, descriptor: int) -> None:
        """End the operations of one that was closed, and whose number serves another now."""
        for operation in list(self._waiting.get(descriptor, ())):
            if not isinstance(operation.owner, int) and operation.owner.fileno() != descriptor:
                self.forget(operation)
                if not operation.done():
                    operation.set_exception(ConnectionResetError("The I/O operation was aborted"))

    def _watch(self, descriptor: int) -> None:
        events = 0
        for operation in self._waiting.get(descriptor, ()):
            events |= operation.event
        if not events:
            self._waiting.pop(descriptor, None)
        # A closed descriptor has left the selector's set, and a new one of the same number is not in it.
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(descriptor)
        if events:
            self._selector.register(descriptor, events)


_Real: Any = proactor_events.BaseProactorEventLoop  # Of what it is made of, type checkers are told little.


class ProactorLoop(_Real):  # type: ignore[misc]
    """The loop that a process of the Proactor test mode runs on."""

    def __init__(self) -> None:
        super().__init__(CompletionPort())
        self._watched: dict[int, asyncio.Future[Any]] = {}

    def run_forever(self) -> None:
        self.call_soon(self._loop_self_reading)
        try:
            super().run_forever()
        finally:
            waiting: Any = self._self_reading_future
            if waiting is not None:
                waiting.cancel()
                self._self_reading_future: Any = None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell it, but in a process of tests for what is asyncio's own: there it is made good instead."""
        if "pytest" in sys.modules and _came_too_late(context):
            return
        callback: Any = getattr(context.get("handle"), "_callback", None)
        transport: Any = getattr(callback, "__self__", None)
        is_shutdown = getattr(callback, "__name__", "") == "_call_connection_lost"
        if not (is_shutdown and "pytest" in sys.modules and isinstance(context.get("exception"), OSError)):
            super().call_exception_handler(context)
            return
        transport._sock.close()
        transport._sock = None
        transport._called_connection_lost = True
        server, transport._server = transport._server, None
        if server is not None:
            server._detach(*([transport] if sys.version_info >= (3, 12) else []))

    def close(self) -> None:
        for waiting in list(self._watched.values()):
            waiting.cancel()
        super().close()

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """Refused as on Windows; but the end of a process, which Windows tells in its own way, is told here."""
        if not _is_process(fd):
            raise NotImplementedError
        waiting = self._watched[fd] = self._proactor.wait_for_handle(fd)

        def on_end(done: asyncio.Future[Any]) -> None:
            if not done.cancelled() and self._watched.get(fd) is done:
                callback(*args)

        waiting.add_done_callback(on_end)

    def remove_reader(self, fd: Any) -> bool:
        waiting = self._watched.pop(fd, None)
        if waiting is None:
            return False
        waiting.cancel()
        return True

    async def _make_subprocess_transport(
        self,
        protocol: Any,
        args: Any,
        shell: bool,
        stdin: Any,
        stdout: Any,
        stderr: Any,
        bufsize: int,
        extra: Any = None,
        **kwargs: Any,
    ) -> Any:
        waiter = self.create_future()
        transport = _SubprocessTransport(
            self, protocol, args, shell, stdin, stdout, stderr, bufsize, waiter=waiter, extra=extra, **kwargs
        )
        try:
            await waiter
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport


class _SubprocessTransport(base_subprocess.BaseSubprocessTransport):
    """A program that was started; as `asyncio.windows_events._WindowsSubprocessTransport`, with a pidfd."""

    def _start(self, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int, **kwargs: Any) -> None:
        loop: Any = self._loop
        started = self._proc = subprocess.Popen(
            args, shell=shell, stdin=stdin, stdout=stdout, stderr=stderr, bufsize=bufsize, **kwargs
        )
        handle = os.pidfd_open(started.pid)

        def ended(done: asyncio.Future[Any]) -> None:
            os.close(handle)
            if not done.cancelled():
                self._process_exited(started.wait())

        loop._proactor.wait_for_handle(handle).add_done_callback(ended)


def _came_too_late(context: dict[str, Any]) -> bool:
    """Whether a connection came in while its server was closed, which asyncio asserts cannot be."""
    is_accepting = "_start_serving" in str(context.get("message", ""))
    return is_accepting and isinstance(context.get("exception"), AssertionError)


def use() -> None:
    """Make it the loop of this process."""
    from asyncio import unix_events

    modules: Any = unix_events
    policy = getattr(modules, "_DefaultEventLoopPolicy", None) or modules.DefaultEventLoopPolicy
    policy._loop_factory = ProactorLoop
    if hasattr(modules, "EventLoop"):
        modules.EventLoop = ProactorLoop
        asyncio.EventLoop = ProactorLoop  # type: ignore[attr-defined, unused-ignore]


def is_used() -> bool:
    """Whether a new loop of this process is the Proactor's."""
    loop = asyncio.new_event_loop()
    try:
        return isinstance(loop, proactor_events.BaseProactorEventLoop)
    finally:
        loop.close()


def _is_process(descriptor: Any) -> bool:
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    try:
        return "[pidfd]" in os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - its target is no path
    except OSError:
        return False


def _is_writing_end(descriptor: int) -> bool:
    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    return is_pipe and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY


def _hang_up_of(descriptor: int) -> bytes:
    poll = select.poll()
    poll.register(descriptor, 0)
    if not poll.poll(0):
        raise BlockingIOError
    return b""
