"""Makes `Settings` of the values of a run's options; `bridge.config` checks them.

Errors are the same for options and variables. Nothing here needs click, because a run that a host starts does without
it (`plain`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bridge import PROGRAM
from bridge.cli.option_table import OPTIONS, PREFIX
from bridge.config import (
    PATIENCE_VARIABLE,
    ClientSecret,
    FeatureSettings,
    Header,
    HeaderText,
    NotedEnvironment,
    Settings,
    SignInSettings,
    checked_client_secret,
    checked_header_value,
    client_secret_in,
    merge_headers,
    parse_authorize_param,
    parse_header,
    parse_seconds,
)
from bridge.errors import UsageError
from bridge.loopback import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.secret_reference import SecretReference

    ReadSecrets = Callable[[Mapping[SecretReference, str], NotedEnvironment], Mapping[SecretReference, str]]

URL_VARIABLE = "MCP_BRIDGE_URL"
TAB_PAUSE_VARIABLE = "MCP_BRIDGE_TAB_PAUSE"
SECRET_OPTION, SECRET_MEMBER = "--client-secret", "client_secret"
"""What names the client's secret on the command line, and in the user's file of servers."""

_TESTS_OWN = "MCP_BRIDGE_TEST_"
_NO_OPTIONS = frozenset((URL_VARIABLE, PATIENCE_VARIABLE, TAB_PAUSE_VARIABLE, "MCP_BRIDGE_REGISTRY"))
"""Variables without an option."""

_BARE_ADDRESS = r"(?P<host>[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(:\d{1,5})?([/?].*)?"


def settings_of(
    words: Sequence[str],
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    empty: Sequence[str] = (),
    secret_source: str = SECRET_OPTION,
    read_secrets: ReadSecrets | None = None,
) -> Settings:
    """Make the settings of a run from the command line's words, its options and the environment.

    `options` has a value for each row of `option_table.OPTIONS`, or for some. `empty` are the options that were given
    without a value. `secret_source` is where the client's secret comes from, as an error names it. `read_secrets` reads
    what references lead to; by default it is `process/secret_sources`.

    Raises `UsageError`. Headers are checked first, because a header that was split at its spaces leaves words behind.
    """
    values = dict(options)
    values.pop("config", None)  # It has been followed: it says what a name means.
    noted = NotedEnvironment(environ)
    typed = [parse_header(text, noted) for text in values.pop("header", ())]
    file = values.pop("header_file", None)
    version, from_file = _file_headers(file, noted) if file else ((), ())
    headers = merge_headers(from_file, typed)
    retry_window = parse_seconds(environ.get(PATIENCE_VARIABLE) or "30", PATIENCE_VARIABLE)
    client_secret, warning = ClientSecret("")
    if (text := values.pop(SECRET_MEMBER, None)) is not None:
        client_secret, warning = client_secret_in(text, secret_source, in_arguments=secret_source == SECRET_OPTION)
    url = _url(words, environ)
    # Last, because a command may ask the user something, and gets no variable that anything here names.
    wanted = _wanted(headers, client_secret, secret_source)
    secrets = (read_secrets or _from_their_places)(wanted, noted) if wanted else {}
    return Settings(
        url=url,
        headers=tuple(_header(name, value, secrets) for name, value in headers),
        header_command=values.pop("header_command", None) or "",
        aws_sigv4=values.pop("aws_sigv4", None) or "",
        header_file=file,
        header_file_version=version,
        header_names=tuple(name.lower() for name, _ in typed),
        retry_window=retry_window or 30.0,
        features=_features(values),
        sign_in=_sign_in(
            values,
            _client_secret(client_secret, secret_source, secrets),
            "" if isinstance(client_secret, str) else client_secret.text,
        ),
        secret_variables=tuple(noted.read),
        secret_headers=tuple(name for name, value in headers if not isinstance(value, str)),
        remarks=(*filter(None, (warning,)), *unknown_variables(environ)),
        notes=_empty(empty),
        **values,
    )


def is_blank(value: object) -> bool:
    """Whether a value is an empty text or only spaces."""
    return isinstance(value, str) and not value.strip()


def is_url(word: str) -> bool:
    """Whether a word looks like a URL."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", word) is not None


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each variable that has the bridge's prefix but is not one of its settings."""
    named = [name for name in environ if name.upper().startswith(PREFIX) and environ[name]]
    strange = [name for name in named if name not in _NO_OPTIONS and not name.upper().startswith(_TESTS_OWN)]
    if not strange:
        return ()
    known = sorted(_NO_OPTIONS | {row.variable for row in OPTIONS})
    return tuple(_unknown_variable(name, known) for name in sorted(strange) if name not in known)


