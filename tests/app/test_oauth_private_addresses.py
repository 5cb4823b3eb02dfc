"""A public server cannot send the bridge to addresses inside; to this machine not even with --allow-private.

The server is public by its name; a proxy brings its name to this machine, and this machine's own addresses are
reached directly, as they would be. What --allow-private opens is in `test_oauth_addresses`, in a network of its own.
"""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.public_site import NAME, public

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_an_authorization_server_on_this_machine_is_refused(name: str) -> None:
    async with public(InProcessSite) as it:
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
    async with public(InProcessSite) as it:
        it.site.server.challenge = {"resource_metadata": f"https://{address}/latest/meta-data"}
        it.site.server.metadata_changes = {"authorization_servers": [f"https://{address}"]}
        async with it.bridge() as host:
            answer = await it.site.failed(host)
            assert address.strip("[]") in answer.error["message"]
        assert not [head for head in it.proxy.heads if address.strip("[]") in head]


@pytest.mark.parametrize("endpoint", ["token_endpoint", "registration_endpoint", "authorization_endpoint"])
async def test_an_endpoint_on_this_machine_is_refused(endpoint: str) -> None:
    async with public(InProcessSite) as it:
        it.site.server.share_origin()
        it.site.person.browser = "record"
        inside = f"https://127.0.0.1:{it.site.authority.http.port}/inside"
        it.site.authority.metadata_changes = {endpoint: inside}
        async with it.bridge("--login-timeout", "3") as host:
            await it.site.failed(host)
        assert it.site.authority.http.connections == 0


async def test_this_machine_is_not_open_even_where_the_user_allows_private_addresses() -> None:
    async with public(InProcessSite) as it:
        async with it.bridge("--allow-private") as host:
            answer = await it.site.failed(host)
            assert "--allow-private does not change that" in answer.error["message"]
        assert it.site.authority.http.connections == 0
        assert it.site.person.opened == []


async def test_a_server_on_this_machine_needs_no_leave() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
