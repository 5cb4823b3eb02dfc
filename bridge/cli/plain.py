"""Reads a plain command line, such as a host's entry has, without click.

Importing click would take a seventh of the time until the host has its answer. Both use the rows of `option_table`.
This module leaves anything less plain to click, and every error:

| plain | left to click |
|---|---|
| `URL`, `run URL`, or no word and MCP_BRIDGE_URL | a command, `help`, several words, any other word, `--` |
| `NAME`, `run NAME` of a server in the user's file | such a server with a mistake in the file |
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
from typing import TYPE_CHECKING, Any

import msgspec

from bridge.cli import option_table
from bridge.cli.option_table import FLAG, LINES, OPTIONS, OptionRow
from bridge.cli.settings import SECRET_MEMBER, SECRET_OPTION, URL_VARIABLE, is_blank, is_url, settings_of
from bridge.config import CLIENT_SECRET_VARIABLE, Settings, parse_seconds
from bridge.errors import UsageError

if TYPE_CHECKING:
    from bridge.cli.server_values import NamedServer

_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class Plain(msgspec.Struct, frozen=True):
    """A plain command line: the URL, where it has one, and a value for each option. `server` is the one it names."""

    words: tuple[str, ...]
    options: dict[str, Any]
    secret_source: str
    server: NamedServer | None = None


class _NotPlain(Exception):
    """The command line has to be read by click."""


def plain_settings(words: Sequence[str], environ: Mapping[str, str]) -> Settings | None:
    """The settings of a run; None where click has to read the words. Raises `UsageError`."""
    plain = read_plain(words, environ)
    if plain is None:
        return None
    if plain.server is None:
        return settings_of(plain.words, plain.options, environ, secret_source=plain.secret_source)
    from bridge.cli.named_server import refused, with_name

    try:
        settings = settings_of(plain.words, plain.options, environ, secret_source=plain.secret_source)
        return with_name(settings, plain.server, plain.options, environ)
    except UsageError as error:
        # Click would make the same settings, and so run the commands of secrets once more.
        raise refused(error, plain.server, environ) from None


def read_plain(line: Sequence[str], environ: Mapping[str, str]) -> Plain | None:
    """Read the words of a run; None where click has to read them."""
    try:
        free, given, is_run = _split(line, {row.name: row for row in OPTIONS})
        if not free and is_blank(environ.get(URL_VARIABLE, "")):
            return None
        server = None if all(map(is_url, free)) else _server(free[0], given, environ, is_run=is_run)
        own = {} if server is None else server.options
        options = {row.key: _value(row, given.get(row.name), environ, own) for row in OPTIONS}
    except (_NotPlain, UsageError, ValueError, RuntimeError):
        return None
    words = free if server is None else (server.url,)
    return Plain(words, options, _secret_source(given, environ, own), server)


def _server(name: str, given: Mapping[str, list[str]], environ: Mapping[str, str], *, is_run: bool) -> NamedServer:
    """The server of this name in the user's file. `is_run`: the word `run` stands before it."""
    # A start by URL does not load these.
    from bridge.cli.named_server import server_if_plain
    from bridge.inventory.command_line import COMMANDS

    if name in COMMANDS and not is_run:
        raise _NotPlain
    [row] = (row for row in OPTIONS if row.key == "config")
    server = server_if_plain(name, _value(row, given.get(row.name), environ, {}), environ)
    if server is None:
        raise _NotPlain
    return server


def _secret_source(given: Mapping[str, list[str]], environ: Mapping[str, str], own: Mapping[str, Any]) -> str:
    if SECRET_OPTION in given:
        return SECRET_OPTION
    is_own = SECRET_MEMBER in own and not environ.get(CLIENT_SECRET_VARIABLE)
    return SECRET_MEMBER if is_own else CLIENT_SECRET_VARIABLE


def _split(words: Sequence[str], rows: Mapping[str, OptionRow]) -> tuple[tuple[str, ...], dict[str, list[str]], bool]:
    """The words that are not options, without `run`; the values given to each option; whether `run` was there."""
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
    is_run = free[:1] == ["run"]
    if is_run:
        del free[0]
    if len(free) > 1 or any(map(is_blank, free)):
        raise _NotPlain
    return tuple(free), given, is_run


def _value(row: OptionRow, given: list[str] | None, environ: Mapping[str, str], own: Mapping[str, Any]) -> Any:
    """The value of an option: as given, else of its variable, else the server's `own`, else the default."""
    variable = environ.get(row.variable)
    if given is None and not variable and row.key in own:
        return own[row.key]
    if row.kind == FLAG:
        return given is not None or _flag(variable)
    if row.kind == LINES:
        return tuple(given if given is not None else _lines(variable))
    text = given[0] if given is not None else variable or None
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
