"""The client leg of the public suite: no run may fall, and none that holds may stay on the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.catalogue import Run, listed_not_yet, runs
from tests.conformance.suite import ENTRY, PACKAGE, play
from tests.support.process.node import require_node, require_package

NOT_YET = frozenset(listed_not_yet())
MOST_TRIES = 3

TIMED = frozenset({"sse-retry", "elicitation-sep1034-client-defaults"})
"""Scenarios that depend on moments, and are tried again. On a busy machine the first, which measures milliseconds,
finds an answer late, or takes the standing stream for the one that resumes a call. The second sends its question on the
standing stream and drops it where there is none; the bridge holds calls back until that is open, but for a second only.
"""


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
