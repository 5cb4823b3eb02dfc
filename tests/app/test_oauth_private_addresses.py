"""A public server cannot send the bridge to addresses inside; to this machine not even with --allow-private.

The server is public by its name; a proxy brings its name to this machine, and this machine's own addresses are
reached directly, as they would be. What --allow-private opens is in `test_oauth_addresses`, in a network of its own.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.process.bridge_process import BridgeProcess
from tests.support.servers.recording_proxy import Proxy

pytestmark = pytest.mark.anyio

NAME = "mcp.example.com"
PUBLIC = f"https://{NAME}"


class Public:
    """A public server with its authority on this machine; `proxy` is the way to the server."""

    def __init__(self, site: InProcessSite, proxy: Proxy, ca: Path) -> None:
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
    async with InProcessSite(authority, server) as site, Proxy(server.http.port) as proxy:
        trusted = site.folder / "ca.pem"
        ca.cert_pem.write_to_path(str(trusted))
        site.person.trusts = trusted
        yield Public(site, proxy, trusted)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_an_authorization_server_on_this_machine_is_refused(name: str) -> None:
    async with public() as it:
        issuer = f"https://{name}:{it.site.authority.http.port}"
        it.site.server.metadata_changes = {"authorization_servers": [issuer]}
        async with it.bridge() as host:
            answer = await it.site.failed(host)
            assert issuer in answer.error["message"]
            if name == "127.0.0.1":
                assert "--allow-private" in answer.error["message"]
        assert it.site.authority.http.connections == 0
        assert not [head for head in it.proxy.heads if not head.startswith(f"CONNECT {NAME}")]
        assert it.site.person.opened == []


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00::1]", "100.64.0.1"])
async def test_private_addresses_are_not_even_tried(address: str) -> None:
    async with public() as it:
        it.site.server.challenge = {"resource_metadata": f"https://{address}/latest/meta-data"}
        it.site.server.metadata_changes = {"authorization_servers": [f"https://{address}"]}
        async with it.bridge() as host:
            answer = await it.site.failed(host)
            assert address.strip("[]") in answer.error["message"]
        assert not [head for head in it.proxy.heads if address.strip("[]") in head]


@pytest.mark.parametrize("endpoint", ["token_endpoint", "registration_endpoint", "authorization_endpoint"])
async def test_an_endpoint_on_this_machine_is_refused(endpoint: str) -> None:
    async with public() as it:
        it.site.server.share_origin()
        it.site.person.browser = "record"
        inside = f"https://127.0.0.1:{it.site.authority.http.port}/inside"
        it.site.authority.metadata_changes = {endpoint: inside}
        async with it.bridge("--login-timeout", "3") as host:
            await it.site.failed(host)
        assert it.site.authority.http.connections == 0


async def test_this_machine_is_not_open_even_where_the_user_allows_private_addresses() -> None:
    async with public() as it:
        async with it.bridge("--allow-private") as host:
            answer = await it.site.failed(host)
            assert "--allow-private does not change that" in answer.error["message"]
        assert it.site.authority.http.connections == 0
        assert it.site.person.opened == []


async def test_a_server_on_this_machine_needs_no_leave() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
