"""The wire of signing in, without the bridge around it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from bridge.login.address_guard import AddressGuard
from bridge.login.auth_http import AuthHttpClient
from bridge.login.network import ProxyAddress
from bridge.remote.lookups import Lookups
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched


class FixedNetwork:
    """Looks names up as the system does, and has one proxy for everything, or none."""

    def __init__(self, make_tls: Callable[[bool], ssl.SSLContext], proxy: ProxyAddress | None) -> None:
        self.connect_timeout = stretched(DEADLINE)
        self._make_tls = make_tls
        self._proxy = proxy
        self._lookups = Lookups(seconds=stretched(DEADLINE))

    async def resolve(self, host: str, port: int) -> list[str]:
        return [address[4][0] for address in await self._lookups.addresses(host, port)]

    def proxy_for(self, url: str) -> ProxyAddress | None:
        return self._proxy

    def unused_proxy(self, url: str) -> str:
        return ""

    def tls(self, own_origin: bool) -> ssl.SSLContext:
        return self._make_tls(own_origin)


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
    network = FixedNetwork(tls, proxy)
    guard = AddressGuard(server_url, network, allow_private=allow_private, refused_at=refused_at, kept=kept)
    return AuthHttpClient(guard, network)
