"""Requests to the token endpoint, one for each grant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bridge.config import SignInSettings
from bridge.login.auth_http import AuthHttpClient
from bridge.login.client_key_file import LoadKey
from bridge.login.client_requests import ClientAnswer, ClientRequests
from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError, TokenEndpointUnavailable, Unavailable, Unreachable
from bridge.oauth.grants.authorization_code import code_form
from bridge.oauth.grants.client_credentials import client_credentials_form
from bridge.oauth.grants.device_code import DeviceCode, DevicePoll, DeviceRequest, device_token_form
from bridge.oauth.grants.id_jag import read_id_jag, token_exchange_form
from bridge.oauth.grants.jwt_bearer import assertion_refused, jwt_bearer_form
from bridge.oauth.grants.refresh_token import refresh_form
from bridge.oauth.grants.token_response import Tokens, read_tokens
from bridge.oauth.metadata import AuthorizationServer, server_at_token_endpoint
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest

_CODE_TRIES = 3
_CODE_PAUSE = 1.0


class TokenEndpoint:
    """Requests tokens. `add_secret` is called with every secret in an answer before anything else happens to it.

    `load_key`: see `ClientRequests`.
    """

    def __init__(
        self, http: AuthHttpClient, add_secret: Callable[[str], None], load_key: LoadKey | None = None
    ) -> None:
        self.requests = ClientRequests(http, load_key, add_secret)
        """For the same client's requests to other endpoints of the server."""
        self._add_secret = add_secret

    async def exchange(self, pending: AuthorizationRequest, code: str) -> Tokens:
        """Tokens for a code. The code is sent once (RFC 6749 4.1.2): only a request that was not sent is repeated.

        Raises `GrantRejected`, `ClientUnknown`, `TokenEndpointUnavailable` or another `SignInError`.
        """
        form, server = code_form(pending, code), pending.server
        for left in reversed(range(_CODE_TRIES)):
            try:
                return await self._ask(
                    server.token_endpoint,
                    pending.client,
                    form,
                    server.issuer,
                    server.token_endpoint_auth_methods,
                )
            except TokenEndpointUnavailable as problem:
                if not left or not isinstance(problem.__cause__, Unreachable):
                    raise
                await asyncio.sleep(_CODE_PAUSE)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def renew(self, record: Record, settings: SignInSettings | None = None, assertion: str = "") -> Tokens:
        """New tokens for a record without the user, from the token endpoint in it. Raises as `exchange` does.

        `assertion` is for a record of the JWT bearer grant; of the grant id-jag it is the ID token, and `settings` say
        where it is exchanged.
        """
        server = server_at_token_endpoint(record.token_endpoint, record.issuer)
        if record.grant == "client-credentials":
            return await self.with_client_credentials(server, record.client, record.asked, record.resource)
        if record.grant == "jwt-bearer":
            return await self.with_assertion(server, record.client, assertion, record.asked, record.resource)
        if record.grant == "id-jag" and settings is not None:
            own = record.client
            return await self.with_id_token(settings, server, own, assertion, record.asked, record.resource)
        return await self.refresh(record)

    async def with_client_credentials(
        self, server: AuthorizationServer, client: Client, scope: str, resource: str | None
    ) -> Tokens:
        """Tokens for the client itself. A refresh token in the answer is of no use (RFC 6749 4.4.3) and left out."""
        form, methods = client_credentials_form(scope, resource), server.token_endpoint_auth_methods
        tokens = await self._ask(server.token_endpoint, client, form, server.issuer, methods)
        return msgspec.structs.replace(tokens, refresh_token="")

    async def with_assertion(
        self, server: AuthorizationServer, client: Client, assertion: str, scope: str, resource: str | None
    ) -> Tokens:
        """Tokens for an assertion, which is sent once. Raises `NeedsChange` if it is refused."""
        self._add_secret(assertion)
        form, methods = jwt_bearer_form(assertion, scope, resource), server.token_endpoint_auth_methods
        try:
            tokens = await self._ask(server.token_endpoint, client, form, server.issuer, methods)
        except Unavailable:
            raise
        except SignInError as problem:
            raise assertion_refused(problem, assertion, time.time()) from problem
        return msgspec.structs.replace(tokens, refresh_token="")

    async def with_id_token(
        self,
        settings: SignInSettings,
        server: AuthorizationServer,
        client: Client,
        id_token: str,
        scope: str,
        resource: str | None,
    ) -> Tokens:
        """Tokens for an ID token of the company's provider (`grants.id_jag`). Raises `NeedsChange` if it is refused."""
        url, own = settings.idp_token_endpoint or "", settings.idp_client_id or ""
        self._add_secret(id_token)
        form = token_exchange_form(id_token, server.issuer, scope, resource)
        try:
            reply, _ = await self._post(url, Client(client_id=own, kind="static"), form, "", None)
            id_jag = read_id_jag(reply.status, reply.content_type, reply.body, url)
        except Unavailable as problem:
            raise TokenEndpointUnavailable(problem.message, hint=problem.hint) from problem
        except SignInError as problem:
            raise assertion_refused(problem, id_token, time.time(), "--idp-id-token") from problem
        return await self.with_assertion(server, client, id_jag, scope, resource)

    async def refresh(self, record: Record) -> Tokens:
        """Tokens for a record's refresh token, from the token endpoint in the record. Raises as `exchange` does."""
        scope = record.scope if record.scope is not None else record.asked
        url, client = record.token_endpoint, record.client
        try:
            return await self._ask(
                url, client, refresh_form(record.refresh_token, scope, record.resource), record.issuer
            )
        except SignInError as problem:
            if not scope or "invalid_scope" not in problem.message:
                raise
        # The server does not know the scopes that it granted. Without them it grants the same again.
        return await self._ask(url, client, refresh_form(record.refresh_token, "", record.resource), record.issuer)

    async def poll(
        self, request: DeviceRequest, code: DeviceCode, poll: DevicePoll, clock: Callable[[], float]
    ) -> Tokens | None:
        """Tokens for a device code, None to poll again. Raises as `DevicePoll` does."""
        server, form = request.server, device_token_form(request, code)
        try:
            reply, way = await self._post(
                server.token_endpoint, request.client, form, server.issuer, server.token_endpoint_auth_methods
            )
        except Unavailable as problem:
            poll.unanswered(problem.message, clock())
            return None
        tokens = poll.answered(reply.status, reply.content_type, reply.body, clock())
        return None if tokens is None else self._taken(tokens, way)

    async def _ask(
        self, url: str, client: Client, form: Mapping[str, str], issuer: str, methods: Sequence[str] | None = None
    ) -> Tokens:
        try:
            reply, way = await self._post(url, client, form, issuer, methods)
        except Unavailable as problem:
            raise TokenEndpointUnavailable(problem.message, hint=problem.hint) from problem
        return self._taken(read_tokens(reply.status, reply.content_type, reply.body, url), way)

    async def _post(
        self, url: str, client: Client, form: Mapping[str, str], issuer: str, methods: Sequence[str] | None
    ) -> ClientAnswer:
        return await self.requests.post(url, "token endpoint", client, form, methods, issuer=issuer)

    def _taken(self, tokens: Tokens, way: str) -> Tokens:
        for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token):
            if secret:
                self._add_secret(secret)
        return msgspec.structs.replace(tokens, way=way)
