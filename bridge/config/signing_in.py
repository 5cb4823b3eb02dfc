"""The settings for signing in: the client, scopes, the callback, where tokens are stored. No message holds a secret."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from bridge import PROGRAM
from bridge.errors import UsageError
from bridge.loopback import is_loopback

if TYPE_CHECKING:
    from bridge.config.secret_reference import SecretReference

TokenStore = Literal["auto", "keyring", "file", "memory"]
Grant = Literal["authorization-code", "device-code", "client-credentials", "jwt-bearer", "id-jag"]

TOKEN_STORES = ("auto", "keyring", "file", "memory")
GRANTS = ("authorization-code", "device-code", "client-credentials", "jwt-bearer", "id-jag")
_WITHOUT_USER = frozenset(("client-credentials", "jwt-bearer", "id-jag"))
KEY_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What signs an assertion (RFC 7518 3.1, RFC 8037 3.1)."""

_NEEDS = {"jwt-bearer": ("assertion",), "id-jag": ("idp_id_token", "idp_token_endpoint", "idp_client_id")}

CLIENT_SECRET_VARIABLE = "MCP_BRIDGE_CLIENT_SECRET"  # noqa: S105 - a name
REFERENCES = ("keyring:", "env:", "file:", "cmd:")
"""How a value begins that says where a secret is. `config/secret_reference`, which reads it, is imported only then."""

# Parameters of the authorization request that the flow sets itself. A fixed value would break it or make it unsafe.
OWNED_PARAMETERS = frozenset(
    (
        *("client_id", "client_secret", "code", "code_challenge", "code_challenge_method", "code_verifier"),
        *("grant_type", "redirect_uri", "request", "request_uri", "resource", "response_mode", "response_type"),
        *("scope", "state"),
    )
)

_VISIBLE = r"[\x21-\x7e]+"
_SCOPE = r"[\x20\x21\x23-\x5b\x5d-\x7e]*"  # RFC 6749 3.3
CALLBACK_HOST, CALLBACK_PATH = "localhost", "/callback"
_HOSTS = ("localhost", "127.0.0.1", "[::1]")  # The bridge listens on no other address.
_PATH = r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*"
_PROFILE = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}"


