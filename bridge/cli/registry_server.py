"""A server by its name in a registry, or by a `server.json`: fetched, checked, completed with the user's values.

| value | comes from |
|---|---|
| given with `--set NAME=VALUE` | the command line; a secret as a reference, `--set NAME=keyring:X` |
| missing, at a terminal | the user, who is asked; a secret is not shown while it is typed |
| missing, without a terminal | nowhere: the error names all that is missing, and how to give it |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge import PROGRAM
from bridge.errors import UsageError
from bridge.process.event_loop import run_on_loop
from bridge.protocol import sanitize
from bridge.registry.published import REGISTRY_VARIABLE, published_server, registry_url
from bridge.registry.resolving import Ask, ResolvedServer, resolved
from bridge.registry.server_json import PublishedInput, PublishedServer

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

_set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value that the server's server.json asks for; a secret as keyring:NAME. Repeatable.",
)
_registry_option = click.option(
    "--registry",
    metavar="URL",
    envvar=REGISTRY_VARIABLE,
    help="Look names such as io.github.owner/server up in this registry. Default: the official one.",
)


def registry_options(command: _Decorated) -> _Decorated:
    """Give a command `--set` (`sets`) and `--registry` (`registry`)."""
    return _set_option(_registry_option(command))


def server_from_registry(
    text: str,
    sets: Sequence[str],
    registry: str | None,
    environ: Mapping[str, str],
    *,
    short_name: str = "",
    allow_http: bool = False,
    ca_file: Path | None = None,
    ask: Ask | None = None,
) -> ResolvedServer:
    """The server that a text names, for which `bridge.registry.published.is_published` holds. Raises `BridgeError`.

    `ask` takes the place of the terminal. Nothing is stored: the secrets are in the result.
    """
    given = given_values(sets)
    server = run_on_loop(published_server(text, registry_url(registry, environ), ca_file))
    asks = ask or (_asker(server) if _is_at_a_terminal() else None)
    return resolved(server, given, asks, allow_http=allow_http, short_name=short_name)


def take_published(
    ctx: click.Context, text: str, sets: Sequence[str], registry: str | None, short_name: str
) -> ResolvedServer:
    """The same for a command with the options of a run: they count, and those of the server are put among them.

    What the user should know of the server is printed.
    """
    server = server_from_registry(
        text,
        sets,
        registry,
        os.environ,
        short_name=short_name,
        allow_http=ctx.params["allow_http"],
        ca_file=ctx.params["ca_file"],
    )
    put_into(ctx, server)
    for warning in server.warnings:
        click.echo(f"{PROGRAM}: {sanitize.escaped(warning)}", err=True)
    click.echo(f"{sanitize.escaped(server.published_name)} is at {sanitize.escaped(server.url)}.")
    return server


def put_into(ctx: click.Context, server: ResolvedServer) -> None:
    """Make the server's headers and transport options of the command, as if the user had written them there.

    What the user did write comes first: a header of the same name is not taken from the server.
    """
    own = {text.partition(":")[0].strip().lower() for text in ctx.params["header"]}
    headers = [text for text in server.whole_headers if text.partition(":")[0].lower() not in own]
    if headers:
        ctx.params["header"] = (*ctx.params["header"], *headers)
        ctx.set_parameter_source("header", click.core.ParameterSource.COMMANDLINE)
    if (
        server.transport == "sse"
        and ctx.get_parameter_source("transport") is not click.core.ParameterSource.COMMANDLINE
    ):
        ctx.params["transport"] = server.transport
        ctx.set_parameter_source("transport", click.core.ParameterSource.COMMANDLINE)


def given_values(sets: Sequence[str]) -> dict[str, str]:
    """The values of `--set NAME=VALUE`, by name. Raises `UsageError`, without any value."""
    given: dict[str, str] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not text.strip():
            continue
        if not equals or not name:
            raise UsageError("A value of --set is not of the form NAME=VALUE.")
        if name in given:
            raise UsageError(f"--set gives {sanitize.shown(name, 40)} twice.")
        given[name] = value.strip()
    return given


def _is_at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _asker(server: PublishedServer) -> Ask:
    """Asks at the terminal. The publisher's words are marked as such."""
    about = sanitize.quoted(server.description)
    click.echo(f"{PROGRAM}: {server.name}{f' ({about})' if about else ''} asks for:", err=True)

    def ask(one: PublishedInput) -> str:
        if about_value := sanitize.quoted(one.description):
            click.echo(f"  {one.name}: {about_value}", err=True)
        example = f", such as {sanitize.quoted(one.placeholder, 60)}" if one.placeholder else ""
        optional = "" if one.is_required else ", or nothing"
        answer: str = click.prompt(
            f"  {one.name}{example}{optional}",
            default=one.default or ("" if not one.is_required else None),
            show_default=bool(one.default),
            hide_input=one.is_secret,
            type=click.Choice(one.choices) if one.choices and one.is_required else str,
            err=True,
        )
        return answer

    return ask
