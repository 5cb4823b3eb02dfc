"""Lone surrogates are replaced where a text must be decoded, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bridge.protocol.surrogates import mended, replaced
from tests.support.cuts import unhurried


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\ud83d\u0041"', rb'"\ufffd\u0041"'),
        (rb'{"n":1e400,"\ud83d":[1.0]}', rb'{"n":1e400,"\ufffd":[1.0]}'),
        (b"", b""),
    ],
    ids=lambda value: value.decode() or "nothing",
)
def test_each_lone_surrogate_becomes_a_replacement_character(escaped: bytes, expected: bytes) -> None:
    assert bytes(mended(Raw(escaped))) == expected


@unhurried
@given(st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010) | st.sampled_from('\\u"d8\U0001f600')))
def test_the_mended_text_is_the_text_with_its_lone_surrogates_replaced(text: str) -> None:
    escaped = json.dumps(text).encode()
    assert json.loads(bytes(mended(Raw(escaped)))) == replaced(json.loads(escaped))


@unhurried
@given(st.binary())
def test_no_bytes_make_it_fail_or_change_their_length(data: bytes) -> None:
    assert len(mended(Raw(data))) == len(data)
