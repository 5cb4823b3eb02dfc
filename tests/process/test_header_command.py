"""The command of `--header-command`: how it runs, and what is told where it gives no headers."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from bridge.config.header_command import HeaderCommand
from bridge.process import header_command
from bridge.process.header_command import HeaderCommandFailed, check_program, headers_of
from bridge.process.redact import Redactor
from tests.support.waits import stretched

SECRET = "hunter2-Zq4"
LIMIT = stretched(30)

posix = pytest.mark.skipif(sys.platform == "win32", reason="the shell of POSIX")


def running(code: str) -> HeaderCommand:
    return HeaderCommand((sys.executable, "-c", code))


def complaint(command: HeaderCommand, seconds: float = LIMIT, redactor: Redactor | None = None) -> str:
    with pytest.raises(HeaderCommandFailed) as caught:
        headers_of(command, os.environ, redact=redactor or Redactor(), seconds=seconds)
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith("The command of --header-command (")
    return str(caught.value)


def test_the_headers_are_what_the_program_prints_with_the_given_variables_and_no_input() -> None:
    code = "import os, sys; print('X-In:', repr(sys.stdin.read())); print('X-A:', os.environ['A'])"
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT")}
    found = headers_of(running(code), {**kept, "A": "x"}, seconds=LIMIT)
    assert found.headers == (("X-In", "''"), ("X-A", "x"))


@posix
def test_a_shell_reads_what_is_meant_for_one() -> None:
    command = HeaderCommand(shell=f'token=$(echo {SECRET}) && echo "Authorization: Bearer $token"; echo expires_in: 9')
    found = headers_of(command, os.environ, seconds=LIMIT)
    assert found.headers == (("Authorization", f"Bearer {SECRET}"),)
    assert found.lifetime == 9


def test_a_failure_is_told_with_the_exit_code_and_the_last_line_of_stderr() -> None:
    code = "import sys; print('one', file=sys.stderr); print('You are not logged in.', file=sys.stderr); sys.exit(3)"
    assert complaint(running(code)).endswith("failed with exit code 3: You are not logged in.")


@pytest.mark.parametrize(
    "printed",
    [
        f"Authorization: Bearer {SECRET}",
        f'{{"Authorization": "Bearer {SECRET}"}}',
        f'{{"headers": {{"X-Key": "{SECRET}"}}',
        SECRET,
    ],
)
def test_a_secret_that_is_printed_and_told_on_stderr_is_not_shown(printed: str) -> None:
    code = f"import sys; print({printed!r}); print('got {SECRET} and no more', file=sys.stderr); sys.exit(1)"
    assert complaint(running(code)).endswith("failed with exit code 1: got *** and no more.")


def test_a_secret_on_stderr_is_known_by_its_form_or_because_it_is_in_use() -> None:
    code = f"import sys; print('< Authorization: Bearer {SECRET}', file=sys.stderr); sys.exit(1)"
    assert "***" in complaint(running(code))
    redactor = Redactor()
    redactor.add(SECRET)
    code = f"import sys; print('old {SECRET} is over', file=sys.stderr); sys.exit(1)"
    assert complaint(running(code), redactor=redactor).endswith("old *** is over.")


def test_output_that_is_no_headers_is_told_with_what_to_print() -> None:
    assert "printed nothing. Have it print a JSON object such as" in complaint(running("pass"))
    bare = complaint(running(f"print('{SECRET}')"))
    assert "a line that is no header (line 1)" in bare
    assert "shell:token=$(COMMAND)" in bare


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(HeaderCommandFailed, match=r"\(no-such-thing\) was not found\. Write its whole path"):
        check_program(HeaderCommand(("no-such-thing", SECRET)), {"PATH": ""})
    check_program(running(""), {})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no bit that makes a file executable")
def test_a_program_that_may_not_run_is_told(tmp_path: Path) -> None:
    program = tmp_path / "get-token"
    program.write_text("#!/bin/sh\necho X-A: b\n")
    assert "(get-token) was not found" in complaint(HeaderCommand((str(program),)))
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    assert "(get-token) could not be started" in complaint(HeaderCommand((str(program),)))


def test_a_program_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_command, "LIMIT", 1000)
    assert "printed more than 1000 bytes" in complaint(running("while True: print('x' * 1000)"))


def test_a_program_that_hangs_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
        f" open({str(file)!r}, 'w').write(str(child.pid)); time.sleep(99)"
    )
    assert "did not end within" in complaint(running(code), seconds=stretched(1.5))
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


@posix
def test_a_child_that_holds_stdout_open_holds_nothing_up() -> None:
    began = time.monotonic()
    found = headers_of(HeaderCommand(shell=f"sleep 60 & echo X-Key: {SECRET}"), os.environ, seconds=LIMIT)
    assert found.headers == (("X-Key", SECRET),)
    assert time.monotonic() - began < stretched(20)