def _unknown_variable(name: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"The environment variable {name} has no effect: the bridge has no setting of that name.{meant}"


def _empty(names: Sequence[str]) -> tuple[str, ...]:
    names = list(dict.fromkeys(names))
    if not names:
        return ()
    return (f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} empty, which counts as not given.",)


def _sign_in(values: dict[str, Any], client_secret: str, client_secret_source: str) -> SignInSettings:
    """Take the options for signing in out of `values`, and make their settings."""
    own = {name: values.pop(name) for name in SignInSettings.__struct_fields__ if name in values}
    params = tuple(parse_authorize_param(text) for text in values.pop("authorize_param", ()))
    return SignInSettings(
        authorize_params=params, client_secret=client_secret, client_secret_source=client_secret_source, **own
    )


def _features(values: dict[str, Any]) -> FeatureSettings:
    """Take the options for what the host gets out of `values`, and make their settings."""
    return FeatureSettings(**{name: values.pop(name) for name in FeatureSettings.__struct_fields__ if name in values})


def _wanted(
    headers: Sequence[HeaderText], client_secret: str | SecretReference, secret_source: str
) -> dict[SecretReference, str]:
    """The references among these values, each with what it stands in."""
    wanted = {value: f"the header {name}" for name, value in headers if not isinstance(value, str)}
    return wanted if isinstance(client_secret, str) else wanted | {client_secret: secret_source}


def _from_their_places(
    wanted: Mapping[SecretReference, str], environ: NotedEnvironment
) -> Mapping[SecretReference, str]:
    # Most runs have no reference.
    from bridge.process.secret_sources import read_secrets

    return read_secrets(wanted, environ)


def _file_headers(file: Path, environ: Mapping[str, str]) -> tuple[tuple[int, ...], tuple[HeaderText, ...]]:
    from bridge.config.header_file import read_header_file, version_of

    version = version_of(file)  # First, so that what is written meanwhile is noticed.
    return version, read_header_file(file, environ)


def _header(name: str, value: str | SecretReference, secrets: Mapping[SecretReference, str]) -> Header:
    return name, value if isinstance(value, str) else checked_header_value(name, secrets[value])


def _client_secret(value: str | SecretReference, source: str, secrets: Mapping[SecretReference, str]) -> str:
    return value if isinstance(value, str) else checked_client_secret(secrets[value], source)


def _url(words: Sequence[str], environ: Mapping[str, str]) -> str:
    words = [word for word in words if not is_blank(word)]
    source = ""
    if not words:
        if is_blank(url := environ.get(URL_VARIABLE, "")):
            raise UsageError(
                "No URL was given.",
                hint=f"Usage: {PROGRAM} [OPTIONS] URL. {PROGRAM} run --help explains the options.",
            )
        words, source = [url], URL_VARIABLE
    if len(words) > 1:
        # They are not shown: they may be parts of a header that was split at its spaces, with its secret.
        raise UsageError(
            f"There are {len(words)} arguments besides the options, but only one, the URL, is expected.",
            hint="Some hosts split an argument at its spaces: write --header 'Name:${VAR}' without any.",
        )
    if not is_url(words[0]):
        raise not_a_url(words[0], source)
    return words[0]


class UnknownWord(UsageError):
    """The one word beside the options is no URL, and not close to one."""


def not_a_url(word: str, variable: str) -> UsageError:
    """The error for a word that is no URL. `variable` is the name of what holds it; empty for the command line."""
    address = re.fullmatch(_BARE_ADDRESS, word)
    host = address["host"] if address else ""
    # A longer or less plain word is not shown: it may be a token from a header that was split.
    is_plain = re.fullmatch(r"[A-Za-z][A-Za-z-]{0,19}", word) is not None
    if "." in host or host.startswith("[") or host.lower() == "localhost":
        scheme = "http" if is_loopback(host.strip("[]")) else "https"
        where = f"{variable} is not a URL: {word}." if variable else f"{word} is not a URL."
        return UsageError(where, hint=f"Did you mean {scheme}://{word} ?")
    if variable:
        message = f"{variable} is not a URL{f': {word!r}' if is_plain else ''}."
        return UsageError(message, hint="A URL looks like https://example.com/mcp.")
    return UnknownWord(
        f"{f'{word!r}' if is_plain else 'The argument'} is neither a URL nor a command.",
        hint=f"A URL looks like https://example.com/mcp; {PROGRAM} --help lists the commands.",
    )
