"""Tokens that wear out: renewed without anybody noticing, and kept whatever goes wrong for a while.

More cases, without processes, are in `tests/app/test_oauth_refresh.py`.
"""

import pytest

from tests.support.oauth.answers import Hold
from tests.support.oauth.site import KINDS, Site

pytestmark = pytest.mark.anyio


async def test_an_expired_token_is_renewed_at_the_next_start() -> None:
    """The endpoints come from the record: no metadata is fetched, and none is guessed."""
    async with Site() as site:
        site.authority.expires_in = 0.5
        await site.sign_in()
        await site.until_expired()
        requests, pages = len(site.authority.requests), len(site.server.seen_pages())
        await site.sign_in()
        assert len(site.person.opened) == 1
        assert len(site.server.seen_pages()) == pages
        made = site.authority.requests[requests:]
        assert [(request.method, request.path) for request in made] == [("POST", site.authority.endpoints["token"])]
        assert site.server.tokens("initialize").count(None) == 1


async def test_many_calls_at_once_take_one_refresh() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        slow = Hold(site.authority.behave)
        site.authority.once("token:refresh_token", slow)
        calls = [await host.ask("tools/call", {"name": "echo", "arguments": {"n": n}}) for n in range(20)]
        await site.authority.until_seen("token:refresh_token")
        slow.open()
        for call in calls:
            assert (await host.answer(call)).result
        assert site.authority.refreshed == 1
        assert len(site.person.opened) == 1


async def test_an_authority_that_is_away_keeps_the_tokens() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        await site.authority.http.stop()
        answer = await host.call("echo", deadline=40)
        assert answer.kind in KINDS
        await site.authority.http.listen()
        assert (await host.call("echo", deadline=40)).result
        assert len(site.person.opened) == 1


async def test_nobody_is_asked_to_sign_in_at_the_end() -> None:
    async with Site() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.ledger.revoke_all()
        host.close_stdin()
        assert await host.wait(3) == 0
        assert len(site.person.opened) == 1
