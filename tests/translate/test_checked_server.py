"""The middleware that checks a server's traffic: it sees each message, in any pieces, and changes nothing."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Sequence

import anyio
import pytest
import uvicorn
from mcp.client.client import Client
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.process.bridge_process import launch
from tests.support.revisions import MODERN, Wire
from tests.support.servers.checked_server import check_server_side
from tests.support.servers.fault_http import DEADLINE
from tests.support.servers.reference_server import TEXT, build
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

LEGACY = "2025-11-25"
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
PONG = b'{"jsonrpc":"2.0","id":1,"result":{}}'
STRANGE = b'{"jsonrpc":"2.0","id":2,"result":{}}'
ASKING = b'{"jsonrpc":"2.0","id":"r","method":"roots/list"}'
JSON = "application/json; charset=utf-8"
EVENTS = "text/event-stream"


async def exchange(wire: Wire, asked: Sequence[bytes], kind: str, answered: Sequence[bytes]) -> None:
    """One request and its response through the middleware, in these chunks."""

    def chunks(type_: str, parts: Sequence[bytes]) -> list[Message]:
        return [{"type": type_, "body": part, "more_body": n < len(parts)} for n, part in enumerate(parts, 1)]

    answer: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]},
        *chunks("http.response.body", answered),
    ]
    to_read = chunks("http.request", asked)
    read: list[Message] = []
    sent: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        read.extend([await receive() for _ in asked])
        for message in answer:
            await send(message)

    queue = iter(to_read)

    async def receive() -> Message:
        return next(queue)

    async def send(message: Message) -> None:
        sent.append(message)

    await check_server_side(wire)(app)({"type": "http"}, receive, send)
    assert (read, sent) == (to_read, answer)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
async def test_each_event_is_seen_however_it_is_cut(size: int, end: bytes) -> None:
    wire = Wire(LEGACY)
    events = [b"id: e-1", b"data:", b"", b": hello", b"", b"event: message", b"data: " + ASKING, b"", b"data:" + PONG]
    stream = end.join([*events, b"", b"data: " + STRANGE, b"", b""])
    await exchange(wire, cut(PING, size), EVENTS, cut(stream, size))
    assert len(wire.faults) == 1
    assert "the client sent no request with this id" in wire.faults[0]
    wire.from_client(b'{"jsonrpc":"2.0","id":"r","result":{"roots":[]}}')


@pytest.mark.parametrize("answer", [PONG, STRANGE], ids=["valid", "not-valid"])
async def test_a_json_answer_is_seen_as_a_whole(answer: bytes) -> None:
    wire = Wire(LEGACY)
    await exchange(wire, cut(PING, 5), JSON, cut(answer, 5))
    if answer == PONG:
        wire.check()
    else:
        with pytest.raises(AssertionError, match="1 messages are not valid"):
            wire.check()


async def test_what_carries_no_message_is_not_looked_at() -> None:
    wire = Wire(LEGACY)
    await exchange(wire, [b""], "text/html", [b"<p>"])
    await exchange(wire, [b""], JSON, [b""])
    await exchange(wire, [b""], EVENTS, [b"event: endpoint\ndata: /messages\n\n"])
    assert wire.faults == []
    with pytest.raises(AssertionError, match="nothing was checked"):
        wire.check()


async def test_a_cancellation_over_http_closes_the_stream() -> None:
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    for revision, faults in ((LEGACY, 0), (MODERN, 1)):
        wire = Wire(revision)
        await exchange(wire, [note.encode()], JSON, [b""])
        assert len(wire.faults) == faults


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The app on a port of its own, in this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True


async def test_a_legacy_session_through_the_bridge_is_valid_on_both_sides() -> None:
    host_side, server_side = Wire(LEGACY), Wire(LEGACY, probes=True)
    app = build().streamable_http_app(json_response=False, stateless_http=False)
    with anyio.fail_after(stretched(4 * DEADLINE)):
        async with serving(check_server_side(server_side)(app)) as url, launch(url, wire=host_side) as bridge:
            await bridge.initialize()
            assert (await bridge.request("tools/list")).result["tools"]
            await bridge.ask("tools/call", {"name": "ping-host", "arguments": {}}, id="call")
            ping = await bridge.receive("ping")
            await bridge.send({"jsonrpc": "2.0", "id": ping.value["id"], "result": {}})
            assert (await bridge.answer("call")).result["content"]
            with pytest.raises(AssertionError, match="resources/read"):
                await bridge.request("resources/read", {})
            host_side.faults.clear()
    host_side.check()
    server_side.check()


@pytest.mark.parametrize(("revision", "mode"), [(LEGACY, "legacy"), (MODERN, MODERN)])
async def test_what_the_reference_package_says_to_itself_is_valid(revision: str, mode: str) -> None:
    wire = Wire(revision)
    told: list[float] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    app = build().streamable_http_app(json_response=False, stateless_http=False)
    with anyio.fail_after(stretched(4 * DEADLINE)):
        async with serving(check_server_side(wire)(app)) as url, Client(url, mode=mode) as client:
            assert (await client.list_tools()).tools
            assert (await client.list_prompts()).prompts
            assert (await client.read_resource(TEXT)).contents
            assert (await client.call_tool("echo", {"a": None})).content
            assert (await client.call_tool("fail", {})).is_error
            await client.call_tool("slow", {"steps": 2, "seconds": 0.01}, progress_callback=tell)
    assert told
    wire.check()
