"""The client leg of the public suite: no run may fall, and none that holds may stay on the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.catalogue import Run, listed_not_yet, runs
from tests.conformance.suite import ENTRY, PACKAGE, play
from tests.support.node import require_node, require_package

NOT_YET = frozenset(listed_not_yet())
MOST_TRIES = 3

TIMED = frozenset({"sse-retry"})
"""Scenarios that measure milliseconds. On a busy machine they find an answer late, or take the standing stream, when
that is slow to come, for the one that resumes a call; so they are tried again."""


@pytest.mark.parametrize("run", runs(), ids=str)
def test_run(run: Run, tmp_path: Path) -> None:
    node, suite = require_node(), require_package(PACKAGE, ENTRY)
    outcome = play(run, node, suite, tmp_path / "1")
    for attempt in range(2, MOST_TRIES + 1):
        if outcome.held or run.scenario not in TIMED:
            break
        outcome = play(run, node, suite, tmp_path / str(attempt))
    assert outcome.judged, f"{run} was not played: {outcome.report}"
    if str(run) in NOT_YET:
        assert not outcome.held, f"{run} holds now: take its line out of not_yet.txt"
    else:
        assert outcome.held, f"{run} fell:\n{outcome.report}"
