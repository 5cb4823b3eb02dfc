"""The members of a server in the user's file, made of the options on a command's line.

| what was given | the file has |
|---|---|
| a header's value, or the client's secret, that is no reference | `keyring:NAME`; the value is stored under that name |
| a header whose value is known to be no secret (`may_be_secret`), or has `${NAME}` | the header as it was given |
| a path | the whole path |
| any other option | its value, as `server_values` reads it |

Variables are not taken over: they are those of this terminal, and a host has others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from bridge.cli import option_table
from bridge.cli.option_table import OptionRow
from bridge.cli.server_values import HEADER_MEMBER, ROWS, is_reference
from bridge.cli.settings import SECRET_MEMBER
from bridge.process.redact import may_be_secret


class NewSecret(NamedTuple):
    """A secret that the user gave on the command line, and the name under which it is to be stored."""

    name: str
    value: str
    source: str


class NewServer(NamedTuple):
    """The members of a server but its URL, and the secrets that are to be stored before it can work."""

    members: dict[str, Any]
    secrets: tuple[NewSecret, ...]


def server_members(ctx: click.Context, base: str, name_for: Callable[[str, str], str]) -> NewServer:
    """The server that the options of a command describe.

    `base` is how names of secrets begin; `name_for(name, value)` returns that name, or another one where it is taken.
    """
    members: dict[str, Any] = {}
    secrets: list[NewSecret] = []

    def stored(kind: str, value: str, source: str) -> str:
        name = name_for(f"{base}-{kind}", value)
        secrets.append(NewSecret(name, value, source))
        return f"keyring:{name}"

    for row in _given(ctx):
        value = ctx.params[row.key]
        if row.key == SECRET_MEMBER:
            members[row.key] = _reference(value) or stored("client-secret", value, row.name)
        elif row.key == HEADER_MEMBER:
            members[row.key] = _headers(value, stored)
        else:
            members[row.key] = _plain(row, value)
    return NewServer(members, tuple(secrets))


def secret_kind(header: str) -> str:
    """What the name of a stored secret says of the header that it is for."""
    return re.sub(r"[^a-z0-9]+", "-", header.lower()).strip("-")[:20].strip("-") or HEADER_MEMBER


def _given(ctx: click.Context) -> Iterator[OptionRow]:
    """The options that stand on the command line and have a value."""
    for row in ROWS.values():
        is_written = ctx.get_parameter_source(row.key) is click.core.ParameterSource.COMMANDLINE
        # Of a limit, None is a value: the user wrote 0.
        has_value = ctx.params[row.key] not in (None, (), False, "") or row.kind == option_table.SECONDS_OR_NEVER
        if is_written and has_value:
            yield row


def _headers(texts: Sequence[str], stored: Callable[[str, str, str], str]) -> dict[str, str] | list[str]:
    """Headers as an object, or as an array where two have one name."""
    pairs = []
    for text in texts:
        name, _, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if may_be_secret(name) and "${" not in value:
            value = _reference(value) or stored(secret_kind(name), value, f"the header {name}")
        pairs.append((name, value))
    if len({name.lower() for name, _ in pairs}) == len(pairs):
        return dict(pairs)
    return [f"{name}: {value}" for name, value in pairs]


def _reference(text: str) -> str:
    """The text where it is a reference or a variable, with a file's whole path; empty otherwise."""
    text = text.strip()
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:").strip())
        return text if str(path).startswith("~") else f"file:{path.absolute()}"
    return text if is_reference(text) else ""


def _plain(row: OptionRow, value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    if row.kind == option_table.SECONDS_OR_NEVER and value is None:
        return 0
    return int(value) if isinstance(value, float) and value.is_integer() else value
