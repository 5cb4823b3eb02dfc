"""The commands, made with click, and how click runs them. A plain run does not need this module (`plain`)."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from bridge import PROGRAM
from bridge.cli import running
from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.commands import Commands, OneCommand, WordArgument
from bridge.cli.complaints import describe
from bridge.cli.formatting import is_a_terminal
from bridge.cli.help_text import HelpfulCommand
from bridge.cli.option_table import COMPLETION_VARIABLE
from bridge.cli.options import callback_options, run_options, settings_from
from bridge.cli.settings import URL_VARIABLE, is_blank
from bridge.config import SignInSettings, check_metadata_url
from bridge.errors import BridgeError, UsageError

_CONTEXT = {"max_content_width": 100}


_WHAT_TO_TYPE = f"""\
{PROGRAM} connects an MCP host, such as Claude Desktop,
to a remote MCP server. The host starts it, with the server's URL.

To put a server into a host's configuration:
  {PROGRAM} install claude-desktop https://mcp.example.com/mcp
To sign in to a server:
  {PROGRAM} login https://mcp.example.com/mcp
For all commands:
  {PROGRAM} --help"""
"""For a user who starts the program in a terminal, without a URL."""


class BadCommandLine(BridgeError):
    """An error that click found, in the bridge's words."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@click.group(cls=Commands, context_settings=_CONTEXT)
def cli() -> None:
    """Connect an MCP host, such as Claude Desktop, to a remote MCP server."""


@cli.command(cls=HelpfulCommand, context_settings=_CONTEXT)
@click.argument("url", cls=WordArgument, nargs=-1, metavar=NAME_OR_URL)
@run_options
def run(url: Sequence[str], **options: Any) -> None:
    """Connect the host on stdin and stdout to the server at URL, or to one of your servers by its name (see config).

    The host starts this from an entry in its configuration. The word "run" may be left out, unless the server has the
    name of a command.

    A variable sets each option as well: MCP_BRIDGE_ and its name, such as MCP_BRIDGE_LOG_LEVEL. MCP_BRIDGE_URL sets the
    URL; MCP_BRIDGE_HEADER holds headers, one per line.
    """
    is_unnamed = all(map(is_blank, (*url, os.environ.get(URL_VARIABLE, ""))))
    if is_unnamed and is_a_terminal(sys.stdin):
        click.echo(_WHAT_TO_TYPE, err=True)
        sys.exit(UsageError.exit_code)
    sys.exit(running.run(settings_from(url, options, os.environ)))


@cli.command("client-metadata", cls=OneCommand, context_settings=_CONTEXT)
@click.argument("url", cls=WordArgument, metavar="URL")
@callback_options
def client_metadata(url: str, callback_port: int | None, callback_host: str, callback_path: str) -> None:
    """Print the OAuth client metadata document for URL.

    Publish the output at URL, then run the bridge with --client-metadata-url URL. Servers that accept such documents
    need no registration. Where a server compares the redirect URI's port, pass the same --callback-port to both.
    """
    import json

    from bridge.oauth.registration import document

    check_metadata_url(url)
    settings = SignInSettings(callback_port=callback_port, callback_host=callback_host, callback_path=callback_path)
    hosts = dict.fromkeys((settings.callback_host, "localhost", "127.0.0.1"))
    port = "" if callback_port is None else f":{callback_port}"
    redirect_uris = [f"http://{host}{port}{settings.callback_path}" for host in hosts]
    click.echo(json.dumps(document(url, redirect_uris), indent=2))


def run_program(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code. Raises `BridgeError` and KeyboardInterrupt."""
    _write_anything()
    if COMPLETION_VARIABLE in os.environ:
        from bridge.cli import completion  # noqa: F401 (It tells click of one more shell.)
    try:
        code = cli.main(list(words), prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        raise BadCommandLine(describe(error), error.exit_code) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:
        if not _is_lost_stdout(error):
            raise
        if not _is_closed_pipe(error):  # A reader that closes the pipe, such as `head`, has what it wanted.
            raise BridgeError(f"The output could not be written to stdout: {error.strerror or error}.") from None
        return 1
    return code if isinstance(code, int) else 0


def _write_anything() -> None:
    """Escape characters that the code page of a pipe lacks (Windows), instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_lost_stdout(error: OSError) -> bool:
    """Whether the error came from writing to stdout. If so, what is still to be written is discarded."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    frame = where.tb_frame if where else None
    # Click writes everything, its own help too, in `echo`.
    if frame is None or frame.f_code is not click.echo.__code__:
        return False
    stream = frame.f_locals.get("file")
    if stream is None or stream is not sys.stdout:
        return False
    with suppress(OSError, ValueError):
        # The interpreter writes the rest when it ends, and would report the same error again.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    return True


def _is_closed_pipe(problem: OSError) -> bool:
    # Windows says EINVAL of a pipe whose other end is closed.
    return problem.errno == errno.EPIPE or (sys.platform == "win32" and problem.errno == errno.EINVAL)
