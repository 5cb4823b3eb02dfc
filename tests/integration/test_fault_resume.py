"""An event stream that ends before its answer is resumed, and nothing comes twice."""

import time

import pytest

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.support.servers.fault_answers import events, no_stream, page, rpc_error
from tests.support.servers.fault_http import Request
from tests.support.servers.fault_server import Answer, Call, FaultServer, event, notification

pytestmark = pytest.mark.anyio


def progress(n: int) -> dict[str, object]:
    return notification("notifications/progress", {"progressToken": "t", "progress": n})


def seen_progress(host: BridgeProcess) -> list[int]:
    return [line.value["params"]["progress"] for line in host.messages("notifications/progress")]


def resumptions(server: FaultServer) -> list[Request]:
    return [request for request in server.seen("GET") if request.header("last-event-id")]


def resumed(server: FaultServer, answer: Answer) -> None:
    """The standing stream as ever; a GET with Last-Event-ID gets the answer."""

    async def get(call: Call) -> None:
        await (answer if call.request.header("last-event-id") else server.behave)(call)

    server.always("GET", get)


def remainder(id: object, *before: bytes, last: str = "e9") -> Answer:  # noqa: A002
    """The rest of a stream: parts, then the answer to the request."""
    return events(*before, event({"jsonrpc": "2.0", "id": id, "result": {"whole": True}}, id=last))


@pytest.mark.parametrize("broken", [False, True], ids=["ended", "cut"])
async def test_the_stream_is_resumed_from_its_last_event(broken: bool) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        parts = (event(progress(1), id="e1", retry=50), event(progress(2), id="e2"))
        server.once("tools/call:echo", events(*parts, finish=not broken))
        resumed(server, remainder(7, event(progress(3), id="e3")))
        answer = await host.request("tools/call", {"name": "echo"}, id=7)
        assert answer.result == {"whole": True}
        assert seen_progress(host) == [1, 2, 3]
        (get,) = resumptions(server)
        assert get.header("last-event-id") == "e2"
        assert get.header("mcp-session-id") == "session-1"
        assert get.header("mcp-protocol-version") == "2025-11-25"
        assert len(server.seen("tools/call")) == 1


@pytest.mark.parametrize("wait", [100, 700])
async def test_the_servers_retry_is_waited_for(wait: int) -> None:
    ended: list[float] = []

    async def priming(call: Call) -> None:
        stream = await call.stream()
        await stream.event(id="p1", retry=wait)
        await stream.finish()

        ended.append(time.monotonic())

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", priming)
        resumed(server, remainder(7))
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result
        waited = resumptions(server)[0].at - ended[0]
        assert wait / 1000 - 0.02 <= waited < wait / 1000 + 2.5


async def test_it_is_resumed_as_often_as_it_ends() -> None:
    rounds: list[str] = []

    async def again(call: Call) -> None:
        last = call.request.header("last-event-id") or ""
        rounds.append(last)
        n = int(last[1:]) + 1
        end = event({"jsonrpc": "2.0", "id": 7, "result": {}}, id="last") if n == 6 else event(progress(n), id=f"e{n}")
        await events(end)(call)

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", events(event(progress(1), id="e1", retry=10)))
        resumed(server, again)
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result == {}
        assert rounds == ["e1", "e2", "e3", "e4", "e5"]
        assert seen_progress(host) == [1, 2, 3, 4, 5]


async def test_a_resumption_that_ends_empty_is_tried_again() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", events(event(progress(1), id="e1", retry=10)))
        tries: list[int] = []

        async def third_time(call: Call) -> None:
            tries.append(1)
            await (remainder(7) if len(tries) == 3 else events())(call)

        resumed(server, third_time)
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result == {"whole": True}
        assert {get.header("last-event-id") for get in resumptions(server)} == {"e1"}


async def test_events_sent_again_are_not_delivered_again() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        first = [event(progress(n), id=f"e{n}", retry=10) for n in (1, 2, 3)]
        server.once("tools/call:echo", events(*first))
        resumed(server, remainder(7, *first, event(progress(4), id="e4")))
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result
        assert seen_progress(host) == [1, 2, 3, 4]


async def test_an_answer_sent_twice_is_delivered_once() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        twice = {"jsonrpc": "2.0", "id": 7, "result": {"n": 1}}
        server.once("tools/call:echo", events(twice, twice, event(twice, id="x")))
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result == {"n": 1}
        await (await server.stream()).event(twice)
        await (await server.stream()).event(notification("notifications/marker"))
        await host.receive("notifications/marker")
        assert len(host.answers(7)) == 1


