"""The settings of a run, frozen and validated, and the rules for reading their parts.

Everything here is a function of its arguments: environment variables are looked up only in the mapping that the caller
passes. No message holds a header's value, because it may be a secret.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from bridge.config.feature_settings import FeatureSettings
from bridge.config.host_names import ascii_host
from bridge.config.signing_in import REFERENCES, SignInSettings, repr_without
from bridge.errors import UsageError
from bridge.loopback import is_loopback

if TYPE_CHECKING:
    from bridge.config.secret_reference import SecretReference

Transport = Literal["auto", "http", "sse"]
EraChoice = Literal["auto", "legacy", "modern"]
Header = tuple[str, str]
HeaderText = tuple[str, "str | SecretReference"]
"""A header as the user gives it: its name, and its value or where that is."""

TRANSPORTS = ("auto", "http", "sse")
PROTOCOLS = ("auto", "legacy", "modern")
LOG_LEVELS = ("error", "warning", "info", "debug")
PATIENCE_VARIABLE = "MCP_BRIDGE_PATIENCE"

# Headers that describe one request or connection. A fixed value would break the next request.
OWNED_HEADERS = frozenset(
    (
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# Each such header carries one argument of a tool call (MCP 2026-07-28, Streamable HTTP, Custom Headers from Tool
# Parameters).
_OWNED_PREFIX = "mcp-param-"

_FIELD_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2
_BAD_IN_VALUE = r"[^\t\x20-\x7e]"
_BAD_IN_URL = r"[^\x21-\x7e]|[\\\"<>]"
_PLACEHOLDER = r"\$\{([^}]*)\}"
_NAME = r"(?s)(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?"
_SPACES_HINT = (
    "Some hosts split an argument at its spaces: write --header 'Authorization:${AUTH}', and "
    "set AUTH to the whole value in the entry's env."
)


class Settings(msgspec.Struct, frozen=True, eq=False):
    """The settings of one run. The constructor checks them all and raises `UsageError` for a bad one.

    Times are in seconds. `request_timeout` None means no limit. `retry_window` is how long the bridge tries an
    unreachable server before the host gets an error. `protocol` is the era of the server: `modern` is MCP 2026-07-28,
    `legacy` is every revision before it, `auto` whichever the server supports. `no_cache`: the bridge stores none of
    the server's answers and uses no stored ones.
    """

    url: str  # Byte for byte as the user gave it, because servers compare it with their own spelling.
    headers: tuple[Header, ...] = ()
    transport: Transport = "auto"
    protocol: EraChoice = "auto"
    connect_timeout: float = 10.0
    request_timeout: float | None = None
    allow_http: bool = False
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_cert_key: Path | None = None
    log_level: str = "info"
    log_file: Path | None = None
    silent: bool = False
    retry_window: float = 30.0
    no_cache: bool = False
    header_command: str | tuple[str, ...] = ""
    """A command that prints more headers, as the user wrote it (`config/header_command`); empty for none."""
    aws_sigv4: str = ""
    """The service and region for which AWS signatures sign each request (`config/aws_sigv4`); empty for none."""
    header_file: Path | None = None
    """The file that some of the headers are from."""
    header_file_version: tuple[int, ...] = ()
    """Its version before it was read (`config/header_file`). Not compared."""
    header_names: tuple[str, ...] = ()
    """The names, in lower case, of the headers that no command and no file replaces. Not compared."""
    sign_in: SignInSettings = SignInSettings()
    features: FeatureSettings = FeatureSettings()
    remarks: tuple[str, ...] = ()
    """Warnings to log once there is a log."""
    secret_variables: tuple[str, ...] = ()
    """The names of the variables that headers and the client's secret came from; no child gets them. Not compared."""
    secret_headers: tuple[str, ...] = ()
    """The names of the headers whose values were read by reference; the log shows none of these. Not compared."""
    server_name: str = ""
    """The server's name in the user's file, where that is enough to find this sign-in again. Not compared."""
    server_file: str = ""
    """That file, where it is not the usual one. Not compared."""
    notes: tuple[str, ...] = ()
    """Lines to log at info once there is a log. Not compared."""

    def __repr__(self) -> str:
        """Without the headers and their command, which may hold a secret."""
        return repr_without(self, "headers", "header_command")

    def __eq__(self, other: object) -> bool:
        """Whether both settings make the same run."""
        return isinstance(other, Settings) and _compared(self) == _compared(other)

    def __hash__(self) -> int:
        """Equal where the settings are."""
        return hash(_compared(self))

    @property
    def signs_in(self) -> bool:
        """Whether the bridge signs in where the server requires it; not where the user sets a credential."""
        return (
            not self.header_command
            and not self.aws_sigv4
            and not any(name.lower() == "authorization" for name, _ in self.headers)
        )

    def __post_init__(self) -> None:
        """Check what can be checked without a disk or a network."""
        check_url(self.url, allow_http=self.allow_http)
        if self.transport not in TRANSPORTS:
            raise UsageError(f"Unknown transport {self.transport!r}: choose {_either(TRANSPORTS)}.")
        if self.protocol not in PROTOCOLS:
            raise UsageError(f"Unknown protocol {self.protocol!r}: choose {_either(PROTOCOLS)}.")
        if self.transport == "sse" and self.protocol == "modern":
            raise UsageError(
                "--transport sse (HTTP+SSE) carries only the legacy protocol, not the modern one.",
                hint="Leave out --transport or --protocol.",
            )
        if self.log_level not in LOG_LEVELS:
            raise UsageError(f"Unknown log level {self.log_level!r}: choose {_either(LOG_LEVELS)}.")
        _check_seconds(self.connect_timeout, "--connect-timeout")
        _check_seconds(self.retry_window, PATIENCE_VARIABLE)
        if self.request_timeout is not None:
            _check_seconds(self.request_timeout, "--request-timeout")
        if self.header_command:
            from bridge.config.header_command import header_command_in

            header_command_in(self.header_command, sys.platform)
        if self.aws_sigv4:
            from bridge.config.aws_sigv4 import check_aws_sigv4

            check_aws_sigv4(self)
        if self.client_cert_key and not self.client_cert:
            raise UsageError(
                "--client-cert-key was given without the certificate it belongs to.", hint="Add --client-cert FILE."
            )


