"""The command `uninstall`: takes an entry of ours out of a host's configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import clean, print_diff
from bridge.cli.host_choice import home_folder, host_named, may_write
from bridge.cli.secret import file_if_readable
from bridge.cli.secret_uses import users_of
from bridge.cli.settings import is_blank
from bridge.cli.targets import host_entries
from bridge.documents.reading import read_config
from bridge.errors import BridgeError, UsageError
from bridge.install.installing import PlannedRemoval, entries_in, plan_removal, remove, target_paths
from bridge.install.shown_change import shown_diff
from bridge.inventory.host_table import HOSTS, HostRow
from bridge.protocol.sanitize import shown

_LONGEST = 60
_MOST = 20


@click.command("uninstall", cls=OneCommand)
@click.argument("words", cls=WordArgument, nargs=-1, metavar="[HOST] NAME")
@click.option("--all", "every", is_flag=True, help="Take it out of every host.")
@click.option("--project", is_flag=True, help="Change the file of the project in this folder, not your own.")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
def uninstall(words: tuple[str, ...], every: bool, project: bool, dry_run: bool, yes: bool) -> None:
    """Take a server out of a host's configuration.

    NAME is the entry's name there; mcp-remote-bridge hosts lists them. Only an entry that runs this bridge is taken
    out. A file that was not changed after install becomes what it was before, byte for byte.
    """
    rows, name = _chosen(words, every=every)
    folder = Path.cwd() if project else None
    paths = [(row, path) for row in rows for path in target_paths(row, sys.platform, os.environ, home_folder(), folder)]
    plans, failures = _plans(paths, name, is_all=every)
    if not plans:
        raise UsageError(" ".join(failures) or _none(rows, name, every=every), hint=_known(paths))
    for plan in plans:
        print_diff(shown_diff(plan.change, read_config(plan.path)))
    if dry_run:
        return
    may_write("Write this?", yes=yes)
    entry = shown(name, _LONGEST)
    for plan in plans:
        backup = remove(plan)
        kept = f" Its former content is in {backup}." if backup else ""
        what = "removed, because install had made it" if plan.change.after is None else "written"
        has = f"its former entry {entry} again" if plan.restores else f"no server {entry} any more"
        click.echo(f"{plan.row.name} has {has} ({plan.path} was {what}).{kept}")
    _tell_of_secrets({secret for plan in plans for secret in plan.secrets})
    for row in {plan.row.key: plan.row for plan in plans}.values():
        click.echo(row.restart_sentence)
    if failures:
        raise BridgeError(" ".join(failures))


def _tell_of_secrets(names: Iterable[str]) -> None:
    """Say of each secret that an entry referred to whether anything still does, and how to remove it otherwise."""
    file, entries = file_if_readable(None), host_entries().entries
    for name in sorted(names):
        if users := users_of(name, file, entries):
            click.echo(f"The secret {name} stays, because {', '.join(map(clean, users))} refers to it.")
        else:
            click.echo(f"The secret {name} is still stored. To remove it: {PROGRAM} secret remove {name}")


def _chosen(words: Sequence[str], *, every: bool) -> tuple[Sequence[HostRow], str]:
    words = [word for word in words if not is_blank(word)]
    if every and len(words) == 1:
        return HOSTS, words[0]
    if every or len(words) != 2:
        raise UsageError(
            "uninstall takes a host and the name of an entry.",
            hint=f"Run: {PROGRAM} uninstall HOST NAME , or with --all for HOST. {PROGRAM} hosts lists them.",
        )
    return [host_named(words[0])], words[1]


def _plans(paths: Iterable[tuple[HostRow, Path]], name: str, *, is_all: bool) -> tuple[list[PlannedRemoval], list[str]]:
    """What to take out of each file, and a sentence for each entry that is not ours or file that cannot be changed."""
    plans, failures = [], []
    for row, path in paths:
        try:
            plan = plan_removal(row, path, name)
        except BridgeError as problem:
            if not is_all:
                raise
            failures.append(str(problem))
            continue
        if plan is not None and plan.is_ours:
            plans.append(plan)
        elif plan is not None:
            failures.append(
                f"The entry {shown(name, _LONGEST)!r} of {row.name} does not run this bridge, so it was left ({path})."
            )
    return plans, failures


def _none(rows: Sequence[HostRow], name: str, *, every: bool) -> str:
    where = "No host" if every else rows[0].name
    return f"{where} has {'an' if every else 'no'} entry with the name {shown(name, _LONGEST)!r}."


def _known(paths: Iterable[tuple[HostRow, Path]]) -> str:
    """The names of our entries in these files, as a hint."""
    names = sorted({shown(name, _LONGEST) for row, path in paths for name in entries_in(row, path)})
    if not names:
        return "No entry there runs this bridge."
    return f"Entries there that run this bridge: {', '.join(names[:_MOST])}."
