"""The command `migrate`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import migrate_shown
from bridge.cli.migrate_shown import MovedSecrets
from bridge.install import launcher
from bridge.install.launcher import Launcher
from bridge.inventory.host_table import HOSTS_BY_KEY, paths_of
from bridge.migrate.migrated import LastMigration
from bridge.process.user_secrets import read_secret
from bridge.store.paths import platform_paths
from tests.cli.test_config import run

URL = "http://127.0.0.1:9/mcp"
OURS = "/opt/bin/mcp-remote-bridge"
SECRET = "Bearer pl4nted-s3cret"

Write = Callable[[str, str], Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, and a bridge that is installed."""
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "QWEN_HOME", "COPILOT_HOME", "CLINE_DIR", "MCP_REMOTE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(launcher, "find_launcher", lambda here: Launcher(OURS))
    return tmp_path


@pytest.fixture
def write(home: Path) -> Write:
    """Write the first file of a host."""

    def write_file(key: str, text: str) -> Path:
        path = paths_of(HOSTS_BY_KEY[key], sys.platform, {"XDG_CONFIG_HOME": str(home / "config")}, home)[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    return write_file


def entry(*flags: str, **more: Any) -> dict[str, Any]:
    return {"command": "npx", "args": ["-y", "mcp-remote", URL, *flags], **more}


CURSOR = f"""{{
  // my servers
  "mcpServers": {{
    "local": {{"command": "uvx", "args": ["mcp-server-fetch"], "env": {{"API_TOKEN": "n0t-0urs"}}}},
    "team": {{
      "command": "npx", // by npm
      "args": ["-y", "mcp-remote@latest", "{URL}", "--header", "Authorization: {SECRET}", "--debug"],
      "env": {{"A": "b"}},
      "disabled": false,
    }},
    "left": {{"command": "npx", "args": ["mcp-remote", "{URL}", "--disable-cookies"]}},
  }},
}}
"""


def test_an_entry_changes_and_the_rest_of_the_file_stays(
    write: Write, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    path = write("cursor", CURSOR)

    code, out, err = run(capsys, "migrate", "--yes")

    words = f'"{URL}", "--header", "Authorization:keyring:team-authorization", "--log-level", "debug"'
    after = path.read_text()
    assert code == 0, err
    changed = [line for line in after.splitlines() if line not in CURSOR.splitlines()]
    assert "".join("".join(changed).split()) == "".join(f'"command": "{OURS}", // by npm "args": [{words}],'.split())
    assert [line for line in CURSOR.splitlines() if line not in after.splitlines()] == [
        '      "command": "npx", // by npm',
        f'      "args": ["-y", "mcp-remote@latest", "{URL}", "--header", "Authorization: {SECRET}", "--debug"],',
    ]
    assert f"  team (mcp-remote), {URL}\n" in out
    assert "  left (mcp-remote) stays as it is:" in out
    assert "--disable-cookies has no counterpart: the bridge always returns the server's cookies." in out
    assert "--debug" in out
    assert "-> --log-level debug" in out
    assert "A secret of team is stored as team-authorization in " in out
    assert not any(secret in out + err for secret in ("pl4nted-s3cret", "n0t-0urs"))
    assert HOSTS_BY_KEY["cursor"].restart_sentence in out


def test_a_dry_run_changes_nothing(write: Write, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    path = write("cursor", CURSOR)

    code, out, _ = run(capsys, "migrate", "cursor", "--dry-run")

    assert code == 0
    assert "+" in out
    assert path.read_text() == CURSOR
    assert LastMigration(platform_paths()).read() is None
    assert "stored as" not in out


def test_without_a_terminal_nothing_is_written_unasked(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("cursor", CURSOR)

    code, _, err = run(capsys, "migrate")

    assert code == 2
    assert "Add --yes" in err
    assert path.read_text() == CURSOR


def test_the_user_is_asked_for_each_file(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write(key, json.dumps({"mcpServers": {"a": entry()}})) for key in ("cursor", "windsurf")]
    before = [path.read_text() for path in files]
    asked: list[str] = []
    monkeypatch.setattr(migrate_shown, "is_interactive", lambda: True)

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return len(asked) == 2

    monkeypatch.setattr("click.confirm", confirm)

    code, out, _ = run(capsys, "migrate")

    assert code == 0
    assert asked == [f"Write {path}?" for path in files]
    assert [path.read_text() == text for path, text in zip(files, before, strict=True)] == [True, False]
    assert HOSTS_BY_KEY["cursor"].restart_sentence not in out


def test_a_file_that_another_program_writes_meanwhile_is_left(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("cursor", json.dumps({"mcpServers": {"a": entry("--header", f"Authorization: {SECRET}")}}))
    monkeypatch.setattr(migrate_shown, "is_interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda text, **_: path.write_text('{"mcpServers": {}}') > 0)

    code, out, err = run(capsys, "migrate")

    assert code == 1
    assert "changed meanwhile, so nothing was written" in err
    assert path.read_text() == '{"mcpServers": {}}'
    assert "Written" not in out
    assert LastMigration(platform_paths()).read() is None
    assert MovedSecrets().free_name("a-authorization", "another") == "a-authorization"


def test_undo_puts_back_every_byte(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    cursor = write("cursor", CURSOR)
    codex = write("codex", f'# mine\n[mcp_servers.a]\ncommand = "npx" # by npm\nargs = ["mcp-remote", "{URL}"]\n')
    before = [path.read_bytes() for path in (cursor, codex)]

    assert run(capsys, "migrate", "--yes")[0] == 0
    assert [path.read_bytes() for path in (cursor, codex)] != before
    code, out, err = run(capsys, "migrate", "--undo", "--yes")

    assert code == 0, err
    assert [path.read_bytes() for path in (cursor, codex)] == before
    assert "The secret team-authorization was removed" in out
    assert "pl4nted-s3cret" not in out + err
    assert run(capsys, "migrate", "--undo") == (0, "There is nothing to take back.\n", "")


GOOSE = f"""\
# mine
extensions:
  team:  # a server
    type: stdio
    cmd: npx
    args: [-y, mcp-remote, "{URL}"]
    envs: {{}}
    enabled: true
GOOSE_MODE: auto
"""

FILES = {
    "bom": ("cursor", b"\xef\xbb\xbf" + CURSOR.encode()),
    "crlf": ("zed", CURSOR.replace("mcpServers", "context_servers").replace("\n", "\r\n").encode()),
    "yaml": ("goose", GOOSE.encode()),
    "one line": ("gemini", json.dumps({"mcpServers": {"a": entry(), "b": {"command": "x"}}}).encode()),
    "array": ("opencode", json.dumps({"mcp": {"a": {"type": "local", "command": ["mcp-remote", URL]}}}).encode()),
    "projects": (
        "claude-code",
        json.dumps(
            {"numStartups": 5, "projects": {"/a": {"mcpServers": {"x": entry(type="stdio")}}}}, indent=2
        ).encode(),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_any_kind_changes_only_in_its_entry_and_gets_its_bytes_back(
    kind: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    key, content = FILES[kind]
    path = write(key, "")
    path.write_bytes(content)

    code, _, err = run(capsys, "migrate", "--yes")
    assert (code, path.read_bytes() != content) == (0, True), err
    again = run(capsys, "migrate", "--yes")
    assert (again[0], "There is no entry" in again[1] or "stays as it is" in again[1]) == (0, True)
    # What a second run, which finds nothing to change, has to say is not what is undone.
    code, _, err = run(capsys, "migrate", "--undo", "--yes")

    assert (code, path.read_bytes()) == (0, content), err


@pytest.mark.skipif(sys.platform == "win32", reason="links need a permission there")
def test_a_link_stays_a_link(write: Write, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    path = write("cursor", "")
    path.unlink()
    real = home / "dotfiles.json"
    real.write_text(CURSOR)
    path.symlink_to(real)

    assert run(capsys, "migrate", "--yes")[0] == 0

    assert path.is_symlink()
    assert OURS in real.read_text()


def test_two_entries_of_one_name_are_left(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    text = f'{{"mcpServers": {{"a": {json.dumps(entry())}, "a": {json.dumps(entry("--debug"))}}}}}'
    path = write("cursor", text)

    code, _, err = run(capsys, "migrate", "--yes")

    assert code == 1
    assert str(path) in err
    assert path.read_text() == text


def test_undo_in_a_file_that_was_changed_since_puts_back_the_entries(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = entry("--header", f"Authorization: {SECRET}")
    path = write("cursor", json.dumps({"mcpServers": {"a": entry(), "b": secret, "c": entry()}}))
    assert run(capsys, "migrate", "--yes")[0] == 0
    content = json.loads(path.read_text())
    content["mcpServers"]["b"]["args"].append("--silent")
    del content["mcpServers"]["c"]
    content["other"] = True
    path.write_text(json.dumps(content))

    code, _, err = run(capsys, "migrate", "--undo", "--yes")

    assert code == 1
    servers = json.loads(path.read_text())["mcpServers"]
    assert (servers["a"], list(servers)) == (entry(), ["a", "b"])
    assert servers["b"]["args"] == [URL, "--header", "Authorization:keyring:b-authorization", "--silent"]
    assert read_secret("b-authorization") == SECRET
    assert "The entry b of Cursor was changed since" in err
    assert "The entry c of Cursor was changed since" in err
    assert run(capsys, "migrate", "--undo") == (0, "There is nothing to take back.\n", "")


def test_a_file_that_the_user_leaves_can_be_undone_later(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write(key, json.dumps({"mcpServers": {"a": entry()}})) for key in ("cursor", "windsurf")]
    before = [path.read_bytes() for path in files]
    assert run(capsys, "migrate", "--yes")[0] == 0
    monkeypatch.setattr(migrate_shown, "is_interactive", lambda: True)
    monkeypatch.setattr("click.confirm", lambda text, **_: "windsurf" in text)

    assert run(capsys, "migrate", "--undo")[0] == 1
    assert [path.read_bytes() == data for path, data in zip(files, before, strict=True)] == [False, True]
    assert run(capsys, "migrate", "--undo", "--yes")[0] == 0

    assert [path.read_bytes() for path in files] == before


def test_a_dry_undo_changes_nothing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("cursor", CURSOR)
    assert run(capsys, "migrate", "--yes")[0] == 0
    after = path.read_bytes()

    code, _, err = run(capsys, "migrate", "--undo", "--dry-run")

    assert (code, err) == (0, "")
    assert path.read_bytes() == after
    assert run(capsys, "migrate", "--undo", "--yes")[0] == 0


def test_only_the_named_host_is_looked_through(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    cursor, windsurf = (write(key, json.dumps({"mcpServers": {"a": entry()}})) for key in ("cursor", "windsurf"))
    before = windsurf.read_bytes()

    assert run(capsys, "migrate", "cursor", "--yes")[0] == 0

    assert json.loads(cursor.read_text())["mcpServers"]["a"]["command"] == OURS
    assert windsurf.read_bytes() == before


def test_a_broken_file_is_named_and_the_others_are_changed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write("cursor", '{"mcpServers": ')
    good = write("windsurf", json.dumps({"mcpServers": {"a": entry()}}))

    code, _, err = run(capsys, "migrate", "--yes")

    assert code == 1
    assert str(broken) in err
    assert "Traceback" not in err
    assert json.loads(good.read_text())["mcpServers"]["a"]["command"] == OURS
    assert broken.read_text() == '{"mcpServers": '


def test_an_entry_with_which_the_bridge_would_not_start_stays(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("cursor", json.dumps({"mcpServers": {"a": entry("--connect-timeout", "soon")}}))
    before = path.read_bytes()

    code, out, _ = run(capsys, "migrate", "--yes")

    assert code == 0
    assert "The bridge would not start" in out
    assert path.read_bytes() == before


def test_a_variable_that_only_the_host_knows_stays_a_variable(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    header = "Authorization: Bearer ${input:token}"
    path = write("vscode", json.dumps({"servers": {"a": entry("--header", header)}}))

    assert run(capsys, "migrate", "--yes")[0] == 0

    assert json.loads(path.read_text())["servers"]["a"]["args"] == [URL, "--header", header]


def test_remote_entries_are_turned_on_request(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps({"mcpServers": {"a": {"url": URL, "headers": {"Authorization": SECRET}}}})
    path = write("cursor", text)

    _, out, _ = run(capsys, "migrate", "--yes")
    assert "Add --remote" in out
    assert path.read_text() == text
    code, out, err = run(capsys, "migrate", "--remote", "--yes")

    assert code == 0, err
    made = {"command": OURS, "args": [URL, "--header", "Authorization:keyring:a-authorization"]}
    assert json.loads(path.read_text())["mcpServers"]["a"] == made
    assert "pl4nted-s3cret" not in out + err
    assert run(capsys, "migrate", "--undo", "--yes")[0] == 0
    assert path.read_text() == text


SECRET_WORDS = {
    "mcp-remote": [
        URL,
        "--header",
        "X-Api-Key: pl4nted-s3cret",
        "--static-oauth-client-info",
        json.dumps({"client_id": "me", "client_secret": "pl4nted-s3cret"}),
    ],
    "mcp-stdio": [URL, "--bearer-token", "pl4nted-s3cret"],
    "supergateway": ["--sse", URL, "--oauth2Bearer", "pl4nted-s3cret"],
    "mcp-proxy": [URL, "--username", "me", "--password", "pl4nted-s3cret"],
}


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("program", SECRET_WORDS)
def test_no_secret_of_any_program_is_shown(
    program: str, refused: bool, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {"a": {"command": program, "args": [*SECRET_WORDS[program], *(["--help"] if refused else [])]}}
    other = {"command": "x", "args": ["--api-key", "n3ighb0ur"], "env": {"TOKEN": "n3ighb0ur-2"}}
    path = write("cursor", json.dumps({"mcpServers": {**entries, "b": entry(), "c": other}}))

    for words in (["--dry-run"], ["--yes"], ["--undo", "--dry-run"], ["--undo", "--yes"]):
        code, out, err = run(capsys, "migrate", *words)
        assert code == 0, err
        assert "pl4nted-s3cret" not in out + err
        assert "n3ighb0ur" not in out + err
        assert ("pl4nted-s3cret" in path.read_text()) == (refused or words in (["--dry-run"], ["--undo", "--yes"]))


def test_two_secrets_of_one_name_do_not_meet(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for key, secret in (("cursor", "one-secret"), ("windsurf", "two-secret"), ("gemini", "one-secret")):
        write(key, json.dumps({"mcpServers": {"a": entry("--header", f"Authorization: {secret}")}}))

    _, out, _ = run(capsys, "migrate", "--yes")

    assert out.count("is stored as a-authorization in ") == 2
    assert out.count("is stored as a-authorization-2 in ") == 1


def test_undo_takes_no_host(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "migrate", "cursor", "--undo")[0] == 2


def test_an_unknown_host_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "migrate", "cursr")

    assert code == 2
    assert "Did you mean cursor?" in err


def test_nothing_to_move_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "migrate", "zed")

    assert (code, out.splitlines()[0][:30]) == (0, "There is no entry of mcp-remot")
    assert "in the files of Zed" in out
