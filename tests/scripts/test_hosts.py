"""Which hosts the script runs, and what it tells the tests of them; nothing is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import counterparts, hosts
from scripts.environment import Environment, SetupError
from tests.hosts.host import Host, Npm, TestEnvironment
from tests.hosts.table import all_hosts


def test_all_hosts_are_chosen_where_none_is_named() -> None:
    assert hosts.chosen([]) == all_hosts()
    assert [host.name for host in hosts.chosen(["codex"])] == ["codex"]


def test_an_unknown_host_is_told_with_those_that_are_known() -> None:
    with pytest.raises(SetupError, match=r"No host is called claud\. The hosts are: .*claude-code"):
        hosts.chosen(["claud"])


def test_a_host_that_cannot_be_installed_is_told_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(host: Host, made: Environment) -> Path:
        if isinstance(host.source, Npm):
            raise SetupError("no network\n  here")
        return tmp_path

    monkeypatch.setattr(hosts, "install", install)
    monkeypatch.setattr(hosts, "FOLDER", tmp_path / "hosts")
    monkeypatch.setattr(hosts, "RESULTS", tmp_path / "hosts" / "results.jsonl")
    monkeypatch.setattr(counterparts, "node", lambda made: tmp_path / "node")
    told = hosts.prepare(hosts.chosen(["codex", "mcp-python"]), Environment(tmp_path))
    found = json.loads(told["MCP_BRIDGE_TEST_HOSTS"])
    assert sorted(found["hosts"]) == ["codex", "mcp-python"]
    assert found["missing"] == {"codex": "no network here"}
    assert "Without codex: no network here" in capsys.readouterr().out


def test_a_host_of_the_tests_own_environment_is_where_that_is(tmp_path: Path) -> None:
    (host,) = hosts.chosen(["mcp-python"])
    assert isinstance(host.source, TestEnvironment)
    assert hosts.install(host, Environment(tmp_path)) == tmp_path
