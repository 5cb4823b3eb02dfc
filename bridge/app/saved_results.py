"""Results of tools, saved in a thread: `SaveResult` becomes a file, and what came of it an event."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

from bridge.errors import BridgeError
from bridge.features.large_results import text_of
from bridge.session.commands import SaveResult
from bridge.session.events import ResultSaved
from bridge.store import result_files


def save_result(command: SaveResult, take: Callable[[ResultSaved], None]) -> None:
    """Save a result. `take(event)` is called on the loop that runs now, in any case."""
    loop = asyncio.get_running_loop()

    def work() -> None:
        event = _saved(command)
        with contextlib.suppress(RuntimeError):  # The run has ended.
            loop.call_soon_threadsafe(take, event)

    threading.Thread(target=work, name="result", daemon=True).start()


def _saved(command: SaveResult) -> ResultSaved:
    try:
        result = bytes(command.result)
        saved = result_files.save(command.tool, result, text_of(result), time.time())
    except BridgeError as problem:
        return ResultSaved(command.number, problem=problem.message)
    except Exception as problem:  # A call waits for this.
        return ResultSaved(command.number, problem=str(problem) or type(problem).__name__)
    text_path = "" if saved.text is None else str(saved.text)
    return ResultSaved(command.number, str(saved.result), text_path)
