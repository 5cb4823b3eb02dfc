"""Batches of the host are answered as 2025-03-26 has it, with one array."""

import json

import pytest

from tests.support.process.bridge_process import BridgeProcess, Line, launch
from tests.support.servers.fault_answers import Gate, closes, page
from tests.support.servers.fault_server import FaultServer

pytestmark = pytest.mark.anyio


def ask(id: object, method: str = "ping") -> dict[str, object]:  # noqa: A002
    return {"jsonrpc": "2.0", "id": id, "method": method}


async def array(host: BridgeProcess) -> Line:
    """Wait for the one line that is an array."""

    def arrays() -> list[Line]:
        return [line for line in host.lines if isinstance(line.value, list)]

    await host.bell.until(lambda: arrays() or host.stdout_closed, "an array")
    assert len(arrays()) == 1
    return arrays()[0]


async def test_a_batch_is_answered_with_one_array() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        await host.send([ask(0), {"jsonrpc": "2.0", "method": "notifications/x"}, ask(""), ask("a", "vendor/v")])
        answers = {json.dumps(one["id"]): one["result"] for one in (await array(host)).value}
        assert answers == {"0": {}, '""': {}, '"a"': {"seen": "vendor/v"}}
        await server.until_seen("notifications/x")
        assert (await host.request("ping", id="after")).result == {}


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_server_is_sent_single_messages(version: str) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize(version)
        await host.send([ask(1), ask(2)])
        assert {one["id"] for one in (await array(host)).value} == {1, 2}
        assert all(isinstance(request.message, dict) for request in server.seen("POST"))


async def test_an_empty_batch_is_an_invalid_request() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        host.checks_answers = False
        await host.initialize("2025-03-26")
        await host.send(b"[]\n")
        await host.request("ping", id="after")
        (error,) = [line.value for line in host.lines if "error" in line.value]
        assert error["error"]["code"] == -32600
        assert error["id"] is None


async def test_what_is_no_request_in_a_batch_is_answered_in_it() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        await host.send([1, ask(5), {"foo": "bar"}, "x", None])
        answers = (await array(host)).value
        assert [one["result"] for one in answers if one["id"] == 5] == [{}]
        wrong = [one for one in answers if one["id"] is None]
        assert [one["error"]["code"] for one in wrong] == [-32600] * 4
        assert len(answers) == 5


async def test_a_batch_of_nothing_valid_is_answered() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        await server.stream()
        before = len(server.seen("POST"))
        await host.send(b"[1,2,3]\n")
        assert [one["error"]["code"] for one in (await array(host)).value] == [-32600] * 3
        assert len(server.seen("POST")) == before


async def test_a_batch_of_notifications_and_responses_has_no_answer() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        await (await server.stream()).event({"jsonrpc": "2.0", "id": "s", "method": "roots/list"})
        await host.receive("roots/list")
        await host.send([{"jsonrpc": "2.0", "method": "notifications/x"}, {"jsonrpc": "2.0", "id": "s", "result": {}}])
        await server.until_seen("notifications/x")
        await server.until(server.responses, "the response")
        assert (await host.request("ping", id="after")).result == {}
        assert not [line for line in host.lines if isinstance(line.value, list)]


async def test_faults_in_a_batch_are_answered_in_it() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        server.once("vendor/lost", closes)
        server.once("vendor/page", page(502))
        await host.send([ask(1), ask(2, "vendor/lost"), ask(3, "vendor/page")])
        answers = {one["id"]: one for one in (await array(host)).value}
        assert answers[1]["result"] == {}
        assert answers[2]["error"]["data"]["kind"] == "outcome-unknown"
        assert answers[3]["error"]["data"]["kind"] == "http-status"


async def test_a_slow_member_holds_up_nothing_but_its_batch() -> None:
    gate = Gate()
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        server.once("vendor/slow", gate)
        await host.send([ask(1), ask(2, "vendor/slow")])
        await server.until(lambda: gate.waiting, "the slow one at the server")
        assert (await host.request("ping", id="other")).result == {}
        gate.open()
        assert {one["id"] for one in (await array(host)).value} == {1, 2}


async def test_a_cancelled_member_does_not_hold_the_batch() -> None:

    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize("2025-03-26")
        gate = Gate()
        server.once("vendor/slow", gate)
        await host.send([ask(1), ask(2, "vendor/slow")])
        await server.until(lambda: gate.waiting, "the slow one at the server")
        await host.notify("notifications/cancelled", {"requestId": 2})
        assert [one["id"] for one in (await array(host)).value] == [1]
        gate.open()
