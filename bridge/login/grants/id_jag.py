"""Signing in with an ID token of the company's provider, which vouches for the user (`oauth.grants.id_jag`)."""

from __future__ import annotations

from bridge.login.grants.client_credentials import ClientCredentialsFlow
from bridge.oauth.client import Client
from bridge.oauth.grants import JWT_BEARER
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.metadata import AuthorizationServer


class IdJagFlow(ClientCredentialsFlow):
    """Exchanges the ID token that `Services.read_assertion` gives, and shows what comes; see `GrantFlow`."""

    grant = JWT_BEARER

    async def _tokens(self, server: AuthorizationServer, client: Client, scope: str, resource: str | None) -> Tokens:
        services = self._services
        id_token = await services.read_assertion()
        return await services.token_endpoint.with_id_token(services.settings, server, client, id_token, scope, resource)
