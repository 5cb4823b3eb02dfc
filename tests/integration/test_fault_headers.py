"""What the bridge puts on the wire: headers, the standing stream, DELETE."""

import json
import re
from pathlib import Path

import pytest

from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import events, no_stream, page, plain, result
from tests.support.servers.fault_server import JSON, Call, FaultServer, notification

pytestmark = pytest.mark.anyio


def types(accept: str | None) -> set[str]:
    return {part.partition(";")[0].strip() for part in (accept or "").split(",")}


async def test_every_request_carries_the_headers_the_standard_asks_for() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-06-18")
        await server.stream()
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        for request in server.seen("POST"):
            assert types(request.header("accept")) >= {"application/json", "text/event-stream"}
            assert (request.header("content-type") or "").startswith("application/json")
        first, *later = server.http.requests
        assert first.rpc_method == "initialize"
        assert first.header("mcp-protocol-version") == "2025-06-18", "a modern server would look for it"
        assert first.header("mcp-session-id") is None
        assert [request.rpc_method or request.method for request in later[:1]] == ["notifications/initialized"]
        assert {request.header("mcp-session-id") for request in later} == {"session-1"}
        assert {request.header("mcp-protocol-version") for request in later} == {"2025-06-18"}
        (get,) = server.seen("GET")
        assert "text/event-stream" in types(get.header("accept"))
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


