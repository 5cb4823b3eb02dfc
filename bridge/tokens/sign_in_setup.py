"""Makes the parts of a sign-in and a refresh from the settings."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from bridge.config import Settings, ascii_url
from bridge.errors import BridgeError
from bridge.login.address_guard import AddressGuard
from bridge.login.auth_http import AuthHttpClient
from bridge.login.failures import SERVER
from bridge.login.network import ProxyAddress
from bridge.oauth.challenge import bearer_challenge, parse_challenges, scopes_of
from bridge.oauth.errors import Unreachable
from bridge.oauth.other_credential import other_credential
from bridge.process.redact import Redactor
from bridge.protocol import mcp
from bridge.protocol.headers import request_headers
from bridge.protocol.hosts import product_name
from bridge.remote.lookups import Lookups
from bridge.remote.proxy import proxy_for, unused_proxy
from bridge.session.probing import probe
from bridge.store.paths import platform_paths
from bridge.store.secret_store import SecretStore
from bridge.tokens.assertions import Assertions
from bridge.tokens.issuers_file import issuers_file
from bridge.tokens.login_order import Order
from bridge.tokens.typed_command import LOGOUT, command_about, login_command

if TYPE_CHECKING:
    from bridge.login.prompt import Prompt
    from bridge.login.sign_in import SignInFlow
    from bridge.login.sign_in_reason import SignInReason

_CHALLENGE_SECONDS = 10.0

_logger = logging.getLogger("bridge.login")


class RelayNetwork:
    """The network of a sign-in: names, proxies and TLS are those of the relay (`login.network.Network`)."""

    def __init__(self, settings: Settings) -> None:
        self.connect_timeout = settings.connect_timeout
        self._settings = settings
        self._lookups = Lookups(seconds=settings.connect_timeout)

    async def resolve(self, host: str, port: int) -> list[str]:
        """As `Network` says."""
        return [address[4][0] for address in await self._lookups.addresses(host, port)]

    def proxy_for(self, url: str) -> ProxyAddress | None:
        """As `Network` says."""
        proxy = proxy_for(url, os.environ)
        return None if proxy is None else (proxy.url, proxy.auth)

    def unused_proxy(self, url: str) -> str:
        """As `Network` says."""
        return unused_proxy(url, os.environ)

    def tls(self, own_origin: bool) -> ssl.SSLContext:
        """As `Network` says."""
        from bridge.remote.tls import ssl_context

        settings = self._settings
        if not own_origin:
            # The user's certificate is for the MCP server, and tells others who the user is.
            settings = msgspec.structs.replace(settings, client_cert=None, client_cert_key=None)
        return ssl_context(settings)


def open_http(settings: Settings, *, refused_at: str | None = None, kept: str | None = None) -> AuthHttpClient:
    """The HTTP client for authorization servers. It sends nothing yet.

    `refused_at` and `kept` say where the MCP server was reached, see `AddressGuard`.
    """
    network = RelayNetwork(settings)
    guard = AddressGuard(
        settings.url,
        network,
        allow_private=settings.sign_in.allow_private,
        refused_at=refused_at,
        kept=kept,
    )
    return AuthHttpClient(guard, network)


def sign_in_flow(
    settings: Settings, http: AuthHttpClient, store: SecretStore, prompt: Prompt, add_secret: Callable[[str], None]
) -> SignInFlow:
    """The sign-in that asks the user through `prompt`; `add_secret` is called with each secret before it is used."""
    from bridge.login.sign_in import SignInFlow

    issuers = issuers_file(settings, platform_paths())
    return SignInFlow(
        settings.url,
        settings.sign_in,
        http,
        store,
        issuers=issuers,
        prompt=prompt,
        add_secret=add_secret,
        read_assertion=Assertions(settings.sign_in).read,
    )


async def ask_of(order: Order, http: AuthHttpClient) -> SignInReason:
    """Why the user has to sign in. Where no request was refused yet, this asks the server for its challenge.

    Raises `Unreachable` where the server cannot be reached.
    """
    from bridge.login.sign_in_reason import SignInReason

    refusal = order.refusal
    is_open = False
    if refusal is not None:
        status, challenges = refusal.status, refusal.challenges
    else:
        status, challenges, is_open = await _asked(order.settings, http)
    parsed = parse_challenges(challenges)
    challenge = bearer_challenge(parsed)
    said = refusal.said if refusal is not None else ""
    return SignInReason(
        resource_metadata=challenge.parameters.get("resource_metadata") if challenge else None,
        challenged=scopes_of(challenge) if challenge else (),
        previous=order.previous,
        widens=refusal is not None and refusal.lacks is not None,
        said=said,
        status=status,
        is_open=is_open,
        back="the terminal" if refusal is None else product_name(order.host_name),
        again=_again(order),
        wants=other_credential(parsed, said) if status == 401 else None,
        leave=Redactor()(command_about(LOGOUT, order.settings)),
    )


def _again(order: Order) -> str:
    """How to sign in again, for the page of a sign-in that failed."""
    settings = order.settings
    command = Redactor()(login_command(settings))
    host = product_name(order.host_name)
    if order.refusal is None or settings.sign_in.answer_within is None or not host:
        return f"To try again, run this in a terminal: {command}"
    return f"To try again, call the tool sign_in in {host}, or run this in a terminal: {command}"


async def _asked(settings: Settings, http: AuthHttpClient) -> tuple[int, tuple[str, ...], bool]:
    """The server's answer to a request without a token: status, challenges, and whether it is an answer of MCP.

    It opens no session.
    """
    question = probe(b"0", None)
    headers = {
        name.decode(): value.decode()
        for name, value in request_headers(mcp.LATEST_MODERN, question.method, question.params) or ()
    }
    headers |= {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    try:
        async with asyncio.timeout(_CHALLENGE_SECONDS):
            reply = await http.post(ascii_url(settings.url), SERVER, bytes(question.line), headers)
    except Unreachable:
        raise  # Its metadata is on the same server.
    except (BridgeError, TimeoutError) as problem:
        _logger.info("%s did not answer a first request without a token: %s", settings.url, problem)
        return 401, (), False  # The next request, for the server's metadata, will show why.
    # As JSON or as an event of a stream.
    is_open = reply.status not in {401, 403} and b'"jsonrpc"' in reply.body
    return reply.status, reply.challenges, is_open
