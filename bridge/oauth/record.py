"""What is kept of a sign-in: one record per server, client, resource and profile; and how fresh it is.

A record holds all that a refresh needs, so that nothing is guessed or discovered for it. One whose tokens were cleared
stays, without them: it still tells which authorization server the client belongs to.
"""

from __future__ import annotations

import enum
import hashlib
from typing import TYPE_CHECKING

import msgspec

from bridge.oauth.client import Client

if TYPE_CHECKING:
    from bridge.oauth.grants.token_response import Tokens

_FORMAT = 1
_LONGEST_MARGIN = 120.0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Times are Unix seconds. `asked` and `scope` are the scopes asked for and granted, as on the wire.

    `sign_in` names the sign-in that brought it, and says nothing else; empty in a record of an earlier version.
    `reach` is that of the MCP server's address then (`oauth.reach`); empty where none was known.
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

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Record({self.server!r}, {self.issuer!r}, generation {self.generation})"

    def with_tokens(self, tokens: Tokens, now: float) -> Record:
        """The record after a grant. A server that does not rotate sends no refresh token: the old one stays."""
        return msgspec.structs.replace(
            self,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token or self.refresh_token,
            id_token=tokens.id_token or self.id_token,
            scope=self.scope if tokens.scope is None else tokens.scope,
            issued_at=now,
            expires_at=None if tokens.expires_in is None else now + tokens.expires_in,
            generation=self.generation + 1,
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
    def identity(self) -> str:
        """In whose name requests go out: an opaque text, another for each user, sign-in and scope; empty for nobody.

        A refresh leaves it as it is, for the grant is the same (RFC 6749 6). Where the sign-in has no name, each token
        is taken for another user's.
        """
        if not self.access_token:
            return ""
        named = ("sign-in", self.sign_in) if self.sign_in else ("token", self.access_token, self.id_token)
        return _digest(*named, self.issuer, self.client.client_id, self.scope or "")

    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown."""
        return tuple(filter(None, (self.access_token, self.refresh_token, self.id_token, self.client.secret)))


class Freshness(enum.Enum):
    """How good an access token still is, by the clock."""

    FRESH = enum.auto()
    DUE = enum.auto()
    """Good, and to be renewed while it is."""
    EXPIRED = enum.auto()
    """So near its end, or past it, that a request with it would be refused."""


def freshness(record: Record, now: float) -> Freshness:
    """Judge a record that has an access token. The margin suits the lifetime: a fifth of it, at most two minutes.

    A clock that was set back to before the token was issued says nothing; the server's 401 will.
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
    """Read a stored record; None where it is none, or of a later format."""
    try:
        record = msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # What is sent in a header has to be able to stand there.
    usable = all(secret.isascii() and secret.isprintable() for secret in record.secrets())
    return record if usable and record.format == _FORMAT else None


def encode_client(client: Client) -> bytes:
    """A registration as it is stored."""
    return msgspec.json.encode(client)


def decode_client(data: bytes) -> Client | None:
    """Read a stored registration; None where it is none."""
    try:
        return msgspec.json.decode(data, type=Client)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def tokens_key(server: str, client: str, resource: str, profile: str) -> str:
    """Where the record for these settings is kept. They are the user's: what was discovered may change."""
    return f"tokens-{_digest(server, client, resource, profile)}"


def client_key(issuer: str, redirect_uri: str) -> str:
    """Where a registration is kept: never shared between issuers, and each redirect URI has its own.

    So has a sign-in by a code, which has none: there it is empty.
    """
    return f"client-{_digest(issuer, redirect_uri)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
