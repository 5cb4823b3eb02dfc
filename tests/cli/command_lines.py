"""Whether a command line that help or a page shows would be taken."""

import shlex
from itertools import takewhile

import click
import pytest

from bridge import PROGRAM
from bridge.cli.commands import command_first
from bridge.cli.program import cli, run

_SHELL = (">", ">>", "|", "&&", ";")
"""Words that end a command in a shell."""


def parsed(line: str) -> click.Context:
    """The context of the command after its words were read; nothing is run. Raises what its reader does."""
    program, *words = takewhile(lambda word: word not in _SHELL, shlex.split(line, comments=True))
    assert program == PROGRAM, line
    top = cli.context_class(cli, info_name=PROGRAM, **cli.context_settings)
    options = [param for param in run.params if isinstance(param, click.Option) and not param.is_flag]
    with_value = {name for option in options for name in option.opts}
    name, *rest = command_first(words, cli.list_commands(top), with_value, "run")
    command = cli.get_command(top, name)
    assert command is not None, line
    context = command.make_context(name, rest, parent=top)
    assert name != "run" or len(context.params["url"]) == 1, line
    return context


def help_at(columns: int, *words: str) -> str:
    """The help of the program, or of the command `words`, on a terminal of so many columns."""
    top = cli.make_context(PROGRAM, [], resilient_parsing=True)
    context = top
    if words:
        command = cli.get_command(top, words[0])
        assert command is not None
        context = command.make_context(words[0], [], parent=top, resilient_parsing=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        return context.get_help()
