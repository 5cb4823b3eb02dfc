"""The command `tools`: the tools of a server that `--pin-tools` has pinned, and their changes."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from bridge import PROGRAM
from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import clean, is_a_terminal, print_diff
from bridge.cli.options import account_options
from bridge.cli.targets import target_of
from bridge.errors import BridgeError, UsageError
from bridge.features.pins import Pins, accepted, is_digest
from bridge.protocol.sanitize import escaped, shown

_ACTIONS = ("show", "accept")
_LONGEST_NAME = 120


@click.command("tools", cls=OneCommand)
@click.argument("action", cls=WordArgument, type=click.Choice(_ACTIONS), metavar="show|accept")
@click.argument("name", cls=WordArgument, metavar=NAME_OR_URL)
@click.argument("tools", cls=WordArgument, nargs=-1, metavar="[TOOL]...")
@click.option("--yes", is_flag=True, help="Accept without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what is pinned and changed as JSON, for programs.")
@account_options
@click.pass_context
def tools(
    ctx: click.Context, /, action: str, name: str, tools: tuple[str, ...], yes: bool, as_json: bool, **options: Any
) -> None:
    """Show the tools of a server that --pin-tools has pinned, with what has changed since; or accept the changes.

    accept takes the changes of the tools that are named, or of all. It shows each before, and takes no other.
    """
    from bridge.inventory.pinned_tools import pinned_tools

    book = pinned_tools(target_of(ctx, name, options).store_key)
    pins = book.read()
    if unknown := [tool for tool in tools if tool not in pins.pinned]:
        raise UsageError(
            f"No tool {shown(unknown[0], _LONGEST_NAME)} of this server is pinned.",
            hint=f"To see which are, run: {PROGRAM} tools show {name}",
        )
    chosen = {tool: text for tool, text in pins.changed.items() if not tools or tool in tools}
    if as_json:
        # In ASCII: what a server says may hold characters that change a terminal.
        click.echo(json.dumps({"pinned": pins.pinned, "changed": pins.changed}, indent=2))
        return
    _show(pins, chosen, only=tools)
    if action == "show" or not chosen:
        return
    if not yes and is_a_terminal(sys.stdin) and not click.confirm("Accept this?", err=True):
        raise BridgeError("Nothing was accepted.")
    after = book.change(lambda now: accepted(now, chosen))
    left = [tool for tool in chosen if tool in after.changed]
    done = [tool for tool in chosen if tool not in after.changed]
    if done:
        click.echo(f"Accepted: {_names(done)}. Restart the host, or let it list the tools again.")
    if left:
        raise BridgeError(
            f"Not accepted, because it has changed once more: {_names(left)}.",
            hint=f"Run again: {PROGRAM} tools accept {name}",
        )


def _show(pins: Pins, chosen: dict[str, str], *, only: Sequence[str]) -> None:
    if not pins.pinned:
        click.echo("No tools of this server are pinned. A bridge with --pin-tools pins them when it first lists them.")
        return
    unchanged = [tool for tool in only or pins.pinned if tool not in pins.changed]
    if unchanged:
        click.echo(f"Pinned and unchanged: {_names(unchanged)}.")
    for tool, text in chosen.items():
        before = pins.pinned[tool]
        if is_digest(before) or is_digest(text):
            click.echo(f"{_names([tool])} has changed; it is too long for its text to be kept.")
            continue
        click.echo(f"{_names([tool])} has changed:")
        lines = difflib.unified_diff(_lines(before), _lines(text), "pinned", "changed", lineterm="")
        print_diff("\n".join(escaped(line) for line in lines))


def _names(tools: Sequence[str]) -> str:
    return ", ".join(clean(shown(tool, _LONGEST_NAME)) for tool in tools)


def _lines(text: str) -> list[str]:
    """A definition as indented JSON."""
    return msgspec.json.format(text, indent=2).splitlines()
