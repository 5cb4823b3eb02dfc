"""Requests in which the client authenticates: to the token endpoint, and to those for device codes and revocation."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.login.client_key_file import LoadKey
from bridge.oauth.client import Client
from bridge.oauth.client_authentication import (
    Form,
    Refusal,
    Shown,
    Way,
    authenticated,
    first_way,
    next_way,
    refusal_in,
    standard_way,
)

_logger = logging.getLogger("bridge.login")


class ClientAnswer(NamedTuple):
    """An answer, and the way in which the client authenticated (`Client.way`)."""

    reply: AuthResponse
    way: str


class ClientRequests:
    """Posts forms, and finds the way of authenticating that a server takes (`oauth.client_authentication`).

    `load_key` reads the key of a client that authenticates by one; `add_secret` gets each assertion before it is sent.
    """

    def __init__(
        self,
        http: AuthHttpClient,
        load_key: LoadKey | None = None,
        add_secret: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._http = http
        self._load_key = load_key
        self._add_secret = add_secret
        self._taken: dict[tuple[str, Client], Way] = {}

    async def post(
        self,
        url: str,
        what: str,
        client: Client,
        form: Form,
        methods: Sequence[str] | None = None,
        *,
        issuer: str = "",
    ) -> ClientAnswer:
        """POST the form as `client`. `methods` are the authentication methods that the server lists, if it does.

        `issuer` is the server's, for which a client's assertion is made.

        The answer is the first that does not refuse how the client authenticates, or the refusal that tells most.
        Raises as `AuthHttpClient.post` does.
        """
        place = (urlsplit(url).netloc, client)
        way = self._taken.get(place) or first_way(client)
        tried = [way]
        refused: AuthResponse | None = None
        is_guess = False
        while True:
            reply = await self._send(url, what, client, form, way, issuer)
            refusal = refusal_in(reply.status, reply.content_type, reply.body)
            if refusal is None:
                self._taken[place] = way
                return ClientAnswer(reply, "" if way is standard_way(client) else way.name)
            if not is_guess:
                refused = reply
            is_guess = is_guess or refusal is Refusal.UNSAID
            found = next_way(client, methods, tried, refusal)
            if found is None:
                return ClientAnswer(refused or reply, client.way)
            _logger.info(
                "the %s %s refuses a client that authenticates by %s; trying %s", what, url, way.name, found.name
            )
            way = found
            tried.append(way)

    async def _send(self, url: str, what: str, client: Client, form: Form, way: Way, issuer: str) -> AuthResponse:
        sent, headers = authenticated(client, way, form, self._assertion(client, way, issuer, url))
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await self._http.post(url, what, urlencode(sent, doseq=True).encode("ascii"), headers)

    def _assertion(self, client: Client, way: Way, issuer: str, url: str) -> str:
        if not way.shown.is_assertion or self._load_key is None:
            return ""
        audience = issuer if issuer and way.shown is Shown.ASSERTION else url
        identifier = secrets.token_urlsafe(32)
        made = self._load_key().assertion(client.client_id, audience, now=time.time(), identifier=identifier)
        self._add_secret(made)
        return made
