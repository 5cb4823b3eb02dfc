"""Whatever comes instead of an answer, its request gets one error, and the session lives on."""

import pytest

from tests.support.process.bridge_process import BridgeProcess, Line, launch
from tests.support.servers.fault_answers import (
    events,
    other_id,
    page,
    plain,
    result,
    short_body,
    slow_down,
    trickle,
    zipped,
)
from tests.support.servers.fault_server import JSON, SSE, Answer, Call, FaultServer

pytestmark = pytest.mark.anyio

LOST = ("no-answer", "outcome-unknown")

WRONG: dict[str, tuple[Answer, tuple[str, ...]]] = {
    "other-id": (other_id(424242), ("wrong-answer",)),
    "other-id-in-stream": (other_id("424242", stream=True), ("wrong-answer", *LOST)),
    "null-id": (other_id(None), ("wrong-answer",)),
    "html": (page(200), ("not-json",)),
    "text": (plain(200, b"Hello, this is a web server.", "text/plain"), ("not-json",)),
    "no-type": (plain(200, b"Hello"), ("not-json",)),
    "empty-json": (plain(200, b"", JSON), ("no-answer",)),
    "empty": (plain(200), ("no-answer",)),
    "blank": (plain(200, b" \r\n ", JSON), ("no-answer", "not-json")),
    "202": (plain(202), ("no-answer",)),
    "204": (plain(204), ("no-answer",)),
    "bad-json": (plain(200, b'{"jsonrpc":"2.0","id":1,', JSON), ("not-json",)),
    "not-rpc": (plain(200, b'{"status":"ok"}', JSON), ("wrong-answer",)),
    "number": (plain(200, b"17", JSON), ("wrong-answer", "not-json")),
    "null": (plain(200, b"null", JSON), ("wrong-answer", "not-json")),
    "empty-array": (plain(200, b"[]", JSON), ("wrong-answer", "no-answer")),
    "bad-utf8": (result(b'{"t":"\xff\xfe\xc3\x28"}'), ("not-json",)),
    "utf16": (plain(200, '{"jsonrpc":"2.0"}'.encode("utf-16"), JSON), ("not-json",)),
    "short": (short_body(), (*LOST, "not-json")),
    "short-chunked": (short_body(chunked=True), (*LOST, "not-json")),
    "short-stream": (short_body(stream=True), LOST),
    "empty-stream": (events(), LOST),
    "stream-of-noise": (events(b"data: hello\n\n", b"data: {\n\n"), (*LOST, "not-json", "wrong-answer")),
    "stream-type-no-stream": (plain(200, b"<html></html>", SSE), (*LOST, "not-json")),
    "bad-gzip": (plain(200, b"not gzip", JSON, [("Content-Encoding", "gzip")]), (*LOST, "not-json")),
    "nonsense-length": (
        plain(200, b"{}", JSON, [("Content-Length", "banana")]),
        (*LOST, "not-json", "wrong-answer"),
    ),
}

STATUSES = [
    400,
    402,
    403,
    405,
    406,
    407,
    408,
    409,
    410,
    413,
    415,
    418,
    422,
    451,
    500,
    501,
    502,
    504,
    520,
    599,
]


async def error_then_fine(host: BridgeProcess, server: FaultServer) -> Line:
    """One error from the bridge for a tool call, which ran once; the session goes on."""
    answer = await host.call("echo")
    data = answer.error["data"]
    assert answer.error["code"] == -32000
    assert data["source"] == "mcp-remote-bridge"
    assert data["url"] == server.url
    assert server.url in answer.error["message"]
    assert "\n" not in answer.error["message"]
    assert len(server.seen("tools/call")) == 1
    assert (await host.call("echo", fine=1)).result
    assert len(server.seen("initialize")) == 1
    return answer


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_answer_becomes_one_error(name: str) -> None:
    fault, kinds = WRONG[name]
    async with FaultServer() as server, launch(server.url) as host:
        server.always("GET", page(405))  # Else an answer may still come on that stream, after a 202.
        await host.initialize()
        server.once("tools/call:echo", fault)
        assert (await error_then_fine(host, server)).kind in kinds


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_that_is_no_success_becomes_one_error(status: int) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", page(status))
        answer = await error_then_fine(host, server)
        assert answer.kind == "http-status"
        assert answer.error["data"]["status"] == status
        assert str(status) in answer.error["message"]


@pytest.mark.parametrize("status", [429, 503])
async def test_too_busy_without_a_time_is_one_error_at_most(status: int) -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        server.once("tools/call:echo", page(status))
        answer = await host.call("echo")
        if "error" in answer.value:
            assert answer.kind in ("rate-limited", "http-status")
            assert answer.error["data"]["status"] == status
        assert (await host.call("echo")).result


