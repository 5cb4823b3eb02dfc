"""A legacy host on a modern server: its session, its requests, and the answers to them."""

import json
from typing import Any

import pytest

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Request
from tests.translate.upgrade_book import (
    FULL_HOST,
    FULL_SERVER,
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_LEVEL,
    META_SERVER,
    META_VERSION,
    MODERN,
    Book,
    Sent,
    discovered,
    line,
)

NEAR = {"name": "near", "version": "1"}


def initialize(version: object = LEGACY, capabilities: object = None, info: object = None) -> dict[str, object]:
    return {
        "protocolVersion": version,
        "capabilities": {} if capabilities is None else capabilities,
        "clientInfo": NEAR if info is None else info,
    }


def refused(sent: list[Sent], id_: object, code: int) -> str:
    """The sentence of the only thing that was sent, an error to the host."""
    (answer,) = sent
    assert (answer.way, answer["id"], answer.error["code"]) == ("down", id_, code)
    message: str = answer.error["message"]
    assert message.endswith(".")
    return message


# -- opening


def test_initialize_asks_the_server_what_it_is() -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize(capabilities={"roots": {"listChanged": True}, "tasks": {}}))
    assert (discover.way, discover["method"]) == ("up", "server/discover")
    assert discover.meta == {META_VERSION: MODERN, META_CLIENT: NEAR, META_CAPABILITIES: {"roots": {}}}
    (answer,) = book.answers(discover["id"], discovered({"tools": {}, "logging": {}}, instructions="Be kind."))
    assert answer["id"] == 0
    assert answer["result"] == {
        "protocolVersion": LEGACY,
        "capabilities": {"tools": {}, "logging": {}},
        "serverInfo": {"name": "far", "version": "3"},
        "instructions": "Be kind.",
    }


@pytest.mark.parametrize(
    ("wish", "granted"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        (7, "2025-11-25"),
        (None, "2025-11-25"),
    ],
)
def test_the_host_gets_the_revision_it_wants_if_that_is_a_legacy_one(wish: object, granted: str) -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize(wish))
    (answer,) = book.answers(discover["id"], discovered({}))
    assert answer["result"]["protocolVersion"] == granted


@pytest.mark.parametrize("info", [{"name": "near"}, {"name": 1, "version": "1"}, "near", []])
def test_a_host_that_does_not_name_itself_goes_without_a_name(info: object) -> None:
    (discover,) = Book().asks(0, "initialize", initialize(info=info))
    assert META_CLIENT not in discover.meta


def test_the_name_of_the_host_is_sent_as_it_came() -> None:
    info = '{"name" : "n\\u00e9", "version":"1", "x":1e400}'
    text = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"%s","clientInfo":%s}}'
    (discover,) = Book().host((text % (LEGACY, info)).encode())
    assert info.encode() in discover.line
    assert discover.meta[META_CAPABILITIES] == {}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"tasks": {"list": {}}}, {}),
        ({"roots": {"listChanged": True}}, {"roots": {}}),
        (FULL_HOST, {**FULL_HOST, "roots": {}}),
        ({"experimental": {"a": {}}, "elicitation": {}}, {"experimental": {"a": {}}, "elicitation": {}}),
        (
            {"extensions": {"io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/ui": {"mimeTypes": []}}},
            {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": []}}},
        ),
        ({"roots": True, "sampling": None, "elicitation": [1]}, {}),
        ([], {}),
        ("sampling", {}),
    ],
)
def test_what_the_host_can_do_is_said_in_the_terms_of_the_server(declared: object, said: object) -> None:
    (discover,) = Book().asks(0, "initialize", initialize(capabilities=declared))
    assert discover.meta[META_CAPABILITIES] == said


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        (FULL_SERVER, FULL_SERVER),
        (
            {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}},
            {"tools": {}, "extensions": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}},
        ),
        ({"extensions": {"io.modelcontextprotocol/tasks": 1}}, {"extensions": {}}),
        ({"extensions": {"a/b": {"c": 1}}}, {"extensions": {"a/b": {"c": 1}}}),
        ({"tasks": {}, "tools": 5}, {}),
    ],
)
def test_what_the_server_offers_is_said_in_the_terms_of_the_host(offered: dict[str, Any], told: object) -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    (answer,) = book.answers(discover["id"], discovered(offered))
    assert answer["result"]["capabilities"] == told


