"""Servers of HTTP+SSE (MCP 2024-11-05) that want a token: the stream and the posts carry it.

More cases, without processes, are in `tests/app/test_oauth_legacy.py`.
"""

import pytest

from tests.support.oauth.http_sse_server import ProtectedLegacyServer
from tests.support.oauth.protected_server import bearer
from tests.support.oauth.site import LOGIN, Site

pytestmark = pytest.mark.anyio


async def test_signing_in_to_a_legacy_server() -> None:
    async with Site() as site, ProtectedLegacyServer(site.authority) as server:
        for _ in range(2):
            async with site.bridge(url=server.url) as host:
                answer = await host.initialize(deadline=LOGIN)
                assert answer.result["protocolVersion"] == "2024-11-05"
                assert (await host.call("echo", n=1)).result
            assert len(site.person.opened) == 1
        (token,) = site.authority.ledger.access
        assert {bearer(request) for request in server.posts()} == {token}