_NOT_COMPARED = frozenset(
    ("header_names", "header_file_version", "secret_variables", "secret_headers", "server_name", "server_file", "notes")
)


def _compared(settings: Settings) -> tuple[object, ...]:
    return tuple(getattr(settings, name) for name in settings.__struct_fields__ if name not in _NOT_COMPARED)


def check_url(url: str, *, allow_http: bool = False) -> None:
    """Raise `UsageError` unless `url` is an http or https URL that can be requested as it is written."""
    if placeholder := re.search(_PLACEHOLDER, url):
        raise UsageError(f"The URL contains {_shown(placeholder)}, which the host did not replace.")
    parts, port = _split(url)
    if parts.username is not None:
        raise UsageError(
            "The URL contains a user name or password.",
            hint="Leave it out, and send it with --header 'Authorization:${AUTH}'.",
        )
    # Only the host may have letters beyond ASCII, because only there do they have exactly one form in ASCII.
    if bad := re.search(_BAD_IN_URL, url if parts.netloc.isascii() else url.replace(parts.netloc, "", 1)):
        code = f"U+{ord(bad[0]):04X}"
        raise UsageError(f"The URL has a character ({code}) that is not allowed in a URL.", hint="Percent-encode it.")
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        seen = f", not {scheme}://" if scheme else ""
        raise UsageError(f"The URL must start with https:// or http://{seen}.")
    try:
        host = ascii_host(parts.hostname or "")
    except ValueError as problem:
        raise UsageError(f"The URL has an invalid host name: {str(problem)[:200]}.") from None
    if not host or port == 0:
        raise UsageError(f"The URL has no usable {'port' if host else 'host'}.")
    if "#" in url:
        raise UsageError("The URL has a fragment (#...), which is never sent.", hint="Leave it out.")
    if scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"With plain http to {host}, anyone on the way can read every message, header and token.",
            hint="Use https://, or allow this with --allow-http.",
        )


