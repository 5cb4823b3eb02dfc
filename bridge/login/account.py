"""Requests to an authorization server after a sign-in: who is signed in, and revoking the tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bridge.errors import BridgeError
from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.login.client_key_file import LoadKey
from bridge.login.client_requests import ClientRequests
from bridge.oauth.errors import Unavailable
from bridge.oauth.identity import user_of_id_token, user_of_userinfo
from bridge.oauth.record import Record
from bridge.oauth.revocation import Revocation, check_revoked, is_unsupported, retry_after, revocations

REVOKED = "revoked"
NOTHING_TO_REVOKE = "there was no token to revoke"
NO_REVOCATION = "the server offers no revocation"

_logger = logging.getLogger("bridge.login")


async def revoke(
    http: AuthHttpClient, record: Record, add_secret: Callable[[str], None], load_key: LoadKey | None = None
) -> str:
    """Revoke the tokens of `record` (RFC 7009); return the outcome in words. Never raises.

    `record.client` must have its secret; `load_key` reads its key. The words are one of the constants above, or "could
    not be revoked: " and a sentence.
    """
    for secret in record.secrets():
        add_secret(secret)
    wanted = revocations(record)
    if not wanted:
        return NOTHING_TO_REVOKE
    if record.revocation_endpoint is None:
        return NO_REVOCATION
    requests = ClientRequests(http, load_key, add_secret)
    problem: BridgeError | None = None
    for number, revocation in enumerate(wanted):
        try:
            await _revoke(requests, record, record.revocation_endpoint, revocation, is_first=number == 0)
        except BridgeError as failure:
            problem = problem or failure
            if isinstance(failure, Unavailable):
                break  # A server that does not answer is not asked again.
    return REVOKED if problem is None else f"could not be revoked: {problem.message}"


async def whoami(http: AuthHttpClient, record: Record) -> str:
    """Who is signed in, by the ID token or else the userinfo endpoint; empty if neither says. Never raises."""
    if known := user_of_id_token(record.id_token):
        return known
    if record.userinfo_endpoint is None or not record.access_token:
        return ""
    try:
        reply = await http.get(
            record.userinfo_endpoint, "userinfo endpoint", {"Authorization": f"Bearer {record.access_token}"}
        )
    except BridgeError as problem:
        _logger.debug("the userinfo endpoint did not say who is signed in: %s", problem.message)
        return ""
    return user_of_userinfo(reply.status, reply.content_type, reply.body, record.id_token)


async def _revoke(
    requests: ClientRequests, record: Record, url: str, revocation: Revocation, *, is_first: bool
) -> None:
    reply = await _ask(requests, record, url, revocation)
    seconds = retry_after(reply.status, reply.retry_after)
    if seconds is not None:
        await asyncio.sleep(seconds)
        reply = await _ask(requests, record, url, revocation)
    if not is_first and is_unsupported(reply.status, reply.body):
        _logger.debug("%s does not revoke a %s; it expires in time", url, revocation.kind)
        return
    check_revoked(reply.status, reply.content_type, reply.body, url)


async def _ask(requests: ClientRequests, record: Record, url: str, revocation: Revocation) -> AuthResponse:
    what = "revocation endpoint"
    return (await requests.post(url, what, record.client, revocation.form, issuer=record.issuer)).reply
