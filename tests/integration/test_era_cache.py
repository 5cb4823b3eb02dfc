"""What the bridge finds out about a server's era: how long it is known, and what becomes of it when it is wrong."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts.era_host import ModernHost, at_home, leave, legacy_host, modern_host, verdicts
from tests.support.process.bridge_process import CLIENT_INFO, TOOLS_CHANGED, BridgeProcess, Line, launch
from tests.support.revisions import MODERN
from tests.support.servers.fault_answers import Gate, page, plain, result, rpc_error
from tests.support.servers.fault_era import EraServer, text
from tests.support.servers.fault_server import Answer, Call, notification

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


def either_host(era: str, url: str, *arguments: str, **more: Any) -> AbstractAsyncContextManager[Any]:
    """A host of this era before a bridge; a legacy one has not opened yet."""
    if era == "modern":
        return modern_host(url, *arguments, **more)
    return legacy_host(url, *arguments, opens=False, **more)


async def run(era: str, url: str, *arguments: str, **more: Any) -> Line:
    """One run of a host of this era, from its start to its end; returns the answer to its call."""
    async with either_host(era, url, *arguments, **more) as host:
        answer = await host.call("echo", n=1) if era == "modern" else await speak(host)
        await leave(host)
    return answer


def came(server: EraServer, before: int = 0) -> list[str]:
    """The methods of what the server was sent, in order, without the first `before` of them.

    A legacy host's subscription is left out, and the tools asked for ahead: both come beside the rest.
    """
    methods = [str(request.rpc_method) for request in server.seen("POST")]
    return [method for method in methods if method not in {"subscriptions/listen", "tools/list"}][before:]


def knows(home: Path, era: str) -> bool:
    """Whether the one verdict that is kept is right; a modern server may be taken for one of both eras."""
    (kept,) = verdicts(home)
    return kept == era or (era == "modern" and kept == "legacy modern")


STARTS = {
    ("modern", "modern"): (["server/discover", "tools/call"], 1),
    ("modern", "legacy"): (["server/discover", "initialize", "notifications/initialized", "tools/call"], 1),
    ("legacy", "modern"): (["initialize", "server/discover", "tools/call"], 1),
    ("legacy", "legacy"): (["initialize", "notifications/initialized", "tools/call"], 0),
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


FIRST = {
    "modern": (["server/discover"], ["tools/list", "server/discover"]),
    "legacy": (
        ["server/discover", "initialize", "notifications/initialized"],
        ["tools/list", "server/discover", "initialize", "notifications/initialized", "tools/list"],
    ),
}
"""What a server is sent for a modern host's first request, by its era: for `server/discover`, and for a list."""


@pytest.mark.parametrize("server_era", ERAS)
async def test_a_modern_hosts_own_question_is_the_only_one(server_era: str, tmp_path: Path) -> None:
    async with EraServer(server_era) as server, modern_host(server.url, home=tmp_path) as host:
        assert MODERN in (await host.request("server/discover")).result["supportedVersions"]
        await leave(host)
        assert came(server) == FIRST[server_era][0]
        assert knows(tmp_path, server_era)


@pytest.mark.parametrize("server_era", ERAS)
async def test_a_list_and_the_question_go_up_side_by_side(server_era: str, tmp_path: Path) -> None:
    async with EraServer(server_era) as server, modern_host(server.url, home=tmp_path) as host:
        assert "echo" in str((await host.request("tools/list")).result)
        await leave(host)
        # What comes too late to matter is let go, and may not even have been sent.
        assert set(came(server)) <= set(FIRST[server_era][1])
        assert len(came(server)) <= len(FIRST[server_era][1])
        assert knows(tmp_path, server_era)


