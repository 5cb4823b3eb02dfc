"""Any bytes are what the table says, and only two errors are ever raised."""

import json
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.protocol.jsonrpc import Request, parse
from tests.protocol.test_jsonrpc import verdict
from tests.support.cuts import unhurried


def is_json(line: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(line.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        return False
    return True


@unhurried
@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(line: bytes) -> None:
    assert (verdict(line) != "NotJson") == is_json(line)


SPLINTERS = [
    b'"',
    b"\\",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"0",
    b"-",
    b".",
    b"e9",
    b" ",
    b"\xff",
    b"\xc3\xa9",
]
SPLINTERS += [b"null", b"NaN", b'"id":true,', b'"method":"m",', b'"jsonrpc":"2.0",', b"\x00", b"\t"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message, with some bytes taken out and others put in."""
    line = draw(
        st.sampled_from(
            [
                b'{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":[1,-2.5e3,"\\u00e9",null]}}',
                b'{"jsonrpc":"2.0","id":12,"result":{"t":"\\ud83d"}}',
                '{"jsonrpc":"2.0","id":12,"error":{"code":1,"message":"\u00e9"}}'.encode(),
            ]
        )
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        gone = draw(st.integers(0, 3))
        line = line[:start] + draw(st.sampled_from([b"", *SPLINTERS])) + line[start + gone :]
    return line


@unhurried
@given(damaged())
@example(b'{"jsonrpc":"1.0","id":1}x')
def test_no_damaged_message_raises_anything_else(line: bytes) -> None:
    assert (verdict(line) != "NotJson") == is_json(line)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MAYBE = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"])


def by_the_table(value: Any) -> str:
    """The module's table, once more."""
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        return "NotAMessage"
    has_id = "id" in value
    usable = isinstance(value.get("id"), int | float | str) and not isinstance(value.get("id"), bool)
    if isinstance(value.get("method"), str):
        return "Notification" if not has_id else "Request" if usable else "NotAMessage"
    if value.get("method") is None and has_id and ("result" in value) != (value.get("error") is not None):
        return "Response" if usable or value["id"] is None else "NotAMessage"
    return "NotAMessage"


@unhurried
@given(
    st.dictionaries(MAYBE, VALUES)
    | st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0")},
        optional={"id": VALUES, "method": st.text() | VALUES, "params": VALUES, "result": VALUES, "error": VALUES},
    )
    | VALUES,
    st.booleans(),
)
@example({"jsonrpc": "2.0", "id": 0, "method": "\ud800"}, True)
@example({"jsonrpc": "2.0", "id": True, "method": "\ud800"}, True)
@example({"jsonrpc": "2.0", "id": None, "error": ["\ud800"]}, True)
@example({"jsonrpc": "2.0", "id": None, "error": None}, False)
@example({"jsonrpc": "2.0", "id": 1, "result": 1, "error": None}, False)
def test_json_is_what_the_table_says(value: Any, escaped: bool) -> None:
    line = json.dumps(value, ensure_ascii=escaped).encode()
    assert verdict(line) == by_the_table(value)
    if verdict(line) == "Request":
        message = parse(line)
        assert isinstance(message, Request)
        if not isinstance(message.id, bytes):
            assert message.id == value["id"] or math.isclose(float(message.id), value["id"])
        assert json.loads(message.raw_id) == value["id"]
        assert message.method == value["method"]
        assert json.loads(bytes(message.params) or b"null") == value.get("params")
