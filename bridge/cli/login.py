"""The command `login`: signs in from a terminal, whether or not there is a browser on this machine."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import click

from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import clean, expiry_of, is_a_terminal, named, scopes_of
from bridge.cli.options import login_options
from bridge.cli.targets import target_of
from bridge.config import Settings
from bridge.errors import UsageError
from bridge.process.event_loop import run_on_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.oauth.record import Record
    from bridge.tokens.interactive_login import SignInResult

_LONGEST_LINE = 64 * 1024


@click.command("login", cls=OneCommand)
@click.argument("name", cls=WordArgument, metavar=NAME_OR_URL)
@login_options
@click.pass_context
def login(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Sign in to a server, in a browser on this machine or another.

    This opens a browser and shows the link. If you open the link on another machine, paste the address at which that
    browser ends here, or give it to mcp-remote-bridge callback.

    NAME_OR_URL is the server's URL, its name in your own file of servers (see config) or in a host's configuration, or
    the host name of a server you have signed in to (linear for mcp.linear.app).
    """
    settings = target_of(ctx, name, options).settings
    if settings.header_command or settings.aws_sigv4:
        option = "--header-command" if settings.header_command else "--aws-sigv4"
        raise UsageError(
            f"The bridge does not sign in to {name}, because {option} gives the headers for it.",
            hint="To sign in instead, leave that option out.",
        )
    if not settings.signs_in:
        raise UsageError(
            f"The bridge does not sign in to {name}, because you set an Authorization header for it.",
            hint="To sign in instead, leave that header out.",
        )
    sign_in_here(settings)


def sign_in_here(settings: Settings) -> None:
    """Sign in with these settings while the user watches in this terminal, and say who it is. Raises `BridgeError`."""
    signed_in = _sign_in(settings)
    record = signed_in.record
    whom = f" as {clean(signed_in.who)}" if signed_in.who else ""
    scopes = clean(scopes_of(record))
    about = (
        f"scopes {scopes}" if scopes else "no scopes",
        expiry_of(record, time.time()),
        f"stored in {signed_in.place}",
    )
    click.echo(f"Signed in to {named(record.server, record.profile)}{whom} ({', '.join(about)}).")


def _sign_in(settings: Settings) -> SignInResult:
    import asyncio

    from bridge.process.log import configure
    from bridge.process.log_head import begin_log
    from bridge.tokens.interactive_login import log_in

    terminal = Terminal(sys.stderr, invites=is_a_terminal(sys.stdin))

    async def attend() -> SignInResult:
        typed: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(line: str) -> None:
            with suppress(RuntimeError):  # The loop is closed: the login is over.
                loop.call_soon_threadsafe(typed.put_nowait, line)

        read_lines(sys.stdin, put)
        return await log_in(settings, terminal, typed, terminal.say)

    with configure(settings):
        begin_log(settings, "the command login")
        try:
            return run_on_loop(attend())
        except KeyboardInterrupt:
            terminal.say(terminal.on_interrupt)
            sys.exit(130)
        finally:
            terminal.end()


class Terminal:
    """Shows a login on `stream`: sentences, and below them, on a terminal, one line that is updated in place."""

    def __init__(self, stream: TextIO | None, *, invites: bool) -> None:
        """`invites`: the user can paste an address here, and is told so."""
        self.is_live = is_a_terminal(stream)
        self._stream = stream
        self._invites = invites
        self._width = 0
        self._waiting = ""
        self.on_interrupt = "Stopped. Nothing was changed."

    def link(self, url: str, code: str) -> None:
        """Show the link whole, on a line of its own, so that it can be copied."""
        from bridge.protocol.sanitize import escaped

        self._erase()
        self._write(f"Open this link and enter the code {escaped(code)} there:\n" if code else "Sign in at:\n")
        self._write(f"\n{escaped(url)}\n\n")
        if self._invites and not code:
            self._write("If your browser is on another machine, paste the address at which it ends here.\n")

    def waiting(self, text: str, left: str) -> None:
        """Show what the login waits for. The time left comes first, because the line is cut at the terminal's width."""
        if self.is_live:
            import shutil

            line = clean(f"{left}: {text}" if left else text)[: max(20, shutil.get_terminal_size().columns - 1)]
            self._write(f"\r{line.ljust(self._width)}")
            self._width = len(line)
        elif text != self._waiting:
            self._write(f"{clean(text)}{f' {left}.' if left else ''}\n")
            self._waiting = text

    def say(self, text: str) -> None:
        """Show a sentence."""
        self._erase()
        self._write(f"{clean(text)}\n")

    def signed_in_already(self, record: Record, who: str) -> None:
        """Show who is signed in and until when, and what signing in again does."""
        whom = f" as {who}" if who else ""
        self.say(
            f"You are already signed in to {named(record.server, record.profile)}{whom}; the token "
            f"{expiry_of(record, time.time())}. Signing in again replaces it; press Ctrl-C to keep it."
        )

    def end(self) -> None:
        """Remove the line that says what the login waits for."""
        self._erase()

    def _erase(self) -> None:
        if self._width:
            self._write(f"\r{' ' * self._width}\r")
            self._width = 0

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(text)  # type: ignore[union-attr]
            self._stream.flush()  # type: ignore[union-attr]


def read_lines(stream: TextIO | None, put: Callable[[str], None]) -> None:
    """Give each line of `stream` to `put`, from a daemon thread.

    It is a thread on every system, because the event loop of Windows cannot wait for a console. It reads the
    descriptor, because a thread that waits inside `sys.stdin` would hold its lock when the interpreter ends.
    """
    try:
        descriptor = stream.fileno() if stream is not None else None
    except (OSError, ValueError):
        descriptor = None
    if descriptor is not None:
        threading.Thread(target=_read, args=(descriptor, put), name="pasted", daemon=True).start()


def _read(descriptor: int, put: Callable[[str], None]) -> None:
    begun = b""
    with suppress(OSError):
        while data := os.read(descriptor, 4096):
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                put(line.decode("utf-8", "replace"))
            if len(begun) > _LONGEST_LINE:
                put(begun.decode("utf-8", "replace"))
                begun = b""
    if begun:
        put(begun.decode("utf-8", "replace"))
