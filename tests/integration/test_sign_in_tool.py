"""`sign_in` as a real client meets it: the reference `mcp` package as the host, of either era, before either server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio
import pytest
from mcp import types

from tests.support.hosts.either_era_host import EitherEraHost, Era
from tests.support.hosts.login_host import call_sign_in, host_of
from tests.support.oauth.era_site import era_site
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import until, visit
from tests.support.process.instances import SLOW
from tests.support.process.login_processes import no_login_left

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ["legacy", "modern"])]

CHANGES = (
    types.ToolListChangedNotification,
    types.PromptListChangedNotification,
    types.ResourceListChangedNotification,
)


def link_in(site: Site, text: str) -> str:
    """The link in what the tool says."""
    return next(word for word in text.split() if word.startswith(site.authority.url("authorize")))


async def has_the_servers_tools(host: EitherEraHost) -> None:
    names = await host.tool_names()
    assert "echo" in names
    assert "sign_in" not in names
    assert "hello" in await host.text("echo", said="hello")


@contextlib.asynccontextmanager
async def calling(host: EitherEraHost) -> AsyncIterator[list[tuple[bool, str]]]:
    """Call `sign_in`, and do something meanwhile; afterwards the list holds what it answered."""
    answers: list[tuple[bool, str]] = []

    async def call() -> None:
        answers.append(await call_sign_in(host))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        yield answers
    assert len(answers) == 1


@pytest.mark.parametrize("server_era", ["legacy", "modern"])
async def test_sign_in_is_all_there_is_until_somebody_consents(era: Era, server_era: str) -> None:
    async with era_site(server_era) as site:
        site.person.browser = "record"
        async with host_of(site, era) as host:
            assert await host.tool_names() == ["sign_in"]
            assert host.client.instructions is not None
            assert "sign_in" in host.client.instructions
            async with host.watching():
                async with calling(host) as answers:
                    url = await site.person.until_opened(1, deadline=LOGIN)
                    assert (await visit(url)).status == 200
                ((failed, text),) = answers
                assert not failed, text
                assert "signed in to" in text.lower()
                await host.until(lambda: all(host.received(kind) for kind in CHANGES), "word of changed lists", SLOW)
            await has_the_servers_tools(host)
        assert len(site.person.opened) == 1
        await no_login_left(site.person)


async def test_without_a_browser_the_tool_carries_the_link(era: Era) -> None:
    async with era_site("legacy") as site, host_of(site, era, "--no-browser") as host:
        failed, text = await call_sign_in(host)
        assert not failed, text
        async with host.watching():
            async with calling(host) as answers:
                assert (await visit(link_in(site, text))).status == 200
            ((failed, text),) = answers
            assert not failed, text
            assert "signed in to" in text.lower()
            await host.until(lambda: bool(host.received(CHANGES[0])), "word of changed tools", SLOW)
        await has_the_servers_tools(host)
        assert site.person.opened == []


async def test_a_host_that_can_open_links_is_given_one(era: Era) -> None:
    async with era_site("legacy") as site, host_of(site, era, "--no-browser", can_be_asked=True) as host:
        async with calling(host) as answers:
            await until(lambda: host.elicitations, "a link to open", SLOW)
            asked = host.elicitations[0]
            assert isinstance(asked, types.ElicitRequestURLParams)
            assert str(asked.url).startswith(site.authority.url("authorize"))
            assert (await visit(str(asked.url))).status == 200
        ((failed, text),) = answers
        assert not failed, text
        assert "signed in to" in text.lower()
        await has_the_servers_tools(host)
        assert site.person.opened == []


async def test_a_link_that_is_declined_is_told_in_words(era: Era) -> None:
    async with era_site("legacy") as site, host_of(site, era, "--no-browser", can_be_asked=True) as host:
        host.elicitation = types.ElicitResult(action="decline")
        _, text = await call_sign_in(host)
        assert len(host.elicitations) == 1
        assert (await visit(link_in(site, text))).status == 200
        host.elicitation = types.ElicitResult(action="accept")
        failed, text = await call_sign_in(host)
        assert not failed, text
        assert "signed in to" in text.lower()
        await has_the_servers_tools(host)


async def test_a_refusal_is_told_and_another_try_is_granted(era: Era) -> None:
    async with era_site("legacy") as site:
        site.authority.denies = {"error": "access_denied", "error_description": "Not today"}
        async with host_of(site, era) as host:
            await site.person.until_page(deadline=LOGIN)
            assert await host.tool_names() == ["sign_in"]
            failed, text = await call_sign_in(host)
            assert failed
            assert "access_denied" in text
            site.authority.denies = {}
            async with host.watching():
                failed, text = await call_sign_in(host)
                assert not failed, text
                assert "signed in to" in text.lower()
                await host.until(lambda: bool(host.received(CHANGES[0])), "word of changed tools", SLOW)
            await has_the_servers_tools(host)
        assert len(site.authority.forms("authorization_code")) == 1