@pytest.mark.parametrize(
    ("more", "info"),
    [
        ({"_meta": {}}, {"name": "mcp.example", "version": "unknown"}),
        ({"_meta": {META_SERVER: {"name": "far"}}}, {"name": "mcp.example", "version": "unknown"}),
        ({"_meta": {META_SERVER: "far"}}, {"name": "mcp.example", "version": "unknown"}),
        ({"_meta": 5, "serverInfo": {"name": "old", "version": "2"}}, {"name": "old", "version": "2"}),
    ],
)
def test_a_server_that_does_not_name_itself_gets_the_name_of_its_address(more: dict[str, Any], info: object) -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    (answer,) = book.answers(discover["id"], discovered({}, instructions=7, **more))
    assert answer["result"]["serverInfo"] == info
    assert "instructions" not in answer["result"]


def test_an_error_of_discover_is_the_answer_to_initialize() -> None:
    book = Book()
    (discover,) = book.asks("a", "initialize", initialize())
    (answer,) = book.fails(discover["id"], -32022, "which version?", data={"supported": ["2030-01-01"]})
    assert answer["id"] == "a"
    assert answer.error == {"code": -32022, "message": "which version?", "data": {"supported": ["2030-01-01"]}}
    refused(book.asks(1, "tools/list"), 1, -32600)
    (discover,) = book.asks("a", "initialize", initialize())
    assert discover["method"] == "server/discover"


@pytest.mark.parametrize("result", [5, None, [], {}, {"resultType": "input_required", "capabilities": {}}])
def test_a_discover_result_that_is_none_is_an_error(result: object) -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    assert "server/discover" in refused(book.answers(discover["id"], result), 0, -32603)


def test_requests_before_initialize_are_refused_and_ping_is_answered() -> None:
    book = Book()
    assert "initialize" in refused(book.asks(1, "tools/list"), 1, -32600)
    (pong,) = book.asks(2, "ping")
    assert (pong.way, pong["id"], pong["result"]) == ("down", 2, {})
    assert book.says("notifications/initialized") == []


def test_requests_wait_until_the_server_has_said_what_it_is() -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    for id_ in (1, "1", 2):
        assert book.asks(id_, "tools/list") == []
        assert book.upgrade.awaits(id_)
    assert book.waits()
    assert book.says("notifications/cancelled", {"requestId": "1"}) == []
    assert not book.upgrade.awaits("1")
    answer, *rest = book.answers(discover["id"], discovered({}))
    assert answer["id"] == 0
    assert [(one.way, one["method"]) for one in rest] == [("up", "tools/list")] * 2
    assert not book.waits()
    assert book.upgrade.awaits(1)


def test_requests_that_wait_for_an_opening_fail_with_it() -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    book.asks(1, "tools/list")
    assert [(one["id"], one.error["message"]) for one in book.fails(discover["id"])] == [(0, "no"), (1, "no")]


def test_initialize_cannot_be_cancelled() -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    assert book.says("notifications/cancelled", {"requestId": 0}) == []
    (answer,) = book.answers(discover["id"], discovered({}))
    assert answer["id"] == 0


def test_a_second_initialize_begins_anew() -> None:
    book = Book().opened(ready=True)
    book.asks(1, "logging/setLevel", {"level": "debug"})
    call = book.goes_up(2, "tools/call", {"name": "a"})
    stopped, discover = book.asks("again", "initialize", initialize())
    assert stopped["method"] == "notifications/cancelled"
    assert discover["method"] == "server/discover"
    assert META_LEVEL not in discover.meta
    (answer,) = book.answers(discover["id"], discovered({}))
    assert answer["id"] == "again"
    assert META_LEVEL not in book.goes_up(3, "tools/list").meta
    (answer,) = book.answers(call["id"], {"content": []})
    assert answer["id"] == 2


