"""The wire of signing in, without the bridge around it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from bridge.login.address_guard import AddressGuard
from bridge.login.auth_http import AuthHttpClient, ProxyAddress
from bridge.remote.lookups import Lookups
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched


def web_at(
    server_url: str,
    *,
    tls: Callable[[bool], ssl.SSLContext] = lambda own: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    proxy: ProxyAddress | None = None,
    allow_private: bool = False,
    refused_at: str | None = None,
    kept: str | None = None,
) -> AuthHttpClient:
    """The wire for the MCP server at `server_url`; names are looked up as the system does."""
    lookups = Lookups(seconds=stretched(DEADLINE))

    async def resolve(host: str, port: int) -> list[str]:
        return [address[4][0] for address in await lookups.addresses(host, port)]

    guard = AddressGuard(
        server_url,
        resolve=resolve,
        is_proxied=lambda url: proxy is not None,
        allow_private=allow_private,
        refused_at=refused_at,
        kept=kept,
    )
    return AuthHttpClient(guard, tls=tls, proxy_for=lambda url: proxy, connect_timeout=stretched(DEADLINE))
