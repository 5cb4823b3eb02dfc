"""The device authorization endpoint, the page where a code is typed in, and the grant at the token endpoint (RFC 8628).

Whoever opens the page with its code is logged in and consents at once, as at the authorization endpoint; with
`Authority.denies` set, he refuses.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, parse_qsl

from tests.support.oauth.answers import refuse, reply
from tests.support.oauth.tokens import Client, Consent
from tests.support.servers.fault_http import Exchange

if TYPE_CHECKING:
    from tests.support.oauth.authority import Authority

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass
class DeviceCode:
    """A code that was given out. `asked_at` is when the token endpoint was last asked for it."""

    client_id: str
    user_code: str
    scope: str
    resource: str | None
    expires_at: float
    interval: float
    state: Literal["pending", "confirmed", "refused", "spent"] = "pending"
    asked_at: float = 0.0


async def give_code(authority: Authority, exchange: Exchange, client: Client) -> None:
    """The device authorization endpoint (RFC 8628 3.1)."""
    sent = dict(parse_qsl(exchange.request.body.decode("latin-1")))
    if authority.refuses_resource and "resource" in sent:
        await refuse(exchange, 400, "invalid_target")
        return
    user_code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))
    device_code = authority.ledger.secret("devicecode")
    authority.codes[device_code] = DeviceCode(
        client.id,
        user_code,
        authority.grants(sent.get("scope", "")),
        sent.get("resource"),
        time.time() + authority.code_lifetime,
        authority.code_interval,
    )
    page = authority.url("activate")
    answer = {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "expires_in": int(authority.code_lifetime),
        "interval": authority.code_interval,
    } | authority.code_changes
    await reply(exchange, {name: value for name, value in answer.items() if value is not None})


async def show_page(authority: Authority, exchange: Exchange) -> None:
    """The page where a code is typed in (RFC 8628 3.3)."""
    user_code = parse_qs(exchange.request.path.partition("?")[2]).get("user_code", [""])[0]
    answered = authority.answer_code(user_code, confirmed=not authority.denies)
    status, said = (200, b"Thank you") if answered else (400, b"This code is not known")
    await exchange.respond(status, b"<!doctype html><title>%b</title>" % said, "text/html; charset=utf-8")


def consent_of(authority: Authority, client: Client, sent: dict[str, str]) -> Consent | tuple[str, str]:
    """What a device code is worth at the token endpoint: a consent, or the error and its description (3.5)."""
    code = authority.codes.get(sent.get("device_code", ""))
    if code is None or code.client_id != client.id or code.state == "spent":
        return "invalid_grant", "the device code is not known, or not this client's"
    now, last = time.time(), code.asked_at
    code.asked_at = now
    if now >= code.expires_at:
        return "expired_token", ""
    if code.state == "refused":
        return "access_denied", "The person said no"
    # A little early is no haste: two clocks are at work.
    if now - last < code.interval - 0.1:
        return "slow_down", ""
    if code.state == "pending":
        return "authorization_pending", ""
    if code.resource != sent.get("resource"):
        return "invalid_target", "another resource than was consented to"
    code.state = "spent"
    return Consent(client.id, "", "", code.scope, code.resource)
