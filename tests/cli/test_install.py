"""The commands `install`, `uninstall` and `hosts`, in process, with files of hosts in a home of the test's own."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

from bridge.cli import host_choice
from bridge.cli.main import main
from bridge.install import launcher, server_trial
from bridge.install.launcher import Launcher
from bridge.install.server_trial import Trial
from bridge.process import user_secrets
from tests.cli.config_files import write_file
from tests.install.host_files import PLANTED, file_of
from tests.registry.documents import document, encoded, remote

URL = "https://mcp.linear.example/mcp"
SECRET = "Bearer s3cret-of-the-user"
PROGRAM = "/home/me/.local/bin/mcp-remote-bridge"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the home of these tests is one of Linux")

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Cursor and Claude Desktop in it, on Linux, and no keyboard."""
    home = tmp_path / "home"
    for name in [name for name in os.environ if name.startswith(("XDG_", "MCP_BRIDGE_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor" / "mcp.json").write_text(file_of("cursor"), encoding="utf-8")
    (home / ".config" / "Claude").mkdir(parents=True)
    monkeypatch.setattr(launcher, "find_launcher", lambda _: Launcher(PROGRAM))
    monkeypatch.setattr("bridge.cli.install.find_launcher", lambda _: Launcher(PROGRAM))
    monkeypatch.setattr(host_choice, "is_interactive", lambda: False)
    return home


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; no secret may be in what it says."""

    def runs(*words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        assert PLANTED not in out + err
        assert SECRET not in out + err
        return ended.value.code, out, err

    return runs


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The secrets by name, instead of a keyring."""
    kept: dict[str, str] = {}

    def save(name: str, value: str, **_: object) -> str:
        kept[name] = value
        return "the system keyring"

    monkeypatch.setattr(user_secrets, "save_secret", save)
    monkeypatch.setattr(user_secrets, "has_secret", lambda name: name in kept)
    monkeypatch.setattr(user_secrets, "read_secret", kept.get)
    monkeypatch.setattr(user_secrets, "free_name", lambda base: base if base not in kept else f"{base}-2")
    return kept


def answers(monkeypatch: pytest.MonkeyPatch, verdict: server_trial.Verdict, said: str = "It says.") -> None:
    async def trial(_: object) -> Trial:
        return Trial(verdict, said)

    monkeypatch.setattr(server_trial, "try_server", trial)


def types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> Iterator[str]:
    """The user types these lines at a terminal."""
    left = iter(lines)
    for place in ("bridge.cli.host_choice", "bridge.cli.install"):
        monkeypatch.setattr(f"{place}.is_interactive", lambda: True)
    monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _="": next(left))
    return left


def servers(path: Path, table: str = "mcpServers") -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))[table])


def test_one_command_puts_a_server_into_a_host(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "works", "It answers.")
    code, out, err = run("install", "cursor", URL, "--yes")
    assert (code, err) == (0, "")
    file = home / ".cursor" / "mcp.json"
    assert servers(file)["linear"] == {"command": PROGRAM, "args": [URL]}
    lines = out.splitlines()
    assert lines[0] == "It answers."
    assert f'+      "command": "{PROGRAM}",' in lines
    assert f"Cursor has the server linear now ({file})." in out
    assert lines[-1] == "In the settings of Cursor, under MCP, turn the server on, or open Cursor again."
    [backup] = (home / ".config" / "mcp-remote-bridge" / "backups").iterdir()
    assert backup.read_text(encoding="utf-8") == file_of("cursor")

    code, out, _ = run("install", "cursor", URL, "--yes")
    assert (code, "linear is in Cursor already" in out) == (0, True)

    code, out, _ = run("uninstall", "cursor", "linear", "--yes")
    assert code == 0
    assert file.read_text(encoding="utf-8") == file_of("cursor")
    assert "Cursor has no server linear any more" in out


def test_a_dry_run_writes_nothing_and_asks_no_server(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "failed")
    before = sorted(home.rglob("*"))
    code, out, _ = run("install", "cursor", URL, "--dry-run")
    assert code == 0
    assert f'+      "args": ["{URL}"]' in out
    assert sorted(home.rglob("*")) == before
    assert (home / ".cursor" / "mcp.json").read_text() == file_of("cursor")


def test_without_a_keyboard_and_without_yes_nothing_is_written(run: Run, home: Path) -> None:
    code, out, err = run("install", "cursor", URL, "--no-try")
    assert (code, "+++" in out) == (2, True)
    assert "cannot be asked here. Add --yes" in err
    assert (home / ".cursor" / "mcp.json").read_text() == file_of("cursor")


