"""What every grant's flow is given, and what it offers to the sign-in that runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from bridge.config import SignInSettings
from bridge.login.auth_http import AuthHttpClient
from bridge.login.issuer_binding import Bound
from bridge.login.prompt import Prompt
from bridge.login.registering import Registrar
from bridge.login.sign_in_reason import SignInReason
from bridge.login.token_endpoint import TokenEndpoint
from bridge.login.user_warnings import Warnings
from bridge.oauth.client import Client
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import Record

Keep = Callable[[Record], Awaitable[None]]


@dataclass(frozen=True)
class Services:
    """What the flows of one sign-in share. `server_url` is the MCP server's, as the user configured it."""

    server_url: str
    settings: SignInSettings
    http: AuthHttpClient
    registrar: Registrar
    token_endpoint: TokenEndpoint
    prompt: Prompt
    warnings: Warnings
    bound: Bound
    read_assertion: Callable[[], Awaitable[str]]
    """Reads the assertion of the JWT bearer grant. Raises `BridgeError`."""
    add_secret: Callable[[str], None]
    """Called with each secret before it is used, so that no log shows it."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to sign in at one authorization server.

    `scopes` are those to ask for. `resource` is the resource indicator (RFC 8707), None for none. `resource_name` is
    what the MCP server calls itself, empty where it does not say.
    """

    server: AuthorizationServer
    scopes: tuple[str, ...]
    resource: str | None
    resource_name: str
    ask: SignInReason

    def known(self, client: Client) -> Client:
        """The client, which authenticates as this server took it in the last sign-in (`Client.way`)."""
        previous = self.ask.previous
        if previous is None or (previous.issuer, previous.client.client_id) != (self.server.issuer, client.client_id):
            return client
        return msgspec.structs.replace(client, way=previous.client.way)


class GrantFlow(Protocol):
    """One way to sign in. A sign-in makes one flow and uses it for each authorization server that it tries."""

    has_asked: bool
    """Whether the user has been asked to do anything."""

    async def sign_in(self, attempt: Attempt, keep: Keep) -> None:
        """Get tokens and give their record to `keep`. Raises `SignInError`, and whatever `keep` raises."""

    def paste(self, query: str) -> str:
        """Take the query of a redirect URL that the user pasted, as if it had come to the callback.

        Returns "" if it is the answer to this sign-in, else a sentence that says why it was not accepted.
        """

    def short_address(self, url: str) -> str:
        """Return an address on this machine that leads to `url` once; `url` itself where nothing listens."""
