"""The options of a run and of the commands about sign-ins, and how their values become `Settings`.

Each option has a variable, `MCP_BRIDGE_` and its name in capitals; the command line wins. Click reads the
words, `bridge.config` judges them: a message then reads the same whether a value came from an option or a
variable. A context's `obj` may be another environment to look variables up in, as of a host's entry.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.config import (
    CLIENT_SECRET_VARIABLE,
    GRANTS,
    LOG_LEVELS,
    PATIENCE_VARIABLE,
    PROTOCOLS,
    TOKEN_STORES,
    TRANSPORTS,
    Header,
    Settings,
    SignInSettings,
    is_loopback,
    merge_headers,
    parse_authorize_param,
    parse_header,
    parse_seconds,
    read_client_secret,
    read_header_file,
)
from bridge.errors import UsageError

URL_VARIABLE = "MCP_BRIDGE_URL"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_Named = tuple[str, Callable[[Any], Any]]

_BARE_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(:\d{1,5})?([/?].*)?")


class VariableOption(click.Option):
    """An option with a variable."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Look the variable up; an empty one counts as not set."""
        environ: Mapping[str, str] = os.environ if ctx.obj is None else ctx.obj
        return environ.get(self.envvar) or None if isinstance(self.envvar, str) else None


class LinesOption(VariableOption):
    """A repeatable option. In its variable each line is one value; blank lines do not count."""

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
    return _decorated(command, _options())


def login_options(command: Decorated) -> Decorated:
    """Give a command the options of a run that matter to a sign-in."""
    return _decorated(command, [pair for pair in _options() if pair[0] not in _NOT_FOR_LOGIN])


def account_options(command: Decorated) -> Decorated:
    """Give a command the options that tell which stored sign-in is meant, and how its servers are reached."""
    return _decorated(command, [pair for pair in _options() if pair[0] in _FOR_ACCOUNT])


def callback_options(command: Decorated) -> Decorated:
    """Give a command the options that say what the redirect URI is."""
    return _decorated(command, _callback_options())


def token_store_option(command: Decorated) -> Decorated:
    """Give a command the option that says where tokens are kept."""
    return _decorated(command, [pair for pair in _options() if pair[0] == "--token-store"])


def _decorated(command: Decorated, options: Sequence[_Named]) -> Decorated:
    for _, option in reversed(options):
        command = option(command)
    return command


_NOT_FOR_LOGIN = frozenset(("--transport", "--protocol", "--request-timeout", "--answer-within"))
_FOR_ACCOUNT = frozenset(
    (
        *("--connect-timeout", "--allow-http", "--ca-file", "--client-cert", "--client-cert-key"),
        *("--client-id", "--client-secret", "--client-metadata-url", "--resource"),
        *("--token-store", "--allow-private", "--profile"),
    )
)


