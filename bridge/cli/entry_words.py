"""The bridge's arguments in a host's entry, made of the options that the user gave to `install`.

| what was given | what the entry holds |
|---|---|
| the name of a server in the user's file | `run NAME`, and `--config FILE` where that was given |
| a URL | the URL, and the options as they were given |
| a path | the whole path, because a host starts the bridge in a folder of its own |
| a header's value, or the client's secret, that is no reference | `keyring:NAME`; the value is stored under that name |
| a header whose value is known to be no secret (`may_be_secret`) | the header as it was given |

Variables are not taken over: they are those of this terminal, and the host has others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import click

from bridge.cli import option_table
from bridge.cli.option_table import CONFIG_OPTION, OPTIONS, OptionRow
from bridge.cli.server_members import secret_kind
from bridge.cli.settings import SECRET_OPTION
from bridge.config import REFERENCES
from bridge.errors import UsageError
from bridge.process.redact import is_secret_name, may_be_secret

_HEADER = "--header"
_VARIABLE = re.compile(r"\$\{[^}]+\}")


class SecretToStore(NamedTuple):
    """A secret that the user gave on the command line, and the name under which it is to be stored."""

    name: str
    value: str
    source: str


class EntryWords(NamedTuple):
    """The arguments, and the secrets that are to be stored before the entry can work."""

    arguments: tuple[str, ...]
    secrets: tuple[SecretToStore, ...] = ()


def words_for_name(ctx: click.Context, name: str, config: Path | None) -> EntryWords:
    """The arguments that run a server of the user's own file. Raises `UsageError` for further options."""
    others = [row.name for row in _given(ctx) if row.name != CONFIG_OPTION]
    if others:
        raise UsageError(
            f"{', '.join(others)} cannot be given together with the name of a server in your file.",
            hint=f"Put the option into the settings of {name!r} there.",
        )
    given = (CONFIG_OPTION, str(config.absolute())) if config is not None else ()
    return EntryWords(("run", name, *given))


def words_for_url(ctx: click.Context, url: str, base: str, free_name: Callable[[str, str], str]) -> EntryWords:
    """The arguments that run the server at `url`.

    `base` is how names of secrets begin; `free_name(name, value)` returns that name, or another one where it is taken
    by another value. Raises `UsageError` for a URL with what looks like a secret.
    """
    check_no_secret(url)
    words, secrets = [url], []
    for row in _given(ctx):
        if row.name == CONFIG_OPTION:
            continue
        for text in _texts(row, ctx.params[row.key]):
            secret = _secret_in(row, text)
            if secret is None:
                words += [row.name] if row.kind == option_table.FLAG else [row.name, text]
                continue
            before, value, kind = secret
            name = free_name(f"{base}-{kind}", value)
            secrets.append(SecretToStore(name, value, row.name))
            words += [row.name, f"{before}keyring:{name}"]
    return EntryWords(tuple(words), tuple(secrets))


def check_no_secret(url: str) -> None:
    """Raise `UsageError` where a query parameter or a password in the URL looks like a secret."""
    parts = urlsplit(url)
    found = [name for name, value in parse_qsl(parts.query) if value and is_secret_name(name)]
    what = "a password" if parts.password else f"the parameter {found[0]!r}" if found else ""
    if what:
        raise UsageError(
            f"The URL has {what}, which looks like a secret, and a host's file is no place for one.",
            hint="Put the server into your own file, with ${NAME} in its URL (config path prints where that is), and "
            "install it by its name; or send the secret in a header, if the server takes one: --header.",
        )


def _given(ctx: click.Context) -> Iterator[OptionRow]:
    """The options that stand on the command line."""
    for row in OPTIONS:
        is_written = ctx.get_parameter_source(row.key) is click.core.ParameterSource.COMMANDLINE
        # Of a limit, None is a value: the user wrote 0.
        has_value = ctx.params[row.key] not in (None, (), False, "") or row.kind == option_table.SECONDS_OR_NEVER
        if is_written and has_value:
            yield row


def _texts(row: OptionRow, value: Any) -> list[str]:
    """The option's values as they are typed."""
    if isinstance(value, tuple):
        return [str(text) for text in value]
    if isinstance(value, Path):
        return [str(value.absolute())]
    if isinstance(value, float):
        return [f"{value:g}"]
    if row.name == SECRET_OPTION and str(value).startswith("file:"):
        path = Path(str(value).removeprefix("file:").strip()).expanduser()
        return [f"file:{path.absolute()}"]
    return ["0" if value is None else str(value)]


def _secret_in(row: OptionRow, text: str) -> tuple[str, str, str] | None:
    """What stands before a secret in an option's text, the secret, and a word for its name; None where it has none."""
    if row.name == SECRET_OPTION:
        is_reference = text.startswith(REFERENCES) or _VARIABLE.fullmatch(text)
        return None if is_reference else ("", text, "client-secret")
    if row.name != _HEADER:
        return None
    name, mark, value = text.partition(":")
    value = value.strip()
    if not mark or not may_be_secret(name.strip()) or value.startswith(REFERENCES) or _VARIABLE.search(value):
        return None
    return f"{name.strip()}: ", value, secret_kind(name)
