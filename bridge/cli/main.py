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

import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from bridge import __version__
from bridge.cli.options import callback_options, run_options, settings_from, source_of
from bridge.config import Settings, SignInSettings, check_metadata_url
from bridge.errors import BridgeError

PROGRAM = "mcp-remote-bridge"

_LEVEL_VARIABLE = "MCP_BRIDGE_LOG_LEVEL"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


# Each is made by the module of its name, when somebody wants it: a run is to start without them.
_ELSEWHERE = ("callback", "login", "logout", "status")


class Commands(click.Group):
    """A group whose first argument may also be the URL or an option of `run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted((*self.commands, *_ELSEWHERE))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported if it is not there yet."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        made = getattr(importlib.import_module(f"bridge.cli.{cmd_name}"), cmd_name)
        return made if isinstance(made, click.Command) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front of what is neither a command nor an option of the group itself."""
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if not args or (args[0] not in self.list_commands(ctx) and args[0] not in own):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the short way first: it is what a host's configuration holds."""
        formatter.write_usage(PROGRAM, "[OPTIONS] URL")
        formatter.write_usage(PROGRAM, "COMMAND ...", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of `run` as well as the group's own, then the commands."""
        params = [param for param in (*run.params, *self.get_params(ctx)) if isinstance(param, click.Option)]
        records = [record for param in params if (record := param.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(records)
        self.format_commands(ctx, formatter)


@click.group(cls=Commands, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Connect an MCP host on stdin and stdout with the remote MCP server at URL.

    Each option can also be set by a variable, MCP_BRIDGE_ and its name, such as MCP_BRIDGE_LOG_LEVEL; the URL
    by MCP_BRIDGE_URL, and headers by MCP_BRIDGE_HEADER, one a line.
    """


@cli.command(context_settings=_CONTEXT)
@click.argument("url", nargs=-1, metavar="URL")
@run_options
def run(url: Sequence[str], **options: Any) -> None:
    """Connect the host with the server at URL (the default command)."""
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


@cli.command("client-metadata", context_settings=_CONTEXT)
@click.argument("url", metavar="URL")
@callback_options
def client_metadata(url: str, callback_port: int | None, callback_host: str, callback_path: str) -> None:
    """Print the OAuth client metadata document to host at URL.

    Pass --client-metadata-url URL then: servers that take such documents need no registration. A server that compares
    ports exactly needs one that does not change: give --callback-port here and there.
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
        _complain(_describe(error))
        sys.exit(error.exit_code)
    except BridgeError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except Exception as error:
        _complain(str(_defect(error, None)))
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _write_anything() -> None:
    """A name that the code page of a pipe (Windows) has no letters for is written escaped, and stops nothing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _describe(error: click.ClickException) -> str:
    if not isinstance(error, click.BadParameter) or isinstance(error, click.MissingParameter) or error.param is None:
        return error.format_message()
    source = source_of(error.param, error.ctx)
    if isinstance(error.param.type, click.types.BoolParamType):
        return f"{source} is either 1 or 0 (also yes, no, true, false, on, off)."
    return f"{source}: {error.message}"


def _defect(error: Exception, settings: Settings | None) -> BridgeError:
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
        hint=f"{'--log-level debug' if settings else f'{_LEVEL_VARIABLE}=debug'} shows where.",
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
