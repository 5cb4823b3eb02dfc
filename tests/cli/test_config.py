"""The command `config`: where the file is, and its mistakes, each with its place and without a secret."""

import json
import os
import sys
from pathlib import Path

import pytest

from bridge.cli.config_check import command_for
from bridge.cli.main import main
from bridge.cli.plain import plain_settings
from bridge.inventory.server_file import server_file_path

SECRET = "pl4nted-s3cret"

FILE = """\
{
  // "client_secret": "pl4nted-s3cret"
  "defaults": {"profile": "!", "callback_path": "no-slash"},
  "mcpServers": {
    "one": {
      "url": "https://example.com/mcp",
      "client_secert": "pl4nted-s3cret", "header": {"A": "pl4nted-s3cret", "B": 5},
    },
    "two": {"url": "https://u:pl4nted-s3cret@example.com/", "client_secret": "pl4nted-s3cret"},
    "two": {"url": "https://example.com/", "transport": "sse", "protocol": "modern"},
    "six": {"url": "https://example.com/", "client_secret": "pl4nted-s3cret\\u00fc", "client_id": "me"},
    "-x": {"allow_http": true},
  },
  "servers": {},
}
"""

SHOWN = """\
{path}:3:27: The name of a profile must be up to 64 letters, digits or ._@+- and begin with a letter or digit.
      "defaults": {"profile": "!", "callback_path": "no-slash"},
                              ^
{path}:3:49: The callback path must begin with / and contain no query, no escape and no dot segment.
      "defaults": {"profile": "!", "callback_path": "no-slash"},
                                                    ^
    An example: /callback.
{path}:7:7: There is no setting 'client_secert'.
          "client_secert": ..., "header": {"A": ..., "B": ...},
          ^
    Did you mean client_secret?
{path}:7:81: The value of a header must be a string, not a number.
          "client_secert": ..., "header": {"A": ..., "B": ...},
                                                          ^
{path}:10:5: The name 'two' is there twice in one object.
        "two": {"url": "https://example.com/", "transport": "sse", "protocol": "modern"},
        ^
    Remove one of the two.
{path}:11:61: The secret that client_secret gives has a character that is not allowed there.
        "six": {"url": "https://example.com/", "client_secret": ..., "client_id": "me"},
                                                                ^
{path}:12:5: A server's name must not be blank, a URL or begin with -.
        "-x": {"allow_http": true},
        ^
{path}:12:5: The server has no url.
        "-x": {"allow_http": true},
        ^
    Add "url": "https://...".
{path}:14:3: There is no member 'servers' in this file.
      "servers": {},
      ^
    Did you mean mcpServers?
9 mistakes
"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    return ended.value.code, out, err


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the variable names; it does not exist yet."""
    monkeypatch.setenv("MCP_BRIDGE_CONFIG", str(tmp_path / "config.json"))
    return tmp_path / "config.json"


def test_the_path_is_printed_whether_or_not_the_file_exists(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "config", "path") == (0, f"{path}\n", "")
    assert run(capsys, "--config", str(path.parent / "x"), "config", "path") == (0, f"{path.parent / 'x'}\n", "")
    monkeypatch.delenv("MCP_BRIDGE_CONFIG")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
        assert run(capsys, "config", "path")[1] == "/xdg/mcp-remote-bridge/config.json\n"


