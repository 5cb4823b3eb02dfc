"""A modern host on a modern server: what goes wrong with a call, and what the host is told (MCP 2026-07-28)."""

import json

import pytest

from tests.support.hosts.era_host import leave, modern_host
from tests.support.servers.fault_answers import closes, events, page, resets, slow_down
from tests.support.servers.fault_era import EraServer, Watched, complete
from tests.support.servers.fault_server import Call, event

pytestmark = pytest.mark.anyio

PROGRESS = {"progressToken": "p", "progress": 0.5, "message": "half"}


async def test_a_request_that_is_lost_goes_again_under_another_id() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        server.once("resources/read", resets, closes)
        answer = await host.request("resources/read", {"uri": "file:///a"}, id=0)
        assert answer.result["contents"][0]["text"] == "a"
        sent = [request.message for request in server.seen("resources/read")]
        assert len(sent) == 3
        assert sent[0]["id"] == 0
        assert len({json.dumps(message["id"]) for message in sent}) == 3
        assert all(message["params"] == sent[0]["params"] for message in sent)


async def test_a_call_that_is_lost_is_not_made_again() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        server.once("tools/call:echo", resets, events(finish=False), events(event(id="7")))
        for _ in range(3):
            answer = await host.call("echo")
            assert answer.kind == "outcome-unknown"
            assert server.url in answer.error["message"]
        assert len(server.seen("tools/call")) == 3
        assert server.seen("GET") == []  # There is nothing to resume, whatever bears an id.
        assert (await host.call("echo", n=1)).result == complete({"n": 1})


@pytest.mark.parametrize("loss", ["cut", "broken"])
async def test_a_call_that_may_be_repeated_is_when_its_stream_ends_early(loss: str) -> None:
    async def cut(call: Call) -> None:
        stream = await call.stream()
        await stream.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": PROGRESS}, id="1")
        if loss == "cut":
            await stream.finish()
        else:
            stream.drop()

    async with EraServer() as server, modern_host(server.url) as host:
        assert (await host.request("tools/list")).result["tools"]
        server.once("tools/call:read", cut)
        asked = await host.begin("read", n=2, meta={"progressToken": "p"})
        assert await host.told("notifications/progress") == PROGRESS
        assert (await host.bridge.answer(asked)).result == complete({"n": 2})
        first, second = server.seen("tools/call")
        assert first.message["id"] == asked != second.message["id"]
        assert second.message["params"] == first.message["params"]


async def test_what_a_stream_brings_comes_before_its_answer_and_no_request_with_it() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        parts = (
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": PROGRESS},
            {"jsonrpc": "2.0", "id": 1, "method": "roots/list", "params": {}},
            {"jsonrpc": "2.0", "id": 1002, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "a"}},
        )
        server.once("tools/call:echo", events(*parts, reply=complete("done")))
        level = {"io.modelcontextprotocol/logLevel": "info"}
        asked = await host.begin("echo", meta={"progressToken": "p", **level})
        assert (await host.bridge.answer(asked)).result == complete("done")
        assert [line.value.get("method") for line in host.bridge.lines] == [
            "notifications/progress",
            "notifications/message",
            None,
        ]
        assert server.responses() == []


@pytest.mark.parametrize("streams", [False, True], ids=["silent", "stream"])
async def test_a_cancellation_closes_the_connection_of_that_call_and_of_no_other(streams: bool) -> None:
    calls = Watched(streams=streams)
    async with EraServer() as server, modern_host(server.url) as host:
        server.always("tools/call:echo", calls)
        asked = [await host.begin("echo", name=str(n)) for n in range(3)]
        await server.until(lambda: len(calls.calls) == 3, "three calls")
        before = len(server.http.requests)
        await host.cancel(asked[1])
        await server.until(lambda: calls.is_left("1"), "the end of the cancelled call's connection", 2)
        assert (await host.call("read")).result
        assert not calls.is_left("0")
        assert not calls.is_left("2")
        for name in ("0", "2"):
            await calls.answer(name, complete(name))
        assert [(await host.bridge.answer(asked[n])).result for n in (0, 2)] == [complete("0"), complete("2")]
        assert [request.rpc_method for request in server.http.requests[before:]] == ["tools/call"]
        assert host.bridge.answers(asked[1]) == []


@pytest.mark.parametrize(
    ("status", "code", "data"),
    [
        (404, -32601, None),
        (400, -32021, {"requiredCapabilities": {"elicitation": {}}}),
        (200, -32602, None),
        (400, -32022, {"supported": ["2027-01-01"], "requested": "2026-07-28"}),
    ],
    ids=["unknown-method", "missing-capability", "in-200", "other-versions"],
)
async def test_an_error_of_the_servers_own_reaches_the_host_as_it_is(status: int, code: int, data: object) -> None:
    error = {"code": code, "message": "No, thank you", **({} if data is None else {"data": data})}

    async def refuse(call: Call) -> None:
        await call.json({"jsonrpc": "2.0", "id": call.id, "error": error}, status)

    async with EraServer() as server, modern_host(server.url) as host:
        assert (await host.call("echo")).result
        server.once("completion/complete", refuse)
        params = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}
        assert (await host.request("completion/complete", params)).error == error
        assert len(server.seen("completion/complete")) == 1
        assert (await host.call("echo")).result


async def test_a_page_instead_of_an_answer_is_named() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        server.once("tools/call:echo", page(200), page(502))
        assert (await host.call("echo")).kind == "not-json"
        failed = await host.call("echo")
        assert failed.kind == "http-status"
        assert "502 Bad Gateway" in failed.error["message"]
        assert (await host.call("echo")).result


async def test_the_server_may_ask_for_time() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        server.once("tools/call:echo", slow_down(503, "1"))
        assert (await host.call("echo", n=1)).result == complete({"n": 1})
        first, second = server.seen("tools/call")
        assert second.at - first.at >= 0.9


async def test_a_restart_of_the_server_is_waited_for() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        assert (await host.call("echo")).result
        await server.http.stop()
        asked = await host.begin("echo", after="the restart")
        await host.bridge.stderr_says("trying again")
        await server.http.listen()
        assert (await host.bridge.answer(asked)).result == complete({"after": "the restart"})
        assert len(server.seen("server/discover")) == 1
        await leave(host)
