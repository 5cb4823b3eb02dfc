"""The client leg of the public suite: no run may fall, and none that holds may stay on the list."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance.catalogue import Run, listed_not_yet, runs
from tests.conformance.suite import ENTRY, PACKAGE, Outcome, play
from tests.support.node import require_node, require_package

# The runs share one pool of processes: all of them belong to one worker.
pytestmark = pytest.mark.xdist_group("conformance")

NOT_YET = frozenset(listed_not_yet())
TOTAL_DEADLINE = 300.0

TIMED = frozenset({"sse-retry"})
"""Scenarios that measure milliseconds; nothing else runs beside them."""

Outcomes = Callable[[Run], Outcome]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """Start the runs the chosen tests ask for, a few at a time; return what waits for one of them."""
    node = require_node()
    suite = require_package(PACKAGE, ENTRY)
    results = tmp_path_factory.mktemp("conformance")
    chosen: list[Run] = [
        run
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
        if isinstance(run := item.callspec.params.get("run"), Run)
    ]

    def once(run: Run, attempt: str) -> Outcome:
        return play(run, node, suite, results / str(run).replace("/", "_").replace(" ", "_") / attempt)

    def timed(run: Run) -> Outcome:
        outcome = once(run, "1")
        # Late by more than 200 ms is a warning, which a busy machine earns too; early or never is a fall.
        return once(run, "2") if outcome.only_late else outcome

    done = {run: timed(run) for run in chosen if run.scenario in TIMED}
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1) as pool:
        running: dict[Run, Future[Outcome]] = {run: pool.submit(once, run, "1") for run in chosen if run not in done}

        def outcome_of(run: Run) -> Outcome:
            return done[run] if run in done else running[run].result(timeout=TOTAL_DEADLINE)

        yield outcome_of
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("run", runs(), ids=str)
def test_run(run: Run, outcomes: Outcomes) -> None:
    outcome = outcomes(run)
    assert outcome.judged, f"{run} was not played: {outcome.report}"
    if str(run) in NOT_YET:
        assert not outcome.held, f"{run} holds now: take its line out of not_yet.txt"
    else:
        assert outcome.held, f"{run} fell:\n{outcome.report}"
