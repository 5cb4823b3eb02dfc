"""A public server cannot send the bridge to addresses inside; to this machine not even with --allow-private.

The server is public by its name; a proxy brings its name to this machine, and this machine's own addresses are
reached directly, as they would be. What --allow-private opens is in `test_oauth_addresses`, in a network of its own.

More cases, without processes, are in `tests/app/test_oauth_private_addresses.py`.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import Site
from tests.support.process.bridge_process import BridgeProcess
from tests.support.servers.recording_proxy import Proxy

pytestmark = pytest.mark.anyio

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
async def public() -> AsyncIterator[Public]:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(NAME, "127.0.0.1", "localhost", "::1").configure_cert(tls)
    authority = Authority(tls=tls)
    server = ProtectedServer(authority, tls=tls)
    server.base = PUBLIC
    async with Site(authority, server) as site, Proxy(server.http.port) as proxy:
        trusted = site.folder / "ca.pem"
        ca.cert_pem.write_to_path(str(trusted))
        site.person.trusts = trusted
        yield Public(site, proxy, trusted)


async def test_metadata_on_this_machine_is_refused() -> None:
    async with public() as it:
        inside = f"https://127.0.0.1:{it.site.authority.http.port}/inside"
        it.site.server.metadata_paths = ()
        it.site.server.challenge = {"resource_metadata": inside}
        async with it.bridge() as host:
            await it.site.failed(host)
        assert it.site.authority.http.connections == 0
