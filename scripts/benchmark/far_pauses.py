"""Calls after a pause, to a server far away that closes idle connections after 5 s and does not announce it.

Just under 5 s after the last answer, the server's end of the connection and the next call cross on their way: the call
meets a reset. A call counts as lost when the host got no result and the server never ran the tool, so it could have
been sent again. Several bridges of each column at once, for all they do is wait.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmark.columns import Column
from scripts.benchmark.host import StdioDriver
from scripts.benchmark.messages import ColumnError
from scripts.benchmark.rows import Plan, Row
from scripts.benchmark.servers import FarServer

LOST = "pause-lost"
# By then whatever was sent is there, and was run or was not.
_SETTLED_SECONDS = 0.5


def pauses(columns: Sequence[Column], server: FarServer, home: Path, plan: Plan) -> list[Row]:
    """Return the rows: how many calls were lost, and how long the others took. The processes end with it."""
    lost = Row(LOST, "calls 4.5 to 5 s after an answer, server closing after 5 s: lost though never run", "%")
    took = Row("pause-call", "the same, time of those that were answered", "ms")
    callers: list[_Caller] = []
    with contextlib.ExitStack() as running:
        for column in columns:
            for number in range(plan.far_callers):
                try:
                    url = f"/mcp/pause-{column.name}-{number}"
                    launched = _launched(column, server, url, Path(tempfile.mkdtemp(dir=home)), plan)
                except (ColumnError, OSError) as error:
                    lost.missing[column.name] = str(error)
                    break
                running.callback(launched.close)
                callers.append(_Caller(column.name, launched, server, url, plan.far_pauses))
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    for name in dict.fromkeys(caller.column for caller in callers):
        own = [caller for caller in callers if caller.column == name]
        if failed := [caller.failure for caller in own if caller.failure]:
            lost.missing.setdefault(name, failed[0])
        if name in lost.missing:
            continue
        lost.values[name] = 100 * sum(caller.lost for caller in own) / (len(own) * len(plan.far_pauses))
        if times := [one for caller in own for one in caller.times]:
            took.values[name] = statistics.median(times)
    took.missing = lost.missing
    return [lost, took]


def _launched(column: Column, server: FarServer, path: str, home: Path, plan: Plan) -> StdioDriver:
    driver = column.launcher(f"{server.far}{path}", home, plan.patience, authority=server.authority)
    try:
        driver.start()
    except BaseException:
        driver.close()
        raise
    return driver


class _Caller(threading.Thread):
    """One bridge that is called after each of the pauses."""

    def __init__(
        self, column: str, driver: StdioDriver, server: FarServer, path: str, seconds: Sequence[float]
    ) -> None:
        super().__init__(daemon=True)
        self.column = column
        self.lost = 0
        self.times: list[float] = []
        self.failure = ""
        self._driver = driver
        self._server = server
        self._path = path
        self._seconds = seconds

    def run(self) -> None:
        try:
            for pause in self._seconds:
                # Whatever became of the call before, there is an answer now, and a connection it came by.
                self._driver.call()
                time.sleep(pause)
                self._call()
        except (ColumnError, OSError, ValueError, LookupError) as error:
            self.failure = str(error) or type(error).__name__

    def _call(self) -> None:
        before = self._ran()
        try:
            self.times.append(self._driver.call() / 1e6)
        except ColumnError:
            if not self._driver.alive():
                raise
            time.sleep(_SETTLED_SECONDS)
            self.lost += self._ran() == before

    def _ran(self) -> int:
        calls: int = self._server.state()[self._path]["calls"]
        return calls
