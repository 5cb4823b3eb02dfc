"""The command `config`: where the user's file of servers is, and what is wrong in it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.config_check import all_mistakes, broken
from bridge.cli.config_excerpt import shown_break, shown_mistakes
from bridge.cli.formatting import clean
from bridge.cli.named_server import own_path
from bridge.cli.options import config_option
from bridge.documents.reading import BrokenConfig
from bridge.inventory.server_file import read_server_file


@click.command("config", cls=OneCommand)
@click.argument("action", cls=WordArgument, type=click.Choice(["path", "check", "schema"]), metavar="path|check|schema")
@config_option
@click.pass_context
def config(ctx: click.Context, /, action: str, config: Path | None) -> None:
    """Print where your file of servers is (path), what is wrong in it (check), or its JSON Schema (schema).

    The file has servers by name, {"mcpServers": {"NAME": {"url": "https://..."}}}, each with the options of a run. You
    can run them, sign in to them and list them by that name. With check, the exit code is 1 if anything is wrong.
    """
    if action == "schema":
        from bridge.cli.config_schema import schema_text

        click.echo(schema_text(), nl=False)
        return
    path = own_path(config, os.environ)
    if action == "path":
        click.echo(path)
        return
    lines, are_right = checked(path)
    click.echo("\n".join(lines))
    if not are_right:
        ctx.exit(1)


def checked(path: Path) -> tuple[list[str], bool]:
    """What to say of the file, and whether it can be used."""
    try:
        file = read_server_file(path)
    except BrokenConfig as why:
        return [broken(path, why).message, *shown_break(why)], False
    if file is None:
        return [f"The file {path} does not exist."], False
    mistakes = all_mistakes(file, os.environ)
    if mistakes:
        return [*map(clean, shown_mistakes(file, mistakes)), _count(len(mistakes), "mistake")], False
    return [f"{path}: {_count(len(file.servers), 'server')}, no mistakes."], True


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
