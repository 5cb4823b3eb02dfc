"""The catalogue says what the pinned suite has, and the list of what does not hold yet names runs of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.catalogue import EXTENSION, EXTENSIONS, HOSTS, LAST_LEGACY, SCENARIOS, Run, listed_not_yet, runs
from tests.conformance.suite import ENTRY, PACKAGE, judge
from tests.support.process.node import require_node, require_package
from tests.support.waits import stretched

LIST_DEADLINE = 30.0

# What the relay was built to hold. It may not go on the list, whatever else has to.
FLOOR = (
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "json-schema-2020-12-preservation",
)


def test_not_yet_names_runs_of_the_catalogue() -> None:
    known = {str(run) for run in runs()}
    assert [line for line in listed_not_yet() if line not in known] == []


def test_not_yet_names_none_twice() -> None:
    assert [line for line, count in Counter(listed_not_yet()).items() if count > 1] == []


@pytest.mark.parametrize("scenario", FLOOR)
def test_not_yet_never_takes_in_what_the_relay_holds(scenario: str) -> None:
    run = Run(LAST_LEGACY, "legacy", scenario)
    assert run in runs()
    assert str(run) not in listed_not_yet()


def test_catalogue_is_the_installed_suites() -> None:
    command = [str(require_node()), str(require_package(PACKAGE, ENTRY)), "list", "--client"]
    listing = subprocess.run(command, capture_output=True, text=True, timeout=stretched(LIST_DEADLINE), check=True)
    found = re.findall(r"^\s+- (\S+) \[(\S+)\]$", listing.stdout, re.MULTILINE)
    offered = {name: frozenset(revisions.split(",")) & HOSTS.keys() for name, revisions in found}
    # An extension's bracket says so instead of naming revisions, so nothing of it is left here.
    assert {name: revisions for name, revisions in offered.items() if revisions} == SCENARIOS
    assert {name for name, revisions in found if revisions == EXTENSION} >= set(EXTENSIONS)


def written(results: Path, *statuses: str) -> Path:
    """Write what the suite would have written for checks of these statuses."""
    place = results / "scenario-then"
    place.mkdir()
    checks = [{"id": f"check-{n}", "status": said, "description": "why"} for n, said in enumerate(statuses)]
    (place / "checks.json").write_text(json.dumps(checks))
    (place / "stderr.txt").write_text("host: a reason")
    return results


def test_a_run_without_checks_was_not_judged(tmp_path: Path) -> None:
    outcome = judge(0, tmp_path, "SKIPPED: not applicable")
    assert not outcome.judged
    assert not outcome.held
    assert "SKIPPED" in outcome.report


def test_a_run_with_no_successful_check_did_not_hold(tmp_path: Path) -> None:
    assert not judge(0, written(tmp_path, "INFO", "SKIPPED"), "").held


def test_a_run_holds_by_exit_code_and_success(tmp_path: Path) -> None:
    assert judge(0, written(tmp_path, "INFO", "SUCCESS"), "").held


def test_a_fall_tells_the_checks_and_the_last_words(tmp_path: Path) -> None:
    outcome = judge(1, written(tmp_path, "SUCCESS", "FAILURE"), "")
    assert outcome.judged
    assert not outcome.held
    assert "FAILURE check-1: why" in outcome.report
    assert "host: a reason" in outcome.report
