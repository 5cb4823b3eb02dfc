"""Requests to the token endpoint, one for each grant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth.client import Client, authenticate
from bridge.oauth.errors import SignInError, TokenEndpointUnavailable, Unavailable, Unreachable
from bridge.oauth.grants.authorization_code import code_form
from bridge.oauth.grants.client_credentials import client_credentials_form
from bridge.oauth.grants.device_code import DeviceCode, DevicePoll, DeviceRequest, device_token_form
from bridge.oauth.grants.refresh_token import refresh_form
from bridge.oauth.grants.token_response import Tokens, read_tokens
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest

_CODE_TRIES = 3
_CODE_PAUSE = 1.0


class TokenEndpoint:
    """Requests tokens. `add_secret` is called with every secret in an answer before anything else happens to it."""

    def __init__(self, http: AuthHttpClient, add_secret: Callable[[str], None]) -> None:
        self._http = http
        self._add_secret = add_secret

    async def exchange(self, pending: AuthorizationRequest, code: str) -> Tokens:
        """Tokens for a code. The code is sent once (RFC 6749 4.1.2): only a request that was not sent is repeated.

        Raises `GrantRejected`, `ClientUnknown`, `TokenEndpointUnavailable` or another `SignInError`.
        """
        form = code_form(pending, code)
        for left in reversed(range(_CODE_TRIES)):
            try:
                return await self._ask(pending.server.token_endpoint, pending.client, form)
            except TokenEndpointUnavailable as problem:
                if not left or not isinstance(problem.__cause__, Unreachable):
                    raise
                await asyncio.sleep(_CODE_PAUSE)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def renew(self, record: Record) -> Tokens:
        """New tokens for a record without the user, from the token endpoint in it. Raises as `exchange` does."""
        if record.grant == "client-credentials":
            url, client = record.token_endpoint, record.client
            return await self.with_client_credentials(url, client, record.asked, record.resource)
        return await self.refresh(record)

    async def with_client_credentials(self, url: str, client: Client, scope: str, resource: str | None) -> Tokens:
        """Tokens for the client itself. A refresh token in the answer is of no use (RFC 6749 4.4.3) and left out."""
        tokens = await self._ask(url, client, client_credentials_form(scope, resource))
        return msgspec.structs.replace(tokens, refresh_token="")

    async def refresh(self, record: Record) -> Tokens:
        """Tokens for a record's refresh token, from the token endpoint in the record. Raises as `exchange` does."""
        scope = record.scope if record.scope is not None else record.asked
        url, client = record.token_endpoint, record.client
        try:
            return await self._ask(url, client, refresh_form(record.refresh_token, scope, record.resource))
        except SignInError as problem:
            if not scope or "invalid_scope" not in problem.message:
                raise
        # The server does not know the scopes that it granted. Without them it grants the same again.
        return await self._ask(url, client, refresh_form(record.refresh_token, "", record.resource))

    async def poll(
        self, request: DeviceRequest, code: DeviceCode, poll: DevicePoll, clock: Callable[[], float]
    ) -> Tokens | None:
        """Tokens for a device code, None to poll again. Raises as `DevicePoll` does."""
        try:
            reply = await self._post(request.server.token_endpoint, request.client, device_token_form(request, code))
        except Unavailable as problem:
            poll.unanswered(problem.message, clock())
            return None
        tokens = poll.answered(reply.status, reply.content_type, reply.body, clock())
        if tokens is not None:
            self._hide(tokens)
        return tokens

    async def _ask(self, url: str, client: Client, form: Mapping[str, str]) -> Tokens:
        try:
            reply = await self._post(url, client, form)
        except Unavailable as problem:
            raise TokenEndpointUnavailable(problem.message, hint=problem.hint) from problem
        tokens = read_tokens(reply.status, reply.content_type, reply.body, url)
        self._hide(tokens)
        return tokens

    async def _post(self, url: str, client: Client, form: Mapping[str, str]) -> AuthResponse:
        body, headers = authenticate(client, form)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await self._http.post(url, "token endpoint", urlencode(body).encode("ascii"), headers)

    def _hide(self, tokens: Tokens) -> None:
        for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token):
            if secret:
                self._add_secret(secret)
