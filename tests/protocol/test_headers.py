"""The HTTP headers that repeat parts of a message, and that any text can be a value."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bridge.protocol.headers import Headers, header_value, request_headers, string
from tests.support.cuts import unhurried

VERSION = "2026-07-28"
FIELD_VALUE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""What passes every hop as it is (RFC 9110, section 5.5), narrower by the tab."""


def decoded(value: bytes) -> str:
    """A header's value as a server reads it (Value Encoding)."""
    if value.startswith(b"=?base64?") and value.endswith(b"?=") and len(value) >= len(b"=?base64??="):
        return base64.b64decode(value[len(b"=?base64?") : -len(b"?=")], validate=True).decode()
    return value.decode("ascii")


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def headers(method: str, params: Raw) -> dict[bytes, bytes]:
    found = request_headers(VERSION, method, params)
    assert found is not None
    return dict(found)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # The standard's own examples.
        ("us-west1", b"us-west1"),
        ("Hello, 世界", b"=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", b"=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", b"=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", b"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        # And what lies between them.
        ("", b"=?base64??="),
        ("us west 1", b"us west 1"),
        (" us-west1", b"=?base64?IHVzLXdlc3Qx?="),
        ("us-west1 ", b"=?base64?dXMtd2VzdDEg?="),
        (" ", b"=?base64?IA==?="),
        ("\tindented", b"=?base64?CWluZGVudGVk?="),
        ("in\tside", b"=?base64?aW4Jc2lkZQ==?="),
        ("line1\r\nline2", b"=?base64?bGluZTENCmxpbmUy?="),
        ("foo\r\nX-Injected: bar", b"=?base64?Zm9vDQpYLUluamVjdGVkOiBiYXI=?="),
        ("\x00", b"=?base64?AA==?="),
        ("\x7f", b"=?base64?fw==?="),
        ("é", b"=?base64?w6k=?="),
        ("\u00a0", b"=?base64?wqA=?="),
        ("=?base64?Zm9v", b"=?base64?Zm9v"),
        ("Zm9v?=", b"Zm9v?="),
        ("=?base64?=", b"=?base64?PT9iYXNlNjQ/PQ==?="),
        ("=?BASE64?Zm9v?=", b"=?BASE64?Zm9v?="),
        ("~!@#$%^&*()", b"~!@#$%^&*()"),
        ("file:///projects/my app/config.json", b"file:///projects/my app/config.json"),
    ],
    ids=ascii,
)
def test_a_text_becomes_a_value_that_means_it(text: str, value: bytes) -> None:
    assert header_value(text) == value
    assert decoded(value) == text


@unhurried
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=?base64 \t\r\n")))
def test_any_text_is_read_back_from_its_value(text: str) -> None:
    value = header_value(text)
    assert FIELD_VALUE.fullmatch(value)
    assert decoded(value) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [("\ud83d", "\ufffd"), ("a\ude00b", "a\ufffdb"), ("\ude00\ud83d", "\ufffd\ufffd"), ("\ud83d\ude00", "\U0001f600")],
    ids=ascii,
)
def test_a_lone_surrogate_is_a_replacement_character(text: str, read: str) -> None:
    assert decoded(header_value(text)) == read


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "get_weather", "arguments": {"name": "x"}, "uri": "u"}, b"get_weather"),
        ("prompts/get", {"uri": 3, "name": "wörter"}, b"=?base64?d8O2cnRlcg==?="),
        ("resources/read", {"name": "n", "uri": "file:///projects/config.json"}, b"file:///projects/config.json"),
        ("tools/call", {"name": ""}, b"=?base64??="),
        ("tools/call", {"name": 5}, None),
        ("tools/call", {"name": None}, None),
        ("tools/call", {"name": ["x"]}, None),
        ("tools/call", {"uri": "u"}, None),
        ("tools/call", {}, None),
        ("tools/call", [], None),
        ("tools/call", None, None),
        ("tools/call", "name", None),
        ("tools/list", {"name": "n", "uri": "u"}, None),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, None),
        ("notifications/cancelled", {"requestId": 1}, None),
    ],
)
def test_the_headers_say_the_version_the_method_and_the_name(method: str, params: Any, name: bytes | None) -> None:
    expected = {b"mcp-protocol-version": b"2026-07-28", b"mcp-method": method.encode()}
    assert headers(method, raw(params)) == expected | ({} if name is None else {b"mcp-name": name})


def test_a_message_without_params_has_its_headers() -> None:
    assert request_headers(VERSION, "tools/call", Raw()) == (
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", b"tools/call"),
    )


def test_a_name_given_twice_counts_as_every_reader_of_json_counts_it() -> None:
    assert headers("tools/call", Raw(b'{"name":"first","name":"second"}'))[b"mcp-name"] == b"second"


@pytest.mark.parametrize(
    "params",
    [
        rb'{"arguments":{"text":"cut \ud83d"},"name":"echo"}',
        rb'{"\ude00":1e400,"name":"echo"}',
        b'{"name":"echo","arguments":{"n":1e400,"m":-0,"k":%b}}' % (b"9" * 5000),
    ],
    ids=["a-lone-surrogate", "in-a-key", "huge-numbers"],
)
def test_odd_values_beside_the_name_do_not_hide_it(params: bytes) -> None:
    assert headers("tools/call", Raw(params))[b"mcp-name"] == b"echo"


def test_a_name_that_holds_a_lone_surrogate_is_still_a_name() -> None:
    assert decoded(headers("tools/call", Raw(rb'{"name":"cut \ud83d"}'))[b"mcp-name"]) == "cut \ufffd"


@pytest.mark.parametrize(
    "method", ["", "a\r\nb", "tools/cäll", "\ud83d", " ping", "ping ", "pi\tng", "\x7f"], ids=ascii
)
def test_a_method_that_fits_no_header_has_none(method: str) -> None:
    assert request_headers(VERSION, method, Raw()) is None


@pytest.mark.parametrize("version", ["", "2026\r\nHost: x", "2026\u2010"], ids=ascii)
def test_a_version_that_fits_no_header_has_none(version: str) -> None:
    assert request_headers(version, "ping", Raw()) is None


@pytest.mark.parametrize("method", ["=?base64?cGluZw==?=", "x y", "vendor/do:it"])
def test_a_method_is_never_encoded(method: str) -> None:
    assert headers(method, Raw())[b"mcp-method"] == method.encode()


json_bytes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("name"), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@unhurried
@given(st.sampled_from(["tools/call", "resources/read", "ping"]) | st.text(), st.binary() | json_bytes)
def test_no_params_make_it_fail(method: str, params: bytes) -> None:
    found: Headers | None = request_headers(VERSION, method, Raw(params))
    assert found is None or all(FIELD_VALUE.fullmatch(value) for _, value in found)


@pytest.mark.parametrize("value", [b"", b"1", b"{}", b"null", b'["a"]', b'"', b'"\\q"', b'"\xff"'], ids=ascii)
def test_what_is_no_json_string_has_no_text(value: bytes) -> None:
    assert string(Raw(value)) is None
