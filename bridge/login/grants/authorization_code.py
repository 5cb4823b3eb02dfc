"""Signing in through a browser: the authorization code grant with a callback on this machine (RFC 6749 4.1, RFC 8252).

The listener is bound before a client is registered, for the redirect URI is part of the registration. The browser gets
its last page only when the outcome is known, so what the page says is true.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from bridge.errors import BridgeError
from bridge.login.grants.flow import Attempt, Keep, Services
from bridge.login.listener import Arrival, CallbackListener
from bridge.login.new_record import new_record
from bridge.login.page import failed_page, signed_in_page, warned_page
from bridge.login.ports import derived_ports
from bridge.login.prompt import PromptShown
from bridge.login.pushing import AuthorizationLinks
from bridge.oauth import mix_up, scopes
from bridge.oauth.authorization_probe import NO_CLIENT
from bridge.oauth.callback import Denied, Granted, IssuerMismatch, read_callback
from bridge.oauth.client import Client
from bridge.oauth.errors import ClientUnknown, SignInError, SignInRefused, TimedOut
from bridge.oauth.grants import AUTHORIZATION_CODE
from bridge.oauth.grants.token_response import hint_for
from bridge.oauth.offline_consent import asks_for_consent
from bridge.oauth.pushed_request import AuthorizationLink, Pushing, pushing
from bridge.oauth.record import Consent, Record
from bridge.oauth.request import AuthorizationRequest
from bridge.protocol.sanitize import address, with_words

Answer = Granted | Denied | IssuerMismatch

_NOT_TAKEN = {
    400: "This is not the answer to this sign-in: it belongs to another sign-in, or is incomplete. Paste the whole "
    "address from the browser's address bar.",
    409: "This sign-in already has its answer.",
    425: "This sign-in is not waiting for an answer: it has not started to wait yet, or it has ended.",
    500: "The answer could not be read.",
}

_logger = logging.getLogger("bridge.login")


class AuthorizationCodeFlow:
    """Signs in through a browser; see `GrantFlow`."""

    def __init__(self, services: Services) -> None:
        self.has_asked = False
        self._services = services
        self._listener: CallbackListener | None = None
        self._links = AuthorizationLinks(services.token_endpoint.requests, services.settings.authorize_params)

    async def sign_in(self, attempt: Attempt, keep: Keep) -> None:
        """Listen, become a client, ask the user, exchange the code."""
        services, settings = self._services, self._services.settings
        if warning := mix_up.warning(attempt.server):
            services.warnings.add(warning)
        port = settings.callback_port
        async with await CallbackListener.bind(
            ports=derived_ports(services.server_url, settings.profile) if port is None else [port],
            exact=port is not None,
            host=settings.callback_host,
            path=settings.callback_path,
        ) as listener:
            self._listener = listener
            try:
                await self._sign_in(listener, attempt, keep)
            finally:
                self._listener = None

    def paste(self, query: str) -> str:
        """As `GrantFlow` says."""
        status = self._listener.submit(query) if self._listener else 425
        return _NOT_TAKEN.get(status, "")

    def short_address(self, url: str) -> str:
        """As `GrantFlow` says."""
        return self._listener.short_address(url) if self._listener else url

    async def _sign_in(self, listener: CallbackListener, attempt: Attempt, keep: Keep) -> None:
        services, settings = self._services, self._services.settings
        plain = listener.redirect_uri
        own = listener.redirect_uri_at(mix_up.path_for(settings.callback_path, attempt.server.issuer))
        redirect_uris = (plain,) if settings.has_own_callback else (own, plain)

        async def sign_in(client: Client, is_kept: bool) -> None:
            listener.take_at(client.redirect_uri or plain)
            pending = self._pending(attempt, attempt.known(client), listener.redirect_uri)
            await self._ask_user(listener, pending, attempt, keep, is_kept=is_kept)

        await services.registrar.as_client(attempt.server, AUTHORIZATION_CODE, redirect_uris, attempt.scopes, sign_in)

    def _pending(self, attempt: Attempt, client: Client, redirect_uri: str) -> AuthorizationRequest:
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        self._services.add_secret(state)
        self._services.add_secret(verifier)
        scope, issuer, previous = " ".join(attempt.scopes), attempt.server.issuer, attempt.ask.previous
        known: Consent = previous.consent if previous is not None and previous.issuer == issuer else ""
        own = {name for name, _ in self._services.settings.authorize_params}
        asks = asks_for_consent(issuer, scope, known) and "prompt" not in own
        if asks:
            _logger.info("%s shows the page of consent again, because it gives a refresh token only then", issuer)
        return AuthorizationRequest(
            server=attempt.server,
            client=client,
            redirect_uri=redirect_uri,
            scope=scope,
            resource=attempt.resource,
            state=state,
            verifier=verifier,
            asks_for_consent=asks,
        )

    async def _ask_user(
        self, listener: CallbackListener, pending: AuthorizationRequest, attempt: Attempt, keep: Keep, *, is_kept: bool
    ) -> None:
        """Show the link, wait for the answer, exchange the code, and show the user the outcome."""
        ask, name = attempt.ask, urlsplit(self._services.server_url).netloc
        called = attempt.resource_name
        arrival = await self._answer(listener, pending, attempt, is_kept=is_kept)
        self._services.prompt.answered()
        try:
            await keep(await self._complete(pending, arrival.value, attempt))
        except BridgeError as problem:
            to_do, again = problem.hint, ask.again
            if is_kept and isinstance(problem, ClientUnknown):
                to_do, again = "Another tab opens: sign in again there.", ""
            arrival.respond(failed_page(name, problem.message, to_do, again, called=called), 400)
            raise
        arrival.respond(signed_in_page(name, ask.back, called=called))

    async def _answer(
        self, listener: CallbackListener, pending: AuthorizationRequest, attempt: Attempt, *, is_kept: bool
    ) -> Arrival[Answer]:
        """Show the link and wait for the answer. Raises `TimedOut`."""
        services, seconds = self._services, self._services.settings.login_timeout
        link = await self._link(pending, is_kept=is_kept)
        judge: Callable[[str], Answer | None] = partial(
            read_callback,
            state=pending.state,
            issuer=pending.server.issuer,
            iss_supported=pending.server.iss_parameter_supported,
        )
        self.has_asked = True
        waiting: asyncio.Task[Arrival[Answer]] = asyncio.create_task(listener.receive(judge, seconds))
        # Beside the wait: an opener is watched for a moment, and the answer may come before that is over.
        asking = asyncio.create_task(self._show(listener, pending, link, attempt))
        try:
            return await waiting
        except TimeoutError:
            if is_kept:
                # The server may have shown an error page, which the bridge cannot see. So the next sign-in registers.
                await services.registrar.forget(pending.server, pending.redirect_uri)
            raise _timed_out(pending, seconds) from None
        finally:
            waiting.cancel()
            asking.cancel()

    async def _link(self, pending: AuthorizationRequest, *, is_kept: bool) -> AuthorizationLink:
        """The link for the user, after the server was asked whether it still knows the client."""
        services = self._services
        if pushing(pending.server, pending.client) is not Pushing.NEVER:
            await services.bound.use(pending.server.issuer)  # The client authenticates there.
        link = await self._links.link(pending)
        if link.lifetime is None and (is_kept or pending.client.kind == "static"):
            await services.registrar.probe(pending, is_kept=is_kept)
        return link

    async def _show(
        self, listener: CallbackListener, pending: AuthorizationRequest, link: AuthorizationLink, attempt: Attempt
    ) -> None:
        """Show the link, and another one in its place each time before it expires."""
        services = self._services
        warnings = services.warnings.texts

        def shown(link: AuthorizationLink, *, is_renewed: bool = False) -> PromptShown:
            first = ""
            if warnings:
                name = urlsplit(services.server_url).netloc
                first = listener.offer(warned_page(name, warnings, link.url, called=attempt.resource_name))
            return PromptShown(
                link.url,
                services.settings.login_timeout,
                redirect_uri=pending.redirect_uri,
                warnings=warnings,
                shown_first=first,
                is_renewed=is_renewed,
            )

        await services.prompt.ask(shown(link))
        async for renewed in self._links.renewals(pending, link):
            await services.prompt.ask(shown(renewed, is_renewed=True))

    async def _complete(self, pending: AuthorizationRequest, answer: Answer, attempt: Attempt) -> Record:
        """The record that the answer leads to. Raises `SignInError` for an answer that grants nothing."""
        services, server, ask = self._services, pending.server, attempt.ask
        match answer:
            case IssuerMismatch(expected, seen):
                named = f"the issuer '{address(seen)}'" if seen else "no issuer"
                raise SignInError(
                    f"The answer from {address(server.authorization_endpoint)} names {named}, but "
                    f"'{address(expected)}' was expected. The answer was refused and its code was not used (RFC 9207).",
                    hint="Either the server's metadata is wrong or this is a mix-up attack: tell its operator.",
                )
            case Denied(error, description):
                heard = ": ".join(part for part in (error, description) if part)
                message = with_words(f"{address(server.issuer)} did not grant access", heard)
                if ask.widens and ask.challenged:
                    message += f" The server requires {scopes.named(ask.challenged)} for this request."
                if error in NO_CLIENT:
                    raise ClientUnknown(message, hint="Check --client-id, if you set it.")
                raise SignInRefused(message, hint=hint_for(error, heard) or "Try again to start a new sign-in.")
            case Granted(code):
                _logger.info("the browser brought the answer; fetching the token")
                services.add_secret(code)
                await services.bound.use(server.issuer)
                tokens = await services.token_endpoint.exchange(pending, code)
                return new_record(services.server_url, services.settings, pending, tokens, ask.previous)


def _timed_out(pending: AuthorizationRequest, seconds: float) -> TimedOut:
    hint = (
        "Try again; --login-timeout allows more time. If the browser showed an error, that error names the cause. If "
        f"the browser could not open {pending.redirect_uri}, a firewall blocks it or the browser runs on another "
        "machine."
    )
    if pending.client.kind == "static":
        # The server shows such an error to the user and tells nobody else.
        client = f"{pending.client.client_id} (--client-id)"
        hint += f" Also check that {pending.redirect_uri} is registered for the client {client}."
    return TimedOut(
        f"The sign-in at {address(pending.server.issuer)} was not finished within {seconds:g} seconds.", hint=hint
    )
