"""When output is coloured, and what a coloured diff shows."""

from collections.abc import Mapping

import click
import pytest

from bridge.cli.formatting import coloured_diff, has_colours, print_diff

DIFF = '--- a.json\n+++ a.json\n@@ -1 +1,2 @@\n {\n-  "old": 1\n+\t"new": 2\r\n'


@pytest.mark.parametrize(
    ("is_terminal", "environ", "has"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": "0"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm"}, True),
        (False, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_whose_user_wants_them(
    is_terminal: bool, environ: Mapping[str, str], has: bool
) -> None:
    assert has_colours(environ, is_terminal=is_terminal) is has
    assert ("\x1b" in coloured_diff(DIFF, is_terminal=is_terminal, environ=environ)) is has


def test_added_and_removed_lines_have_their_colours() -> None:
    bold, _, place, same, removed, added, last = coloured_diff(DIFF, is_terminal=True, environ={}).split("\n")
    assert bold == click.style("--- a.json", bold=True)
    assert place == click.style("@@ -1 +1,2 @@", fg="cyan")
    assert same == " {"
    assert removed == click.style('-  "old": 1', fg="red")
    assert added == click.style('+   "new": 2', fg="green")
    assert last == ""


def test_without_colours_the_lines_are_as_they_were() -> None:
    assert coloured_diff("+a\n-b\n c\n", is_terminal=False, environ={}) == "+a\n-b\n c\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_a_file_holds_cannot_control_the_terminal(is_terminal: bool) -> None:
    shown = coloured_diff("+evil \x1b[2J \u202e", is_terminal=is_terminal, environ={"TERM": "xterm"})
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_a_diff_in_a_pipe_has_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(DIFF)
    assert capsys.readouterr().out == '--- a.json\n+++ a.json\n@@ -1 +1,2 @@\n {\n-  "old": 1\n+   "new": 2\n\n'


def test_a_diff_on_a_terminal_is_coloured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("bridge.cli.formatting.is_a_terminal", lambda _: True)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    print_diff("+new")
    assert capsys.readouterr().out == f"{click.style('+new', fg='green')}\n"
