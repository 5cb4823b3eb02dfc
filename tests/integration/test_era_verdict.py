"""What the bridge finds out about a server's era: how long it is known, and what becomes of it when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.bridge_process import CLIENT_INFO, BridgeProcess, Line
from tests.support.era_host import ModernHost, leave, legacy_host, modern_host, verdicts
from tests.support.fault_answers import page, plain
from tests.support.fault_era import EraServer, text
from tests.support.fault_server import Answer

pytestmark = pytest.mark.anyio

ERAS = ["legacy", "modern"]
RIGHT = text({"n": 1})["content"]
"""What the call in `run` brings, whatever the era."""


async def speak(host: BridgeProcess) -> Line:
    """A legacy host's handshake, and a call if that went well."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT_INFO}
    answer = await host.request("initialize", params)
    if "error" in answer.value:
        return answer
    await host.notify("notifications/initialized")
    return await host.call("echo", n=1)


async def run(era: str, url: str, *arguments: str, **more: Any) -> Line:
    """One run of a host of this era, from its start to its end; returns the answer to its call."""
    host: ModernHost | BridgeProcess
    if era == "modern":
        async with modern_host(url, *arguments, **more) as host:
            answer = await host.call("echo", n=1)
            await leave(host)
    else:
        async with legacy_host(url, *arguments, opens=False, **more) as host:
            answer = await speak(host)
            await leave(host)
    return answer


def came(server: EraServer, before: int = 0) -> list[str]:
    """The methods of what the server was sent, in order, without the first `before` of them.

    A legacy host's subscription is left out, which comes beside the rest.
    """
    methods = [str(request.rpc_method) for request in server.seen("POST")]
    return [method for method in methods if method != "subscriptions/listen"][before:]


STARTS = {
    ("modern", "modern"): (["server/discover", "tools/call"], 1),
    ("modern", "legacy"): (["server/discover", "initialize", "notifications/initialized", "tools/call"], 1),
    ("legacy", "modern"): (["server/discover", "initialize", "server/discover", "tools/call"], 2),
    ("legacy", "legacy"): (["server/discover", "initialize", "notifications/initialized", "tools/call"], 1),
}
"""What a server sees of a first start, by the host's and its own era, and how much of it a second start leaves out."""


@pytest.mark.parametrize("server_era", ERAS)
@pytest.mark.parametrize("host_era", ERAS)
async def test_a_second_start_asks_nothing(host_era: str, server_era: str, tmp_path: Path) -> None:
    first, left_out = STARTS[host_era, server_era]
    async with EraServer(server_era) as server:
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert came(server) == first
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert came(server) == first + first[left_out:]


async def test_a_server_of_both_eras_is_spoken_to_in_the_hosts_own(tmp_path: Path) -> None:
    async with EraServer("modern", "legacy") as server:
        for _ in range(2):
            for era in ERAS:
                assert (await run(era, server.url, home=tmp_path)).result["content"] == RIGHT
        legacy = ["initialize", "notifications/initialized", "tools/call"]
        assert came(server) == ["server/discover", *legacy, "tools/call", *legacy, "tools/call"]
        assert verdicts(tmp_path) == ["legacy modern"]


async def test_each_server_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    async with EraServer("modern") as modern, EraServer("legacy") as legacy:
        for server in (modern, legacy, modern, legacy):
            assert (await run("modern", server.url, home=tmp_path)).result["content"] == RIGHT
        assert len(modern.probes) == len(legacy.probes) == 1
        assert len(verdicts(tmp_path)) == 2


@pytest.mark.parametrize("server_era", ERAS)
@pytest.mark.parametrize("host_era", ERAS)
async def test_a_verdict_that_has_become_wrong_is_mended_and_the_host_sees_nothing_of_it(
    host_era: str, server_era: str, tmp_path: Path
) -> None:
    was = "legacy" if server_era == "modern" else "modern"
    async with EraServer(was) as server:
        await run("modern", server.url, home=tmp_path)
        assert verdicts(tmp_path) == [was]
        server.eras = {server_era}
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        # Of a legacy server, its own `initialize` is proof enough.
        assert verdicts(tmp_path) == [server_era]
        before = len(came(server))
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert "initialize" not in came(server, before) if server_era == "modern" else not server.probes[2:]


