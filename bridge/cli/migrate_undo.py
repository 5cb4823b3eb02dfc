"""`migrate --undo`: takes back what the last `migrate` changed."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from bridge import PROGRAM
from bridge.cli.formatting import print_diff
from bridge.cli.migrate_shown import Asking, shown, warn
from bridge.errors import BridgeError, UsageError
from bridge.migrate.migrated import LastMigration, MigratedFile, Migration
from bridge.migrate.moving import plan_undo, write_undo


def take_back(asks: Asking) -> bool:
    """Undo the last migration; returns whether all of it was undone, or would be. Raises `BridgeError`."""
    last = LastMigration()
    migration = last.read()
    if migration is None:
        click.echo("There is nothing to take back.")
        return True
    left: list[MigratedFile] = []
    is_restored = True
    for file in migration.files:
        try:
            is_done, has_all = _undo(file, asks)
        except UsageError:
            raise
        except BridgeError as problem:
            warn(str(problem))
            is_done = has_all = False
        is_restored = is_restored and has_all
        if not is_done:
            left.append(file)
    if not asks.is_dry:
        _finish(last, migration, left, is_restored=is_restored)
    return is_restored and (asks.is_dry or not left)


def _undo(file: MigratedFile, asks: Asking) -> tuple[bool, bool]:
    """Undo one file. Returns whether that is done, and whether all of its entries are or could be as they were."""
    plan = plan_undo(file)
    for note in plan.notes:
        warn(note)
    if plan.change is None:
        return True, not plan.notes
    change = shown(plan.change, plan.content, former=[entry.before for entry in file.entries])
    click.echo(f"{file.host}: {file.path}\n")
    print_diff(f"{change}\n")
    if not asks.may_write(f"Write {file.path}?"):
        return False, not plan.notes
    backup = write_undo(plan)
    kept = f" Its content until now is in {backup}." if backup else ""
    click.echo(f"Written: {file.path}.{kept}")
    return True, not plan.notes


def _finish(last: LastMigration, migration: Migration, left: Sequence[MigratedFile], *, is_restored: bool) -> None:
    """Keep what is known of the files that were not undone; else forget it, and the secrets that moved.

    The secrets stay where an entry stays that may name them.
    """
    secrets = migration.secrets if is_restored else ()
    if left:
        last.write(msgspec.structs.replace(migration, files=tuple(left), secrets=secrets))
        return
    from bridge.process.user_secrets import remove_secret

    for name in secrets:
        remove_secret(name)
        click.echo(f"The secret {name} was removed, because it is in the entry again.")
    last.forget()
    click.echo(
        f"Sign-ins that were taken over stay; {PROGRAM} status lists them. mcp-remote may ask you to sign in again."
    )
