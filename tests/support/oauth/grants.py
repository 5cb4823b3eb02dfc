"""The authorization endpoint, where somebody is logged in and consents at once, and the token endpoint.

Both are strict where clients go wrong: redirect URIs are compared as strings, a code is good once and only with
its verifier, and a client authenticates in the one way it is registered for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt as jose
from joserfc.errors import JoseError

from tests.support.oauth.answers import refuse, reply
from tests.support.oauth.device import DEVICE_GRANT, consent_of
from tests.support.oauth.tokens import Client, Consent, Family, jwt
from tests.support.servers.fault_http import Exchange, Request

if TYPE_CHECKING:
    from tests.support.oauth.authority import Authority

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ENTRA = (
    "AADSTS9010010: The resource parameter provided in the request doesn't match with the requested scopes. "
    "Trace ID: 00000000-0000-0000-0000-000000000000"
)


async def authorize(authority: Authority, exchange: Exchange) -> None:
    """The authorization endpoint (RFC 6749 4.1.1)."""
    pairs = parse_qsl(exchange.request.path.partition("?")[2], keep_blank_values=True)
    asked = dict(pairs)
    client = authority.find_client(asked.get("client_id", ""))
    if client is None:
        await _page(exchange, authority.unknown_client_status[0], "This application is not known")
        return
    redirect_uri = asked.get("redirect_uri", "")
    if not _may_return_to(client, redirect_uri):
        await _page(exchange, 400, "The redirect_uri is not registered")
        return
    answer = _answer(authority, client, asked, doubled=len(pairs) != len(asked))
    if "state" in asked:
        answer["state"] = asked["state"]
    if authority.sends_iss:
        answer["iss"] = authority.issuer
    changed = {name: value for name, value in (answer | authority.response_changes).items() if value is not None}
    location = redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(changed)
    await exchange.respond(302, b"", "", [("Location", location), ("Cache-Control", "no-store")])


def _answer(authority: Authority, client: Client, asked: dict[str, str], *, doubled: bool) -> dict[str, str]:
    if authority.denies:
        return dict(authority.denies)
    if doubled or asked.get("response_type") != "code":
        return {"error": "invalid_request", "error_description": "a parameter came twice, or no code was asked for"}
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return {"error": "invalid_request", "error_description": "PKCE with S256 is required"}
    if authority.refuses_resource and "resource" in asked:
        return {"error": "invalid_target", "error_description": ENTRA}
    code = authority.ledger.secret("code")
    authority.ledger.consents[code] = Consent(
        client.id,
        asked["redirect_uri"],
        asked["code_challenge"],
        authority.grants(asked.get("scope", "")),
        asked.get("resource"),
    )
    return {"code": code}


async def token(authority: Authority, exchange: Exchange) -> None:
    """The token endpoint (RFC 6749 4.1.3 and 6)."""
    pairs = parse_qsl(exchange.request.body.decode("latin-1"), keep_blank_values=True)
    sent = dict(pairs)
    if len(pairs) != len(sent) or exchange.request.header("content-type") != "application/x-www-form-urlencoded":
        await refuse(exchange, 400, "invalid_request", "not a form, or a parameter came twice")
        return
    client = known_client(authority, exchange.request, sent)
    if isinstance(client, str):
        await refuse(exchange, authority.unknown_client_status[1], "invalid_client", client)
    elif authority.refuses_resource and "resource" in sent:
        await refuse(exchange, 400, "invalid_target", ENTRA)
    elif sent.get("grant_type") == "authorization_code":
        await _exchange_code(authority, exchange, client, sent)
    elif sent.get("grant_type") == "refresh_token":
        await _refresh(authority, exchange, client, sent)
    elif sent.get("grant_type") == "client_credentials" and client.method != "none":
        scope = authority.grants(sent.get("scope", ""))
        family = authority.ledger.open_family(Consent(client.id, "", "", scope, sent.get("resource")))
        await _give(authority, exchange, family, refreshes=False)
    elif sent.get("grant_type") == JWT_BEARER:
        authority.ledger.saw("assertion", sent.get("assertion", ""))
        if sent.get("assertion") in authority.assertions:
            family = authority.ledger.open_family(
                Consent(client.id, "", "", sent.get("scope", ""), sent.get("resource"))
            )
            await _give(authority, exchange, family, refreshes=False)
        else:
            await refuse(exchange, 400, "invalid_grant", "the assertion is not good")
    elif sent.get("grant_type") == DEVICE_GRANT and "device" in authority.offers:
        consent = consent_of(authority, client, sent)
        if isinstance(consent, Consent):
            await _give(authority, exchange, authority.ledger.open_family(consent))
        else:
            await refuse(exchange, 400, *consent)
    else:
        await refuse(exchange, 400, "unsupported_grant_type")


def client_authentication(request: Request, sent: dict[str, str]) -> tuple[str, str, str]:
    """How a client authenticated: the method, its identifier and its secret (RFC 6749 2.3.1)."""
    header = request.header("authorization") or ""
    if header.lower().startswith("basic "):
        try:
            name, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "broken", "", ""
        return "client_secret_basic", unquote_plus(name), unquote_plus(password)
    if "client_assertion" in sent:
        return "private_key_jwt", sent.get("client_id", ""), sent["client_assertion"]
    if "client_secret" in sent:
        return "client_secret_post", sent.get("client_id", ""), sent["client_secret"]
    return "none", sent.get("client_id", ""), ""


def known_client(authority: Authority, request: Request, sent: dict[str, str]) -> Client | str:
    """The client that a request authenticates, or why it does not."""
    method, id_, secret = client_authentication(request, sent)
    client = authority.find_client(id_)
    if client is None:
        return "client not found"
    if method != client.method:
        return f"the client is registered for {client.method}, not {method}"
    if method == "client_secret_basic" and "client_secret" in sent:
        return "two ways of authentication"
    if client.key is not None:
        return _asserted(authority, client, secret)
    if secret != (client.secret or ""):
        return "wrong secret"
    return client


def _asserted(authority: Authority, client: Client, assertion: str) -> Client | str:
    """The client whose key signed an assertion for this server, or why it is not good (RFC 7523 3)."""
    assert client.key is not None
    try:
        claims = jose.decode(assertion, client.key, algorithms=["ES256"]).claims
    except JoseError as problem:
        return f"bad assertion: {problem}"
    authority.ledger.saw("assertion", assertion)
    if claims["aud"] != (authority.assertion_audience or authority.issuer):
        return f"the assertion is for {claims['aud']}"
    if claims["jti"] in client.assertions or claims["exp"] - claims["iat"] > 300:
        return "the assertion came twice, or is good for too long"
    client.assertions.add(claims["jti"])
    return client if claims["iss"] == claims["sub"] == client.id else "the assertion is about another client"


async def _exchange_code(authority: Authority, exchange: Exchange, client: Client, sent: dict[str, str]) -> None:
    consent = authority.ledger.consents.pop(sent.get("code", ""), None)
    digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if consent is None or consent.client_id != client.id or consent.redirect_uri != sent.get("redirect_uri"):
        await refuse(exchange, 400, "invalid_grant", "the code is not known, or not for this client and redirect_uri")
    elif consent.code_challenge != challenge:
        await refuse(exchange, 400, "invalid_grant", "wrong code_verifier")
    elif consent.resource != sent.get("resource"):
        await refuse(exchange, 400, "invalid_target", "another resource than was consented to")
    else:
        await _give(authority, exchange, authority.ledger.open_family(consent))


async def _refresh(authority: Authority, exchange: Exchange, client: Client, sent: dict[str, str]) -> None:
    family = authority.ledger.family_of(sent.get("refresh_token", ""), client.id)
    if family is None:
        await refuse(exchange, 400, "invalid_grant", "the refresh token is not good any more")
    elif family.resource != sent.get("resource"):
        await refuse(exchange, 400, "invalid_target", "another resource than was consented to")
    elif set(sent.get("scope", family.scope).split()) - set(family.scope.split()):
        await refuse(exchange, 400, "invalid_scope", "more than was granted")
    else:
        await _give(authority, exchange, family)


async def _give(authority: Authority, exchange: Exchange, family: Family, *, refreshes: bool = True) -> None:
    ledger = authority.ledger
    access_token = ledger.access_token(family, authority.lifetime, authority.claims)
    expires_in = int(authority.lifetime) if authority.expires_in is ... else authority.expires_in
    answer: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in}
    if refreshes and authority.refreshes and (authority.rotates or family.refresh_token is None):
        answer["refresh_token"] = ledger.refresh_token(family)
    if authority.says_scope and family.scope:
        answer["scope"] = family.scope
    if authority.gives_id_token:
        claims = {"iss": authority.issuer, "aud": family.client_id, "exp": int(time.time() + 3600)}
        claims["sub"] = authority.person["sub"]
        answer["id_token"] = jwt(claims)
        ledger.saw("ID token", answer["id_token"])
        ledger.identities[answer["id_token"]] = family
    answer |= authority.token_changes
    await reply(exchange, {name: value for name, value in answer.items() if value is not None})


def _may_return_to(client: Client, redirect_uri: str) -> bool:
    if client.redirect_uris is not None:
        return redirect_uri in client.redirect_uris
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")


async def _page(exchange: Exchange, status: int, title: str) -> None:
    body = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    await exchange.respond(status, body.encode(), "text/html; charset=utf-8")
