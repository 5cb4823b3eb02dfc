"""The errors that click finds in a command line, in the bridge's words. They show no values."""

from __future__ import annotations

import click

from bridge import PROGRAM
from bridge.cli.commands import NAME_OR_URL
from bridge.cli.options import source_of


def describe(error: click.ClickException) -> str:
    """What is wrong, and what to do."""
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error)
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        wanted = error.param.make_metavar(error.ctx)
        wanted = "a server: its URL, or its name in a host's configuration" if wanted == NAME_OR_URL else wanted
        return f"{error.ctx.info_name} needs {wanted}. {_usage(error.ctx)}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        source = source_of(error.param, error.ctx)
        if isinstance(error.param.type, click.types.BoolParamType):
            return f"{source} is either 1 or 0 (also yes, no, true, false, on, off)."
        return f"{source}: {error.message}"
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        return f"{error.option_name} needs a value. {_see_help(error.ctx)}"
    return error.format_message()


def _no_such_option(error: click.NoSuchOption) -> str:
    name = error.ctx.info_name if error.ctx else None
    of_a_command = name is not None and name not in (PROGRAM, "run")
    said = f"{name} has no option {error.option_name}." if of_a_command else f"There is no option {error.option_name}."
    near = sorted(error.possibilities or ())
    if near:
        return f"{said} Did you mean {' or '.join(near[:3])}?"
    return f"{said} {_see_help(error.ctx)}"


def _see_help(ctx: click.Context | None) -> str:
    command = ctx.command_path if ctx else PROGRAM
    return f"{command.removesuffix(' run')} --help lists the options."


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.get_usage().split())
