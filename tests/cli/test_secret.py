"""The command `secret`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from bridge.cli import secret as command
from bridge.cli.program import cli
from bridge.config.secret_reference import MOST_CHARACTERS
from bridge.errors import BridgeError
from bridge.process.user_secrets import read_secret
from tests.cli.config_files import write_file
from tests.support.process.bridge_process import environment
from tests.support.waits import stretched

SECRET = "hunter2-Zq4"
URL = "https://example.com/mcp"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a home folder, in which nothing is stored yet; the keyring of the tests keeps nothing."""
    for variable, value in environment(tmp_path).items():
        monkeypatch.setenv(variable, value)
    return tmp_path


def run(*words: str, piped: str | bytes = "") -> Result:
    return CliRunner().invoke(cli, ["secret", *words], input=piped)


def refusal(*words: str, piped: str | bytes = "") -> str:
    done = run(*words, piped=piped)
    assert isinstance(done.exception, BridgeError)
    assert done.exception.exit_code == 2
    assert SECRET not in str(done.exception)
    return str(done.exception)


def test_the_first_line_of_a_pipe_is_stored_and_never_shown() -> None:
    done = run("set", "github", piped=f"{SECRET}\r\nsecond\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Stored the secret github in ")
    assert done.stdout.endswith("Write keyring:github where it is needed.\n")
    assert "so the secret is stored in" in done.stderr
    assert SECRET not in done.output
    assert read_secret("github") == SECRET
    assert run("set", "github", piped="another").stdout.startswith("Replaced the secret github in ")
    assert read_secret("github") == "another"


def test_a_secret_is_typed_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "is_a_terminal", lambda _: True)
    done = run("set", "github", piped=f"{SECRET}\n")
    assert done.exit_code == 0, done.output
    assert "The secret github: " in done.stderr
    assert SECRET not in done.output
    assert read_secret("github") == SECRET


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_a_real_terminal_shows_nothing_of_what_is_typed(home: Path) -> None:
    import pty
    import select

    near, far = pty.openpty()
    words = [sys.executable, "-m", "bridge", "secret", "set", "github"]
    child = subprocess.Popen(
        words, env=environment(home), stdin=far, stdout=far, stderr=far, start_new_session=True, close_fds=True
    )
    os.close(far)
    shown, deadline = b"", time.monotonic() + stretched(60)
    try:
        while select.select([near], [], [], max(deadline - time.monotonic(), 0))[0]:
            try:
                part = os.read(near, 1000)
            except OSError:  # Linux says EIO where the other end is closed.
                break
            if not part:
                break
            shown += part
            # The end of the prompt comes when the terminal shows nothing more; what was typed before is discarded.
            if part.endswith(b": ") or part == b" ":
                os.write(near, f"{SECRET}\n".encode())
        assert child.wait(stretched(10)) == 0
    finally:
        os.close(near)
        child.kill()
        child.wait()
    assert b"Stored the secret github" in shown
    assert SECRET.encode() not in shown
    assert read_secret("github") == SECRET


@pytest.mark.parametrize(
    ("piped", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"{SECRET}é", "U+00E9"),
        (f"{SECRET}\0", "U+0000"),
        (b"\xff" + SECRET.encode(), "not UTF-8"),
        (SECRET * MOST_CHARACTERS, "longer than"),
    ],
)
def test_what_cannot_be_a_secret_is_not_stored(piped: str | bytes, says: str) -> None:
    assert says in refusal("set", "github", piped=piped)
    assert read_secret("github") is None


def test_a_secret_in_the_arguments_is_neither_taken_nor_shown() -> None:
    assert "1 more was given" in refusal("set", "github", SECRET)
    assert "cannot be the name" in refusal("set", f"{SECRET}!")
    assert read_secret("github") is None


def test_a_stdin_that_is_closed_is_an_empty_secret() -> None:
    with patch.object(sys, "stdin", None):
        assert command.read_typed("x") == ""


def test_a_secret_is_removed_and_who_still_refers_to_it_is_told(home: Path) -> None:
    path = write_file(home, {"mine": {"url": URL, "header": {"X": "keyring:github"}}})
    run("set", "github", piped=SECRET)
    done = run("remove", "github", "--config", str(path))
    assert done.stdout == "Removed the secret github.\n"
    assert "mine still refers to it." in done.stderr
    assert read_secret("github") is None
    assert "There is no secret github. mcp-remote-bridge secret list" in refusal("remove", "github")
    run("set", "github", piped=SECRET)
    assert "Did you mean github?" in refusal("remove", "githup")


def test_the_names_are_listed_with_who_refers_to_them(home: Path) -> None:
    assert run("list").stdout.startswith("No secrets are stored. To store one, run: mcp-remote-bridge secret set NAME")
    servers = {
        "a": {"url": URL, "header": {"X": "keyring:github", "Y": "keyring:github"}},
        "b": {"url": URL, "header": ["X: keyring:github", 5]},
        "c": {"url": URL, "client_secret": "keyring:client"},
        "d": {"url": URL, "header": "X: y keyring:github"},
        "e": 5,
    }
    path = str(write_file(home, servers, {"header": {"X": "keyring:client"}}))
    for name in ("github", "client", "unused"):
        run("set", name, piped=SECRET)
    assert run("list", "--config", path).stdout.splitlines() == [
        "client  used by defaults, c",
        "github  used by a, b",
        "unused  used by no server",
    ]
    found = json.loads(run("list", "--json", "--config", path).stdout)
    assert found["secrets"][1] == {"name": "github", "used_by": ["a", "b"]}
    (home / ".cursor").mkdir()
    entry = {"command": "mcp-remote-bridge", "args": [URL, "--header", "X: keyring:unused"]}
    (home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {"z": entry}}))
    assert "unused  used by z in Cursor" in run("list", "--config", path).stdout
    Path(path).write_text("{")
    assert "github  used by no server" in run("list", "--config", path).stdout


def test_words_that_are_missing_or_too_many_are_told() -> None:
    assert "The name of the secret is missing. Run: mcp-remote-bridge secret set NAME" in refusal("set")
    assert "secret list takes no name" in refusal("list", "github")
    assert os.linesep not in refusal("list", "github")