class SignInSettings(msgspec.Struct, frozen=True):
    """The settings for signing in. The constructor checks them all and raises `UsageError` for a bad one.

    `client_secret_source` is where the secret came from, as the user writes that: a reference; empty for none.
    `assertion` says where the assertion of the grant jwt-bearer is (`REFERENCES`), `idp_id_token` where the ID token of
    the grant id-jag is; both are read when they are needed. `idp_token_endpoint` and `idp_client_id` are the company's.
    `issuer` is the only authorization server to use; with None the MCP server names it. `token_endpoint` is its token
    endpoint, for a server without metadata. `scope` None means that the server decides. `resource` None means that the
    bridge discovers it; "none" leaves the parameter out. `callback_port` None means any free port. `login_timeout` is
    in seconds. `answer_within` is after how many seconds the host gets an answer while the user has not signed in; with
    None the host waits for the sign-in. `no_browser`: the bridge opens no browser.
    """

    client_id: str | None = None
    client_secret: str = ""
    client_secret_source: str = ""
    client_key: Path | None = None
    client_key_alg: str | None = None
    client_key_id: str | None = None
    assertion: str | None = None
    idp_id_token: str | None = None
    idp_token_endpoint: str | None = None
    idp_client_id: str | None = None
    client_metadata_url: str | None = None
    issuer: str | None = None
    token_endpoint: str | None = None
    scope: str | None = None
    resource: str | None = None
    authorize_params: tuple[tuple[str, str], ...] = ()
    callback_port: int | None = None
    callback_host: str = CALLBACK_HOST
    callback_path: str = CALLBACK_PATH
    grant: Grant = "authorization-code"
    login_timeout: float = 300.0
    answer_within: float | None = 2.0
    no_browser: bool = False
    token_store: TokenStore = "auto"  # noqa: S105 - a place
    use_id_token: bool = False
    allow_private: bool = False
    profile: str = "default"

    def __post_init__(self) -> None:
        """Check what can be checked without a disk or a network."""
        if self.client_id is not None and not re.fullmatch(_VISIBLE, self.client_id):
            raise UsageError("The client id is empty or has a character that is not allowed there.")
        if self.client_secret and self.client_id is None:
            raise UsageError("A client secret was given without a client id.", hint="Add --client-id ID.")
        self._check_key()
        if self.client_metadata_url is not None:
            check_metadata_url(self.client_metadata_url)
        if self.issuer is not None:
            check_issuer(self.issuer)
        if self.scope is not None and not re.fullmatch(_SCOPE, self.scope):
            raise UsageError("The scope has a character that is not allowed there.", hint="Write --scope 'one two'.")
        if self.resource is not None and self.resource != "none":
            _check_resource(self.resource)
        self._check_callback()
        if not (self.login_timeout > 0 and math.isfinite(self.login_timeout)):
            raise UsageError(f"--login-timeout must be more than 0 seconds, not {self.login_timeout:g}.")
        if self.answer_within is not None and not (self.answer_within > 0 and math.isfinite(self.answer_within)):
            raise UsageError(f"--answer-within must be more than 0 seconds, not {self.answer_within:g}.")
        self._check_grant()
        if self.token_store not in TOKEN_STORES:
            raise UsageError(f"Unknown token store {self.token_store!r}: choose {', '.join(TOKEN_STORES)}.")
        if not re.fullmatch(_PROFILE, self.profile):
            raise UsageError(
                "The name of a profile must be up to 64 letters, digits or ._@+- and begin with a letter or digit."
            )

    def __repr__(self) -> str:
        """Without the fields that may hold a secret."""
        return repr_without(self, "client_secret", "authorize_params")

    @property
    def grant_without_user(self) -> str:
        """The grant, if it needs no user; else empty."""
        return self.grant if self.grant in _WITHOUT_USER else ""

    @property
    def has_own_callback(self) -> bool:
        """Whether the user sets any part of the redirect URI, for a server that expects exactly that URI."""
        return (self.callback_port, self.callback_host, self.callback_path) != (None, CALLBACK_HOST, CALLBACK_PATH)

    def _check_key(self) -> None:
        if self.client_key is None and (self.client_key_alg or self.client_key_id):
            raise UsageError("An algorithm or id of a key was given without the key.", hint="Add --client-key FILE.")
        if self.client_key is not None and self.client_id is None:
            raise UsageError("A client's key was given without a client id.", hint="Add --client-id ID.")
        if self.client_key is not None and self.client_secret:
            raise UsageError("A client authenticates by its key or by its secret, not by both.", hint="Leave one out.")
        if self.client_key_alg and self.client_key_alg not in KEY_ALGORITHMS:
            raise UsageError(f"Unknown algorithm {self.client_key_alg!r}: choose {', '.join(KEY_ALGORITHMS)}.")
        if self.client_key_id and not re.fullmatch(r"[\x20-\x7e]{1,200}", self.client_key_id):
            raise UsageError("The id of the client's key has a character that is not allowed there, or is too long.")

    def _check_grant(self) -> None:
        if self.grant not in GRANTS:
            raise UsageError(f"Unknown grant {self.grant!r}: choose {' or '.join(GRANTS)}.")
        self._check_assertions()
        if self.token_endpoint is not None:
            check_token_endpoint(self.token_endpoint)
            if not self.grant_without_user:
                raise UsageError(
                    f"--token-endpoint is for a grant without a user, not for {self.grant}.",
                    hint=f"Leave it out, or add --grant {' or '.join(sorted(_WITHOUT_USER))}.",
                )
        if self.grant == "client-credentials" and not (self.client_secret or self.client_key):
            raise UsageError(
                "--grant client-credentials signs in as a client of yours, so it needs its id, and its secret or key.",
                hint="Register a client with the provider, then pass --client-id ID and --client-secret env:NAME, or "
                "--client-key FILE.",
            )

    def _check_assertions(self) -> None:
        for grant, names in _NEEDS.items():
            given = [getattr(self, name) is not None for name in names]
            if (self.grant == grant and not all(given)) or (self.grant != grant and any(given)):
                options = [f"--{name.replace('_', '-')}" for name in names]
                raise UsageError(
                    f"--grant {grant} and {', '.join(options)} belong together.",
                    hint=f"Write --grant {grant} --client-id ID {' '.join(f'{option} ...' for option in options)}",
                )
            if self.grant == grant and self.client_id is None:
                raise UsageError(f"--grant {grant} needs the id of a client.", hint="Add --client-id ID.")
        for option, where in (("--assertion", self.assertion), ("--idp-id-token", self.idp_id_token)):
            if where is not None and not where.startswith(REFERENCES):
                raise UsageError(
                    f"{option} says where the token is, and does not hold it.",
                    hint="Write file:PATH, env:NAME, keyring:NAME or cmd:COMMAND.",
                )
        if self.idp_token_endpoint is not None:
            check_token_endpoint(self.idp_token_endpoint)

    def _check_callback(self) -> None:
        if self.callback_port is not None and not 0 < self.callback_port < 65536:
            raise UsageError(f"The callback port must be between 1 and 65535, not {self.callback_port}.")
        if self.callback_host not in _HOSTS:
            raise UsageError(
                "The callback host must be this machine: localhost, 127.0.0.1 or [::1].",
                hint="The redirect URI names it; the bridge listens on both 127.0.0.1 and ::1.",
            )
        if not re.fullmatch(_PATH, self.callback_path) or _has_dot_segments(self.callback_path):
            raise UsageError(
                "The callback path must begin with / and contain no query, no escape and no dot segment.",
                hint="An example: /callback.",
            )


