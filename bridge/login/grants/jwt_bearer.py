"""Signing in with an assertion, without a user: one request to the token endpoint (RFC 7523 2.1)."""

from __future__ import annotations

from bridge.login.grants.client_credentials import ClientCredentialsFlow
from bridge.oauth.client import Client
from bridge.oauth.grants import JWT_BEARER
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.metadata import AuthorizationServer


class JwtBearerFlow(ClientCredentialsFlow):
    """Signs in with the assertion that `Services.read_assertion` gives; see `GrantFlow`."""

    grant = JWT_BEARER

    async def _tokens(self, server: AuthorizationServer, client: Client, scope: str, resource: str | None) -> Tokens:
        assertion = await self._services.read_assertion()
        return await self._services.token_endpoint.with_assertion(server, client, assertion, scope, resource)
