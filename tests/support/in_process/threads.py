"""A whole sign-in without a process: the bridge, the login process and the browser each run in a thread of the test's.

`InProcessSite` is a `Site` whose bridges start in milliseconds. All of the bridge is real, from the command line's
words to the sockets; what only a process has is replaced, and that is the table `_REPLACED`:

| of a process | here |
|---|---|
| stdin, stdout, stderr | queues between the threads |
| its environment | this process's, for as long as the site is open; `env` of a bridge for as long as that bridge runs |
| the log's sinks | one root logger, whose handlers hear their own thread only |
| the login process | a thread, started with the order as it would come on stdin |
| the browser | a thread, with `browser_program.visit` |
| signals, the parent's death, the timer that ends a process | none |
| the keyring | none, as in the environment of `bridge_process` |
| the system's certificates | read once |
| the disk's promise that a file is there after a power cut | not waited for |

So a test that is about the life of a process, its streams, several copies, or how programs are started needs `Site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from unittest import mock

import keyring.core
from keyring.backends import null

from bridge.app.start import run_bridge
from bridge.cli.plain import read_plain
from bridge.cli.settings import settings_of
from bridge.config import Settings
from bridge.process import log
from bridge.process.event_loop import run_on_loop
from bridge.process.log import Log
from bridge.protocol.jsonrpc import Octets
from bridge.remote import tls
from bridge.tokens import login_process
from bridge.tokens.authorization import Authorization
from bridge.tokens.login_order import Answer, Order, decode_order, encode_answer
from bridge.tokens.login_session import LoginSession
from tests.support.oauth.browser_program import visit
from tests.support.oauth.site import Site
from tests.support.oauth.user import Person
from tests.support.process.bridge_process import BridgeProcess, environment
from tests.support.waits import stretched

_ENDING = 10.0
"""Seconds for a thread that was told to end."""

T = TypeVar("T")

_of_this_thread: ContextVar[_Standin] = ContextVar("process")


class _Standin:
    """What stands for a process: a thread with an event loop, which can be killed."""

    def __init__(self, name: str) -> None:
        self.ended = asyncio.Event()
        self.returncode: int | None = None
        self._here = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._is_killed = False
        self._turn = threading.Lock()
        context = copy_context()
        context.run(_of_this_thread.set, self)
        self._thread = threading.Thread(target=context.run, args=(self._live,), name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def kill(self) -> None:
        """End it wherever it is; nothing more is sent."""
        with self._turn:
            self._is_killed = True
            if self._loop is not None and self._main is not None:
                with contextlib.suppress(RuntimeError):  # It has ended.
                    self._loop.call_soon_threadsafe(self._main.cancel)

    async def gone(self) -> None:
        async with asyncio.timeout(stretched(_ENDING)):
            await self.ended.wait()

    def run_on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """In the place of the bridge's own, which it is, with a way in for `kill`."""

        async def noted() -> T:
            with self._turn:
                self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
                if self._is_killed:
                    work.close()
                    raise asyncio.CancelledError
            try:
                return await work
            finally:
                with self._turn:
                    self._main = None

        return run_on_loop(noted())

    def here(self, what: Callable[..., object], *arguments: object) -> None:
        """Call something on the test's loop."""
        with contextlib.suppress(RuntimeError):  # The test is over.
            self._here.call_soon_threadsafe(what, *arguments)

    def _work(self) -> int:
        raise NotImplementedError

    def wrote_to_stderr(self, text: str) -> None:
        """Nobody reads it."""

    def _live(self) -> None:
        code = -9
        try:
            code = self._work()
        except asyncio.CancelledError:
            pass
        finally:
            self.here(self._end, code)

    def _end(self, code: int) -> None:
        self.returncode = code
        self.ended.set()


