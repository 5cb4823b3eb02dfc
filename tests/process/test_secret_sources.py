"""Secrets read from where references say they are, and what is said where there is none."""

import os
import sys
from pathlib import Path

import pytest

from bridge.config import NotedEnvironment
from bridge.config.secret_reference import SecretUnavailable, reference_in
from bridge.process import user_secrets
from bridge.process.secret_sources import look_for_secrets, read_secrets
from bridge.store.errors import EntryRefused, KeyringUnavailable, StoreError

SECRET = "hunter2-Zq4"
SOURCE = "--client-secret"
BOTH = pytest.mark.parametrize("ask", [read_secrets, look_for_secrets], ids=["read", "look for"])


@pytest.fixture(autouse=True)
def _home(own_home: Path) -> None:
    """Secrets are stored in files below a folder of the test."""


def read(text: str, environ: dict[str, str] | None = None, ask: object = read_secrets) -> str:
    reference = reference_in(text)
    assert reference is not None
    assert callable(ask)
    found: dict[object, str] = ask({reference: SOURCE}, NotedEnvironment(environ or {}))
    return found[reference]


def refusal(text: str, environ: dict[str, str] | None = None, ask: object = read_secrets) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        read(text, environ, ask)
    assert SOURCE in caught.value.message
    assert SECRET not in str(caught.value)
    return str(caught.value)


@BOTH
def test_a_variable_is_read_without_blanks_at_its_ends_and_noted(ask: object) -> None:
    assert read("env:MY_SECRET", {"MY_SECRET": f" {SECRET}\n"}, ask) == SECRET
    noted = NotedEnvironment({"A": "1", "B": "2"})
    reference = reference_in("env:A")
    assert reference is not None
    read_secrets({reference: SOURCE}, noted)
    assert list(noted.read) == ["A"]


@BOTH
@pytest.mark.parametrize(
    ("text", "environ", "says"),
    [
        ("env:NOPE", {}, "NOPE, which is not set. Set it"),
        ("env:VOID", {"VOID": "  "}, "VOID, which is empty"),
        (f"env:{SECRET}!", {}, "it names, which is not set"),
        ("env:", {}, "without a variable"),
    ],
)
def test_a_variable_without_a_secret_is_told(text: str, environ: dict[str, str], says: str, ask: object) -> None:
    assert says in refusal(text, environ, ask)


@BOTH
@pytest.mark.parametrize(
    "content", [SECRET.encode(), f"{SECRET}\r\n".encode(), b"\xef\xbb\xbf" + SECRET.encode() + b"\n"]
)
def test_a_file_is_read_without_blanks_at_its_ends(tmp_path: Path, content: bytes, ask: object) -> None:
    file = tmp_path / ("a secret file" if sys.platform == "win32" else "a secret:file")
    file.write_bytes(content)
    assert read(f"file:{file}", ask=ask) == SECRET


def test_a_file_may_be_named_from_the_home(own_home: Path) -> None:
    (own_home / "secret").write_text(SECRET)
    assert read("file:~/secret") == SECRET


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0" * 100_000])
def test_a_file_that_is_no_text_or_too_large_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert str(file) in refusal(f"file:{file}")


def test_a_file_that_is_not_there_is_named_with_the_systems_reason(tmp_path: Path) -> None:
    text = refusal(f"file:{tmp_path / 'none'}")
    assert str(tmp_path / "none") in text
    assert os.strerror(2) in text


def test_a_folder_a_home_that_is_not_there_and_no_path_at_all_are_refused(tmp_path: Path) -> None:
    for name in (str(tmp_path), "~no-such-person-here/secret", "a\0b"):
        assert "cannot be read" in refusal(f"file:{name}")


def test_a_stored_secret_is_read_by_its_name() -> None:
    user_secrets.save_secret("github", SECRET)
    assert read("keyring:github") == SECRET
    assert read("keyring:github", ask=look_for_secrets) != SECRET


@BOTH
def test_a_secret_that_is_not_stored_is_told_with_what_to_type(ask: object) -> None:
    assert refusal("keyring:github", ask=ask) == (
        "--client-secret needs the secret github, which is not stored. "
        "To store it, run: mcp-remote-bridge secret set github"
    )


@BOTH
def test_a_name_that_is_nearly_right_is_told(ask: object) -> None:
    user_secrets.save_secret("github", SECRET)
    assert "Did you mean github?" in refusal("keyring:githup", ask=ask)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            KeyringUnavailable("it is locked"),
            "needs the secret github: The system keyring cannot be used: it is locked.",
        ),
        (KeyringUnavailable("it is locked"), "mcp-remote-bridge secret set github --token-store file"),
        (EntryRefused(), "To store it again, run: mcp-remote-bridge secret set github"),
        (StoreError("The disk is full.", hint="Make room."), "The disk is full. Make room."),
    ],
)
def test_a_store_that_cannot_be_read_is_told_with_what_to_do(
    error: StoreError, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise error

    monkeypatch.setattr(user_secrets, "read_secret", fails)
    assert says in refusal("keyring:github")


def test_a_command_runs_once_and_gets_no_variable_that_any_reference_names(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    code = f"import os; open(r'{file}', 'a').write('x'); print(sorted(set(os.environ) & {{'A', 'B', 'MCP_BRIDGE_C'}}))"
    command, variable = reference_in(f'cmd:"{sys.executable}" -c "{code}"'), reference_in("env:A")
    assert command is not None
    assert variable is not None
    environ = {**os.environ, "A": "1", "B": "2", "MCP_BRIDGE_C": "3"}
    found = read_secrets({command: "the header X", variable: SOURCE}, NotedEnvironment(environ))
    assert found == {command: "['B']", variable: "1"}
    assert file.read_text() == "x"


def test_to_look_for_a_command_does_not_run_it(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    code = f"open(r'{file}', 'a').write('x')"
    read(f'cmd:"{sys.executable}" -c "{code}"', dict(os.environ), look_for_secrets)
    assert not file.exists()
    assert "(no-such-program) was not found" in refusal("cmd:no-such-program x", {"PATH": ""}, look_for_secrets)
