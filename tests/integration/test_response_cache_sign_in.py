"""Answers for one sign-in only: kept through refreshes, never another user's, gone with the sign-in."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.hosts.era_host import ModernHost, leave
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.era_site import ProtectedEraServer, era_site
from tests.support.oauth.protected_server import bearer
from tests.support.oauth.site import LOGIN, Site
from tests.support.process.bridge_command import run_command
from tests.support.servers.fault_server import Call

pytestmark = pytest.mark.anyio

HINTS: dict[str, Any] = {"resultType": "complete", "ttlMs": 600_000, "cacheScope": "private"}


def site_with_private_tools() -> Site:
    """Its server shows each sign-in a tool of its own, and says that this is for nobody else."""
    site = era_site("modern", site_type=InProcessSite)
    server = site.server
    assert isinstance(server, ProtectedEraServer)
    server.hints = HINTS | {"cacheScope": "public"}

    async def listed(call: Call) -> None:
        token = bearer(call.request)
        access = site.authority.ledger.access[token or ""]
        name = "tool-" + hashlib.sha256(str(id(access.family)).encode()).hexdigest()[:8]
        await call.json(call.reply({"tools": [{"name": name, "inputSchema": {"type": "object"}}], **HINTS}))

    server.always("tools/list", listed)
    return site


async def tools(site: Site, *arguments: str) -> list[str]:
    """One run: the names of the tools that a modern host is shown."""
    async with site.bridge(*arguments) as process:
        host = ModernHost(process, {})
        assert (await host.request("server/discover", deadline=LOGIN)).result
        result = (await host.request("tools/list", deadline=LOGIN)).result
        await leave(host)
    return [tool["name"] for tool in result["tools"]]


def kept(site: Site) -> list[str]:
    names = [path.name for path in site.person.home.rglob("responses/server-*/*")]
    return sorted(name.rpartition("-")[0] for name in names)


def asked(site: Site) -> int:
    return len(site.server.seen("tools/list"))


async def test_the_next_run_shows_the_same_user_what_is_kept_also_after_a_refresh() -> None:
    async with site_with_private_tools() as site:
        site.authority.lifetime = 3600
        shown = await tools(site)
        shown = await tools(site)
        before = asked(site)
        assert await tools(site) == shown
        assert asked(site) == before
        site.authority.ledger.expire_access()
        async with site.bridge() as process:
            host = ModernHost(process, {})
            assert (await host.call("echo")).result, "the token is renewed for this"
            await leave(host)
        assert site.authority.refreshed == 1
        assert await tools(site) == shown
        assert asked(site) == before
        assert len(site.person.opened) == 1


async def test_another_sign_in_never_sees_it() -> None:
    async with site_with_private_tools() as site:
        await tools(site)
        first = await tools(site)
        other = await tools(site, "--profile", "work")
        assert other != first
        assert await tools(site, "--profile", "work") == other
        assert await tools(site) == first
        assert kept(site).count("private-tools-first") == 2


async def test_signing_out_takes_it_away_and_the_next_user_gets_their_own() -> None:
    async with site_with_private_tools() as site:
        await tools(site)
        first = await tools(site)
        assert "private-tools-first" in kept(site)
        code, said = await run_command(site, "status")
        assert code == 0
        assert "stored answers" in said
        code, said = await run_command(site, "logout", site.server.url)
        assert code == 0, said
        assert kept(site) == ["public-discover-first"]
        second = await tools(site)
        assert second != first
        assert await tools(site) == second


async def test_a_copy_that_runs_shows_nothing_of_whoever_signed_in_before() -> None:
    async with site_with_private_tools() as site:
        await tools(site)
        first = await tools(site)
        async with site.bridge() as process:
            host = ModernHost(process, {})
            result = (await host.request("tools/list", deadline=LOGIN)).result
            assert [tool["name"] for tool in result["tools"]] == first
            code, said = await run_command(site, "logout", site.server.url)
            assert code == 0, said
            site.authority.ledger.revoke_all()
            other = await tools(site)
            assert other != first
            assert (await host.call("echo")).result, "the refusal shows that the sign-in is another"
            result = (await host.request("tools/list", deadline=LOGIN)).result
            assert [tool["name"] for tool in result["tools"]] == other
            await leave(host)
