"""A server that is public by its name, while it and its authorization server run on this machine."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trustme

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import Site
from tests.support.process.bridge_process import BridgeProcess
from tests.support.servers.recording_proxy import Proxy

NAME = "mcp.example.com"
PUBLIC = f"https://{NAME}"


class Public:
    """A public server with its authority on this machine; `proxy` is the way to the server."""

    def __init__(self, site: Site, proxy: Proxy, ca: Path) -> None:
        self.site = site
        self.proxy = proxy
        self.ca = ca

    def bridge(self, *arguments: str) -> contextlib.AbstractAsyncContextManager[BridgeProcess]:
        """Run the bridge where the proxy is the way out."""
        env = {"HTTPS_PROXY": self.proxy.url, "NO_PROXY": "127.0.0.1,localhost,::1"}
        return self.site.bridge("--ca-file", str(self.ca), *arguments, env=env)


@contextlib.asynccontextmanager
async def public(new_site: Callable[[Authority, ProtectedServer], Site]) -> AsyncIterator[Public]:
    """Run such a server, with a site of the kind that `new_site` makes."""
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(NAME, "127.0.0.1", "localhost", "::1").configure_cert(tls)
    authority = Authority(tls=tls)
    server = ProtectedServer(authority, tls=tls)
    server.base = PUBLIC
    async with new_site(authority, server) as site, Proxy(server.http.port) as proxy:
        trusted = site.folder / "ca.pem"
        ca.cert_pem.write_to_path(str(trusted))
        site.person.trusts = trusted
        yield Public(site, proxy, trusted)
