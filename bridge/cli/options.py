"""The options of a run and of the commands about sign-ins, and how their values become `Settings`.

Each option has a variable, `MCP_BRIDGE_` and its name in capitals; the command line wins. Click reads the
words, `bridge.config` judges them: a message then reads the same whether a value came from an option or a
variable. A context's `obj` may be another environment to look variables up in, as of a host's entry.

An empty value counts as not given, in a variable and on the command line alike: hosts pass one for a setting that the
user left blank (`user_config` of an MCPB bundle).
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
TAB_PAUSE_VARIABLE = "MCP_BRIDGE_TAB_PAUSE"

_PREFIX = "MCP_BRIDGE_"
_TESTS_OWN = "MCP_BRIDGE_TEST_"
_NO_OPTIONS = frozenset((URL_VARIABLE, PATIENCE_VARIABLE, TAB_PAUSE_VARIABLE))
"""Variables that no option stands for."""

_EMPTY = "bridge.empty"
"""Where a context keeps the names of the options that were given without a value."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_Named = tuple[str, Callable[[Any], Any]]

_BARE_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(:\d{1,5})?([/?].*)?")


class VariableOption(click.Option):
    """An option with a variable."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.core.ParameterSource]:
        """Look at the command line, then at the variable; an empty value on the command line counts as not given."""
        given = opts.get(self.name) if self.name is not None else None
        if is_blank(given) or (isinstance(given, list) and any(map(is_blank, given))):
            ctx.meta.setdefault(_EMPTY, []).append(self.opts[0])
            kept = [text for text in given if not is_blank(text)] if isinstance(given, list) else []
            opts = {name: value for name, value in opts.items() if name != self.name}
            if kept:
                opts[self.name or ""] = kept
        return super().consume_value(ctx, opts)

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


class HomePath(click.Path):
    """The path of a file. A `~` at its beginning is the user's home: no shell is there to expand it for a host."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Make a `Path` of it."""
        path = Path(value)
        try:
            return path.expanduser()
        except RuntimeError:
            self.fail(f"{path} names a home folder that does not exist.", param, ctx)


def is_blank(value: object) -> bool:
    """Whether a value that was given says nothing."""
    return isinstance(value, str) and not value.strip()


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
    file = HomePath()
    return (
        _option("--header", cls=LinesOption, multiple=True, metavar="'NAME: VALUE'",
                help="Send this header with every request. ${VAR} in the value is taken from the environment."
                     " Repeatable."),
        _option("--header-file", type=file, metavar="FILE", help="Read headers from FILE, one per line."),
        _option("--transport", type=click.Choice(TRANSPORTS, case_sensitive=False), default="auto",
                help="http: Streamable HTTP; sse: the older HTTP+SSE. Default: auto, which tries both."),
        _option("--protocol", type=click.Choice(PROTOCOLS, case_sensitive=False), default="auto",
                help="The MCP revisions the server speaks. modern: 2026-07-28; legacy: earlier ones."
                     " Default: auto, which asks the server."),
        _option("--connect-timeout", callback=_seconds, default="10", metavar="SECONDS",
                help="Give up an attempt to connect after this time. Default: 10."),
        _option("--request-timeout", callback=_seconds_or_never, default="0", metavar="SECONDS",
                help="Cancel a request that makes no progress for this time. Default: 0, never."),
        _option("--allow-http", is_flag=True,
                help="Allow plain http:// to another machine. Everything sent can be read on the way."),
        _option("--ca-file", type=file, metavar="FILE",
                help="Trust the certificate authorities in this PEM file too."),
        _option("--client-cert", type=file, metavar="FILE", help="Present this PEM certificate to the server."),
        _option("--client-cert-key", type=file, metavar="FILE",
                help="The private key of --client-cert, if it is in a file of its own."),
        _option("--log-level", type=click.Choice(LOG_LEVELS, case_sensitive=False), default="info",
                metavar="LEVEL",
                help="How much to log on stderr and in the log file: error, warning, info or debug. Default: info."),
        _option("--log-file", type=file, metavar="FILE",
                help="Append the log, with times, to FILE. Its folder has to exist."),
        _option("--silent", is_flag=True, help="Log only errors on stderr."),
        _option("--client-id", metavar="ID",
                help="Sign in as this OAuth client, which you registered with the provider."),
        _option("--client-secret", metavar="env:NAME|file:PATH",
                help="The secret of --client-id: in the variable NAME, or in the file PATH."),
        _option("--client-metadata-url", metavar="URL",
                help="Sign in as the OAuth client whose metadata document you host at URL (see client-metadata)."),
        _option("--scope", metavar="'A B'", help="Ask for these scopes. Default: those the server names."),
        _option("--resource", metavar="URL|none",
                help="Send this resource indicator, or none. Default: the one the server names."),
        _option("--authorize-param", cls=LinesOption, multiple=True, metavar="NAME=VALUE",
                help="Add this parameter to the authorization request. Repeatable."),
        *_callback_options(),
        _option("--grant", type=click.Choice(GRANTS, case_sensitive=False), default="authorization-code",
                help="How to sign in. authorization-code: in a browser on this machine; device-code: in a browser"
                     " on any device, with a code. Default: authorization-code."),
        _option("--no-browser", is_flag=True, help="Show the link to sign in at, but open no browser."),
        _option("--answer-within", callback=_seconds_or_never, default="2", metavar="SECONDS",
                help="While you have not signed in, answer the host after this time with the tool sign_in."
                     " Default: 2. 0: let the host wait."),
        _option("--login-timeout", callback=_seconds, default="300", metavar="SECONDS",
                help="Wait this long for you to sign in. Default: 300."),
        _option("--token-store", type=click.Choice(TOKEN_STORES, case_sensitive=False), default="auto",
                help="Where to keep tokens. Default: auto, which is the system keyring, or a private file"
                     " where there is none."),
        _option("--use-id-token", is_flag=True, help="Send the ID token instead of the access token."),
        _option("--allow-private", is_flag=True,
                help="Let a public server send you to a private network to sign in."),
        _option("--profile", default="default", metavar="NAME",
                help="Keep a separate sign-in to the same server under this name."),
    )  # fmt: skip


