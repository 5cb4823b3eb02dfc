"""What an authorization server remembers: clients, codes, and families of tokens.

A family is everything that grew out of one consent. With rotation on, each refresh token is good once; one that
comes a second time is taken for stolen, and its family is revoked (RFC 9700 4.14.2).
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from joserfc.jwk import ECKey


@dataclass
class Client:
    """A client as registered. `redirect_uris` None stands for any on this machine (a metadata document)."""

    id: str
    secret: str | None = None
    method: str = "none"
    redirect_uris: tuple[str, ...] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    key: ECKey | None = None
    """The public key of a client that signs assertions."""
    assertions: set[str] = field(default_factory=set)
    """The identifiers of its assertions that were used."""


@dataclass
class Consent:
    """What a person agreed to, waiting for its code to be exchanged."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    scope: str
    resource: str | None


@dataclass
class Family:
    """The tokens of one consent. `refresh_token` is the one that is good now."""

    client_id: str
    scope: str
    resource: str | None
    refresh_token: str | None = None
    revoked: bool = False


@dataclass
class Access:
    """An access token as the server knows it. `expires_at` is in seconds since the epoch."""

    family: Family
    scope: str
    expires_at: float
    revoked: bool = False


class Ledger:
    """Clients, codes and tokens; what was misused; and every secret that was ever made or seen."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self.consents: dict[str, Consent] = {}
        self.families: list[Family] = []
        self.access: dict[str, Access] = {}
        self.identities: dict[str, Family] = {}
        """ID tokens, and whose they are."""
        self.spent: dict[str, Family] = {}
        """Refresh tokens that were rotated away."""
        self.reuses = 0
        """How often a spent refresh token came again."""
        self.secrets: dict[str, str] = {}
        """Each secret, and what it is."""
        self.states: set[str] = set()

    def secret(self, kind: str) -> str:
        """Make a secret, such as a code, and remember it."""
        value = f"{kind}-{secrets.token_urlsafe(24)}"
        self.secrets[value] = kind
        return value

    def saw(self, kind: str, value: str) -> None:
        """Remember a secret that the client made."""
        if value:
            self.secrets[value] = kind

    def open_family(self, consent: Consent) -> Family:
        """Begin a family of tokens."""
        family = Family(consent.client_id, consent.scope, consent.resource)
        self.families.append(family)
        return family

    def access_token(self, family: Family, lifetime: float, claims: dict[str, Any] | None) -> str:
        """Issue an access token: an opaque one, or a JWT with the claims (its signature is noise)."""
        token = self.secret("access")
        if claims is not None:
            own = {"scope": family.scope, "exp": int(time.time() + lifetime), "jti": secrets.token_urlsafe(12)}
            token = jwt(own | claims)
            self.secrets[token] = "access token (JWT)"
        self.access[token] = Access(family, family.scope, time.time() + lifetime)
        return token

    def refresh_token(self, family: Family) -> str:
        """Issue the family's next refresh token; the one before is spent."""
        if family.refresh_token is not None:
            self.spent[family.refresh_token] = family
        family.refresh_token = self.secret("refresh")
        return family.refresh_token

    def family_of(self, token: str, client_id: str) -> Family | None:
        """The family a refresh token renews, or None; a spent one revokes its family."""
        if token in self.spent:
            self.reuses += 1
            self.revoke(self.spent[token])
            return None
        for family in self.families:
            if family.refresh_token == token and family.client_id == client_id and not family.revoked:
                return family
        return None

    def revoke(self, family: Family) -> None:
        """End a family: neither its refresh token nor its access tokens are good any more."""
        family.revoked = True
        for access in self.access.values():
            if access.family is family:
                access.revoked = True

    def revoke_all(self) -> None:
        """End every family, as an administrator can."""
        for family in self.families:
            self.revoke(family)

    def expire_access(self) -> None:
        """Let every access token be worn out now; refresh tokens stay good."""
        for access in self.access.values():
            access.revoked = True

    def valid(self, token: str) -> Access | None:
        """The access token, if it is good now."""
        access = self.access.get(token)
        if access is None or access.revoked or time.time() >= access.expires_at:
            return None
        return access


def jwt(claims: dict[str, Any]) -> str:
    """A JWT by its looks; nobody but the issuer is to check the signature."""
    parts = [
        json.dumps({"alg": "RS256", "typ": "at+jwt"}).encode(),
        json.dumps(claims).encode(),
        secrets.token_bytes(32),
    ]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
