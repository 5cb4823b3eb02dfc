"""The command `install`: puts a server into a host's configuration, after trying it and showing the change."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.entry_words import EntryWords, SecretToStore, words_for_name, words_for_url
from bridge.cli.formatting import print_diff
from bridge.cli.host_choice import ask_for_hosts, home_folder, host_named, hosts_here, is_interactive, may_write
from bridge.cli.named_server import is_own_server
from bridge.cli.options import run_options, settings_from
from bridge.cli.registry_server import registry_options, take_published
from bridge.cli.settings import is_blank, is_url
from bridge.config import Settings
from bridge.documents.reading import read_config
from bridge.errors import BridgeError, UsageError
from bridge.install.deeplink import HOSTS_WITH_LINKS, link_for
from bridge.install.entry_name import name_for
from bridge.install.installing import PlannedEntry, plan_entry, target_paths, write
from bridge.install.launcher import find_launcher, surroundings
from bridge.install.shown_change import shown_diff
from bridge.inventory.entry_shapes import Launch
from bridge.inventory.host_table import HOSTS_BY_KEY, HostRow
from bridge.protocol.sanitize import escaped, shown
from bridge.registry.published import is_published

_USAGE = "install HOST NAME_OR_URL"


class _Choice(NamedTuple):
    """What the user wants: the hosts, the server, and how far to go without asking."""

    rows: list[HostRow]
    target: str
    is_all: bool


class _Server(NamedTuple):
    """The server: its URL, or its name in the user's own file; and the name for its entry, empty: from the URL."""

    word: str
    name: str
    is_own: bool


@click.command("install", cls=OneCommand)
@click.argument("words", cls=WordArgument, nargs=-1, metavar="[HOST] NAME_OR_URL")
@click.option("--name", metavar="NAME", help="The entry's name. Default: from the server's URL.")
@click.option("--all", "every", is_flag=True, help="Install into every host on this machine.")
@click.option("--project", is_flag=True, help="Write the file of the project in this folder, not your own.")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--replace", is_flag=True, help="Replace another entry of that name.")
@click.option("--link", is_flag=True, help="Print a link that adds the server, and write no file (Cursor, VS Code).")
@click.option("--no-try", is_flag=True, help="Do not try the server first.")
@click.option("--untested", is_flag=True, help="Write the entry even if the server does not work now.")
@registry_options
@run_options
@click.pass_context
def install(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    name: str | None,
    every: bool,
    project: bool,
    dry_run: bool,
    yes: bool,
    replace: bool,
    link: bool,
    no_try: bool,
    untested: bool,
    sets: tuple[str, ...],
    registry: str | None,
    **options: Any,
) -> None:
    """Put a server into a host's configuration.

    NAME_OR_URL is the server's URL, its name in your own file of servers, its name in the official registry
    (io.github.owner/server), or a server.json. The server is tried first. The change is shown, you are asked, and the
    file's former content is kept. No secret goes into the file: the value of a --header and the --client-secret are
    stored in the keyring, and the entry names them.
    """
    choice = _chosen(words, every=every, config=options.get("config"))
    server = _server(ctx, choice.target, sets, registry, name)
    settings = settings_from([server.word], {key: ctx.params[key] for key in options}, os.environ)
    names = {row.key: _name(row, name, server.name or name_for(settings.url)) for row in choice.rows}
    entry = _entry(ctx, server, options.get("config"), next(iter(names.values())))
    launcher = find_launcher(surroundings())
    launch = Launch(launcher.command, (*launcher.arguments, *entry.arguments))
    if launcher.warning:
        click.echo(f"{PROGRAM}: {launcher.warning}", err=True)
    if project:
        click.echo(f"{PROGRAM}: The entry has the path of this machine's command; others need their own.", err=True)
    if link:
        _print_links(choice.rows, names, launch, entry.secrets)
        return
    signs_in = not (no_try or dry_run) and _try(settings, yes=yes, untested=untested)
    plans, failures = _plans(choice, names, launch, project=project, replaces=replace)
    _show(plans, names)
    changes = [plan for plan in plans if plan.change is not None]
    if dry_run:
        changes = []
    if changes:
        may_write("Write this?", yes=yes)
        _store(entry.secrets)
        failures += _write(changes)
    try:
        if signs_in:
            _sign_in(settings)
    finally:
        for row in {plan.row.key: plan.row for plan in changes}.values():
            click.echo(row.restart_sentence)
    if failures:
        raise BridgeError(" ".join(failures))


def _chosen(words: Sequence[str], *, every: bool, config: Path | None) -> _Choice:
    words = [word for word in words if not is_blank(word)]
    if len(words) == 2 and not every:
        return _Choice([host_named(words[0])], words[1], is_all=False)
    if len(words) != 1:
        raise UsageError("install takes a host and a server.", hint=f"Run: {PROGRAM} {_USAGE}")
    [word] = words
    if word.lower() in HOSTS_BY_KEY and not is_own_server(word, config, os.environ):
        raise UsageError("Name the server too.", hint=f"Run: {PROGRAM} install {word.lower()} NAME_OR_URL")
    rows = hosts_here() if every else ask_for_hosts(_USAGE)
    if not rows:
        raise UsageError("No host was found on this machine.", hint=f"Name one: {PROGRAM} {_USAGE}")
    return _Choice(rows, word, is_all=len(rows) > 1)


