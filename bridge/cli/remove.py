"""The command `remove`: takes a server out of the user's file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bridge import PROGRAM
from bridge.cli.command_table import NAME
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.config_check import command_for
from bridge.cli.named_server import own_path, own_servers
from bridge.cli.options import config_option
from bridge.cli.own_file import make_change, may_ask, names_in, show_change
from bridge.cli.secret_uses import secrets_of, users_of
from bridge.cli.server_values import meant
from bridge.cli.targets import host_entries
from bridge.errors import UsageError
from bridge.inventory.server_file import ServerFile
from bridge.inventory.server_file_change import planned_removal


@click.command("remove", cls=OneCommand)
@click.argument("name", cls=WordArgument, metavar=NAME)
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@click.option("--with-secrets", is_flag=True, help="Also remove the stored secrets that only this server uses.")
@config_option
def remove(name: str, dry_run: bool, with_secrets: bool, config: Path | None) -> None:
    """Remove the server NAME from your file of servers.

    The change is shown, and the file's former content is kept. Comments and everything else in the file stay.
    """
    path, file = own_path(config, os.environ), own_servers(config, os.environ)
    if file is None or name not in file.servers:
        hint = meant(name, names_in(file)) or f"{command_for('list', path)} lists the servers."
        raise UsageError(f"There is no server {name!r} in your file ({path}).", hint=hint)
    change = planned_removal(path, name)
    show_change(change)
    if dry_run:
        return
    make_change(change)
    click.echo(f"Removed the server {name} from {path}.")
    for secret in _own_secrets(file, name):
        _offer_to_remove(secret, is_wanted=with_secrets)


def _own_secrets(file: ServerFile, name: str) -> list[str]:
    """The stored secrets to which only this server referred."""
    from bridge.config.secret_reference import is_secret_name
    from bridge.process.user_secrets import has_secret

    entries = host_entries().entries
    named = [secret for secret in secrets_of(file.servers[name]) if is_secret_name(secret)]
    return [secret for secret in named if users_of(secret, file, entries) == [name] and has_secret(secret)]


def _offer_to_remove(secret: str, *, is_wanted: bool) -> None:
    from bridge.process.user_secrets import remove_secret

    question = f"No other server uses the secret {secret}. Remove it too?"
    if is_wanted or (may_ask() and click.confirm(question, default=False, err=True)):
        remove_secret(secret)
        click.echo(f"Removed the secret {secret}.")
    else:
        click.echo(f"The secret {secret} stays. To remove it, run: {PROGRAM} secret remove {secret}")
