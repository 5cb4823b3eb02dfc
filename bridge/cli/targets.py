"""NAME_OR_URL on the command line: a URL, or the name of a server (`inventory/server_names`).

A name in the user's own file of servers comes first, and means what `run` would make of it.

The store key of a sign-in depends on options, so an entry of a host's configuration is read as `run` would read it.
Options on the command's own line take precedence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bridge import PROGRAM
from bridge.cli.options import given_in, options_beside, run_options, settings_from
from bridge.cli.settings import URL_VARIABLE
from bridge.config import Settings, child_environment
from bridge.errors import BridgeError, UsageError

if TYPE_CHECKING:
    from bridge.cli.settings import ReadSecrets
    from bridge.inventory.host_entries import Entry, HostEntries
    from bridge.inventory.server_names import KnownServer


class Target(NamedTuple):
    """The sign-in that a command is about: its store key, and the settings of a run that uses it."""

    settings: Settings
    store_key: str


class Identity(NamedTuple):
    """Which sign-in a run uses."""

    store_key: str
    server: str
    profile: str


@click.command("run", add_help_option=False)
@click.argument("url", nargs=-1)
@run_options
def _as_run(**_: Any) -> None:
    """Parse the options of a run, and nothing more."""


def target_of(ctx: click.Context, name: str, options: Mapping[str, Any]) -> Target:
    """What `name`, given to the command of `ctx` with these `options`, is about. Raises `UsageError`."""
    from bridge.cli.named_server import own_servers, server_named
    from bridge.inventory.command_line import is_url
    from bridge.inventory.server_names import elsewhere, entries_named, known_named, unknown
    from bridge.tokens.login_order import tokens_key_of
    from bridge.tokens.typed_command import IDENTITY_OPTIONS

    server = None if is_url(name) else server_named(name, options.get("config"), os.environ)
    if is_url(name) or server is not None:
        settings = settings_from([name], options, os.environ, server=server)
        return Target(settings, tokens_key_of(settings))
    hosts = host_entries()
    if named := entries_named(name, hosts.entries):
        settings = _of_entries(ctx, name, named, options)
        return Target(settings, tokens_key_of(settings))
    known = _known(options)
    given = {option: options[option] for option in given_in(ctx) & options.keys()}
    telling = {option: given[option] for option in IDENTITY_OPTIONS if option in given}
    command = f"{PROGRAM} {ctx.info_name}"
    found = known_named(name, known, telling, command)
    if found is None:
        if other := next((one for one in hosts.others if one.name == name), None):
            raise elsewhere(name, other, command)
        if "." in name or ":" in name:
            settings_from([name], options, os.environ)  # Raises an error that may suggest the URL.
        own_file = own_servers(options.get("config"), os.environ)
        raise unknown(name, hosts.entries, known, hosts.notes, () if own_file is None else tuple(own_file.servers))
    own = {option: text for option, text in found.options.items() if option in options}
    settings = settings_from([found.server], {**options, "allow_http": True, **own, **given}, os.environ)
    is_other = any(found.options.get(option) != text for option, text in telling.items())
    return Target(settings, tokens_key_of(settings) if is_other else found.store_key)


def host_entries() -> HostEntries:
    """The servers in the hosts' configurations."""
    from bridge.inventory.host_entries import HostEntries, host_files, read_entries

    try:
        home = Path.home()
    except RuntimeError:  # A user without a home, as in some containers, has no hosts.
        return HostEntries((), ())
    return read_entries(host_files(sys.platform, os.environ, home))


def identity_of(arguments: Sequence[str], environ: Mapping[str, str]) -> Identity | None:
    """The sign-in that a run with these words and variables uses; None where they are not those of a run."""
    from bridge.cli.named_server import server_named
    from bridge.inventory.command_line import is_url
    from bridge.oauth.record import tokens_key

    try:
        ctx = _parse(arguments, environ)
        params = ctx.params
        words = params["url"] or [environ.get(URL_VARIABLE, "")]
        if len(words) > 1:
            return None  # The other words may be parts of a header that was split at its spaces, with its secret.
        if not is_url(words[0]):
            server = server_named(words[0], params["config"], {**child_environment(os.environ), **environ})
            if server is None:
                return None
            words, params = [server.url], {**params, **options_beside(server.options, ctx)}
    except (click.ClickException, BridgeError):
        return None
    client = params["client_id"] or params["client_metadata_url"] or ""
    store_key = tokens_key(words[0], client, params["resource"] or "", params["profile"])
    return Identity(store_key, words[0], params["profile"])