@pytest.mark.parametrize("status", [200, 400, 403, 404, 422, 500, 503])
async def test_the_servers_own_error_passes_as_it_is(status: int) -> None:
    # Without sessions, for a 404 within one says that it is gone.
    async with FaultServer(stateful=False) as server, launch(server.url) as host:
        await host.initialize()
        error = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no such tool","data":{"n":1e400}}}'
        server.once("tools/call:echo", plain(status, error, JSON))
        answer = await host.request("tools/call", {"name": "echo"}, id=7)
        assert answer.raw == error
        assert (await host.call("echo")).result


async def test_a_long_error_of_the_servers_own_passes_whole() -> None:
    error = b'{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m","data":"%s"}}' % (b"d" * 300_000)
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", plain(422, error, JSON))
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).raw == error


@pytest.mark.parametrize("id", [None, "server-error"])
async def test_an_error_without_the_requests_id_is_told_in_its_words(id: str | None) -> None:  # noqa: A002
    async def refused(call: Call) -> None:
        error = {"code": -32600, "message": "Not Acceptable: want the moon"}
        await call.json({"jsonrpc": "2.0", "id": id, "error": error}, 406)

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", refused)
        assert "want the moon" in (await error_then_fine(host, server)).error["message"]


@pytest.mark.parametrize("status", [400, 500, 502])
async def test_a_refused_initialize_is_one_error_and_the_next_one_works(status: int) -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        server.always("initialize", page(status))
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        answer = await host.request("initialize", params)
        assert answer.error["data"]["status"] == status
        assert server.url in answer.error["message"]
        server.always("initialize", None)
        await host.initialize()
        assert (await host.call("echo")).result


async def test_a_refused_notification_disturbs_nobody() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("notifications/vendor", page(500))
        await host.notify("notifications/vendor")
        await server.until_seen("notifications/vendor")
        assert (await host.request("ping", id=1)).result == {}
        assert [line.value["id"] for line in host.lines] == ["init", 1]


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "sse"])
async def test_an_answer_a_byte_at_a_time_is_an_answer(streamed: bool) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", trickle({"text": "é😀\u2028" * 20}, stream=streamed))
        assert (await host.call("echo")).result == {"text": "é😀\u2028" * 20}


async def test_a_compressed_answer_is_read_or_refused_but_answered() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", zipped({"n": 1}))
        answer = await host.call("echo")
        assert answer.value.get("result") == {"n": 1} or answer.kind == "not-json"
        assert (await host.call("echo")).result


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"])
async def test_content_types_are_compared_as_the_standard_says(kind: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("ping", plain(200, b'{"jsonrpc":"2.0","id":7,"result":{"n":1}}', kind))
        assert (await host.request("ping", id=7)).result == {"n": 1}


async def test_a_server_busy_for_a_moment_is_asked_again_after_its_retry_after() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for status, tool in ((429, "echo"), (503, "wild")):
            server.once(f"tools/call:{tool}", slow_down(status, "1"))
            assert (await host.call(tool)).result
            first, second = [r for r in server.seen("tools/call") if r.message["params"]["name"] == tool]
            assert second.at - first.at >= 0.95
            assert second.body == first.body


async def test_retry_after_may_be_a_date() -> None:
    from email.utils import formatdate
    from time import time

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", slow_down(429, formatdate(time() + 2, usegmt=True)))
        assert (await host.call("echo")).result
        first, second = server.seen("tools/call")
        assert 0.5 <= second.at - first.at <= 5


@pytest.mark.parametrize(("status", "kind"), [(429, "rate-limited"), (503, "http-status")])
async def test_a_wait_beyond_reason_is_told_at_once(status: int, kind: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", slow_down(status, "3600"))
        answer = await error_then_fine(host, server)
        assert answer.kind == kind
        assert (
            "3600" in answer.error["message"]
            or "hour" in answer.error["message"]
            or "60 min" in answer.error["message"]
        )


@pytest.mark.parametrize("wait", ["soon", "-5", "1e9", "99999999999999999999", "", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_a_nonsense_retry_after_harms_nobody(wait: str) -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await host.initialize()
        server.once("tools/call:echo", slow_down(429, wait))
        await host.call("echo")
        assert (await host.call("echo")).result
        assert len(server.seen("tools/call")) <= 3


async def test_a_server_that_is_always_busy_is_not_asked_for_ever() -> None:
    async with FaultServer() as server, launch(server.url, patience=2) as host:
        await host.initialize()
        server.always("tools/call:echo", slow_down(429, "1"))
        answer = await host.call("echo", deadline=15)
        assert answer.kind in ("rate-limited", "http-status")
        assert answer.error["data"]["status"] == 429
        assert (await host.request("ping")).result == {}