async def test_a_server_of_both_eras_is_spoken_to_in_the_hosts_own(tmp_path: Path) -> None:
    async with EraServer("modern", "legacy") as server:
        for _ in range(2):
            for era in ERAS:
                assert (await run(era, server.url, home=tmp_path)).result["content"] == RIGHT
        legacy = ["initialize", "notifications/initialized", "tools/call"]
        assert came(server) == [*legacy, "server/discover", "tools/call", *legacy, "tools/call"]
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
        assert knows(tmp_path, was)
        server.eras = {server_era}
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        # A legacy host on a legacy server does not find out that the server is no longer of both.
        assert knows(tmp_path, server_era) or host_era == server_era == "legacy"
        before = len(server.probes)
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert len(server.probes) == before


@pytest.mark.parametrize("server_era", ERAS)
@pytest.mark.parametrize("host_era", ERAS)
async def test_a_server_may_change_its_era_while_the_host_is_there(
    host_era: str, server_era: str, tmp_path: Path
) -> None:
    was = "legacy" if server_era == "modern" else "modern"
    async with (
        EraServer(was) as server,
        either_host(host_era, server.url, home=tmp_path) as host,
    ):
        assert (await host.call("echo", n=1) if host_era == "modern" else await speak(host)).result
        server.eras = {server_era}
        server.forget_sessions()
        server.streams.clear()
        assert (await host.call("echo", n=1)).result["content"] == RIGHT
        assert (await host.call("echo", n=1)).result["content"] == RIGHT
        if isinstance(host, BridgeProcess):  # It hears of changes as before.
            if server_era == "legacy":
                await (await server.stream()).event(notification(TOOLS_CHANGED))
            else:
                await (await server.listen()).tell(TOOLS_CHANGED)
            await host.receive(TOOLS_CHANGED)
        await leave(host)
        assert knows(tmp_path, server_era)


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
        assert knows(tmp_path, server_era)


