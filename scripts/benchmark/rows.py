"""The rows: every measurement, taken in rounds in which columns take turns, so that noise hits all alike."""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmark.columns import Column
from scripts.benchmark.host import Driver
from scripts.benchmark.messages import ColumnError
from scripts.benchmark.processes import Usage

GROUPS = ("start", "memory", "idle", "call", "parallel", "progress", "big")
IN_FLIGHT = 64


@dataclass(frozen=True)
class Plan:
    """How much of everything. Rounds are per row; the counts beside them are per round."""

    starts: int = 15
    call_rounds: int = 10
    calls: int = 100
    parallel_rounds: int = 6
    parallel_calls: int = 500
    big_rounds: int = 15
    progress_rounds: int = 5
    notifications: int = 5000
    idle_seconds: float = 60.0
    pair_launches: int = 4
    pair_rounds: int = 25
    pair_calls: int = 20
    list_rounds: int = 12
    lists: int = 10
    far_starts: int = 11
    far_callers: int = 4
    # Seconds. The answer was 40 ms on its way, and the call will be: what is sent after 4.92 s meets a closed end.
    far_pauses: tuple[float, ...] = (4.5, 4.8, 4.88, 4.91, 4.93, 4.95, 4.96, 4.97, 4.98, 4.99)
    patience: float = 60.0


QUICK = Plan(
    starts=3,
    call_rounds=2,
    calls=50,
    parallel_rounds=2,
    parallel_calls=150,
    big_rounds=3,
    progress_rounds=2,
    notifications=1000,
    idle_seconds=3.0,
    pair_launches=1,
    pair_rounds=10,
    list_rounds=3,
    lists=5,
    far_starts=2,
    far_callers=2,
    far_pauses=(4.5, 4.95),
    patience=20.0,
)


@dataclass
class Row:
    """One line of the table; `missing` says why a column has no number, `doubts` why its number proves nothing.

    `best` has the best sample of each column where the value is a median: what a busy machine distorts least.
    """

    key: str
    title: str
    unit: str
    more_is_better: bool = False
    values: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)