@pytest.mark.parametrize(("answer", "is_written"), [("y", True), ("n", False)])
def test_the_user_is_asked_after_the_change_was_shown(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, is_written: bool
) -> None:
    types(monkeypatch, answer)
    code, _, _ = run("install", "cursor", URL, "--no-try")
    assert code == (0 if is_written else 1)
    assert ("linear" in servers(home / ".cursor" / "mcp.json")) is is_written


def test_without_a_host_the_user_chooses_one_by_its_number(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, "1", "y")
    code, _, err = run("install", URL, "--no-try")
    assert code == 0
    assert "1  Claude Desktop\n  2  Cursor\n  3  all of them" in err
    assert "linear" in servers(home / ".config" / "Claude" / "claude_desktop_config.json")


def test_without_a_host_and_a_keyboard_the_hosts_are_listed(run: Run) -> None:
    code, _, err = run("install", URL, "--no-try")
    assert code == 2
    assert "On this machine there are: claude-desktop, cursor." in err


def test_all_hosts_get_the_server_and_a_broken_file_stops_only_itself(run: Run, home: Path) -> None:
    (home / ".cursor" / "mcp.json").write_text("{broken")
    code, out, err = run("install", "--all", URL, "--no-try", "--yes")
    assert code == 1
    assert str(home / ".cursor" / "mcp.json") in err
    assert "linear" in servers(home / ".config" / "Claude" / "claude_desktop_config.json")
    assert (home / ".cursor" / "mcp.json").read_text() == "{broken"
    assert "Claude Desktop has the server linear now" in out


def test_another_entry_of_that_name_is_left_alone(run: Run, home: Path) -> None:
    code, _, err = run("install", "cursor", URL, "--name", "files", "--no-try", "--yes")
    assert code == 2
    assert "Cursor has another entry with the name 'files'" in err
    assert "Add --replace" in err
    assert (home / ".cursor" / "mcp.json").read_text() == file_of("cursor")
    assert run("install", "cursor", URL, "--name", "files", "--no-try", "--yes", "--replace")[0] == 0
    assert servers(home / ".cursor" / "mcp.json")["files"]["args"] == [URL]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "cursr", URL), "Did you mean cursor?"),
        (("install",), "install takes a host and a server."),
        (("install", "cursor"), "Name the server too."),
        (("install", "cursor", URL, "more"), "install takes a host and a server."),
        (("install", "cursor", URL, "--name", "a b"), "Use 'a-b'."),
        (("install", "cursor", "https://u:pw@x.example/"), "contains a user name or password"),
        (("install", "cursor", "https://x.example/mcp?api_key=abc"), "the parameter 'api_key', which looks like"),
        (("install", "windsurf", URL, "--project", "--no-try"), "has no file for a project"),
        (("install", "claude-desktop", URL, "--link"), "has no links"),
        (("install", "cursor", "nothing"), "nothing"),
        (("uninstall", "cursor"), "uninstall takes a host and the name"),
        (("uninstall", "cursor", "nothing"), "Cursor has no entry with the name 'nothing'."),
        (("uninstall", "cursor", "files"), "does not run this bridge, so it was left"),
        (("uninstall", "--all", "nothing"), "No entry there runs this bridge."),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, home: Path, words: tuple[str, ...], said: str) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert said in err
    assert (home / ".cursor" / "mcp.json").read_text() == file_of("cursor")


# -- what goes into the entry


def test_options_go_into_the_entry_and_paths_are_whole(run: Run, home: Path, tmp_path: Path) -> None:
    words = ("--scope", "a b", "--silent", "--answer-within", "0", "--log-file", "x.log", "--profile", "work")
    code, _, _ = run("install", "cursor", URL, *words, "--no-try", "--yes")
    assert code == 0
    [url, *arguments] = servers(home / ".cursor" / "mcp.json")["linear"]["args"]
    assert url == URL
    pairs = set(pairwise(arguments))
    assert {("--scope", "a b"), ("--answer-within", "0"), ("--log-file", str(tmp_path / "x.log"))} <= pairs
    assert "--silent" in arguments
    assert ("--profile", "work") in pairs


def test_secrets_are_stored_and_the_entry_names_them(
    run: Run, home: Path, stored: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        *("--header", f"Authorization: {SECRET}", "--header", "X-Key: keyring:mine", "--header", "X-B:${B}"),
        *("--header", "User-Agent: notes", "--client-id", "me", "--client-secret", SECRET.removeprefix("Bearer ")),
        *("--issuer", "https://login.example"),
    ]
    monkeypatch.setenv("B", "b")
    stored["mine"] = "kept"
    code, out, _ = run("install", "cursor", URL, *words, "--no-try", "--yes")
    assert code == 0
    assert stored == {
        "mine": "kept",
        "linear-authorization": SECRET,
        "linear-client-secret": SECRET.removeprefix("Bearer "),
    }
    arguments = servers(home / ".cursor" / "mcp.json")["linear"]["args"]
    assert "Authorization: keyring:linear-authorization" in arguments
    assert {"X-Key: keyring:mine", "X-B:${B}", "User-Agent: notes", "keyring:linear-client-secret"} <= set(arguments)
    assert SECRET.removeprefix("Bearer ") not in (home / ".cursor" / "mcp.json").read_text()
    assert "stored as linear-authorization in the system keyring" in out
    _, out, _ = run("uninstall", "cursor", "linear", "--yes")
    assert "mcp-remote-bridge secret remove linear-authorization" in out


