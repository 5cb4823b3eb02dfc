"""The stored result of a sign-in: one record per server, client, resource and profile; and how fresh its token is.

A record holds everything that a refresh needs, so a refresh discovers and guesses nothing. When its tokens are cleared,
the record stays without them, because it says which authorization server the client belongs to.
"""

from __future__ import annotations

import enum
import hashlib
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from bridge.oauth.client import Client

Consent = Literal["", "wanted", "helps", "useless"]
"""What is known of asking for the page of consent (`oauth.offline_consent`)."""

if TYPE_CHECKING:
    from bridge.oauth.grants.token_response import Tokens

DEFAULT_PROFILE = "default"
"""The profile of sign-ins for which the user names none."""

_FORMAT = 1
_LONGEST_MARGIN = 120.0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record. Times are Unix seconds. `asked` and `scope` are the requested and the granted scopes, as on the wire.

    `sign_in` is a random name for the sign-in that made the record, empty in a record of an earlier version. `reach` is
    the reach of the MCP server's address at that time (`oauth.reach`), empty if it was not known. `subject` says whose
    sign-in it is, and `user` what to call the user (`oauth.pinned_identity`), empty where that is not known. Both stay
    when the tokens are cleared. `consent` is what is known of `prompt=consent` (`oauth.offline_consent`). `grant` is
    the grant, as `--grant` names it, that brings new tokens without the user; empty for those that need the user.
    """

    format: int = _FORMAT
    server: str
    profile: str
    resource: str | None
    issuer: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    client: Client
    asked: str = ""
    scope: str | None = None
    access_token: str = ""
    refresh_token: str = ""
    id_token: str = ""
    issued_at: float = 0.0
    expires_at: float | None = None
    generation: int = 0
    sign_in: str = ""
    reach: str = ""
    subject: str = ""
    user: str = ""
    consent: Consent = ""
    grant: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Record({self.server!r}, {self.issuer!r}, generation {self.generation})"

    def with_tokens(self, tokens: Tokens, now: float) -> Record:
        """The record after a grant. Without a new refresh token the old one stays: not every server rotates them."""
        subject, user = self.subject, self.user
        if not subject:
            from bridge.oauth.pinned_identity import subject_and_user  # A start needs none.

            subject, user = subject_and_user(tokens.id_token, tokens.access_token)
        return msgspec.structs.replace(
            self,
            subject=subject,
            user=user,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token or self.refresh_token,
            id_token=tokens.id_token or self.id_token,
            scope=self.scope if tokens.scope is None else tokens.scope,
            issued_at=now,
            expires_at=None if tokens.expires_in is None else now + tokens.expires_in,
            generation=self.generation + 1,
            client=msgspec.structs.replace(self.client, way=tokens.way),
        )

    def without_tokens(self) -> Record:
        """The record after its refresh token was refused."""
        return msgspec.structs.replace(
            self,
            access_token="",
            refresh_token="",
            id_token="",
            expires_at=None,
            generation=self.generation + 1,
        )

    @property
    def is_renewable(self) -> bool:
        """Whether new tokens can be had without the user."""
        return bool(self.refresh_token or self.grant)

    @property
    def identity(self) -> str:
        """An opaque text that differs for each user, sign-in and scope; empty if there is no access token.

        A refresh does not change it, because the grant is the same (RFC 6749 6). If the sign-in has no name, each token
        counts as another user's.
        """
        if not self.access_token:
            return ""
        named = ("sign-in", self.sign_in) if self.sign_in else ("token", self.access_token, self.id_token)
        return _digest(*named, self.issuer, self.client.client_id, self.scope or "")

    def secrets(self) -> tuple[str, ...]:
        """Every secret in the record."""
        return tuple(filter(None, (self.access_token, self.refresh_token, self.id_token, self.client.secret)))


class Freshness(enum.Enum):
    """How fresh an access token is, by the clock."""

    FRESH = enum.auto()
    DUE = enum.auto()
    """Still valid, and due for renewal."""
    EXPIRED = enum.auto()
    """Expired, or so close to it that a request with it would be refused."""


class Lasting(Protocol):
    """What has a lifetime: Unix seconds, None where there is no end."""

    @property
    def issued_at(self) -> float:
        """When it began."""

    @property
    def expires_at(self) -> float | None:
        """When it ends."""


def freshness(record: Lasting, now: float) -> Freshness:
    """Judge a token by its record, or headers. The margin is a fifth of the token's lifetime, at most two minutes.

    If the clock was set back, an expired token counts as fresh; the server's 401 then causes a refresh.
    """
    if record.expires_at is None:
        return Freshness.FRESH
    lifetime = max(0.0, record.expires_at - record.issued_at)
    margin = min(_LONGEST_MARGIN, lifetime / 5)
    left = record.expires_at - now
    if left > margin:
        return Freshness.FRESH
    return Freshness.DUE if left > margin / 10 else Freshness.EXPIRED


def encode(record: Record) -> bytes:
    """The record as it is stored."""
    return msgspec.json.encode(record)


def decode(data: bytes) -> Record | None:
    """Read a stored record; None if it is damaged or has a later format."""
    try:
        record = msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # Tokens are sent in headers, which hold printable ASCII only.
    usable = all(secret.isascii() and secret.isprintable() for secret in record.secrets())
    return record if usable and record.format == _FORMAT else None


def encode_client(client: Client) -> bytes:
    """A registration as it is stored."""
    return msgspec.json.encode(client)


def decode_client(data: bytes) -> Client | None:
    """Read a stored registration; None if it is damaged."""
    try:
        return msgspec.json.decode(data, type=Client)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def tokens_key(server: str, client: str, resource: str, profile: str) -> str:
    """The name under which the record is stored. It depends on settings only, since what is discovered may change."""
    return f"tokens-{_digest(server, client, resource, profile)}"


def client_key(issuer: str, redirect_uri: str) -> str:
    """The name under which a registration is stored. Each issuer and each redirect URI has its own.

    `redirect_uri` is empty for a grant that needs none.
    """
    return f"client-{_digest(issuer, redirect_uri)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
