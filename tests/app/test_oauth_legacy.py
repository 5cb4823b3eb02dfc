"""Servers of HTTP+SSE (MCP 2024-11-05) that want a token: the stream and the posts carry it."""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.http_sse_server import ProtectedLegacyServer
from tests.support.oauth.protected_server import bearer
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio


async def test_signing_in_where_the_transport_is_told() -> None:
    async with InProcessSite() as site, ProtectedLegacyServer(site.authority) as server:
        for _ in range(2):
            async with site.bridge("--transport", "sse", url=server.url) as host:
                answer = await host.initialize(deadline=LOGIN)
                assert answer.result["protocolVersion"] == "2024-11-05"
                assert (await host.call("echo", n=1)).result
            assert len(site.person.opened) == 1
        (token,) = site.authority.ledger.access
        assert {bearer(request) for request in server.posts()} == {token}


@pytest.mark.parametrize("revoked", [False, True], ids=["expired", "revoked"])
async def test_a_token_that_wears_out_is_replaced_under_way(revoked: bool) -> None:
    async with InProcessSite() as site, ProtectedLegacyServer(site.authority) as server:
        async with site.bridge("--transport", "sse", url=server.url) as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", n=1)).result
            if revoked:
                site.authority.ledger.revoke_all()
            else:
                site.authority.ledger.expire_access()
            assert (await host.call("echo", n=2, deadline=LOGIN)).result["content"][0]["text"] == '{"n": 2}'
            assert len(server.streams) == 1, "the stream was not lost over it"
        assert len(site.person.opened) == (2 if revoked else 1)
