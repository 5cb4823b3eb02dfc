"""A host that was received before anybody had signed in, with servers that others wrote, and with those of HTTP+SSE."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration import test_router_everything as features
from tests.support.hosts.either_era_host import Era
from tests.support.hosts.login_host import call_sign_in, host_of
from tests.support.hosts.reference_host import eventually
from tests.support.oauth.http_sse_server import ProtectedLegacyServer
from tests.support.oauth.protected_reference import USE, protected_reference
from tests.support.oauth.protecting_proxy import protecting
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import Person, visit
from tests.support.process.bridge_process import INITIALIZE, TOOLS_CHANGED, BridgeProcess
from tests.support.process.instances import SLOW, names_in, start_copy
from tests.support.process.signed_in_bridge import leave, works
from tests.support.servers.everything import everything

pytestmark = pytest.mark.anyio

IN_TIME = 6.0


async def open_provisionally(bridge: BridgeProcess) -> None:
    """A session whose one tool is `sign_in`."""
    await bridge.request("initialize", INITIALIZE, deadline=IN_TIME)
    await bridge.notify("notifications/initialized")
    assert names_in(await bridge.request("tools/list", deadline=IN_TIME)) == ["sign_in"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_package_that_has_everything(era: Era) -> None:
    with everything("streamableHttp") as url:
        async with protecting(url) as site:
            site.person.browser = "record"
            async with host_of(site, era, can_be_asked=True) as host:
                assert await host.tool_names() == ["sign_in"]
                assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
                failed, text = await call_sign_in(host)
                assert not failed, text

                async def complete() -> bool:
                    return "get-roots-list" in await host.tool_names()

                await eventually(complete)
                for feature in (
                    features.test_progress_comes_before_the_answer,
                    features.test_the_user_is_asked,
                    features.test_the_hosts_model_is_asked,
                    features.test_the_server_learns_the_hosts_roots,
                    features.test_resources_are_listed_and_read,
                    features.test_a_subscribed_resource_is_told,
                    features.test_prompts_are_listed_and_got,
                    features.test_arguments_are_completed,
                ):
                    host.begin()
                    await feature(host)


async def test_the_reference_packages_own_protected_server(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.browser = "record"
    env = {"MCP_BRIDGE_ANSWER_WITHIN": "1"}
    with protected_reference() as server:
        async with person.launch(server.url, env=env) as bridge:
            await open_provisionally(bridge)
            assert (await visit(await person.until_opened(1, deadline=LOGIN))).status == 200
            await bridge.receive(TOOLS_CHANGED, SLOW)
            await works(bridge)
            await server.revoke_all()
            called = await bridge.ask("tools/call", {"name": "echo", "arguments": {"n": 1}})
            await bridge.receive(TOOLS_CHANGED, SLOW)
            assert names_in(await bridge.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            assert (await visit(await person.until_opened(2, deadline=LOGIN))).status == 200
            assert (await bridge.answer(called, SLOW)).result["structuredContent"] == {"value": {"n": 1}}
            await leave(bridge)
        assert (await server.told())[1] == f"authorized {USE}"


@contextlib.asynccontextmanager
async def legacy_site() -> AsyncIterator[tuple[Site, ProtectedLegacyServer]]:
    async with Site() as site, ProtectedLegacyServer(site.authority) as server:
        site.person.browser = "record"
        yield site, server


@pytest.mark.parametrize("transport", ["sse", "auto"])
async def test_a_server_of_http_and_sse(transport: str) -> None:
    async with legacy_site() as (site, server):
        options = ("--transport", transport, "--answer-within", "1")
        async with start_copy(site, *options, url=server.url) as copy:
            await open_provisionally(copy)
            assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
            await copy.receive(TOOLS_CHANGED, SLOW)
            assert (await copy.call("echo", n=1, deadline=SLOW)).result
            told = len(copy.messages(TOOLS_CHANGED))
            site.authority.ledger.revoke_all()
            called = await copy.ask("tools/call", {"name": "echo", "arguments": {"n": 2}})
            await copy.bell.until(lambda: len(copy.messages(TOOLS_CHANGED)) > told, TOOLS_CHANGED, SLOW)
            assert names_in(await copy.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            assert (await visit(await site.person.until_opened(2, deadline=LOGIN))).status == 200
            assert (await copy.answer(called, SLOW)).result["content"][0]["text"] == '{"n": 2}'