class Bench:
    """Takes the measurements. A column that fails loses that row and is started anew for the next."""

    def __init__(self, columns: Sequence[Column], server: str, home: Path, plan: Plan) -> None:
        self.columns = columns
        self.plan = plan
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self._server = server
        self._home = home
        self._drivers: dict[str, Driver] = {}
        # The same orders in every run.
        self._order = random.Random(1)  # noqa: S311 - nothing here is a secret

    def run(self, groups: Sequence[str]) -> list[Row]:
        """Take the wanted rows, in the order of `GROUPS`; the processes are stopped whatever happens."""
        rows: dict[str, Callable[[], None]] = {
            "start": self._start,
            "memory": self._memory,
            "idle": self._idle,
            "call": self._call,
            "parallel": self._parallel,
            "progress": self._progress,
            "big": self._big,
        }
        try:
            for group in GROUPS:
                if group in groups:
                    rows[group]()
            if "memory" in groups:
                self._peak(with_big="big" not in groups)
        finally:
            for name in list(self._drivers):
                self._stop(name)
        return self.rows

    def _start(self) -> None:
        row = self._row("start", "start: launch to `initialize` answered", "ms")
        cpu = self._row("start-cpu", "processor time until then", "ms")
        times: dict[str, list[float]] = {}
        busy: dict[str, list[float]] = {}
        # The first turn only warms the file caches.
        for turn, column in self._turns(self.plan.starts + 1, row):
            with self._guard(row, column):
                driver = self._fresh(column)
                took = driver.start() / 1e6
                # Floor and sockets have no process whose account could be looked at.
                with contextlib.suppress(ColumnError):
                    spent = driver.usage().cpu_ns / 1e6
                    if turn:
                        busy.setdefault(column.name, []).append(spent)
                if turn:
                    times.setdefault(column.name, []).append(took)
            self._stop(column.name)
        fill(row, times)
        cpu.missing = row.missing
        fill(cpu, busy)

    def _call(self) -> None:
        median = self._row("call", "a call, median", "ms")
        tail = self._row("call-p99", "a call, 99th percentile", "ms")
        times: dict[str, list[float]] = {}
        self._warm(median, lambda driver: [driver.call() for _ in range(50)])
        for _, column in self._turns(self.plan.call_rounds, median):
            with self._guard(median, column):
                driver = self._started(column)
                times.setdefault(column.name, []).extend(driver.call() / 1e6 for _ in range(self.plan.calls))
        fill(median, times)
        tail.missing = median.missing
        fill(tail, times, lambda samples: statistics.quantiles(samples, n=100)[98])

    def _parallel(self) -> None:
        row = self._row("parallel", f"calls with {IN_FLIGHT} in flight", "calls/s", more_is_better=True)
        rates: dict[str, list[float]] = {}
        count = self.plan.parallel_calls
        self._warm(row, lambda driver: driver.parallel(2 * IN_FLIGHT, IN_FLIGHT))
        for _, column in self._turns(self.plan.parallel_rounds, row):
            with self._guard(row, column):
                took = self._started(column).parallel(count, IN_FLIGHT)
                rates.setdefault(column.name, []).append(count / (took / 1e9))
        fill(row, rates)

    def _progress(self) -> None:
        count = self.plan.notifications
        row = self._row("progress", f"{count:,} notifications in one call", "per s", more_is_better=True)
        rates: dict[str, list[float]] = {}
        self._warm(row, lambda driver: driver.progress(count))
        for _, column in self._turns(self.plan.progress_rounds, row):
            with self._guard(row, column):
                took = self._started(column).progress(count)
                rates.setdefault(column.name, []).append(count / (took / 1e9))
        fill(row, rates)

    def _big(self) -> None:
        row = self._row("big", "a 10 MB result", "ms")
        times: dict[str, list[float]] = {}
        self._warm(row, lambda driver: driver.big())
        for _, column in self._turns(self.plan.big_rounds, row):
            with self._guard(row, column):
                times.setdefault(column.name, []).append(self._started(column).big() / 1e6)
        fill(row, times)

    def _memory(self) -> None:
        row = self._row("memory", "resident memory, idle", "MB")
        for column in self._able(row):
            with self._guard(row, column):
                row.values[column.name] = _megabytes(self._rested(column).resident_kb)

    def _idle(self) -> None:
        cpu = self._row("idle-cpu", "processor time, idle minute", "ms")
        wakes = self._row("idle-wakes", "wake-ups, idle minute", "")
        before: dict[str, Usage] = {}
        for column in self._able(cpu):
            with self._guard(cpu, column):
                self._rested(column)
        for column in self._able(cpu):
            with self._guard(cpu, column):
                before[column.name] = self._drivers[column.name].usage()
        state = self._state()
        time.sleep(self.plan.idle_seconds)
        later = self._state()
        minutes = self.plan.idle_seconds / 60
        for column in self._able(cpu):
            with self._guard(cpu, column):
                was, now = before[column.name], self._drivers[column.name].usage()
                cpu.values[column.name] = (now.cpu_ns - was.cpu_ns) / 1e6 / minutes
                wakes.values[column.name] = (now.sleeps - was.sleeps) / minutes
                path = f"/mcp/{column.name}"
                if not later.get(path, {}).get("streams"):
                    wakes.doubts[column.name] = "it had no GET stream open"
                if asked := later[path]["requests"] - state[path]["requests"]:
                    self.notes.append(f"{column.name} sent {asked} requests in the idle minute")
        wakes.missing = cpu.missing

    def _peak(self, *, with_big: bool) -> None:
        row = self._row("memory-peak", "resident memory, peak", "MB")
        for column in self._able(row):
            with self._guard(row, column):
                if with_big:
                    self._started(column).big()
                row.values[column.name] = _megabytes(self._started(column).usage().peak_kb)

    def _rested(self, column: Column) -> Usage:
        driver = self._started(column)
        for _ in range(5):
            driver.call()
        return driver.settled()

    def _row(self, key: str, title: str, unit: str, *, more_is_better: bool = False) -> Row:
        row = Row(key, title, unit, more_is_better)
        self.rows.append(row)
        return row

    def _able(self, row: Row) -> list[Column]:
        return [column for column in self.columns if column.name not in row.missing]

    def _turns(self, rounds: int, row: Row) -> Iterator[tuple[int, Column]]:
        for turn in range(rounds):
            # Each round has another order, so that none always follows the same neighbour.
            for column in self._order.sample(self.columns, len(self.columns)):
                if column.name not in row.missing:
                    yield turn, column
                    let_rest(self._drivers.get(column.name))

    def _warm(self, row: Row, work: Callable[[Driver], object]) -> None:
        for column in self._able(row):
            with self._guard(row, column):
                work(self._started(column))

    @contextlib.contextmanager
    def _guard(self, row: Row, column: Column) -> Iterator[None]:
        try:
            yield
        except (ColumnError, OSError, ValueError, LookupError, TypeError) as error:
            row.missing[column.name] = str(error) or type(error).__name__
            self._stop(column.name)

    def _fresh(self, column: Column) -> Driver:
        self._stop(column.name)
        url = f"{self._server}/mcp/{column.name}"
        driver = column.driver(url, self._home, self.plan.patience)
        self._drivers[column.name] = driver
        return driver

    def _started(self, column: Column) -> Driver:
        driver = self._drivers.get(column.name)
        if driver is None or not driver.alive():
            driver = self._fresh(column)
            driver.start()
        return driver

    def _stop(self, name: str) -> None:
        driver = self._drivers.pop(name, None)
        if driver is not None:
            driver.close()

    def _state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._server}/state", timeout=10) as answer:  # noqa: S310 - our own server
            state: dict[str, Any] = json.load(answer)
            return state


def let_rest(driver: Driver | None) -> None:
    """Wait until a driver's process is done with what its turn left behind: noise in the next turn."""
    with contextlib.suppress(ColumnError):
        last, deadline = -1, time.monotonic() + 1.0
        while driver is not None and time.monotonic() < deadline:
            now = driver.usage().cpu_ns
            if now == last:
                return
            last = now
            time.sleep(0.01)


def fill(row: Row, samples: dict[str, list[float]], fold: Callable[[list[float]], float] = statistics.median) -> None:
    """Fold each column's samples into its value. A column that failed half-way has none: half a run is another run."""
    for name, found in samples.items():
        if name not in row.missing:
            row.values[name] = fold(found)
            if fold is statistics.median:
                row.best[name] = max(found) if row.more_is_better else min(found)


def _megabytes(kilobytes: int) -> float:
    return kilobytes * 1024 / 1_000_000
