"""A legacy host on a modern server: its session is the bridge's, and each request goes up by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.hosts.era_host import ELICITS, handshake, leave, legacy_host
from tests.support.process.bridge_process import CLIENT_INFO, BridgeProcess, launch
from tests.support.revisions import Wire
from tests.support.servers.fault_answers import events, resets, result, slow_down
from tests.support.servers.fault_era import LEGACY, QUESTION, SERVER_INFO, STATE, EraServer, Watched, complete, text
from tests.support.servers.fault_server import notification

pytestmark = pytest.mark.anyio

UPDATED = "notifications/resources/updated"
LEVEL = "io.modelcontextprotocol/logLevel"


async def reply(host: BridgeProcess, answer: dict[str, Any]) -> None:
    """Answer the question that came down last."""
    question = await host.receive("elicitation/create")
    assert question.value["params"] == QUESTION
    await host.send({"jsonrpc": "2.0", "id": question.value["id"], "result": answer})


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2024-11-05"),
        ("1999-01-01", "2025-11-25"),
    ],
)
async def test_the_handshake_is_answered_in_the_hosts_version(wanted: str, given: str) -> None:
    async with EraServer() as server, launch(server.url, "--protocol", "modern", wire=Wire(given)) as host:
        said = await handshake(host, version=wanted)
        assert said["protocolVersion"] == given
        assert said["serverInfo"] == SERVER_INFO
        assert said["capabilities"]["tools"] == {"listChanged": True}
        assert (await host.request("tools/list")).result["tools"]
        assert (await host.call("echo", n=1)).result == text({"n": 1})
        await leave(host)
        assert server.seen("DELETE") == server.seen("GET") == server.seen("initialize") == []


async def test_a_call_that_needs_to_know_something_asks_the_host() -> None:
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        answer = {"action": "accept", "content": {"name": "A\u00e9\u2028"}}
        asked = await host.ask("tools/call", {"name": "ask", "arguments": {"n": 1}})
        await reply(host, answer)
        told = (await host.answer(asked)).result
        assert told == text({"answers": {"name": answer}, "state": STATE})
        first, second = (request.message for request in server.seen("tools/call"))
        assert first["id"] != second["id"]
        assert second["params"]["arguments"] == {"n": 1}


async def test_rounds_of_several_calls_do_not_get_mixed_up() -> None:
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        asked = [await host.ask("tools/call", {"name": "ask", "arguments": {}}) for _ in range(3)]
        questions = [await host.receive("elicitation/create") for _ in asked]
        for question in reversed(questions):
            await host.send({"jsonrpc": "2.0", "id": question.value["id"], "result": {"action": "decline"}})
        for id_ in asked:
            told = (await host.answer(id_)).result
            assert told == text({"answers": {"name": {"action": "decline"}}, "state": STATE})
        assert len(server.seen("tools/call")) == 6


async def test_what_only_a_session_knows_is_answered_by_the_bridge() -> None:
    async with EraServer() as server, legacy_host(server.url) as host:
        await server.listen()
        before = len(server.http.requests)
        assert (await host.request("ping")).result == {}
        assert (await host.request("logging/setLevel", {"level": "info"})).result == {}
        assert len(server.http.requests) == before
        note = notification("notifications/message", {"level": "info", "data": "a"})
        server.once("tools/call:echo", events(note, reply=complete("done")))
        assert (await host.call("echo")).result == text("done")
        assert host.messages("notifications/message")
        assert server.seen("tools/call")[0].message["params"]["_meta"][LEVEL] == "info"


async def test_what_the_host_subscribes_to_is_one_subscription_that_is_kept_current() -> None:
    async with EraServer() as server, legacy_host(server.url) as host:
        first = await server.listen()
        lists = {"toolsListChanged": True, "resourcesListChanged": True}
        assert first.wanted == lists
        await first.tell("notifications/tools/list_changed")
        assert "params" not in (await host.receive("notifications/tools/list_changed")).value
        assert (await host.request("resources/subscribe", {"uri": "file:///a"})).result == {}
        second = await server.listen(2)
        assert second.wanted == {**lists, "resourceSubscriptions": ["file:///a"]}
        await first.gone(2)
        await second.tell(UPDATED, uri="file:///a")
        assert (await host.receive(UPDATED)).value["params"] == {"uri": "file:///a"}
        second.stream.drop()
        third = await server.listen(3)
        assert third.wanted == second.wanted
        await third.tell(UPDATED, uri="file:///a")
        assert (await host.receive(UPDATED)).value["params"] == {"uri": "file:///a"}
        assert (await host.request("resources/unsubscribe", {"uri": "file:///a"})).result == {}
        assert (await server.listen(4)).wanted == lists
        await third.gone(2)
        assert host.messages("notifications/subscriptions/acknowledged") == []
        await leave(host)
        await (await server.listen(4)).gone()


async def test_a_cancellation_closes_the_connection_of_the_call() -> None:
    calls = Watched(streams=True)
    async with EraServer() as server, legacy_host(server.url) as host:
        server.always("tools/call:echo", calls)
        asked = [await host.ask("tools/call", {"name": "echo", "arguments": {"name": name}}) for name in "ab"]
        await server.until(lambda: len(calls.calls) == 2, "both calls")
        await host.notify("notifications/cancelled", {"requestId": asked[0], "reason": "enough"})
        await server.until(lambda: calls.is_left("a"), "the end of the cancelled call", 2)
        assert not calls.is_left("b")
        await calls.answer("b", complete("whole"))
        assert (await host.answer(asked[1])).result == text("whole")
        assert host.answers(asked[0]) == []


async def test_a_cancellation_between_two_rounds_takes_the_question_back() -> None:
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        asked = await host.ask("tools/call", {"name": "ask", "arguments": {}})
        question = (await host.receive("elicitation/create")).value
        await host.notify("notifications/cancelled", {"requestId": asked})
        taken_back = (await host.receive("notifications/cancelled")).value["params"]
        assert taken_back["requestId"] == question["id"]
        await host.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}})
        assert (await host.call("echo", n=1)).result == text({"n": 1})
        assert host.answers(asked) == []
        assert len(server.seen("tools/call")) == 2


async def test_a_large_result_arrives_as_it_is() -> None:
    inside = b'"' + b"\\u00e9x" * 300_000 + b'"'
    body = b'{"resultType":"complete","content":[{"type":"text","text":%b}]}' % inside
    async with EraServer() as server, legacy_host(server.url) as host:
        server.once("tools/call:echo", result(body))
        answer = await host.call("echo")
        assert inside in answer.raw
        assert "resultType" not in answer.result


async def test_a_call_that_is_lost_is_not_made_again_and_a_list_is_asked_for_again() -> None:
    async with EraServer() as server, legacy_host(server.url, "--no-cache") as host:
        server.once("tools/call:echo", resets)
        assert (await host.call("echo")).kind == "outcome-unknown"
        server.once("tools/list", resets, slow_down(503, "1"))
        assert (await host.request("tools/list")).result["tools"]
        assert len(server.seen("tools/call")) == 1
        assert len(server.seen("tools/list")) == 3


async def test_a_round_that_is_lost_on_its_way_up_is_an_unknown_outcome() -> None:
    """The tool may have run with the answers; asking the host the same again would be wrong."""
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        server.once("tools/call:ask", server.behave, resets)
        asked = await host.ask("tools/call", {"name": "ask", "arguments": {}})
        await reply(host, {"action": "accept", "content": {"name": "A"}})
        assert (await host.answer(asked)).kind == "outcome-unknown"
        assert len(server.seen("tools/call")) == 2


async def test_the_host_may_leave_in_the_middle_of_a_round() -> None:
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        asked = await host.ask("tools/call", {"name": "ask", "arguments": {}})
        await host.receive("elicitation/create")
        await leave(host)
        assert (await host.answer(asked)).kind == "shutdown"
        assert len(server.seen("tools/call")) == 1


async def test_a_batch_is_answered_one_by_one() -> None:
    async with EraServer() as server, launch(server.url, "--protocol", "modern", wire=Wire("2025-03-26")) as host:
        await handshake(host, version="2025-03-26")
        batch = [
            {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "echo", "arguments": {}}},
            {"jsonrpc": "2.0", "id": "b", "method": "ping"},
        ]
        host.asked += ['"a"', '"b"']
        await host.send(batch)
        assert (await host.answer("a")).result == text({})
        assert (await host.answer("b")).result == {}


async def test_a_restart_of_the_server_is_waited_for() -> None:
    async with EraServer() as server, legacy_host(server.url) as host:
        await server.listen()
        await server.http.stop()
        asked = await host.ask("tools/call", {"name": "echo", "arguments": {"n": 1}})
        await host.stderr_says("trying again")
        await server.http.listen()
        assert (await host.answer(asked)).result == text({"n": 1})
        again = await server.listen(2)
        await again.tell("notifications/tools/list_changed")
        await host.receive("notifications/tools/list_changed")
        assert [request.message["params"]["protocolVersion"] for request in server.seen("initialize")] == [LEGACY]


async def test_the_host_may_open_again() -> None:
    async with EraServer() as server, legacy_host(server.url, capabilities=ELICITS) as host:
        first = await server.listen()
        asked = await host.ask("tools/call", {"name": "ask", "arguments": {}})
        await host.receive("elicitation/create")
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT_INFO}
        assert (await host.request("initialize", params)).result["serverInfo"] == SERVER_INFO
        await host.notify("notifications/initialized")
        assert (await host.answer(asked)).error
        await first.gone()
        await server.listen(2)
        assert (await host.call("ask")).error, "this time it did not say that it can be asked"
