"""The options of a run and of the commands about sign-ins, made for click from the rows of `option_table`.

Each option has a variable, `MCP_BRIDGE_` and its name in capitals; the command line takes precedence. Click reads the
words, and `settings` makes `Settings` of the result. A context's `obj` may be another environment, such as that of a
host's entry.

An empty value counts as not given, in a variable and on the command line alike, because hosts pass one for a setting
that the user left blank (`user_config` of an MCPB bundle).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridge.cli import option_table, settings
from bridge.cli.option_table import CALLBACK_OPTIONS, CONFIG_OPTION, OPTIONS, OptionRow
from bridge.cli.settings import SECRET_MEMBER, is_blank
from bridge.config import CLIENT_SECRET_VARIABLE, Settings, parse_seconds
from bridge.errors import UsageError

if TYPE_CHECKING:
    from bridge.cli.server_values import NamedServer
    from bridge.cli.settings import ReadSecrets

_EMPTY = "bridge.empty"
"""The key under which a context has the names of the options that were given without a value."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class VariableOption(click.Option):
    """An option with a variable."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.core.ParameterSource]:
        """Look at the command line, then at the variable. An empty value on the command line counts as not given."""
        given = opts.get(self.name) if self.name is not None else None
        if is_blank(given) or (isinstance(given, list) and any(map(is_blank, given))):
            ctx.meta.setdefault(_EMPTY, []).append(self.opts[0])
            kept = [text for text in given if not is_blank(text)] if isinstance(given, list) else []
            opts = {name: value for name, value in opts.items() if name != self.name}
            if kept:
                opts[self.name or ""] = kept
        return super().consume_value(ctx, opts)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Look the variable up; an empty one, or one with only spaces, counts as not set."""
        environ: Mapping[str, str] = os.environ if ctx.obj is None else ctx.obj
        text = environ.get(self.envvar) if isinstance(self.envvar, str) else None
        return None if is_blank(text) else text


class LinesOption(VariableOption):
    """A repeatable option. In its variable each line is one value; blank lines do not count."""

    def value_from_envvar(self, ctx: click.Context) -> list[str] | None:
        """Split the variable's text at its line ends."""
        text = self.resolve_envvar_value(ctx)
        return None if text is None else [line for line in re.split(r"[\r\n]+", text) if line.strip()]


class HomePath(click.Path):
    """The path of a file. A `~` at its beginning is the user's home, because a host has no shell to expand it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Make a `Path` of it."""
        path = Path(value)
        try:
            return path.expanduser()
        except RuntimeError:
            self.fail(f"{path} names a home folder that does not exist.", param, ctx)


def source_of(param: click.Parameter | None, ctx: click.Context | None) -> str:
    """The option, or the variable, that set `param`."""
    if param is None:
        return "A value"
    if ctx is not None and param.name is not None:
        by_variable = ctx.get_parameter_source(param.name) is click.core.ParameterSource.ENVIRONMENT
        if by_variable and isinstance(param.envvar, str):
            return param.envvar
    return param.opts[0]


def run_options(command: Decorated) -> Decorated:
    """Give a command the options of a run, in the order its help shows them."""
    return _decorated(command, OPTIONS)


def login_options(command: Decorated) -> Decorated:
    """Give a command the options of a run that matter to a sign-in."""
    features = option_table.FEATURES
    return _decorated(command, [row for row in OPTIONS if row.group != features and row.name not in _NOT_FOR_LOGIN])


def account_options(command: Decorated) -> Decorated:
    """Give a command the options that identify a stored sign-in, and those for reaching its servers."""
    return _decorated(command, [row for row in OPTIONS if row.name in _FOR_ACCOUNT])


def callback_options(command: Decorated) -> Decorated:
    """Give a command the options that make the redirect URI."""
    return _decorated(command, CALLBACK_OPTIONS)


def config_option(command: Decorated) -> Decorated:
    """Give a command the option that names the user's file of servers."""
    return _decorated(command, [row for row in OPTIONS if row.name == CONFIG_OPTION])


def token_store_option(command: Decorated) -> Decorated:
    """Give a command the option that says where tokens are kept."""
    return _decorated(command, [row for row in OPTIONS if row.name == "--token-store"])


