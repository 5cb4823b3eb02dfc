"""Logins side by side that are not each other's: two servers, two profiles, and a port that is somebody else's now."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import asked, visit
from tests.support.process.bridge_process import INITIALIZE
from tests.support.process.instances import SLOW, serves, start_copy, works
from tests.support.process.login_processes import kill_login, logins_of, no_login_left

pytestmark = pytest.mark.anyio


async def test_two_servers_sign_in_at_once() -> None:
    async with Authority() as authority, ProtectedServer(authority) as other, Site() as site:
        site.others.append(authority)
        site.person.browser = "record"
        async with start_copy(site) as one, start_copy(site, url=other.url) as two:
            opened = [(host, await host.ask("initialize", INITIALIZE)) for host in (one, two)]
            await site.person.until_opened(2, deadline=LOGIN)
            assert len(logins_of(site.person)) == 2
            assert {urlsplit(url).netloc for url in site.person.opened} == {
                urlsplit(site.authority.origin).netloc,
                urlsplit(authority.origin).netloc,
            }
            pages = await asyncio.gather(*(visit(url) for url in site.person.opened))
            assert [page.status for page in pages] == [200, 200]
            for host, id_ in opened:
                assert (await host.answer(id_, SLOW)).result
                await host.notify("notifications/initialized")
                await serves(host)
        assert set(site.server.tokens("tools/call")) == set(site.authority.ledger.access)
        assert set(other.tokens("tools/call")) == set(authority.ledger.access)
        await no_login_left(site.person)


async def test_two_profiles_of_one_server_sign_in_at_once() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site, "--profile", "work") as work, start_copy(site, "--profile", "home") as home:
            opened = [(host, await host.ask("initialize", INITIALIZE)) for host in (work, home)]
            await site.person.until_opened(2, deadline=LOGIN)
            returns = {asked(url)["redirect_uri"] for url in site.person.opened}
            assert len(returns) == 2, "each login has a port of its own"
            for url in site.person.opened:
                assert (await visit(url)).status == 200
            for host, id_ in opened:
                assert (await host.answer(id_, SLOW)).result
                await host.notify("notifications/initialized")
            tokens = []
            for host in (work, home):
                await serves(host)
                tokens.append(site.server.tokens("tools/call")[-1])
        assert sorted(map(str, tokens)) == sorted(site.authority.ledger.access)
        # Each finds its own again.
        for profile, token in zip(("work", "home"), tokens, strict=True):
            async with start_copy(site, "--profile", profile) as host:
                await works(host)
                assert site.server.tokens("tools/call")[-1] == token
        assert len(site.person.opened) == 2


async def test_the_port_of_the_last_login_is_another_programs_now() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as first:
            await first.ask("initialize", INITIALIZE)
            before = asked(await site.person.until_opened(1, deadline=LOGIN))["redirect_uri"]
            first.process.kill()
        await kill_login(site.person)
        with socket.create_server(("127.0.0.1", urlsplit(before).port or 0)):
            site.person.browser = "follow"
            async with start_copy(site) as second:
                await works(second)
        after = asked(site.person.opened[1])["redirect_uri"]
        assert urlsplit(after).port != urlsplit(before).port
        assert len(site.authority.seen("register")) == 2, "a registration belongs to a redirect URI"
        assert len(site.authority.forms("authorization_code")) == 1
