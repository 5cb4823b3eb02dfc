"""A modern host that listens to a modern server: `subscriptions/listen` (MCP 2026-07-28, Subscriptions)."""

import pytest

from tests.support.hosts.era_host import leave, modern_host
from tests.support.process.bridge_process import TOOLS_CHANGED
from tests.support.servers.fault_answers import page, rpc_error
from tests.support.servers.fault_era import SUBSCRIPTION, EraServer
from tests.support.servers.fault_server import Call

pytestmark = pytest.mark.anyio

UPDATED = "notifications/resources/updated"


async def test_what_changes_is_told_on_each_subscription_that_wants_it() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        tools = await host.listen(id=0, toolsListChanged=True)
        resources = await host.listen(id="0", resourceSubscriptions=["file:///a"])
        of_tools, of_resources = await server.listen(1), await server.listen(2)
        assert of_tools.wanted == {"toolsListChanged": True}
        await of_resources.tell(UPDATED, uri="file:///a", more=[1.0])
        assert await host.told(UPDATED) == {"uri": "file:///a", "more": [1.0], "_meta": {SUBSCRIPTION: resources}}
        await of_tools.tell(TOOLS_CHANGED)
        assert await host.told(TOOLS_CHANGED) == {"_meta": {SUBSCRIPTION: tools}}
        assert (await host.call("echo")).result


@pytest.mark.parametrize("loss", ["broken", "cut", "restart"])
async def test_a_subscription_that_is_lost_is_opened_again_and_the_host_sees_nothing_of_it(loss: str) -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        subscription = await host.listen(toolsListChanged=True)
        first = await server.listen()
        if loss == "broken":
            first.stream.drop()
        elif loss == "cut":
            await first.stream.finish()
        else:
            await server.http.stop()
            await server.http.listen()
        again = await server.listen(2)
        assert again.call.id != subscription
        assert again.wanted == first.wanted
        await again.tell(TOOLS_CHANGED)
        assert await host.told(TOOLS_CHANGED) == {"_meta": {SUBSCRIPTION: subscription}}
        await again.end()
        ended = await host.bridge.answer(subscription)
        assert ended.result == {"resultType": "complete", "_meta": {SUBSCRIPTION: subscription}}
        assert len(host.bridge.messages("notifications/subscriptions/acknowledged")) == 1


async def test_a_subscription_that_the_host_cancels_is_left_and_answered() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        kept = await host.listen(promptsListChanged=True)
        left = await host.listen(toolsListChanged=True)
        await host.cancel(left)
        ended = await host.bridge.answer(left)
        assert ended.result == {"resultType": "complete", "_meta": {SUBSCRIPTION: left}}
        await (await server.listen(2)).gone(2)
        assert (await server.listen(1)).open
        await (await server.listen(1)).tell("notifications/prompts/list_changed")
        assert (await host.told("notifications/prompts/list_changed"))["_meta"] == {SUBSCRIPTION: kept}
        # The id is free again.
        assert await host.listen(id=left, toolsListChanged=True) == left


async def test_a_subscription_that_the_server_ends_is_over() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        subscription = await host.listen(toolsListChanged=True)
        await (await server.listen()).end()
        ended = await host.bridge.answer(subscription)
        assert ended.result == {"resultType": "complete", "_meta": {SUBSCRIPTION: subscription}}
        assert (await host.call("echo")).result
        assert len(server.seen("subscriptions/listen")) == 1


async def test_a_subscription_that_is_refused_is_not_asked_for_again() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        assert (await host.call("echo")).result
        server.once("subscriptions/listen", rpc_error(-32601, "Nobody is told anything", 404), page(403))
        wanted = {"notifications": {"toolsListChanged": True}}
        assert (await host.request("subscriptions/listen", wanted)).error["code"] == -32601
        assert (await host.request("subscriptions/listen", wanted)).kind == "http-status"
        assert len(server.seen("subscriptions/listen")) == 2


async def test_what_does_not_belong_on_a_subscription_does_not_reach_the_host() -> None:
    """What the server must not send there is dropped, what is not even MCP with it."""
    async with EraServer() as server, modern_host(server.url) as host:
        await host.listen(toolsListChanged=True)
        listen = await server.listen()
        await listen.stream.event({"jsonrpc": "2.0", "id": 5, "method": "roots/list"})
        await listen.stream.event(b"<html>")
        await listen.stream.event({"jsonrpc": "2.0", "id": "somebody's", "result": {"resultType": "complete"}})
        await listen.acknowledge()
        await listen.tell(TOOLS_CHANGED)
        await host.told(TOOLS_CHANGED)
        assert [line.value["method"] for line in host.bridge.lines] == [
            "notifications/subscriptions/acknowledged",
            TOOLS_CHANGED,
        ]
        assert server.responses() == []


async def test_a_subscription_does_not_keep_the_bridge_from_ending() -> None:
    async with EraServer() as server, modern_host(server.url) as host:
        await host.listen(toolsListChanged=True)
        await leave(host)
        await (await server.listen()).gone()


async def test_a_server_that_goes_down_and_stays_so_is_tried_in_vain_until_it_is_back() -> None:
    async def hold_back(call: Call) -> None:
        await call.exchange.respond(503, b"later", "text/plain")

    async with EraServer() as server, modern_host(server.url, patience=0.5) as host:
        subscription = await host.listen(toolsListChanged=True)
        server.once("subscriptions/listen", hold_back, page(502))
        (await server.listen()).stream.drop()
        again = await server.listen(2)
        await again.tell(TOOLS_CHANGED)
        assert (await host.told(TOOLS_CHANGED))["_meta"] == {SUBSCRIPTION: subscription}
        assert len(server.seen("subscriptions/listen")) == 4
