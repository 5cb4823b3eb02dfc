"""References to secrets in every place where a header or the client's secret may be given."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bridge.cli.config_check import all_mistakes
from bridge.config import Settings
from bridge.inventory.server_file import read_server_file
from bridge.process.log import configure
from bridge.process.user_secrets import save_secret
from tests.cli.config_files import with_click, without_click, write_file

URL = "https://example.com/mcp"
SECRET = "pl4nted-s3cret"
CLIENT = {"client_id": "a", "issuer": "https://login.example.com"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The variables of a user with a home folder, in which the secret `mine` is stored."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    own = kept | dict.fromkeys(("HOME", "USERPROFILE"), str(home)) | {"XDG_DATA_HOME": str(home / "data")}
    with patch.dict(os.environ, own, clear=True):
        save_secret("mine", SECRET, choice="file")
    return own


def settings(words: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings, read by both ways."""
    outcome = without_click(words, environ)
    assert outcome == with_click(words, environ)
    assert isinstance(outcome, tuple), outcome
    return outcome[0]


def refusal(words: Sequence[str], environ: Mapping[str, str]) -> str:
    outcome = without_click(words, environ)
    assert outcome == with_click(words, environ)
    assert isinstance(outcome, str)
    assert SECRET not in outcome
    return outcome


def counting(file: Path) -> str:
    """A command that prints the secret, and notes in `file` that it ran."""
    return f"cmd:\"{sys.executable}\" -c \"open(r'{file}', 'a').write('x'); print('{SECRET}')\""


def test_a_header_may_refer_to_a_secret_wherever_it_is_given(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "headers").write_text("Authorization: keyring:mine\n")
    headers: dict[str, Any] = {
        "object": {"Authorization": "keyring:mine"},
        "array": ["Authorization:keyring:mine"],
        "below": {"Authorization": "file:token"},
        "command": {"Authorization": counting(tmp_path / "runs")},
        "variable": {"Authorization": "env:MINE"},
    }
    path = write_file(tmp_path, {name: {"url": URL, "header": header} for name, header in headers.items()})
    runs: list[tuple[list[str], dict[str, str]]] = [
        ([URL, "--header", "Authorization: keyring:mine"], {}),
        ([URL, "--header", f"Authorization: file:{tmp_path / 'token'}"], {}),
        ([URL, "--header-file", str(tmp_path / "headers")], {}),
        ([URL], {"MCP_BRIDGE_HEADER": "Authorization:keyring:mine"}),
        *(([name, "--config", str(path)], {"MINE": SECRET}) for name in headers),
    ]
    for words, more in runs:
        made = settings(words, environ | more)
        assert made.headers == (("Authorization", SECRET),), words
        assert made.secret_headers == ("Authorization",)
        assert not made.signs_in
        assert SECRET not in repr(made)


def test_the_clients_secret_may_refer_to_one_wherever_it_is_given(environ: dict[str, str], tmp_path: Path) -> None:
    path = write_file(tmp_path, {"stored": {"url": URL, **CLIENT, "client_secret": "keyring:mine"}})
    client = ["--client-id", "a", "--issuer", CLIENT["issuer"]]
    for words, more in (
        ([URL, *client, "--client-secret", "keyring:mine"], {}),
        ([URL, *client, "--client-secret", counting(tmp_path / "runs")], {}),
        ([URL, *client], {"MCP_BRIDGE_CLIENT_SECRET": "keyring:mine"}),
        (["stored", "--config", str(path)], {}),
    ):
        made = settings(words, environ | more)
        assert made.sign_in.client_secret == SECRET
        assert made.remarks == ()


def test_what_a_variable_holds_is_no_reference(environ: dict[str, str], tmp_path: Path) -> None:
    command = counting(tmp_path / "runs")
    made = settings([URL, "--header", "X: ${TOKEN}", "--header", "Y: a env:B"], environ | {"TOKEN": command})
    assert made.headers == (("X", command), ("Y", "a env:B"))
    assert made.secret_headers == ()
    assert not (tmp_path / "runs").exists()


def test_no_log_shows_a_secret_that_was_read_though_its_header_is_harmless(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    made = settings([URL, "--header", "User-Agent: keyring:mine"], environ)
    with configure(made) as log:
        assert SECRET not in log.redactor(f"sent {SECRET} and {SECRET}")


@pytest.mark.parametrize("member", [{"header": {"X": "keyring:none"}}, {**CLIENT, "client_secret": "keyring:none"}])
def test_a_secret_that_is_not_stored_is_told_with_its_place_in_the_file(
    environ: dict[str, str], tmp_path: Path, member: dict[str, Any]
) -> None:
    path = write_file(tmp_path, {"a": {"url": URL, **member}})
    text = refusal(["a", "--config", str(path)], environ)
    assert text.startswith(f"2 {path}:1:")
    assert text.endswith(
        "needs the secret none, which is not stored. To store it, run: mcp-remote-bridge secret set none"
    )
    refused = refusal([URL, "--header", "X: keyring:none"], environ)
    assert refused.startswith("2 The header X needs the secret none")


def test_a_command_that_fails_has_run_once(environ: dict[str, str], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = counting(runs).replace("print('", "raise SystemExit('no ").replace(SECRET, "way")
    path = write_file(tmp_path, {"a": {"url": URL, "header": {"X": command, "Y": "keyring:mine"}}})
    for words in (["a", "--config", str(path)], [URL, "--header", f"X: {command}"]):
        for read in (without_click, with_click):
            runs.write_text("")
            assert "failed with exit code 1: no way." in str(read(words, environ))
            assert runs.read_text() == "x"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("keyring:", "The header X has keyring: without a name after it."),
        ("keyring:a b", "The header X has keyring: with what cannot be a name."),
        ("env:", "The header X has env: without a variable after it."),
        ("cmd:no-such-program", "The command of the header X"),
        ("file:/no/such", "The file that the header X names cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(environ: dict[str, str], value: str, says: str) -> None:
    assert says in refusal([URL, "--header", f"X: {value}"], environ)


def test_a_secret_that_a_header_cannot_have_is_refused_unseen(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(f"{SECRET}\n{SECRET}".encode())
    assert "U+000A" in refusal([URL, "--header", f"X: file:{tmp_path / 'token'}"], environ)
    (tmp_path / "token").write_bytes(b"")
    assert "The header X has no value." in refusal([URL, "--header", f"X: file:{tmp_path / 'token'}"], environ)


def test_a_check_of_the_file_finds_what_is_not_there_and_runs_no_command(
    environ: dict[str, str], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    servers = {
        "right": {"url": URL, "header": {"X": "keyring:mine", "Y": counting(runs)}},
        "missing": {"url": URL, "header": {"X": "keyring:mina"}},
        "program": {"url": URL, **CLIENT, "client_secret": "cmd:no-such-program"},
    }
    file = read_server_file(write_file(tmp_path, servers))
    assert file is not None
    with patch.dict(os.environ, environ, clear=True):
        found = all_mistakes(file, environ)
    assert [one.mistake.path[1] for one in found] == ["missing", "program"]
    assert found[0].mistake.hint.startswith("Did you mean mine?")
    assert not runs.exists()
