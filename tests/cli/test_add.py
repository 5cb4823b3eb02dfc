"""The commands `add` and `remove`."""

import json
import os
import stat
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from bridge.cli import own_file, remove
from bridge.cli.program import cli
from bridge.documents.replacing import DocumentError
from bridge.errors import BridgeError
from bridge.inventory import server_file_change
from bridge.process.user_secrets import read_secret, save_secret, secret_names
from tests.registry.documents import document, encoded, remote

SECRET = "hunter2-Zq4"
URL = "https://mcp.example.com/mcp"

WITH_COMMENTS = """\
// My servers.
{
  "defaults": {"log_level": "warning"}, // for all
  "unknown": [1,  2],
  "mcpServers": {
    /* the first */
    "first": {"url": "https://first.example.com/mcp",
              "header": {"X-Key": "hunter2-Zq4"}},
  },
}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a home folder, in which there is nothing yet; the keyring of the tests keeps nothing."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


@pytest.fixture
def file(home: Path) -> Path:
    """The user's own file; it is not there yet."""
    done = CliRunner().invoke(cli, ["config", "path"])
    path = Path(done.stdout.strip())
    assert path.is_relative_to(home)
    return path


def run(*words: str, typed: str = "") -> Result:
    done = CliRunner().invoke(cli, list(words), input=typed)
    assert SECRET not in done.output
    return done


def succeeded(*words: str, typed: str = "") -> str:
    done = run(*words, typed=typed)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refusal(*words: str) -> str:
    done = run(*words)
    assert isinstance(done.exception, BridgeError), done.output
    assert SECRET not in str(done.exception)
    return f"{done.exception.exit_code} {done.exception}"


def servers(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]
    return found


def backups(home: Path) -> list[bytes]:
    return [path.read_bytes() for path in home.rglob("backups/*")]


def test_the_first_server_makes_the_file_and_its_schema(file: Path, home: Path) -> None:
    said = succeeded("add", "github", URL, "--scope", "a b")
    assert servers(file) == {"github": {"url": URL, "scope": "a b"}}
    assert json.loads(file.read_text())["$schema"] == "./config.schema.json"
    schema = json.loads((file.parent / "config.schema.json").read_text())
    assert "mcpServers" in schema["properties"]
    assert f"+++ {file}" in said
    assert '+      "url": "https://mcp.example.com/mcp",' in said
    assert "To put it into a host, run: mcp-remote-bridge install github\n" in said
    assert said.endswith("What a host runs for it: mcp-remote-bridge github\n")
    assert backups(home) == []
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert succeeded("config", "check") == f"{file}: 1 server, no mistakes.\n"