def _parse(arguments: Sequence[str], environ: Mapping[str, str]) -> click.Context:
    return _as_run.make_context("run", list(arguments), obj=environ)


def _of_entries(ctx: click.Context, name: str, entries: Sequence[Entry], options: Mapping[str, Any]) -> Settings:
    """The settings of the entries with one name; where they are different sign-ins, those with these options."""
    from bridge.inventory.server_names import ambiguous
    from bridge.process.secret_sources import look_for_secrets
    from bridge.tokens.login_order import tokens_key_of

    on_the_line = {
        option: value
        for option, value in options.items()
        if ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
    }
    own = [(entry, _of_entry(entry, {}, look_for_secrets)) for entry in entries]
    of_these = _with_options([settings for _, settings in own], on_the_line)
    if len({tokens_key_of(settings) for settings in of_these}) == 1:
        entries = [entry for entry, settings in own if settings in of_these]
    found: dict[str, tuple[Entry, Settings]] = {}
    for entry in entries:
        settings = _of_entry(entry, on_the_line)
        found.setdefault(tokens_key_of(settings), (entry, settings))
    if len(found) > 1:
        several = [settings for _, settings in found.values()]
        command = f"{PROGRAM} {ctx.info_name}"
        raise ambiguous(
            name, [f"{_command_for(command, name, one, several)} ({entry.host})" for entry, one in found.values()]
        )
    [(_, settings)] = found.values()
    return settings


def _with_options(several: Sequence[Settings], options: Mapping[str, Any]) -> list[Settings]:
    """Those of `several` that have the given options, as far as these tell sign-ins apart."""
    from bridge.tokens.typed_command import IDENTITY_OPTIONS, identity_options

    given = {option: options[option] for option in IDENTITY_OPTIONS if option in options}
    return [one for one in several if given.items() <= identity_options(one).items()]


def _command_for(command: str, name: str, settings: Settings, several: Sequence[Settings]) -> str:
    """What to type for these settings: the name, and the options that tell it from the others; else the URL."""
    from bridge.tokens.typed_command import identity_options, quoted, spelled, typed_for

    own = identity_options(settings)
    telling = {
        option: text
        for option, text in own.items()
        if text and any(identity_options(other)[option] != text for other in several)
    }
    if telling and _with_options(several, telling) == [settings]:
        return f"{command} {quoted(name)} {spelled(telling)}"
    return typed_for(command, settings.url, own)


def settings_of_run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    on_the_line: Mapping[str, Any] | None = None,
    read_secrets: ReadSecrets | None = None,
) -> Settings:
    """The settings of a run with these arguments and variables; the options `on_the_line` take precedence.

    `read_secrets` is as in `settings_of`. Raises `UsageError`.
    """
    given = on_the_line or {}
    try:
        ctx = _parse(arguments, environ)
        words = ctx.params.pop("url")
        with ctx:
            options = {**ctx.params, **given}
            return settings_from(words, options, environ, given=given.keys(), read_secrets=read_secrets)
    except click.ClickException as problem:
        raise UsageError(problem.format_message()) from None


def _of_entry(entry: Entry, on_the_line: Mapping[str, Any], read_secrets: ReadSecrets | None = None) -> Settings:
    try:
        return settings_of_run(entry.arguments, {**os.environ, **entry.environ}, on_the_line, read_secrets)
    except BridgeError as problem:
        raise UsageError(f"The entry {entry.name!r} of {entry.host} cannot be used ({entry.path}): {problem}") from None


def _known(options: Mapping[str, Any]) -> list[KnownServer]:
    from bridge.inventory.sign_ins import known_sign_ins
    from bridge.process.event_loop import run_on_loop

    return run_on_loop(known_sign_ins(options["token_store"]))
