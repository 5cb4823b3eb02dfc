"""The revocation endpoint (RFC 7009) and the userinfo endpoint (OpenID Connect Core 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from tests.support.oauth.answers import refuse, reply
from tests.support.oauth.tokens import Client
from tests.support.servers.fault_http import Exchange

if TYPE_CHECKING:
    from tests.support.oauth.authority import Authority


async def revoke(authority: Authority, exchange: Exchange, client: Client) -> None:
    """Take a token back. A refresh token takes all of its family with it; one that is not known is no error."""
    sent = dict(parse_qsl(exchange.request.body.decode("latin-1")))
    ledger, token = authority.ledger, sent.get("token", "")
    if not token:
        await refuse(exchange, 400, "invalid_request", "no token")
        return
    access = ledger.access.get(token)
    if access is not None and authority.keeps_access:
        await refuse(exchange, 400, "unsupported_token_type")
        return
    if access is not None and access.family.client_id == client.id:
        access.revoked = True
    for family in ledger.families:
        known = family.refresh_token == token or ledger.spent.get(token) is family
        if known and family.client_id == client.id:
            ledger.revoke(family)
    await exchange.respond(200, b"", "")


async def userinfo(authority: Authority, exchange: Exchange) -> None:
    """Say whose an access token is."""
    scheme, _, token = (exchange.request.header("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or authority.ledger.valid(token) is None:
        challenge = [("WWW-Authenticate", 'Bearer error="invalid_token"')]
        await exchange.respond(401, b"", "", challenge)
        return
    await reply(exchange, authority.person)
