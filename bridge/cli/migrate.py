"""The command `migrate`: turns hosts' entries of other bridges into ours, and takes that back."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge import PROGRAM
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.host_choice import home_folder, host_named
from bridge.cli.migrate_shown import Asking, MovedSecrets, show_plan, warn
from bridge.cli.migrate_undo import take_back
from bridge.config.secret_reference import reference_in
from bridge.errors import BridgeError, UsageError
from bridge.inventory.host_entries import HostFile, host_files
from bridge.inventory.host_table import HOSTS_BY_KEY
from bridge.migrate.migrated import LastMigration, Migration
from bridge.migrate.moving import PlannedMove, each_once, find_entries, plan_file, write
from bridge.migrate.old_entries import OldEntry
from bridge.protocol.sanitize import escaped

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.install.launcher import Launcher

    SettingsByPlace = dict[tuple[Path, tuple[str, ...]], Settings]
    """The settings of the entries that can be moved, by file and place."""

_SOME_VALUE = "x"


@click.command("migrate", cls=OneCommand)
@click.argument("host", cls=WordArgument, required=False)
@click.option("--remote", is_flag=True, help="Also turn the entries with a URL, to which the host itself connects.")
@click.option("--dry-run", is_flag=True, help="Show the changes and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.option("--undo", is_flag=True, help="Take back what the last migrate changed.")
@click.pass_context
def migrate(ctx: click.Context, /, host: str | None, remote: bool, dry_run: bool, yes: bool, undo: bool) -> None:
    """Let hosts' entries that run mcp-remote, mcp-stdio, supergateway or mcp-proxy run this bridge.

    Each change is shown and you are asked, once for each file. What has no counterpart stays as it is. The sign-ins of
    mcp-remote are taken over, so that you do not sign in again. HOST is one of the names that hosts lists; without it,
    the files of all hosts are looked through.
    """
    if undo and (host is not None or remote):
        raise UsageError("--undo takes back the whole of the last migrate.", hint=f"Run: {PROGRAM} migrate --undo")
    asks = Asking(is_dry=dry_run, is_yes=yes)
    is_done = take_back(asks) if undo else _move(host, asks, remote=remote)
    if not is_done:
        ctx.exit(1)


def _move(host: str | None, asks: Asking, *, remote: bool) -> bool:
    row = host_named(host) if host is not None else None
    every = host_files(sys.platform, os.environ, home_folder())
    move = _Move(asks)
    is_good = True
    for file in each_once(file for file in every if row is None or file.key == row.key):
        try:
            move.file(file, remote=remote)
        except UsageError:
            raise
        except BridgeError as problem:
            warn(str(problem))
            is_good = False
    if not move.has_found:
        where = f"in the files of {row.name}" if row is not None else "in the files of the hosts on this machine"
        more = "" if remote else " Add --remote to turn the hosts' own remote entries."
        click.echo(f"There is no entry of mcp-remote, mcp-stdio, supergateway or mcp-proxy {where}.{more}")
    for key in dict.fromkeys(move.written):
        click.echo(HOSTS_BY_KEY[key].restart_sentence)
    return is_good


class _Move:
    """One migration, file by file."""

    def __init__(self, asks: Asking) -> None:
        self.has_found = False
        self.written: list[str] = []
        self._asks = asks
        self._settings: SettingsByPlace = {}
        self._secrets = MovedSecrets()
        self._last, self._migration = LastMigration(), Migration()
        self._launcher: Launcher | None = None

    def file(self, file: HostFile, *, remote: bool) -> None:
        """Look through one file, show what becomes of it, and write it if the user agrees. Raises `BridgeError`."""
        content, entries = find_entries(file, sys.platform, remote=remote)
        if not entries:
            return
        self.has_found = True
        self._launcher = self._launcher or _launcher()
        checked = [_checked(entry, self._settings) for entry in entries]
        plan = plan_file(file, content, checked, self._launcher, self._secrets.free_name)
        show_plan(plan)
        if plan.change is not None and self._asks.may_write(f"Write {file.path}?"):
            self._write(plan)
            self.written.append(plan.file.key)
            _take_over(plan, self._settings)

    def _write(self, plan: PlannedMove) -> None:
        stored: list[str] = []
        try:
            for one in plan.moved:
                for name, value in one.secrets:
                    place = self._secrets.save(name, value)
                    stored.append(name)
                    click.echo(f"A secret of {one.old.name} is stored as {name} in {place}.")
            self._migration, backup = write(plan, self._migration, self._last, stored)
        except BridgeError:
            from bridge.process.user_secrets import remove_secret

            for name in set(stored) - set(self._migration.secrets):  # Another file's entry may name the others.
                remove_secret(name)
            raise
        kept = f" Its former content is in {backup}." if backup else ""
        click.echo(f"Written: {plan.file.path}.{kept}")


def _launcher() -> Launcher:
    from bridge.install.launcher import find_launcher, surroundings

    launcher = find_launcher(surroundings())
    if launcher.warning:
        warn(launcher.warning)
    return launcher


def _checked(entry: OldEntry, known: SettingsByPlace) -> OldEntry:
    """The entry; with one more reason to stay if the bridge would not start with what it becomes."""
    made = entry.translation
    if made is None or entry.reasons:
        return entry
    # The secrets themselves stand for the references to them, which lead nowhere yet. One that looks like a reference
    # must not be followed.
    words = made.with_references([_SOME_VALUE if reference_in(one.secret) else one.secret for one in made.secrets])
    try:
        known[entry.file.path, entry.place] = _settings(entry, words)
    except BridgeError as problem:
        return entry.because(f"The bridge would not start: {problem}")
    return entry


def _settings(entry: OldEntry, words: Sequence[str]) -> Settings:
    """The settings of a run with these words. A variable that only the host knows has some value."""
    from bridge.cli.targets import settings_of_run

    environ = {**os.environ, **entry.environ}

    def value(found: re.Match[str]) -> str:
        name = found[1].removeprefix("env:")
        return found[0] if environ.get(name) else _SOME_VALUE

    filled = [re.sub(r"\$\{([^}]*)\}", value, word) for word in words]
    for word in filled:
        if word.startswith("env:"):
            environ.setdefault(word.removeprefix("env:"), _SOME_VALUE)
    return settings_of_run(filled, environ)


def _take_over(plan: PlannedMove, settings: SettingsByPlace) -> None:
    """Take the sign-ins of mcp-remote over, for the entries that were moved."""
    from bridge.process.event_loop import run_on_loop

    entries = [one.old for one in plan.moved if one.old.program == "mcp-remote"]
    wanted = [(entry, settings[entry.file.path, entry.place]) for entry in entries]
    wanted = [(entry, own) for entry, own in wanted if own.signs_in]
    if wanted:
        run_on_loop(_take_over_all(wanted))


async def _take_over_all(wanted: Sequence[tuple[OldEntry, Settings]]) -> None:
    from bridge.migrate.mcp_auth import config_folder
    from bridge.migrate.taking_over import take_over_from
    from bridge.process.redact import Redactor

    hide = Redactor()
    for entry, settings in wanted:
        made = entry.translation
        if made is not None and made.hashed is not None and "${" not in made.url:
            folder = config_folder({**os.environ, **entry.environ}, home_folder())
            found = await take_over_from(folder, made.hashed, settings, notice=warn, add_secret=hide.add)
            click.echo(escaped(hide(found.sentence)))
