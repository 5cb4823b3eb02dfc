"""HOST on the command line: the hosts' names, and asking for one of those on this machine."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

import click

from bridge import PROGRAM
from bridge.errors import UsageError
from bridge.install.installing import is_here
from bridge.inventory.host_table import HOSTS, HOSTS_BY_KEY, HostRow
from bridge.protocol.sanitize import shown

ALL_HOSTS = ", ".join(row.key for row in HOSTS)
"""The names of the hosts, as help and errors list them."""

_LONGEST = 60


def host_named(word: str) -> HostRow:
    """The host that the user means. Raises `UsageError`."""
    row = HOSTS_BY_KEY.get(word.lower())
    if row is not None:
        return row
    near = difflib.get_close_matches(word.lower(), HOSTS_BY_KEY, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"There is no host {shown(word, _LONGEST)!r}.", hint=f"{hint}The hosts are: {ALL_HOSTS}.")


def hosts_here() -> list[HostRow]:
    """The hosts on this machine. Raises `UsageError` for a user without a home."""
    home = home_folder()
    return [row for row in HOSTS if is_here(row, sys.platform, os.environ, home)]


def home_folder() -> Path:
    """The user's home. Raises `UsageError`."""
    try:
        return Path.home()
    except RuntimeError:
        raise UsageError("You have no home folder, so there are no files of hosts.") from None


def is_interactive() -> bool:
    """Whether the user can be asked: keyboard and screen are a terminal's."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # A stream may be missing or closed.
        return False


def ask_for_hosts(usage: str) -> list[HostRow]:
    """Ask which of the hosts on this machine is meant. Raises `UsageError` where the user cannot be asked."""
    found = hosts_here()
    if not is_interactive() or not found:
        here = f" On this machine there are: {', '.join(row.key for row in found)}." if found else ""
        raise UsageError("Name the host.", hint=f"{PROGRAM} {usage} .{here} All hosts: {ALL_HOSTS}.")
    for number, row in enumerate(found, 1):
        click.echo(f"{number:3}  {row.name}", err=True)
    if len(found) > 1:
        click.echo(f"{len(found) + 1:3}  all of them", err=True)
    choice = click.prompt("Number", type=click.IntRange(1, len(found) + (len(found) > 1)), err=True)
    return found if choice > len(found) else [found[choice - 1]]


def may_write(question: str, *, yes: bool) -> None:
    """Return if the change that was shown may be written; end the command where the user says no.

    Raises `UsageError` where the user cannot be asked.
    """
    if yes:
        return
    if not is_interactive():
        raise UsageError("Nothing was written, because you cannot be asked here.", hint="Add --yes to write this.")
    if not click.confirm(question, err=True):
        click.echo("Nothing was written.", err=True)
        click.get_current_context().exit(1)
