"""What every test shares."""

import gc
import math
import signal
import sys
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from scripts.desktop import how_to_run_the_skipped
from tests import order
from tests.support.examples import use_the_same_examples
from tests.support.systems import proactor_rows, wine_rows
from tests.support.waits import stretched

CLEANING_LIMIT = 30.0
"""Seconds that a test which reached its limit has for each step of its cleaning up."""

ASKED_TWICE = 3.0
"""Seconds within which a second wish to end is the same as the first."""
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`scripts/test.py` passes it on."""
    parser.addoption(
        "--fast", action="store_true", help="leave out the tests that start whole programs or run whole sign-ins"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read nothing of what is left out."""
    return True if config.getoption("fast") and order.is_left_out(collection_path) else None


def pytest_configure(config: pytest.Config) -> None:
    """See to what the run inherited, and to what it leaves behind when it is ended."""
    # Of the 100,000 objects that a collection makes, none is garbage.
    gc.disable()
    use_the_same_examples()
    if proactor_rows.is_mode():
        proactor_rows.check_the_loop()
    if threading.current_thread() is not threading.main_thread():
        return
    let_children_be_interrupted()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(EndsWithASummary(), "ends-with-a-summary")
        config.pluginmanager.register(NamesAtOnce(config), "names-at-once")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """A worker of a run of all tests imports them first."""
    worker = getattr(session.config, "workerinput", None)
    if worker is not None and [Path(name).resolve() for name in session.config.args] == [order.ROOT / "tests"]:
        number = int(worker["workerid"].removeprefix("gw"))
        order.import_ahead(number, worker["workercount"], is_fast=session.config.getoption("fast"))


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Skip, by name, what a loop like Windows' or Wine cannot show, where the run is on one; put all in order."""
    for rows in (proactor_rows, wine_rows):
        if rows.is_mode():
            leave_out(items, rows.REASONS)
    if config.getoption("fast"):
        items[:] = [item for item in items if not order.is_slow(item.nodeid)]
    items[:] = order.in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests may run in any worker, have those first that take long."""
    return order.LongestFirst(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_finish() -> None:
    """From here on objects come and go; those of the collection stay and are not looked through again."""
    gc.freeze()
    gc.enable()


def leave_out(items: list[pytest.Item], reasons: Mapping[str, str]) -> None:
    """Skip the tests of a table: a row names a test, or all cases of one."""
    for item in items:
        reason = reasons.get(item.nodeid) or reasons.get(item.nodeid.partition("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def let_children_be_interrupted() -> None:
    """A run in a script's background ignores Ctrl-C, and so would every program that a test starts and interrupts.

    A handler that does nothing ignores it just as well, and no other program inherits it.
    """
    for number in (signal.SIGINT, *ENDING_SIGNALS):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, do_nothing)


def do_nothing(number: int, frame: FrameType | None) -> None:
    """Be a handler, which is not inherited."""


class EndsWithASummary:
    """Whatever asks the run to end is taken as Ctrl-C is: pytest says what failed, and ends.

    It may be asked twice at once, by the terminal and by the script that started it; the second must not cut it short.
    An exception that a signal raises is lost where Python is in a finalizer, so the signal is sent again until pytest
    ends.
    """

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._is_ending = False
        for number in (signal.SIGINT, *ENDING_SIGNALS):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        before, self._asked_at = self._asked_at, time.monotonic()
        if self._asked_at - before > ASKED_TWICE:
            again = threading.Timer(ASKED_TWICE + 1.0, self._ask_again, [number])
            again.daemon = True
            again.start()
            raise KeyboardInterrupt

    def _ask_again(self, number: int) -> None:
        if not self._is_ending:
            if sys.platform == "win32":
                signal.raise_signal(number)
            else:
                signal.pthread_kill(threading.main_thread().ident or 0, number)

    def pytest_keyboard_interrupt(self) -> None:
        """When pytest has begun to end."""
        self._is_ending = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what to type for the tests that were skipped because a package is missing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if told := how_to_run_the_skipped(str(report.longrepr) for report in skipped):
        terminalreporter.write_line(told, yellow=True)


class NamesAtOnce:
    """Names a test when it fails: a run that is killed has no summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say it on a line of its own, unless every test is on one anyway."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None and self._config.get_verbosity() <= 0:
            if not self._config.pluginmanager.has_plugin("progress"):
                terminal.line("")
            terminal.write_line(f"{'FAILED' if report.when == 'call' else 'ERROR'} {report.nodeid}", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, bool, bool]:
    """Let the alarm of a test that reached its limit come again: what cleans up after it may hang as well."""
    is_set = yield
    if settings.method == "signal" and threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, stretched(CLEANING_LIMIT))
    return is_set


@pytest.fixture
def anyio_backend() -> str:
    """The bridge runs on asyncio, so its tests do too."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in what a test logged: a worker cannot send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
