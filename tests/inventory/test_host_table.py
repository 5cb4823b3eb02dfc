"""The table of hosts: each row on each system, and where a path leads."""

from pathlib import Path

import pytest

from bridge.inventory.host_table import HOSTS, HOSTS_BY_KEY, HostRow, paths_of, project_path

SYSTEMS = ("linux", "darwin", "win32")
each_row = pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.key)


@each_row
def test_every_path_is_below_the_home_and_has_nothing_left_to_replace(row: HostRow, tmp_path: Path) -> None:
    (tmp_path / "AppData/Local/Packages/Claude_a/LocalCache/Roaming/Claude").mkdir(parents=True)
    found = {system: paths_of(row, system, {}, tmp_path) for system in SYSTEMS}
    assert [system for system, paths in found.items() if not paths] == []
    every = [(system, path) for system, paths in found.items() for path in paths]
    assert [each for each in every if not each[1].is_relative_to(tmp_path)] == []
    assert [each for each in every if set(str(each[1].relative_to(tmp_path))) & set("${}*~")] == []
    assert [each for each in every if each[1].suffix not in {".json", ".jsonc", ".toml", ".yaml"}] == []


@each_row
def test_a_row_tells_its_source_and_what_to_do_afterwards(row: HostRow) -> None:
    assert row.source
    assert row.restart_sentence.endswith(".")
    assert "{" not in row.restart_sentence
    assert HOSTS_BY_KEY[row.key] is row


def test_no_two_hosts_share_a_file_of_the_user(tmp_path: Path) -> None:
    for system in SYSTEMS:
        found = [path for row in HOSTS for path in paths_of(row, system, {}, tmp_path)]
        assert len(found) == len(set(found))


def test_a_variable_moves_a_file(tmp_path: Path) -> None:
    codex = HOSTS_BY_KEY["codex"]
    assert paths_of(codex, "linux", {"CODEX_HOME": str(tmp_path)}, Path("/h")) == [tmp_path / "config.toml"]
    assert paths_of(codex, "linux", {"CODEX_HOME": ""}, tmp_path) == [tmp_path / ".codex" / "config.toml"]


def test_of_several_files_the_one_that_exists_counts(tmp_path: Path) -> None:
    opencode, folder = HOSTS_BY_KEY["opencode"], tmp_path / ".config" / "opencode"
    assert paths_of(opencode, "linux", {}, tmp_path) == [folder / "opencode.json"]
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{}")
    assert paths_of(opencode, "linux", {}, tmp_path) == [folder / "opencode.jsonc"]
    (folder / "opencode.json").write_text("{}")
    assert paths_of(opencode, "linux", {}, tmp_path) == [folder / "opencode.json"]


def test_of_several_folders_the_one_that_exists_counts(tmp_path: Path) -> None:
    studio = HOSTS_BY_KEY["lm-studio"]
    assert paths_of(studio, "darwin", {}, tmp_path) == [tmp_path / ".lmstudio" / "mcp.json"]
    (tmp_path / ".cache" / "lm-studio").mkdir(parents=True)
    assert paths_of(studio, "darwin", {}, tmp_path) == [tmp_path / ".cache" / "lm-studio" / "mcp.json"]


def test_the_packages_of_claude_are_found_by_their_folder(tmp_path: Path) -> None:
    claude, home = HOSTS_BY_KEY["claude-desktop"], tmp_path / "a [b]"
    usual = home / "AppData" / "Roaming" / "Claude" / "claude_desktop_config.json"
    assert paths_of(claude, "win32", {}, home) == [usual]
    packages = home / "AppData" / "Local" / "Packages"
    for name in ("Claude_b", "Claude_a", "Other_a"):
        (packages / name / "LocalCache" / "Roaming" / "Claude").mkdir(parents=True)
    of_packages = [
        packages / name / "LocalCache" / "Roaming" / "Claude" / usual.name for name in ("Claude_a", "Claude_b")
    ]
    assert paths_of(claude, "win32", {}, home) == [usual, *of_packages]


def test_a_project_has_a_file_of_its_own_where_the_host_reads_one(tmp_path: Path) -> None:
    assert project_path(HOSTS_BY_KEY["claude-code"], tmp_path) == tmp_path / ".mcp.json"
    assert project_path(HOSTS_BY_KEY["opencode"], tmp_path) == tmp_path / "opencode.json"
    assert project_path(HOSTS_BY_KEY["claude-desktop"], tmp_path) is None


@each_row
def test_any_text_becomes_a_name_that_the_host_takes(row: HostRow) -> None:
    texts = ["linear", "Meine Läden!", "a_b", "--", "", "x" * 200, "_a-", "a\nb"]
    assert [text for text in texts if not row.may_be_named(row.name_from(text))] == []
    assert row.name_from("linear") == "linear"
    assert not row.may_be_named("a b")
    assert not row.may_be_named("a\n")
