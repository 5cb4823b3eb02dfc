"""The record of a successful sign-in, and warnings about it."""

from __future__ import annotations

import logging
import secrets
import time

import msgspec

from bridge.config import SignInSettings
from bridge.oauth import scopes
from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError
from bridge.oauth.grants.client_credentials import ClientCredentialsRequest
from bridge.oauth.grants.device_code import DeviceRequest
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.offline_consent import learned
from bridge.oauth.record import Consent, Record
from bridge.oauth.request import AuthorizationRequest
from bridge.protocol.sanitize import address

Asked = AuthorizationRequest | DeviceRequest | ClientCredentialsRequest
"""What is asked for by each grant."""

_logger = logging.getLogger("bridge.login")


def new_record(
    server_url: str,
    settings: SignInSettings,
    asked: Asked,
    tokens: Tokens,
    previous: Record | None,
) -> Record:
    """The record of the tokens that `asked` led to; `previous` is the record of the sign-in before.

    Raises `SignInError` if a token that the user wants is missing.
    """
    server = asked.server
    if remark := scopes.remark(asked.scope, tokens.scope):
        _logger.warning("%s", remark)
    if not tokens.refresh_token and not settings.grant_without_user:
        _logger.warning(
            "%s returned no refresh token, so you will have to sign in again when the access token expires%s",
            server.issuer,
            f" in {tokens.expires_in:.0f} seconds" if tokens.expires_in else "",
        )
    if settings.use_id_token and not tokens.id_token:
        raise SignInError(
            f"{address(server.token_endpoint)} returned no ID token, but --use-id-token needs one.",
            hint="Request one with --scope 'openid ...', together with the other scopes that the server needs.",
        )
    empty = Record(
        server=server_url,
        profile=settings.profile,
        resource=asked.resource,
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        userinfo_endpoint=server.userinfo_endpoint,
        client=_without_users_secret(asked.client),
        asked=asked.scope,
        generation=previous.generation if previous else 0,
        sign_in=secrets.token_hex(16),
        consent=_consent(asked, tokens, previous),
        grant=settings.grant_without_user,
    )
    return empty.with_tokens(tokens, time.time())


def _consent(asked: Asked, tokens: Tokens, previous: Record | None) -> Consent:
    issuer = asked.server.issuer
    known: Consent = previous.consent if previous is not None and previous.issuer == issuer else ""
    if not isinstance(asked, AuthorizationRequest):
        return known
    has_refresh_token = bool(tokens.refresh_token)
    return learned(issuer, asked.scope, known, was_asked=asked.asks_for_consent, has_refresh_token=has_refresh_token)


def _without_users_secret(client: Client) -> Client:
    """The client as it is stored: without a secret that the user configured, which need not be stored again."""
    return msgspec.structs.replace(client, secret="") if client.kind == "static" else client