def test_a_secret_that_another_host_still_uses_is_not_offered_for_removal(run: Run, stored: dict[str, str]) -> None:
    for host in ("cursor", "claude-desktop"):
        assert run("install", host, URL, "--header", f"X-Key: {SECRET}", "--no-try", "--yes")[0] == 0
    assert stored == {"linear-x-key": SECRET}
    _, out, _ = run("uninstall", "cursor", "linear", "--yes")
    assert "The secret linear-x-key stays, because linear in Claude Desktop refers to it." in out
    assert "secret remove" not in out
    _, out, _ = run("uninstall", "claude-desktop", "linear", "--yes")
    assert "To remove it: mcp-remote-bridge secret remove linear-x-key" in out


def test_a_name_that_another_secret_has_is_not_taken(run: Run, home: Path, stored: dict[str, str]) -> None:
    stored["linear-x-key"] = "another"
    run("install", "cursor", URL, "--header", f"X-Key: {SECRET}", "--no-try", "--yes")
    assert stored == {"linear-x-key": "another", "linear-x-key-2": SECRET}


def test_nothing_is_stored_before_the_user_says_yes(run: Run, stored: dict[str, str]) -> None:
    assert run("install", "cursor", URL, "--header", f"X-Key: {SECRET}", "--no-try")[0] == 2
    assert run("install", "cursor", URL, "--header", f"X-Key: {SECRET}", "--dry-run")[0] == 0
    assert stored == {}


def test_a_server_of_the_users_own_file_is_run_by_its_name(run: Run, home: Path, tmp_path: Path) -> None:
    file = write_file(tmp_path, {"mine": {"url": URL, "header": {"A": SECRET}}})
    code, _, _ = run("install", "cursor", "mine", "--config", "config.json", "--no-try", "--yes")
    assert code == 0
    assert servers(home / ".cursor" / "mcp.json")["mine"]["args"] == ["run", "mine", "--config", str(file)]
    code, _, err = run("install", "cursor", "mine", "--config", "config.json", "--silent", "--no-try", "--yes")
    assert (code, "--silent cannot be given together with the name" in err) == (2, True)


def test_a_server_is_installed_by_its_server_json(run: Run, home: Path, tmp_path: Path, stored: dict[str, str]) -> None:
    headers = [{"name": "X-Key", "isRequired": True, "isSecret": True}]
    (tmp_path / "server.json").write_bytes(encoded(document(remote(headers=headers))))
    words = ("install", "cursor", "server.json", "--no-try", "--yes")
    code, _, err = run(*words)
    assert (code, "needs X-Key (secret). Give a value with --set NAME=VALUE" in err) == (2, True)
    code, out, _ = run(*words, "--set", f"X-Key={SECRET}")
    assert code == 0
    [(name, entry)] = [one for one in servers(home / ".cursor" / "mcp.json").items() if one[0] != "files"]
    assert entry["args"][0] in out
    assert entry["args"][1:] == ["--header", f"X-Key: keyring:{name}-x-key"]
    assert stored == {f"{name}-x-key": SECRET}


def test_a_project_has_its_own_entry(run: Run, tmp_path: Path) -> None:
    assert run("install", "vscode", URL, "--project", "--no-try", "--yes")[0] == 0
    entry = servers(tmp_path / ".vscode" / "mcp.json", "servers")["linear"]
    assert entry == {"type": "stdio", "command": PROGRAM, "args": [URL]}
    assert run("uninstall", "vscode", "linear", "--project", "--yes")[0] == 0
    assert not (tmp_path / ".vscode").exists()


def test_a_link_is_printed_and_no_file_is_written(run: Run, home: Path) -> None:
    code, out, _ = run("install", "cursor", URL, "--link")
    assert code == 0
    assert out.startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=linear&config=")
    assert (home / ".cursor" / "mcp.json").read_text() == file_of("cursor")


def test_the_environment_of_a_project_is_warned_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.install.find_launcher", lambda _: Launcher(PROGRAM, warning="It stops working."))
    assert "It stops working." in run("install", "cursor", URL, "--dry-run")[2]


# -- the server is tried


