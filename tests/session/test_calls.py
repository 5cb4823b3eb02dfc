"""What is kept of the host's requests: their number, their batches, and which tools do no harm twice."""

import msgspec

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Request
from bridge.session.calls import Batch, Calls
from tests.session.playbook import request, tool_call


def parsed(line: bytes) -> Request:
    message = jsonrpc.parse(line)
    assert isinstance(message, Request)
    return message


def test_a_call_is_found_by_id_and_by_number_until_it_ends() -> None:
    calls = Calls()
    zero, empty = calls.enter(parsed(request(0)), None), calls.enter(parsed(request("")), None)
    assert (calls.get(0), calls.get("")) == (zero, empty)
    assert (calls.get(None), calls.get("0")) == (None, None)
    assert calls.is_open(zero)
    assert list(calls) == [zero, empty]
    assert calls.remove(zero)
    assert not calls.remove(zero)
    assert (0 in calls, len(calls), calls.is_open(zero)) == (False, 1, False)


def test_an_ended_call_does_not_take_its_successor_with_it() -> None:
    calls = Calls()
    first = calls.enter(parsed(request(1)), None)
    calls.remove(first)
    second = calls.enter(parsed(request(1)), None)
    assert not calls.remove(first)
    assert calls.get(1) is second


def test_the_number_of_calls_has_a_limit() -> None:
    calls = Calls()
    for number in range(4096):
        assert not calls.is_full
        last = calls.enter(parsed(request(number)), None)
    assert calls.is_full
    calls.remove(last)
    assert not calls.is_full


def test_methods_that_may_run_twice() -> None:
    calls = Calls()
    may = ("ping", "initialize", "tools/list", "resources/read", "prompts/get", "logging/setLevel", "tasks/get")
    assert all(calls.is_repeatable(parsed(request(1, method))) for method in may)
    must_not = ("tools/call", "tasks/cancel", "vendor/thing", "sampling/createMessage")
    assert not any(calls.is_repeatable(parsed(request(1, method))) for method in must_not)


def test_tools_that_may_run_twice_are_those_that_said_so_last() -> None:
    calls = Calls()
    calls.learn_tools({"read": True, "pay": False})
    calls.learn_tools({"find": True})
    assert calls.is_repeatable(parsed(tool_call(1, "read")))
    assert calls.is_repeatable(parsed(tool_call(1, "find")))
    assert not calls.is_repeatable(parsed(tool_call(1, "pay")))
    assert not calls.is_repeatable(parsed(tool_call(1, "unknown")))
    calls.learn_tools({"read": False})
    assert not calls.is_repeatable(parsed(tool_call(1, "read")))


def test_a_batch_leaves_when_its_last_answer_is_there() -> None:
    batch = Batch(3, [b'{"refused":1}'])
    assert batch.add(b"{}") is None
    assert batch.add(None) is None
    line = batch.add(b'{"id":2}')
    assert line is not None
    assert msgspec.json.decode(line) == [{"refused": 1}, {}, {"id": 2}]


def test_a_batch_that_wants_no_answer_gets_none() -> None:
    assert Batch(0, []).line() is None
    assert Batch(1, []).add(None) is None
    assert Batch(0, [b"{}"]).line() == b"[{}]"
