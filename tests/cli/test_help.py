"""What `--help` shows: it fits a screen, begins with examples that work, and can be read on a narrow terminal."""

import re

import click
import pytest

from bridge import PROGRAM
from bridge.cli.command_table import COMMAND_ROWS, EXAMPLES, CommandRow
from bridge.cli.option_table import OPTIONS
from bridge.cli.program import cli
from bridge.errors import UsageError
from tests.cli.command_lines import help_at, parsed

MANY_OPTIONS = {"run": 160}
"""Lines, at 80 columns, of the command that explains all options of a run."""

LINES = 48
"""The lines that the help of any other command may have."""


def test_the_help_of_the_program_fits_a_screen_and_begins_with_examples() -> None:
    lines = help_at(80).splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith(f"Usage: {PROGRAM} ")
    assert lines[2] == "  Connect an MCP host, such as Claude Desktop, to a remote MCP server."
    assert lines[4] == "Examples:"
    assert f"  {PROGRAM} login https://mcp.example.com/mcp" in lines
    assert lines[-1] == f"More: {PROGRAM} run --help (all options), COMMAND --help (a command)."


def test_the_help_of_the_program_lists_every_command_once_under_its_heading() -> None:
    sections = dict(re.findall(r"^([A-Z][^:\n]+):\n((?:  .+\n?)+)", help_at(80), re.MULTILINE))
    for row in COMMAND_ROWS:
        assert re.search(rf"^  {row.name} +{re.escape(row.summary)}$", sections[row.group], re.MULTILINE), row.name
    listed = [line for group in {row.group for row in COMMAND_ROWS} for line in sections[group].splitlines()]
    assert len(listed) == len(COMMAND_ROWS)


@pytest.mark.parametrize("row", COMMAND_ROWS, ids=lambda row: row.name)
def test_the_help_of_a_command_shows_its_examples_before_its_options(row: CommandRow) -> None:
    shown = help_at(80, row.name)
    assert len(shown.splitlines()) <= MANY_OPTIONS.get(row.name, LINES)
    assert shown.startswith(f"Usage: {PROGRAM} {row.name} ")
    places = [shown.index(f"  {PROGRAM} {words}\n") for words in row.examples]
    assert places
    assert max(places) < shown.index("Options:")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", ["", *(row.name for row in COMMAND_ROWS)])
def test_no_line_is_longer_than_the_terminal_is_wide(name: str, columns: int) -> None:
    for line in help_at(columns, *filter(None, (name,))).splitlines():
        # An example stays on one line, so that it can be copied, and the name of an option is one word.
        is_whole = line.startswith((f"  {PROGRAM} ", "  --"))
        assert len(line.rstrip()) <= columns or is_whole, line


def test_a_narrow_terminal_gets_each_description_below_its_option() -> None:
    assert "  --no-browser\n    Show the sign-in link, but open no\n    browser.\n" in help_at(40, "run")


@pytest.mark.parametrize("words", dict.fromkeys(words for row in COMMAND_ROWS for words in row.examples))
def test_every_example_is_taken(words: str) -> None:
    parsed(f"{PROGRAM} {words}")


def test_the_examples_of_the_program_are_those_of_commands() -> None:
    assert {*EXAMPLES} <= {words for row in COMMAND_ROWS for words in row.examples}


@pytest.mark.parametrize("line", ["login", "status --jsn", "run --header", "stauts"])
def test_what_is_no_command_line_is_not_taken(line: str) -> None:
    with pytest.raises((click.ClickException, UsageError)):
        parsed(f"{PROGRAM} {line}")


def test_each_option_of_a_run_stands_under_its_heading() -> None:
    sections = dict(re.findall(r"^([A-Z][^:\n]+):\n((?:  .+\n?)+)", help_at(80, "run"), re.MULTILINE))
    for row in OPTIONS:
        assert f"  {row.name}" in sections[row.group]
    assert "  -h, --help" in sections["Options"]


def test_another_command_with_many_options_of_a_run_names_them() -> None:
    shown = " ".join(help_at(80, "login").split())
    assert "Options of a run: mcp-remote-bridge run --help explains them. --header, --header-file," in shown
    assert "--transport" not in shown


def test_a_command_with_few_options_shows_them_under_one_heading() -> None:
    shown = help_at(80, "status")
    assert re.findall(r"^(\S.*):$", shown, re.MULTILINE) == ["Examples", "Options"]


def test_every_row_is_a_command_of_its_name() -> None:
    top = cli.context_class(cli)
    for row in COMMAND_ROWS:
        command = cli.get_command(top, row.name)
        assert command is not None
        assert command.name == row.name
