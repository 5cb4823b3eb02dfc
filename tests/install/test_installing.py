"""Entries written into each host's file in its real shape, and taken out again, on the paths of three systems."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.documents.reading import read_config
from bridge.errors import BridgeError
from bridge.install import installed
from bridge.install.installed import Installed
from bridge.install.installing import (
    PlannedEntry,
    backups,
    entries_in,
    is_here,
    plan_entry,
    plan_removal,
    remove,
    target_paths,
    write,
)
from bridge.inventory.entry_shapes import Launch, read_entry
from bridge.inventory.host_entries import HostFile, read_entries
from bridge.inventory.host_table import HOSTS, HOSTS_BY_KEY, HostRow, project_path
from tests.install.host_files import PLANTED, file_of

URL = "https://mcp.example/mcp"
LAUNCH = Launch("/home/me/.local/bin/mcp-remote-bridge", (URL, "--header", "Authorization: keyring:example"))
CURSOR = HOSTS_BY_KEY["cursor"]
SYSTEMS = ("linux", "darwin", "win32")
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")
each_row = pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.key)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record and the backups are the test's own."""
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "own"))


def install(row: HostRow, path: Path, name: str = "example", launch: Launch = LAUNCH) -> PlannedEntry:
    plan = plan_entry(row, path, name, launch, replaces=False)
    write(plan)
    return plan


def uninstall(row: HostRow, path: Path, name: str = "example") -> None:
    plan = plan_removal(row, path, name)
    assert plan is not None
    assert plan.is_ours
    remove(plan)


def without_entry(row: HostRow, content: Any, name: str = "example") -> Any:
    holder = content
    for member in row.table:
        holder = holder[member]
    del holder[name]
    return content


