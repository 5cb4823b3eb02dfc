"""The command `config`: where the user's file of servers is, and what is wrong in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.config_check import all_mistakes, broken
from bridge.cli.config_excerpt import shown_break, shown_mistakes
from bridge.cli.formatting import clean
from bridge.cli.literal_secrets import literal_secrets
from bridge.cli.named_server import own_path, warning_of_readers
from bridge.cli.options import config_option
from bridge.documents.reading import BrokenConfig
from bridge.inventory.server_file import read_server_file


@click.command("config", cls=OneCommand)
@click.argument("action", cls=WordArgument, type=click.Choice(["path", "check", "schema"]), metavar="path|check|schema")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@config_option
@click.pass_context
def config(ctx: click.Context, /, action: str, as_json: bool, config: Path | None) -> None:
    """Print where your file of servers is (path), what is wrong in it (check), or its JSON Schema (schema).

    The file has servers by name, {"mcpServers": {"NAME": {"url": "https://..."}}}, each with the options of a run. You
    can run them, sign in to them and list them by that name. With check, the exit code is 1 if anything is wrong. A
    secret that is written in the file is warned of.
    """
    if action == "schema":
        from bridge.cli.config_schema import schema_text

        click.echo(schema_text(), nl=False)
        return
    path = own_path(config, os.environ)
    if action == "path":
        click.echo(json.dumps({"file": str(path)}, indent=2) if as_json else path)
        return
    checked = check(path)
    click.echo(json.dumps(_as_object(path, checked), indent=2) if as_json else "\n".join(checked.lines))
    if checked.mistakes:
        ctx.exit(1)


class Checked(NamedTuple):
    """What was found: the lines to print, the number of servers (None: not known), mistakes and warnings as objects.

    A warning is of what can be used, but should not be so. The lines have the warnings where there are no mistakes.
    """

    lines: Sequence[str]
    servers: int | None
    mistakes: Sequence[dict[str, Any]]
    warnings: Sequence[dict[str, Any]] = ()


def check(path: Path) -> Checked:
    """Read the file, and say what is wrong in it."""
    try:
        file = read_server_file(path)
    except BrokenConfig as why:
        said = broken(path, why).message
        return Checked([said, *shown_break(why)], None, [_mistake(why.line or None, why.column or None, said)])
    if file is None:
        said = f"The file {path} does not exist."
        return Checked([said], None, [_mistake(None, None, said)])
    mistakes = all_mistakes(file, os.environ)
    number = len(file.servers)
    literals = literal_secrets(file)
    warnings = [_mistake(one.line, one.column, one.mistake.message, one.mistake.hint) for one in literals]
    if literals and (readers := warning_of_readers(path)):
        warnings.append(_mistake(None, None, readers))
    warned = [f"{_place(path, one)}warning: {one['message']} {one['hint'] or ''}".rstrip() for one in warnings]
    if not mistakes:
        return Checked([*warned, f"{path}: {_count(number, 'server')}, no mistakes."], number, [], warnings)
    lines = [*map(clean, shown_mistakes(file, mistakes)), _count(len(mistakes), "mistake")]
    found = [_mistake(one.line, one.column, one.mistake.message, one.mistake.hint) for one in mistakes]
    return Checked(lines, number, found, warnings)


def _place(path: Path, one: dict[str, Any]) -> str:
    return "" if one["line"] is None else f"{path}:{one['line']}:{one['column']}: "


def _as_object(path: Path, checked: Checked) -> dict[str, Any]:
    """The result with names that do not change; what is not known is null."""
    return {"file": str(path), "servers": checked.servers, "mistakes": checked.mistakes, "warnings": checked.warnings}


def _mistake(line: int | None, column: int | None, message: str, hint: str = "") -> dict[str, Any]:
    return {"line": line, "column": column, "message": clean(message), "hint": clean(hint) or None}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