def test_a_server_that_does_not_work_gets_no_entry_unless_the_user_insists(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "failed", "HTTP 404.")
    code, out, err = run("install", "cursor", URL, "--yes")
    assert (code, out) == (2, "")
    assert "HTTP 404." in err
    assert "add --untested" in err
    assert "linear" not in servers(home / ".cursor" / "mcp.json")
    assert run("install", "cursor", URL, "--yes", "--untested")[0] == 0
    assert "linear" in servers(home / ".cursor" / "mcp.json")


def test_a_server_that_does_not_work_may_be_written_after_a_yes(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "failed", "HTTP 404.")
    types(monkeypatch, "y", "y")
    assert run("install", "cursor", URL)[0] == 0
    assert "linear" in servers(home / ".cursor" / "mcp.json")


def test_the_user_may_sign_in_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "sign-in", "It asks you to sign in.")
    signed_in: list[str] = []
    monkeypatch.setattr("bridge.cli.login.sign_in_here", lambda settings: signed_in.append(settings.url))
    types(monkeypatch, "y", "y")
    code, out, _ = run("install", "cursor", URL)
    assert (code, signed_in) == (0, [URL])
    assert "It asks you to sign in." in out


def test_without_a_keyboard_the_host_will_show_the_link(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "sign-in", "It asks you to sign in.")
    code, out, _ = run("install", "cursor", URL, "--yes")
    assert (code, "The host will show you a link to sign in." in out) == (0, True)
    assert "linear" in servers(home / ".cursor" / "mcp.json")


# -- hosts


def test_the_hosts_and_their_servers_are_listed(run: Run, home: Path) -> None:
    run("install", "cursor", f"{URL}?team=1", "--no-try", "--yes")
    config = {
        "own": {"url": f"https://own.example/mcp?t={PLANTED}", "headers": {"A": PLANTED}},
        "old": {"command": "npx", "args": ["mcp-remote", "https://old.example/sse", "--header", f"A: {PLANTED}"]},
    }
    config["proxy"] = {"command": "uvx", "args": ["mcp-proxy", "--headers", "A", PLANTED, "https://proxy.example/sse"]}
    (home / ".config" / "Claude" / "claude_desktop_config.json").write_text(json.dumps({"mcpServers": config}))
    code, out, err = run("hosts")
    assert (code, err) == (0, "")
    assert out.endswith(
        "To have this bridge in place of mcp-proxy, mcp-remote: mcp-remote-bridge migrate\n"
        "To have it connect in place of the hosts themselves: mcp-remote-bridge migrate --remote\n"
    )
    assert out.splitlines()[:7] == [
        "claude-desktop  Claude Desktop",
        "  own: no one, because this host takes only local servers, https://own.example/mcp",
        "  old: mcp-remote, https://old.example/sse",
        "  proxy: mcp-proxy, https://proxy.example/sse",
        "cursor  Cursor",
        f"  linear: this bridge, {URL}",
        "  1 local server",
    ]
    assert "Not found here: claude-code, vscode" in out


def test_the_list_is_json_for_programs(run: Run, home: Path) -> None:
    run("install", "cursor", URL, "--no-try", "--yes")
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("x = \n")
    code, out, _ = run("hosts", "--json")
    found = {one["host"]: one for one in json.loads(out)["hosts"]}
    assert code == 0
    file = str(home / ".cursor" / "mcp.json")
    assert found["cursor"]["entries"] == [
        {"name": "linear", "file": file, "runs": "mcp-remote-bridge", "server": URL, "is_usable": True},
        {"name": "files", "file": file, "runs": "npx", "server": None, "is_usable": True},
    ]
    assert (found["zed"]["is_here"], found["zed"]["files"]) == (False, [])
    assert "line 1" in found["codex"]["notes"][0]


def test_an_entry_that_its_host_cannot_use_is_told_from_one_that_it_can(run: Run, home: Path) -> None:
    content = json.dumps({"mcpServers": {"own": {"url": "https://own.example/mcp"}}})
    for path in (home / ".config" / "Claude" / "claude_desktop_config.json", home / ".cursor" / "mcp.json"):
        path.write_text(content)
    _, out, _ = run("hosts")
    assert out.splitlines().count("  own: the host itself, https://own.example/mcp") == 1
    found = {one["host"]: one["entries"] for one in json.loads(run("hosts", "--json")[1])["hosts"]}
    assert [found[host][0]["is_usable"] for host in ("claude-desktop", "cursor")] == [False, True]


def test_no_hosts_are_told(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home / "empty"))
    code, out, _ = run("hosts")
    assert (code, out.splitlines()[0]) == (0, "No host was found on this machine.")
    code, _, err = run("install", "--all", URL)
    assert (code, "No host was found on this machine." in err) == (2, True)