def test_everything_else_in_the_file_stays_and_the_old_content_is_kept(file: Path, home: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(WITH_COMMENTS.encode())
    said = succeeded("add", "second", URL)
    assert f"The former content of {file} is in " in said
    assert backups(home) == [WITH_COMMENTS.encode()]
    after = file.read_text()
    assert '"second": {' in after
    assert not (file.parent / "config.schema.json").exists(), "the file names no schema"
    succeeded("remove", "second")
    assert file.read_bytes() == WITH_COMMENTS.encode()
    assert len(backups(home)) == 2


def test_each_option_is_written_as_the_file_has_it(file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "ca.pem").write_text("")
    monkeypatch.setenv("MCP_BRIDGE_PROFILE", "not-taken-over")
    words = ["--ca-file", "ca.pem", "--connect-timeout", "5", "--login-timeout", "2.5", "--answer-within", "0"]
    words += ["--callback-port", "4000", "--allow-http", "--transport", "HTTP", "--authorize-param", "a=b"]
    words += ["--header", "User-Agent: me", "--header", "X: env:KEY", "--header", "Y:${KEY}", "--no-cache"]
    words += ["--header", "Z: file:token"]
    succeeded("add", "github", URL, *words)
    assert servers(file)["github"] == {
        "url": URL,
        "header": {"User-Agent": "me", "X": "env:KEY", "Y": "${KEY}", "Z": f"file:{home / 'token'}"},
        "transport": "http",
        "connect_timeout": 5,
        "no_cache": True,
        "allow_http": True,
        "ca_file": str(home / "ca.pem"),
        "answer_within": 0,
        "login_timeout": 2.5,
        "authorize_param": "a=b",
        "callback_port": 4000,
    }


def test_variables_in_a_url_are_written_as_they_are(file: Path) -> None:
    url = "https://${MCP_HOST:-mcp.example.com}/mcp?key=${KEY}"
    done = run("add", "github", url)
    assert done.exit_code == 0, done.exception
    assert servers(file)["github"] == {"url": url}
    assert "The environment variable KEY is needed" in done.stderr


def test_two_headers_of_one_name_are_both_written(file: Path) -> None:
    succeeded("add", "github", URL, "--header", "Via: env:A", "--header", "via: env:B")
    assert servers(file)["github"]["header"] == ["Via: env:A", "via: env:B"]


def test_secrets_are_stored_and_the_file_names_them(file: Path) -> None:
    client = ["--client-id", "me", "--issuer", "https://login.example.com"]
    said = succeeded(
        *(
            "add",
            "git hub",
            URL,
            "--header",
            f"Authorization: Bearer {SECRET}",
            "--client-secret",
            f"{SECRET}!",
            *client,
        )
    )
    assert "The value of the header Authorization is stored as git-hub-authorization in " in said
    assert SECRET not in file.read_text()
    assert servers(file)["git hub"]["header"] == {"Authorization": "keyring:git-hub-authorization"}
    assert servers(file)["git hub"]["client_secret"] == "keyring:git-hub-client-secret"
    assert read_secret("git-hub-authorization") == f"Bearer {SECRET}"
    assert read_secret("git-hub-client-secret") == f"{SECRET}!"
    assert said.endswith('What a host runs for it: mcp-remote-bridge "git hub"\n')


def test_a_secret_on_the_command_line_is_said_to_be_in_the_shells_history(file: Path) -> None:
    says = "Your shell may keep the secret in its history."
    assert says in run("add", "a", URL, "--header", f"X: {SECRET}").stderr
    assert says not in run("add", "b", URL, "--header", "X: keyring:a-x").stderr
    assert list(servers(file)) == ["a", "b"]


def test_a_stored_secret_of_that_name_is_left_and_the_same_one_is_used_again(file: Path) -> None:
    save_secret("a-x", "another")
    succeeded("add", "a", URL, "--header", f"X: {SECRET}")
    assert servers(file)["a"]["header"] == {"X": "keyring:a-x-2"}
    assert (read_secret("a-x"), read_secret("a-x-2")) == ("another", SECRET)
    succeeded("add", "a", URL, "--header", "X: another", "--replace")
    assert servers(file)["a"]["header"] == {"X": "keyring:a-x"}


def test_a_dry_run_shows_the_change_and_stores_nothing(file: Path) -> None:
    said = succeeded("add", "a", URL, "--header", f"X: {SECRET}", "--dry-run")
    assert '"X": "keyring:a-x"' in said
    assert not file.exists()
    assert secret_names() == []


def test_a_server_that_is_there_is_replaced_only_on_request(file: Path) -> None:
    succeeded("add", "a", URL, "--scope", "x")
    before = file.read_bytes()
    assert refusal("add", "a", URL).startswith("2 There is a server 'a' in your file already")
    assert file.read_bytes() == before
    said = succeeded("add", "a", f"{URL}2", "--replace")
    assert servers(file)["a"] == {"url": f"{URL}2"}
    assert '-      "scope": "x"' in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a", "http://mcp.example.com/"), "With plain http"),
        (("a", "github"), "neither a URL nor a command"),
        (("a", URL, "--header", "no colon"), "not of the form"),
        (("a", URL, "--client-secret", SECRET), "without a client id"),
        (("a", URL, "--header", f"X: keyring:{SECRET}!"), "cannot be a name"),
        (("a", URL, "--header", "X: cmd:'"), "cannot be split"),
        ((URL, URL), "A server's name must not be"),
        (("a", URL, "more"), "1 more was given"),
    ],
)
def test_what_a_run_would_refuse_is_not_written(file: Path, words: tuple[str, ...], says: str) -> None:
    assert says in refusal("add", *words)
    assert not file.exists()
    assert secret_names() == []


def test_a_secret_that_is_not_stored_yet_is_told_with_what_to_type(file: Path) -> None:
    done = run("add", "a", URL, "--header", "X: keyring:none")
    assert done.exit_code == 0
    assert "which is not stored. To store it, run: mcp-remote-bridge secret set none" in done.stderr
    assert servers(file)["a"]["header"] == {"X": "keyring:none"}


