"""One sign-in, from the challenge to the tokens: discover the authorization server, check it, run the grant's flow.

| step | where |
|---|---|
| find the authorization servers that the MCP server names | `discovery` |
| leave out those that the client does not belong to | `issuer_binding` |
| choose scopes and resource | here |
| become a client | `registering` |
| ask the user, and get the tokens | `grants`, one file a grant |
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bridge.config import SignInSettings, ascii_url
from bridge.login.auth_http import AuthHttpClient
from bridge.login.client_key_file import key_loader
from bridge.login.discovery import DiscoveredServers, Discovery
from bridge.login.grants import FLOWS
from bridge.login.grants.flow import Attempt, Keep, Services
from bridge.login.issuer_binding import Bound, KeptIssuers
from bridge.login.prompt import Prompt
from bridge.login.registering import Registrar, RegistrationStore
from bridge.login.sign_in_reason import WANTS_TOKEN, SignInReason, no_authorization_server, sign_in_not_required
from bridge.login.token_endpoint import TokenEndpoint
from bridge.login.user_warnings import Warnings
from bridge.oauth import scopes
from bridge.oauth.errors import MetadataError, RegistrationFailed, SignInError, Unavailable
from bridge.oauth.metadata import AuthorizationServer, default_authorization_server, server_at_token_endpoint
from bridge.oauth.record import Record

_logger = logging.getLogger("bridge.login")


async def _no_assertion() -> str:
    raise SignInError("This sign-in has no assertion.")


class SignInFlow:
    """Signs in to the MCP server at `server_url`.

    `issuers` are those that were used with this server and profile. `prompt` is the way to the user. `add_secret` is
    called with each secret before it is used.
    """

    def __init__(
        self,
        server_url: str,
        settings: SignInSettings,
        http: AuthHttpClient,
        keeping: RegistrationStore,
        *,
        issuers: KeptIssuers,
        prompt: Prompt,
        add_secret: Callable[[str], None],
        read_assertion: Callable[[], Awaitable[str]] = _no_assertion,
    ) -> None:
        self._server_url = server_url
        self._uri = ascii_url(server_url)  # What other servers are told has to be ASCII (RFC 3986, RFC 8707).
        self._settings = settings
        self._http = http
        self._discovery = Discovery(self._uri, http, for_user=not settings.grant_without_user)
        self._warnings = Warnings()
        self._bound = Bound(server_url, settings, issuers, self._warnings)
        self._flow = FLOWS[settings.grant](
            Services(
                server_url=server_url,
                settings=settings,
                http=http,
                registrar=Registrar(settings, http, keeping, add_secret),
                token_endpoint=TokenEndpoint(http, add_secret, key_loader(settings)),
                prompt=prompt,
                warnings=self._warnings,
                bound=self._bound,
                read_assertion=read_assertion,
                add_secret=add_secret,
            )
        )

    async def run(self, ask: SignInReason, keep: Keep) -> None:
        """Sign in and give the record to `keep`. Raises `SignInError`."""
        if not ask.widens:
            # A server that refuses a token may have moved to another authorization server.
            self._http.forget_metadata()

        async def keep_both(record: Record) -> None:
            await keep(record)
            await self._bound.signed_in(record.issuer)

        try:
            await self._run(ask, keep_both)
        except SignInError as problem:
            self._http.forget_metadata()
            if self._flow.has_asked and isinstance(problem, Unavailable):
                # `Unavailable` is tried again without the user, and that would open one tab after the other.
                raise SignInError(problem.message, hint=problem.hint) from problem
            raise

    def paste(self, query: str) -> str:
        """Take the query of a redirect URL that the user pasted, as if it had come to the callback.

        Returns "" if it is the answer to this sign-in, else a sentence that says why it was not accepted.
        """
        return self._flow.paste(query)

    def short_address(self, url: str) -> str:
        """Return an address on this machine that leads to `url` once, as long as this sign-in waits.

        It is `url` itself where nothing listens.
        """
        return self._flow.short_address(url)

    async def _run(self, ask: SignInReason, keep: Keep) -> None:
        if self._settings.token_endpoint is not None:
            await self._without_discovery(self._settings.token_endpoint, ask, keep)
            return
        found = await self._discovery.find(ask.resource_metadata)
        problem: SignInError | None = None
        for issuer in self._bound.begin(found, ask.previous):
            self._warnings.begin()
            try:
                server = await self._discovery.server(issuer, found)
                if ask.status not in WANTS_TOKEN and server == default_authorization_server(self._uri):
                    raise sign_in_not_required(self._server_url, ask)
                self._bound.check(server.issuer)
                await self._flow.sign_in(self._attempt(server, found, ask), keep)
            except (MetadataError, Unavailable, RegistrationFailed) as failure:
                _logger.info("no sign-in at %s: %s", issuer, failure.message)
                if self._flow.has_asked:
                    raise  # The user is not asked to sign in at one server after the other.
                problem = problem or failure
            else:
                return
        if problem is not None and found.resource is None and not isinstance(problem, Unavailable):
            if ask.status not in WANTS_TOKEN:
                raise sign_in_not_required(self._server_url, ask) from problem
            raise no_authorization_server(self._server_url, ask, problem) from problem
        assert problem is not None  # noqa: S101 - there is always an issuer
        raise problem

    async def _without_discovery(self, token_endpoint: str, ask: SignInReason, keep: Keep) -> None:
        server = server_at_token_endpoint(token_endpoint, self._settings.issuer)
        found = DiscoveredServers(None, (server.issuer,))
        self._bound.begin(found, ask.previous)
        self._warnings.begin()
        self._bound.check(server.issuer)
        await self._flow.sign_in(self._attempt(server, found, ask), keep)

    def _attempt(self, server: AuthorizationServer, found: DiscoveredServers, ask: SignInReason) -> Attempt:
        return Attempt(
            server=server,
            scopes=self._scopes(server, found, ask),
            resource=self._resource(found),
            resource_name=found.resource.resource_name if found.resource else "",
            ask=ask,
        )

    def _scopes(self, server: AuthorizationServer, found: DiscoveredServers, ask: SignInReason) -> tuple[str, ...]:
        settings, previous = self._settings, ask.previous
        named = found.resource.scopes_supported if found.resource else None
        wanted = scopes.choose(settings.scope, ask.challenged, named, server.scopes_supported)
        if ask.widens:
            wanted = scopes.union(wanted, ask.challenged)
        if previous and previous.issuer == server.issuer and (ask.widens or settings.scope is None):
            # Scopes that were granted before are asked for again, so that no other request loses what it needs.
            wanted = scopes.union(scopes.split(previous.asked), wanted)
        return wanted

    def _resource(self, found: DiscoveredServers) -> str | None:
        option = self._settings.resource
        if option is not None:
            return None if option == "none" else option
        return found.resource.resource if found.resource else self._uri