def test_an_initialize_that_has_no_answer_yet_is_refused_when_another_comes() -> None:
    book = Book()
    (first,) = book.asks(0, "initialize", initialize())
    book.asks(1, "tools/list")
    sent = book.asks(2, "initialize", initialize())
    assert [(one.way, one.get("method"), one.get("id")) for one in sent] == [
        ("down", None, 1),
        ("up", "notifications/cancelled", None),
        ("down", None, 0),
        ("up", "server/discover", first["id"] + 1),
    ]
    assert book.answers(first["id"], discovered({})) == []


# -- requests


def test_a_request_is_sent_with_what_the_host_declared() -> None:
    book = Book().opened()
    book.asks(1, "logging/setLevel", {"level": "warning"})
    params = {
        "name": "pay",
        "arguments": {"a": 1},
        "task": {"ttl": 5},
        "_meta": {"progressToken": 0, "traceparent": "t"},
    }
    sent = book.goes_up(0, "tools/call", params)
    assert sent["params"] == {
        "name": "pay",
        "arguments": {"a": 1},
        "_meta": {
            "progressToken": 0,
            "traceparent": "t",
            META_VERSION: MODERN,
            META_CLIENT: NEAR,
            META_CAPABILITIES: {**FULL_HOST, "roots": {}},
            META_LEVEL: "warning",
        },
    }


def test_a_host_cannot_say_of_one_request_what_it_did_not_say_of_itself() -> None:
    meta = {META_VERSION: "1", META_CAPABILITIES: {"sampling": {}}, META_CLIENT: {"name": "x", "version": "2"}}
    sent = Book().opened(host={}).goes_up(1, "tools/list", {"_meta": meta})
    assert sent.meta == {META_VERSION: MODERN, META_CAPABILITIES: {}, META_CLIENT: NEAR}


@pytest.mark.parametrize("arguments", ['{"a":1e400,"b":[ 1 , 2 ],"c":"\\u00e9\\/"}', '{"a":"\\ud83d\\ude00"}'])
def test_arguments_are_sent_as_they_came(arguments: str) -> None:
    text = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":%b}}' % arguments.encode()
    (sent,) = Book().opened().host(text)
    assert arguments.encode() in sent.line


def test_a_lone_surrogate_costs_one_character() -> None:
    text = rb'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":"b\ud83d","c":[1]}}}'
    (sent,) = Book().opened().host(text)
    assert sent["params"]["arguments"] == {"a": "b\ufffd", "c": [1]}
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "x"})
    text = rb'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"\ud83d"}],"resultType":"complete"}}'
    (down,) = book.server(text % call["id"])
    assert down["result"] == {"content": [{"type": "text", "text": "\ufffd"}]}


@pytest.mark.parametrize("params", [[], ["a"], "a", 5, False])
def test_params_that_are_no_object_are_refused(params: object) -> None:
    refused(Book().opened().host(line(id=1, method="tools/call", params=params)), 1, -32602)


def test_params_that_are_null_count_as_none() -> None:
    (sent,) = Book().opened().host(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}')
    assert (sent.way, sent["params"].keys()) == ("up", {"_meta"})


@pytest.mark.parametrize("meta", [5, None, [], "x"])
def test_a_meta_that_is_no_object_is_replaced(meta: object) -> None:
    assert Book().opened().goes_up(1, "tools/list", {"_meta": meta}).meta[META_VERSION] == MODERN


