"""Which authorization server gets a client's secret, over runs, sign-outs and moves; what is said where it is another.

MCP 2026-07-28, Client Registration, Authorization Server Binding.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.authority import Authority
from tests.support.oauth.site import LOGIN
from tests.support.process.bridge_command import run_command

pytestmark = pytest.mark.anyio

SECRET = "planted-client-secret"
ENV = {"MCP_BRIDGE_CLIENT_ID": "given-id", "MCP_BRIDGE_CLIENT_SECRET": SECRET}


@contextlib.asynccontextmanager
async def moving(*, own_client: bool = True) -> AsyncIterator[tuple[InProcessSite, Authority]]:
    """A site whose server may move to a second authority, which knows the client too."""
    async with Authority() as second, InProcessSite() as site:
        site.others.append(second)
        if own_client:
            site.planted[SECRET] = "client secret"
            for authority in (site.authority, second):
                authority.add_client("given-id", SECRET)
                authority.methods = ("client_secret_basic",)
                authority.offers = {"revoke"}
        yield site, second


def move(site: InProcessSite, second: Authority) -> None:
    """The server names the second authority, and takes its tokens only."""
    site.server.authority = second


async def refused(site: InProcessSite, *arguments: str) -> str:
    """A run that is refused; returns the error."""
    async with site.bridge(*arguments, env=ENV) as host:
        answer = await site.failed(host)
        return str(answer.error["message"])


async def logout(site: InProcessSite, *words: str) -> str:
    code, said = await run_command(site, "logout", *words, env=ENV)
    assert code == 0, said
    return said


async def test_the_issuer_that_the_error_shows_may_be_passed() -> None:
    async with moving() as (site, second):
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
    async with moving() as (site, second):
        message = await refused(site, "--issuer", second.issuer)
        for words in (site.authority.issuer, second.issuer, "--issuer"):
            assert words in message
        assert site.authority.seen("authorize") == []
        assert site.person.opened == []


async def test_a_move_is_told_on_stderr_and_on_a_page_before_the_sign_in() -> None:
    async with moving(own_client=False) as (site, second), site.bridge(log="info") as host:
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
    async with moving(own_client=False) as (site, second):
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
