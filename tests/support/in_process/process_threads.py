"""What stands for a process: a thread with an event loop, its streams, and a way to kill it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from bridge.app.start import run_bridge
from bridge.config import Settings
from bridge.process.event_loop import run_on_loop
from bridge.tokens import login_process
from bridge.tokens.login_order import Answer, encode_answer
from tests.support.waits import stretched

_ENDING = 10.0
"""Seconds for a thread that was told to end."""

T = TypeVar("T")

_of_this_thread: ContextVar[ProcessThread] = ContextVar("process")


class ProcessThread:
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


class BridgeThread(ProcessThread):
    """A run of the bridge; to `BridgeProcess` it looks like a process of asyncio's."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("bridge")
        self.pid = os.getpid()
        self.stdin = HostEnd(self)
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


class HostEnd:
    """The host's end of stdin: what is written before anybody reads is kept."""

    def __init__(self, bridge: BridgeThread) -> None:
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


class LoginThread(ProcessThread):
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


def this_thread() -> ProcessThread:
    """What the code that asks belongs to."""
    return _of_this_thread.get()


def is_heard_by(thread: ProcessThread) -> Callable[[logging.LogRecord], bool]:
    """Tell which records of the log are of a thread, its tasks and its helpers."""
    return lambda _: _of_this_thread.get(None) is thread
