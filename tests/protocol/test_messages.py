"""The few fields of messages that are read, and that what cannot be read counts as absent."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bridge.protocol import mcp, messages, writing
from bridge.protocol.jsonrpc import Notification, parse
from bridge.protocol.nesting import MAX_NESTING
from tests.support.cuts import unhurried

READERS: list[Callable[[Raw], Any]] = [
    messages.initialize_result,
    messages.repeatable_tools,
    messages.named,
    messages.resource_uri,
    messages.cancelled_request,
    messages.asked_progress_token,
    messages.told_progress_token,
]


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def test_an_initialize_result_tells_its_version() -> None:
    said = {"capabilities": {}, "protocolVersion": "2025-06-18", "_meta": {"name": 1}}
    result = messages.initialize_result(raw(said))
    assert result is not None
    assert result.protocol_version == "2025-06-18"


@pytest.mark.parametrize("value", [{}, {"protocolVersion": 1}, {"protocolVersion": None}, [], None, "2025-06-18"])
def test_anything_else_is_no_initialize_result(value: Any) -> None:
    assert messages.initialize_result(raw(value)) is None


@pytest.mark.parametrize(
    ("annotations", "repeatable"),
    [
        (None, False),
        ({}, False),
        ({"title": "T", "destructiveHint": False}, False),
        ({"readOnlyHint": True}, True),
        ({"idempotentHint": True}, True),
        ({"readOnlyHint": False, "idempotentHint": True}, True),
        ({"readOnlyHint": True, "idempotentHint": False}, True),
        ({"readOnlyHint": False, "idempotentHint": False}, False),
        ({"readOnlyHint": None}, False),
    ],
)
def test_a_tool_says_whether_calling_it_twice_does_no_harm(annotations: Any, repeatable: bool) -> None:
    tool = {"name": "t", "inputSchema": {"type": "object"}, "annotations": annotations}
    assert messages.repeatable_tools(raw({"tools": [tool], "nextCursor": "c"})) == {"t": repeatable}


def test_every_tool_is_told_and_silence_means_no() -> None:
    tools = [{"name": "a", "annotations": {"readOnlyHint": True}}, {"name": "b"}, {"name": ""}]
    assert messages.repeatable_tools(raw({"tools": tools})) == {"a": True, "b": False, "": False}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"tools": []},
        {"tools": None},
        {"tools": [1]},
        {"tools": [{}]},
        {"tools": [{"name": "t", "annotations": {"readOnlyHint": "yes"}}]},
        [],
        None,
    ],
)
def test_what_is_not_a_list_of_tools_names_none(value: Any) -> None:
    assert messages.repeatable_tools(raw(value)) == {}


@pytest.mark.parametrize(
    ("read", "params", "found"),
    [
        (messages.named, {"name": "t", "arguments": {"name": "other"}}, "t"),
        (messages.named, {"uri": "u"}, ""),
        (messages.named, {"name": None}, ""),
        (messages.named, {"name": 5}, ""),
        (messages.resource_uri, {"uri": "file:///a"}, "file:///a"),
        (messages.resource_uri, {"name": "t"}, ""),
        (messages.cancelled_request, {"requestId": 0}, 0),
        (messages.cancelled_request, {"requestId": "0", "reason": "r"}, "0"),
        (messages.cancelled_request, {"requestId": None}, None),
        (messages.cancelled_request, {"requestId": {"a": 1}}, None),
        (messages.cancelled_request, {"reason": "r"}, None),
        (messages.asked_progress_token, {"_meta": {"progressToken": 0}}, b"0"),
        (messages.asked_progress_token, {"_meta": {"progressToken": "p", "x": 1}}, b'"p"'),
        (messages.asked_progress_token, {"_meta": {}}, b""),
        (messages.asked_progress_token, {"_meta": None}, b""),
        (messages.asked_progress_token, {"progressToken": 1}, b""),
        (messages.told_progress_token, {"progressToken": 1, "progress": 0.5}, b"1"),
        (messages.told_progress_token, {"progressToken": "1"}, b'"1"'),
        (messages.told_progress_token, {"_meta": {"progressToken": 1}}, b""),
    ],
)
def test_params_are_read(read: Callable[[Raw], Any], params: Any, found: Any) -> None:
    result = read(raw(params))
    assert result == found
    assert type(result) is type(found)


def test_tokens_and_ids_are_read_as_they_were_sent() -> None:
    assert messages.told_progress_token(Raw(b'{"progressToken": 1.50 }')) == b"1.50"
    assert messages.asked_progress_token(Raw(b'{"_meta":{"progressToken":"\\u0061"}}')) == b'"\\u0061"'
    assert messages.cancelled_request(Raw(b'{"requestId":1e400}')) == b"1e400"


NOTHING: list[tuple[Callable[[Raw], Any], Any]] = [
    (messages.initialize_result, None),
    (messages.repeatable_tools, {}),
    (messages.named, ""),
    (messages.resource_uri, ""),
    (messages.cancelled_request, None),
    (messages.asked_progress_token, b""),
    (messages.told_progress_token, b""),
]


@pytest.mark.parametrize(("read", "nothing"), NOTHING)
def test_what_cannot_be_read_is_absent(read: Callable[[Raw], Any], nothing: Any) -> None:
    unreadable = [b"", b"[]", b"null", b"5", b'"name"', b"[{}]", b'{"_meta":5}', b"{\xff}", b'{"\xff":1}']
    assert {params: read(Raw(params)) for params in unreadable} == dict.fromkeys(unreadable, nothing)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "uri", "requestId", "progressToken", "_meta", "tools", "annotations", "protocolVersion"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@unhurried
@given(VALUES)
def test_no_params_raise(value: Any) -> None:
    for read in READERS:
        read(raw(value))


def deeper(frames: int, read: Callable[[Raw], Any], params: Raw) -> Any:
    return read(params) if frames == 0 else deeper(frames - 1, read, params)


@pytest.mark.parametrize("read", READERS)
def test_nesting_that_is_just_taken_does_not_raise_deeper_in_the_stack(read: Callable[[Raw], Any]) -> None:
    depth = MAX_NESTING - 2  # `params` and the envelope are two levels.
    deepest = parse(b'{"jsonrpc":"2.0","method":"m","params":{"x":' + b"[" * depth + b"]" * depth + b"}}")
    assert isinstance(deepest, Notification)
    deeper(20, read, deepest.params)


def test_a_cancellation_of_the_bridges_own() -> None:
    message = parse(writing.cancellation(b'"a"', rb'"it \"timed\" out"').line)
    assert isinstance(message, Notification)
    assert message.method == mcp.CANCELLED
    assert messages.cancelled_request(message.params) == "a"
    assert json.loads(bytes(message.params))["reason"] == 'it "timed" out'


def test_calling_a_tool_is_not_idempotent_by_itself() -> None:
    assert mcp.TOOLS_CALL not in mcp.IDEMPOTENT_METHODS
    assert {mcp.TOOLS_LIST, mcp.INITIALIZE, "ping", "resources/read"} <= mcp.IDEMPOTENT_METHODS