TROUBLES: dict[str, Answer] = {
    "page": page(502),
    "unavailable": plain(503, b"later", "text/plain"),
    "unauthorized": plain(401, b"who are you?", "text/plain"),
    "forbidden": plain(403, b"not you", "text/plain"),
    "too-many": plain(429, b"later", "text/plain"),
    "sign-in-page": page(200),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("host_era", ERAS)
async def test_trouble_is_no_verdict(host_era: str, trouble: str, tmp_path: Path) -> None:
    token = ("--header", "Authorization: Bearer mine")
    host: ModernHost | BridgeProcess

    async def attempt() -> Line:
        return await host.call("echo", n=1) if isinstance(host, ModernHost) else await speak(host)

    async with EraServer("modern") as server:
        server.always("POST", TROUBLES[trouble])
        async with either_host(host_era, server.url, *token, home=tmp_path, patience=0.5) as host:
            for _ in range(2):
                assert (await attempt()).error["data"]["source"] == "mcp-remote-bridge"
            assert verdicts(tmp_path) == []
            server.always("POST", None)
            assert (await attempt()).result["content"] == RIGHT, "once it is over, the host is served"
            await leave(host)
        assert knows(tmp_path, "modern")


REFUSALS: dict[str, Answer] = {
    "unknown-method": rpc_error(-32601, "Method not found"),
    "invalid": rpc_error(-32602, "Invalid request parameters", 400),
    "no-page": page(404),
    "no-method": plain(405, b"", "", [("Allow", "GET")]),
    "not-acceptable": plain(406, b"no", "text/plain"),
    "broken": page(500),
    "nothing": plain(202),
    "a-page": page(200),
    "nonsense": result([1, 2]),
    "another-result": result({"seen": "server/discover"}),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_legacy_server_is_known_by_how_it_takes_the_question(refusal: str, tmp_path: Path) -> None:
    async with EraServer("legacy") as server:
        server.always("server/discover", REFUSALS[refusal])
        assert (await run("modern", server.url, home=tmp_path)).result["content"] == RIGHT
        assert verdicts(tmp_path) == ["legacy"]
        assert came(server) == STARTS["modern", "legacy"][0]


async def test_one_process_serves_both_eras_at_the_same_time(tmp_path: Path) -> None:
    async with EraServer("modern") as server, launch(server.url, env=at_home(tmp_path)) as bridge:
        modern = ModernHost(bridge, {})
        assert (await modern.call("echo", n=1)).result["resultType"] == "complete"
        assert "resultType" not in (await speak(bridge)).result
        assert (await modern.call("echo", n=1)).result["resultType"] == "complete"
        assert (await bridge.request("ping")).result == {}


@pytest.mark.parametrize("host_era", ERAS)
async def test_a_server_that_cannot_be_reached_is_asked_again_at_the_next_start(host_era: str, tmp_path: Path) -> None:
    async with EraServer("modern") as server:
        await server.http.stop()
        assert (await run(host_era, server.url, home=tmp_path, patience=0.2)).kind == "unreachable"
        assert verdicts(tmp_path) == []
        await server.http.listen()
        assert (await run(host_era, server.url, home=tmp_path)).result["content"] == RIGHT
        assert len(server.probes) == 1
        assert knows(tmp_path, "modern")


async def test_an_odd_refusal_makes_a_server_asked_again_and_is_told(tmp_path: Path) -> None:
    async with EraServer("modern") as server, modern_host(server.url, home=tmp_path) as host:
        server.once("tools/call:wild", page(404))
        assert (await host.call("wild")).kind == "http-status"
        assert (await host.call("echo", n=1)).result["content"] == RIGHT
        assert "initialize" not in came(server)


async def test_a_server_that_has_gone_back_to_sessions_may_say_so_in_modern_words(tmp_path: Path) -> None:
    async def refuse(call: Call) -> None:
        data = {"supported": ["2025-11-25"], "requested": MODERN}
        error = {"code": -32022, "message": "Not any more", "data": data}
        await call.json({"jsonrpc": "2.0", "id": call.id, "error": error}, 400)

    async with EraServer("modern") as server, modern_host(server.url, home=tmp_path) as host:
        assert (await host.call("echo", n=1)).result
        server.eras = {"legacy"}
        server.once("tools/call:echo", refuse)
        server.once("server/discover", refuse)
        assert (await host.call("echo", n=1)).result["content"] == RIGHT
        assert came(server)[-3:] == ["initialize", "notifications/initialized", "tools/call"]
        await leave(host)
        assert verdicts(tmp_path) == ["legacy"]


@pytest.mark.parametrize("server_era", ERAS)
async def test_all_that_is_asked_before_the_verdict_is_answered_and_what_is_cancelled_is_not_sent(
    server_era: str, tmp_path: Path
) -> None:
    async with EraServer(server_era) as server, modern_host(server.url, home=tmp_path) as host:
        gate = Gate()
        server.once("server/discover", gate)
        asked = [await host.begin("echo", n=n) for n in range(20)]
        await server.until(lambda: gate.waiting, "the question")
        await host.cancel(asked.pop(7))
        gate.open()
        said = [json.loads((await host.bridge.answer(id_)).result["content"][0]["text"])["n"] for id_ in asked]
        assert said == [n for n in range(20) if n != 7]
        sent = [request.message["params"]["arguments"]["n"] for request in server.seen("tools/call")]
        assert sorted(sent) == said


def spoil(home: Path) -> None:
    """Make nonsense of every verdict that is kept."""
    for path in home.rglob("eras/server-*"):
        path.write_bytes(b"\xff\x00 eras of another kind")


@pytest.mark.parametrize("damage", ["file", "garbage"])
async def test_a_cache_that_cannot_be_used_costs_a_question_and_nothing_else(damage: str, tmp_path: Path) -> None:
    if damage == "file":
        for name in ("cache", "Library", "mcp-remote-bridge"):
            (tmp_path / name).write_text("in the way")
    async with EraServer("modern") as server:
        for count in (1, 2):
            assert (await run("modern", server.url, home=tmp_path)).result["content"] == RIGHT
            assert len(server.probes) == count
            spoil(tmp_path)
