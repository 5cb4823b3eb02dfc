"""A legacy server's answers, made valid for a modern host."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Response
from bridge.translate.downgrade import results
from tests.translate.downgrade_book import SERVER

INFO = Raw(b'{"name":"a server","version":"2"}')
NAMED = {"_meta": {SERVER: {"name": "a server", "version": "2"}}}
COMPLETE = {"resultType": "complete", **NAMED}
CACHED = {**COMPLETE, "ttlMs": 0, "cacheScope": "private"}
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]


def sent(result: bytes) -> Response:
    response = jsonrpc.parse(b'{"jsonrpc":"2.0","id":9,"result":%b}' % result)
    assert isinstance(response, Response)
    return response


def told(method: str, result: object) -> Any:
    """What becomes of a result; a `bytes` is sent as it is."""
    line = result if isinstance(result, bytes) else msgspec.json.encode(result)
    answer = results.answer_line(b'"i"', method, sent(line), INFO)
    assert answer.startswith(b'{"jsonrpc":"2.0","id":"i","result":{')
    return json.loads(answer)["result"]


@pytest.mark.parametrize("method", ["completion/complete", "prompts/get", "acme/do"])
def test_a_result_is_complete_and_names_the_server(method: str) -> None:
    assert told(method, {"a": 1}) == {"a": 1, **COMPLETE}
    assert told(method, {}) == COMPLETE


@pytest.mark.parametrize("method", [*LISTS, "resources/read"])
def test_a_result_that_can_be_kept_says_that_it_is_stale(method: str) -> None:
    assert told(method, {"x": []}) == {"x": [], **CACHED}


def test_a_valid_time_to_live_of_the_servers_counts() -> None:
    given = {"contents": [], "ttlMs": 5000, "cacheScope": "public"}
    assert told("resources/read", given) == {**given, **COMPLETE}


@pytest.mark.parametrize("ttl", [-1, 1.5, "1", None, [], 10**40])
@pytest.mark.parametrize("scope", ["all", None, 1])
def test_an_odd_time_to_live_does_not(ttl: object, scope: object) -> None:
    given = json.dumps({"contents": [], "ttlMs": ttl, "cacheScope": scope}).encode()
    assert told("resources/read", given) == {"contents": [], **CACHED}


def test_a_result_type_of_the_servers_means_nothing() -> None:
    assert told("tools/call", {"resultType": "input_required", "content": []}) == {"content": [], **COMPLETE}


def test_the_servers_own_meta_stays() -> None:
    assert told("prompts/get", {"_meta": {"a/b": 1}})["_meta"] == {"a/b": 1, **NAMED["_meta"]}
    assert told("prompts/get", {"_meta": {SERVER: {"name": "x", "version": "1"}}})["_meta"][SERVER]["name"] == "x"
    assert told("prompts/get", {"_meta": 3})["_meta"] == 3


def test_a_tools_result_without_content_gets_none() -> None:
    assert told("tools/call", {"structuredContent": {"content": 1}}) == {
        "structuredContent": {"content": 1},
        "content": [],
        **COMPLETE,
    }
    assert told("tools/call", {}) == {"content": [], **COMPLETE}


def test_tools_do_not_say_how_they_run() -> None:
    first, second = b'{"name":"a","execution":{"taskSupport":"optional"},"x":1e400}', b'{"name":"b", "y": "execution"}'
    tools = b'[%b,%b,3,{"execution":1}]' % (first, second)
    answer = results.answer_line(b"1", "tools/list", sent(b'{"tools":%b}' % tools), INFO)
    assert b'"tools":[{"name":"a","x":1e400},{"name":"b", "y": "execution"},3,{}]' in answer


@pytest.mark.parametrize("result", [b"[]", b"null", b"3", b'"x"', b"true"])
def test_a_result_that_is_no_object_is_an_error(result: bytes) -> None:
    answer = results.answer_line(b"1", "tools/call", sent(result), INFO)
    assert json.loads(answer)["error"]["code"] == -32603


# -- large results are not read


BIG = b'"' + b"x" * 20_000 + b'"'


@pytest.mark.parametrize(
    ("method", "result", "added"),
    [
        ("tools/call", b'{ "content" : [%b] }', COMPLETE),
        ("tools/call", b'{"structuredContent":%b}', {**COMPLETE, "content": []}),
        ("resources/read", b'{"contents":[%b]}', CACHED),
        ("resources/read", b'{"contents":[%b],"_meta":{}}', {key: CACHED[key] for key in CACHED if key != "_meta"}),
        ("tools/list", b'{"tools":[%b]}', CACHED),
        ("resources/read", b'{"contents":[%b],"ttlMs":7}', {**CACHED, "ttlMs": 7}),
        ("resources/read", b'{"resultType":"x","contents":[%b]}', CACHED),
        ("tools/list", b'{"tools":[%b,{"execution":{}}]}', CACHED),
    ],
)
def test_a_large_result_gets_what_is_missing(method: str, result: bytes, added: dict[str, Any]) -> None:
    answer = results.answer_line(b"1", method, sent(result % BIG), INFO)
    assert answer.count(b'"_meta"') == answer.count(b'"resultType"') == 1
    became = told(method, result % BIG)
    assert {name: became[name] for name in added} == added
    before = json.loads(result % BIG)
    same = {name for name in before if became[name] == before[name]}
    assert set(before) - same <= {"resultType", "tools", "_meta"}


def test_a_large_result_passes_byte_for_byte() -> None:
    body = b'{ "content" : [ {"text":"\\u00e9", "n":1e400} ],  "x":%b }' % BIG
    answer = results.answer_line(b"1", "tools/call", sent(body), INFO)
    assert answer.startswith(b'{"jsonrpc":"2.0","id":1,"result":%b,' % body[:-1])


def test_a_name_spelled_with_escapes_does_not_win() -> None:
    body = b'{"result\\u0054ype":"input_required","x":%b}' % BIG
    assert told("tools/call", body)["resultType"] == "complete"


# -- errors


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": -32002, "message": "gone", "data": 1}, -32602, "gone"),
        ({"code": -32042, "message": "open", "data": 1}, -32603, "open"),
        ({"code": -5, "message": "no", "data": 1}, -5, "no"),
        ({"code": 1.5, "message": "no", "data": 1}, -32603, "no"),
        ({"code": "x", "message": "no", "data": 1}, -32603, "no"),
        ({"message": "no", "data": 1}, -32603, "no"),
        ({"code": -5, "message": 3, "data": 1}, -5, "The server answered with an error that has no message."),
        ({"code": -32002, "data": 1}, -32602, "The server answered with an error that has no message."),
        ({"code": -5, "message": "cut \ud83d", "data": 1}, -5, "cut \ufffd"),
    ],
)
def test_an_error_can_be_read_by_the_host(error: object, code: int, message: str) -> None:
    answer = results.error_line(b"0", Raw(json.dumps(error).encode()))
    assert json.loads(answer) == {
        "jsonrpc": "2.0",
        "id": 0,
        "error": {"code": code, "message": message, "data": 1},
    }


@pytest.mark.parametrize("error", [b"[]", b"3", b'"x"', b"{}", b'{"code":1e400}'])
def test_an_error_that_is_none_becomes_one(error: bytes) -> None:
    said = json.loads(results.error_line(b"0", Raw(error)))["error"]
    assert said["code"] == -32603
    assert said["message"]


def test_a_good_error_passes_byte_for_byte() -> None:
    error = b'{ "code":-1, "message":"x", "data":1e400 }'
    assert error in results.error_line(b"0", Raw(error))


@pytest.mark.parametrize("data", ["x", {}, {"elicitations": 3}, {"elicitations": [1]}, {"elicitations": [{}]}])
def test_an_error_that_names_no_pages(data: object) -> None:
    error = Raw(msgspec.json.encode({"code": -32042, "message": "x", "data": data}))
    assert results.wanted_urls(error) == []
