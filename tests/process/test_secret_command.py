"""The command of a `cmd:COMMAND`: what it gets, what is taken of it, and how it ends."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from bridge.config.secret_reference import SecretReference, SecretUnavailable
from bridge.process import secret_command
from bridge.process.secret_command import output_of, program_of
from tests.support.waits import stretched

SECRET = "hunter2-Zq4"
SOURCE = "the header X-Key"


def running(code: str) -> SecretReference:
    """A command that runs Python code, in which no double quotation mark may be."""
    return SecretReference("cmd", f'"{sys.executable}" -c "{code}"')


def printed(code: str, environ: dict[str, str] | None = None, seconds: float = stretched(30)) -> str:
    return output_of(running(code), SOURCE, dict(os.environ) if environ is None else environ, seconds)


def complaint(code: str, seconds: float = stretched(30)) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        printed(code, seconds=seconds)
    assert caught.value.exit_code == 2
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith(f"The command of {SOURCE} (")
    return str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        f"print('{SECRET}')",
        f"print('  {SECRET} ', end=chr(13) + chr(10))",
        f"print('{SECRET}'); print('user: me')",
        f"import sys; sys.stdout.write('{SECRET}')",
        f"import sys; sys.stdout.buffer.write(b'\\xef\\xbb\\xbf{SECRET}')",
    ],
)
def test_the_secret_is_the_first_line_without_blanks_around_it(code: str) -> None:
    assert printed(code) == SECRET


def test_the_command_gets_the_given_variables_and_no_input() -> None:
    code = "import os, sys; print(sys.stdin.read() == '', os.environ.get('A'), 'B' in os.environ)"
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT")}
    assert printed(code, {**kept, "A": "x"}) == "True x False"


def test_a_command_that_fails_is_told_with_its_code_and_the_last_line_of_stderr() -> None:
    code = "import sys; print('one', file=sys.stderr); print('vault is locked.', file=sys.stderr); sys.exit(3)"
    assert complaint(code).endswith("failed with exit code 3: vault is locked.")


def test_what_it_says_of_a_failure_is_shown_without_secrets_and_control_characters() -> None:
    code = (
        f"import sys; print('{SECRET}'); "
        f"print(chr(27) + '[31mno {SECRET} Authorization: Bearer abcdef123', file=sys.stderr); sys.exit(1)"
    )
    text = complaint(code)
    assert "abcdef123" not in text
    assert text.isprintable()


def test_a_command_that_fails_without_a_word_is_told_with_its_code() -> None:
    assert complaint(f"print('{SECRET}'); raise SystemExit(1)").endswith("failed with exit code 1.")


@pytest.mark.parametrize(("code", "says"), [("", "printed nothing"), ("print(); print('x')", "an empty first line")])
def test_a_command_that_prints_no_secret_is_told(code: str, says: str) -> None:
    assert says in complaint(code or "pass")


def test_a_command_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_command, "LIMIT", 1000)
    assert "printed more than 1000 bytes" in complaint("while True: print('x' * 1000)")


def test_a_command_that_does_not_end_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
        f" open(r'{file}', 'w').write(str(child.pid)); time.sleep(99)"
    )
    text = complaint(code, seconds=stretched(1.5))
    assert "did not end within" in text
    end = time.monotonic() + stretched(10)
    while is_running(int(file.read_text())):
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended; a dead one may wait for its parent."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="a program without a suffix runs on POSIX only")
def test_a_program_is_looked_for_in_path_and_never_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "vault-reader"
    program.write_text("#!/bin/sh\necho hunter2\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    named = SecretReference("cmd", "vault-reader x")
    assert program_of(named, SOURCE, {"PATH": f".{os.pathsep}{tmp_path}"}) == [str(program), "x"]
    for path in ("", ".", os.pathsep):
        with pytest.raises(SecretUnavailable, match=r"\(vault-reader\) was not found\. Write its whole path"):
            program_of(named, SOURCE, {"PATH": path})
    with pytest.raises(SecretUnavailable, match="was not found"):
        program_of(SecretReference("cmd", "./vault-reader"), SOURCE, {"PATH": str(tmp_path)})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert program_of(SecretReference("cmd", "~/vault-reader"), SOURCE, {}) == [str(program)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows starts nothing that has no suffix of a program")
def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(SecretUnavailable, match=r"\(broken\) could not be started"):
        output_of(SecretReference("cmd", f"'{program}'"), SOURCE, dict(os.environ))


@pytest.mark.skipif(sys.platform == "win32", reason="the shell of POSIX")
def test_a_program_that_the_command_leaves_running_holds_nothing_up() -> None:
    began = time.monotonic()
    command = SecretReference("cmd", f"sh -c 'sleep 60 & echo {SECRET}'")
    assert output_of(command, SOURCE, dict(os.environ)) == SECRET
    assert time.monotonic() - began < stretched(20)
