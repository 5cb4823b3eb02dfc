"""The event loop of a process of the bridge: asyncio's own, without two harmless errors that it reports on Windows.

The Proactor loop gives its exception handler two errors of its own, each with a traceback (CPython 3.11 to
3.14, `proactor_events`). Nothing went wrong, so each is a line of the debug log:

| in the callback | what | why nothing is lost |
|---|---|---|
| `_call_connection_lost` | a socket is shut down that its peer has reset | its user was told of the reset |
| `_start_serving` | a connection came in while its server was being closed | the connection is closed too |

asyncpg ignores the first in its tests too (MagicStack/asyncpg#1190).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_HARMLESS: tuple[tuple[str, type[Exception], str], ...] = (
    ("_call_connection_lost", OSError, "a connection was reset"),
    ("_start_serving", AssertionError, "a connection came too late"),
)

_logger = logging.getLogger("bridge.app")


def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a new event loop, as `asyncio.run` does, and return its result."""

    async def prepared() -> T:
        asyncio.get_running_loop().set_exception_handler(on_problem)
        return await work

    return asyncio.run(prepared())


def on_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report an uncaught exception as the loop itself would, but a harmless one only at debug."""
    problem = context.get("exception")
    for where, kind, words in _HARMLESS:
        if isinstance(problem, kind) and where in str(context.get("message", "")):
            _logger.debug("%s: %s", words, str(problem) or type(problem).__name__)
            return
    loop.default_exception_handler(context)
