"""Runs blocking calls off the event loop, with a deadline, in threads that do not keep the process alive."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Abandoned(Exception):
    """The caller no longer waits for this job."""


class Job:
    """One call, as its thread sees it. A job of several steps calls `check` between them."""

    def __init__(self) -> None:
        self.abandoned = False
        self.finished = False

    def check(self) -> None:
        """Raise `Abandoned` after the deadline, so that the job does nothing more."""
        if self.abandoned:
            raise Abandoned


class Worker:
    """Runs one job after another. While one hangs, further jobs are refused at once instead of waiting too."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = threading.Lock()
        self._hung: Job | None = None

    async def run(self, work: Callable[[Job], _T], seconds: float) -> _T:
        """Return what `work` returns; raise what it raises, or `TimeoutError` after `seconds`.

        A job whose caller is cancelled still runs to its end, so that no secret is half written.
        """
        if self._hung is not None and not self._hung.finished:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[_T] = loop.create_future()
        job = Job()

        def body() -> None:
            settle: Callable[[], None]
            with self._turn:
                try:
                    job.check()
                    result = work(job)
                    settle = lambda: outcome.set_result(result)  # noqa: E731
                except BaseException as error:
                    # Another name, because Python deletes `error` at the end of this block.
                    failure = error
                    settle = lambda: outcome.set_exception(failure)  # noqa: E731
                job.finished = True
            with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
                loop.call_soon_threadsafe(lambda: None if outcome.done() else settle())

        threading.Thread(target=body, name=self._name, daemon=True).start()
        try:
            done, _ = await asyncio.wait({outcome}, timeout=seconds)
            if not done:
                job.abandoned = True
                self._hung = job
                raise TimeoutError
            return outcome.result()
        finally:
            outcome.cancel()
