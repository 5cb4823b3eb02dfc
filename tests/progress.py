"""A plugin for pytest that says every 15 seconds where a run is: `-p tests.progress`, as `scripts/test.py` has it.

The lines take the place of the dots, and look alike on a terminal and in a file.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping

import pytest

from tests.order import starts_programs

PAUSE = 15.0
"""Seconds from one line to the next."""
LONG = 30.0
"""Seconds after which a test that still runs is named."""

PROGRAMS, IN_PROCESS = "that start programs", "in process"


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the run that prints; `-v` has a line for each test anyway."""
    if not hasattr(config, "workerinput") and config.get_verbosity() <= 0 and not config.option.collectonly:
        config.pluginmanager.register(Progress(config), "progress")


def kind(nodeid: str) -> str:
    """Whether a test starts programs or runs in process, in words."""
    return PROGRAMS if starts_programs(nodeid) else IN_PROCESS


def line(seconds: float, total: Mapping[str, int], done: Mapping[str, int], failed: int, running: Iterable[str]) -> str:
    """Say how far a run is after so many seconds; the counts are by `kind`, `running` are the tests to name."""
    counts = [f"{done.get(name, 0):,} of {count:,} tests {name}" for name, count in total.items()]
    left = sum(total.values()) - sum(done.values())
    parts = [*counts, f"{left:,} left"]
    if failed:
        parts.append(f"{failed:,} failed")
    return "; ".join([f"{seconds:4.0f} s: {', '.join(parts)}", *running])


class Progress:
    """Counts the tests that have run, and prints a line every `PAUSE` seconds, also while none ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._total: dict[str, int] = {}
        self._done: Counter[str] = Counter()
        self._running: dict[str, float] = {}
        self._failed: set[str] = set()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._printing = threading.Thread(target=self._print, daemon=True)

    def pytest_sessionstart(self) -> None:
        self._printing.start()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """With workers, each of them collects all tests."""
        self._collected(ids)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers, the run itself does."""
        if session.items:
            self._collected([item.nodeid for item in session.items])

    def _collected(self, ids: list[str]) -> None:
        with self._lock:
            if not self._total:
                self._total = {name: count for name, count in Counter(map(kind, ids)).items() if count}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        with self._lock:
            self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        with self._lock:
            self._running.pop(nodeid, None)
            self._done[kind(nodeid)] += 1

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, object], tuple[str, str, object]]:
        """Leave the letters out. A failure is named in full by `tests.conftest`."""
        category, _, word = yield
        if report.failed:
            self._failed.add(report.nodeid)
        return category, "", word

    def pytest_sessionfinish(self) -> None:
        """Print where the run ended; the summary follows."""
        self._ended.set()
        if self._printing.is_alive():
            self._printing.join()
        self._say()

    def _print(self) -> None:
        while not self._ended.wait(PAUSE):
            self._say()

    def _say(self) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return
        now = time.monotonic()
        with self._lock:
            long = [
                f"{nodeid} for {now - since:.0f} s" for nodeid, since in self._running.items() if now - since > LONG
            ]
            text = line(now - self._began, self._total, self._done, len(self._failed), long)
            if not self._total:
                text = f"{now - self._began:4.0f} s: collecting"
        terminal.ensure_newline()
        terminal.write(text + "\n", flush=True)
