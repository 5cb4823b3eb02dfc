"""An authorization server on the reference package's own support for one: everything in memory, everybody consents.

The package checks requests, clients and PKCE. Here are what it stores, rotation of refresh tokens, and the discovery
of one that is used twice, which ends all tokens of that sign-in (RFC 9700 4.14.2).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

CODE_LIFETIME = 60


@dataclass
class SignIn:
    """One sign-in: the tokens that descend from it, which live and die together."""

    access: dict[str, AccessToken] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)


class Authority(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Stores clients, codes and tokens; `told` says in order what happened."""

    def __init__(self, lifetime: int) -> None:
        """Access tokens live for `lifetime` seconds."""
        self.lifetime = lifetime
        self._clients: dict[str, OAuthClientInformationFull] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._sign_ins: list[SignIn] = []
        self.told: list[str] = []

    def reset(self, lifetime: int) -> None:
        """Forget everything, as a restart does."""
        self.lifetime = lifetime
        for kept in (self._clients, self._codes, self._sign_ins, self.told):
            kept.clear()

    def forget_access_tokens(self) -> None:
        """End every access token; the refresh tokens stay good."""
        for sign_in in self._sign_ins:
            sign_in.access.clear()

    async def revoke_all(self) -> None:
        """End every sign-in, as a person does on a page of connected applications."""
        for token in [token for sign_in in self._sign_ins for token in sign_in.refresh.values()]:
            await self.revoke_token(token)

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self._clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.told.append(f"registered {client_info.token_endpoint_auth_method} {client_info.application_type}")
        self._clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        self.told.append("authorized " + " ".join(params.scopes or ["nothing"]))
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or [],
            expires_at=time.time() + CODE_LIFETIME,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject="somebody",
        )
        self._codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self._codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        self.told.append("exchanged")
        code = self._codes.pop(authorization_code.code)
        sign_in = SignIn()
        self._sign_ins.append(sign_in)
        return self._issue(sign_in, client, code.scopes, code.resource)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        for sign_in in self._sign_ins:
            if refresh_token in sign_in.spent:
                self.told.append("reused")
                self._end(sign_in)
        return next((s.refresh[refresh_token] for s in self._sign_ins if refresh_token in s.refresh), None)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        self.told.append("refreshed")
        sign_in = next(s for s in self._sign_ins if refresh_token.token in s.refresh)
        sign_in.spent.add(refresh_token.token)
        self._end(sign_in)
        return self._issue(sign_in, client, scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return next((s.access[token] for s in self._sign_ins if token in s.access), None)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.told.append("revoked")
        for sign_in in self._sign_ins:
            if token.token in sign_in.access or token.token in sign_in.refresh:
                self._end(sign_in)

    def _end(self, sign_in: SignIn) -> None:
        sign_in.access.clear()
        sign_in.refresh.clear()

    def _issue(
        self, sign_in: SignIn, client: OAuthClientInformationFull, scopes: list[str], resource: str | None
    ) -> OAuthToken:
        access = AccessToken(
            token=secrets.token_urlsafe(32),
            client_id=client.client_id,
            scopes=scopes,
            expires_at=int(time.time()) + self.lifetime,
            resource=resource,
            subject="somebody",
        )
        refresh = RefreshToken(
            token=secrets.token_urlsafe(32),
            client_id=client.client_id,
            scopes=scopes,
            resource=resource,
            subject="somebody",
        )
        sign_in.access[access.token] = access
        sign_in.refresh[refresh.token] = refresh
        return OAuthToken(
            access_token=access.token,
            expires_in=self.lifetime,
            scope=" ".join(scopes),
            refresh_token=refresh.token,
        )