def test_a_file_that_is_not_json_is_left_and_its_place_is_told(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('{"mcpServers": {,}')
    for words in (("add", "a", URL), ("remove", "a")):
        assert f"2 {file}:1:19: The file is not valid JSON" in refusal(*words)
    assert file.read_text() == '{"mcpServers": {,}'


def test_secrets_are_taken_back_where_the_file_cannot_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise DocumentError("The disk is full.")

    monkeypatch.setattr(server_file_change, "replace", fails)
    save_secret("a-y", "another")
    words = ["--header", f"X: {SECRET}", "--header", "Y: another"]
    assert "The disk is full" in refusal("add", "a", URL, *words)
    assert secret_names() == ["a-y"], "it was there before"
    assert not file.exists()


def test_another_file_can_be_named_and_is_made(home: Path) -> None:
    path = home / "folder" / "mine.json"
    said = succeeded("add", "list", URL, "--config", str(path))
    assert servers(path) == {"list": {"url": URL}}
    assert f"mcp-remote-bridge install list --config {path}\n" in said
    assert f"mcp-remote-bridge run list --config {path}\n" in said


def test_a_foreign_file_in_the_place_of_the_schema_is_left(file: Path) -> None:
    file.parent.mkdir(parents=True)
    beside = file.parent / "config.schema.json"
    beside.write_text("mine")
    succeeded("add", "a", URL)
    assert beside.read_text() == "mine"
    beside.write_text('{"title": "Servers of mcp-remote-bridge", "old": 1}')
    succeeded("add", "b", URL)
    assert '"old": 1' not in beside.read_text()


def test_a_server_is_removed_and_its_own_secret_is_named(file: Path) -> None:
    succeeded("add", "a", URL, "--header", f"X: {SECRET}", "--header", "Y: keyring:shared")
    save_secret("shared", "s3cret")
    succeeded("add", "b", URL, "--header", "Y: keyring:shared")
    before = file.read_bytes()
    assert '-    "a": {' in succeeded("remove", "a", "--dry-run")
    assert file.read_bytes() == before
    said = succeeded("remove", "a")
    assert said.endswith("The secret a-x stays. To remove it, run: mcp-remote-bridge secret remove a-x\n")
    assert list(servers(file)) == ["b"]
    assert secret_names() == ["a-x", "shared"]
    assert succeeded("remove", "b", "--with-secrets").endswith("Removed the secret shared.\n")
    assert secret_names() == ["a-x"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", []), ("\n", ["a-x"])])
def test_at_a_terminal_the_user_is_asked_about_the_secret(file: Path, answer: str, left: list[str]) -> None:
    succeeded("add", "a", URL, "--header", f"X: {SECRET}")
    with patch.object(remove, "may_ask", lambda: True):
        succeeded("remove", "a", typed=answer)
    assert secret_names() == left
    assert not own_file.may_ask()


def test_a_server_that_is_not_there_cannot_be_removed(file: Path) -> None:
    assert "mcp-remote-bridge list lists the servers." in refusal("remove", "a")
    succeeded("add", "github", URL)
    assert "Did you mean github?" in refusal("remove", "githup")


def test_a_file_in_utf_16_stays_one_and_its_change_can_be_read(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(WITH_COMMENTS.encode("utf-16"))
    done = run("add", "second", "https://second.example.com/mcp")
    assert done.exit_code == 0
    assert '+    "second": {' in done.stdout
    assert '"first": {"url": "https://first.example.com/mcp",' in done.stdout
    assert '"second"' in file.read_bytes().decode("utf-16")


def test_what_may_be_secret_beside_the_change_is_not_shown(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(WITH_COMMENTS.replace("// for all", f"// {SECRET}"))
    assert '"X-Key": ...' in succeeded("add", "second", URL)


def test_a_server_is_added_by_its_server_json(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    headers = [{"name": "X-Key", "isSecret": True, "isRequired": True}, {"name": "X-Team", "value": "blue"}]
    url = "https://{region}.example.com/mcp"
    variables = {"region": {"choices": ["eu", "us"]}}
    (tmp_path / "server.json").write_bytes(encoded(document(remote(url=url, variables=variables, headers=headers))))
    words = ("add", "weather", "server.json")
    assert "needs region, X-Key (secret). Give a value with --set NAME=VALUE" in refusal(*words)
    assert not file.exists()
    out = succeeded(*words, "--set", "region=eu", "--set", f"x-key={SECRET}")
    assert "io.github.owner/weather is at https://eu.example.com/mcp." in out
    assert servers(file)["weather"]["url"] == "https://eu.example.com/mcp"
    assert SECRET not in file.read_text(encoding="utf-8")
    assert SECRET in [read_secret(name) for name in secret_names()]
