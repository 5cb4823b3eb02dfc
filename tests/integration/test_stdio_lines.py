"""What a host may write that is no message, and how the bridge stays upright."""

import json

import pytest

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.support.servers.fault_server import FaultServer

pytestmark = pytest.mark.anyio

MIB = 1 << 20

NOT_JSON = {
    "word": b"hello",
    "half": b'{"jsonrpc":"2.0","id":1,"method":"pi',
    "two": b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
    "trailing-comma": b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
    "single-quotes": b"{'jsonrpc':'2.0'}",
    "nan": b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
    "bad-utf8": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"t":"\xff\xfe"}}',
    "only-bad-utf8": b"\xc3\x28\xa0\xa1",
    "latin1": b'{"jsonrpc":"2.0","id":1,"method":"p\xe9"}',
    "nul": b"\x00\x00",
    "control": b'{"jsonrpc":"2.0","id":1,"method":"a\x01b"}',
    "utf16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16-le").replace(b"\n", b""),
    "http": b"GET / HTTP/1.1",
}

NOT_A_REQUEST = {
    "number": (b"17", None),
    "string": (b'"ping"', None),
    "null": (b"null", None),
    "true": (b"true", None),
    "empty": (b"{}", None),
    "no-method": (b'{"jsonrpc":"2.0","id":4}', 4),
    "method-number": (b'{"jsonrpc":"2.0","id":4,"method":7}', 4),
    "id-object": (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', None),
    "id-true": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None),
    "id-array": (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', None),
}


def errors(host: BridgeProcess, code: int) -> list[object]:
    """The ids of the bridge's errors with the code."""
    found = [line.value for line in host.lines if isinstance(line.value, dict) and "error" in line.value]
    return [value["id"] for value in found if value["error"]["code"] == code]


async def still_fine(host: BridgeProcess, server: FaultServer) -> None:
    """The next message passes, and nothing but it went up meanwhile."""
    before = len(server.seen("POST"))
    assert (await host.request("vendor/after", id="after")).result == {"seen": "vendor/after"}
    assert len(server.seen("POST")) == before + 1


@pytest.mark.parametrize("form", NOT_JSON)
async def test_a_line_that_is_not_json_is_a_parse_error(form: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize()
        await server.stream()
        await host.send(NOT_JSON[form] + b"\n")
        await still_fine(host, server)
        assert errors(host, -32700) == [None]
        assert len(host.lines) == 3


@pytest.mark.parametrize("form", NOT_A_REQUEST)
async def test_json_that_is_no_request_is_an_invalid_request(form: str) -> None:
    line, id = NOT_A_REQUEST[form]  # noqa: A001
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize()
        await server.stream()
        await host.send(line + b"\n")
        await still_fine(host, server)
        (answered,) = errors(host, -32600)
        assert answered in (None, id)
        assert len(host.lines) == 3


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"  \t \n", b"\n\n\n\n"], ids=repr)
async def test_blank_lines_are_nothing(blank: bytes) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.send(blank)
        await host.initialize()
        await server.stream()
        await host.send(blank)
        await still_fine(host, server)
        assert [line.value["id"] for line in host.lines] == ["init", "after"]


async def test_carriage_returns_and_spaces_around_a_message_do_not_matter() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for n, wrapped in enumerate([b"%s\r\n", b"  %s  \n", b"\t%s\t\r\n", b"\r\n\r\n%s\r\n"]):
            host.asked.append(str(n))
            await host.send(wrapped % (b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % n))
            assert (await host.answer(n)).result == {}


async def test_a_message_in_small_pieces_and_many_in_one_piece() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        text = '{"jsonrpc":"2.0","id":1,"method":"vendor/é","params":{"t":"é😀"}}\n'.encode()
        host.asked.append("1")
        for at in range(len(text)):
            await host.send(text[at : at + 1])
        assert (await host.answer(1)).result == {"seen": "vendor/é"}
        host.asked += [str(n) for n in range(100, 150)]
        await host.send(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % n for n in range(100, 150)))
        for n in range(100, 150):
            assert (await host.answer(n)).result == {}


async def test_a_64_mb_message_does_no_harm() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        host.asked.append("1")
        body = b'{"jsonrpc":"2.0","id":1,"method":"vendor/big","params":{"t":"' + b"x" * (64 * MIB) + b'"}}\n'
        await host.send(body, deadline=30)
        answer = await host.answer(1, deadline=30)
        assert answer.value.get("result") == {"seen": "vendor/big"} or answer.kind == "too-large"
        await still_fine(host, server)


async def test_64_mb_of_rubbish_do_no_harm() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize()
        await server.stream()
        await host.send(b"x" * (64 * MIB) + b"\n", deadline=30)
        await still_fine(host, server)
        assert errors(host, -32700) + errors(host, -32600) == [None]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize("closed", [True, False])
async def test_a_bomb_of_nesting_does_no_harm(opening: bytes, closed: bool) -> None:
    depth = 200_000
    bomb = opening * depth + (b"1" + (b"]" if opening == b"[" else b"}") * depth if closed else b"")
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize()
        await server.stream()
        await host.send(bomb + b"\n")
        await host.send(b'{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":%s}\n' % bomb)
        assert (await host.request("ping", id="after")).result == {}
        assert host.process.returncode is None
        if not closed:
            assert len(errors(host, -32700)) == 2


@pytest.mark.parametrize("line", [b'{"jsonrpc":"2.0","id":"lost","result":{}}', b'{"jsonrpc":"2.0","id":0,"error":{}}'])
async def test_an_answer_to_nothing_is_the_servers_to_judge(line: bytes) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await host.send(line + b"\n")
        assert (await host.request("ping", id="after")).result == {}
        assert [line.value["id"] for line in host.lines] == ["init", "after"]


async def test_the_same_id_twice_at_once_does_not_break_the_session() -> None:
    from tests.support.servers.fault_answers import Gate

    gate = Gate()
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize()
        server.once("ping", gate)
        await host.ask("ping", id=1)
        await server.until(lambda: gate.waiting, "the first of the two")
        await host.ask("ping", id=1)
        gate.open()
        await host.answer(1)
        assert (await host.request("ping", id="after")).result == {}
        assert 1 <= len(host.answers(1)) <= 2


async def test_a_request_before_initialize_is_answered() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        answer = await host.request("ping")
        assert "error" in answer.value or "result" in answer.value
        await host.initialize()
        assert (await host.request("ping")).result == {}


async def test_initialize_again_opens_the_session_anew() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        await server.stream()
        params = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "h", "version": "2"},
        }
        again = await host.request("initialize", params, id="init-2")
        assert again.result["protocolVersion"] == "2025-06-18"
        await host.notify("notifications/initialized")
        assert (await host.call("echo")).result
        assert server.seen("tools/call")[0].header("mcp-session-id") == "session-2"
        assert server.seen("tools/call")[0].header("mcp-protocol-version") == "2025-06-18"


async def test_messages_go_up_in_the_order_they_were_written() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        lines = [{"jsonrpc": "2.0", "method": "notifications/n", "params": {"n": n}} for n in range(30)]
        await host.send(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        await server.until_seen("notifications/n", 30)
        assert sorted(r.message["params"]["n"] for r in server.seen("notifications/n")) == list(range(30))
