"""Refreshing and signing in, put together when the first of them is needed: most starts need neither."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.oauth.errors import SignInError
from bridge.oauth.record import Record
from bridge.remote.credentials import Refusal
from bridge.remote.proxy import proxy_for
from bridge.store.vault import Vault

if TYPE_CHECKING:
    from bridge.login.web import ProxyAddress, Web
    from bridge.oauth.challenge import Challenge


class PersonalRenewal:
    """`Renewal` with a browser and the network. `host_name` names the program that the person works with."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        *,
        conceal: Callable[[str], None],
        announce: Callable[[str], None],
        host_name: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._conceal = conceal
        self._announce = announce
        self._host_name = host_name
        self._kept_web: Web | None = None

    async def refresh(self, record: Record) -> Record:
        """The record with new tokens."""
        web = await self._web()
        from bridge.login.token_endpoint import TokenEndpoint

        asking = record
        if record.client.kind == "static":
            # The user's secret stays where he keeps it, and may have changed there.
            own = msgspec.structs.replace(record.client, secret=self._settings.sign_in.client_secret)
            asking = msgspec.structs.replace(record, client=own)
        tokens = await TokenEndpoint(web, self._conceal).refresh(asking)
        return record.with_tokens(tokens, time.time())

    async def sign_in(
        self, refusal: Refusal, previous: Record | None, keep: Callable[[Record], Awaitable[None]]
    ) -> None:
        """Have a person sign in."""
        web = await self._web()
        from bridge.login.sign_in import Ask, SignIn
        from bridge.oauth.challenge import scopes_of

        challenge = _challenge(refusal)
        ask = Ask(
            resource_metadata=challenge.parameters.get("resource_metadata") if challenge else None,
            challenged=scopes_of(challenge) if challenge else (),
            previous=previous,
            widens=refusal.lacks is not None,
            said=refusal.said,
            host=self._host_name(),
        )
        flow = SignIn(
            self._settings.url,
            self._settings.sign_in,
            web,
            self._vault,
            announce=self._announce,
            conceal=self._conceal,
            environ=os.environ,
        )
        await flow.run(ask, keep)

    def still_refused(self, refusal: Refusal, record: Record | None, now: float) -> BridgeError:
        """Say why a token that was just given does not help, as far as it can be seen."""
        from bridge.oauth import scopes
        from bridge.oauth.claims import describe_claims

        challenge = _challenge(refusal)
        said = (challenge.parameters.get("error_description", "") if challenge else "") or refusal.said
        heard = f" It says: {said.rstrip('.')}." if said else ""
        if refusal.lacks is not None:
            lacking: tuple[str, ...] = ()
            if record is not None:
                lacking = scopes.missing(refusal.lacks, record.scope, record.asked)
            named = ", ".join(lacking or refusal.lacks) or "one it does not name"
            granted = (record.scope if record.scope is not None else record.asked) if record else ""
            return SignInError(
                f"{refusal.url} answered 403 insufficient_scope: the scope {named} is missing, though it was asked "
                f"for; granted is '{granted}'.{heard}",
                hint="Your account may not be allowed it; ask the server's operator.",
            )
        token = (record.access_token if record else "") or ""
        claims = describe_claims(token, now) if token else ""
        shown = f" Of the token, {claims}." if claims else ""
        return SignInError(
            f"{refusal.url} still answers {refusal.status} to the token that the sign-in at "
            f"{record.issuer if record else 'its server'} just gave.{heard}{shown}",
            hint="The server does not accept what its authorization server issues; compare audience and issuer, "
            "and try --resource or --use-id-token if the provider wants that.",
        )

    async def _web(self) -> Web:
        if self._kept_web is None:
            # Its import takes long enough to hold up messages.
            await asyncio.to_thread(importlib.import_module, "httpx")
            from bridge.login.web import Web

            settings = self._settings
            self._kept_web = Web(
                settings.url,
                tls=self._tls,
                proxy_for=_proxy_address,
                connect_timeout=settings.connect_timeout,
                allow_private=settings.sign_in.allow_private,
            )
        return self._kept_web

    def _tls(self, own_origin: bool) -> ssl.SSLContext:
        from bridge.remote.tls import ssl_context

        settings = self._settings
        if not own_origin:
            # The user's certificate is for the MCP server, and tells others who he is.
            settings = dataclasses.replace(settings, client_cert=None, client_cert_key=None)
        return ssl_context(settings)


def _challenge(refusal: Refusal) -> Challenge | None:
    from bridge.oauth.challenge import bearer_challenge, parse_challenges

    return bearer_challenge(parse_challenges(refusal.challenges))


def _proxy_address(url: str) -> ProxyAddress | None:
    proxy = proxy_for(url, os.environ)
    return None if proxy is None else (proxy.url, proxy.auth)
