"""The command `secret`: stores the user's secrets under names, to which settings refer as `keyring:NAME`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import clean, is_a_terminal
from bridge.cli.options import config_option, token_store_option
from bridge.cli.secret_uses import users_of
from bridge.cli.server_values import meant
from bridge.cli.targets import host_entries
from bridge.config.secret_reference import MOST_CHARACTERS, check_secret_name
from bridge.errors import UsageError
from bridge.inventory.server_file import read_server_file, server_file_path

if TYPE_CHECKING:
    from bridge.inventory.server_file import ServerFile

_ACTIONS = ("set", "remove", "list")


@click.command("secret", cls=OneCommand)
@click.argument("action", cls=WordArgument, type=click.Choice(_ACTIONS), metavar="set|remove|list")
@click.argument("name", cls=WordArgument, required=False, metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON, for programs.")
@token_store_option
@config_option
def secret(action: str, name: str | None, as_json: bool, token_store: Any, config: Path | None) -> None:
    """Store a secret under NAME (set), remove it (remove), or list the names (list).

    The secret is typed, and not shown; from a pipe, it is the first line. It is kept in the system keyring, or in a
    private file where there is none. Write keyring:NAME in its place, as --client-secret or as the value of a --header.
    The secret of a header is its whole value, such as "Bearer abc".
    """
    if action == "list":
        if name is not None:
            raise UsageError("secret list takes no name.", hint=f"Run: {PROGRAM} secret list")
        _list(config, as_json=as_json)
        return
    if name is None:
        raise UsageError("The name of the secret is missing.", hint=f"Run: {PROGRAM} secret {action} NAME")
    check_secret_name(name)
    if action == "set":
        _set(name, token_store)
    else:
        _remove(name, config)


def _set(name: str, token_store: Any) -> None:
    from bridge.process.user_secrets import has_secret, save_secret

    value = read_typed(f"The secret {name}")
    is_new = not has_secret(name)
    place = save_secret(name, value, choice=token_store, notice=_warn)
    click.echo(
        f"{'Stored' if is_new else 'Replaced'} the secret {name} in {place}. Write keyring:{name} where it is needed."
    )


def read_typed(what: str) -> str:
    """A secret, typed without being shown, or the first line of what is piped in. Raises `UsageError`."""
    if is_a_terminal(sys.stdin):
        typed = click.prompt(what, hide_input=True, default="", show_default=False, err=True)
        return str(typed)
    line = sys.stdin.buffer.readline(4 * MOST_CHARACTERS) if sys.stdin is not None else b""
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("What was piped in is not UTF-8 text, so it was not stored.") from None


def _remove(name: str, config: Path | None) -> None:
    from bridge.process.user_secrets import remove_secret, secret_names

    if not remove_secret(name):
        near = meant(name, secret_names())
        raise UsageError(
            f"There is no secret {name}.", hint=near or f"{PROGRAM} secret list lists the secrets that there are."
        )
    click.echo(f"Removed the secret {name}.")
    for user in users_of(name, file_if_readable(config), host_entries().entries):
        _warn(f"{user} still refers to it.")


def _list(config: Path | None, *, as_json: bool) -> None:
    import json

    from bridge.process.user_secrets import secret_names

    file, entries = file_if_readable(config), host_entries().entries
    found = {name: users_of(name, file, entries) for name in secret_names()}
    if as_json:
        click.echo(
            json.dumps({"secrets": [{"name": name, "used_by": users} for name, users in found.items()]}, indent=2)
        )
        return
    if not found:
        click.echo(f"No secrets are stored. To store one, run: {PROGRAM} secret set NAME")
    width = max(map(len, found), default=0)
    for name, users in found.items():
        used = f"used by {', '.join(map(clean, users))}" if users else "used by no server"
        click.echo(f"{name.ljust(width)}  {used}")


def file_if_readable(config: Path | None) -> ServerFile | None:
    """The user's file, if there is one that can be read; it only adds who uses a secret."""
    from bridge.documents.reading import BrokenConfig

    try:
        return read_server_file(server_file_path(config, os.environ))
    except BrokenConfig:
        return None


def _warn(text: str) -> None:
    click.echo(f"{PROGRAM}: {clean(text)}", err=True)