def _callback_options() -> tuple[_Named, ...]:
    return (
        _option("--callback-port", type=int, metavar="PORT",
                help="Listen for the browser's return on exactly this port. Default: the same free port every time."),
        _option("--callback-host", default="localhost", metavar="HOST",
                help="The host name in the redirect URI: localhost, 127.0.0.1 or [::1]. Default: localhost."),
        _option("--callback-path", default="/callback", metavar="PATH",
                help="The path in the redirect URI. Default: /callback."),
    )  # fmt: skip


def settings_from(words: Sequence[str], options: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Make the settings of a run from the command line's free words, its options and the environment.

    Raises `UsageError`. Headers come first: one that was broken at its spaces leaves words behind.
    """
    values = dict(options)
    given = _headers(values.pop("header", ()), values.pop("header_file", None), environ)
    patience = parse_seconds(environ.get(PATIENCE_VARIABLE) or "30", PATIENCE_VARIABLE)
    sign_in, remarks = _sign_in(values, environ)
    return Settings(
        url=_url(words, environ),
        headers=given,
        patience=patience or 30.0,
        sign_in=sign_in,
        remarks=(*remarks, *unknown_variables(environ)),
        notes=_empty_options(),
        **values,
    )


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each variable that is named as if it was for the bridge, and is not."""
    named = [name for name in environ if name.upper().startswith(_PREFIX) and environ[name]]
    strange = [name for name in named if name not in _NO_OPTIONS and not name.upper().startswith(_TESTS_OWN)]
    if not strange:
        return ()
    known = sorted(_NO_OPTIONS | {_variable(name) for name, _ in _options()})
    return tuple(_unknown_variable(name, known) for name in sorted(strange) if name not in known)


def _unknown_variable(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"The environment variable {name} has no effect: the bridge has no setting of that name.{meant}"


def _empty_options() -> tuple[str, ...]:
    ctx = click.get_current_context(silent=True)
    names = list(dict.fromkeys(ctx.meta.get(_EMPTY, ()))) if ctx is not None else []
    if not names:
        return ()
    return (f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} empty, which counts as not given.",)


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
    return name, click.option(name, envvar=_variable(name), **{"cls": VariableOption, **details})


def _variable(option: str) -> str:
    return f"{_PREFIX}{option.removeprefix('--').replace('-', '_').upper()}"


def _seconds(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx))


def _seconds_or_never(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return parse_seconds(text, source_of(param, ctx), zero_is_none=True)


def _headers(texts: Sequence[str], file: Path | None, environ: Mapping[str, str]) -> tuple[Header, ...]:
    from_file = read_header_file(file, environ) if file else ()
    return merge_headers(from_file, [parse_header(text, environ) for text in texts])


def _url(words: Sequence[str], environ: Mapping[str, str]) -> str:
    words = [word for word in words if not is_blank(word)]
    source = ""
    if not words:
        if is_blank(url := environ.get(URL_VARIABLE, "")):
            raise UsageError(
                "No URL was given.",
                hint="Usage: mcp-remote-bridge [OPTIONS] URL; mcp-remote-bridge --help explains the options.",
            )
        words, source = [url], URL_VARIABLE
    if len(words) > 1:
        # Not shown: these may be the rest of a header, with its secret, broken at a space.
        raise UsageError(
            f"{len(words)} arguments stand where one URL belongs.",
            hint="Options may come before or after it. Some hosts break an argument at its spaces: "
            "write --header 'Name:${VAR}' without any.",
        )
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", words[0]):
        raise _not_a_url(words[0], source)
    return words[0]


def _not_a_url(word: str, variable: str) -> UsageError:
    address = _BARE_ADDRESS.fullmatch(word)
    host = address["host"] if address else ""
    # A longer or stranger word may be a token that lost its header; it is not shown.
    is_plain = re.fullmatch(r"[A-Za-z][A-Za-z-]{0,19}", word) is not None
    if "." in host or host.startswith("[") or host.lower() == "localhost":
        scheme = "http" if is_loopback(host.strip("[]")) else "https"
        where = f"{variable} is not a URL: {word}." if variable else f"{word} is not a URL."
        return UsageError(where, hint=f"Did you mean {scheme}://{word} ?")
    if variable:
        message = f"{variable} is not a URL{f': {word!r}' if is_plain else ''}."
        return UsageError(message, hint="A URL looks like https://example.com/mcp.")
    return UsageError(
        f"{f'{word!r}' if is_plain else 'The argument'} is neither a URL nor a command.",
        hint="A URL looks like https://example.com/mcp; mcp-remote-bridge --help lists the commands.",
    )