@pytest.mark.parametrize("system", SYSTEMS)
@each_row
def test_an_entry_goes_into_the_file_of_each_host_and_leaves_the_rest(
    row: HostRow, system: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    [path] = target_paths(row, system, {}, home)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = file_of(row.key)
    path.write_bytes(before.encode())
    assert install(row, path).state == "new"

    [entry] = read_entries([HostFile(row.name, path, row.table)]).entries
    assert (entry.name, entry.arguments) == ("example", LAUNCH.arguments)
    after = path.read_text(encoding="utf-8")
    rest = iter(after)
    assert all(char in rest for char in before), "every character is still there, in its order"
    for line in before.splitlines():
        if "//" in line or "#" in line or "/*" in line:
            assert line in after, "a comment stays with its line"

    uninstall(row, path)
    assert path.read_bytes() == before.encode()


@each_row
def test_a_file_that_was_not_there_is_gone_again(row: HostRow, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    [path] = target_paths(row, "linux", {}, home)
    install(row, path)
    assert read_entry(entries(row, path)["example"]) == LAUNCH
    uninstall(row, path)
    assert list(home.iterdir()) == []


def entries(row: HostRow, path: Path) -> dict[str, Any]:
    value: Any = read_config(path)
    for member in row.table:
        value = value[member]
    return dict(value)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("before", [None, "", "{}", '{"x": 1}\n', '{"mcpServers": {}}'])
def test_two_entries_leave_the_file_as_it_was_in_either_order(
    order: tuple[str, str], before: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "mcp.json"
    if before is not None:
        path.write_text(before)
    install(CURSOR, path, "a")
    install(CURSOR, path, "b")
    for name in order:
        uninstall(CURSOR, path, name)
    assert (path.read_text() if path.exists() else None) == before
    assert installed.load() == Installed()


def test_without_the_backup_the_entry_and_what_was_made_for_it_go(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"x": 1}\n')
    install(CURSOR, path)
    for backup in backups().iterdir():
        backup.unlink()
    uninstall(CURSOR, path)
    assert json.loads(path.read_text()) == {"x": 1}


def test_what_the_user_changed_since_stays(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"x": 1}\n')
    install(CURSOR, path)
    changed = json.loads(path.read_text())
    changed["mcpServers"]["mine"] = {"command": "m"}
    path.write_text(json.dumps(changed))
    uninstall(CURSOR, path)
    assert json.loads(path.read_text()) == {"x": 1, "mcpServers": {"mine": {"command": "m"}}}


def test_a_file_that_we_made_and_others_use_stays(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "mcp.json"
    install(CURSOR, path)
    changed = json.loads(path.read_text())
    path.write_text(json.dumps(changed | {"mine": True}))
    uninstall(CURSOR, path)
    assert json.loads(path.read_text()) == {"mine": True}


def test_the_same_entry_again_is_nothing_to_write(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    install(CURSOR, path)
    before = path.read_bytes()
    plan = install(CURSOR, path)
    assert (plan.state, plan.change) == ("same", None)
    assert path.read_bytes() == before


def test_another_entry_of_that_name_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    old = {"url": "https://old.example", "headers": {"A": PLANTED}, "autoApprove": ["read"], "disabled": False}
    path.write_text(json.dumps({"mcpServers": {"example": old}}))
    assert install(CURSOR, path).state == "other"
    assert json.loads(path.read_text())["mcpServers"]["example"] == old
    plan = plan_entry(CURSOR, path, "example", LAUNCH, replaces=True)
    write(plan)
    assert plan.state == "changed"
    entry = json.loads(path.read_text())["mcpServers"]["example"]
    assert read_entry(entry) == LAUNCH
    assert (entry["autoApprove"], entry["disabled"]) == (["read"], False), "what the user added stays"
    assert not {"url", "headers"} & entry.keys()
    back = plan_removal(CURSOR, path, "example")
    assert back is not None
    assert back.restores
    remove(back)
    assert json.loads(path.read_text())["mcpServers"]["example"] == old


def test_variables_that_the_user_gave_our_entry_stay(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    install(CURSOR, path)
    content = json.loads(path.read_text())
    content["mcpServers"]["example"]["env"] = {"AUTH": PLANTED}
    path.write_text(json.dumps(content))
    assert install(CURSOR, path).state == "same"
    plan = plan_entry(CURSOR, path, "example", Launch("/new/mcp-remote-bridge", (URL,)), replaces=True)
    write(plan)
    assert json.loads(path.read_text())["mcpServers"]["example"]["env"] == {"AUTH": PLANTED}


def test_an_entry_of_another_program_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(file_of("cursor"))
    plan = plan_removal(CURSOR, path, "files")
    assert plan is not None
    assert not plan.is_ours
    assert plan_removal(CURSOR, path, "nothing") is None
    assert entries_in(CURSOR, path) == []


def test_the_secrets_that_an_entry_refers_to_are_known(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    words = (URL, "--header", "A: keyring:example-a", "--client-secret", "keyring:example-client-secret")
    install(CURSOR, path, launch=Launch("mcp-remote-bridge", words))
    plan = plan_removal(CURSOR, path, "example")
    assert plan is not None
    assert plan.secrets == ("example-a", "example-client-secret")


@pytest.mark.parametrize("text", [b'{"mcpServers": {', b"\xff\xfe{", b"[]", b'{"mcpServers": []}'])
def test_a_file_that_is_not_as_it_should_be_stays_as_it_is(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(text)
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        install(CURSOR, path)
    assert path.read_bytes() == text
    assert installed.load() == Installed()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match="cannot be"):
        install(CURSOR, tmp_path / "file" / "sub" / "mcp.json")
    assert installed.load() == Installed()


# -- which files


def test_every_location_of_claude_desktop_that_exists_is_written(tmp_path: Path) -> None:
    row = HOSTS_BY_KEY["claude-desktop"]
    usual = tmp_path / "AppData" / "Roaming" / "Claude"
    package = tmp_path / "AppData/Local/Packages/Claude_x/LocalCache/Roaming/Claude"
    name = "claude_desktop_config.json"
    assert target_paths(row, "win32", {}, tmp_path) == [usual / name], "none exists: the usual one"
    package.mkdir(parents=True)
    assert target_paths(row, "win32", {}, tmp_path) == [package / name]
    usual.mkdir(parents=True)
    assert target_paths(row, "win32", {}, tmp_path) == [usual / name, package / name]


@needs_posix
def test_a_file_that_two_paths_lead_to_is_written_once(tmp_path: Path) -> None:
    row = HOSTS_BY_KEY["cline"]
    folder = tmp_path / ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings"
    folder.mkdir(parents=True)
    other = tmp_path / ".cline/data"
    other.mkdir(parents=True)
    (other / "settings").symlink_to(folder)
    assert len(target_paths(row, "linux", {}, tmp_path)) == 1


def test_a_project_has_its_own_file(tmp_path: Path) -> None:
    assert target_paths(CURSOR, "linux", {}, tmp_path, tmp_path / "p") == [tmp_path / "p" / ".cursor" / "mcp.json"]
    assert target_paths(HOSTS_BY_KEY["windsurf"], "linux", {}, tmp_path, tmp_path) == []


@pytest.mark.parametrize("row", [row for row in HOSTS if row.project], ids=lambda row: row.key)
def test_an_entry_goes_into_the_file_of_a_project(row: HostRow, tmp_path: Path) -> None:
    path = project_path(row, tmp_path)
    assert path is not None
    install(row, path)
    assert entries_in(row, path) == ["example"]
    uninstall(row, path)
    assert not path.exists()


@needs_posix
def test_a_host_is_here_by_its_folder_a_program_or_an_application(tmp_path: Path) -> None:
    home, programs = tmp_path / "home", tmp_path / "bin"
    programs.mkdir()
    home.mkdir()
    environ = {"PATH": str(programs)}
    assert [row.key for row in HOSTS if is_here(row, "linux", environ, home)] == []
    (home / ".cursor").mkdir()
    (home / "Applications" / "Zed.app").mkdir(parents=True)
    (programs / "codex").write_text("")
    (programs / "codex").chmod(0o755)
    assert [row.key for row in HOSTS if is_here(row, "linux", environ, home)] == ["cursor", "codex"]
    assert {"cursor", "zed", "codex"} <= {row.key for row in HOSTS if is_here(row, "darwin", environ, home)}


# -- files as they are found


TEXT = '{\n  "mcpServers": {}\n}\n'


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("  ", "\t").encode(),
        TEXT.strip().encode(),
        b'{"mcpServers":{}}',
        '{"ä": "日本"}'.encode(),
    ],
    ids=["mark", "crlf", "tabs", "no-last-line", "one-line", "letters"],
)
def test_a_file_keeps_its_bytes(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(data)
    install(CURSOR, path)
    after = path.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf") is data.startswith(b"\xef\xbb\xbf")
    assert (b"\r\n" in after) is (b"\r\n" in data)
    if b"\r\n" in data:
        assert after.count(b"\n") == after.count(b"\r\n")
    uninstall(CURSOR, path)
    assert path.read_bytes() == data


@needs_posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, path = tmp_path / "dotfiles.json", tmp_path / "mcp.json"
    real.write_text(TEXT)
    path.symlink_to(real)
    install(CURSOR, path)
    assert path.is_symlink()
    assert entries_in(CURSOR, real) == ["example"]
    uninstall(CURSOR, path)
    assert path.is_symlink()
    assert real.read_text() == TEXT


def test_a_file_that_the_host_writes_at_the_same_moment_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(TEXT)
    plan = plan_entry(CURSOR, path, "example", LAUNCH, replaces=False)
    path.write_text('{"host": "was faster"}')
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        write(plan)
    assert path.read_text() == '{"host": "was faster"}'
    assert installed.load() == Installed()
    path.unlink()
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        write(plan)
    assert not path.exists()


def test_a_name_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    text = '{"mcpServers": {"a": {"command": "mcp-remote-bridge"}, "a": {"command": "y"}}}'
    path.write_text(text)
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        plan_entry(CURSOR, path, "a", LAUNCH, replaces=True)
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        plan_removal(CURSOR, path, "a")
    assert path.read_text() == text


def test_a_file_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(TEXT)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(BridgeError, match=r"mcp\.json"):
        install(CURSOR, path)
    monkeypatch.undo()
    assert path.read_text() == TEXT
    assert [one.name for one in tmp_path.iterdir() if one.name != "own"] == ["mcp.json"]
