"""A session the server no longer knows is opened again, unseen by the host."""

import pytest

from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import Gate, page, plain, rpc_error
from tests.support.servers.fault_server import JSON, Answer, Call, FaultServer, notification

pytestmark = pytest.mark.anyio

LINE = (
    b'{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{"roots":{"x":1e400}},"clientInfo":{"name":"H","version":"1"}}}\n'
)


async def bad_session(call: Call) -> None:
    if call.request.header("mcp-session-id") in call.server.sessions:
        await call.server.behave(call)
    else:
        error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
        await call.json({"jsonrpc": "2.0", "id": None, "error": error}, 400)


@pytest.mark.parametrize("status", [404, 400])
async def test_eight_calls_at_once_meet_a_lost_session_and_all_are_answered(status: int) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        host.asked.append('"init"')
        await host.send(LINE)
        await host.answer("init")
        await host.notify("notifications/initialized", {"_meta": {"odd": 1}})
        old = await server.stream()
        refused = Gate(bad_session if status == 400 else None)
        server.once("tools/call:echo", *[refused] * 8)
        server.forget_sessions()
        ids = [await host.ask("tools/call", {"name": "echo", "arguments": {"n": n}}) for n in range(8)]
        await server.until(lambda: refused.waiting == 8, "eight calls in flight")
        refused.open()
        for n, id in enumerate(ids):  # noqa: A001
            answer = await host.answer(id)
            assert answer.result["content"][0]["text"] == f'{{"n": {n}}}'
        first, second = server.seen("initialize")
        assert second.body == first.body
        assert second.header("mcp-session-id") is None
        said = server.seen("notifications/initialized")
        assert len(said) == 2
        assert said[1].body == said[0].body
        assert said[1].header("mcp-session-id") == "session-2"
        assert len(server.seen("tools/call")) == 16
        assert len(host.answers("init")) == 1
        new = await server.stream(2)
        assert new.exchange.request.header("mcp-session-id") == "session-2"
        await new.event(notification("notifications/marker"))
        await host.receive("notifications/marker")
        await server.until(lambda: not old.open, "the old stream closed")


async def test_the_next_loss_is_healed_as_well_and_the_last_session_is_deleted() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for n in range(2, 5):
            server.forget_sessions()
            assert (await host.call("echo")).result
            assert server.sessions == [f"session-{n}"]
        host.close_stdin()
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert [request.header("mcp-session-id") for request in server.seen("DELETE")] == ["session-4"]


async def test_the_standing_stream_alone_notices_a_lost_session() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        server.forget_sessions()
        stream.drop()
        assert (await host.call("echo")).result
        again = await server.stream(2)
        assert again.exchange.request.header("mcp-session-id") == server.sessions[-1]
        assert len(server.seen("initialize")) == 2


async def test_a_notification_and_a_response_meet_a_lost_session() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await (await server.stream()).event({"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
        await host.receive("roots/list")
        server.forget_sessions()
        await host.notify("notifications/roots/list_changed")
        await server.until_seen("notifications/roots/list_changed")
        assert (await host.call("echo")).result
        assert len(server.seen("initialize")) == 2


async def test_a_server_that_cannot_open_a_new_session_now_is_one_error_then_works_again() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        server.forget_sessions()
        server.always("initialize", page(500))
        ids = [await host.ask("tools/call", {"name": "echo", "arguments": {}}) for _ in range(4)]
        for id in ids:  # noqa: A001
            answer = await host.answer(id)
            assert answer.kind in ("session-lost", "http-status")
            assert answer.error["data"]["url"] == server.url
        server.always("initialize", None)
        assert (await host.call("echo")).result


@pytest.mark.parametrize("refused", ["initialize", "initialized"])
async def test_the_servers_own_refusal_of_the_replay_is_told_as_one_error(refused: str) -> None:
    key = "initialize" if refused == "initialize" else "notifications/initialized"
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        await server.stream()
        server.forget_sessions()
        server.always(key, rpc_error(-32602, "no more clients") if refused == "initialize" else page(403))
        answer = await host.call("echo")
        if refused == "initialize":
            assert answer.kind == "session-lost"
        server.always(key, None)
        assert (await host.call("echo")).result


async def test_a_server_that_forgets_every_session_at_once_does_not_run_the_bridge_in_circles() -> None:
    async def forgetful(call: Call) -> None:
        await call.server.no_session(call)

    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        await server.stream()
        server.always("tools/call:echo", forgetful)
        for _ in range(3):
            answer = await host.call("echo")
            assert "error" in answer.value
        assert len(server.seen("initialize")) <= 4
        assert len(server.seen("tools/call")) <= 6
        server.always("tools/call:echo", None)
        assert (await host.call("echo")).result


NOT_FOUND: dict[str, Answer] = {
    "page": page(404),
    "json": plain(404, b'{"detail":"Not Found"}', JSON),
    "empty": plain(404),
}


@pytest.mark.parametrize("answer", NOT_FOUND.values(), ids=NOT_FOUND)
async def test_404_without_a_session_is_an_error_of_its_own(answer: Answer) -> None:
    async with FaultServer(stateful=False) as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", answer)
        line = await host.call("echo")
        assert line.kind == "http-status"
        assert line.error["data"]["status"] == 404
        assert len(server.seen("initialize")) == 1
        assert (await host.call("echo")).result


async def test_400_that_is_not_about_the_session_does_not_lose_it() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", plain(400, b"bad arguments", "text/plain"))
        assert (await host.call("echo")).kind == "http-status"
        assert (await host.call("echo")).result
        assert len(server.seen("initialize")) == 1


async def test_a_changed_session_in_a_restart_while_a_call_runs() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        gate = Gate()
        server.once("tools/call:echo", gate)
        await host.ask("tools/call", {"name": "echo", "arguments": {}}, id=1)
        await server.until(lambda: gate.waiting, "the call at the server")
        await server.http.stop()
        server.forget_sessions()
        await server.http.listen()
        assert (await host.answer(1)).kind == "outcome-unknown"
        assert (await host.call("echo")).result
        assert len(server.seen("initialize")) == 2
