"""Which authorization server gets a client's secret, over runs, sign-outs and moves; what is said where it is another.

MCP 2026-07-28, Client Registration, Authorization Server Binding.
"""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.moving_site import ENV, logout, move, moving, refused
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio


async def test_the_issuer_that_the_error_shows_may_be_passed() -> None:
    async with moving(InProcessSite) as (site, second):
        await site.sign_in(env=ENV)
        move(site, second)
        message = await refused(site)
        assert f"--issuer {second.issuer}" in message
        old = len(site.authority.seen("token"))
        await site.sign_in("--issuer", second.issuer, env=ENV)
        assert len(site.authority.seen("token")) == old, "the secret was not sent to the old one any more"
        await site.sign_in(env=ENV)
        assert site.person.warned == [], "the user ordered it"


async def test_the_option_holds_at_the_first_sign_in() -> None:
    async with moving(InProcessSite) as (site, second):
        message = await refused(site, "--issuer", second.issuer)
        for words in (site.authority.issuer, second.issuer, "--issuer"):
            assert words in message
        assert site.authority.seen("authorize") == []
        assert site.person.opened == []


async def test_a_move_is_told_on_stderr_and_on_a_page_before_the_sign_in() -> None:
    async with moving(InProcessSite, own_client=False) as (site, second), site.bridge(log="info") as host:
        await site.begin(host)
        move(site, second)
        assert (await host.call("echo", deadline=LOGIN)).result
        (page,) = site.person.warned
        assert site.person.opened[1] == page.url
        line = await host.stderr_says("now sends you to")
        assert "warning" in line
        for text in (page.text, line):
            for words in (site.server.url, site.authority.issuer, second.issuer):
                assert words in text


async def test_a_move_is_told_by_the_tool() -> None:
    async with moving(InProcessSite, own_client=False) as (site, second):
        await site.sign_in(log="info")
        await logout(site, site.server.url)
        move(site, second)
        site.person.browser = "record"
        async with site.bridge("--answer-within", "0.1", "--no-browser", log="info") as host:
            await host.initialize(deadline=LOGIN)
            text = (await host.call("sign_in", deadline=LOGIN)).result["content"][0]["text"]
            for words in ("Tell the user first", site.authority.issuer, second.issuer):
                assert words in text
            assert text.index("Tell the user first") < text.index(second.url("authorize"))
