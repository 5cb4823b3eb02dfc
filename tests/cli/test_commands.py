"""Which command the words of a command line mean, and what is said of words that mean none."""

import errno
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from bridge.cli.command_table import COMMAND_ROWS
from bridge.cli.commands import OneCommand, command_first
from bridge.cli.main import main
from bridge.cli.program import cli
from bridge.errors import UsageError, missing_package
from bridge.inventory.command_line import COMMANDS as COMMAND_WORDS
from tests.cli.command_lines import parsed
from tests.support.waits import stretched

ROOT = Path(__file__).resolve().parents[2]
URL = "https://example.com/mcp"
SECRET = "s3cr3t-value"
COMMANDS = ("callback", "login", "logout", "run", "status", "version")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((), ("run",)),
        ((URL,), ("run", URL)),
        (("--profile", "work", URL), ("run", "--profile", "work", URL)),
        (("login", URL), ("login", URL)),
        (("--profile", "work", "login", URL), ("login", "--profile", "work", URL)),
        (("--silent", "login", URL, "--scope", "a"), ("login", "--silent", URL, "--scope", "a")),
        (("--profile=work", "login", URL), ("login", "--profile=work", URL)),
        (("--profile", "status", URL), ("run", "--profile", "status", URL)),
        (("--", "status"), ("run", "--", "status")),
        (("help",), ("--help",)),
        (("help", "login"), ("login", "--help")),
        (("--silent", "help", "login"), ("login", "--help")),
        (("--version",), ("version",)),
        (("--version", "--json"), ("version", "--json")),
        (("", "login", URL), ("login", "", URL)),
        ((SECRET,), ("run", SECRET)),
        (("status.example",), ("run", "status.example")),
    ],
)
def test_the_command_comes_first_whatever_stands_before_it(words: Sequence[str], meant: Sequence[str]) -> None:
    assert command_first(words, COMMANDS, ("--profile", "--scope"), "run") == list(meant)


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("logn", URL), "login"),
        (("logn",), "login"),
        (("--silent", "stauts"), "status"),
        (("rnu", URL), "run"),
        (("hepl",), "help"),
        (("vesion",), "version"),
    ],
)
def test_what_is_nearly_a_command_is_told_with_the_command(words: Sequence[str], near: str) -> None:
    with pytest.raises(UsageError) as raised:
        command_first(words, COMMANDS, (), "run")
    assert str(raised.value).startswith("There is no command ")
    assert str(raised.value).endswith(f"Did you mean {near!r}?")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (("help",), "Usage: mcp-remote-bridge [OPTIONS] NAME_OR_URL | COMMAND"),
        (("help", "status"), "Usage: mcp-remote-bridge status [OPTIONS]"),
        (("version",), "mcp-remote-bridge "),
        (("--profile", "x", "login", "--help"), "Usage: mcp-remote-bridge login [OPTIONS] NAME_OR_URL"),
    ],
)
def test_help_and_version_may_be_asked_for_as_commands(
    words: Sequence[str], begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith(begins)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--profile", "work", "status"), "status has no option --profile. mcp-remote-bridge status --help lists"),
        (("status", "--jsn"), "status has no option --jsn. Did you mean --json?"),
        ((URL, "--haeder", "A: b"), "There is no option --haeder. Did you mean --header or --header-file?"),
        ((URL, "--zzzzzzz"), "There is no option --zzzzzzz. mcp-remote-bridge run --help lists the options."),
        ((URL, "--profile"), "--profile needs a value."),
        (("login",), "login needs a server: its URL, or its name in your own file or a host's configuration."),
        (("login", ""), "login needs a server"),
        (("logout", ""), "Give the server to sign out of, or --all."),
        (("client-metadata",), "client-metadata needs URL. Usage: mcp-remote-bridge client-metadata [OPTIONS] URL"),
        (("status", URL, SECRET), "status takes only 1 argument, and 1 more was given."),
        (("version", SECRET), "version takes no arguments, and 1 more was given."),
        (("login", URL, SECRET, "x"), "login takes only 1 argument, and 2 more were given."),
        (("help", SECRET), "There is no such command. mcp-remote-bridge --help lists the commands."),
        (("",), "No URL was given."),
    ],
)
def test_a_misused_command_is_told_how_to_use_it(
    words: Sequence[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"mcp-remote-bridge: error: {says}")
    assert err.count("\n") == 1
    assert SECRET not in err


def test_every_command_refuses_words_it_has_no_use_for_unseen() -> None:
    ctx = click.Context(cli)
    for name in cli.list_commands(ctx):
        command = cli.get_command(ctx, name)
        assert isinstance(command, OneCommand) or name == "run"


def test_the_words_that_are_no_servers_name_are_the_commands() -> None:
    assert {*(row.name for row in COMMAND_ROWS), "help", "login-process"} == COMMAND_WORDS


def test_a_server_that_is_nearly_called_like_a_command_is_run() -> None:
    assert command_first(("logn",), COMMANDS, (), "run", {"logn"}.__contains__) == ["run", "logn"]
    with pytest.raises(UsageError, match="Did you mean 'login'"):
        command_first(("logn",), COMMANDS, (), "run", {"other"}.__contains__)


# -- what cannot be written


def run_to(stdout: int, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MCP_BRIDGE_")}
    return subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=stretched(60),
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [("status",), ("--help",), ("--version",)])
def test_a_full_disk_is_told_in_one_sentence_and_is_no_defect(words: Sequence[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run_to(full, *words)
    finally:
        os.close(full)
    assert done.returncode == 1
    why = os.strerror(errno.ENOSPC)
    assert done.stderr == f"mcp-remote-bridge: error: The output could not be written to stdout: {why}.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe without a reader is another error there")
@pytest.mark.parametrize("words", [("status",), ("--help",)])
def test_a_reader_that_has_had_enough_is_told_nothing(words: Sequence[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = run_to(write, *words)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


# -- a run that no host started


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_a_run_at_a_terminal_says_what_it_waits_for_and_what_to_do_instead() -> None:
    import pty

    near, far = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "bridge", "http://127.0.0.1:1/mcp"],
        cwd=ROOT,
        stdin=far,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(far)
    timer = threading.Timer(30, running.kill)
    timer.start()
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        assert "MCP host starts this program" in line
        assert "mcp-remote-bridge login http://127.0.0.1:1/mcp ;" in line
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    finally:
        timer.cancel()
        running.kill()
        running.communicate()
        os.close(near)
    assert (running.returncode, out, err) == (0, "", "mcp-remote-bridge: stopped\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_a_terminal_and_no_url_is_told_what_to_type() -> None:
    import pty

    near, far = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bridge"],
            cwd=ROOT,
            stdin=far,
            capture_output=True,
            text=True,
            timeout=stretched(60),
            check=False,
        )
    finally:
        os.close(near)
        os.close(far)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mcp-remote-bridge connects an MCP host, such as Claude Desktop,\n")
    lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("  ")]
    assert lines[-1] == "mcp-remote-bridge --help"
    for line in lines[:-1]:
        parsed(line)


# -- packages that are not there


@pytest.mark.parametrize("package", ["click", "msgspec"])
def test_a_package_that_is_not_installed_is_named_with_what_to_do(package: str, tmp_path: Path) -> None:
    # Found before the installed one, and itself not to be found: as in a Python without it.
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError('no', name='{package}')")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "status"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=stretched(60),
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"mcp-remote-bridge: error: The Python package {package} is not installed for ")
    assert "pipx install ." in line


def test_the_package_is_called_what_an_index_calls_it() -> None:
    assert "json-with-comments" in missing_package("jsonc.decoder")
    assert "ruamel.yaml" in missing_package("ruamel")


@pytest.mark.parametrize("module", ["bridge", "bridge.cli.nonsense", "json", "", None])
def test_a_module_that_is_no_package_of_others_is_a_defect(module: str | None) -> None:
    assert missing_package(module) == ""


def test_an_old_python_is_told_which_it_has_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = importlib.util.spec_from_file_location("__main__", ROOT / "bridge" / "__main__.py")
    assert code is not None
    assert code.loader is not None
    old = types.ModuleType("sys")
    old.__dict__.update(sys.__dict__, version_info=(3, 10, 0), version="3.10.0 (main)")
    monkeypatch.setitem(sys.modules, "sys", old)
    with pytest.raises(SystemExit) as ended:
        code.loader.exec_module(importlib.util.module_from_spec(code))
    assert ended.value.code == 1
    assert "This needs Python 3.11 or newer" in capsys.readouterr().err
