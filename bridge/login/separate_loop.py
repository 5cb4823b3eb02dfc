"""Running work on a separate event loop, in a thread, because it may block.

asyncio runs a TLS handshake on the event loop of its connection. On Windows and macOS the operating system verifies the
certificate (truststore), and may access the network for that. Until it is done, everything else on that loop stops: the
callback, the channel, and in a relay every call. So such a request runs on a loop of its own.
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
    """Whether a handshake with this context may block: any context that is not OpenSSL's own."""
    return type(context) is not ssl.SSLContext


async def on_separate_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on a loop of its own; return what it returns, raise what it raises.

    A cancelled caller cancels the work too, at its next await. If the system blocks the thread, the thread is left
    behind.
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
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(_tell, done, result, problem)

    threading.Thread(target=in_thread, name="request", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        for its_loop, task in begun:
            if task is not None:
                with contextlib.suppress(RuntimeError):  # The loop has just ended.
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