def _name(row: HostRow, given: str | None, default: str) -> str:
    if given is None or is_blank(given):
        return row.name_from(default)
    if not row.may_be_named(given):
        raise UsageError(
            f"{row.name} takes no entry with the name {shown(given, 60)!r}.", hint=f"Use {row.name_from(given)!r}."
        )
    return given


def _server(ctx: click.Context, target: str, sets: Sequence[str], registry: str | None, name: str | None) -> _Server:
    """The server that is meant; what a registry says of it becomes options of `ctx`. Raises `BridgeError`."""
    is_own = not is_url(target) and is_own_server(target, ctx.params["config"], os.environ)
    if is_own or not is_published(target):
        return _Server(target, "" if is_url(target) else target, is_own=not is_url(target))
    found = take_published(ctx, target, sets, registry, name or "")
    return _Server(found.url, found.name, is_own=False)


def _entry(ctx: click.Context, server: _Server, config: Path | None, base: str) -> EntryWords:
    if server.is_own:
        return words_for_name(ctx, server.word, config)
    return words_for_url(ctx, server.word, base, _name_of_secret)


def _name_of_secret(name: str, value: str) -> str:
    """The name under which this value is stored, or can be: `name`, or with a number where another secret has it."""
    from bridge.process.user_secrets import free_name, has_secret, read_secret

    return name if has_secret(name) and read_secret(name) == value else free_name(name)


def _store(secrets: Sequence[SecretToStore]) -> None:
    if not secrets:
        return
    from bridge.process.user_secrets import save_secret

    for secret in secrets:
        place = save_secret(secret.name, secret.value)
        click.echo(f"The value of {secret.source} is stored as {secret.name} in {place}.")


def _try(settings: Settings, *, yes: bool, untested: bool) -> bool:
    """Try the server; returns whether the user wants to sign in.

    Raises `UsageError` where the server does not work and the user does not insist.
    """
    from bridge.install.server_trial import try_server
    from bridge.process.event_loop import run_on_loop

    trial = run_on_loop(try_server(settings))
    said = escaped(trial.said)
    if trial.verdict == "sign-in":
        click.echo(said)
        if is_interactive() and not yes:
            return click.confirm("Sign in now?", default=True, err=True)
        click.echo("The host will show you a link to sign in.")
    elif trial.verdict != "failed":
        click.echo(said)
    elif untested:
        click.echo(f"{PROGRAM}: {said}", err=True)
    else:
        click.echo(said, err=True)
        if not (is_interactive() and click.confirm("Write the entry all the same?", default=False, err=True)):
            raise UsageError(
                "Nothing was written, because the server does not work now.",
                hint="To write the entry all the same, add --untested.",
            )
    return False


def _sign_in(settings: Settings) -> None:
    # Nothing is asked after it: until the process ends, a thread of the sign-in takes what is typed.
    from bridge.cli.login import sign_in_here

    sign_in_here(settings)


def _plans(
    choice: _Choice, names: dict[str, str], launch: Launch, *, project: bool, replaces: bool
) -> tuple[list[PlannedEntry], list[str]]:
    """The change of each file, and a sentence for each that cannot be changed where several hosts are meant."""
    plans: list[PlannedEntry] = []
    failures: list[str] = []
    folder = Path.cwd() if project else None
    for row in choice.rows:
        paths = target_paths(row, sys.platform, os.environ, home_folder(), folder)
        if not paths:
            failures.append(f"{row.name} has no file for a project; leave out --project.")
        for path in paths:
            try:
                plan = plan_entry(row, path, names[row.key], launch, replaces=replaces)
                if plan.state == "other":
                    raise UsageError(
                        f"{row.name} has another entry with the name {names[row.key]!r} ({path}).",
                        hint="Add --replace to replace it, or --name for another name.",
                    )
                plans.append(plan)
            except BridgeError as problem:
                if not choice.is_all:
                    raise
                failures.append(str(problem))
    if failures and not plans:
        raise UsageError(" ".join(failures))
    return plans, failures


def _show(plans: Sequence[PlannedEntry], names: dict[str, str]) -> None:
    for plan in plans:
        if plan.change is None:
            click.echo(f"{names[plan.row.key]} is in {plan.row.name} already ({plan.path}).")
        else:
            print_diff(shown_diff(plan.change, read_config(plan.path)))


def _write(plans: Sequence[PlannedEntry]) -> list[str]:
    """Write each file; returns a sentence for each that could not be written, where there are several."""
    failures: list[str] = []
    for plan in plans:
        try:
            backup = write(plan)
        except BridgeError as problem:
            if len(plans) == 1:
                raise
            failures.append(str(problem))
            continue
        kept = f" Its former content is in {backup}." if backup else ""
        click.echo(f"{plan.row.name} has the server {plan.place[-1]} now ({plan.path}).{kept}")
    return failures


def _print_links(
    rows: Sequence[HostRow], names: dict[str, str], launch: Launch, secrets: Sequence[SecretToStore]
) -> None:
    for row in rows:
        if row.key not in HOSTS_WITH_LINKS:
            raise UsageError(
                f"{row.name} has no links that add a server.",
                hint=f"These have: {', '.join(HOSTS_WITH_LINKS)}. Leave out --link to write the file.",
            )
    _store(secrets)
    for row in rows:
        click.echo(link_for(row.key, names[row.key], row.shape.entry_of(names[row.key], launch)))
