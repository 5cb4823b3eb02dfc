"""A modern host on a legacy server: the bridge keeps the sessions that such a server wants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.hosts.era_host import ELICITS, ModernHost, leave, modern_host
from tests.support.process.bridge_process import CLIENT_INFO, TOOLS_CHANGED, Line
from tests.support.revisions import MODERN
from tests.support.servers.fault_answers import events, resets, result
from tests.support.servers.fault_era import LEGACY, QUESTION, SERVER_INFO, SUBSCRIPTION, EraServer, Watched, text
from tests.support.servers.fault_server import Call, notification

pytestmark = pytest.mark.anyio

UPDATED = "notifications/resources/updated"
ANSWER = {"action": "accept", "content": {"name": "A\u00e9"}}


async def retry(host: ModernHost, asked: Line, answer: dict[str, Any] = ANSWER, tool: str = "ask") -> Line:
    """Call again with answers to the questions of a result that wants input."""
    wanted = asked.result["inputRequests"]
    more = {"inputResponses": dict.fromkeys(wanted, answer), "requestState": asked.result["requestState"]}
    return await host.request("tools/call", {"name": tool, "arguments": {}, **more})


def content(answer: Line) -> Any:
    """What a tool said, as JSON."""
    return json.loads(answer.result["content"][0]["text"])


async def test_the_server_is_described_as_a_modern_one() -> None:
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        said = (await host.request("server/discover")).result
        assert MODERN in said["supportedVersions"]
        assert LEGACY not in said["supportedVersions"]
        assert said["capabilities"]["resources"]["subscribe"] is True
        assert said["_meta"]["io.modelcontextprotocol/serverInfo"] == SERVER_INFO
        opened = server.seen("initialize")[0].message["params"]
        assert opened == {"protocolVersion": LEGACY, "capabilities": ELICITS, "clientInfo": CLIENT_INFO}
        listed = (await host.request("tools/list")).result
        assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == ("complete", 0, "private")


async def test_a_question_of_the_servers_is_a_result_that_wants_input() -> None:
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        asked = await host.call("ask")
        assert asked.result["resultType"] == "input_required"
        (question,) = asked.result["inputRequests"].values()
        assert question == {"method": "elicitation/create", "params": QUESTION}
        assert content(await retry(host, asked)) == {"answers": {"name": ANSWER}}
        assert len(server.seen("tools/call")) == len(server.responses()) == 1
        again = await retry(host, asked)
        assert again.error["code"] == -32602, "an answer is good for once"
        assert len(server.seen("tools/call")) == 1


async def test_several_questions_at_once_and_one_after_the_other() -> None:
    async def twice(call: Call) -> None:
        assert isinstance(call.server, EraServer)
        stream = await call.stream()
        told = [await call.server.ask(stream, f"{call.id} {n}", "elicitation/create", QUESTION) for n in range(2)]
        await stream.event(call.reply(text([answer["result"] for answer in told])))
        await stream.finish()

    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        server.always("tools/call:twice", twice)
        begun = [await host.begin("twice") for _ in range(2)]
        first = [await host.bridge.answer(id_) for id_ in begun]
        second = [await retry(host, asked, {"action": "decline"}, "twice") for asked in first]
        assert {line.result["resultType"] for line in second} == {"input_required"}
        for asked in reversed(second):
            assert content(await retry(host, asked, ANSWER, "twice")) == [{"action": "decline"}, ANSWER]
        assert len(server.seen("tools/call")) == 2


async def test_what_changes_is_told_to_whoever_listens() -> None:
    async with EraServer("legacy") as server, modern_host(server.url) as host:
        tools = await host.listen(id=0, toolsListChanged=True)
        both = await host.listen(id="0", toolsListChanged=True, resourceSubscriptions=["file:///a"])
        assert (await server.until_seen("resources/subscribe")).message["params"] == {"uri": "file:///a"}
        stream = await server.stream()
        await stream.event(notification(UPDATED, {"uri": "file:///a"}))
        assert await host.told(UPDATED) == {"uri": "file:///a", "_meta": {SUBSCRIPTION: both}}
        await stream.event(notification(TOOLS_CHANGED))
        told = [(await host.told(TOOLS_CHANGED))["_meta"][SUBSCRIPTION] for _ in range(2)]
        assert sorted(map(str, told)) == ["0", "0"]
        assert tools in told
        assert both in told
        await host.cancel(both)
        ended = await host.bridge.answer(both)
        assert ended.result == {"resultType": "complete", "_meta": {SUBSCRIPTION: both}}
        assert (await server.until_seen("resources/unsubscribe")).message["params"] == {"uri": "file:///a"}


async def test_a_server_that_restarts_is_told_again_what_to_watch() -> None:
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        subscription = await host.listen(resourceSubscriptions=["file:///a"])
        await server.stream()
        server.forget_sessions()
        await server.http.stop()
        await server.http.listen()
        assert content(await host.call("echo", n=1)) == {"n": 1}
        await server.until_seen("resources/subscribe", 2)
        stream = await server.stream(2)
        await stream.event(notification(UPDATED, {"uri": "file:///a"}))
        assert (await host.told(UPDATED))["_meta"] == {SUBSCRIPTION: subscription}
        first, second = server.seen("initialize")
        assert first.message["params"] == second.message["params"]
        assert len(host.bridge.messages("notifications/subscriptions/acknowledged")) == 1


async def test_clients_that_can_do_different_things_have_sessions_of_their_own() -> None:
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        assert content(await host.call("echo", n=1)) == {"n": 1}
        host.capabilities = {}
        assert content(await host.call("echo", n=2)) == {"n": 2}
        host.capabilities = {"elicitation": {"form": {}}, "sampling": {}}
        assert content(await host.call("echo", n=3)) == {"n": 3}
        host.capabilities = ELICITS
        assert content(await host.call("echo", n=4)) == {"n": 4}
        opened = [request.message["params"]["capabilities"] for request in server.seen("initialize")]
        assert opened == [ELICITS, {}, {**ELICITS, "sampling": {}}]
        used = [request.header("mcp-session-id") for request in server.seen("tools/call")]
        assert used[0] == used[3]
        assert len(set(used)) == 3
        await leave(host)
        await server.until_seen("DELETE", 3)
        assert len(server.seen("DELETE")) == 3
        assert server.sessions == []


async def test_a_retry_finds_the_session_that_asked_whatever_the_host_says_of_itself_by_now() -> None:
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        asked = await host.call("ask")
        host.capabilities = {**ELICITS, "sampling": {}}
        assert content(await retry(host, asked)) == {"answers": {"name": ANSWER}}
        assert len(server.seen("initialize")) == 1


@pytest.mark.parametrize("how", ["leaves", "killed"])
async def test_the_host_may_end_with_everything_under_way(how: str) -> None:
    calls = Watched(streams=True)
    async with EraServer("legacy") as server, modern_host(server.url, capabilities=ELICITS) as host:
        server.always("tools/call:same", calls)
        subscription = await host.listen(toolsListChanged=True, resourceSubscriptions=["file:///a"])
        assert (await host.call("ask")).result["resultType"] == "input_required"
        hanging = await host.begin("same", name="a")
        await server.until(lambda: calls.calls, "the call")
        host.capabilities = {}
        assert (await host.call("echo")).result
        if how == "leaves":
            await leave(host)
            assert (await host.bridge.answer(hanging)).kind == "shutdown"
            assert (await host.bridge.answer(subscription)).value
        else:
            host.bridge.process.terminate()
            assert await host.bridge.wait() == 0
        await server.until_seen("DELETE", 2)
        assert len(server.seen("DELETE")) == 2
        assert server.sessions == []


async def test_a_cancelled_call_is_cancelled_at_the_server() -> None:
    calls = Watched(streams=True)
    async with EraServer("legacy") as server, modern_host(server.url) as host:
        server.always("tools/call:echo", calls)
        asked = [await host.begin("echo", name=name) for name in "ab"]
        await server.until(lambda: len(calls.calls) == 2, "both calls")
        await host.cancel(asked[0])
        cancelled = (await server.until_seen("notifications/cancelled")).message["params"]["requestId"]
        assert cancelled == next(call.id for call in calls.calls if call.message["params"]["arguments"]["name"] == "a")
        await calls.answer("b", text("whole"))
        assert content(await host.bridge.answer(asked[1])) == "whole"
        assert host.bridge.answers(asked[0]) == []


async def test_progress_and_log_messages_reach_the_call_that_wants_them() -> None:
    async def tells(call: Call) -> None:
        stream = await call.stream()
        token = call.message["params"]["_meta"]["progressToken"]
        await stream.event(notification("notifications/progress", {"progressToken": token, "progress": 1}))
        for level in ("debug", "error"):
            await stream.event(notification("notifications/message", {"level": level, "data": level}))
        await stream.event(call.reply(text("done")))
        await stream.finish()

    async with EraServer("legacy") as server, modern_host(server.url) as host:
        server.once("tools/call:echo", tells)
        meta = {"progressToken": "p", "io.modelcontextprotocol/logLevel": "warning"}
        asked = await host.begin("echo", meta=meta)
        assert await host.told("notifications/progress") == {"progressToken": "p", "progress": 1}
        assert content(await host.bridge.answer(asked)) == "done"
        assert [line.value["params"]["data"] for line in host.bridge.messages("notifications/message")] == ["error"]
        assert server.seen("logging/setLevel")[0].message["params"] == {"level": "warning"}
        server.once("tools/call:echo", events(notification("notifications/message", {"level": "error", "data": 1})))
        assert (await host.call("echo")).error
        assert len(host.bridge.messages("notifications/message")) == 1, "this call wanted none"


async def test_a_large_result_arrives_as_it_is() -> None:
    inside = b'"' + b"\\u00e9x" * 300_000 + b'"'
    async with EraServer("legacy") as server, modern_host(server.url) as host:
        server.once("tools/call:echo", result(b'{"content":[{"type":"text","text":%b}]}' % inside))
        answer = await host.call("echo")
        assert inside in answer.raw
        assert answer.result["resultType"] == "complete"


async def test_what_is_lost_goes_again_only_where_that_does_no_harm() -> None:
    async with EraServer("legacy") as server, modern_host(server.url) as host:
        server.once("initialize", resets)
        server.once("tools/call:echo", resets)
        assert (await host.call("echo")).kind == "outcome-unknown"
        server.once("resources/read", resets)
        assert (await host.request("resources/read", {"uri": "file:///a"})).result["contents"]
        assert len(server.seen("tools/call")) == 1
        assert len(server.seen("resources/read")) == 2


async def test_a_session_that_cannot_be_opened_fails_what_waits_for_it_and_is_tried_again() -> None:
    async with EraServer("legacy") as server, modern_host(server.url) as host:
        refusal = {"code": -32603, "message": "Not today"}

        async def refuse(call: Call) -> None:
            await call.json({"jsonrpc": "2.0", "id": call.id, "error": refusal})

        server.once("initialize", refuse)
        asked = [await host.begin("echo") for _ in range(3)]
        for id_ in asked:
            assert (await host.bridge.answer(id_)).error["message"] == "Not today"
        assert (await host.call("echo", n=1)).result
