"""The page of options and commands is what the code says."""

import re

import pytest

from bridge import PROGRAM
from bridge.cli.command_table import COMMAND_ROWS
from bridge.cli.option_table import OPTIONS
from bridge.errors import BridgeError, UsageError
from scripts import options_page
from scripts.environment import SetupError
from tests.cli.command_lines import parsed

TEXT = options_page.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_code_says() -> None:
    assert options_page.text() == TEXT, f"docs/options.md is old. Run: {options_page.COMMAND}"


def test_every_option_and_command_is_on_it() -> None:
    for row in OPTIONS:
        assert re.search(rf"^\| `{row.name}[ `]", TEXT, re.MULTILINE), row.name
    for command in COMMAND_ROWS:
        assert f"\n#### {command.name}\n" in TEXT


def test_every_exit_code_of_an_error_is_on_it() -> None:
    codes = dict(options_page.exit_codes())
    assert [*codes] == ["0", "1", "2", "130"]
    assert {str(BridgeError.exit_code), str(UsageError.exit_code)} <= {*codes}
    for code, when in codes.items():
        assert f"| {code} | {when} |" in TEXT


def test_every_command_on_it_is_taken() -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)[1:] for line in block.splitlines()]
    assert len(lines) > len(COMMAND_ROWS)
    for line in lines:
        assert line.startswith(PROGRAM)
        parsed(line)


def test_another_argument_is_refused() -> None:
    with pytest.raises(SetupError, match="usage"):
        options_page.main(["--wirte"])
