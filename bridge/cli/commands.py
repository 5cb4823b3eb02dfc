"""Which command the words of a command line mean, and the error for words that mean none.

| the words | what they mean |
|---|---|
| a URL, with options before or after it; nothing | `run` |
| a command, with options before or after it | that command, with these options |
| the name of a server in the user's file | `run` |
| `help`, `help COMMAND`, `--version` | `--help`, `COMMAND --help`, `version` |
| a word that is close to the name of a command | an error that names the command |

An empty word counts as not given, as an empty option does.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge import PROGRAM
from bridge.cli.command_table import COMMAND_ROWS
from bridge.cli.help_text import HelpContext, HelpfulCommand, write_overview
from bridge.cli.option_table import CONFIG_OPTION, CONFIG_VARIABLE
from bridge.cli.settings import is_blank
from bridge.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_PLAIN = re.compile(r"[A-Za-z][A-Za-z-]{0,19}")


class WordArgument(click.Argument):
    """An argument for which an empty word counts as not given."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.core.ParameterSource]:
        """Take the value from the command line, unless it is blank."""
        if self.name is not None and is_blank(opts.get(self.name)):
            opts = {name: value for name, value in opts.items() if name != self.name}
        return super().consume_value(ctx, opts)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The words that a shell may offer for it."""
        from bridge.cli.word_completion import argument_items

        return argument_items(self.metavar, incomplete, ctx.params) or super().shell_complete(ctx, incomplete)


class OneCommand(HelpfulCommand):
    """A command that refuses surplus arguments without showing them, because one may be a secret."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options and arguments. Raises `UsageError` for more arguments than the command takes."""
        super().parse_args(ctx, args)
        count = 0 if ctx.resilient_parsing else sum(not is_blank(word) for word in ctx.args)
        if count:
            own = sum(isinstance(param, click.Argument) for param in self.params)
            few = "no arguments" if own == 0 else f"only {own} argument{'s' if own > 1 else ''}"
            raise UsageError(
                f"{self.name} takes {few}, and {count} more {'was' if count == 1 else 'were'} given.",
                hint=f"{PROGRAM} {self.name} --help shows how to use it. Put an argument with spaces in quotes.",
            )
        return []


class Commands(click.Group):
    """A group of commands; where the first word is none, it belongs to the command `default`, which is `run`."""

    default = "run"
    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(row.name for row in COMMAND_ROWS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported where that is needed."""
        found = [row for row in COMMAND_ROWS if row.name == cmd_name]
        if not found:
            return None
        made = getattr(importlib.import_module(f"bridge.cli.{found[0].module}"), found[0].attribute)
        return made if isinstance(made, click.Command) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command first, `run` where there is none. Raises `UsageError` for a misspelled command."""
        own = {name for param in self.get_params(ctx) for name in param.opts}
        # While a shell completes the first word, none is there, and any may come.
        if not (args and args[0] in own) and not (ctx.resilient_parsing and not args):
            with_value, file = self._options_with_value(), _config_in(args)
            # A word that a shell has not completed yet may be misspelled.
            has_server = (lambda _: True) if ctx.resilient_parsing else partial(_has_server, file)
            args = command_first(args, self.list_commands(ctx), with_value, self.default, has_server)
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The words that a shell may offer as the first one."""
        from bridge.cli.word_completion import command_items

        if incomplete.startswith("-"):
            return self.commands[self.default].shell_complete(ctx, incomplete)
        return command_items(COMMAND_ROWS, incomplete, {"config": _config_in(())})

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show examples and the commands. The options of a run are in its own help."""
        write_overview(formatter, self.help or "", COMMAND_ROWS)

    def _options_with_value(self) -> frozenset[str]:
        options = [param for param in self.commands[self.default].params if isinstance(param, click.Option)]
        return frozenset(name for option in options if not option.is_flag for name in option.opts)


def command_first(
    words: Sequence[str],
    commands: Iterable[str],
    with_value: Iterable[str],
    default: str,
    has_server: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """`words` with the command first. `with_value` are the options whose value is the next word.

    `has_server` says whether a word is the name of a server. Raises `UsageError` where the first word that is not an
    option is close to the name of a command, and is no server's.
    """
    commands, with_value = set(commands), set(with_value)
    if words and words[0] == "--version":
        return ["version", *words[1:]]
    place = 0
    while place < len(words) and (is_blank(words[place]) or words[place].startswith("-")) and words[place] != "--":
        place += 2 if words[place] in with_value else 1
    word = words[place] if place < len(words) else ""
    rest = [*words[:place], *words[place + 1 :]]
    if word in commands:
        return [word, *rest]
    if word == "help":
        return _help(rest, commands)
    # Other words are neither compared nor shown: one may be a secret from a header that was split at its spaces.
    is_plain = _PLAIN.fullmatch(word) is not None
    near = difflib.get_close_matches(word, [*sorted(commands), "help"], n=1) if is_plain else []
    if near and not has_server(word):
        raise UsageError(f"There is no command {word!r}.", hint=f"Did you mean {near[0]!r}?")
    return [default, *words]


def _has_server(file: Path | None, name: str) -> bool:
    # It reads the file, which most command lines do not need.
    from bridge.cli.named_server import is_own_server

    return is_own_server(name, file, os.environ)


def _config_in(words: Sequence[str]) -> Path | None:
    """The file of servers that the words, or else the variable, name."""
    text = os.environ.get(CONFIG_VARIABLE) or ""
    for before, word in pairwise(("", *words)):
        name, _, value = word.partition("=")
        given = word if before == CONFIG_OPTION else value if name == CONFIG_OPTION else ""
        text = text if is_blank(given) else given
    if is_blank(text):
        return None
    with suppress(RuntimeError):  # The option itself complains of a home that does not exist.
        return Path(text).expanduser()
    return Path(text)


def _help(words: Sequence[str], commands: set[str]) -> list[str]:
    about = [word for word in words if not is_blank(word) and not word.startswith("-")]
    if not about:
        return ["--help"]
    if about[0] in commands:
        return [about[0], "--help"]
    near = difflib.get_close_matches(about[0], commands, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"{PROGRAM} --help lists the commands."
    raise UsageError("There is no such command.", hint=hint)
