"""Signing in for the first time, and that it is for good: the next start carries the stored token.

More cases, without processes, are in `tests/app/test_oauth_login.py`.
"""

import pytest

from tests.support.oauth.site import Site

pytestmark = pytest.mark.anyio


async def test_the_first_sign_in_takes_one_tab_and_everything_works() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        answer = await host.call("echo", text="hello")
        assert "hello" in answer.result["content"][0]["text"]
        assert len(site.person.opened) == 1
        assert site.printed(host) == site.person.opened
        first, *rest = site.server.tokens()
        assert first is None
        assert set(rest) == set(site.authority.ledger.access)
        assert site.registered_once()
        assert len(site.authority.seen("token")) == 1


async def test_every_kind_of_request_carries_the_token() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        await site.server.stream()
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        (token,) = site.authority.ledger.access
        for method in ("GET", "DELETE", "notifications/initialized", "tools/call"):
            assert set(site.server.tokens(method)) == {token}, method
        assert site.server.sessions == []


async def test_a_restart_carries_the_stored_token_and_asks_nobody() -> None:
    async with Site() as site:
        await site.sign_in()
        asked_before = len(site.authority.requests)
        pages_before = site.server.seen_pages()
        await site.sign_in()
        await site.sign_in()
        assert len(site.person.opened) == 1
        assert len(site.authority.requests) == asked_before
        assert site.server.seen_pages() == pages_before
        assert site.server.tokens("initialize").count(None) == 1
        assert not site.printed(site.bridges[1])
