"""One sign-in, from the challenge to the tokens: discover, register, ask the user, exchange the code.

The listener is bound before anything is registered, for the redirect URI is part of both. The browser's tab is
answered only when the outcome is known: what it shows is true.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

from bridge.config import SignInSettings, ascii_url
from bridge.errors import BridgeError
from bridge.login.auth_http import AuthHttpClient
from bridge.login.browser import check_openable
from bridge.login.device import DeviceSignIn
from bridge.login.discovery import DiscoveredServers, Discovery
from bridge.login.issuer_binding import Bound, KeptIssuers
from bridge.login.listener import Arrival, CallbackListener
from bridge.login.new_record import new_record
from bridge.login.page import failed_page, signed_in_page, warned_page
from bridge.login.ports import derived_ports
from bridge.login.prompt import Prompt, PromptShown, Warnings
from bridge.login.registering import NO_CLIENT, Registrar, RegistrationStore
from bridge.login.sign_in_reason import WANTS_TOKEN, SignInReason, asks_for_none, says_nowhere
from bridge.login.token_endpoint import TokenEndpoint
from bridge.oauth import mix_up, scopes
from bridge.oauth.callback import Denied, Granted, IssuerMismatch, read_callback
from bridge.oauth.client import Client
from bridge.oauth.device import DeviceRequest, device_endpoint
from bridge.oauth.errors import (
    ClientUnknown,
    MetadataError,
    RegistrationFailed,
    SignInError,
    SignInRefused,
    TimedOut,
    Unavailable,
)
from bridge.oauth.grants import hint_for
from bridge.oauth.metadata import AuthorizationServer, default_authorization_server
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest, authorization_url
from bridge.protocol.sanitize import address, with_words

Answer = Granted | Denied | IssuerMismatch
Keep = Callable[[Record], Awaitable[None]]

_NOT_TAKEN = {
    400: "That is not the answer to this sign-in: it belongs to another one, or is incomplete. Paste the whole address "
    "at which the browser ended.",
    409: "This sign-in has already had its answer.",
    425: "The sign-in is not waiting for an answer: it is not ready yet, or is over.",
    500: "The answer could not be read.",
}

_logger = logging.getLogger("bridge.login")


class SignInFlow:
    """Signs in to the MCP server at `server_url`.

    `issuers` are those that the server and the profile were used with, `person` is who signs in, `add_secret` takes
    each secret before it is used.
    """

    def __init__(
        self,
        server_url: str,
        settings: SignInSettings,
        web: AuthHttpClient,
        keeping: RegistrationStore,
        *,
        issuers: KeptIssuers,
        person: Prompt,
        add_secret: Callable[[str], None],
    ) -> None:
        self._server_url = server_url
        self._uri = ascii_url(server_url)  # What other servers are told has to be ASCII (RFC 3986, RFC 8707).
        self._settings = settings
        self._web = web
        self._registrar = Registrar(settings, web, keeping, add_secret)
        self._person = person
        self._add_secret = add_secret
        self._discovery = Discovery(self._uri, web)
        self._token_endpoint = TokenEndpoint(web, add_secret)
        self._listener: CallbackListener | None = None
        self._warnings = Warnings()
        self._bound = Bound(server_url, settings, issuers, self._warnings)
        self._has_asked = False

    async def run(self, ask: SignInReason, keep: Keep) -> None:
        """Sign in and hand the record to `keep`. Raises `SignInError`."""
        if not ask.widens:
            # Who refuses a token may have moved to another authorization server.
            self._web.forget_metadata()

        async def keep_both(record: Record) -> None:
            await keep(record)
            await self._bound.signed_in(record.issuer)

        try:
            await self._run(ask, keep_both)
        except SignInError as problem:
            self._web.forget_metadata()
            if self._has_asked and isinstance(problem, Unavailable):
                # What may pass is tried again by itself, and that would open one tab after the other.
                raise SignInError(problem.message, hint=problem.hint) from problem
            raise

    def paste(self, query: str) -> str:
        """Take the query of a redirect URL that the person brings by hand, as if it had come to the callback.

        Returns "" where it is the answer, else a sentence that says why it was not taken.
        """
        if self._settings.grant == "device-code":
            return "This sign-in takes no address: open its link and enter the code there."
        status = self._listener.submit(query) if self._listener else 425
        return _NOT_TAKEN.get(status, "")

    def short_address(self, url: str) -> str:
        """Return an address on this machine that leads to `url` once, as long as this sign-in waits.

        It is `url` itself where nothing listens.
        """
        return self._listener.short_address(url) if self._listener else url

    async def _run(self, ask: SignInReason, keep: Keep) -> None:
        found = await self._discovery.find(ask.resource_metadata)
        problem: SignInError | None = None
        for issuer in self._bound.begin(found, ask.previous):
            self._warnings.begin()
            try:
                server = await self._discovery.server(issuer, found)
                if ask.status not in WANTS_TOKEN and server == default_authorization_server(self._uri):
                    raise asks_for_none(self._server_url, ask)
                await self._with(server, found, ask, keep)
            except (MetadataError, Unavailable, RegistrationFailed) as failure:
                _logger.info("no sign-in at %s: %s", issuer, failure.message)
                if self._has_asked:
                    raise  # Nobody is asked to sign in at one server after the other.
                problem = problem or failure
            else:
                return
        if problem is not None and found.resource is None and not isinstance(problem, Unavailable):
            if ask.status not in WANTS_TOKEN:
                raise asks_for_none(self._server_url, ask) from problem
            raise says_nowhere(self._server_url, ask, problem) from problem
        assert problem is not None  # noqa: S101 - there is always an issuer
        raise problem

    async def _with(self, server: AuthorizationServer, found: DiscoveredServers, ask: SignInReason, keep: Keep) -> None:
        """Sign in at one authorization server."""
        self._bound.check(server.issuer)
        wanted = self._scopes(server, found, ask)
        if self._settings.grant == "device-code":
            await self._by_code(server, found, wanted, ask, keep)
        else:
            await self._by_browser(server, found, wanted, ask, keep)

    async def _by_browser(
        self,
        server: AuthorizationServer,
        found: DiscoveredServers,
        wanted: tuple[str, ...],
        ask: SignInReason,
        keep: Keep,
    ) -> None:
        """Sign in by the answer that a browser brings to this machine."""
        settings = self._settings
        if warning := mix_up.warning(server):
            self._warnings.add(warning)
        listener = await CallbackListener.bind(
            ports=(
                derived_ports(self._server_url, settings.profile)
                if settings.callback_port is None
                else [settings.callback_port]
            ),
            exact=settings.callback_port is not None,
            host=settings.callback_host,
            path=settings.callback_path,
        )

        plain = listener.redirect_uri
        own = listener.redirect_uri_at(mix_up.path_for(settings.callback_path, server.issuer))
        redirect_uris = (plain,) if settings.has_own_callback else (own, plain)

        async def sign_in(client: Client, is_kept: bool) -> None:
            listener.take_at(client.redirect_uri or plain)
            pending = self._pending(server, client, found, listener.redirect_uri, wanted)
            if is_kept:
                await self._registrar.probe(pending)
            await self._ask_person(listener, pending, found, ask, keep, is_kept=is_kept)

        self._listener = listener
        try:
            await self._as_client(server, redirect_uris, wanted, sign_in)
        finally:
            self._listener = None
            await listener.close()

    async def _by_code(
        self,
        server: AuthorizationServer,
        found: DiscoveredServers,
        wanted: tuple[str, ...],
        ask: SignInReason,
        keep: Keep,
    ) -> None:
        """Sign in by a code that is typed in anywhere (RFC 8628): nothing comes back to this machine."""
        device_endpoint(server)  # Without it no registration is of any use.

        async def sign_in(client: Client, _: bool) -> None:
            request = DeviceRequest(
                server=server, client=client, scope=" ".join(wanted), resource=self._resource(found)
            )
            flow = DeviceSignIn(self._web, self._person, self._add_secret, warnings=self._warnings)
            await self._bound.use(server.issuer)
            try:
                tokens = await flow.run(request, self._settings.login_timeout)
            finally:
                self._has_asked = self._has_asked or flow.has_asked
            await keep(new_record(self._server_url, self._settings, request, tokens, ask.previous))

        await self._as_client(server, ("",), wanted, sign_in)

    async def _as_client(
        self,
        server: AuthorizationServer,
        redirect_uris: tuple[str, ...],
        wanted: tuple[str, ...],
        sign_in: Callable[[Client, bool], Awaitable[None]],
    ) -> None:
        """Sign in as the client that is to be; once more as a new one, where the server has forgotten it."""
        client, is_kept = await self._registrar.client(server, redirect_uris, wanted)
        try:
            await sign_in(client, is_kept)
        except ClientUnknown as problem:
            if not is_kept:
                raise
            _logger.info("%s no longer knows the client; registering again (%s)", server.issuer, problem.message)
            # A server that lost one has lost the others: an earlier version may have left one with the plain URI.
            for redirect_uri in {client.redirect_uri, *redirect_uris}:
                await self._registrar.forget(server, redirect_uri)
            client, _ = await self._registrar.client(server, redirect_uris, wanted)
            await sign_in(client, False)

    # -- what is asked for

    def _scopes(self, server: AuthorizationServer, found: DiscoveredServers, ask: SignInReason) -> tuple[str, ...]:
        settings, previous = self._settings, ask.previous
        named = found.resource.scopes_supported if found.resource else None
        wanted = scopes.choose(settings.scope, ask.challenged, named, server.scopes_supported)
        if ask.widens:
            wanted = scopes.union(wanted, ask.challenged)
        if previous and previous.issuer == server.issuer and (ask.widens or settings.scope is None):
            # What was granted before is asked for again, so that no other operation loses what it needs.
            wanted = scopes.union(scopes.split(previous.asked), wanted)
        return wanted

    def _resource(self, found: DiscoveredServers) -> str | None:
        option = self._settings.resource
        if option is not None:
            return None if option == "none" else option
        return found.resource.resource if found.resource else self._uri

    def _pending(
        self,
        server: AuthorizationServer,
        client: Client,
        found: DiscoveredServers,
        redirect_uri: str,
        wanted: tuple[str, ...],
    ) -> AuthorizationRequest:
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        self._add_secret(state)
        self._add_secret(verifier)
        return AuthorizationRequest(
            server=server,
            client=client,
            redirect_uri=redirect_uri,
            scope=" ".join(wanted),
            resource=self._resource(found),
            state=state,
            verifier=verifier,
        )

    # -- the person

    async def _ask_person(
        self,
        listener: CallbackListener,
        pending: AuthorizationRequest,
        found: DiscoveredServers,
        ask: SignInReason,
        keep: Keep,
        *,
        is_kept: bool,
    ) -> None:
        """Show what is to be opened, wait for the answer, exchange the code, and tell the person how it went."""
        url = authorization_url(pending, self._settings.authorize_params)
        check_openable(url)
        judge: Callable[[str], Answer | None] = partial(
            read_callback,
            state=pending.state,
            issuer=pending.server.issuer,
            iss_supported=pending.server.iss_parameter_supported,
        )
        seconds = self._settings.login_timeout
        name = urlsplit(self._server_url).netloc
        called = found.resource.resource_name if found.resource else ""
        warnings = self._warnings.texts
        asked = PromptShown(
            url,
            seconds,
            redirect_uri=pending.redirect_uri,
            warnings=warnings,
            shown_first=listener.offer(warned_page(name, warnings, url, called=called)) if warnings else "",
        )
        self._has_asked = True
        waiting: asyncio.Task[Arrival[Answer]] = asyncio.create_task(listener.receive(judge, seconds))
        # Beside the wait: an opener is watched for a moment, and the answer may be there before that is over.
        asking = asyncio.create_task(self._person.ask(asked))
        try:
            arrival = await waiting
        except TimeoutError:
            if is_kept:
                # The server may have shown an error page that nobody told of: the next sign-in registers anew.
                await self._registrar.forget(pending.server, pending.redirect_uri)
            raise TimedOut(
                f"The sign-in at {address(pending.server.issuer)} was not finished within {seconds:g} seconds.",
                hint="Try again; --login-timeout gives more time. If the browser showed an error, it names the cause; "
                f"if it could not open {pending.redirect_uri}, a firewall is in the way, or it ran on another machine."
                + _client_hint(pending),
            ) from None
        finally:
            waiting.cancel()
            asking.cancel()
        self._person.answered()
        try:
            await keep(await self._complete(pending, arrival.value, ask))
        except ClientUnknown as problem:
            to_do, again = problem.hint, ask.again
            if is_kept:
                to_do, again = "Sign in again: another tab opens for it.", ""
            arrival.respond(failed_page(name, problem.message, to_do, again, called=called), 400)
            raise
        except BridgeError as problem:
            arrival.respond(failed_page(name, problem.message, problem.hint, ask.again, called=called), 400)
            raise
        arrival.respond(signed_in_page(name, ask.back, called=called))

    async def _complete(self, pending: AuthorizationRequest, answer: Answer, ask: SignInReason) -> Record:
        server = pending.server
        if isinstance(answer, IssuerMismatch):
            seen = f"'{address(answer.seen)}'" if answer.seen else "no issuer"
            raise SignInError(
                f"The answer from {address(server.authorization_endpoint)} names {seen} where "
                f"{address(answer.expected)} was expected, so it was refused and its code not used (RFC 9207).",
                hint="The server's metadata is wrong, or an attacker is mixing up servers; tell its operator.",
            )
        if isinstance(answer, Denied):
            heard = ": ".join(part for part in (answer.error, answer.description) if part)
            message = with_words(f"{address(server.issuer)} did not grant access", heard)
            if ask.widens and ask.challenged:
                message += f" It was asked for {scopes.named(ask.challenged)}, which the server wants for this request."
            if answer.error in NO_CLIENT:
                raise ClientUnknown(message, hint="Check --client-id, if you gave it.")
            raise SignInRefused(message, hint=hint_for(answer.error, heard) or "Try again to start a new sign-in.")
        _logger.info("The browser came back; fetching the token")
        self._add_secret(answer.code)
        await self._bound.use(server.issuer)
        tokens = await self._token_endpoint.exchange(pending, answer.code)
        return new_record(self._server_url, self._settings, pending, tokens, ask.previous)


def _client_hint(pending: AuthorizationRequest) -> str:
    """What else may be wrong with a client that the user gave: a server shows such an error, and tells nobody else."""
    if pending.client.kind != "static":
        return ""
    return f" Also check that it knows the client {pending.client.client_id} (--client-id) with that redirect URI."