def repr_without(settings: msgspec.Struct, *hidden: str) -> str:
    """The usual `repr` without the hidden fields."""
    shown = (name for name in settings.__struct_fields__ if name not in hidden)
    return f"{type(settings).__name__}({', '.join(f'{name}={getattr(settings, name)!r}' for name in shown)})"


class ClientSecret(NamedTuple):
    """A secret or where it is, and a warning where others can read it."""

    value: str | SecretReference
    warning: str = ""


def client_secret_in(text: str, source: str, *, in_arguments: bool) -> ClientSecret:
    """What the user gave as the client's secret: a reference or the secret. Raises `UsageError`, never with the value.

    `source` is the option or variable that it came from. In the arguments, everyone on the machine can read it.
    """
    if text.startswith(REFERENCES):
        from bridge.config.secret_reference import reference_in

        if reference := reference_in(text):
            return ClientSecret(reference)
    if "${" in text:
        raise UsageError(f"{source} contains a ${{...}} that the host did not replace.", hint="Write env:NAME instead.")
    warning = ""
    if in_arguments:
        warning = (
            f"Other programs can read the secret of {source} in the arguments. Run {PROGRAM} secret set NAME, which "
            f"asks for it, and write {source} keyring:NAME; or write env:NAME or file:PATH, which say where it is."
        )
    return ClientSecret(checked_client_secret(text.strip(), source), warning)


def checked_client_secret(value: str, source: str) -> str:
    """Return the secret. Raises `UsageError` for one that no client can have, never with the value."""
    if not value:
        raise UsageError(f"The secret that {source} gives is empty.")
    if not re.fullmatch(r"[\x20-\x7e]+", value):  # RFC 6749 A.2
        raise UsageError(f"The secret that {source} gives has a character that is not allowed there.")
    return value


def parse_authorize_param(text: str) -> tuple[str, str]:
    """Read `name=value`. Raises `UsageError` for a parameter that the flow sets itself."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", name):
        hint = "Write --authorize-param name=value, such as audience=https://api.example."
        raise UsageError("The value of --authorize-param is not of the form name=value.", hint=hint)
    if name.lower() in OWNED_PARAMETERS:
        other = {"scope": "--scope", "resource": "--resource", "client_id": "--client-id"}.get(name.lower())
        hint = f"Use {other}." if other else "Leave it out."
        raise UsageError(f"The bridge sets the authorize parameter {name} itself, so you cannot set it.", hint=hint)
    if not value.isprintable():
        raise UsageError(f"The value of the authorize parameter {name} has a control character.")
    return name, value


def check_metadata_url(url: str) -> None:
    """Raise `UsageError` unless `url` can be a client's identifier (Client ID Metadata Document, 3)."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    path = parts.path if usable else ""
    if not usable or parts.scheme != "https" or not re.fullmatch(_VISIBLE, url) or parts.username is not None:
        raise UsageError("The client metadata URL must be the https:// URL at which you publish the document.")
    if path in ("", "/") or "#" in url or _has_dot_segments(path):
        raise UsageError("The client metadata URL must have a path, and no fragment and no dot segments.")


def check_issuer(url: str) -> None:
    """Raise `UsageError` unless `url` can be an authorization server's issuer identifier (RFC 8414, 2).

    That is an https URL without query and fragment; or an http URL of this machine, for a server in development.
    """
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(_VISIBLE, url) or parts.scheme not in ("https", "http"):
        raise UsageError(
            "The issuer must be the https:// URL by which the authorization server names itself.",
            hint="An example: https://login.example.com. It is the issuer in that server's metadata.",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise UsageError("The issuer must be an https:// URL; http:// is allowed for this machine only.")
    if "?" in url or "#" in url:
        raise UsageError("The issuer must have no query and no fragment (RFC 8414, 2).")


def check_token_endpoint(url: str) -> None:
    """Raise `UsageError` unless `url` can be a token endpoint: https, or http of this machine (RFC 6749 3.2)."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or "#" in url or not re.fullmatch(_VISIBLE, url) or parts.scheme not in ("https", "http"):
        raise UsageError("The token endpoint must be an https:// URL without a fragment and without a user's name.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise UsageError("The token endpoint must be an https:// URL; http:// is allowed for this machine only.")


def _has_dot_segments(path: str) -> bool:
    # A browser removes them (RFC 3986, 5.2.4) and then requests another path.
    return any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/"))


def _check_resource(resource: str) -> None:
    try:
        parts = urlsplit(resource)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or "#" in resource or not re.fullmatch(_VISIBLE, resource):
        hint = "An example: https://example.com/mcp. With 'none' the parameter is left out."
        raise UsageError("The resource must be an absolute URI without a fragment, or 'none'.", hint=hint)
