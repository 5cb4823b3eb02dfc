"""The commands `list` and `show`."""

import json
from pathlib import Path

import pytest

from bridge.cli.config_check import command_for
from tests.cli.config_files import write_file
from tests.cli.test_config import run

SECRET = "pl4nted-s3cret"
URL = "https://example.com/mcp"
SERVERS = {
    "github": {
        "url": URL,
        "header": {"X-Team": SECRET, "A": "${HOME}"},
        "client_id": "me",
        "client_secret": "env:HOME",
        "authorize_param": ["audience=" + SECRET],
        "silent": True,
        "profile": "work",
    },
    "b": {"url": "https://b.example/", "client_id": "me", "client_secret": SECRET, "header": f"B: {SECRET}"},
}
DEFAULTS = {"profile": "shared", "login_timeout": 9}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("MCP_BRIDGE_CONFIG", str(tmp_path / "config.json"))
    return write_file(tmp_path, SERVERS, DEFAULTS)


def test_the_servers_are_listed_with_their_urls(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list") == (0, f"github  {URL}\nb       https://b.example/\n", "")
    code, out, _ = run(capsys, "list", "--json")
    servers = [{"name": "github", "url": URL}, {"name": "b", "url": "https://b.example/"}]
    assert (code, json.loads(out)) == (0, {"file": str(path), "servers": servers})


def test_a_file_with_mistakes_is_listed_as_far_as_it_goes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_file(path.parent, {"a": {}, "b": {"url": URL}})
    code, out, err = run(capsys, "list")
    assert (code, out) == (0, f"a  has no url\nb  {URL}\n")
    assert err == f"mcp-remote-bridge: The file {path} has mistakes. {command_for('config check', path)} shows them.\n"


def test_no_servers_and_no_file_are_told(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("{}")
    assert run(capsys, "list") == (0, f"There are no servers in {path}.\n", "")
    path.unlink()
    code, _, err = run(capsys, "list")
    assert (code, f"The file {path} does not exist." in err) == (2, True), "it was named"
    monkeypatch.delenv("MCP_BRIDGE_CONFIG")
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(path.parent))
    code, out, _ = run(capsys, "list")
    assert (code, out.endswith("does not exist.\n")) == (0, True)


def test_a_server_is_shown_without_its_secrets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "github")
    assert code == 0
    assert out == (
        f"github ({path})\n"
        f"  url              {URL}\n"
        "  profile          work\n"
        "  login_timeout    9  (defaults)\n"
        "  header           X-Team: (hidden)\n"
        "  header           A: ${HOME}\n"
        "  client_id        me\n"
        "  client_secret    env:HOME\n"
        "  authorize_param  audience=(hidden)\n"
        "  silent           true\n"
    )
    assert "client_secret  (hidden)\n  header         B: (hidden)\n" in run(capsys, "show", "b")[1]


def test_a_server_is_shown_to_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "show", "b", "--json")[1])
    hidden = {"client_secret": "(hidden)", "header": ["B: (hidden)"]}
    assert found == {
        "name": "b",
        "file": str(path),
        "url": "https://b.example/",
        "settings": {"profile": "shared", "login_timeout": 9, "client_id": "me", **hidden},
        "defaults": ["profile", "login_timeout"],
    }


def test_a_server_that_is_not_there_or_cannot_be_used_is_told(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "gitbuh")
    assert (code, out) == (2, "")
    assert "There is no server 'gitbuh' in your file of servers. Did you mean github?" in err
    write_file(path.parent, {"a": {"url": URL, "silent": SECRET}})
    code, out, err = run(capsys, "show", "a")
    assert (code, out) == (2, "")
    assert f"{path}:1:" in err
    assert "silent must be true or false, not a string." in err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://example.com/mcp?key={SECRET}", "https://example.com/mcp?(hidden)"),
        (f"https://me:{SECRET}@example.com/mcp", "https://***@example.com/mcp"),
        ("https://${HOST:-example.com}/mcp", "https://${HOST:-example.com}/mcp"),
    ],
)
def test_what_may_be_secret_in_a_url_is_not_shown(
    url: str, shown: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_file(path.parent, {"a": {"url": url}})
    for words in (["list"], ["list", "--json"]):
        _, out, _ = run(capsys, *words)
        assert shown in out
        assert SECRET not in out


@pytest.mark.parametrize("key", ["header", "authorize_param"])
def test_a_value_without_a_name_is_not_shown(key: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_file(path.parent, {"a": {"url": URL, key: [SECRET]}})
    for words in (["show", "a"], ["show", "a", "--json"]):
        code, out, _ = run(capsys, *words)
        assert (code, SECRET in out) == (0, False)
        assert "(hidden)" in out
