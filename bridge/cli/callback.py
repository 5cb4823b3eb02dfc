"""The command `callback`: gives the address where a browser ended to the login that waits for it."""

from __future__ import annotations

import sys

import click

from bridge.cli.wording import named

_LONGEST = 64 * 1024


@click.command("callback", short_help="Finish a sign-in whose browser is on another machine.")
@click.argument("url", required=False, metavar="'URL'")
def callback(url: str | None) -> None:
    """Finish a sign-in whose browser could not come back to this machine.

    URL is the address the browser ended at, in quotes; without it, it is read from stdin. Every sign-in under way on
    this machine is asked whether it is the answer to it.
    """
    import asyncio

    from bridge.app.callbacks import hand_over

    taken = asyncio.run(hand_over(_typed() if url is None else url))
    click.echo(f"Signed in to {named(taken.server, taken.profile)}.")


def _typed() -> str:
    """One line of stdin, whatever is in it; empty where there is no stdin."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        click.echo("Paste the address that the browser ended at:", err=True)
    return sys.stdin.buffer.readline(_LONGEST).decode("utf-8", "replace")
