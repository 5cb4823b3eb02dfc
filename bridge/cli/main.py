"""The command line: `mcp-remote-bridge URL` runs the bridge, and errors become one line and an exit code.

| exit code | when |
|---|---|
| 0 | the bridge ended as it should, or the command did what it is for |
| 1 | something failed that the user did not write |
| 2 | an option, a variable or a file named there cannot be used |
| 130 | interrupted before the bridge had started, or while a command waited |

Stdout belongs to the protocol: only what bridges nothing writes to it, such as `--help`, `--version` and `status`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from bridge import __version__
from bridge.cli.commands import PROGRAM, Commands, OneCommand, WordArgument
from bridge.cli.complaints import describe
from bridge.cli.options import callback_options, run_options, settings_from
from bridge.config import Settings, SignInSettings, check_metadata_url
from bridge.errors import BridgeError, missing_package

_LEVEL_VARIABLE = "MCP_BRIDGE_LOG_LEVEL"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Connect an MCP host on stdin and stdout to the remote MCP server at URL.

    An MCP host, such as Claude Desktop or Cursor, runs this from an entry in its configuration. In a terminal, use the
    commands.

    Each option can also be set by an environment variable: MCP_BRIDGE_ and its name, such as MCP_BRIDGE_LOG_LEVEL.
    MCP_BRIDGE_URL sets the URL; MCP_BRIDGE_HEADER holds headers, one per line.
    """


@cli.command(context_settings=_CONTEXT)
@click.argument("url", nargs=-1, metavar="URL")
@run_options
def run(url: Sequence[str], **options: Any) -> None:
    """Connect the host to the server at URL. The word "run" may be left out."""
    settings = settings_from(url, options, os.environ)
    try:
        # The loop and the HTTP client are dear to import: not for --help, and not for a usage error.
        from bridge.app.main import run_bridge

        code = run_bridge(settings)
    except BridgeError:
        raise
    except Exception as error:
        raise _defect(error, settings) from error
    sys.exit(code)


@cli.command("client-metadata", cls=OneCommand, context_settings=_CONTEXT)
@click.argument("url", cls=WordArgument, metavar="URL")
@callback_options
def client_metadata(url: str, callback_port: int | None, callback_host: str, callback_path: str) -> None:
    """Print the OAuth client metadata document for URL.

    Host what is printed at URL, then run the bridge with --client-metadata-url URL: servers that accept such documents
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


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `args`, by default the process's own, and exit."""
    # Given explicitly: left to itself, click expands variables and wildcards in arguments on Windows.
    words = list(sys.argv[1:] if args is None else args)
    _write_anything()
    try:
        code = cli.main(words, prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        _complain(describe(error))
        sys.exit(error.exit_code)
    except BridgeError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _write(f"\n{PROGRAM}: interrupted\n")
        sys.exit(130)
    except Exception as error:
        if (lost := _lost_stdout(error)) is not None:
            if not _is_closed_pipe(lost):  # Whoever reads on, such as `head`, has what it wanted.
                _complain(f"The output could not be written to stdout: {lost.strerror or lost}.")
            sys.exit(1)
        _complain(str(_defect(error, None)))
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _write_anything() -> None:
    """A name that the code page of a pipe (Windows) has no letters for is written escaped, and stops nothing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _lost_stdout(error: Exception) -> OSError | None:
    """The error, where it is that stdout could not be written. What is left to be written is given up then."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    frame = where.tb_frame if where else None
    # Click writes everything, its own help too, in `echo`.
    if not isinstance(error, OSError) or frame is None or frame.f_code is not click.echo.__code__:
        return None
    stream = frame.f_locals.get("file")
    if stream is None or stream is not sys.stdout:
        return None
    with suppress(OSError, ValueError):
        # The interpreter writes the rest when it ends, and would complain.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    return error


def _is_closed_pipe(problem: OSError) -> bool:
    # Windows says EINVAL of a pipe whose other end is closed.
    return problem.errno == errno.EPIPE or (sys.platform == "win32" and problem.errno == errno.EINVAL)


def _defect(error: Exception, settings: Settings | None) -> BridgeError:
    if isinstance(error, ModuleNotFoundError) and (said := missing_package(error.name)):
        return BridgeError(said)
    # Its text is unknown and may hold a secret; only debug shows it, through the redactor.
    if (settings.log_level if settings else os.environ.get(_LEVEL_VARIABLE)) == "debug":
        import traceback

        from bridge.app.redact import Redactor

        redactor = Redactor()
        if settings:
            redactor.add_headers(settings.headers)
            redactor.add(settings.sign_in.client_secret)
        _write(redactor("".join(traceback.format_exception(error))))
    return BridgeError(
        f"Stopped by an unexpected {type(error).__name__}, a defect of the bridge.",
        hint=f"To see where, run it again with {'--log-level debug' if settings else f'{_LEVEL_VARIABLE}=debug'}.",
    )


def _complain(text: str) -> None:
    from bridge.app.log import one_line
    from bridge.app.redact import Redactor

    _write(f"{PROGRAM}: error: {one_line(Redactor()(text))}\n")


def _write(text: str) -> None:
    # A host may have closed stderr, and a Windows program without a console has none.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
