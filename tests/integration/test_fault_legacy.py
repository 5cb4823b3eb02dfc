"""Legacy HTTP+SSE servers are found by the standard's rule and served the same."""

from typing import Any

import pytest

from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import page
from tests.support.servers.fault_http import Exchange
from tests.support.servers.fault_http_sse import LegacyServer
from tests.support.servers.fault_server import FaultServer, event, notification

pytestmark = pytest.mark.anyio

PARAMS = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"roots": {}},
    "clientInfo": {"name": "h", "version": "1"},
}


@pytest.mark.parametrize("refusal", [400, 404, 405])
async def test_a_refused_post_leads_to_the_stream(refusal: int) -> None:
    async with LegacyServer(refusal) as server, launch(server.url) as host:
        answer = await host.initialize()
        assert answer.result["protocolVersion"] == "2024-11-05"
        assert (await host.call("echo", n=1)).result["content"][0]["text"] == '{"n": 1}'
        assert len(server.streams) == 1
        assert server.posts("initialize")[0].message["params"]["capabilities"] == {}
        host.close_stdin()
        assert await host.wait() == 0
        assert not [request for request in server.http.requests if request.method == "DELETE"]


@pytest.mark.parametrize("refusal", [403, 500, 502])
async def test_any_other_refusal_is_no_legacy_server(refusal: int) -> None:
    async with LegacyServer(refusal) as server, launch(server.url, patience=1) as host:
        answer = await host.request("initialize", PARAMS)
        assert answer.error["data"]["status"] == refusal
        assert server.streams == []


async def test_transport_sse_asks_no_questions() -> None:
    async with LegacyServer() as server, launch(server.url, "--transport", "sse") as host:
        await host.initialize()
        assert (await host.call("echo")).result
        assert server.http.requests[0].method == "GET"
        assert not [r for r in server.http.requests if r.method == "POST" and r.path == "/sse"]


async def test_transport_http_never_tries_the_stream() -> None:
    async with LegacyServer() as server, launch(server.url, "--transport", "http", patience=1) as host:
        answer = await host.request("initialize", PARAMS)
        assert answer.error["data"]["status"] == 405
        assert server.url in answer.error["message"]
        assert server.streams == []


async def test_a_page_that_is_neither_is_one_error() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        server.always("POST", page(404))
        server.always("initialize", page(404))
        server.always("GET", page(404))
        answer = await host.request("initialize", PARAMS)
        assert server.url in answer.error["message"]
        assert "404" in answer.error["message"]


ENDPOINTS = [
    "/messages/?session={n}",
    "messages/?session={n}",
    "{origin}/messages/?session={n}",
    "../messages/?s={n}",
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_the_endpoint_is_resolved_against_the_url(endpoint: str) -> None:
    async with LegacyServer(endpoint=endpoint) as server, launch(server.url) as host:
        await host.initialize()
        assert (await host.request("vendor/x")).result == {"seen": "vendor/x"}


@pytest.mark.parametrize(
    "endpoint", ["http://localhost:1/messages/", "https://elsewhere.invalid/messages/", "//evil.invalid/"]
)
async def test_an_endpoint_of_another_origin_is_refused(endpoint: str) -> None:
    async with LegacyServer(endpoint=endpoint) as server, launch(server.url, patience=1) as host:
        answer = await host.request("initialize", PARAMS)
        assert answer.error["data"]["source"] == "mcp-remote-bridge"
        assert server.posts() == []


async def test_an_endpoint_on_another_port_gets_no_credentials() -> None:
    async with LegacyServer() as other:
        endpoint = f"{other.http.origin}/messages/?session=1"
        async with LegacyServer(endpoint=endpoint) as server:
            async with launch(server.url, "--header", "Authorization: Bearer s3cret", patience=1) as host:
                answer = await host.request("initialize", PARAMS)
                assert "error" in answer.value
            assert other.http.connections == 0


async def test_everything_passes_both_ways() -> None:
    async with LegacyServer() as server, launch(server.url, "--header", "X-Key: k") as host:
        await host.initialize()
        line = b'{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"n":1e400}}'
        await server.streams[-1].chunk(b": ping\r\n\r\n" + event(line))
        asked = await host.receive("sampling/createMessage")
        assert b'"params":{"n":1e400}' in asked.raw
        await host.send(b'{"jsonrpc":"2.0","id":1,"result":{"n":123456789012345678901234567890}}\n')
        await server.http.bell.until(lambda: server.posts(None)[-1].message.get("id") == 1, "the response")
        assert b'{"n":123456789012345678901234567890}' in server.posts()[-1].body
        await server.say(notification("notifications/x"))
        await host.receive("notifications/x")
        assert {request.header("x-key") for request in server.http.requests} == {"k"}


async def test_a_refused_message_is_one_error() -> None:
    async def refuse(server: LegacyServer, exchange: Exchange, message: Any) -> bool:
        if message.get("method") == "tools/call":
            await exchange.respond(500, b"<html>", "text/html")
            return True
        return False

    async with LegacyServer(hook=refuse) as server, launch(server.url) as host:
        await host.initialize()
        answer = await host.call("echo")
        assert answer.kind == "http-status"
        assert answer.error["data"]["status"] == 500
        assert (await host.request("ping")).result


async def test_calls_in_flight_are_answered_when_the_stream_breaks_and_the_next_one_works() -> None:
    async def swallow(server: LegacyServer, exchange: Exchange, message: Any) -> bool:
        if message.get("method") == "tools/call" and len(server.streams) == 1:
            await exchange.respond(202)
            server.streams[0].reset()
            return True
        return False

    async with LegacyServer(hook=swallow) as server, launch(server.url) as host:
        await host.initialize()
        assert (await host.call("echo")).kind in ("outcome-unknown", "no-answer")
        assert (await host.call("echo", deadline=15)).result
        assert len(server.posts("initialize")) == 2
        assert server.posts("initialize")[0].body == server.posts("initialize")[1].body
        assert len(server.posts("notifications/initialized")) == 2


async def test_a_late_answer_after_a_cancellation_stays_up_there() -> None:
    async def swallow(server: LegacyServer, exchange: Exchange, message: Any) -> bool:
        if message.get("method") == "vendor/slow":
            await exchange.respond(202)
            return True
        return False

    async with LegacyServer(hook=swallow) as server, launch(server.url) as host:
        await host.initialize()
        await host.ask("vendor/slow", id=9)
        await server.http.bell.until(lambda: server.posts("vendor/slow"), "the call")
        await host.notify("notifications/cancelled", {"requestId": 9})
        await server.http.bell.until(lambda: server.posts("notifications/cancelled"), "the cancellation")
        await server.say({"jsonrpc": "2.0", "id": 9, "result": {}})
        await server.say(notification("notifications/marker"))
        await host.receive("notifications/marker")
        assert host.answers(9) == []


async def test_a_stream_without_an_endpoint_is_one_error() -> None:
    async with FaultServer() as server, launch(server.url, "--transport", "sse", patience=1) as host:
        answer = await host.request("initialize", PARAMS, deadline=20)
        assert server.url in answer.error["message"]