async def test_a_stream_that_ends_after_its_answer_is_not_resumed() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        answer = {"jsonrpc": "2.0", "id": 7, "result": {}}
        server.once("tools/call:echo", events(event(answer, id="e1", retry=1), finish=False))
        await host.request("tools/call", {"name": "echo"}, id=7)
        for _ in range(5):
            await host.request("ping")
        assert resumptions(server) == []


async def test_without_an_event_id_the_request_gets_one_error() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", events(progress(1)))
        answer = await host.call("echo")
        assert answer.kind in ("no-answer", "outcome-unknown")
        assert server.url in answer.error["message"]
        assert (await host.call("echo")).result
        assert resumptions(server) == []


async def test_a_read_without_an_event_id_is_asked_again() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("resources/read", events(progress(1), finish=False))
        assert (await host.request("resources/read", {"uri": "x:y"})).result == {"seen": "resources/read"}
        assert len(server.seen("resources/read")) == 2


@pytest.mark.parametrize(
    "refusal",
    [no_stream, page(400), page(500), rpc_error(-32600, "gone", 404)],
    ids=["no-stream", "400", "500", "rpc-error"],
)
async def test_a_refused_resumption_is_one_error(refusal: Answer) -> None:
    async with FaultServer() as server, launch(server.url, patience=2) as host:
        await host.initialize()
        await server.stream()
        server.once("tools/call:echo", events(event(progress(1), id="e1", retry=10)))
        resumed(server, refusal)
        answer = await host.call("echo")
        assert answer.kind in ("no-answer", "outcome-unknown", "http-status", "session-lost")
        assert len(server.seen("tools/call")) == 1
        assert (await host.call("echo")).result


async def test_many_streams_are_resumed_each_with_its_own_cursor() -> None:
    async def open_and_end(call: Call) -> None:
        await events(event(progress(call.id), id=f"r{call.id}", retry=50))(call)

    async def rest(call: Call) -> None:
        n = int((call.request.header("last-event-id") or "")[1:])
        await events(event({"jsonrpc": "2.0", "id": n, "result": {"n": n}}, id=f"z{n}"))(call)

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:echo", open_and_end)
        resumed(server, rest)
        for n in range(1, 9):
            await host.ask("tools/call", {"name": "echo"}, id=n)
        for n in range(1, 9):
            assert (await host.answer(n)).result == {"n": n}
        assert sorted(seen_progress(host)) == list(range(1, 9))


async def test_a_server_request_in_a_resumed_stream_is_answered() -> None:
    ask = event({"jsonrpc": "2.0", "id": "s1", "method": "roots/list"}, id="e2")

    async def rest(call: Call) -> None:
        stream = await call.stream()
        await call.exchange.chunk(ask)
        await server.until(server.responses, "the host's response")
        await stream.event({"jsonrpc": "2.0", "id": 7, "result": {"ok": 1}})
        await stream.finish()

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", events(event(id="e1", retry=10)))
        resumed(server, rest)
        await host.ask("tools/call", {"name": "echo"}, id=7)
        await host.receive("roots/list")
        await host.send({"jsonrpc": "2.0", "id": "s1", "result": {"roots": []}})
        assert (await host.answer(7)).result == {"ok": 1}


ODD_STREAMS = {
    "comments": b": keep-alive\n\n:\n\n" + b"data: %s\n\n: bye\n",
    "crlf": b"event: message\r\nid: 1\r\ndata: %s\r\n\r\n",
    "cr": b"id: 1\rdata: %s\r\r",
    "bom": b"\xef\xbb\xbfdata: %s\n\n",
    "no-space": b"data:%s\n\n",
    "odd-fields": b"id: a\x00b\nretry: soon\nretry: -5\nfoo: bar\nfoo\ndata: %s\n\n",
    "empty-events": b"data:\n\ndata\n\nid: 1\n\nevent: x\n\n" + b"data: %s\n\n",
    "not-json": b"data: hello\n\ndata: {\n\ndata: 17\n\ndata: \xff\xfe\n\n" + b"data: %s\n\n",
}


@pytest.mark.parametrize("form", ODD_STREAMS)
async def test_odd_but_legal_streams_are_understood(form: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        line = '{"jsonrpc":"2.0","id":7,"result":{"t":"é"}}'.encode()
        server.once("tools/call:echo", events(ODD_STREAMS[form].replace(b"%s", line)))
        assert (await host.request("tools/call", {"name": "echo"}, id=7)).result == {"t": "é"}
