"""Text from others, made printable."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol.sanitize import (
    ADDRESS,
    PROBLEM,
    WORDS,
    address,
    escaped,
    excerpt,
    problem_text,
    quoted,
    said,
    sentence,
    shown,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  two \r\n\t lines ", "two lines"),
        ("red\x1b[31m", "red [31m"),
        ("abc\u202edef\u2066x", "abcdefx"),
        ("zero\u200bwidth\u2028line", "zerowidth line"),
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


def test_bytes_are_shown_also_where_they_are_not_utf8() -> None:
    assert excerpt(b"a\xff b\n") == "a\ufffd b"
    assert excerpt(bytearray(b"a" * 2000), 10) == "aaaaaaa..."
    assert len(excerpt(b"a" * 2000)) == 300


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (OSError(5, "Not\nnow."), "Not now"),
        (ValueError("a\u202eb"), "ab"),
        (ValueError(), "ValueError"),
        (ValueError("a" * 500), f"{'a' * (PROBLEM - 3)}"),
    ],
)
def test_an_exception_is_told_in_one_clause(problem: BaseException, text: str) -> None:
    assert problem_text(problem) == text


def test_a_line_of_a_log_is_cut_after_it_was_escaped() -> None:
    assert escaped("a\nb", 5) == "a\\nb"
    assert escaped("a\nbcd", 5) == "a\\..."


@pytest.mark.parametrize(("text", "full"), [("a", "a."), ("a.", "a."), ("a!", "a!"), ("a?", "a?")])
def test_a_sentence_has_one_end(text: str, full: str) -> None:
    assert sentence(text) == full


@given(st.text(st.characters()), st.integers(3, 50))
def test_any_text(text: str, longest: int) -> None:
    line = shown(text, longest)
    assert len(line) <= longest
    assert line.isprintable()
    line.encode()


UNSEEN = [
    *("\u00ad", "\u034f", "\u061c", "\u115f", "\u180b", "\u180e", "\u200b", "\u200e", "\u202e", "\u2060", "\u2064"),
    *("\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ue000", "\ud800"),
    *("\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100"),
]
"""Characters that nothing shows."""


@pytest.mark.parametrize("char", UNSEEN, ids=ascii)
def test_what_nothing_shows_is_left_out_of_a_sentence_and_has_its_number_in_a_log(char: str) -> None:
    assert shown(f"a{char}b", 100) == "ab"
    assert quoted(f"a{char}b") == '"ab"'
    assert escaped(f"a{char}b") == f"a{char.encode('unicode_escape').decode()}b"


def test_no_character_of_the_categories_that_are_not_seen_is_shown() -> None:
    every = map(chr, range(0x110000))
    odd = [char for char in every if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}]
    for start in range(0, len(odd), 5000):
        part = "".join(odd[start : start + 5000])
        assert shown(part, len(part)) == ""
        assert escaped(part).isascii()


def test_a_log_keeps_letters_and_spaces() -> None:
    assert escaped("Gr\u00fc\u00dfe,  \u4e16\u754c\xa0!") == "Gr\u00fc\u00dfe,  \u4e16\u754c !"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Token expired", '"Token expired"'),
        ('no "quotes" end it', "\"no 'quotes' end it\""),
        ("see https://evil.example/a?b#c now", '"see [link removed] now"'),
        ("see HTTP:evil, http:/evil.example", '"see HTTP:evil, [link removed]"'),
        ("open ht\u200btps://evil.example", '"open [link removed]"'),
        (r"open https:\\evil.example", '"open [link removed]"'),
        ("go to evil.example/login.", '"go to [link removed]"'),
        ("go to evil.example:8443/login?x", '"go to [link removed]"'),
        ("at www.evil.example it is", '"at [link removed] it is"'),
        ("//evil.example/x", '"[link removed]"'),
        ("[sign in](evil.example)", '"[sign in] (evil.example)"'),
        ("mailto:a@evil.example?body=x", '"[link removed]"'),
        ("javascript:alert(1)", '"[link removed]"'),
        ("text/html is not application/json in HTTP/1.1", '"text/html is not application/json in HTTP/1.1"'),
        ("Is it Node.js? 1.2.3", '"Is it Node.js? 1.2.3"'),
        (" \n\u200b ", ""),
    ],
)
def test_words_of_a_server_are_in_quotation_marks_and_hold_no_link(text: str, expected: str) -> None:
    assert quoted(text) == expected
    assert said(text) == (f"the server said: {expected}" if expected else "")


def test_words_of_a_server_are_short() -> None:
    assert quoted("a " * 1000) == f'"{("a " * WORDS)[: WORDS - 3].rstrip()}..."'
    assert len(quoted("https://x " * 1000)) <= WORDS + 2


@given(st.text(st.characters()))
def test_any_words(text: str) -> None:
    line = quoted(text)
    assert line.isprintable()
    assert line == "" or (line[0] == line[-1] == '"' and '"' not in line[1:-1])
    assert "://" not in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://as.example/tenant", "https://as.example/tenant"),
        ("http://as.example", "http://as.example"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://as.example/x?ignore=all#before", "https://as.example/x..."),
        ("https://as.example/#ignore", "https://as.example/..."),
        ("https://user:word@as.example/", "https://as.example/"),
        ("javascript:alert(1)", "javascript:alert..."),
        ("Ignore that and open https://evil.example", "Ignore..."),
        ("https://as.example/\u200bx", "https://as.example/..."),
        ("https://as.example/'x", "https://as.example/..."),
        (f"https://as.example/{'a' * 500}", f"https://as.example/{'a' * (ADDRESS - 22)}..."),
        ("", ""),
    ],
)
def test_an_address_of_a_server_is_shown_without_what_may_hold_any_text(text: str, expected: str) -> None:
    assert address(text) == expected
