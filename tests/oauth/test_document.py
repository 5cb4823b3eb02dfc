"""A stranger's JSON object, one member at a time."""

import json

import pytest

from bridge.oauth.document import MAX_BYTES, Document, json_object
from bridge.oauth.errors import MetadataError
from bridge.protocol.nesting import MAX_NESTING

URL = "https://h.example/.well-known/x"


def document(**members: object) -> Document:
    return Document(json.dumps(members).encode(), "metadata", URL)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'"x"', b'{"a":1', b'{"a":1} x', b'{"a":' * 400, b"\xff\xfe{}", b'{"\xff":1}'],
)
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(MetadataError, match=r"^The metadata at https://h\.example/\.well-known/x is not a JSON object"):
        Document(body, "metadata", URL)


@pytest.mark.parametrize("beyond", [0, 1, 600, 100_000])
def test_nesting_is_read_up_to_the_limit_and_no_further(beyond: int) -> None:
    depth = MAX_NESTING - 1 + beyond
    body = b'{"a":"b","deep":' + b"[" * depth + b"]" * depth + b"}"
    if beyond:
        assert json_object(body) is None
        with pytest.raises(MetadataError, match="is nested too deeply"):
            Document(body, "metadata", URL)
    else:
        assert (json_object(body) or {})["a"] == Document(body, "metadata", URL).text("a") == "b"


def test_a_document_has_a_limit() -> None:
    assert Document(b'{"a":"%s"}' % (b"x" * (MAX_BYTES - 8)), "metadata", URL).text("a")
    with pytest.raises(MetadataError, match=f"limit is {MAX_BYTES}"):
        Document(b"{}" + b" " * (MAX_BYTES - 1), "metadata", URL)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert Document(b'\xef\xbb\xbf{"a":"b"}', "metadata", URL).text("a") == "b"


@pytest.mark.parametrize("value", [1, None, True, ["x"], {"x": "y"}])
def test_a_text_of_another_type_is_absent(value: object) -> None:
    assert document(a=value).text("a") is None
    with pytest.raises(MetadataError, match="has an unusable 'a'"):
        document(a=value).required_text("a")


def test_a_text_that_is_not_utf_8_is_absent() -> None:
    assert Document(b'{"a":"\xff"}', "metadata", URL).text("a") is None


def test_a_required_text_that_is_missing() -> None:
    with pytest.raises(MetadataError, match=r"has no 'a'; a string that is not empty was expected"):
        document().required_text("a")
    with pytest.raises(MetadataError, match="unusable 'a'"):
        document(a="").required_text("a")


def test_texts_keep_what_can_be_used() -> None:
    entries = ["b", "a", "b", "", "two words", "\x00", "\u00fc", 1, None, ["c"], "x" * 3000, "d"]
    assert document(a=entries).texts("a") == ("b", "a", "d")
    assert document(a=[]).texts("a") == ()
    assert document(a="b").texts("a") is None
    assert document().texts("a") is None
    assert len(document(a=[str(number) for number in range(10_000)]).texts("a") or ()) == 500


@pytest.mark.parametrize("value", [False, "true", 1, None, [True]])
def test_only_true_is_true(value: object) -> None:
    assert document(a=True).is_true("a")
    assert not document(a=value).is_true("a")
    assert not document().is_true("a")


def test_endpoints() -> None:
    good = "https://as.example/x"
    assert document(a=good).endpoint("a") == document(a=good).required_endpoint("a") == good
    for bad in ("http://as.example/x", "javascript:x", "", 7):
        assert document(a=bad).endpoint("a") is None
        with pytest.raises(MetadataError, match=r"was refused|unusable"):
            document(a=bad).required_endpoint("a")
    with pytest.raises(MetadataError, match=r"The a in the metadata at https://h\.example/\.well-known/x was refused"):
        document(a="http://as.example/x").required_endpoint("a")
    with pytest.raises(MetadataError, match="has no 'a'; a URL was expected"):
        document().required_endpoint("a")
