"""Every message passes both ways as it was sent."""

import json

import pytest

from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import events, plain, result
from tests.support.servers.fault_server import JSON, Call, FaultServer, notification

pytestmark = pytest.mark.anyio

ODD_NUMBERS = b'{"big":1e400,"long":123456789012345678901234567890,"neg":-0.0,"exp":1E+2,"tail":1.500}'
ODD_TEXT = rb'{"escaped":"\u00e9\/\ud83d\ude00","plain":"' + "é😀\u2028".encode() + rb'","twice":1,"twice":2}'
ODD_SPACES = b'{ "a" :  1 ,\t"b" : [ 1,  2 ] }'


def member(line: bytes, name: bytes) -> bytes:
    """The raw bytes after the member's name; the tests put that member last."""
    _, found, rest = line.partition(b'"' + name + b'":')
    assert found, line
    return rest.strip()


@pytest.mark.parametrize("params", [ODD_NUMBERS, ODD_TEXT, ODD_SPACES], ids=["numbers", "text", "spaces"])
async def test_params_arrive_byte_for_byte(params: bytes) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        host.asked.append("7")
        await host.send(b'{"jsonrpc":"2.0","id":7,"method":"vendor/odd","params":%s}\n' % params)
        await host.answer(7)
        assert params in (await server.until_seen("vendor/odd")).body


@pytest.mark.parametrize("value", [ODD_NUMBERS, ODD_TEXT, ODD_SPACES], ids=["numbers", "text", "spaces"])
@pytest.mark.parametrize("streamed", [False, True], ids=["json", "sse"])
async def test_results_arrive_byte_for_byte(value: bytes, streamed: bool) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        line = b'{"jsonrpc":"2.0","id":7,"result":%s}' % value
        server.once("vendor/odd", events(b"data: " + line + b"\n\n") if streamed else result(value))
        answer = await host.request("vendor/odd", id=7)
        assert value in answer.raw


async def test_unknown_methods_fields_and_meta_pass_both_ways() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        up = {
            "jsonrpc": "2.0",
            "id": 5,
            "method": "vendor/new",
            "params": {"_meta": {"progressToken": 0, "vendor/x": [None]}, "future": {"a": {}}},
            "unheardOf": {"at": "the top"},
        }
        down = {"jsonrpc": "2.0", "id": 5, "result": {"_meta": {"v": 1}, "new": [{}]}, "alsoNew": True}
        server.once("vendor/new", plain(200, json.dumps(down).encode(), JSON))
        host.asked.append("5")
        await host.send(up)
        assert (await host.answer(5)).value == down
        assert (await server.until_seen("vendor/new")).message == up


async def test_initialize_goes_up_as_the_host_wrote_it() -> None:
    line = (
        b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{'
        b'"vendor":{"n":1e400}, "roots":{}},"clientInfo":{"name":"H","version":"1","title":"T"},'
        b'"extra":[1.0]}}'
    )
    async with FaultServer() as server, launch(server.url) as host:
        host.asked.append("0")
        await host.send(line + b"\n")
        answer = await host.answer(0)
        assert answer.result["serverInfo"] == {"name": "fault-server", "version": "1"}
        sent = member((await server.until_seen("initialize")).body, b"params")
        said, stamp, meta = sent.partition(b',"_meta":{"io.modelcontextprotocol/')
        assert said + b"}}" == member(line, b"params"), "all that it says is as it was"
        assert (bool(stamp), meta[-3:]) == (True, b"}}}"), "the stamp is behind it"
        assert len(server.seen("initialize")) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"0",
        b'""',
        b'"a"',
        b'"0"',
        b"-1",
        b"9007199254740993",
        b"123456789012345678901234567890",
        b'"\\u00e9"',
        b"1.5",
    ],
    ids=["zero", "empty", "string", "digit-string", "negative", "2^53+1", "30-digits", "escape", "fraction"],
)
async def test_any_id_is_kept(raw: bytes) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        id = json.loads(raw)  # noqa: A001
        host.asked.append(json.dumps(id))
        await host.send(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}\n' % raw)
        answer = await host.answer(id)
        assert answer.result == {}
        assert b'"id":%s' % raw in server.seen("ping")[0].body.replace(b": ", b":")


