"""Requests in which the client authenticates: to the token endpoint, and to those for device codes and revocation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth.client import Client
from bridge.oauth.client_authentication import (
    Refusal,
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
    """Posts forms, and finds the way of authenticating that a server takes (`oauth.client_authentication`)."""

    def __init__(self, http: AuthHttpClient) -> None:
        self._http = http
        self._taken: dict[tuple[str, Client], Way] = {}

    async def post(
        self, url: str, what: str, client: Client, form: Mapping[str, str], methods: Sequence[str] | None = None
    ) -> ClientAnswer:
        """POST the form as `client`. `methods` are the authentication methods that the server lists, if it does.

        The answer is the first that does not refuse how the client authenticates, or the refusal that tells most.
        Raises as `AuthHttpClient.post` does.
        """
        place = (urlsplit(url).netloc, client)
        way = self._taken.get(place) or first_way(client)
        tried = [way]
        refused: AuthResponse | None = None
        is_guess = False
        while True:
            reply = await self._send(url, what, client, form, way)
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

    async def _send(self, url: str, what: str, client: Client, form: Mapping[str, str], way: Way) -> AuthResponse:
        sent, headers = authenticated(client, way, form)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await self._http.post(url, what, urlencode(sent).encode("ascii"), headers)
