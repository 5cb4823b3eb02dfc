"""The event loop of a process of ours: asyncio's own, told what it does not know of itself on Windows.

Its Proactor loop has two errors of its own, which it tells its exception handler with a traceback (CPython 3.11 to
3.14, `proactor_events`). Nothing went wrong, so each is a line of the debug log:

| in the callback | what | why nothing is lost |
|---|---|---|
| `_call_connection_lost` | a socket is shut down that its peer has reset | who uses it has been told of the reset |
| `_start_serving` | a connection came in while its server was closed | it is closed, as it would have been |

asyncpg leaves the first out of its tests as well (MagicStack/asyncpg#1190).
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
    """Run `work` on a loop of this process, as `asyncio.run`, and return or raise what it does."""

    async def prepared() -> T:
        asyncio.get_running_loop().set_exception_handler(on_problem)
        return await work

    return asyncio.run(prepared())


def on_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell of what nobody caught, as the loop itself would; of what is harmless in the debug log only."""
    problem = context.get("exception")
    for where, kind, words in _HARMLESS:
        if isinstance(problem, kind) and where in str(context.get("message", "")):
            _logger.debug("%s: %s", words, str(problem) or type(problem).__name__)
            return
    loop.default_exception_handler(context)
