"""The table of hosts itself, and what is printed of it; no host is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hosts.host import Entry, Host, Npm, PyPi, Setting, Start
from tests.hosts.report import SCENARIOS, add_row, faults, measurements, outcomes, read_rows
from tests.hosts.table import all_hosts
from tests.hosts.timeline import read_timeline

HOSTS = all_hosts()


def test_every_version_is_exact() -> None:
    for host in HOSTS:
        if isinstance(host.source, Npm):
            assert [name for name in host.source.packages if not name.rpartition("@")[2][:1].isdigit()] == [], host.name
        elif isinstance(host.source, PyPi):
            assert [name for name in host.source.packages if "==" not in name] == [], host.name


def test_rows_that_share_a_folder_install_the_same() -> None:
    for host in HOSTS:
        (owner,) = [other for other in HOSTS if other.name == host.environment] or [host]
        assert owner.source == host.source, host.name


def test_a_host_that_is_run_by_the_plain_test_command_has_nothing_to_install() -> None:
    assert [host.name for host in HOSTS if host.quick and isinstance(host.source, Npm | PyPi)] == []


def test_an_entry_has_variables_only_where_there_are_some() -> None:
    assert Entry("bridge", ("URL",)).as_json() == {"command": "bridge", "args": ["URL"]}
    assert Entry("bridge", (), {"A": "1"}).as_json() == {"command": "bridge", "args": [], "env": {"A": "1"}}


def a_host(name: str) -> Host:
    def start(setting: Setting) -> Start:
        raise AssertionError("no host is started here")

    return Host(name, Npm(("a@1.0.0",)), start, "2025-11-25", "client", 30, True, "never", "output")


def test_the_table_has_a_line_a_host_that_ran_and_marks_what_must_not_be(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    assert outcomes([a_host("one")], read_rows(file)) == ""
    add_row(file, {"host": "one", "scenario": "plain", "what": "called", "seconds": 1.24, "holds": True})
    add_row(file, {"host": "one", "scenario": "dead", "what": "nothing", "seconds": 35.8, "holds": False})
    add_row(file, {"host": "one", "scenario": "patience", "what": "30.0", "holds": True})
    heading, rule, line = outcomes([a_host("one"), a_host("two")], read_rows(file)).splitlines()
    assert [cell.strip() for cell in heading.split("|")[1:-1]] == ["host", *SCENARIOS.values()]
    assert set(rule) == {"|", "-"}
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "one",
        "called, 1 s",
        "",
        "",
        "",
        "",
        "! nothing, 36 s",
        "",
    ]
    assert "30.0" in measurements([a_host("one")], read_rows(file))


def test_the_table_of_faults_has_a_line_a_fault_with_what_became_of_it(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    for way, fault, what in (
        ("as it came", "no name", "nothing"),
        ("mended", "no name", "without it"),
        ("as it came", "empty name", "all"),
        ("mended", "empty name", "all"),
    ):
        add_row(file, {"host": "one", "scenario": fault, "what": what, "holds": True, "way": way})
    _, _, *lines = faults([a_host("one"), a_host("two")], read_rows(file)).splitlines()
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] == [
        ["no name", "nothing → without it"],
        ["empty name", "all"],
    ]
    assert faults([a_host("one")], []) == ""


def test_a_timeline_tells_the_first_message_and_how_long_its_copy_was_kept(tmp_path: Path) -> None:
    params = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "a-host"}}
    notes = [
        {"at": 10.0, "pid": 1, "what": "started", "desktop": {"DISPLAY": ":0"}},
        {"at": 10.1, "pid": 1, "what": "message", "message": {"method": "initialize", "id": 1, "params": params}},
        {"at": 13.0, "pid": 1, "what": "closed"},
        {"at": 13.1, "pid": 2, "what": "started", "desktop": {}},
    ]
    file = tmp_path / "probe.jsonl"
    file.write_text("\n".join(map(json.dumps, notes)))
    seen = read_timeline(file)
    assert (seen.opens_with, seen.client, seen.copies) == ("2025-11-25", "a-host", 2)
    assert seen.passes_desktop
    assert seen.lasted(until=99.0) == pytest.approx(3.0)
    assert "copy 2 started" in seen.told()


def test_a_modern_host_says_who_it_is_in_its_meta(tmp_path: Path) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "a-host"},
    }
    message = {"method": "server/discover", "id": 1, "params": {"_meta": meta}}
    notes = [
        {"at": 1.0, "pid": 1, "what": "started", "desktop": {}},
        {"at": 1.1, "pid": 1, "what": "message", "message": message},
    ]
    file = tmp_path / "probe.jsonl"
    file.write_text("\n".join(map(json.dumps, notes)))
    seen = read_timeline(file)
    assert (seen.opens_with, seen.client) == ("2026-07-28", "a-host")
    assert seen.lasted(until=6.0) == pytest.approx(5.0)


def test_a_copy_that_was_killed_lasted_until_the_next(tmp_path: Path) -> None:
    notes = [
        {"at": 1.0, "pid": 1, "what": "started", "desktop": {}},
        {"at": 6.0, "pid": 2, "what": "started", "desktop": {}},
        {"at": 11.0, "pid": 2, "what": "closed"},
    ]
    file = tmp_path / "probe.jsonl"
    file.write_text("\n".join(map(json.dumps, notes)))
    assert read_timeline(file).lasted(until=99.0) == pytest.approx(5.0)
