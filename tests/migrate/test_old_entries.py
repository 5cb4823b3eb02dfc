"""Which entries of a host's file are moved over, and what changes in them."""

import copy
from pathlib import Path
from typing import Any

import pytest

from bridge.inventory.entry_shapes import Launch, read_entry
from bridge.inventory.host_entries import HostFile
from bridge.inventory.host_table import HOSTS_BY_KEY
from bridge.migrate.old_entries import REMOTE, MemberEdit, OldEntry, edits, old_entries, secrets_in

URL = "https://mcp.example/mcp"
OURS = "/opt/mcp-remote-bridge"


def file_of(key: str) -> HostFile:
    row = HOSTS_BY_KEY[key]
    return HostFile(row.name, Path("/config"), row.table, key)


def found(key: str, content: object, *, remote: bool = False) -> list[OldEntry]:
    return list(old_entries(file_of(key), content, lambda path: "{}", "linux", remote=remote))


def changed(content: dict[str, Any], made: list[MemberEdit]) -> dict[str, Any]:
    """The content after these edits, which name no member that is not there to be removed."""
    after = copy.deepcopy(content)
    for edit in made:
        holder = after
        for member in edit.place[:-1]:
            holder = holder[member]
        if edit.is_removed:
            del holder[edit.place[-1]]
        else:
            holder[edit.place[-1]] = edit.value
    return after


def after(key: str, content: dict[str, Any], *, remote: bool = False) -> dict[str, Any]:
    [entry] = found(key, content, remote=remote)
    assert entry.reasons == ()
    assert entry.translation is not None
    words = entry.translation.with_references(["keyring:x"] * len(entry.translation.secrets))
    return changed(content, edits(entry, OURS, words))


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "claude-desktop": (
        {"mcpServers": {"a": {"command": "npx", "args": ["mcp-remote", URL], "env": {"A": "b"}, "x": 1}}},
        {"mcpServers": {"a": {"command": OURS, "args": [URL], "env": {"A": "b"}, "x": 1}}},
    ),
    "vscode": (
        {"servers": {"a": {"type": "stdio", "command": "cmd", "args": ["/c", "npx", "mcp-remote", URL]}}, "inputs": []},
        {"servers": {"a": {"type": "stdio", "command": OURS, "args": [URL]}}, "inputs": []},
    ),
    "codex": (
        {"mcp_servers": {"a": {"args": ["mcp-remote", URL], "command": "npx", "startup_timeout_sec": 60}}},
        {"mcp_servers": {"a": {"args": [URL], "command": OURS, "startup_timeout_sec": 60}}},
    ),
    "goose": (
        {"extensions": {"a": {"name": "a", "cmd": "npx", "args": ["mcp-remote", URL], "envs": {}, "enabled": True}}},
        {"extensions": {"a": {"name": "a", "cmd": OURS, "args": [URL], "envs": {}, "enabled": True}}},
    ),
    "opencode": (
        {"mcp": {"a": {"type": "local", "command": ["npx", "-y", "mcp-remote", URL], "environment": {"A": "b"}}}},
        {"mcp": {"a": {"type": "local", "command": [OURS, URL], "environment": {"A": "b"}}}},
    ),
    "zed": (
        {"context_servers": {"a": {"source": "custom", "command": {"path": "npx", "args": ["mcp-remote", URL]}}}},
        {"context_servers": {"a": {"source": "custom", "command": {"path": OURS, "args": [URL]}}}},
    ),
    "cursor": (
        {"mcpServers": {"a": {"command": "mcp-proxy", "env": {"SSE_URL": URL}}}},
        {"mcpServers": {"a": {"command": OURS, "env": {"SSE_URL": URL}, "args": [URL, "--transport", "sse"]}}},
    ),
}


@pytest.mark.parametrize("key", SHAPES)
def test_only_the_command_and_the_arguments_change(key: str) -> None:
    before, expected = SHAPES[key]

    made = after(key, before)

    assert made == expected
    assert [list(entry) for entry in _tables(made)] == [list(entry) for entry in _tables(expected)]


def test_the_projects_of_claude_code_are_looked_through() -> None:
    content = {
        "mcpServers": {},
        "projects": {"/home/me/project": {"mcpServers": {"x": {"command": "mcp-remote", "args": [URL]}}}},
    }

    [entry] = found("claude-code", content)

    assert entry.place == ("projects", "/home/me/project", "mcpServers", "x")


