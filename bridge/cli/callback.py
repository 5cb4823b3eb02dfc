"""The command `callback`: gives the address at which a browser ended to the login that waits for it."""

from __future__ import annotations

import sys

import click

from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import named

_LONGEST = 64 * 1024


@click.command("callback", cls=OneCommand)
@click.argument("url", cls=WordArgument, required=False, metavar="'URL'")
def callback(url: str | None) -> None:
    """Finish a sign-in whose browser could not return to this machine.

    URL is the address at which the browser ended, in quotes. Without URL, the address is read from stdin. The bridge
    passes it to the sign-in on this machine that it belongs to.
    """
    from bridge.process.event_loop import run_on_loop
    from bridge.tokens.pasted_callbacks import hand_over

    taken = run_on_loop(hand_over(_typed() if url is None else url))
    click.echo(f"Signed in to {named(taken.server, taken.profile)}.")


def _typed() -> str:
    """One line of stdin; empty where there is no stdin."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        click.echo("Paste the address at which the browser ended, then press Enter:", err=True)
    return sys.stdin.buffer.readline(_LONGEST).decode("utf-8", "replace")
