"""Becoming a client of an authorization server, and noticing that the server has forgotten one."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from bridge import __version__
from bridge.config import SignInSettings
from bridge.errors import BridgeError
from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth import registration
from bridge.oauth.authorization_probe import Doubt, probe_answer
from bridge.oauth.client import Client
from bridge.oauth.errors import (
    ClientUnknown,
    MetadataError,
    RedirectUriRefused,
    RegistrationFailed,
    SignInError,
    Unavailable,
)
from bridge.oauth.grants import GrantType
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import client_key, decode_client, encode_client
from bridge.oauth.registration_refusal import Offer, left_of, offers, refused_in
from bridge.oauth.request import AuthorizationRequest, authorization_url
from bridge.protocol.sanitize import address

_PROBE_SECONDS = 2.0
"""How long the tab waits for what the server says of a client of the user's."""

_logger = logging.getLogger("bridge.login")


class RegistrationStore(Protocol):
    """The store for registrations."""

    async def load(self, store_key: str) -> bytes | None:
        """The stored value, None if there is none."""

    async def save(self, store_key: str, data: bytes) -> None:
        """Store a value."""

    async def delete(self, store_key: str) -> None:
        """Remove a value."""


class Registrar:
    """Finds or registers the client for an authorization server.

    A registration is for one issuer and one redirect URI, which is empty for a grant that needs none. Of the given
    redirect URIs the first is preferred. The last is the plain one, for clients that the bridge does not register
    itself (`oauth.mix_up` says why). An earlier registration keeps its own redirect URI.
    """

    def __init__(
        self,
        settings: SignInSettings,
        http: AuthHttpClient,
        keeping: RegistrationStore,
        add_secret: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._http = http
        self._keeping = keeping
        self._add_secret = add_secret

    async def as_client(
        self,
        server: AuthorizationServer,
        grant: GrantType,
        redirect_uris: Sequence[str],
        wanted: tuple[str, ...],
        sign_in: Callable[[Client, bool], Awaitable[None]],
    ) -> None:
        """Sign in as the client for this server; once more as a new client if the server has forgotten the kept one.

        `sign_in` gets the client, and whether it is an earlier registration. It raises `ClientUnknown` if the server
        does not know the client.
        """
        client, is_kept = await self.client(server, grant, redirect_uris, wanted)
        try:
            await sign_in(client, is_kept)
        except ClientUnknown as problem:
            if not is_kept:
                raise
            _logger.info("%s no longer knows the client; registering again (%s)", server.issuer, problem.message)
            # A server that forgot one has forgotten all; an earlier version may have left one with the plain URI.
            for redirect_uri in {client.redirect_uri, *redirect_uris}:
                await self.forget(server, redirect_uri)
            client, _ = await self.client(server, grant, redirect_uris, wanted)
            await sign_in(client, False)

    async def client(
        self, server: AuthorizationServer, grant: GrantType, redirect_uris: Sequence[str], wanted: tuple[str, ...]
    ) -> tuple[Client, bool]:
        """The client, and whether it is an earlier registration; `wanted` are the scopes to be requested.

        A dynamic registration has its own redirect URI. Any other client uses the last of the given ones.

        Raises `RegistrationFailed` if there is no way to become a client, `Unavailable` if there may be one later, and
        another `SignInError` if the secret of a new registration cannot be stored. A lost secret cannot be fetched
        again (RFC 7591 3.2.1), so every sign-in would leave behind one more client that cannot be used or removed.
        """
        settings = self._settings
        if settings.client_id is not None:
            has_key = settings.client_key is not None
            secret = settings.client_secret
            return registration.static_client(settings.client_id, secret, server, has_key=has_key), False
        if settings.client_metadata_url is not None:
            if server.client_id_metadata_document_supported:
                return registration.document_client(settings.client_metadata_url), False
            _logger.info("%s does not accept client metadata documents", server.issuer)
        outdated = []
        for redirect_uri in redirect_uris:
            client = await self._kept(client_key(server.issuer, redirect_uri))
            if client is not None and registration.is_usable(client, redirect_uri, wanted, time.time()):
                self._add_secret(client.secret)
                return client, True
            if client is not None:
                outdated.append(redirect_uri)
        client = await self._register_one(server, grant, redirect_uris, " ".join(wanted))
        self._add_secret(client.secret)
        _logger.info("registered as a client of %s", server.issuer)
        try:
            await self._keeping.save(client_key(server.issuer, client.redirect_uri), encode_client(client))
        except BridgeError as problem:
            if client.secret:
                raise _not_kept(server, problem) from problem
            _logger.warning("the registration cannot be stored, so the next sign-in registers again: %s", problem)
        for redirect_uri in outdated:
            if redirect_uri != client.redirect_uri:
                await self.forget(server, redirect_uri)
        return client, False

    async def forget(self, server: AuthorizationServer, redirect_uri: str) -> None:
        """Remove a registration, so that the next sign-in registers again."""
        try:
            await self._keeping.delete(client_key(server.issuer, redirect_uri))
        except BridgeError as problem:
            _logger.warning("the registration of an earlier sign-in cannot be removed: %s", problem)

    async def probe(self, pending: AuthorizationRequest, *, is_kept: bool) -> None:
        """Check, before the user opens the sign-in page, what the server says of the client (`authorization_probe`).

        Otherwise the server would show the user an error page, and no answer would come back. `is_kept`: the client is
        an earlier registration, which a server may have forgotten. Of another client only what is certain counts.
        The request has its own state and verifier, so an answer to it is of no use.

        Raises `ClientUnknown`, and `SignInError` for a redirect URI or a resource that is refused.
        """
        throwaway = msgspec.structs.replace(
            pending, state=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(64)
        )
        self._add_secret(throwaway.state)
        url = authorization_url(throwaway, self._settings.authorize_params)
        try:
            async with asyncio.timeout(None if is_kept else _PROBE_SECONDS):
                reply = await self._http.probe(url, "authorization endpoint")
        except (MetadataError, Unavailable, TimeoutError) as problem:  # For example a page that is too large.
            _logger.debug("the authorization endpoint could not be checked: %s", problem)
            return
        answer = probe_answer(reply.status, reply.content_type, reply.body, reply.location)
        if answer is None:
            return
        endpoint = pending.server.authorization_endpoint
        if is_kept and answer.doubt is not Doubt.RESOURCE:
            raise ClientUnknown(f"{endpoint} answered status {reply.status} for the client of an earlier sign-in.")
        if answer.doubt is Doubt.UNSAID:
            _logger.info(
                "%s answered status %d to a request without a browser; if the page shows an error, check --client-id",
                endpoint,
                reply.status,
            )
            return
        raise registration.refused_request(pending, answer)

    async def _kept(self, store_key: str) -> Client | None:
        try:
            kept = await self._keeping.load(store_key)
        except BridgeError as problem:
            _logger.warning("the registration of an earlier sign-in cannot be read: %s", problem)
            return None
        return decode_client(kept) if kept else None

    async def _register_one(
        self, server: AuthorizationServer, grant: GrantType, redirect_uris: Sequence[str], scope: str
    ) -> Client:
        """Register with the first redirect URI that the server accepts."""
        *others, plain = redirect_uris
        for redirect_uri in others:
            try:
                return await self._register(server, grant, redirect_uri, scope)
            except RedirectUriRefused as problem:
                _logger.info("registering again with the redirect URI %s: %s", plain, problem.message)
            except RegistrationFailed as problem:
                # A client that the user registers by hand has the plain redirect URI.
                raise RegistrationFailed(
                    problem.message, hint=registration.registration_hint(server, grant, plain)
                ) from problem
        return await self._register(server, grant, plain, scope)

    async def _register(self, server: AuthorizationServer, grant: GrantType, redirect_uri: str, scope: str) -> Client:
        url = server.registration_endpoint
        if url is None:
            raise registration.registration_not_offered(server, grant, redirect_uri)
        left = offers(server.token_endpoint_auth_methods, scope)
        while True:
            offer = left[0]
            reply = await self._offer(url, offer, grant, redirect_uri)
            try:
                return registration.read_registration(reply.status, reply.body, url, server, grant, redirect_uri, offer)
            except RegistrationFailed as problem:
                left = left_of(left, refused_in(reply.status, reply.body))
                if reply.status < 300 or not left:
                    raise
                scopes = f"the scopes '{left[0].scope}'" if left[0].scope else "no scopes"
                _logger.info("%s Trying the authentication method %s with %s.", problem.message, left[0].method, scopes)

    async def _offer(self, url: str, offer: Offer, grant: GrantType, redirect_uri: str) -> AuthResponse:
        request = partial(registration.registration_request, offer, grant, version=__version__)
        reply = await self._ask(url, request(redirect_uri=redirect_uri))
        if not redirect_uri and registration.may_need_redirect_uri(reply.status, reply.body):
            reply = await self._ask(url, request(redirect_uri=registration.UNUSED_REDIRECT_URI))
        return reply

    async def _ask(self, url: str, body: bytes) -> AuthResponse:
        return await self._http.post(url, "registration endpoint", body, {"Content-Type": "application/json"})


def _not_kept(server: AuthorizationServer, problem: BridgeError) -> SignInError:
    """The error for a registration whose secret cannot be stored."""
    hint = problem.hint
    if "--token-store" not in hint:
        hint = f"{hint} To store nothing and sign in at each start, pass --token-store memory.".strip()
    return SignInError(
        f"{address(server.issuer)} issued a client secret, but it cannot be stored. So the sign-in was not started: "
        f"{problem.message}",
        hint=hint,
    )
