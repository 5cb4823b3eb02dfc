"""The user's file of servers: where it is, and how it is read."""

import sys
from pathlib import Path

import pytest

from bridge.documents.reading import BrokenConfig
from bridge.inventory.server_file import read_server_file, server_file_path


def test_it_is_where_it_is_named_else_in_the_folder_of_the_configuration(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    if sys.platform == "linux":
        assert server_file_path(None, environ) == tmp_path / "mcp-remote-bridge" / "config.json"
    assert server_file_path(tmp_path / "x.json", environ) == tmp_path / "x.json"
    assert server_file_path(Path("x.json"), environ) == Path("x.json").absolute()


def test_without_a_home_there_is_none_and_the_working_folder_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.inventory.server_file.config_root", lambda *_: Path("mcp-remote-bridge"))
    assert server_file_path(None, {}) is None
    assert read_server_file(None) is None


@pytest.mark.parametrize(
    "text",
    ['{"mcpServers": {"a": {"url": "u"}}}', '\ufeff{"mcpServers": {"a": {"url": "u",},}, /* x */}// y'],
    ids=["JSON", "comments"],
)
def test_it_is_json_with_or_without_comments(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    file = read_server_file(path)
    assert file is not None
    assert (file.servers, file.defaults, file.has_duplicates) == ({"a": {"url": "u"}}, {}, False)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"x": [{"a": 1, "a": 2,}]}'])
def test_a_name_that_is_there_twice_is_noticed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    file = read_server_file(path)
    assert file is not None
    assert file.has_duplicates


@pytest.mark.parametrize("text", ["", "[]", '{"mcpServers": 1, "defaults": null}'])
def test_a_file_of_another_form_has_no_servers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    file = read_server_file(path)
    assert file is not None
    assert (file.servers, file.defaults) == ({}, {})


def test_a_missing_file_is_none_and_a_broken_one_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    assert read_server_file(path) is None
    path.write_text('{\n "a" 1}')
    with pytest.raises(BrokenConfig) as raised:
        read_server_file(path)
    assert (raised.value.line, raised.value.column, raised.value.why) == (2, 6, "a colon is missing before it")
    path.write_text("[" * 100_000)
    with pytest.raises(BrokenConfig, match="nested too deeply"):
        read_server_file(path)