@pytest.mark.parametrize("server_era", ERAS)
@pytest.mark.parametrize("host_era", ERAS)
async def test_a_server_may_change_its_era_while_the_host_is_there(
    host_era: str, server_era: str, tmp_path: Path
) -> None:
    was = "legacy" if server_era == "modern" else "modern"
    async with EraServer(was) as server:
        if host_era == "modern":
            async with modern_host(server.url, home=tmp_path) as modern:
                assert (await modern.call("echo", n=0)).result
                server.eras = {server_era}
                server.forget_sessions()
                assert (await modern.call("echo", n=1)).result["content"] == RIGHT
                await leave(modern)
        else:
            async with legacy_host(server.url, home=tmp_path) as legacy:
                assert (await legacy.call("echo", n=0)).result
                server.eras = {server_era}
                server.forget_sessions()
                assert (await legacy.call("echo", n=1)).result["content"] == RIGHT
                await leave(legacy)
        arguments = [request.message["params"]["arguments"]["n"] for request in server.seen("tools/call")]
        assert arguments[0] == 0
        assert verdicts(tmp_path) == [server_era]


@pytest.mark.parametrize("server_era", ERAS)
@pytest.mark.parametrize("told", ERAS)
@pytest.mark.parametrize("host_era", ERAS)
async def test_what_the_user_says_is_not_doubted(host_era: str, told: str, server_era: str, tmp_path: Path) -> None:
    async with EraServer(server_era) as server:
        await run("modern", server.url, home=tmp_path)
        before = len(came(server))
        answer = await run(host_era, server.url, "--protocol", told, home=tmp_path)
        if told == server_era:
            assert answer.result["content"] == RIGHT
        else:
            assert answer.error
        sent = set(came(server, before))
        assert sent.isdisjoint({"initialize"} if told == "modern" else {"server/discover"})
        assert len(server.probes) == 1
        assert verdicts(tmp_path) == [server_era]


TROUBLES: dict[str, Answer] = {
    "page": page(502),
    "unavailable": plain(503, b"later", "text/plain"),
    "unauthorized": plain(401, b"who are you?", "text/plain"),
    "forbidden": plain(403, b"not you", "text/plain"),
    "too-many": plain(429, b"later", "text/plain"),
    "sign-in-page": page(200),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_is_no_verdict(trouble: str, tmp_path: Path) -> None:
    async with EraServer("modern") as server:
        token = ("--header", "Authorization: Bearer mine")
        server.always("POST", TROUBLES[trouble])
        async with modern_host(server.url, *token, home=tmp_path, patience=0.5) as host:
            assert (await host.call("echo", n=1)).error["data"]["source"] == "mcp-remote-bridge"
            assert (await host.call("echo", n=1)).error
            server.always("POST", None)
            assert (await host.call("echo", n=1)).result["content"] == RIGHT, "it is over, and the host is served"
            await leave(host)
        assert verdicts(tmp_path) == ["modern"]


@pytest.mark.parametrize("host_era", ERAS)
async def test_a_server_that_cannot_be_reached_is_asked_again_at_the_next_start(host_era: str, tmp_path: Path) -> None:
    async with EraServer("modern") as server:
        await server.http.stop()
        assert (await run(host_era, server.url, home=tmp_path, patience=0.2)).kind == "unreachable"
        assert verdicts(tmp_path) == []
        await server.http.listen()
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert len(server.probes) == 1
        assert verdicts(tmp_path) == ["modern"]


async def test_an_odd_refusal_makes_a_server_asked_again_and_is_told(tmp_path: Path) -> None:
    async with EraServer("modern") as server, modern_host(server.url, home=tmp_path) as host:
        server.once("tools/call:wild", page(404))
        assert (await host.call("wild")).kind == "http-status"
        assert (await host.call("echo", n=1)).result["content"] == RIGHT
        assert "initialize" not in came(server)


@pytest.mark.parametrize("damage", ["file", "garbage"])
async def test_a_cache_that_cannot_be_used_costs_a_question_and_nothing_else(damage: str, tmp_path: Path) -> None:
    async with EraServer("modern") as server:
        if damage == "file":
            for name in ("cache", "Library", "mcp-remote-bridge"):
                (tmp_path / name).write_text("in the way")
        for count in (1, 2):
            assert (await run("modern", server.url, home=tmp_path)).result["content"] == RIGHT
            assert len(server.probes) == count
            for path in tmp_path.rglob("eras/server-*"):
                path.write_bytes(b"\xff\x00 eras of another kind")
