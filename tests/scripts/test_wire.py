"""Which equipment the script runs, and what it tells the tests of it; nothing is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import counterparts, wire
from scripts import test as test_script
from scripts.environment import Environment, SetupError
from tests.wire.equipment import Equipment
from tests.wire.table import all_equipment


def test_all_equipment_is_chosen_where_none_is_named() -> None:
    assert wire.chosen([]) == all_equipment()
    assert [row.name for row in wire.chosen(["squid", "nginx"])] == ["nginx", "squid"]


def test_unknown_equipment_is_told_with_what_there_is() -> None:
    with pytest.raises(SetupError, match=r"No equipment is called ngnix\. There is: .*nginx"):
        wire.chosen(["ngnix"])


def test_names_end_where_pytests_arguments_begin() -> None:
    assert test_script.named(["nginx", "squid", "--", "-x", "-k", "tls"]) == (["nginx", "squid"], ["-x", "-k", "tls"])
    assert test_script.named([]) == ([], [])


def test_equipment_that_cannot_be_installed_is_told_and_the_rest_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(row: Equipment) -> None:
        if row.name == "mitmproxy":
            raise SetupError("no network\n  here")

    class Found:
        def variables(self) -> dict[str, str]:
            return {"MCP_BRIDGE_TEST_NODE": "node"}

    monkeypatch.setattr(wire, "install", install)
    monkeypatch.setattr(wire, "FOLDER", tmp_path)
    monkeypatch.setattr(wire, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(counterparts, "counterparts", lambda made: Found())
    told = wire.prepare(wire.chosen(["mitmproxy", "node", "uvicorn"]), Environment(tmp_path))
    assert told["MCP_BRIDGE_TEST_NODE"] == "node"
    said = json.loads(told["MCP_BRIDGE_TEST_WIRE"])
    assert sorted(said["equipment"]) == ["mitmproxy", "node", "uvicorn"]
    assert said["missing"] == {"mitmproxy": "no network here"}
    assert "Without mitmproxy: no network here" in capsys.readouterr().out


def test_services_stay_down_while_packages_are_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(wire, "SERVICES_POLICY", policy)
    with wire.services_stay_down():
        assert "exit 101" in policy.read_text()
    assert not policy.exists()
    policy.write_text("the system's own")
    with wire.services_stay_down():
        assert policy.read_text() == "the system's own"
    assert policy.exists()
