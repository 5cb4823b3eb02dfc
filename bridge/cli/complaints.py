"""The errors that click finds in a command line, in the bridge's words. They show no values."""

from __future__ import annotations

import click

from bridge import PROGRAM
from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.options import source_of


def describe(error: click.ClickException) -> str:
    """What is wrong, and what to do."""
    match error:
        case click.NoSuchOption():
            return _no_such_option(error)
        case click.MissingParameter(param=click.Parameter() as param, ctx=click.Context() as ctx):
            wanted = param.make_metavar(ctx)
            wanted = (
                "a server: its URL, or its name in your own file or a host's configuration"
                if wanted == NAME_OR_URL
                else wanted
            )
            return f"{ctx.info_name} needs {wanted}. {_usage(ctx)}"
        case click.BadParameter(param=click.Parameter(type=click.types.BoolParamType()) as param):
            return f"{source_of(param, error.ctx)} is either 1 or 0 (also yes, no, true, false, on, off)."
        case click.BadParameter(param=click.Parameter() as param):
            return f"{source_of(param, error.ctx)}: {error.message}"
        case click.BadOptionUsage() if "requires an argument" in error.message:
            return f"{error.option_name} needs a value. {_see_help(error.ctx)}"
        case _:
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
    command = ctx.command_path if ctx else f"{PROGRAM} run"
    return f"{command} --help lists the options."


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.get_usage().split())
