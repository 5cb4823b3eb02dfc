"""The table of equipment itself, what is skipped and how, and what is printed; nothing is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.wire import chosen, equipment
from tests.wire.chosen import HOW, OTHERS, Spot, spots, why_missing
from tests.wire.equipment import Debian, NodeModules, PyPi, TestEnvironment
from tests.wire.report import add_row, read_rows, summary
from tests.wire.table import all_equipment

ROWS = all_equipment()


def test_the_other_equipment_is_run_by_a_command_of_its_own() -> None:
    if OTHERS:
        pytest.skip(f"{', '.join(row.name for row in OTHERS)}: this equipment is installed and run by {HOW}")


def test_every_version_from_pypi_is_exact() -> None:
    for row in ROWS:
        if isinstance(row.source, PyPi):
            assert [name for name in row.source.packages if "==" not in name] == [], row.name


def test_what_the_plain_test_command_runs_has_nothing_to_install() -> None:
    assert [row.name for row in ROWS if row.quick and not isinstance(row.source, TestEnvironment)] == []


def test_every_door_is_in_the_table_of_doors() -> None:
    told = set(re.findall(r"`([a-z0-9.-]+)`", equipment.__doc__ or ""))
    assert {door for row in ROWS for door in row.doors} <= told


def test_every_idle_limit_is_that_of_a_door() -> None:
    assert [row.name for row in ROWS if not set(row.idle) <= set(row.doors)] == []


def test_a_test_without_equipment_is_skipped_with_the_command_that_runs_it() -> None:
    nginx = next(row for row in ROWS if row.name == "nginx")
    if nginx not in OTHERS:
        pytest.skip("nginx is run here")
    (skipped,) = spots([Spot(nginx, "plain"), Spot(nginx, "tls")]).args[1]
    (mark,) = skipped.marks
    assert mark.kwargs["reason"] == "needs one of nginx: python3 scripts/test.py --wire nginx"


def test_programs_that_are_missing_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "found", lambda program: "")
    monkeypatch.delenv("MCP_BRIDGE_TEST_NODE", raising=False)
    for row in ROWS:
        if isinstance(row.source, Debian):
            reason = why_missing(row)
            assert row.source.programs[0] in reason
            assert f"{HOW} {row.name} installs {' '.join(row.source.packages)}" in reason
        elif isinstance(row.source, NodeModules):
            assert f"{HOW} {row.name}" in why_missing(row)


def test_the_table_has_a_line_a_scene_and_marks_what_must_not_be(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    assert summary(["one", "two"], read_rows(file)) == ""
    add_row(file, {"equipment": "one", "version": "1.0"})
    for holds in (True, False, True):
        add_row(file, {"equipment": "one", "scene": "calls", "door": "plain", "holds": holds})
    for scene in ("calls", "calls", "streams"):
        add_row(file, {"equipment": "two", "scene": scene, "door": "plain", "holds": True})
    heading, rule, calls, streams, _, count, version = summary(["two", "one", "three"], read_rows(file)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in (heading, calls, streams)]
    assert cells == [["scene", "two", "one"], ["calls", "held 2", "NOT 1 of 3"], ["streams", "held", ""]]
    assert set(rule) == {"|", "-"}
    assert (count, version) == ("5 of 6 held.", "one: 1.0")
