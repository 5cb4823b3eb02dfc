"""The event loop of a process of ours: asyncio's own, told the one thing it does not know of itself on Windows.

Windows' loop (Proactor) shuts a socket down before it closes it. For one that its peer has reset that fails, which it
tells its exception handler as an error with a traceback (CPython 3.11 to 3.14, `proactor_events`, in the callback
`_call_connection_lost`; asyncpg leaves it out of its tests too: MagicStack/asyncpg#1190). Nothing went wrong: whoever
uses the connection has been told of the reset in its own way. So it is a line of the debug log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_SHUTDOWN = "_call_connection_lost"

_logger = logging.getLogger("bridge.app")


def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of this process, as `asyncio.run`, and return or raise what it does."""

    async def prepared() -> T:
        asyncio.get_running_loop().set_exception_handler(on_problem)
        return await work

    return asyncio.run(prepared())


def on_problem(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell of what nobody caught, as the loop itself would; of a reset connection in the debug log only."""
    problem = context.get("exception")
    if isinstance(problem, OSError) and _SHUTDOWN in str(context.get("message", "")):
        _logger.debug("a connection was reset: %s", problem)
    else:
        loop.default_exception_handler(context)
