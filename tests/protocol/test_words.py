"""What others wrote, made fit to be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol.words import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  two \r\n\t lines ", "two lines"),
        ("red\x1b[31m", "red [31m"),
        ("abc\u202edef\u2066x", "abc def x"),
        ("zero\u200bwidth\u2028line", "zero width line"),
        ("half\ud800", "half"),
        ("gr\u00fc\u00df dich, \u4e16\u754c", "gr\u00fc\u00df dich, \u4e16\u754c"),
        ("", ""),
    ],
)
def test_one_printable_line(text: str, expected: str) -> None:
    assert shown(text, 100) == expected


def test_it_is_cut_where_it_is_long() -> None:
    assert shown("a" * 10, 10) == "a" * 10
    assert shown("a" * 11, 10) == "aaaaaaa..."


@given(st.text(st.characters()), st.integers(3, 50))
def test_any_text(text: str, longest: int) -> None:
    line = shown(text, longest)
    assert len(line) <= longest
    assert line.isprintable()
    line.encode()
