"""A cancellation goes up, and nothing of that request comes down afterwards."""

import asyncio

import pytest

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.support.servers.fault_answers import closes, events, slow_down
from tests.support.servers.fault_server import Call, FaultServer, event, hold, notification

pytestmark = pytest.mark.anyio


async def cancel(host: BridgeProcess, id: object, reason: str = "the user said so") -> None:  # noqa: A002
    await host.notify("notifications/cancelled", {"requestId": id, "reason": reason})


async def marker(host: BridgeProcess, server: FaultServer) -> None:
    """Everything written before this has arrived when this returns."""
    await (await server.stream()).event(notification("notifications/marker"))
    await host.receive("notifications/marker")
    assert (await host.request("ping")).result == {}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "sse"])
async def test_a_late_answer_stays_up_there(streamed: bool) -> None:
    cancelled, answered = asyncio.Event(), asyncio.Event()

    async def late(call: Call) -> None:
        stream = await call.stream() if streamed else None
        await hold(cancelled)
        try:
            if stream is None:
                await call.json(call.reply({"late": True}))
            else:
                await stream.event(call.reply({"late": True}))
                await stream.finish()
        except OSError:
            pass  # the bridge no longer listens, which is fine
        answered.set()

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        server.once("tools/call:echo", late)
        await host.ask("tools/call", {"name": "echo", "arguments": {}}, id=0)
        await server.until_seen("tools/call")
        await cancel(host, 0)
        seen = await server.until_seen("notifications/cancelled")
        assert seen.message["params"] == {"requestId": 0, "reason": "the user said so"}
        cancelled.set()
        await hold(answered)
        await marker(host, server)
        assert host.answers(0) == []


async def test_a_late_answer_on_the_standing_stream_stays_up_there_too() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        standing = await server.stream()

        async def waits(call: Call) -> None:
            await call.exchange.gone.wait()

        server.once("tools/call:echo", waits)
        await host.ask("tools/call", {"name": "echo", "arguments": {}}, id="x")
        await server.until_seen("tools/call")
        await cancel(host, "x")
        await server.until_seen("notifications/cancelled")
        await standing.event({"jsonrpc": "2.0", "id": "x", "result": {}})
        await marker(host, server)
        assert host.answers("x") == []


async def test_a_cancelled_call_is_not_made_again() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", slow_down(429, "2"))
        first = await host.ask("tools/call", {"name": "echo", "arguments": {"n": 1}})
        await server.until_seen("tools/call")
        await cancel(host, first)
        await server.until_seen("notifications/cancelled")
        server.once("tools/call:read", slow_down(429, "2"))
        assert (await host.call("read")).result
        assert [request.message["params"]["name"] for request in server.seen("tools/call")] == [
            "echo",
            "read",
            "read",
        ]
        assert host.answers(first) == []


async def test_a_cancelled_stream_is_not_resumed() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        server.once("tools/call:echo", events(event(notification("notifications/begun"), id="c1", retry=300)))
        first = await host.ask("tools/call", {"name": "echo", "arguments": {}})
        await host.receive("notifications/begun")
        await cancel(host, first)
        await server.until_seen("notifications/cancelled")
        server.once("tools/call:echo", events(event(id="d1", retry=600)))
        await host.ask("tools/call", {"name": "echo", "arguments": {}})
        await server.until(
            lambda: any(get.header("last-event-id") == "d1" for get in server.seen("GET")),
            "the other resumption",
        )
        assert not [get for get in server.seen("GET") if get.header("last-event-id") == "c1"]
        assert host.answers(first) == []


async def test_a_cancelled_id_may_be_used_again() -> None:
    async def waits(call: Call) -> None:
        await call.exchange.gone.wait()

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", waits)
        await host.ask("tools/call", {"name": "echo", "arguments": {}}, id=5)
        await server.until_seen("tools/call")
        await cancel(host, 5)
        await server.until_seen("notifications/cancelled")
        assert (await host.request("ping", id=5)).result == {}


@pytest.mark.parametrize("id", ["never-asked", None, 12345])
async def test_a_cancellation_of_nothing_goes_up_and_does_no_harm(id: object) -> None:  # noqa: A002
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await host.ask("ping", id="used")
        await host.answer("used")
        await cancel(host, id)
        await cancel(host, "used")
        await host.send({"jsonrpc": "2.0", "method": "notifications/cancelled"})
        await server.until_seen("notifications/cancelled", 3)
        assert (await host.request("ping")).result == {}


async def test_a_cancellation_of_the_server_goes_down() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        await stream.event({"jsonrpc": "2.0", "id": 3, "method": "roots/list"})
        await host.receive("roots/list")
        await stream.event(notification("notifications/cancelled", {"requestId": 3}))
        line = await host.receive("notifications/cancelled")
        assert line.value["params"] == {"requestId": 3}


async def test_a_cancellation_sets_the_other_calls_free_of_nothing() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        ran = asyncio.Event()

        async def waits(call: Call) -> None:
            await hold(ran)
            await call.json(call.reply({"n": call.id}))

        server.always("tools/call:echo", waits)
        for n in range(1, 6):
            await host.ask("tools/call", {"name": "echo", "arguments": {}}, id=n)
        await server.until_seen("tools/call", 5)
        await cancel(host, 3)
        await server.until_seen("notifications/cancelled")
        ran.set()
        for n in (1, 2, 4, 5):
            assert (await host.answer(n)).result == {"n": n}
        await marker(host, server)
        assert host.answers(3) == []


async def test_a_failed_cancellation_is_no_answer() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("notifications/cancelled", closes)
        await cancel(host, 1)
        await server.until_seen("notifications/cancelled")
        assert (await host.request("ping", id="after")).result == {}
        assert [line.value["id"] for line in host.lines] == ["init", "after"]
