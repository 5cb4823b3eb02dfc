"""A modern server's answers as a legacy host gets them; the book checks them against the reference models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.upgrade_book import Book, Sent, line, result_line

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def answered(method: str, result: object, params: dict[str, Any] | None = None) -> Any:
    """What the host gets where the server answers with this."""
    book = Book().opened()
    call = book.goes_up(1, method, params or {})
    (answer,) = book.answers(call["id"], result)
    return answer["result"]


def listed(**tool: Any) -> Any:
    result = {"resultType": "complete", "ttlMs": 1, "cacheScope": "public", "tools": [{"name": "t", **tool}]}
    (only,) = answered("tools/list", result)["tools"]
    return only


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        (
            "tools/list",
            {},
            {"tools": [{"name": "t", "inputSchema": SCHEMA, "outputSchema": SCHEMA}], "nextCursor": "n"},
        ),
        ("prompts/list", {}, {"prompts": [{"name": "p"}]}),
        ("resources/list", {}, {"resources": [{"name": "r", "uri": "a:b"}]}),
        ("resources/templates/list", {}, {"resourceTemplates": []}),
        ("resources/read", {"uri": "a:b"}, {"contents": [{"uri": "a:b", "text": "x"}]}),
        ("prompts/get", {"name": "p"}, {"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}]}),
        ("tools/call", {"name": "t"}, {"content": [], "structuredContent": {"a": [1]}, "isError": True}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}},
            {"completion": {"values": ["x"]}},
        ),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("place", ["first", "last", "absent"])
def test_a_result_loses_what_is_new_and_nothing_else(
    method: str, params: dict[str, Any], result: dict[str, Any], is_large: bool, place: str
) -> None:
    kept = {**result, "_meta": {"x": "y" * 50_000 if is_large else "y"}}
    cached = {"ttlMs": 5, "cacheScope": "private"} if method.endswith(("list", "read")) else {}
    kind = {} if place == "absent" else {"resultType": "complete"}
    given = {**kind, **kept, **cached} if place == "first" else {**cached, **kept, **kind}
    assert answered(method, given, params) == kept


def test_what_a_result_holds_passes_byte_for_byte() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "t"})
    content = '[ {"type":"text", "text":"LONG\\u00e9\\/"} ]'.replace("LONG", "x" * 100_000)
    (answer,) = book.server(result_line(call["id"], f'{{"resultType":"complete","content":{content}, "n": 1e400}}'))
    assert answer.line == b'{"jsonrpc":"2.0","id":1,"result":{"content":%b,"n":1e400}}' % content.encode()


def test_a_large_result_that_ends_with_its_type_is_still_a_question() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {"name": "t"})
    (again,) = book.answers(call["id"], {"requestState": "s" * 50_000, "resultType": "input_required"})
    assert again.way == "up"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {},
        {"anyOf": []},
        {"type": ["object", "null"]},
        {"type": 5},
        True,
        None,
        {"$ref": "#/$defs/a"},
    ],
)
def test_an_output_schema_that_is_of_no_object_is_left_out(schema: object) -> None:
    assert listed(inputSchema=SCHEMA, outputSchema=schema, title="T") == {
        "name": "t",
        "inputSchema": SCHEMA,
        "title": "T",
    }


def test_boolean_schemas_of_properties_become_objects() -> None:
    schema = {"type": "object", "properties": {"a": True, "b": False, "c": {"type": "string"}}, "required": ["a"]}
    mended = {"type": "object", "properties": {"a": {}, "b": {"not": {}}, "c": {"type": "string"}}, "required": ["a"]}
    assert listed(inputSchema=schema, outputSchema=schema) == {
        "name": "t",
        "inputSchema": mended,
        "outputSchema": mended,
    }


def test_a_tool_that_needs_no_change_passes_byte_for_byte() -> None:
    book = Book(is_strict=False).opened()
    call = book.goes_up(1, "tools/list")
    tool = '{ "name":"t", "inputSchema" : {"type":"object", "properties":{"a":{"maximum":1e400}}} }'
    odd = '{"name":"u","inputSchema":{"type":"object"},"outputSchema":{}}'
    (answer,) = book.server(result_line(call["id"], f'{{"tools":[ {odd} , {tool} , 5],"resultType":"complete"}}'))
    assert tool.encode() in answer.line
    assert b'"outputSchema"' not in answer.line


@pytest.mark.parametrize(
    ("result", "content", "structured"),
    [
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": [1]}, [{"type": "text", "text": "a"}], None),
        ({"content": [], "structuredContent": [1, 2]}, [{"type": "text", "text": "[1, 2]"}], None),
        ({"structuredContent": "x"}, [{"type": "text", "text": '"x"'}], None),
        ({"structuredContent": None}, [{"type": "text", "text": "null"}], None),
        ({"structuredContent": {"a": 1}}, [{"type": "text", "text": '{"a": 1}'}], {"a": 1}),
        ({"content": [], "structuredContent": {"a": 1}}, [], {"a": 1}),
        ({}, [], None),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_structured_content_that_is_no_object_is_said_in_words(
    result: dict[str, Any], content: object, structured: object, is_large: bool
) -> None:
    more = {"_meta": {"x": "y" * 50_000}} if is_large else {}
    got = answered("tools/call", {"resultType": "complete", **result, **more}, {"name": "t"})
    expected = {"content": content, **more}
    assert got == ({**expected, "structuredContent": structured} if structured is not None else expected)


def read(error: object, method: str = "resources/read", uri: str = "a:b") -> Sent:
    book = Book().opened()
    params = {"uri": uri} if method == "resources/read" else {"name": "p"}
    call = book.goes_up(1, method, params)
    (answer,) = book.server(line(id=call["id"], error=error))
    return answer


def test_a_resource_that_is_not_there_has_the_code_it_had() -> None:
    error = {"code": -32602, "message": "Not found", "data": {"uri": "a:b"}}
    assert read(error).error == {**error, "code": -32002}


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("resources/read", {"code": -32602, "message": "Bad params"}),
        ("resources/read", {"code": -32602, "message": "Bad params", "data": {"uri": 5}}),
        ("resources/read", {"code": -32603, "message": "No", "data": {"uri": "a:b"}}),
        ("prompts/get", {"code": -32602, "message": "No", "data": {"uri": "a:b"}}),
    ],
)
def test_other_errors_keep_their_code(method: str, error: object) -> None:
    assert read(error, method).error == error