async def test_the_same_id_in_both_directions_at_once() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()

        async def asks_back(call: Call) -> None:
            stream = await call.stream()
            for id in (call.id, 0, "", str(call.id)):  # noqa: A001
                await stream.event({"jsonrpc": "2.0", "id": id, "method": "ping"})
            await server.until(lambda: len(server.responses()) == 4, "four responses of the host")
            await stream.event(call.reply({"done": True}))
            await stream.finish()

        server.once("tools/call:echo", asks_back)
        asked = await host.ask("tools/call", {"name": "echo", "arguments": {}}, id=1)
        ids = [(await host.receive("ping")).value["id"] for _ in range(4)]
        assert ids == [1, 0, "", "1"]
        for id in ids:  # noqa: A001
            await host.send({"jsonrpc": "2.0", "id": id, "result": {"for": id}})
        assert (await host.answer(asked)).result == {"done": True}
        answers = {
            json.dumps(request.message["id"]): request.message["result"]["for"] for request in server.responses()
        }
        assert answers == {"1": 1, "0": 0, '""': "", '"1"': "1"}


@pytest.mark.parametrize("where", ["standing", "answer"])
@pytest.mark.parametrize(
    "method",
    ["sampling/createMessage", "elicitation/create", "roots/list", "ping", "vendor/ask", "logging/setLevel"],
)
async def test_requests_of_the_server_reach_the_host_and_its_answer_goes_up(method: str, where: str) -> None:
    params = b'{"x":1e400,"_meta":{"progressToken":"p"}}'
    ask = b'{"jsonrpc":"2.0","id":"s-1","method":"%s","params":%s}' % (method.encode(), params)
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        standing = await server.stream()

        async def asks(call: Call) -> None:
            stream = await call.stream()
            await stream.event(ask)
            await server.until(server.responses, "the host's response")
            await stream.event(call.reply())
            await stream.finish()

        if where == "standing":
            await standing.event(ask)
        else:
            server.once("tools/call:echo", asks)
            call = await host.ask("tools/call", {"name": "echo", "arguments": {}})
        line = await host.receive(method)
        assert line.value["id"] == "s-1"
        assert member(line.raw, b"params").startswith(params)
        await host.send(b'{"jsonrpc":"2.0","id":"s-1","result":{"n":123456789012345678901234567890}}\n')
        await server.until(server.responses, "the host's response")
        assert b'"result":{"n":123456789012345678901234567890}' in server.responses()[0].body
        if where == "answer":
            await host.answer(call)


async def test_an_error_response_of_the_host_goes_up() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await (await server.stream()).event({"jsonrpc": "2.0", "id": 9, "method": "elicitation/create"})
        await host.receive("elicitation/create")
        error = {"code": -1, "message": "declined", "data": {"why": [1]}}
        await host.send({"jsonrpc": "2.0", "id": 9, "error": error})
        await server.until(server.responses, "the host's response")
        assert server.responses()[0].message == {"jsonrpc": "2.0", "id": 9, "error": error}


async def test_notifications_pass_both_ways_in_order() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        stream = await server.stream()
        for n in range(50):
            await stream.event(notification("notifications/message", {"level": "info", "data": n}))
        await stream.event(notification("notifications/last"))
        await host.receive("notifications/last")
        assert [line.value["params"]["data"] for line in host.messages("notifications/message")] == list(range(50))
        await host.notify("notifications/vendor", {"odd": [1, {"_meta": None}]})
        seen = await server.until_seen("notifications/vendor")
        assert seen.message["params"] == {"odd": [1, {"_meta": None}]}


async def test_progress_and_logging_come_before_the_answer_they_belong_to() -> None:
    parts = [notification("notifications/progress", {"progressToken": 0, "progress": n}) for n in range(20)]
    parts.insert(10, notification("notifications/message", {"level": "debug", "data": {"x": None}}))
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", events(*parts, reply={"done": 1}))
        answer = await host.call("echo")
        before = [line.value for line in host.lines[: host.lines.index(answer)] if "method" in line.value]
        assert before == parts


async def test_a_ten_megabyte_result_arrives_whole() -> None:
    value = b'{"text":"' + b"0123456789abcdef" * (10 * 65536) + b'","n":1e400}'
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", result(value))
        assert value in (await host.call("echo")).raw
        server.once("tools/call:echo", events(b"data: " + b'{"jsonrpc":"2.0","id":77,"result":' + value + b"}\n\n"))
        answer = await host.request("tools/call", {"name": "echo", "arguments": {}}, id=77)
        assert value in answer.raw


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
async def test_a_pretty_printed_message_becomes_one_line(newline: str, streamed: bool) -> None:
    value = {"jsonrpc": "2.0", "id": 7, "result": {"list": [1, {"deep": "a\nb"}], "n": 12345678901234567890}}
    text = json.dumps(value, indent=2).replace("\n", newline)
    if streamed:
        text = "".join(f"data: {line}{newline}" for line in text.split(newline)) + newline
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("ping", events(text.encode()) if streamed else plain(200, text.encode(), JSON))
        assert (await host.request("ping", id=7)).value == value
        assert (await host.request("ping")).result == {}