def parse_header(text: str, environ: Mapping[str, str]) -> HeaderText:
    """Read `Name: value` (the space is optional), with `${NAME}` in the value taken from `environ`.

    `${env:NAME}`, which several hosts use, means the same; `${NAME:-text}` is the text where the variable is not set or
    empty. A value that is a reference to a secret as a whole is
    returned as one. Raises `UsageError`, without the value.
    """
    name, colon, value = text.partition(":")
    name = name.strip(" \t")
    if not text.strip():
        raise UsageError("A header is empty: the host may have left a variable unset.", hint=_SPACES_HINT)
    if name[:1] in ("'", '"'):
        raise UsageError("A header starts with a quotation mark.", hint="Write it without inner quotation marks.")
    if "${" in name:
        raise UsageError("A header has ${...} before its colon.", hint="Use ${...} only in the value.")
    if not colon or not name:
        raise UsageError("A header is not of the form 'Name: value'.", hint=_SPACES_HINT)
    check_header_name(name)
    value = value.strip(" \t\r\n")
    if value.startswith(REFERENCES):
        from bridge.config.secret_reference import reference_in

        if reference := reference_in(value):
            return name, reference
    return name, checked_header_value(name, re.sub(_PLACEHOLDER, lambda found: _expanded(found, name, environ), value))


def check_header_name(name: str) -> None:
    """Raise `UsageError` for a name that HTTP does not allow, and for a header that the bridge sets itself."""
    if not re.fullmatch(_FIELD_NAME, name):
        raise UsageError("The name of a header has a character that is not allowed there.")
    if name.lower() in OWNED_HEADERS or name.lower().startswith(_OWNED_PREFIX):
        raise UsageError(f"The bridge sets the header {name} itself, so you cannot set it.", hint="Leave it out.")


def checked_header_value(name: str, value: str) -> str:
    """Return the value of the header `name`. Raises `UsageError` for one that HTTP does not allow, never with it."""
    value = value.strip(" \t\r\n")
    if not value:
        raise UsageError(f"The header {name} has no value.", hint=_SPACES_HINT)
    if bad := re.search(_BAD_IN_VALUE, value):
        raise UsageError(f"The value of the header {name} contains U+{ord(bad[0]):04X}, which HTTP does not allow.")
    return value


def merge_headers(base: Iterable[HeaderText], override: Iterable[HeaderText]) -> tuple[HeaderText, ...]:
    """Both sets of headers; where both have a name, only those of `override`."""
    override = tuple(override)
    replaced = {name.lower() for name, _ in override}
    return (*(header for header in base if header[0].lower() not in replaced), *override)


def parse_seconds(text: str, source: str, *, zero_is_none: bool = False) -> float | None:
    """Read a positive, finite number of seconds. The error names `source`, an option or a variable.

    With `zero_is_none`, zero means no limit and gives None.
    """
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{source} must be a number of seconds such as 30, not {text!r}.") from None
    if zero_is_none and value == 0:
        return None
    _check_seconds(value, source, "0 seconds or more" if zero_is_none else "more than 0 seconds")
    return value


def _split(url: str) -> tuple[SplitResult, int | None]:
    # urlsplit strips tabs and newlines silently; `check_url` refuses them in the text as the user gave it.
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        raise UsageError("The URL cannot be read: its host or port is malformed.") from None


def _expanded(found: re.Match[str], header: str, environ: Mapping[str, str]) -> str:
    name = re.fullmatch(_NAME, found[1])
    if name is None:
        raise UsageError(
            f"The header {header} contains {_shown(found)}, which the host did not replace.",
            hint="The bridge replaces only ${NAME} and ${NAME:-default}, from the environment.",
        )
    if not (value := environ.get(name[1], "")):
        if name[2] is not None:
            return name[2]
        state = "empty" if name[1] in environ else "not set"
        raise UsageError(
            f"The header {header} needs the environment variable {name[1]}, which is {state}.",
            hint="Set it in the env of the host's entry for this server.",
        )
    return value


def _shown(placeholder: re.Match[str]) -> str:
    # The name is shown; a default, as in ${NAME:-value}, may be a secret.
    if re.fullmatch(r"((env|input):)?[A-Za-z_][\w.-]*", placeholder[1]):
        return placeholder[0]
    word = re.match(r"[A-Za-z_]\w*", placeholder[1])
    return f"${{{word[0]}...}}" if word else "${...}"


def _check_seconds(value: float, what: str, wanted: str = "more than 0 seconds") -> None:
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(f"{what} must be {wanted}, not {value:g}.")


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
