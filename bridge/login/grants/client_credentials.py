"""Signing in as a client, without a user: one request to the token endpoint (RFC 6749 4.4)."""

from __future__ import annotations

from bridge.login.grants.flow import Attempt, Keep, Services
from bridge.login.new_record import new_record
from bridge.oauth.client import Client
from bridge.oauth.grants import CLIENT_CREDENTIALS
from bridge.oauth.grants.client_credentials import ClientCredentialsRequest
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.metadata import AuthorizationServer


class ClientCredentialsFlow:
    """Signs in as the client that the user registered; see `GrantFlow`."""

    has_asked = False
    grant = CLIENT_CREDENTIALS

    def __init__(self, services: Services) -> None:
        self._services = services

    async def sign_in(self, attempt: Attempt, keep: Keep) -> None:
        """Request the tokens."""
        services, server = self._services, attempt.server

        async def sign_in(registered: Client, _: bool) -> None:
            client = attempt.known(registered)
            scope = " ".join(attempt.scopes)
            request = ClientCredentialsRequest(server=server, client=client, scope=scope, resource=attempt.resource)
            await services.bound.use(server.issuer)
            tokens = await self._tokens(server, client, scope, attempt.resource)
            ask = attempt.ask
            await keep(new_record(services.server_url, services.settings, request, tokens, ask.previous))

        await services.registrar.as_client(server, self.grant, ("",), attempt.scopes, sign_in)

    async def _tokens(self, server: AuthorizationServer, client: Client, scope: str, resource: str | None) -> Tokens:
        return await self._services.token_endpoint.with_client_credentials(server, client, scope, resource)

    def paste(self, query: str) -> str:
        """As `GrantFlow` says."""
        return "This sign-in needs no user, so there is no address to paste."

    def short_address(self, url: str) -> str:
        """As `GrantFlow` says."""
        return url