@pytest.mark.parametrize("agreed", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_version_header_is_the_one_the_server_agreed_to(agreed: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.version = agreed
        answer = await host.initialize("2025-11-25")
        assert answer.result["protocolVersion"] == agreed
        await host.call("echo")
        sent = server.seen("tools/call")[0].header("mcp-protocol-version")
        assert sent == agreed or (sent is None and agreed < "2025-06-18")  # the first version to ask for it


async def test_initialize_answered_by_a_stream_opens_the_session_as_well() -> None:
    async def streamed(call: Call) -> None:
        server.sessions.append("by-stream")
        stream = await call.stream([("mcp-session-id", "by-stream")])
        result = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "serverInfo": {"name": "s", "version": "1"},
        }
        await stream.event(call.reply(result))
        await stream.finish()

    async with FaultServer() as server, launch(server.url) as host:
        server.once("initialize", streamed)
        await host.initialize()
        assert (await host.request("ping")).result == {}
        assert server.seen("ping")[0].header("mcp-session-id") == "by-stream"


async def test_without_a_session_id_there_is_no_header_and_no_delete() -> None:
    async with FaultServer(stateful=False) as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        assert {request.header("mcp-session-id") for request in server.http.requests} == {None}
        assert server.seen("DELETE") == []


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_notification_may_be_accepted_with_any_success(status: int) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("notifications/initialized", plain(status))
        await host.initialize()
        await server.stream()
        assert (await host.request("ping")).result == {}


async def test_no_standing_stream_is_fine_and_quiet() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("GET", no_stream)
        await host.initialize()
        await server.until_seen("GET")
        for _ in range(5):
            await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        assert len(server.seen("GET")) == 1
        assert not [line for line in host.stderr if re.search(r"\b405\b|warning|error", line)]


@pytest.mark.parametrize("status", [404, 400, 501])
async def test_a_server_that_refuses_the_stream_in_its_own_way_is_still_of_use(status: int) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("GET", page(status))
        await host.initialize()
        await server.until_seen("GET")
        for n in range(5):
            assert (await host.call("echo", n=n)).result
        assert len(server.seen("initialize")) <= 2
        assert len(host.messages("initialize")) == 0


async def test_a_get_that_answers_json_is_no_stream_and_does_no_harm() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("GET", plain(200, b'{"status":"ok"}', JSON))
        await host.initialize()
        await server.until_seen("GET")
        assert (await host.call("echo")).result
        assert all("status" not in line.value for line in host.lines)


async def test_the_stream_opens_only_after_initialized_was_accepted() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        order = [request.rpc_method or request.method for request in server.http.requests]
        assert order.index("GET") > order.index("notifications/initialized")


@pytest.mark.parametrize("status", [400, 404, 405, 500])
async def test_a_refused_delete_changes_nothing(status: int) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.always("DELETE", page(status))
        await host.initialize()
        host.close_stdin()
        assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1


async def test_the_users_own_headers_go_with_every_request() -> None:
    env = {"TOKEN_FOR_TEST": "s3cret"}
    options = ("--header", "Authorization: Bearer ${TOKEN_FOR_TEST}", "--header", "X-Team:blue")
    async with FaultServer() as server, launch(server.url, *options, env=env) as host:
        await host.initialize()
        await server.stream()
        host.close_stdin()
        assert await host.wait() == 0
        assert {request.method for request in server.http.requests} == {"POST", "GET", "DELETE"}
        assert {request.header("authorization") for request in server.http.requests} == {"Bearer s3cret"}
        assert {request.header("x-team") for request in server.http.requests} == {"blue"}
        assert not any("s3cret" in line for line in host.stderr)


async def test_a_batch_of_the_server_comes_down_as_single_lines() -> None:
    def batch(id: int) -> bytes:  # noqa: A002
        first = notification("notifications/message", {"data": id})
        return json.dumps([first, {"jsonrpc": "2.0", "id": id, "result": {"n": id}}]).encode()

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        server.once("vendor/a", plain(200, batch(1), JSON))
        server.once("vendor/b", events(b"data: " + batch(2) + b"\n\n"))
        assert (await host.request("vendor/a", id=1)).result == {"n": 1}
        assert (await host.request("vendor/b", id=2)).result == {"n": 2}
        assert [line.value["params"]["data"] for line in host.messages("notifications/message")] == [1, 2]


async def test_a_secret_that_the_server_quotes_in_an_error_stops_at_the_bridge() -> None:
    quoted = b'{"error":"invalid_token","error_description":"unknown token s3cret-0123456789"}'
    async with FaultServer() as server:
        server.always("initialize", plain(401, quoted, JSON))
        async with launch(server.url, "--header", "Authorization: Bearer s3cret-0123456789") as host:
            said = await host.request("initialize", {})
            assert b"401" in said.raw
            assert b"s3cret" not in said.raw
            assert "401" in await host.stderr_says("initialize")
            assert not any("s3cret" in line for line in host.stderr)


@pytest.mark.parametrize("options", [(), ("--pass-through",)], ids=["mended", "passed through"])
async def test_a_server_of_sessions_that_wants_arguments_in_headers_gets_them(options: tuple[str, ...]) -> None:
    async def compares(call: Call) -> None:
        has_all = call.request.header("mcp-name") == "echo" and call.request.header("mcp-param-said") == "hello"
        reply = call.reply({"content": []}) if has_all else call.failure(-32020, "Header mismatch")
        await call.json(reply, 200 if has_all else 400)

    said = {"type": "string", "x-mcp-header": "Said"}
    marked = {"tools": [{"name": "echo", "inputSchema": {"type": "object", "properties": {"said": said}}}]}
    async with FaultServer() as server, launch(server.url, "--protocol", "legacy", *options) as host:
        server.always("tools/call:echo", compares)
        server.always("tools/list", result(marked))
        await host.initialize()
        answers = [await host.call("echo", said="hello") for _ in range(2)]
        if options:
            assert [answer.error["code"] for answer in answers] == [-32020, -32020]
        else:
            assert [answer.result for answer in answers] == [{"content": []}, {"content": []}]
            assert len(server.seen("tools/call")) == 3


async def test_a_header_file_that_changes_counts_from_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer first\n")
    async with FaultServer() as server, launch(server.url, "--header-file", str(file)) as host:
        await host.initialize()
        new = tmp_path / "new"
        new.write_text("Authorization: Bearer other\nX-Team: blue\n")
        new.replace(file)
        await host.call("echo")
        first, call = server.seen("initialize")[0], server.seen("tools/call")[0]
        assert (first.header("authorization"), first.header("x-team")) == ("Bearer first", None)
        assert (call.header("authorization"), call.header("x-team")) == ("Bearer other", "blue")