class _Bridge(_Standin):
    """A run of the bridge; to `BridgeProcess` it looks like a process of asyncio's."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("bridge")
        self.pid = os.getpid()
        self.stdin = _HostSide(self)
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self._settings = settings

    async def wait(self) -> int:
        await self.ended.wait()
        assert self.returncode is not None
        return self.returncode

    def _work(self) -> int:
        return run_bridge(self._settings)

    def wrote(self, data: bytes) -> None:
        self.here(self.stdout.feed_data, data)

    def wrote_to_stderr(self, text: str) -> None:
        self.here(self.stderr.feed_data, text.encode())

    def _end(self, code: int) -> None:
        self.stdout.feed_eof()
        self.stderr.feed_eof()
        super()._end(code)


class _HostSide:
    """The host's end of stdin: what is written before anybody reads is kept."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge
        self._waiting: list[bytes] = []
        self._is_closed = False
        self._turn = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = copy_context()
        self._on_data: Callable[[bytes], None]
        self._on_end: Callable[[], None]

    def write(self, data: bytes) -> None:
        with self._turn:
            self._waiting.append(data)
        self._tell()

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        with self._turn:
            self._is_closed = True
        self._tell()

    def read(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Called by the bridge, on its loop."""
        self._on_data, self._on_end = on_data, on_end
        self._context = copy_context()
        with self._turn:
            self._loop = asyncio.get_running_loop()
        self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # It has ended.
                self._loop.call_soon_threadsafe(self._deliver, context=self._context)

    def _deliver(self) -> None:
        with self._turn:
            data, self._waiting = b"".join(self._waiting), []
            is_over, self._is_closed = self._is_closed, False
        if data:
            self._on_data(data)
        if is_over:
            self._on_end()


class _LoginProcess(_Standin):
    """A login process: its one line is what `said` gets."""

    def __init__(self, order: bytes) -> None:
        super().__init__("login process")
        self.order = order
        self.said: asyncio.Future[bytes] = self._here.create_future()

    def _work(self) -> int:
        return login_process.run_login_process()

    def answer(self, said: Answer) -> None:
        self.here(lambda: None if self.said.done() else self.said.set_result(encode_answer(said).strip()))

    def _end(self, code: int) -> None:
        super()._end(code)
        if not self.said.done():
            self.said.set_result(b"")


def _self() -> _Standin:
    return _of_this_thread.get()


def _is_heard_by(standin: _Standin) -> Callable[[logging.LogRecord], bool]:
    return lambda _: _of_this_thread.get(None) is standin


# -- what stands for the parts that only a process has


class _Input:
    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._host = cast("_Bridge", _self()).stdin
        self._on_data, self._on_end = on_data, on_end

    def start(self) -> None:
        self._host.read(self._on_data, self._on_end)


class _Output:
    is_clear = True

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self.has_headers = False
        self._bridge = cast("_Bridge", _self())

    def write(self, line: Octets) -> None:
        assert not self.has_headers, "bridges that speak so are tested as processes"
        self._bridge.wrote(bytes(line) + b"\n")

    async def drained(self) -> None:
        """It has always room."""

    async def close(self, seconds: float) -> None:
        """Everything was handed on at once."""


class _StderrLines:
    def __init__(self) -> None:
        self._standin = _self()

    def write(self, text: str, *, is_kept: bool = False) -> None:
        self._standin.wrote_to_stderr(text)

    def close(self, seconds: float) -> None:
        """Everything was handed on at once."""


def _take_order() -> Order:
    return decode_order(cast("_LoginProcess", _self()).order)


def _answer(said: Answer) -> None:
    cast("_LoginProcess", _self()).answer(said)


def _configure_log(settings: Settings) -> Log:
    made = _REAL_CONFIGURE(settings)
    for handler in made._handlers:
        handler.addFilter(_is_heard_by(_self()))
    return made


def _login(*arguments: Any) -> LoginSession:
    """One whose handler of log records hears its own only."""
    logger = logging.getLogger("bridge")
    before = list(logger.handlers)
    login = LoginSession(*arguments)
    for handler in set(logger.handlers) - set(before):
        handler.addFilter(_is_heard_by(_self()))
    return login


def _ssl_context(settings: Settings, *, may_verify_late: bool = False) -> ssl.SSLContext:
    if settings.ca_file or settings.client_cert:
        return _REAL_SSL_CONTEXT(settings, may_verify_late=may_verify_late)
    return _usual_ssl_context(may_verify_late)


@functools.cache
def _usual_ssl_context(may_verify_late: bool) -> ssl.SSLContext:
    return _REAL_SSL_CONTEXT(Settings("https://mcp.example/mcp"), {}, may_verify_late=may_verify_late)


_REAL_CONFIGURE = log.configure
_REAL_SSL_CONTEXT = tls.ssl_context

_REPLACED: dict[str, object] = {
    "bridge.app.start.take_over": lambda: (_nowhere(), _nowhere()),
    "bridge.app.main.HostInput": _Input,
    "bridge.app.main.HostOutput": _Output,
    "bridge.app.main.watch_hang_up": lambda descriptor, on_hang_up: None,
    "bridge.app.main.watch_parent": lambda on_death: True,
    "bridge.app.main.stop_on_signals": lambda stop: None,
    "bridge.app.main.end_for_certain": lambda seconds, code: None,
    "bridge.app.main._collect_again": lambda: None,
    "bridge.app.main.run_on_loop": lambda work: _self().run_on_loop(work),
    "bridge.process.log.configure": _configure_log,
    "bridge.process.log.StderrLines": _StderrLines,
    "bridge.process.log._take_hooks": lambda: None,
    "bridge.process.log_head.log_head": lambda settings, what: None,
    "bridge.tokens.login_process.LoginSession": _login,
    "bridge.tokens.login_process.log_head": lambda settings, what: None,
    "bridge.tokens.login_process.end_for_certain": lambda seconds, code: None,
    "bridge.tokens.login_process.run_on_loop": lambda work: _self().run_on_loop(work),
    "bridge.tokens.login_process._take_order": _take_order,
    "bridge.tokens.login_process.answer": _answer,
    "bridge.tokens.login_session.stop_on_signals": lambda stop: None,
    "bridge.remote.tls.ssl_context": _ssl_context,
    "os.fsync": lambda descriptor: None,
}


def _nowhere() -> int:
    """A descriptor that is no terminal's; nothing is read from it or written to it."""
    return _NOWHERE


_NO_KEYRING: Any = null.Keyring()  # type: ignore[no-untyped-call]
_NOWHERE = os.open(os.devnull, os.O_RDWR)


class Visitor(Person):
    """A person whose browser is a thread."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.in_process: InProcess
        self._seen: list[dict[str, Any]] = []

    def launch(
        self,
        url: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        patience: float | None = None,
        as_program: bool = False,
    ) -> contextlib.AbstractAsyncContextManager[BridgeProcess]:
        assert not as_program, "A bridge in threads is not a program of its own."
        return self.in_process.bridge(url, *arguments, env=env, patience=patience)

    def _records(self) -> list[dict[str, Any]]:
        return list(self._seen)

    async def start(self, command: Sequence[str], environ: Mapping[str, str]) -> str:
        """Start the browser; why it did not start, empty if it did."""
        if self.browser == "fail":
            return "ended with status 1"
        url = command[-1]
        self._seen.append({"opened": url, "environ": dict(environ), "parent": os.getpid()})
        if self.browser == "follow":
            threading.Thread(target=visit, args=(url, self._seen.append), name="browser", daemon=True).start()
        return ""


def client_clock_ahead(seconds: float) -> contextlib.AbstractContextManager[object]:
    """Let bridges that start meanwhile believe that it is later: what they do near a token's end, without the wait."""
    defaults = Authorization.__init__.__kwdefaults__
    return mock.patch.dict(defaults, clock=lambda: time.time() + seconds)


@contextlib.asynccontextmanager
async def visitor(folder: Path) -> AsyncIterator[Visitor]:
    """A person for whom everything is in this process."""
    person = Visitor(folder)
    async with InProcess(person):
        yield person


class InProcess:
    """Where bridges, login processes and browsers of one person are threads; use as an async context manager."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        person.in_process = self
        self._logins: list[_LoginProcess] = []
        self._stack = contextlib.ExitStack()
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        patches = {
            **_REPLACED,
            "bridge.tokens.logins.start_detached": self._start_login,
            "bridge.login.browser._start": self._person.start,
        }
        with contextlib.ExitStack() as stack:
            for name, standin in patches.items():
                stack.enter_context(mock.patch(name, standin))
            stack.enter_context(mock.patch.object(keyring.core, "_keyring_backend", _NO_KEYRING))
            own = environment(self._person.home, self._person.environment())
            own |= {name: value for name, value in os.environ.items() if name.startswith("MCP_BRIDGE_TEST_")}
            stack.enter_context(mock.patch.dict(os.environ, own, clear=True))
            stack.enter_context(_logging_as_before())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *details: object) -> None:
        with self._stack:
            for login in self._logins:
                login.kill()
                await login.gone()

    @contextlib.asynccontextmanager
    async def bridge(
        self, url: str, *arguments: str, env: Mapping[str, str] | None = None, patience: float | None = None
    ) -> AsyncIterator[BridgeProcess]:
        """Run the bridge, as `bridge_process.launch` does."""
        own = dict(env or {}) | ({} if patience is None else {"MCP_BRIDGE_PATIENCE": str(patience)})
        with mock.patch.dict(os.environ, own):
            plain = read_plain([url, *arguments], os.environ)
            assert plain is not None, "what click is to read is tested with a process"
            given = plain.secret_in_arguments
            standin = _Bridge(settings_of(plain.words, plain.options, os.environ, secret_in_arguments=given))
            standin.start()
            bridge = BridgeProcess(cast("asyncio.subprocess.Process", standin))
            try:
                yield bridge
            finally:
                await bridge.end()
        bridge.check()

    async def _start_login(
        self, command: Sequence[str], environ: Mapping[str, str], order: bytes, seconds: float
    ) -> bytes:
        """In the place of `start_detached`, on the loop of the bridge that starts it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._login(order), self._loop))

    async def _login(self, order: bytes) -> bytes:
        login = _LoginProcess(order)
        self._logins.append(login)
        login.start()
        return await login.said


class InProcessSite(Site):
    """A `Site` whose bridges, login processes and browsers are threads of this process."""

    person_type = Visitor

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._stack.enter_async_context(InProcess(cast("Visitor", self.person)))
        return self

    def _end_logins(self) -> None:
        """They end with the rest."""


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    """Give loggers back as they were: those that ended last saw what another had set."""
    loggers = [logging.getLogger(), logging.getLogger("bridge")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