def test_all_mistakes_are_shown_at_once_and_no_secret(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(FILE, encoding="utf-8")
    assert run(capsys, "config", "check") == (1, SHOWN.replace("{path}", str(path)), "")


def test_a_file_without_mistakes_is_told_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text('{"$schema": "x", "mcpServers": {"a": {"url": "https://example.com/"}}}')
    assert run(capsys, "config", "check") == (0, f"{path}: 1 server, no mistakes.\n", "")
    path.write_text("")
    assert run(capsys, "config", "check") == (0, f"{path}: 0 servers, no mistakes.\n", "")


def test_a_command_for_headers_is_looked_for_and_not_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def check(command: object) -> tuple[object, str, str]:
        path.write_text(json.dumps({"mcpServers": {"a": {"url": "https://example.com/", "header_command": command}}}))
        return run(capsys, "config", "check")

    runs = path.parent / "runs"
    assert check([sys.executable, "-c", f"open({str(runs)!r}, 'w')"])[0] == 0
    assert not runs.exists()
    code, out, _ = check(["no-such-thing", SECRET])
    assert code == 1
    assert "The command of --header-command (no-such-thing) was not found." in out
    assert "cannot be split into words" in check(f"'{SECRET}")[1]
    assert "must be a string or an array of strings, not a number" in check(5)[1]


def test_programs_get_the_mistakes_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(FILE, encoding="utf-8")
    code, out, _ = run(capsys, "config", "check", "--json")
    found = json.loads(out)
    assert (code, found["file"], found["servers"], len(found["mistakes"])) == (1, str(path), 4, 9)
    assert found["mistakes"][2] == {
        "line": 7,
        "column": 7,
        "message": "There is no setting 'client_secert'.",
        "hint": "Did you mean client_secret?",
    }


@pytest.mark.parametrize(
    ("text", "servers", "line"),
    [(None, None, None), ('{"mcpServers": ', None, 1), ('{"mcpServers": {"a": {"url": "https://x.example/"}}}', 1, 0)],
)
def test_json_says_what_is_known_of_any_file(
    text: str | None, servers: int | None, line: int | None, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        path.write_text(text)
    code, out, _ = run(capsys, "config", "check", "--json")
    found = json.loads(out)
    assert found["servers"] == servers
    assert code == (1 if found["mistakes"] else 0)
    assert [one["line"] for one in found["mistakes"]] == ([] if servers else [line])
    assert json.loads(run(capsys, "config", "path", "--json")[1]) == {"file": str(path)}


def test_what_settings_refuse_together_is_shown_at_the_servers_name(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text('{"mcpServers": {"a": {"url": "https://example.com/", "transport": "sse", "protocol": "modern"}}}')
    code, out, _ = run(capsys, "config", "check")
    assert code == 1
    assert out.startswith(f"{path}:1:17: --transport sse (HTTP+SSE) carries only the legacy protocol")
    assert out.endswith("1 mistake\n")


@pytest.mark.parametrize(
    ("text", "says", "line", "mark"),
    [
        (
            f'{{"mcpServers": {{"a": {{"url" "{SECRET}"}}}}}}',
            ":1:29: ",
            '    {"mcpServers": {"...": {"url" "..."}}}',
            34,
        ),
        (f'{{\n "defaults": {SECRET}\n}}', ":2:14: ", '     "defaults": ...', 17),
    ],
)
def test_a_file_that_is_not_json_is_shown_without_its_words(
    text: str, says: str, line: str, mark: int, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(text)
    code, out, _ = run(capsys, "config", "check")
    assert code == 1
    first, *rest = out.splitlines()
    assert first.startswith(f"{path}{says}The file is not valid JSON: ")
    assert rest == [line, f"{' ' * mark}^"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "The file {path} does not exist.\n"),
        (b"\xff", "The file {path} cannot be used: it is not UTF-8 text (at byte 1).\n"),
        (b"[]", "{path}:1:1: The file must be an object, not an array.\n    []\n    ^\n1 mistake\n"),
        (b'{"mcpServers": []}', "{path}:1:16: mcpServers must be an object, not an array.\n"),
    ],
)
def test_a_file_of_another_form_is_told(
    content: bytes | None, says: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        path.write_bytes(content)
    code, out, _ = run(capsys, "config", "check")
    assert code == 1
    assert out.startswith(says.replace("{path}", str(path)))


def test_a_terminal_obeys_nothing_in_the_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text('{"mcpServers": {"\\u001b[31m": {}, "\x7f": {}}}')
    _, out, _ = run(capsys, "config", "check")
    assert "\x1b" not in out
    assert "\x7f" not in out


def test_a_user_without_a_home_is_told_to_name_the_file(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MCP_BRIDGE_CONFIG")
    monkeypatch.setattr("bridge.inventory.server_file.config_root", lambda *_: Path("mcp-remote-bridge"))
    for words in (("config", "path"), ("config", "check"), ("list",)):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        assert "Name one with --config FILE." in err


def test_another_action_is_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "config", "edit")
    assert code == 2
    assert "path" in err
    assert "check" in err


def test_the_command_that_shows_all_mistakes_names_a_file_of_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("USERPROFILE", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    usual = server_file_path(None, os.environ)
    assert usual is not None
    assert command_for("config check", usual) == "mcp-remote-bridge config check"
    other = tmp_path / "my servers.json"
    assert command_for("config check", other).startswith("mcp-remote-bridge config check --config ")
    assert str(other) in command_for("config check", other)


# -- secrets that are written in the file


LITERALS = """{
  "defaults": {"header": "X-Api-Key: pl4nted-s3cret"},
  "mcpServers": {
    "a": {"url": "https://example.com/mcp", "client_id": "me", "issuer": "https://as.example",
          "client_secret": "pl4nted-s3cret",
          "header": ["X-Token: pl4nted-s3cret", "X-Team: blue", "Cookie: ${C:-a}", "Y-Key: env:C", "Token: "]},
    "b": {"url": "https://example.com/mcp", "header": {"Authorization": "Bearer pl4nted-s3cret", "X-Key": "file:x"}}
  }
}"""


def test_a_secret_that_is_written_in_the_file_is_warned_of_with_its_place(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LITERALS.replace(', "Token: "', "").replace(', "X-Key": "file:x"', "").replace(', "Y-Key: env:C"', "")
    path.write_text(text)
    path.chmod(0o600)
    code, out, _ = run(capsys, "config", "check")
    lines = out.splitlines()
    assert code == 0, out
    assert "pl4nted" not in out
    assert [line.partition(": ")[0].removeprefix(f"{path}:") for line in lines[:-1]] == ["2:26", "5:28", "6:22", "7:73"]
    assert "warning: The client's secret is written here. Run mcp-remote-bridge secret set NAME" in lines[1]
    assert "warning: The value of the header Authorization, which looks like a secret, is written here." in lines[3]
    found = json.loads(run(capsys, "config", "check", "--json")[1])
    assert [one["line"] for one in found["warnings"]] == [2, 5, 6, 7]
    assert found["mistakes"] == []


def test_a_secret_in_a_url_is_warned_of(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    urls = ["?api_key=pl4nted-s3cret", "?page=1", "?api_key=${KEY}"]
    servers = {str(number): {"url": f"https://example.com/mcp{query}"} for number, query in enumerate(urls)}
    path.write_text(json.dumps({"mcpServers": servers}))
    path.chmod(0o600)
    out = run(capsys, "config", "check", "--json")[1]
    assert "pl4nted" not in out
    assert [one["message"] for one in json.loads(out)["warnings"]] == [
        "The value of the parameter api_key in the URL, which looks like a secret, is written here."
    ]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_with_a_secret_that_others_can_read_is_warned_of(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = {"url": "https://example.com/mcp", "header": {"X-Key": "pl4nted-s3cret"}}
    path.write_text(json.dumps({"mcpServers": {"a": server}}))
    path.parent.chmod(0o755)
    path.chmod(0o644)
    says = f"A secret is written in {path}, and other users can read that file."
    assert says in run(capsys, "config", "check")[1]
    settings = plain_settings(["a", "--config", str(path)], {})
    assert settings is not None
    assert any(says in remark for remark in settings.remarks)
    for mode, of_folder in ((0o600, 0o755), (0o644, 0o700)):
        path.chmod(mode)
        path.parent.chmod(of_folder)
        assert says not in run(capsys, "config", "check")[1]
        settings = plain_settings(["a", "--config", str(path)], {})
        assert settings is not None
        assert settings.remarks == ()


def test_no_word_of_a_command_for_headers_is_listed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (f"get {SECRET} --x=1", ["get", SECRET]):
        path.write_text(json.dumps({"mcpServers": {"a": {"url": "https://example.com/", "header_command": command}}}))
        for words in (("show", "a"), ("show", "a", "--json")):
            code, out, _ = run(capsys, *words)
            assert (code, "header_command" in out) == (0, True)