def test_entries_of_other_programs_are_not_touched() -> None:
    content = {
        "mcpServers": {
            "ours": {"command": "mcp-remote-bridge", "args": [URL]},
            "local": {"command": "uvx", "args": ["mcp-server-fetch"]},
            "remote": {"url": URL},
            "broken": 5,
            "empty": {},
        }
    }

    assert found("cursor", content) == []


def test_an_entry_that_cannot_be_turned_has_its_reasons() -> None:
    content = {
        "mcpServers": {
            "a": {"command": "npx", "args": ["mcp-remote", URL, "--disable-cookies"]},
            "b": {"command": "sh", "args": ["-c", f"npx mcp-remote {URL}"]},
        }
    }

    first, second = found("cursor", content)

    assert first.reasons == ("--disable-cookies has no counterpart: the bridge always returns the server's cookies.",)
    assert second.translation is None
    assert second.reasons == ("sh runs mcp-remote here, and what sh does besides cannot be read from the entry.",)


REMOTES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cursor": (
        {"mcpServers": {"a": {"url": URL, "headers": {"Authorization": "Bearer abc", "X-Team": "blue"}, "x": 1}}},
        {"command": OURS, "args": [URL, "--header", "Authorization:keyring:x", "--header", "X-Team: blue"], "x": 1},
    ),
    "windsurf": (
        {"mcpServers": {"a": {"serverUrl": URL, "disabled": False}}},
        {"command": OURS, "args": [URL], "disabled": False},
    ),
    "gemini": ({"mcpServers": {"a": {"httpUrl": URL, "timeout": 5}}}, {"command": OURS, "args": [URL], "timeout": 5}),
    "vscode": (
        {"servers": {"a": {"type": "http", "url": URL}}},
        {"type": "stdio", "command": OURS, "args": [URL]},
    ),
    "claude-code": (
        {"mcpServers": {"a": {"type": "sse", "url": URL}}},
        {"type": "stdio", "command": OURS, "args": [URL, "--transport", "sse"]},
    ),
    "opencode": (
        {"mcp": {"a": {"type": "remote", "url": URL, "enabled": False}}},
        {"type": "local", "command": [OURS, URL], "enabled": False},
    ),
    "goose": (
        {"extensions": {"a": {"type": "streamable_http", "uri": URL, "name": "mine", "enabled": False, "timeout": 9}}},
        {"type": "stdio", "cmd": OURS, "args": [URL], "name": "mine", "enabled": False, "timeout": 9},
    ),
    "codex": (
        {"mcp_servers": {"a": {"url": URL, "http_headers": {"X-Team": "blue"}}}},
        {"command": OURS, "args": [URL, "--header", "X-Team: blue"]},
    ),
}


@pytest.mark.parametrize("key", REMOTES)
def test_an_entry_of_the_hosts_own_becomes_a_program_on_request(key: str) -> None:
    content, expected = REMOTES[key]

    [entry] = _tables(after(key, content, remote=True))

    assert entry == expected
    assert isinstance(read_entry(entry), Launch)
    assert found(key, content) == []


def test_an_entry_with_settings_for_oauth_of_the_hosts_own_stays() -> None:
    [entry] = found("cursor", {"mcpServers": {"a": {"url": URL, "oauth": {"clientId": "x"}}}}, remote=True)

    assert entry.program == REMOTE
    assert len(entry.reasons) == 1


def test_the_secrets_in_the_entries_of_a_file_are_known() -> None:
    content = {
        "mcpServers": {
            "a": {"command": "mcp-stdio", "args": [URL, "--bearer-token", "one"]},
            "b": {"url": URL, "headers": {"Authorization": "two"}, "env": {"X": "not a program"}},
            "env": {"command": "other", "env": {"API_KEY": "seven", "LEVEL": "info", "DATABASE": "postgres://me:pw@h"}},
            "c": {"command": "other", "args": ["--api-key", "three", "--token=four", "--header", "X-Api-Key: five"]},
            "d": {"command": "other", "args": ["--verbose", URL, "--name", "plain", "--token", "--other"]},
        },
        "projects": {"/x": {"mcpServers": {"e": {"command": ["other", "--password", "six"]}}}},
    }

    assert set(secrets_in(content)) == {
        "one",
        "Bearer one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "postgres://me:pw@h",
    }


def test_no_secret_is_in_the_repr() -> None:
    content = {"mcpServers": {"a": {"command": "mcp-remote", "args": [URL, "--header", "Authorization: hush"]}}}
    [entry] = found("cursor", content)

    assert "hush" not in repr(entry)
    assert "hush" not in repr(edits(entry, OURS, (URL, "hush")))


def _tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    table: Any = next(value for value in content.values() if isinstance(value, dict))
    return list(table.values())
