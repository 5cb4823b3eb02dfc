"""Work on an event loop of its own, in a thread, for what would make the loop wait.

A TLS handshake is run by whichever loop its connection is on. Where the operating system judges the certificate within
it (truststore, on Windows and macOS), it may go to the network for that, and everything else on that loop stands still:
the callback, the channel, in a bridge every call. So such a request is made on a loop beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def may_block(context: ssl.SSLContext) -> bool:
    """Whether a handshake may take long on the loop: any context that is not just OpenSSL's own."""
    return type(context) is not ssl.SSLContext


async def on_separate_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do `work` on a loop of its own; return what it returns, raise what it raises.

    Who stops waiting stops the work too, at its next step; a thread in which the system hangs is left to the system.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []

    async def run() -> T:
        begun.append((asyncio.get_running_loop(), asyncio.current_task()))
        if done.cancelled():
            raise asyncio.CancelledError
        return await work()

    def in_thread() -> None:
        result: T | None = None
        problem: BaseException | None = None
        try:
            result = asyncio.run(run())
        except BaseException as raised:
            problem = raised
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(_tell, done, result, problem)

    threading.Thread(target=in_thread, name="request", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        for its_loop, task in begun:
            if task is not None:
                with contextlib.suppress(RuntimeError):  # It has just ended.
                    its_loop.call_soon_threadsafe(task.cancel)
        raise


def _tell(done: asyncio.Future[Any], result: object, problem: BaseException | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(result)
    elif isinstance(problem, Exception):
        done.set_exception(problem)
    else:
        done.cancel()
