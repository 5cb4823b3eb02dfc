"""Reads a plain command line, such as a host's entry has, without click.

Importing click would take a seventh of the time until the host has its answer. Both use the rows of `option_table`.
This module leaves anything less plain to click, and every error:

| plain | left to click |
|---|---|
| `URL`, `run URL`, or no word and MCP_BRIDGE_URL | a command, `help`, several words, a word that is not a URL, `--` |
| `--name VALUE`, `--name=VALUE` | an unknown or repeated option; a value that is missing, blank or begins with `-` |
| a variable with a value | a variable whose value is blank |
| a choice as the table spells it | the same in capitals; any other word |
| a flag; its variable as 1, true, 0 or false | a flag with a value; its variable as another word |
| numbers and paths that can be used | any other |

So where this module reads a command line at all, it returns the values that click would return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bridge.cli import option_table
from bridge.cli.option_table import FLAG, LINES, OPTIONS, OptionRow
from bridge.cli.settings import URL_VARIABLE, is_blank, is_url
from bridge.config import parse_seconds
from bridge.errors import UsageError

_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class Plain(msgspec.Struct, frozen=True):
    """A plain command line: the URL, where it has one, and a value for each option."""

    words: tuple[str, ...]
    options: dict[str, Any]
    secret_in_arguments: bool


class _NotPlain(Exception):
    """The command line has to be read by click."""


def read_plain(words: Sequence[str], environ: Mapping[str, str]) -> Plain | None:
    """Read the words of a run; None where click has to read them."""
    try:
        free, given = _split(words, {row.name: row for row in OPTIONS})
        if not free and is_blank(environ.get(URL_VARIABLE, "")):
            return None
        options = {row.key: _value(row, given.get(row.name), environ) for row in OPTIONS}
    except (_NotPlain, UsageError, ValueError, RuntimeError):
        return None
    return Plain(free, options, "--client-secret" in given)


def _split(words: Sequence[str], rows: Mapping[str, OptionRow]) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """The words that are not options, without `run`, and the values given to each option."""
    free: list[str] = []
    given: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            free.append(word)
            continue
        name, equals, value = word.partition("=")
        row = rows.get(name)
        if row is None or (row.kind == FLAG and equals) or (row.kind != LINES and name in given):
            raise _NotPlain
        if row.kind != FLAG and not equals:
            value = next(rest, "")
            if value.startswith("-"):
                raise _NotPlain
        if row.kind != FLAG and is_blank(value):
            raise _NotPlain
        given.setdefault(name, []).append(value)
    if free[:1] == ["run"]:
        del free[0]
    if len(free) > 1 or not all(map(is_url, free)):
        raise _NotPlain
    return tuple(free), given


def _value(row: OptionRow, given: list[str] | None, environ: Mapping[str, str]) -> Any:
    if row.kind == FLAG:
        return given is not None or _flag(environ.get(row.variable))
    if row.kind == LINES:
        return tuple(given if given is not None else _lines(environ.get(row.variable)))
    text = given[0] if given is not None else environ.get(row.variable) or None
    if text is None:
        text = row.default
    elif is_blank(text):
        raise _NotPlain
    return None if text is None else _converted(row, text)


def _flag(text: str | None) -> bool:
    if not text:
        return False
    if text not in _FLAGS:
        raise _NotPlain
    return _FLAGS[text]


def _lines(text: str | None) -> Sequence[str]:
    if not text:
        return ()
    if is_blank(text):
        raise _NotPlain
    return [line for line in text.replace("\r", "\n").split("\n") if line.strip()]


def _converted(row: OptionRow, text: str) -> Any:
    """Raises `_NotPlain`, `UsageError`, ValueError or RuntimeError for a value that click has to report."""
    match row.kind:
        case option_table.CHOICE if text not in row.choices:
            raise _NotPlain
        case option_table.FILE:
            return Path(text).expanduser()
        case option_table.INTEGER:
            return int(text)
        case option_table.SECONDS:
            return parse_seconds(text, row.name)
        case option_table.SECONDS_OR_NEVER:
            return parse_seconds(text, row.name, zero_is_none=True)
        case _:
            return text
