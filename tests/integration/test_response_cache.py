"""Answers that a modern server lets be kept: in the next run, in another copy, and not a moment too long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts.era_host import handshake, leave, legacy_host, modern_host
from tests.support.process.bridge_process import TOOLS_CHANGED
from tests.support.servers.fault_era import EraServer
from tests.support.servers.fault_server import TOOLS, Call

pytestmark = pytest.mark.anyio

PUBLIC: dict[str, Any] = {"resultType": "complete", "ttlMs": 600_000, "cacheScope": "public"}
PRIVATE = PUBLIC | {"cacheScope": "private"}


def kept(home: Path) -> list[str]:
    """The names of the kept answers in `home`, without their digests."""
    names = [path.name for path in home.rglob("responses/server-*/*")]
    return sorted(name.rpartition("-")[0] for name in names)


def _everything(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def methods(server: EraServer, before: int = 0) -> list[str]:
    """What the server was asked, without subscriptions."""
    asked = [str(request.rpc_method) for request in server.seen("POST")]
    return [method for method in asked if method != "subscriptions/listen"][before:]


async def lists(url: str, home: Path, *arguments: str) -> dict[str, Any]:
    """One run of a modern host that discovers and lists the tools; returns the two results."""
    async with modern_host(url, *arguments, home=home) as host:
        found = {method: (await host.request(method)).result for method in ("server/discover", "tools/list")}
        await leave(host)
    return found


@pytest.mark.parametrize("hints", [PUBLIC, PRIVATE], ids=["public", "private"])
async def test_the_next_run_needs_no_server(hints: dict[str, Any], tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = hints
        first = await lists(server.url, tmp_path)
        url = server.url
    second = await lists(url, tmp_path)
    for method, result in second.items():
        assert 0 < result["ttlMs"] < first[method]["ttlMs"] <= 600_000
        assert result | {"ttlMs": 0} == first[method] | {"ttlMs": 0}
    scope = hints["cacheScope"]
    assert kept(tmp_path) == [f"{scope}-discover-first", f"{scope}-tools-first"]


async def test_a_legacy_host_opens_and_lists_without_the_server(tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = PUBLIC
        async with legacy_host(server.url, home=tmp_path, opens=False) as host:
            opened = await handshake(host)
            listed = (await host.request("tools/list")).result
            await leave(host)
        url = server.url
    async with legacy_host(url, home=tmp_path, opens=False) as host:
        assert await handshake(host) == opened
        assert (await host.request("tools/list")).result == listed
        await leave(host)


async def test_two_copies_share_what_one_of_them_asked(tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = PUBLIC
        async with modern_host(server.url, home=tmp_path) as one, modern_host(server.url, home=tmp_path) as other:
            assert (await one.request("resources/list")).result["resources"] == []
            await leave(one)
            assert (await other.request("resources/list")).result["resources"] == []
            assert methods(server).count("resources/list") == 1


async def test_a_change_counts_at_once_and_for_the_other_copies(tmp_path: Path) -> None:
    tools = list(TOOLS)

    async def listed(call: Call) -> None:
        await call.json(call.reply({"tools": tools, **PUBLIC}))

    async with EraServer() as server, modern_host(server.url, home=tmp_path) as host:
        server.hints = PUBLIC
        server.always("tools/list", listed)
        await host.listen(toolsListChanged=True)
        stream = await server.listen()
        assert len((await host.request("tools/list")).result["tools"]) == len(TOOLS)
        tools.pop()
        await stream.tell(TOOLS_CHANGED)
        await host.told(TOOLS_CHANGED)
        assert len((await host.request("tools/list")).result["tools"]) == len(tools)
        assert len((await lists(server.url, tmp_path))["tools/list"]["tools"]) == len(tools)


async def test_what_is_stale_serves_where_the_server_cannot_be_reached(tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = PUBLIC | {"ttlMs": 1}
        first = await lists(server.url, tmp_path)
        url = server.url
    async with modern_host(url, home=tmp_path) as host:
        for method, before in first.items():
            assert (await host.request(method)).result == before | {"ttlMs": 0}
        assert (await host.call("echo")).kind == "unreachable"
        told = [line for line in host.bridge.stderr if "minutes ago" in line]
        assert len(told) == 1, told
        assert "server/discover was answered from the cache" in told[0]


async def test_a_refusal_is_no_reason_for_a_stale_answer(tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = PUBLIC | {"ttlMs": 1}
        await lists(server.url, tmp_path, "--header", "Authorization: Bearer a")

        async def refuse(call: Call) -> None:
            await call.json({"error": "no"}, 403)

        async def fail(call: Call) -> None:
            await call.json({"error": "down"}, 502)

        async with modern_host(server.url, "--header", "Authorization: Bearer a", home=tmp_path) as host:
            server.once("tools/list", refuse)
            assert (await host.request("tools/list")).kind == "http-status"
            server.once("tools/list", fail)
            assert (await host.request("tools/list")).result["ttlMs"] == 0


@pytest.mark.parametrize("hints", [PUBLIC, PRIVATE], ids=["public", "private"])
async def test_other_headers_are_another_context(hints: dict[str, Any], tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = hints
        one, other = ("--header", "Authorization: Bearer one"), ("--header", "Authorization: Bearer other")
        await lists(server.url, tmp_path, *one)
        before = len(methods(server))
        await lists(server.url, tmp_path, *one)
        assert methods(server, before) == []
        await lists(server.url, tmp_path, *other)
        assert sorted(methods(server, before)) == ["server/discover", "tools/list"]
    text = await asyncio.to_thread(_everything, tmp_path)
    assert b"Bearer" not in text


@pytest.mark.parametrize("by_variable", [False, True])
async def test_without_the_cache_nothing_is_read_and_nothing_written(by_variable: bool, tmp_path: Path) -> None:
    arguments = () if by_variable else ("--no-cache",)
    env = {"MCP_BRIDGE_NO_CACHE": "1"} if by_variable else {}
    async with EraServer() as server:
        server.hints = PUBLIC
        async with modern_host(server.url, *arguments, home=tmp_path, env=env) as host:
            await host.request("server/discover")
            await host.request("tools/list")
            await leave(host)
        assert kept(tmp_path) == []
        await lists(server.url, tmp_path)
        before = len(methods(server))
        async with modern_host(server.url, *arguments, home=tmp_path, env=env) as host:
            await host.request("server/discover")
            await host.request("tools/list")
            await leave(host)
        assert methods(server, before) == ["server/discover", "tools/list"]


async def test_the_tools_are_asked_for_beside_the_opening_request(tmp_path: Path) -> None:
    async with EraServer() as server:
        await lists(server.url, tmp_path)
        before = len(methods(server))
        async with modern_host(server.url, home=tmp_path) as host:
            await host.request("server/discover")
            await server.until(lambda: len(methods(server, before)) == 2, "both requests")
            assert (await host.request("tools/list")).result["tools"]
            assert sorted(methods(server, before)) == ["server/discover", "tools/list"]
            assert (await host.request("tools/list")).result["tools"]
            assert methods(server, before).count("tools/list") == 2
            await leave(host)


async def test_a_server_that_turns_legacy_is_not_remembered_as_it_was(tmp_path: Path) -> None:
    async with EraServer() as server:
        server.hints = PUBLIC
        await lists(server.url, tmp_path)
        server.eras = {"legacy"}
        async with modern_host(server.url, home=tmp_path) as host:
            assert (await host.call("echo", n=1)).result["content"]
            await leave(host)
    assert kept(tmp_path) == []


async def test_answers_under_way_when_a_change_comes_are_not_kept(tmp_path: Path) -> None:
    async with EraServer() as server, modern_host(server.url, home=tmp_path) as host:
        server.hints = PUBLIC
        await host.listen(toolsListChanged=True)
        stream = await server.listen()

        async def listed(call: Call) -> None:
            await stream.tell(TOOLS_CHANGED)
            await host.told(TOOLS_CHANGED)
            await call.json(call.reply({"tools": TOOLS, **PUBLIC}))

        server.once("tools/list", listed)
        assert (await host.request("tools/list")).result["tools"]
        await leave(host)
    assert [name for name in kept(tmp_path) if "tools" in name] == []
