"""A host that is received while somebody has to sign in, and what it does meanwhile that no host should have to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.hosts.era_host import ModernHost
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.era_site import era_site
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import visit
from tests.support.process.bridge_process import INITIALIZE, TOOLS_CHANGED, BridgeProcess, Line
from tests.support.process.instances import SLOW, names_in, serves, start_copy, text_in
from tests.support.revisions import MODERN, Wire
from tests.support.servers.fault_era import LEGACY, EraServer, Watched, text
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

IN_TIME = 6.0
ONE_SECOND = ("--answer-within", "1")
UPDATED = "notifications/resources/updated"
NOTE = "file:///a"

both_eras = pytest.mark.parametrize("server_era", ["legacy", "modern"])


@contextlib.asynccontextmanager
async def waiting(server_era: str = "legacy", site_type: type[Site] = InProcessSite) -> AsyncIterator[Site]:
    """A site whose person looks at the page, and has not consented."""
    async with era_site(server_era, site_type=site_type) as site:
        site.person.browser = "record"
        yield site


@contextlib.asynccontextmanager
async def legacy(site: Site, *options: str, version: str = LEGACY, **more: Any) -> AsyncIterator[BridgeProcess]:
    async with start_copy(site, *(options or ONE_SECOND), wire=Wire(version), **more) as copy:
        yield copy


@contextlib.asynccontextmanager
async def modern(site: Site, *options: str) -> AsyncIterator[ModernHost]:
    async with start_copy(site, *(options or ONE_SECOND), wire=Wire(MODERN)) as copy:
        yield ModernHost(copy, {})


async def consent(site: Site, tab: int = 1) -> None:
    assert (await visit(await site.person.until_opened(tab, deadline=LOGIN))).status == 200


async def opened(copy: BridgeProcess, **more: Any) -> Line:
    answer = await copy.request("initialize", INITIALIZE | more, deadline=IN_TIME)
    await copy.notify("notifications/initialized")
    return answer


def era_server(site: Site) -> EraServer:
    assert isinstance(site.server, EraServer)
    return site.server


async def test_a_host_that_opens_again_while_it_waits_is_answered_again() -> None:
    async with waiting(site_type=Site) as site, legacy(site) as copy:
        first = await opened(copy)
        held = await copy.ask("prompts/get", {"name": "greet"})
        second = await opened(copy)
        assert second.result["serverInfo"] == first.result["serverInfo"]
        assert "error" in (await copy.answer(held)).value
        await consent(site)
        await copy.receive(TOOLS_CHANGED, SLOW)
        await serves(copy)
        third = await opened(copy)
        assert third.result["serverInfo"]["name"] == "era-server"
        await serves(copy)


@both_eras
async def test_a_host_that_probes_the_newer_era_first_is_answered_in_both(server_era: str) -> None:
    """Claude Code 2.1.330 asks `server/discover`, gives up after 2.6 s and opens with `initialize`."""
    async with waiting(server_era) as site, start_copy(site, *ONE_SECOND) as copy:
        probing = ModernHost(copy, {})
        probe = await probing.ask("server/discover", id="server-discover-probe-1")
        await copy.request("initialize", INITIALIZE, deadline=IN_TIME)
        assert MODERN in (await copy.answer(probe)).result["supportedVersions"]
        await copy.notify("notifications/initialized")
        assert names_in(await copy.request("tools/list")) == ["sign_in"]
        called = await copy.ask("tools/call", {"name": "sign_in", "arguments": {}})
        await consent(site)
        assert "is signed in to" in text_in(await copy.answer(called, SLOW))
        await copy.receive(TOOLS_CHANGED, SLOW)
        await serves(copy)


async def test_a_host_that_asks_again_and_again_is_answered_each_time() -> None:
    async with waiting() as site, legacy(site) as copy:
        await opened(copy)
        asked = [await copy.ask("tools/list") for _ in range(200)]
        answers = [await copy.answer(id_) for id_ in asked]
        assert all(names_in(answer) == ["sign_in"] for answer in answers)
        await consent(site)
        await copy.receive(TOOLS_CHANGED, SLOW)
        await serves(copy)
        assert not site.server.seen("tools/list")[1:], "what was answered is not asked of the server as well"


@both_eras
async def test_a_tool_that_is_called_before_any_list_waits_for_the_person(server_era: str) -> None:
    async with waiting(server_era) as site, modern(site) as host:
        called = await host.begin("echo", said="first")
        listed = await host.request("tools/list", deadline=IN_TIME)
        assert names_in(listed) == ["sign_in"]
        assert not host.bridge.answers(called)
        await consent(site)
        assert "first" in text_in(await host.bridge.answer(called, SLOW))


@both_eras
async def test_a_tool_that_is_called_where_no_browser_is_says_what_to_do(server_era: str) -> None:
    async with waiting(server_era) as site, modern(site, "--no-browser", *ONE_SECOND) as host:
        told = await host.bridge.answer(await host.begin("echo", said="first"), SLOW)
        assert told.result["isError"]
        link = next(word for word in text_in(told).split() if word.startswith(site.authority.url("authorize")))
        assert (await visit(link)).status == 200
        async with asyncio.timeout(stretched(SLOW)):
            while (again := await host.call("echo", said="again")).result.get("isError"):
                pass
        assert "again" in text_in(again)
        assert [r.message["params"]["arguments"] for r in site.server.seen("tools/call")][-1] == {"said": "again"}


async def test_a_batch_of_the_revision_that_has_them_is_received() -> None:
    async with waiting() as site, legacy(site, version="2025-03-26") as copy:
        await opened(copy, protocolVersion="2025-03-26")
        copy.asked += ["1", "2", "3"]
        batch = [
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            {"jsonrpc": "2.0", "id": 2, "method": "ping"},
            {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "echo", "arguments": {"said": "b"}}},
        ]
        await copy.send(batch)
        assert names_in(await copy.answer(1)) == ["sign_in"]
        assert (await copy.answer(2)).result == {}
        await consent(site)
        assert "b" in text_in(await copy.answer(3, SLOW))
        await serves(copy)


@pytest.mark.parametrize("id_", [0, "", 2**53 - 1, "x" * 5000], ids=["zero", "empty", "huge", "long"])
async def test_an_odd_id_is_answered_under_that_id(id_: object) -> None:
    async with waiting() as site, legacy(site) as copy:
        await copy.request("initialize", INITIALIZE, id=id_, deadline=IN_TIME)
        await copy.notify("notifications/initialized")
        called = await copy.ask("tools/call", {"name": "sign_in", "arguments": {}}, id=f"{id_}-")
        await consent(site)
        assert "is signed in to" in text_in(await copy.answer(called, SLOW))
        await serves(copy)


async def test_a_call_that_is_taken_back_is_not_answered_and_another_is() -> None:
    async with waiting() as site, legacy(site) as copy:
        await opened(copy)
        sign_in = {"name": "sign_in", "arguments": {}}
        calls = [await copy.ask("tools/call", sign_in) for _ in range(3)]
        await copy.notify("notifications/cancelled", {"requestId": calls[1]})
        await consent(site)
        for call in (calls[0], calls[2]):
            assert "is signed in to" in text_in(await copy.answer(call, SLOW))
        await serves(copy)
        assert not copy.answers(calls[1])


@pytest.mark.parametrize("host_era", ["legacy", "modern"])
async def test_refused_twice_and_then_granted(host_era: str) -> None:
    async with era_site("legacy", site_type=InProcessSite) as site:
        site.authority.denies = {"error": "access_denied", "error_description": "Not today"}
        async with start_copy(site, *ONE_SECOND, wire=Wire(LEGACY if host_era == "legacy" else MODERN)) as copy:
            host = copy if host_era == "legacy" else ModernHost(copy, {})
            if host_era == "legacy":
                await opened(copy)
            else:
                await host.request("server/discover", deadline=IN_TIME)
            for _ in range(2):
                refused = await host.request("tools/call", {"name": "sign_in", "arguments": {}}, deadline=LOGIN)
                assert refused.result["isError"]
                assert "Not today" in text_in(refused)
            site.authority.denies = {}
            granted = await host.request("tools/call", {"name": "sign_in", "arguments": {}}, deadline=LOGIN)
            assert "is signed in to" in text_in(granted)
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))


async def test_a_host_whose_time_is_over_before_there_is_a_link_is_told_it_as_soon_as_there_is() -> None:
    goes_on = asyncio.Event()
    async with waiting() as site:

        async def late(exchange: Any) -> None:
            await goes_on.wait()
            await site.authority.behave(exchange)

        site.authority.always("metadata", late)
        async with legacy(site, "--answer-within", "0.05", "--no-browser") as copy:
            answer = await opened(copy)
            assert site.authority.url("authorize") not in answer.result["instructions"]
            called = await copy.ask("tools/call", {"name": "sign_in", "arguments": {}})
            assert names_in(await copy.request("tools/list")) == ["sign_in"]
            assert not copy.answers(called)
            goes_on.set()
            told = text_in(await copy.answer(called, SLOW))
            link = next(word for word in told.split() if word.startswith(site.authority.url("authorize")))
            assert (await visit(link)).status == 200
            await copy.receive(TOOLS_CHANGED, SLOW)
            await serves(copy)


@both_eras
@pytest.mark.parametrize("host_era", ["legacy", "modern"])
async def test_a_server_that_is_down_after_the_sign_in(host_era: str, server_era: str) -> None:
    async with waiting(server_era) as site:
        wire = Wire(LEGACY if host_era == "legacy" else MODERN)
        async with start_copy(site, *ONE_SECOND, wire=wire, env={"MCP_BRIDGE_PATIENCE": "0.5"}) as copy:
            host = copy if host_era == "legacy" else ModernHost(copy, {})
            if host_era == "legacy":
                await opened(copy)
            else:
                await host.request("server/discover", deadline=IN_TIME)
            assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            called = await host.ask("tools/call", {"name": "sign_in", "arguments": {}})
            await site.person.until_opened(deadline=LOGIN)  # The sign-in itself needs the server, to begin.
            await site.server.http.stop()
            await consent(site)
            told = await copy.answer(called, SLOW)
            if host_era == "legacy":
                assert told.result["isError"]
                assert "did not open a session" in text_in(told)
                assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            await site.server.http.listen()
            again = await host.request("tools/call", {"name": "sign_in", "arguments": {}}, deadline=SLOW)
            assert not again.result.get("isError"), again.raw
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))


@pytest.mark.parametrize("name", ["claude-ai", "codex-mcp-client"])
async def test_a_host_that_ignores_changed_lists_is_waited_for(name: str) -> None:
    async with waiting() as site, legacy(site) as deaf:
        asked = await deaf.ask("initialize", INITIALIZE | {"clientInfo": {"name": name, "version": "1"}})
        async with legacy(site) as other:
            await opened(other)  # It came later, and its time is over.
            assert not deaf.answers(asked)
            await consent(site)
            assert (await deaf.answer(asked, SLOW)).result["serverInfo"]["name"] == "era-server"
            await deaf.notify("notifications/initialized")
            await serves(deaf)
            assert not deaf.messages(TOOLS_CHANGED)
            assert other.messages(TOOLS_CHANGED) or await other.receive(TOOLS_CHANGED, SLOW)


@both_eras
@pytest.mark.parametrize("host_era", ["legacy", "modern"])
@pytest.mark.parametrize("breaks", [False, True], ids=["streams-stay", "streams-break"])
async def test_what_is_open_outlives_a_token_that_dies(host_era: str, server_era: str, breaks: bool) -> None:
    """A stream, a subscription, a call that is under way, and one that meets the refusal."""
    async with waiting(server_era) as site:
        slow = Watched(streams=True)
        site.server.always("tools/call:read", slow)
        wire = Wire(LEGACY if host_era == "legacy" else MODERN)
        async with start_copy(site, *ONE_SECOND, wire=wire) as copy:
            modern_host = ModernHost(copy, {})
            host = copy if host_era == "legacy" else modern_host
            if host_era == "legacy":
                await opened(copy)
            assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            await consent(site)
            assert "is signed in to" in text_in(await host.request("tools/call", {"name": "sign_in"}, deadline=SLOW))
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))
            if host_era == "legacy":
                await copy.request("resources/subscribe", {"uri": NOTE})
            else:
                await modern_host.listen(toolsListChanged=True, resourceSubscriptions=[NOTE])
            under_way = await host.ask("tools/call", {"name": "read", "arguments": {"name": "one"}})
            await site.server.until(lambda: slow.calls, "the call")

            told = len(copy.messages(TOOLS_CHANGED))
            site.authority.ledger.revoke_all()
            if breaks:
                before = site.server.http.connections
                site.server.http.drop_connections()
                # Of a call that is on its way to a connection just broken nobody knows what became.
                await site.server.until(lambda: site.server.http.connections > before, "the bridge to notice", SLOW)
            called = await host.ask("tools/call", {"name": "echo", "arguments": {"said": "after"}})
            await copy.bell.until(lambda: len(copy.messages(TOOLS_CHANGED)) > told, TOOLS_CHANGED, SLOW)
            assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            assert not copy.answers(called)
            told = len(copy.messages(TOOLS_CHANGED))
            await consent(site, tab=2)
            assert "after" in text_in(await copy.answer(called, SLOW))
            await copy.bell.until(lambda: len(copy.messages(TOOLS_CHANGED)) > told, TOOLS_CHANGED, SLOW)
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))
            if breaks:
                await site.server.until(lambda: len(slow.calls) > 1, "the call again", SLOW)
                del slow.calls[0]
            await slow.answer("one", text("done", resultType="complete") if server_era == "modern" else text("done"))
            assert "done" in text_in(await copy.answer(under_way, SLOW))
            await update(era_server(site), server_era)
            assert (await copy.receive(UPDATED, SLOW)).value["params"]["uri"] == NOTE


async def update(server: EraServer, server_era: str) -> None:
    """The server says on the newest open stream that the resource changed."""
    if server_era == "modern":
        await server.until(
            lambda: [one for one in server.listens if one.open and one.wanted.get("resourceSubscriptions")],
            "a subscription",
            SLOW,
        )
        listen = [one for one in server.listens if one.open and one.wanted.get("resourceSubscriptions")][-1]
        await listen.tell(UPDATED, uri=NOTE)
    else:
        await server.until(lambda: [one for one in server.streams if one.open], "a stream", SLOW)
        stream = [one for one in server.streams if one.open][-1]
        await stream.event({"jsonrpc": "2.0", "method": UPDATED, "params": {"uri": NOTE}})


async def test_two_calls_at_once_ask_a_person_once() -> None:
    """Who refuses after that is not asked again because of the second call."""
    async with waiting() as site:
        site.authority.denies = {"error": "access_denied", "error_description": "Not today"}
        env = {"LOGIN_BROWSER_DO": "follow"}
        async with legacy(site, env=env) as copy:
            await opened(copy)
            assert (await copy.call("sign_in", deadline=LOGIN)).result["isError"]
            before = len(site.person.opened)
            calls = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "sign_in"}} for n in (1, 2)]
            copy.asked += ["1", "2"]
            await copy.send(b"".join(json.dumps(call).encode() + b"\n" for call in calls))
            for id_ in (1, 2):
                assert (await copy.answer(id_, LOGIN)).result["isError"]
            # Were another sign-in begun, this call would wait for it.
            assert "The last sign-in failed" in text_in(await copy.call("echo"))
            assert len(site.person.opened) == before + 1
            site.authority.denies = {}
            assert "is signed in to" in text_in(await copy.call("sign_in", deadline=LOGIN))
            assert len(site.person.opened) == before + 2