@pytest.mark.parametrize(
    "method", ["tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "server/discover", "subscriptions/listen"]
)
def test_what_the_two_revisions_do_not_share_is_unknown(method: str) -> None:
    assert method in refused(Book().opened().asks(0, method, {}), 0, -32601)


def test_a_method_that_cannot_be_written_is_unknown() -> None:
    refused(Book().opened().host(rb'{"jsonrpc":"2.0","id":0,"method":"x\ud800"}'), 0, -32601)


def test_a_method_of_an_extension_is_sent() -> None:
    assert Book().opened().goes_up(1, "vendor/thing", {"a": 1})["params"]["a"] == 1


def test_an_id_that_is_in_use_is_refused() -> None:
    book = Book().opened()
    call = book.goes_up(0, "tools/list")
    refused(book.asks(0, "tools/list"), 0, -32600)
    refused(book.asks(0, "ping"), 0, -32600)
    (answer,) = book.answers(call["id"], {"tools": []})
    assert answer["id"] == 0
    book.goes_up(0, "tools/list")


def test_only_so_many_requests_wait_at_once() -> None:
    book = Book(is_strict=False).opened()
    for id_ in range(4096):
        book.goes_up(id_, "tools/list")
    refused(book.asks("one more", "tools/list"), "one more", -32000)
    book.says("notifications/cancelled", {"requestId": 7})
    book.goes_up("one more", "tools/list")


def test_the_level_of_the_log_is_kept_and_checked() -> None:
    book = Book().opened()
    (answer,) = book.asks(1, "logging/setLevel", {"level": "info"})
    assert (answer["id"], answer["result"]) == (1, {})
    assert "emergency" in refused(book.asks(2, "logging/setLevel", {"level": "loud"}), 2, -32602)
    refused(book.asks(3, "logging/setLevel"), 3, -32602)
    refused(book.asks(4, "logging/setLevel", {"level": ["info"]}), 4, -32602)
    assert book.goes_up(5, "tools/list").meta[META_LEVEL] == "info"


def test_a_server_without_a_log_has_no_level() -> None:
    refused(Book().opened(server={"tools": {}}).asks(1, "logging/setLevel", {"level": "info"}), 1, -32601)


@pytest.mark.parametrize(
    "method",
    ["notifications/roots/list_changed", "notifications/progress", "notifications/x", "notifications/tasks/status"],
)
def test_modern_servers_take_no_notifications(method: str) -> None:
    assert Book().opened().says(method, {"progressToken": 1, "progress": 2}) == []


# -- answers


@pytest.mark.parametrize("id_", [0, -1, "", "a", "\u00e9", 2**53, 1.5])
def test_an_answer_bears_the_hosts_id(id_: object) -> None:
    book = Book().opened()
    call = book.goes_up(id_, "prompts/list")
    (answer,) = book.answers(call["id"], {"resultType": "complete", "prompts": [], "ttlMs": 5, "cacheScope": "public"})
    assert answer["id"] == id_
    assert answer["result"] == {"prompts": []}
    assert not book.upgrade.awaits(id_)  # type: ignore[arg-type]
    assert book.answers(call["id"], {"prompts": []}) == []


@pytest.mark.parametrize("error", [{"code": -32021, "message": "no", "data": {"requiredCapabilities": {}}}, "odd", [1]])
def test_an_error_passes_as_it_is(error: object) -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "a"})
    (answer,) = book.server(line(id=call["id"], error=error))
    assert (answer["id"], answer.body["error"]) == (1, error)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"resultType": "task", "task": {}}, '"task"'),
        ({"resultType": 5}, "without a valid resultType"),
        ({"resultType": None, "tools": []}, "without a valid resultType"),
        ([], "without a valid resultType"),
        (None, "without a valid resultType"),
        ("complete", "without a valid resultType"),
    ],
)
def test_a_result_of_an_unknown_type_is_an_error(result: object, says: str) -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "a"})
    assert says in refused(book.answers(call["id"], result), 1, -32603)


def test_what_comes_in_the_middle_of_a_call_passes_until_it_is_over() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "a", "_meta": {"progressToken": "p"}})
    progress = line(method="notifications/progress", params={"progressToken": "p", "progress": 1})
    message = line(method="notifications/message", params={"level": "info", "data": [1]})
    assert [one.line for one in book.server(progress, call["id"])] == [progress]
    assert [one.line for one in book.server(message, call["id"])] == [message]
    assert book.server(line(method="notifications/cancelled", params={"requestId": call["id"]}), call["id"]) == []
    book.answers(call["id"], {"content": []})
    assert book.server(progress, call["id"]) == []
    assert book.server(progress) == []
    other = book.goes_up(2, "tools/call", {"name": "a"})
    book.says("notifications/cancelled", {"requestId": 2})
    assert book.server(message, other["id"]) == []


