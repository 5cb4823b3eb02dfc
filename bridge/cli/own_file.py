"""What the commands that change the user's file share: the change shown, made, and the schema written beside it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bridge import PROGRAM
from bridge.cli.config_excerpt import hidden_secrets
from bridge.cli.config_schema import SCHEMA_NAME, TITLE, schema_text
from bridge.cli.formatting import clean, is_a_terminal, print_diff
from bridge.documents.reading import decoded
from bridge.documents.replacing import FileChange
from bridge.errors import BridgeError
from bridge.inventory.server_file import SCHEMA, ServerFile, read_server_file
from bridge.inventory.server_file_change import carry_out, write_schema

SCHEMA_BESIDE = f"./{SCHEMA_NAME}"
"""What a file names as its schema."""


def show_change(change: FileChange) -> None:
    """Print the change as a unified diff, without what may be secret."""
    before, after = (hidden_secrets(_text(data)).splitlines() for data in (change.before, change.after))
    old, new = (str(change.path) if data is not None else os.devnull for data in (change.before, change.after))
    text = "\n".join(difflib.unified_diff(before, after, old, new, lineterm=""))
    print_diff(text)


def make_change(change: FileChange) -> None:
    """Make the change, write the schema that the file names beside it, and say where the old content is."""
    backup = carry_out(change)
    if backup is not None:
        click.echo(f"The former content of {change.path} is in {backup}.")
    write_schema_beside(change.path)


def write_schema_beside(path: Path) -> None:
    """Write the schema beside the file where the file names it. It only helps editors, so a failure is a warning."""
    file = read_server_file(path)
    if file is None or not isinstance(file.content, dict) or file.content.get(SCHEMA) != SCHEMA_BESIDE:
        return
    try:
        write_schema(path.parent / SCHEMA_NAME, schema_text(), TITLE)
    except BridgeError as problem:
        warn(str(problem))


def may_ask() -> bool:
    """Whether the user can be asked: both ends are a terminal."""
    return is_a_terminal(sys.stdin) and is_a_terminal(sys.stdout)


def warn(text: str) -> None:
    """Print a sentence to stderr."""
    click.echo(f"{PROGRAM}: {clean(text)}", err=True)


def names_in(file: ServerFile | None) -> Sequence[str]:
    """The names of the servers in the file."""
    return [] if file is None else list(file.servers)


def _text(data: bytes | None) -> str:
    # Both were read, or made of what was read, before.
    text, _, _ = decoded(data or b"")
    return text
