"""How `--help` looks: examples that can be copied, options under headings, and narrow terminals."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from bridge import PROGRAM
from bridge.cli.command_table import COMMAND_ROWS, EXAMPLES, NAME_OR_URL, CommandRow
from bridge.cli.option_table import OPTIONS

_NARROW = 60
"""Columns below which a description stands under its term, not beside it."""

_NARROWEST = 20
_FEW = 8
"""As many options of a run are explained in a command's own help."""

_OWN, _RUN = "Options", "run"
_GROUPS = {row.name: row.group for row in OPTIONS}
_EXAMPLES = {row.name: row.examples for row in COMMAND_ROWS}


class HelpText(click.HelpFormatter):
    """Writes help as wide as the terminal. Click itself would write at least 50 columns."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        if width is None:
            width = max(_NARROWEST, min(shutil.get_terminal_size().columns, max_width or 80) - 2)
        super().__init__(indent_increment, width, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their descriptions."""
        if self.width >= _NARROW:
            super().write_dl(rows, col_max, col_spacing)
            return
        for term, description in rows:
            self.write(f"{'':>{self.current_indent}}{term.rstrip()}\n")
            with self.indentation():
                self.write_text(description)

    def write_examples(self, examples: Iterable[str]) -> None:
        """Write command lines, each on one line, so that it can be copied."""
        with self.section("Examples"):
            for words in examples:
                self.write(f"{'':>{self.current_indent}}{PROGRAM} {words}\n")


class HelpContext(click.Context):
    """The context of a command whose help is a `HelpText`, and shown for `-h` too."""

    formatter_class = HelpText

    def __init__(self, command: click.Command, **rest: Any) -> None:
        super().__init__(command, **{"help_option_names": ["-h", "--help"], **rest})


class HelpfulCommand(click.Command):
    """A command whose help has the examples of its row, and its options under their headings."""

    context_class = HelpContext

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command is for, the examples, and the rest of its text."""
        first, _, rest = inspect.cleandoc(self.help or "").partition("\n\n")
        _write_paragraphs(formatter, first)
        if isinstance(formatter, HelpText) and (examples := _EXAMPLES.get(self.name or "")):
            formatter.write_examples(examples)
        _write_paragraphs(formatter, rest)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options: the command's own, then those of a run under their headings, or their names."""
        found = [(param, param.get_help_record(ctx)) for param in self.get_params(ctx)]
        # Newer versions of click show an argument too, without a description.
        shown = [(param.opts[0], record) for param, record in found if record is not None and record[1]]
        shared = [name for name, _ in shown if name in _GROUPS]
        sections: dict[str, list[tuple[str, str]]] = {_OWN: []}
        for name, record in shown:
            if name not in shared or len(shared) <= _FEW:
                sections[_OWN].append(record)
            elif self.name == _RUN:
                sections.setdefault(_GROUPS[name], []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
        if len(shared) > _FEW and self.name != _RUN:
            with formatter.section("Options of a run"):
                if len(shared) == len(OPTIONS):
                    formatter.write_text(f"All of them, as {PROGRAM} {_RUN} --help explains.")
                    return
                formatter.write_text(f"{PROGRAM} {_RUN} --help explains them.")
                # Not through the formatter, which would break a line within an option's name.
                indent = " " * formatter.current_indent
                lines = textwrap.wrap(", ".join(shared), formatter.width - len(indent), break_on_hyphens=False)
                formatter.write("".join(f"{indent}{line}\n" for line in lines))


def write_overview(formatter: click.HelpFormatter, about: str, rows: Sequence[CommandRow]) -> None:
    """Write the help of the whole program: `about`, examples, and the commands by group."""
    width = max(len(row.name) for row in rows)
    formatter.write_usage(PROGRAM, f"[OPTIONS] {NAME_OR_URL} | COMMAND ...")
    _write_paragraphs(formatter, inspect.cleandoc(about))
    if isinstance(formatter, HelpText):
        formatter.write_examples(EXAMPLES)
    for group in dict.fromkeys(row.group for row in rows):
        with formatter.section(group):
            formatter.write_dl([(row.name.ljust(width), row.summary) for row in rows if row.group == group])
    formatter.write_paragraph()
    formatter.write_text(f"More: {PROGRAM} {_RUN} --help (all options), COMMAND --help (a command).")


def _write_paragraphs(formatter: click.HelpFormatter, text: str) -> None:
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