def test_a_request_of_the_servers_is_dropped() -> None:
    book = Book().opened()
    assert book.server(line(id=1, method="roots/list")) == []
    assert book.reports[-1][0] == "warning"
    assert "roots/list" in book.reports[-1][1]


def test_a_response_of_the_host_that_matches_no_request_is_dropped() -> None:
    book = Book().opened()
    for id_ in (1, "a", None, 1.5):
        assert book.host(line(id=id_, error={"code": 1, "message": "x"})) == []
    assert {level for level, _ in book.reports} == {"debug"}


def test_the_host_cancels_a_call() -> None:
    book = Book().opened()
    call = book.goes_up("a", "tools/call", {"name": "a"})
    (sent,) = book.says("notifications/cancelled", {"requestId": "a", "reason": "enough"})
    assert (sent.way, sent["method"]) == ("up", "notifications/cancelled")
    assert sent["params"] == {"requestId": call["id"], "reason": "enough"}
    assert not book.upgrade.awaits("a")
    assert book.answers(call["id"], {"content": []}) == []
    unheard: list[object] = [{"requestId": "a"}, {"requestId": None}, {"requestId": []}, {}, [], 5]
    for params in unheard:
        assert book.says("notifications/cancelled", params) == []


# -- a server that changes its era


def test_a_session_that_is_adopted_goes_on_without_an_answer() -> None:
    book = Book()
    request = jsonrpc.parse(line(id=0, method="initialize", params=initialize("2025-06-18")))
    assert isinstance(request, Request)
    book.upgrade.adopt(request, initialized=True, restorable=[])
    (discover,) = book.take()
    assert not book.upgrade.awaits(0)
    assert book.asks(0, "tools/list") == []
    call, listen = book.answers(discover["id"], discovered({"tools": {"listChanged": True}}))
    assert [call["method"], listen["method"]] == ["tools/list", "subscriptions/listen"]


def test_a_session_that_is_adopted_goes_on_though_the_server_does_not_say_what_it_is() -> None:
    book = Book()
    request = jsonrpc.parse(line(id=0, method="initialize", params=initialize()))
    assert isinstance(request, Request)
    book.upgrade.adopt(request, initialized=False, restorable=[])
    (discover,) = book.take()
    book.asks(5, "tools/list")
    (call,) = book.fails(discover["id"])
    assert call["method"] == "tools/list"
    (answer,) = book.asks(1, "logging/setLevel", {"level": "info"})
    assert answer["result"] == {}
    assert book.says("notifications/initialized") == []


def test_requests_are_given_back_by_the_id_they_went_up_with() -> None:
    book = Book()
    (discover,) = book.asks(0, "initialize", initialize())
    book.asks(1, "tools/list")
    assert [request.raw_id for request in book.upgrade.reroute(discover["id"])] == [b"0", b"1"]
    assert book.take() == []
    assert not book.upgrade.awaits(0)
    assert not book.upgrade.awaits(1)
    book = Book().opened()
    call = book.goes_up("x", "tools/list")
    assert [request.raw_id for request in book.upgrade.reroute(call["id"])] == [b'"x"']
    assert book.upgrade.reroute(call["id"]) == []
    assert book.answers(call["id"], {"tools": []}) == []
    assert book.upgrade.reroute(999) == []


def test_what_waits_for_an_opening_is_answered_when_the_run_ends() -> None:
    book = Book()
    book.asks(0, "initialize", initialize())
    book.asks(1, "tools/list")
    (answer,) = book.closes()
    assert (answer["id"], answer.error["data"]["kind"]) == (1, "shutdown")
    assert book.upgrade.awaits(0), "the server's side answers that"
    assert Book().closes() == []
    assert json.loads(answer.line) == answer.body