def settings_from(
    words: Sequence[str],
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    given: Collection[str] = (),
    server: NamedServer | None = None,
    read_secrets: ReadSecrets | None = None,
) -> Settings:
    """Make the settings of a run from what click has read; a word that is no URL may be a server's name.

    `given` are options that come before what the file of servers says, beside those that click was given. `server` is
    the one of that name, where the file has been read already. `read_secrets` is as in `settings_of`. Raises
    `UsageError`.
    """
    ctx = click.get_current_context(silent=True)
    word, config = _name_in(words), options.get("config")
    if server is None and word:
        server = _server_named(word, config, environ)
    own = {} if server is None else options_beside(server.options, ctx, given)
    source = SECRET_MEMBER if SECRET_MEMBER in own else _secret_source(ctx)
    merged = {**options, **own}
    try:
        made = settings.settings_of(
            words if server is None else [server.url],
            merged,
            environ,
            empty=() if ctx is None else ctx.meta.get(_EMPTY, ()),
            secret_source=source,
            read_secrets=read_secrets,
        )
        return made if server is None else _with_name(made, server, merged, environ)
    except settings.UnknownWord as error:
        from bridge.cli.named_server import unknown_server

        raise unknown_server(error, word, config, environ) from None
    except UsageError as error:
        if server is None:
            raise
        from bridge.cli.named_server import refused

        raise refused(error, server, environ) from None


def options_beside(own: Mapping[str, Any], ctx: click.Context | None, given: Collection[str] = ()) -> dict[str, Any]:
    """Those of a server's `own` options that neither the command line nor a variable sets."""
    if ctx is not None:
        given = {*given, *given_in(ctx)}
    return {option: value for option, value in own.items() if option not in given}


def given_in(ctx: click.Context) -> set[str]:
    """The options that were given, on the command line or by a variable."""
    written = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    options = (param.name for param in ctx.command.params if isinstance(param, click.Option))
    return {name for name in options if name is not None and ctx.get_parameter_source(name) in written}


def _name_in(words: Sequence[str]) -> str:
    """The only word, where it is no URL; else empty."""
    found = [word for word in words if not is_blank(word)]
    return found[0] if len(found) == 1 and not settings.is_url(found[0]) else ""


def _server_named(name: str, config: Path | None, environ: Mapping[str, str]) -> NamedServer | None:
    # A command line with a URL does not load it.
    from bridge.cli.named_server import server_named

    return server_named(name, config, environ)


def _with_name(made: Settings, server: NamedServer, options: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    from bridge.cli.named_server import with_name

    return with_name(made, server, options, environ)


def _secret_source(ctx: click.Context | None) -> str:
    from_variable = click.core.ParameterSource.ENVIRONMENT
    is_variable = ctx is not None and ctx.get_parameter_source("client_secret") is from_variable
    return CLIENT_SECRET_VARIABLE if is_variable else settings.SECRET_OPTION


def _decorated(command: Decorated, rows: Sequence[OptionRow]) -> Decorated:
    for row in reversed(rows):
        command = _option(row)(command)
    return command


def _option(row: OptionRow) -> Callable[[Decorated], Decorated]:
    details: dict[str, Any] = {"cls": VariableOption, "help": row.help, "metavar": row.metavar}
    if row.default is not None:
        details["default"] = row.default
    match row.kind:
        case option_table.LINES:
            details |= {"cls": LinesOption, "multiple": True}
        case option_table.FLAG:
            details["is_flag"] = True
        case option_table.FILE:
            details["type"] = HomePath()
        case option_table.INTEGER:
            details["type"] = int
        case option_table.CHOICE:
            details["type"] = click.Choice(row.choices, case_sensitive=False)
        case option_table.SECONDS:
            details["callback"] = _seconds
        case option_table.SECONDS_OR_NEVER:
            details["callback"] = _seconds_or_never
    return click.option(row.name, envvar=row.variable, **details)


def _seconds(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx))


def _seconds_or_never(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx), zero_is_none=True)


_NOT_FOR_LOGIN = frozenset(
    (
        *("--transport", "--protocol", "--request-timeout", "--tool-timeout", "--keep-alive"),
        *("--no-cache", "--answer-within"),
    )
)
_FOR_ACCOUNT = frozenset(
    (
        *("--connect-timeout", "--allow-http", "--ca-file", "--client-cert", "--client-cert-key"),
        *("--client-id", "--client-secret", "--client-metadata-url", "--resource", "--issuer"),
        *("--token-store", "--allow-private", "--profile", "--config"),
    )
)
