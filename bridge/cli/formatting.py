"""How the commands write servers, times, amounts and scopes. No secret is in any of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from bridge.oauth.record import Record


def clean(text: str) -> str:
    """`text` as one printable line, without what looks like a secret: URLs and servers' texts may hold one."""
    from bridge.process.redact import Redactor
    from bridge.protocol.sanitize import escaped

    return escaped(Redactor()(text))


def scopes_of(record: Record) -> str:
    """The scopes that were granted; where the server did not say, those that were requested (RFC 6749, 5.1)."""
    return record.asked if record.scope is None else record.scope


def expiry_of(record: Record, now: float) -> str:
    """How long the token is valid, as a span and as a time."""
    from bridge.oauth.claims import span

    if not record.access_token:
        return "has expired"
    renewed = ", renewed automatically" if record.is_renewable else ""
    if record.expires_at is None:
        return f"has no known expiry{renewed}"
    left = record.expires_at - now
    when = f"({moment(record.expires_at)}){renewed}"
    return f"expires in {span(left)} {when}" if left > 0 else f"expired {span(-left)} ago {when}"


def moment(seconds: float) -> str:
    """A time (Unix seconds) as the clock here shows it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def amount_of(size: int) -> str:
    """A number of bytes with its unit."""
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


def named(server: str, profile: str) -> str:
    """A server, with the profile where that is not `default`."""
    return clean(server if profile == "default" else f"{server} (profile {profile})")


def is_a_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal; one that is closed or missing is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def has_colours(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether output may be coloured: on a terminal that can show it, unless NO_COLOR is set (no-color.org)."""
    return is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def coloured_diff(text: str, *, is_terminal: bool, environ: Mapping[str, str]) -> str:
    """A unified diff, coloured where that may be: added lines green, removed lines red, places cyan.

    Control characters of the files that it shows are escaped, so that no file can move the cursor.
    """
    from bridge.protocol.sanitize import escaped

    lines = [escaped(line.rstrip("\r").expandtabs(4)) for line in text.split("\n")]
    if not has_colours(environ, is_terminal=is_terminal):
        return "\n".join(lines)
    return "\n".join(_coloured(line) for line in lines)


def print_diff(text: str) -> None:
    """Print a diff to stdout, coloured where that may be."""
    import os
    import sys

    import click

    click.echo(coloured_diff(text, is_terminal=is_a_terminal(sys.stdout), environ=os.environ))


_DIFF_COLOURS = {"---": "bold", "+++": "bold", "@@ ": "cyan", "-": "red", "+": "green"}


def _coloured(line: str) -> str:
    import click

    found = next((name for start, name in _DIFF_COLOURS.items() if line.startswith(start)), None)
    if found is None:
        return line
    return click.style(line, bold=True) if found == "bold" else click.style(line, fg=found)
