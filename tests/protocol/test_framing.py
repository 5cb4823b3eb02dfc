"""Lines out of bytes, whatever the pieces they come in."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.protocol.framing import LineSplitter, Overlong
from tests.support.pieces import in_pieces, unhurried

MIB = 1 << 20

Line = bytes | int
"""A line, or the size of one that was too long."""


def plain(lines: list[bytes | Overlong]) -> list[Line]:
    return [line.size if isinstance(line, Overlong) else line for line in lines]


def lines_of(pieces: list[bytes], limit: int = 1000) -> list[Line]:
    splitter = LineSplitter(limit)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return plain(lines + splitter.end())


def expected(data: bytes, limit: int) -> list[Line]:
    """The same without a memory: what the lines of a whole stream are."""
    lines: list[Line] = [len(raw) if len(raw) > limit else raw.strip(b" \t\r") for raw in data.split(b"\n")]
    return [line for line in lines if line != b""]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r", [b"a"]),
        (b"\n\r\n \t\n\n", []),
        (b"\na\n\n\nb\n\n", [b"a", b"b"]),
        (b"  a b \t\n", [b"a b"]),
        (b"a\rb\n", [b"a\rb"]),
        ("\u2028\x85\u00e9\n".encode(), ["\u2028\x85\u00e9".encode()]),
        (b"\x0b\x0c\n", [b"\x0b\x0c"]),
    ],
)
def test_lines_end_in_lf_or_crlf_and_blank_ones_are_left_out(data: bytes, lines: list[Line]) -> None:
    assert lines_of([data]) == lines


@unhurried
@given(
    in_pieces(st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"a", b"bcd", b"0123456789"])).map(b"".join)),
    st.integers(0, 12),
)
@example((b"aaaa\nb", [b"aaa", b"a\nb"]), 3)
def test_any_pieces_give_the_same_lines(stream: tuple[bytes, list[bytes]], limit: int) -> None:
    data, pieces = stream
    assert lines_of([data], limit) == expected(data, limit)
    assert lines_of(pieces, limit) == expected(data, limit)


@unhurried
@given(in_pieces(st.binary(max_size=60)))
def test_any_bytes_pass(stream: tuple[bytes, list[bytes]]) -> None:
    data, pieces = stream
    assert lines_of(pieces) == expected(data, 1000)


def test_a_line_is_told_as_soon_as_its_end_comes() -> None:
    splitter = LineSplitter(100)
    assert splitter.feed(b"one") == []
    assert splitter.feed(b"\ntwo") == [b"one"]
    assert splitter.feed(b"\n") == [b"two"]
    assert splitter.feed(b"three\nfour\nfi") == [b"three", b"four"]
    assert splitter.end() == [b"fi"]


def test_the_end_can_be_asked_for_twice() -> None:
    splitter = LineSplitter(100)
    splitter.feed(b"one")
    assert splitter.end() == [b"one"]
    assert splitter.end() == []


@pytest.mark.parametrize(
    ("size", "line"),
    [(9, b"x" * 9), (10, b"x" * 10), (11, 11), (25, 25)],
)
@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_line_longer_than_allowed_is_told_by_its_size(size: int, line: Line, step: int) -> None:
    data = b"before\n" + b"x" * size + b"\nafter\n"
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    assert lines_of(pieces, 10) == [b"before", line, b"after"]


def test_an_overlong_line_may_lack_its_end() -> None:
    assert lines_of([b"x" * 6, b"x" * 6], 10) == [12]


def test_an_overlong_line_takes_no_memory() -> None:
    splitter = LineSplitter(MIB)
    tracemalloc.start()
    try:
        for _ in range(64):
            assert splitter.feed(bytes(MIB // 4)) == []
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MIB // 2
    assert plain(splitter.feed(b"\nok\n")) == [16 * MIB, b"ok"]
