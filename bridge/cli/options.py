"""The options of a run, and how their values become `Settings`.

Each option has a variable, `MCP_BRIDGE_` and its name in capitals; the command line wins. Click reads the
words, `bridge.config` judges them: a message then reads the same whether a value came from an option or a
variable.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.config import (
    LOG_LEVELS,
    PATIENCE_VARIABLE,
    TRANSPORTS,
    Header,
    Settings,
    is_loopback,
    merge_headers,
    parse_header,
    parse_seconds,
    read_header_file,
)
from bridge.errors import UsageError

URL_VARIABLE = "MCP_BRIDGE_URL"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_BARE_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(:\d{1,5})?([/?].*)?")


class HeaderOption(click.Option):
    """A repeatable header. In its variable each line is one; blank lines do not count."""

    def value_from_envvar(self, ctx: click.Context) -> list[str] | None:
        """Split the variable's text at its line ends."""
        text = self.resolve_envvar_value(ctx)
        return None if text is None else [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def source_of(param: click.Parameter | None, ctx: click.Context | None) -> str:
    """Name what the user wrote to set `param`: the option, or the variable it was read from."""
    if param is None:
        return "A value"
    if ctx is not None and param.name is not None:
        by_variable = ctx.get_parameter_source(param.name) is click.core.ParameterSource.ENVIRONMENT
        if by_variable and isinstance(param.envvar, str):
            return param.envvar
    return param.opts[0]


def run_options(command: Decorated) -> Decorated:
    """Give a command the options of a run, in the order its help shows them."""
    file = click.Path(path_type=Path)
    options = (
        _option("--header", cls=HeaderOption, multiple=True, metavar="'NAME: VALUE'",
                help="Send this header with every request. ${VAR} in the value comes from the environment."
                     " Repeatable."),
        _option("--header-file", type=file, metavar="FILE", help="Read headers from FILE, one a line."),
        _option("--transport", type=click.Choice(TRANSPORTS, case_sensitive=False), default="auto",
                help="http: Streamable HTTP; sse: its predecessor HTTP+SSE. Default: auto, which finds out."),
        _option("--connect-timeout", callback=_seconds, default="10", metavar="SECONDS",
                help="Give up one attempt to connect after this time. Default: 10."),
        _option("--request-timeout", callback=_seconds_or_never, default="0", metavar="SECONDS",
                help="Give up a request that shows no progress for this time. Default: 0, never."),
        _option("--allow-http", is_flag=True, help="Allow plain http:// to a host other than this one."),
        _option("--ca-file", type=file, metavar="FILE", help="Also trust the certificates in this PEM file."),
        _option("--client-cert", type=file, metavar="FILE", help="Show this PEM certificate to the server."),
        _option("--client-cert-key", type=file, metavar="FILE",
                help="Its private key, where the certificate's file does not hold it."),
        _option("--log-level", type=click.Choice(LOG_LEVELS, case_sensitive=False), default="info",
                metavar="LEVEL",
                help="What stderr and the log file show: error, warning, info or debug. Default: info."),
        _option("--log-file", type=file, metavar="FILE", help="Append the log, with times, to FILE."),
        _option("--silent", is_flag=True, help="Show nothing but errors on stderr."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settings_from(words: Sequence[str], options: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Make the settings of a run from the command line's free words, its options and the environment.

    Raises `UsageError`. Headers come first: one that was broken at its spaces leaves words behind.
    """
    values = dict(options)
    given = _headers(values.pop("header"), values.pop("header_file"), environ)
    patience = parse_seconds(environ.get(PATIENCE_VARIABLE) or "30", PATIENCE_VARIABLE)
    url = _url(words, environ)
    return Settings(url=url, headers=given, patience=patience or 30.0, **values)


def _option(name: str, **details: Any) -> Callable[[Decorated], Decorated]:
    variable = f"MCP_BRIDGE_{name.removeprefix('--').replace('-', '_').upper()}"
    return click.option(name, envvar=variable, **details)


def _seconds(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx))


def _seconds_or_never(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx), zero_is_none=True)


def _headers(texts: Sequence[str], file: Path | None, environ: Mapping[str, str]) -> tuple[Header, ...]:
    from_file = read_header_file(file, environ) if file else ()
    return merge_headers(from_file, [parse_header(text, environ) for text in texts])


def _url(words: Sequence[str], environ: Mapping[str, str]) -> str:
    if not words:
        if url := environ.get(URL_VARIABLE):
            return url
        raise UsageError("No URL given.", hint="Usage: mcp-remote-bridge [OPTIONS] URL; --help tells more.")
    if len(words) > 1:
        # Not shown: these may be the rest of a header, with its secret, broken at a space.
        raise UsageError(
            f"{len(words)} arguments stand where one URL belongs.",
            hint="Options may come before or after it. Some hosts break an argument at its spaces: "
            "write --header 'Name:${VAR}' without any.",
        )
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", words[0]):
        raise _not_a_url(words[0])
    return words[0]


def _not_a_url(word: str) -> UsageError:
    address = _BARE_ADDRESS.fullmatch(word)
    host = address["host"] if address else ""
    if "." in host or host.startswith("[") or host.lower() == "localhost":
        scheme = "http" if is_loopback(host.strip("[]")) else "https"
        return UsageError(f"{word} is not a URL.", hint=f"Did you mean {scheme}://{word} ?")
    # A longer or stranger word may be a token that lost its header; it is not shown.
    shown = f"{word!r}" if re.fullmatch(r"[A-Za-z][A-Za-z-]{0,19}", word) else "The argument"
    near = difflib.get_close_matches(word, ["run"])
    hint = "Did you mean 'run'?" if near else "A URL looks like https://example.com/mcp; the command is run."
    return UsageError(f"{shown} is neither a command nor a URL.", hint=hint)
