"""The commands `list` and `show`: the servers in the user's file, and the settings of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.config_check import all_mistakes, command_for, mistakes_for, raise_for
from bridge.cli.config_excerpt import SECRET_MEMBERS
from bridge.cli.formatting import clean
from bridge.cli.named_server import own_path, own_servers
from bridge.cli.options import config_option
from bridge.cli.server_values import COMMAND_MEMBER, HEADER_MEMBER, ROWS, URL, is_reference, meant
from bridge.cli.settings import SECRET_MEMBER
from bridge.errors import UsageError
from bridge.inventory.server_file import ServerFile
from bridge.protocol.sanitize import escaped

_HIDDEN = "(hidden)"


@click.command("list", cls=OneCommand)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
def list_servers(as_json: bool, config: Path | None) -> None:
    """List the servers in your file of servers, by name, with their URLs."""
    import json

    path, file = own_path(config, os.environ), own_servers(config, os.environ)
    urls = {} if file is None else {name: _url_of(server) for name, server in file.servers.items()}
    if as_json:
        servers = [{"name": name, "url": url or None} for name, url in urls.items()]
        click.echo(json.dumps({"file": str(path), "servers": servers}, indent=2))
    elif urls:
        width = max(len(clean(name)) for name in urls)
        for name, url in urls.items():
            click.echo(f"{clean(name).ljust(width)}  {url or 'has no url'}")
    else:
        click.echo(f"There are no servers in {path}." if file else f"The file {path} does not exist.")
    if file is not None and all_mistakes(file, os.environ):
        click.echo(
            f"{PROGRAM}: The file {path} has mistakes. {command_for('config check', path)} shows them.", err=True
        )


@click.command("show", cls=OneCommand)
@click.argument("name", cls=WordArgument, metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
def show_server(name: str, as_json: bool, config: Path | None) -> None:
    """Show the settings of the server NAME in your file of servers, without its secrets.

    Settings that are the same for all servers are marked with "defaults".
    """
    import json

    file = own_servers(config, os.environ)
    if file is None or name not in file.servers:
        raise _no_such(name, file, own_path(config, os.environ))
    raise_for(file, mistakes_for(file, name, os.environ))
    server, defaults = file.servers[name], file.defaults
    settings = {key: _without_secret(key, value) for key, value in {**defaults, **server}.items() if key != URL}
    shared = [key for key in defaults if key not in server]
    if as_json:
        found = {"name": name, "file": str(file.path), "url": _url_of(server), "settings": settings, "defaults": shared}
        click.echo(json.dumps(found, indent=2))
        return
    rows = [(URL, _url_of(server), "")]
    for key, value in settings.items():
        texts = value if isinstance(value, list) else [value]
        rows += [(key, _as_text(text), "  (defaults)" if key in shared else "") for text in texts]
    width = max(len(key) for key, _, _ in rows)
    click.echo(f"{clean(name)} ({file.path})")
    for key, text, mark in rows:
        # What a header or a secret is shown of holds none, and `clean` would hide where the secret is.
        shown = escaped(text) if key in SECRET_MEMBERS else clean(text)
        click.echo(f"  {key.ljust(width)}  {shown}{mark}")


def _no_such(name: str, file: ServerFile | None, path: Path) -> UsageError:
    names = [] if file is None else list(file.servers)
    hint = meant(name, names) or f"{command_for('list', path)} lists the servers."
    return UsageError(f"There is no server {clean(name)!r} in your file of servers.", hint=hint)


def _url_of(server: object) -> str:
    """The URL as it may be shown: without its query, which may be secret."""
    url = server.get(URL) if isinstance(server, dict) else None
    if not isinstance(url, str):
        return ""
    before, query, _ = url.partition("?")
    return clean(f"{before}?{_HIDDEN}" if query else before)


def _without_secret(key: str, value: Any) -> Any:
    """The value as it may be shown. Of headers and parameters the names are, and where a secret comes from."""
    if key not in SECRET_MEMBERS or key not in ROWS:
        return value
    if key == COMMAND_MEMBER:
        return _HIDDEN
    if key == SECRET_MEMBER:
        return _reference_or_hidden(value)
    if isinstance(value, dict):
        return [f"{name}: {_reference_or_hidden(text)}" for name, text in value.items()]
    texts = [value] if isinstance(value, str) else value
    if key == HEADER_MEMBER:
        headers = [text.partition(":") for text in texts]
        return [f"{name}: {_reference_or_hidden(rest.strip())}" if mark else _HIDDEN for name, mark, rest in headers]
    # What has no mark has no name: all of it may be the secret.
    return [f"{text.partition('=')[0]}={_HIDDEN}" if "=" in text else _HIDDEN for text in texts]


def _reference_or_hidden(text: object) -> str:
    return text if isinstance(text, str) and is_reference(text) else _HIDDEN


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
