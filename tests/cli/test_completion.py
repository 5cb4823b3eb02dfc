"""What a shell is offered for the word that the user types, and the scripts that make it ask."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.completion import SHELLS
from bridge.cli.main import main
from bridge.cli.option_table import COMPLETION_VARIABLE, CONFIG_VARIABLE
from bridge.cli.word_completion import argument_items
from bridge.config import GRANTS
from tests.cli.config_files import write_file
from tests.support.waits import stretched

URL = "https://mcp.example.com/mcp"

Offered = Callable[[str], list[str]]


@pytest.fixture
def offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[[str], list[str]]:
    """What bash is offered for the last word of a line, which may be empty."""
    names = ("github", "linear-work", "two words", "$(touch x)", "login")
    monkeypatch.setenv(CONFIG_VARIABLE, str(write_file(tmp_path, {name: {"url": URL} for name in names})))

    def complete(line: str) -> list[str]:
        monkeypatch.setenv(COMPLETION_VARIABLE, "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        with pytest.raises(SystemExit) as ended:
            main([])
        out, err = capsys.readouterr()
        assert (ended.value.code, err) == (0, "")
        return [text.partition(",")[2] for text in out.split()]

    return complete


def test_the_first_word_is_a_command_or_a_server_of_the_user(offered: Offered) -> None:
    assert {"login", "run", "config", "github", "linear-work"} <= {*offered("mcp-remote-bridge ")}
    assert offered("mcp-remote-bridge log") == ["login", "logout", "login"]
    assert offered("mcp-remote-bridge gith") == ["github"]


def test_a_name_that_a_shell_would_read_as_more_than_a_word_is_not_offered(offered: Offered) -> None:
    found = offered("mcp-remote-bridge ")
    assert "two" not in found
    assert not any("$" in word for word in found)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mcp-remote-bridge --prof", ["--profile"]),
        (f"mcp-remote-bridge {URL} --sile", ["--silent"]),
        ("mcp-remote-bridge login --gra", ["--grant"]),
        ("mcp-remote-bridge login --grant ", list(GRANTS)),
        ("mcp-remote-bridge logn --gra", ["--grant"]),
        ("mcp-remote-bridge completion f", ["fish"]),
        ("mcp-remote-bridge config ch", ["check"]),
        ("mcp-remote-bridge status surplus words --js", ["--json"]),
    ],
)
def test_options_and_values_are_those_of_the_command(line: str, words: list[str], offered: Offered) -> None:
    assert offered(line) == words


@pytest.mark.parametrize("command", ["login", "logout", "show", "run", "run --profile work"])
def test_a_command_about_a_server_is_offered_the_names(command: str, offered: Offered) -> None:
    assert offered(f"mcp-remote-bridge {command} lin") == ["linear-work"]


def test_install_is_offered_hosts_and_servers(offered: Offered) -> None:
    assert offered("mcp-remote-bridge install claude-d") == ["claude-desktop"]
    assert offered("mcp-remote-bridge install cursor gith") == ["github"]
    assert offered("mcp-remote-bridge uninstall gemi") == ["gemini"]


def test_no_names_are_offered_from_a_file_that_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{")
    assert argument_items("NAME", "", {"config": file}) == []
    assert argument_items("NAME", "", {"config": tmp_path / "missing.json"}) == []


def test_a_word_that_is_no_name_is_offered_nothing() -> None:
    assert argument_items("URL", "", {}) == []
    assert argument_items(None, "", {}) == []


def test_powershell_asks_by_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(COMPLETION_VARIABLE, "powershell_complete")
    for words, incomplete, begins in (
        ("mcp-remote-bridge\nlogin\n--gra", "--gra", "--grant\tHow to sign in."),
        ("mcp-remote-bridge\nlogin\n--grant", "", "authorization-code\tauthorization-code\ndevice-code"),
        ("mcp-remote-bridge", "", "login\tSign in to a server.\n"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", incomplete)
        with pytest.raises(SystemExit):
            main([])
        assert begins in capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_asks_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert COMPLETION_VARIABLE in out
    assert f"{shell}_complete" in out
    assert "mcp-remote-bridge" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_its_script(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    with pytest.raises(SystemExit):
        main(["completion", shell])
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    done = subprocess.run(
        [shell, "-n", str(script)], capture_output=True, text=True, timeout=stretched(30), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