def _options() -> tuple[_Named, ...]:
    file = click.Path(path_type=Path)
    return (
        _option("--header", cls=LinesOption, multiple=True, metavar="'NAME: VALUE'",
                help="Send this header with every request. ${VAR} in the value comes from the environment."
                     " Repeatable."),
        _option("--header-file", type=file, metavar="FILE", help="Read headers from FILE, one a line."),
        _option("--transport", type=click.Choice(TRANSPORTS, case_sensitive=False), default="auto",
                help="http: Streamable HTTP; sse: its predecessor HTTP+SSE. Default: auto, which finds out."),
        _option("--protocol", type=click.Choice(PROTOCOLS, case_sensitive=False), default="auto",
                help="What the server speaks. modern: MCP 2026-07-28; legacy: the revisions before it."
                     " Default: auto, which finds out."),
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
        _option("--client-id", metavar="ID", help="The OAuth client you registered; none is then made by itself."),
        _option("--client-secret", metavar="env:NAME|file:PATH",
                help="Its secret, by reference: the variable NAME or the file PATH."),
        _option("--client-metadata-url", metavar="URL",
                help="Where you host this client's metadata document (see the command client-metadata)."),
        _option("--scope", metavar="'A B'", help="Ask for these scopes. Default: those the server names."),
        _option("--resource", metavar="URL|none",
                help="The resource indicator to send. Default: what the server says it is."),
        _option("--authorize-param", cls=LinesOption, multiple=True, metavar="NAME=VALUE",
                help="Add this parameter to the authorization request. Repeatable."),
        *_callback_options(),
        _option("--grant", type=click.Choice(GRANTS, case_sensitive=False), default="authorization-code",
                help="How to sign in. authorization-code: in a browser on this machine; device-code: in any browser,"
                     " with a code. Default: authorization-code."),
        _option("--no-browser", is_flag=True, help="Show the link to sign in at; open no browser."),
        _option("--answer-within", callback=_seconds_or_never, default="8", metavar="SECONDS",
                help="Answer the host after this time although nobody has signed in yet. Default: 8; 0: wait."),
        _option("--login-timeout", callback=_seconds, default="300", metavar="SECONDS",
                help="Wait this long for somebody to sign in. Default: 300."),
        _option("--token-store", type=click.Choice(TOKEN_STORES, case_sensitive=False), default="auto",
                help="Where tokens are kept. Default: auto, the system keyring, else a private file."),
        _option("--use-id-token", is_flag=True, help="Send the ID token instead of the access token."),
        _option("--allow-private", is_flag=True,
                help="Let a public server name sign-in addresses in private networks."),
        _option("--profile", default="default", metavar="NAME",
                help="Keep another sign-in for the same server under this name."),
    )  # fmt: skip


def _callback_options() -> tuple[_Named, ...]:
    return (
        _option("--callback-port", type=int, metavar="PORT",
                help="The callback's port, exactly. Default: one that stays the same for a server, where free."),
        _option("--callback-host", default="localhost", metavar="HOST",
                help="The host the redirect URI names: localhost, 127.0.0.1 or [::1]. Default: localhost."),
        _option("--callback-path", default="/callback", metavar="PATH", help="Its path. Default: /callback."),
    )  # fmt: skip


def settings_from(words: Sequence[str], options: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Make the settings of a run from the command line's free words, its options and the environment.

    Raises `UsageError`. Headers come first: one that was broken at its spaces leaves words behind.
    """
    values = dict(options)
    given = _headers(values.pop("header", ()), values.pop("header_file", None), environ)
    patience = parse_seconds(environ.get(PATIENCE_VARIABLE) or "30", PATIENCE_VARIABLE)
    sign_in, remarks = _sign_in(values, environ)
    url = _url(words, environ)
    return Settings(url=url, headers=given, patience=patience or 30.0, sign_in=sign_in, remarks=remarks, **values)


def _sign_in(values: dict[str, Any], environ: Mapping[str, str]) -> tuple[SignInSettings, tuple[str, ...]]:
    """Take the options of signing in out of `values`; return them, and what to warn of."""
    own = {name: values.pop(name) for name in SignInSettings.__slots__ if name in values}
    params = tuple(parse_authorize_param(text) for text in values.pop("authorize_param", ()))
    remarks: tuple[str, ...] = ()
    if (text := own.pop("client_secret", None)) is not None:
        option = "--client-secret"
        ctx = click.get_current_context(silent=True)
        in_arguments = ctx is None or (
            ctx.get_parameter_source("client_secret") is not click.core.ParameterSource.ENVIRONMENT
        )
        source = option if in_arguments else CLIENT_SECRET_VARIABLE
        own["client_secret"], warning = read_client_secret(text, environ, source, in_arguments=in_arguments)
        remarks = (warning,) if warning else ()
    return SignInSettings(authorize_params=params, **own), remarks


def _option(name: str, **details: Any) -> _Named:
    variable = f"MCP_BRIDGE_{name.removeprefix('--').replace('-', '_').upper()}"
    return name, click.option(name, envvar=variable, **{"cls": VariableOption, **details})


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
