"""A connection lost with no answer: asked again where that is safe, else the outcome is unknown."""

import pytest

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.support.servers.fault_answers import closes, events, resets, short_body
from tests.support.servers.fault_server import Answer, FaultServer

pytestmark = pytest.mark.anyio

LOSSES: dict[str, Answer] = {
    "closed": closes,
    "reset": resets,
    "half": short_body(),
    "stream": events(finish=False),
}

IDEMPOTENT = [
    "ping",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
]


async def learn_tools(host: BridgeProcess) -> None:
    """Let a tools/list pass by, from which the bridge can know the annotations."""
    assert (await host.request("tools/list")).result["tools"]


@pytest.mark.parametrize("method", IDEMPOTENT)
async def test_what_changes_nothing_is_asked_again(method: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once(method, closes, resets)
        assert (await host.request(method, {"uri": "x:y", "name": "n"})).value["result"] is not None
        bodies = {request.body for request in server.seen(method)}
        assert len(server.seen(method)) == 3
        assert len(bodies) == 1


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_tool_call_is_not_run_twice(loss: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await learn_tools(host)
        for tool in ("echo", "wild", "unlisted"):
            server.once(f"tools/call:{tool}", LOSSES[loss])
            answer = await host.call(tool)
            assert answer.kind in ("outcome-unknown", "no-answer")
            if loss in ("closed", "reset"):
                assert answer.kind == "outcome-unknown"
            assert server.url in answer.error["message"]
        assert len(server.seen("tools/call")) == 3
        assert (await host.call("echo")).result


@pytest.mark.parametrize("loss", ["closed", "reset", "stream"])
@pytest.mark.parametrize("tool", ["read", "same"])
async def test_a_tool_that_says_it_is_safe_is_called_again(tool: str, loss: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await learn_tools(host)
        server.once(f"tools/call:{tool}", LOSSES[loss])
        assert (await host.call(tool, n=1)).result["content"][0]["text"] == '{"n": 1}'
        first, second = server.seen("tools/call")
        assert first.body == second.body


async def test_annotations_count_only_once_they_were_seen() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:read", closes)
        assert (await host.call("read")).kind == "outcome-unknown"
        await learn_tools(host)
        server.once("tools/call:read", closes)
        assert (await host.call("read")).result
        assert len(server.seen("tools/call")) == 3


async def test_annotations_in_a_streamed_list_count_too() -> None:
    tools = {"tools": [{"name": "later", "inputSchema": {}, "annotations": {"idempotentHint": True}}]}
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/list", events(reply=tools))
        await learn_tools(host)
        server.once("tools/call:later", resets)
        assert (await host.call("later")).result


async def test_a_tool_that_takes_its_promise_back_is_not_called_again() -> None:
    changed = {"tools": [{"name": "read", "inputSchema": {}, "annotations": {"readOnlyHint": False}}]}
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await learn_tools(host)
        server.once("tools/list", events(reply=changed))
        await learn_tools(host)
        server.once("tools/call:read", closes)
        assert (await host.call("read")).kind == "outcome-unknown"


@pytest.mark.parametrize("method", ["vendor/act", "logging/setLevel", "resources/subscribe"])
async def test_any_other_request_is_answered_once(method: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once(method, closes)
        answer = await host.request(method, {"level": "info", "uri": "x:y"})
        if method == "vendor/act":
            assert answer.kind == "outcome-unknown"
            assert len(server.seen(method)) == 1
        assert (await host.request("ping")).result == {}


async def test_initialize_is_tried_again() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.once("initialize", closes, resets)
        await host.initialize()
        assert (await host.call("echo")).result
        assert len(server.seen("initialize")) == 3


async def test_a_connection_the_server_closed_while_idle_costs_nothing() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        server.http.close_idle = True
        for n in range(10):
            assert (await host.call("echo", n=n)).result["content"][0]["text"] == f'{{"n": {n}}}'
            # One that is closed while a call is on its way to it is another matter: nobody knows what became of that.
            await server.until(lambda: server.http.open_connections <= 1, "but the stream's connection gone")
        assert len(server.seen("tools/call")) == 10


async def test_every_pooled_connection_gone_at_once_costs_nothing() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        for _ in range(3):
            for id in [await host.ask("ping") for _ in range(6)]:  # noqa: A001
                await host.answer(id)
            server.http.drop_connections()
            await server.until(lambda: not server.http.open_connections, "no connection open")
            assert (await host.request("ping")).result == {}
        assert (await host.call("echo")).result


async def test_a_call_that_never_left_is_made_when_the_server_is_back() -> None:
    async with FaultServer() as server, launch(server.url, patience=20) as host:
        await host.initialize()
        await server.stream()
        await server.http.stop()
        id = await host.ask("tools/call", {"name": "echo", "arguments": {"n": 1}})  # noqa: A001
        await host.notify("notifications/vendor")
        await server.http.listen()
        assert (await host.answer(id)).result["content"][0]["text"] == '{"n": 1}'
        assert len(server.seen("tools/call")) == 1


async def test_a_restart_that_refuses_a_while_and_then_cuts_off_costs_a_read_nothing() -> None:
    async with FaultServer() as server, launch(server.url, patience=20) as host:
        await host.initialize()
        await server.stream()
        await server.http.stop()
        id = await host.ask("resources/read", {"uri": "x:y"})  # noqa: A001
        await host.stderr_says(server.url)
        server.http.slam = 2
        server.once("resources/read", closes)
        await server.http.listen()
        assert (await host.answer(id)).result == {"seen": "resources/read"}


async def test_a_call_to_a_server_that_stays_away_is_one_error() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        await server.http.stop()
        ids = [await host.ask("tools/call", {"name": tool, "arguments": {}}) for tool in ("echo", "read")]
        ids.append(await host.ask("ping"))
        for id in ids:  # noqa: A001
            answer = await host.answer(id)
            assert answer.kind == "unreachable"
            assert server.url in answer.error["message"]
        await server.http.listen()
        assert (await host.call("echo")).result


async def test_a_server_that_slams_the_door_runs_a_call_at_most_once() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.http.close_idle = True
        await host.request("ping")
        server.http.slam = 1
        answer = await host.call("echo")
        assert "result" in answer.value or answer.kind == "outcome-unknown"
        assert len(server.seen("tools/call")) <= 1
        assert (await host.call("echo")).result


async def test_a_read_that_is_always_cut_off_ends_in_one_error() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        server.always("resources/read", closes)
        answer = await host.request("resources/read", {"uri": "x:y"})
        assert answer.kind in ("no-answer", "outcome-unknown", "unreachable")
        assert 2 <= len(server.seen("resources/read")) <= 20
        assert (await host.request("ping")).result == {}


async def test_many_at_once_are_each_answered_once_when_everything_breaks() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await learn_tools(host)
        server.once(
            "POST",
            *[answer for answer in (closes, resets, short_body(), events(finish=False)) for _ in range(4)],
        )
        ids = []
        for n in range(12):
            ids.append(await host.ask("tools/call", {"name": "wild" if n % 2 else "read", "arguments": {"n": n}}))
            ids.append(await host.ask("ping"))
        for id in ids:  # noqa: A001
            await host.answer(id)
        counts: dict[int, int] = {}
        for request in server.seen("tools/call"):
            if request.message["params"]["name"] == "wild":
                counts[request.message["id"]] = counts.get(request.message["id"], 0) + 1
        assert set(counts.values()) == {1}
