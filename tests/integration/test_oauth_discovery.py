"""From the 401 to the authorization server: the challenge, RFC 9728, RFC 8414, OpenID Connect, MCP 2025-03-26.

More cases, without processes, are in `tests/app/test_oauth_discovery.py`.
"""

import json

import pytest

from tests.support.oauth.site import LOGIN, Site

pytestmark = pytest.mark.anyio


async def test_the_metadata_is_asked_for_without_any_credentials() -> None:
    async with Site() as site:
        async with site.bridge("--header", "X-Api-Key: planted-key-value") as host:
            site.planted["planted-key-value"] = "header"
            await host.initialize(deadline=LOGIN)
            site.authority.ledger.revoke_all()
            assert (await host.call("echo", deadline=LOGIN)).result
        pages = [r for r in site.server.http.requests if r.path != site.server.path]
        for request in [*pages, *site.authority.requests]:
            told = json.dumps(request.headers)
            assert request.header("authorization") is None, told
            assert "planted-key-value" not in told
            assert request.header("mcp-session-id") is None
