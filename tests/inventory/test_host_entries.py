"""What hosts are configured to run, read from files as they are found on people's machines."""

import json
import sys
from pathlib import Path

import pytest

from bridge.documents import reading
from bridge.inventory.host_entries import Entry, HostFile, host_files, read_entries

URL = "https://mcp.example/mcp"
OWN = {"command": "mcp-remote-bridge", "args": [URL, "--profile", "work"], "env": {"AUTH": "planted-secret"}}


def read(path: Path, text: str | bytes, table: str = "mcpServers") -> list[Entry]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_entries([HostFile("Host", path, (table,))])
    assert found.notes == ()
    return list(found.entries)


def test_an_entry_gives_the_arguments_of_the_bridge_and_its_variables(tmp_path: Path) -> None:
    [entry] = read(tmp_path / "a.json", json.dumps({"mcpServers": {"linear": OWN}}))
    assert (entry.host, entry.name) == ("Host", "linear")
    assert entry.arguments == (URL, "--profile", "work")
    assert entry.environ == {"AUTH": "planted-secret"}
    assert "planted-secret" not in repr(entry)


def test_entries_that_run_something_else_are_left_out(tmp_path: Path) -> None:
    servers = {
        "a": {"command": "npx", "args": ["mcp-remote", URL]},
        "b": {"url": URL},
        "c": "mcp-remote-bridge",
        "d": {"command": ["mcp-remote-bridge", 1], "args": []},
        "e": {"command": "mcp-remote-bridge", "args": URL},
        "f": {"command": "mcp-remote-bridge", "args": [1]},
        "g": {"command": "mcp-remote-bridge", "args": ["status"]},
        "h": None,
    }
    (tmp_path / "a.json").write_text(json.dumps({"mcpServers": servers}))
    found = read_entries([HostFile("Host", tmp_path / "a.json")])
    assert found.entries == ()
    others = [(other.name, other.program, other.url) for other in found.others]
    assert others == [("a", "mcp-remote", URL), ("b", "", URL), ("g", "mcp-remote-bridge", "")]


@pytest.mark.parametrize(
    ("entry", "program", "url"),
    [
        ({"url": URL, "type": "http"}, "", URL),
        ({"serverUrl": URL}, "", URL),
        ({"httpUrl": URL}, "", URL),
        ({"url": "${input:url}"}, None, ""),
        ({"command": "npx", "args": ["-y", "mcp-remote@latest", URL, "--header", "A: planted"]}, "mcp-remote", URL),
        ({"command": "cmd", "args": ["/c", "npx", "mcp-remote", URL]}, "mcp-remote", URL),
        ({"command": "C:\\tools\\mcp-remote.cmd", "args": [URL]}, "mcp-remote", URL),
        ({"command": "npx", "args": ["mcp-remote"], "env": {"URL": URL}}, "mcp-remote", ""),
        ({"command": "/usr/bin/node", "args": ["server.js", "--key", "planted"]}, "node", ""),
    ],
)
def test_what_else_an_entry_is_is_kept_without_its_arguments(
    tmp_path: Path, entry: object, program: str | None, url: str
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"mcpServers": {"n": entry}}))
    others = read_entries([HostFile("Host", tmp_path / "a.json")]).others
    assert [(other.program, other.url) for other in others] == ([] if program is None else [(program, url)])
    assert "planted" not in repr(others)


def test_an_entry_may_leave_arguments_and_variables_out(tmp_path: Path) -> None:
    entry = {"command": "mcp-remote-bridge", "args": None, "env": {"MCP_BRIDGE_URL": URL, "N": 1}}
    [found] = read(tmp_path / "a.json", json.dumps({"mcpServers": {"n": entry}}))
    assert (found.arguments, found.environ) == ((), {"MCP_BRIDGE_URL": URL})


@pytest.mark.parametrize(
    ("table", "servers"),
    [
        ("servers", {"n": {"type": "stdio", **OWN}}),
        ("context_servers", {"n": {"source": "custom", **OWN}}),
        ("context_servers", {"n": {"command": {"path": "mcp-remote-bridge", "args": OWN["args"], "env": OWN["env"]}}}),
    ],
    ids=["vscode", "zed", "older-zed"],
)
def test_each_host_has_its_own_table(tmp_path: Path, table: str, servers: object) -> None:
    [entry] = read(tmp_path / "a.json", json.dumps({table: servers, "mcpServers": {"other": OWN}}), table)
    assert (entry.name, entry.arguments[0], entry.environ["AUTH"]) == ("n", URL, "planted-secret")


def test_comments_and_last_commas_are_read_over(tmp_path: Path) -> None:
    text = """
    // settings
    {
      "theme": "a // no comment, /* nor this */",
      "context_servers": {
        /* "old": {"command": "mcp-remote-bridge", "args": ["https://old.example"]}, */
        "n": {"command": "mcp-remote-bridge", "args": ["%s",],}, // there
      },
    }"""
    [entry] = read(tmp_path / "settings.json", text % URL, "context_servers")
    assert (entry.name, entry.arguments) == ("n", (URL,))


