"""The command `edit`: opens the user's file in an editor, and checks it afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bridge.cli.commands import OneCommand
from bridge.cli.config import check
from bridge.cli.formatting import clean
from bridge.cli.named_server import own_path
from bridge.cli.options import config_option
from bridge.cli.own_file import SCHEMA_BESIDE, make_change, may_ask, write_schema_beside
from bridge.errors import BridgeError, UsageError
from bridge.inventory.server_file_change import keep, planned_file


@click.command("edit", cls=OneCommand)
@config_option
@click.pass_context
def edit(ctx: click.Context, /, config: Path | None) -> None:
    """Open your file of servers in your editor, and check it afterwards as `config check` does.

    The editor is the one that VISUAL or EDITOR names, or the one of your system. The file's former content is kept.
    With mistakes left in the file, the exit code is 1.
    """
    path = own_path(config, os.environ)
    if not path.exists():
        make_change(planned_file(path, SCHEMA_BESIDE))
    before = _content(path)
    try:
        are_right = _edited(path)
    finally:  # The editor may have written the file though it failed.
        if _content(path) != before:
            click.echo(f"The former content is in {keep(before, path)}.")
    if not are_right:
        ctx.exit(1)
    write_schema_beside(path)


def _edited(path: Path) -> bool:
    """Let the user edit the file until it is right or left as it is; returns whether it is right."""
    while True:
        try:
            click.edit(filename=str(path))
        except click.ClickException as problem:
            hint = "Name another one in the variable VISUAL or EDITOR."
            raise UsageError(f"The editor cannot be used: {clean(problem.message)}.", hint=hint) from None
        checked = check(path)
        click.echo("\n".join(checked.lines))
        are_right = not checked.mistakes
        if are_right or not (may_ask() and click.confirm("Edit it again?", default=True, err=True)):
            return are_right


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BridgeError(f"{path} cannot be read: {problem.strerror or type(problem).__name__}.") from None
