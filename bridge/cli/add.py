"""The command `add`: puts a server into the user's file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge import PROGRAM
from bridge.cli.command_table import NAME
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.config_check import NAME_MESSAGE, command_for, refusals_for
from bridge.cli.named_server import own_path, own_servers
from bridge.cli.options import run_options
from bridge.cli.own_file import SCHEMA_BESIDE, make_change, show_change, warn
from bridge.cli.registry_server import registry_options, take_published
from bridge.cli.server_members import NewSecret, server_members
from bridge.cli.server_values import ROWS, URL, is_server_name
from bridge.cli.settings import SECRET_OPTION, settings_of
from bridge.config.placeholders import NAMED, expand
from bridge.errors import BridgeError, UsageError
from bridge.inventory.command_line import COMMANDS
from bridge.inventory.server_file import ServerFile, read_server_file
from bridge.inventory.server_file_change import planned_server
from bridge.registry.published import is_published
from bridge.tokens.typed_command import quoted

if TYPE_CHECKING:
    from bridge.config import NotedEnvironment
    from bridge.config.secret_reference import SecretReference


@click.command("add", cls=OneCommand)
@click.argument("name", cls=WordArgument, metavar=NAME)
@click.argument("url", cls=WordArgument, metavar="URL")
@click.option("--replace", is_flag=True, help="Replace a server of that name.")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@registry_options
@run_options
@click.pass_context
def add(
    ctx: click.Context,
    /,
    name: str,
    url: str,
    replace: bool,
    dry_run: bool,
    sets: tuple[str, ...],
    registry: str | None,
    **options: Any,
) -> None:
    """Add the server at URL to your file of servers, under NAME, with the options that you give.

    URL may also be the server's name in the official registry (io.github.owner/server), or a server.json.

    The change is shown, and the file's former content is kept. Comments and everything else in the file stay. No secret
    goes into it: the value of a --header and the --client-secret are stored in the keyring, and the file names them.
    """
    path, file = own_path(options.get("config"), os.environ), _file_of(options.get("config"))
    if not is_server_name(name):
        raise UsageError(NAME_MESSAGE)
    if file is not None and name in file.servers and not replace:
        raise UsageError(
            f"There is a server {name!r} in your file already ({path}).", hint="Add --replace to replace it."
        )
    is_typed = not is_published(url)
    if not is_typed:
        url = take_published(ctx, url, sets, registry, name).url
        options = {key: ctx.params[key] for key in options}
    _check(url, options)
    server = server_members(ctx, name, _name_of_secret)
    change = planned_server(path, name, {URL: url, **server.members}, SCHEMA_BESIDE)
    show_change(change)
    if dry_run:
        return
    new = _store(server.secrets)
    if server.secrets and is_typed:
        warn(
            "Your shell may keep the secret in its history. To give one without that, run first: "
            f"{PROGRAM} secret set NAME ; then write keyring:NAME in its place."
        )
    try:
        make_change(change)
    except BridgeError:
        _forget(new)
        raise
    click.echo(f"Your file has the server {name} now ({path}).")
    _say_what_is_missing(path, name)
    word = quoted(name)
    click.echo(f"To put it into a host, run: {command_for(f'install {word}', path)}")
    click.echo(f"What a host runs for it: {command_for(f'run {word}' if name in COMMANDS else word, path)}")


def _file_of(config: Path | None) -> ServerFile | None:
    """The user's file; None for one that is going to be made."""
    path = own_path(config, os.environ)
    return own_servers(config, os.environ) if path.exists() else None


def _check(url: str, options: Mapping[str, Any]) -> None:
    """Raise `UsageError` for settings that a run would refuse. Secrets and variables may be there only later."""
    from bridge.process.secret_sources import check_references

    def any_secrets(wanted: Mapping[SecretReference, str], _: NotedEnvironment) -> Mapping[SecretReference, str]:
        check_references(wanted)
        return dict.fromkeys(wanted, "secret")

    given = {key: value for key, value in options.items() if key in ROWS}
    variables = re.findall(NAMED, " ".join((url, *options["header"])))
    environ = {**os.environ, **{name: os.environ.get(name) or "value" for name in variables}}
    settings_of([expand(url, environ)], given, environ, secret_source=SECRET_OPTION, read_secrets=any_secrets)


def _name_of_secret(name: str, value: str) -> str:
    """`name`, made one that a secret can have, with a number where another secret has it."""
    from bridge.config.secret_reference import is_secret_name
    from bridge.process.user_secrets import free_name, has_secret, read_secret

    same = is_secret_name(name) and has_secret(name) and read_secret(name) == value
    return name if same else free_name(name)


def _store(secrets: Sequence[NewSecret]) -> list[str]:
    """Store the secrets; return the names of those that were not stored already."""
    from bridge.process.user_secrets import has_secret, save_secret

    new = [secret.name for secret in secrets if not has_secret(secret.name)]
    for secret in secrets:
        place = save_secret(secret.name, secret.value, notice=warn)
        click.echo(f"The value of {secret.source} is stored as {secret.name} in {place}.")
    return new


def _forget(names: Sequence[str]) -> None:
    """Remove what was stored for a server that could not be written."""
    from bridge.process.user_secrets import remove_secret

    for name in names:
        remove_secret(name)


def _say_what_is_missing(path: Path, name: str) -> None:
    file = read_server_file(path)
    for one in () if file is None else refusals_for(file, name, os.environ):
        warn(f"{one.mistake.message} {one.mistake.hint}".rstrip())