def test_toml_is_read(tmp_path: Path) -> None:
    text = f'model = "x"\n[mcp_servers.n]\ncommand = "mcp-remote-bridge"\nargs = ["{URL}"]\nenv = {{ A = "b" }}\n'
    [entry] = read(tmp_path / "config.toml", text, "mcp_servers")
    assert (entry.name, entry.arguments, entry.environ) == ("n", (URL,), {"A": "b"})


def test_the_projects_of_claude_code_count(tmp_path: Path) -> None:
    projects = {"/a": {"mcpServers": {"mine": OWN}}, "/b": {"history": []}, "/c": None}
    found = read(tmp_path / ".claude.json", json.dumps({"mcpServers": {"all": OWN}, "projects": projects}))
    assert [entry.name for entry in found] == ["all", "mine"]


@pytest.mark.parametrize(
    "text",
    [b"", b"  \n", b"[]", b"null", b'{"mcpServers": []}', b'{"mcpServers": null}', b'{"projects": []}'],
)
def test_a_file_without_servers_has_no_entries(tmp_path: Path, text: bytes) -> None:
    assert read(tmp_path / "a.json", text) == []


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    assert len(read(tmp_path / "a.json", b"\xef\xbb\xbf" + json.dumps({"mcpServers": {"n": OWN}}).encode())) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b'{"mcpServers": {'),
        ("a.json", b'{"a": /* never closed }'),
        ("a.json", b"\xff\xfe{}"),
        ("a.json", b"[" * 100_000),
        ("a.toml", b"[mcp_servers"),
    ],
    ids=["cut", "comment", "not-utf8", "deep", "toml"],
)
def test_a_broken_file_is_a_note_and_the_others_are_read(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.json").write_text(json.dumps({"mcpServers": {"n": OWN}}))
    found = read_entries([HostFile("Broken", tmp_path / name), HostFile("Good", tmp_path / "good.json")])
    assert [entry.name for entry in found.entries] == ["n"]
    [note] = found.notes
    assert "Broken" in note
    assert str(tmp_path / name) in note


@pytest.mark.parametrize(
    "changes",
    [{"args": ["https://x.example/", "--header-file", "a\0b"]}, {"env": {"A": "\0"}}],
    ids=["word", "variable"],
)
def test_an_entry_that_no_system_would_start_is_none(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"mcpServers": {"n": OWN, "nul": OWN | changes}}))
    assert [entry.name for entry in read_entries([HostFile("Host", tmp_path / "a.json")]).entries] == ["n"]


def test_a_folder_in_the_place_of_a_file_is_a_note(tmp_path: Path) -> None:
    assert len(read_entries([HostFile("Host", tmp_path)]).notes) == 1


def test_a_file_that_is_too_large_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 10)
    (tmp_path / "a.json").write_bytes(b" " * 11)
    assert len(read_entries([HostFile("Host", tmp_path / "a.json")]).notes) == 1


def test_a_file_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    found = read_entries([HostFile("Host", tmp_path / "no" / "a.json")])
    assert (found.entries, found.notes) == ((), ())


def paths(platform: str, home: Path, environ: dict[str, str]) -> set[str]:
    return {file.path.relative_to(home).as_posix() for file in host_files(platform, environ, home)}


def test_where_linux_keeps_them(tmp_path: Path) -> None:
    assert paths("linux", tmp_path, {}) >= {
        *(".config/Claude/claude_desktop_config.json", ".claude.json", ".cursor/mcp.json"),
        *(".config/Code/User/mcp.json", ".config/Code - Insiders/User/mcp.json", ".copilot/mcp-config.json"),
        *(".codeium/windsurf/mcp_config.json", ".codex/config.toml", ".gemini/settings.json"),
        *(".config/zed/settings.json", ".config/goose/config.yaml", ".config/opencode/opencode.json"),
    }


def test_variables_move_them(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "conf"), "CODEX_HOME": str(tmp_path / "cx")}
    found = paths("linux", tmp_path, environ)
    assert {"conf/Claude/claude_desktop_config.json", "conf/zed/settings.json", "cx/config.toml"} <= found


def test_where_macos_keeps_them(tmp_path: Path) -> None:
    found = paths("darwin", tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "conf")})
    folder = "Library/Application Support"
    assert {f"{folder}/Claude/claude_desktop_config.json", f"{folder}/Code/User/mcp.json"} <= found
    assert ".config/zed/settings.json" in found


def test_where_windows_keeps_them_with_the_package_of_claude(tmp_path: Path) -> None:
    roaming, local = tmp_path / "Roaming", tmp_path / "Local"
    package = local / "Packages" / "Claude_abc123" / "LocalCache" / "Roaming" / "Claude"
    package.mkdir(parents=True)
    found = paths("win32", tmp_path, {"APPDATA": str(roaming), "LOCALAPPDATA": str(local)})
    assert {"Roaming/Claude/claude_desktop_config.json", "Roaming/Code/User/mcp.json"} <= found
    assert "Local/Packages/Claude_abc123/LocalCache/Roaming/Claude/claude_desktop_config.json" in found
    assert "Roaming/Zed/settings.json" in found
    assert ".cursor/mcp.json" in found


def test_nothing_of_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {"n": OWN}}))
    assert read_entries(host_files(sys.platform, {}, tmp_path / "home")).entries == ()
