"""Bytes cut into messages, in whatever pieces they arrive."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.protocol.framing import ContentLengthSplitter, HostFraming, LineSplitter, Overlong, Unframed, header_for
from tests.support.cuts import in_pieces, unhurried

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


# -- Content-Length headers, as some hosts write


def headed(message: bytes) -> bytes:
    return header_for(len(message)) + message


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_messages_with_headers_come_whole_whatever_the_pieces(size: int) -> None:
    messages = [b'{"id":1}', b'{\n  "id": 2\n}', b'{"id":"x"}' * 50]
    framing = HostFraming(1000)
    found = [message for piece in chopped(b"".join(map(headed, messages)), size) for message in framing.feed(piece)]
    assert found == messages
    assert framing.has_headers
    assert framing.end() == []


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length:2\n\n",
        b"CONTENT-LENGTH:   2  \r\nContent-Type: application/json\r\n\r\n",
        b"\r\n Content-Length: 2\r\n\r\n",
    ],
)
def test_a_header_is_read_however_it_is_written(head: bytes) -> None:
    assert HostFraming(100).feed(head + b"{}") == [b"{}"]


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_a_host_that_writes_lines_is_read_by_lines(size: int) -> None:
    framing = HostFraming(1000)
    data = b'\n \r\n{"id":1}\nContent-Length: 2\n{"id":2}\n'
    found = [message for piece in chopped(data, size) for message in framing.feed(piece)]
    assert found == [b'{"id":1}', b"Content-Length: 2", b'{"id":2}']
    assert not framing.has_headers


def test_a_first_line_that_looks_like_a_header_for_a_while_is_a_line() -> None:
    framing = HostFraming(100)
    assert framing.feed(b"cont") == []
    assert framing.feed(b"ent\n") == [b"content"]


@pytest.mark.parametrize(("data", "left"), [(b"", []), (b" \n", []), (b"conte", [b"conte"])])
def test_an_input_that_ends_before_it_is_clear_is_one_line(data: bytes, left: list[bytes]) -> None:
    framing = HostFraming(100)
    assert framing.feed(data) == []
    assert framing.end() == left


def test_a_message_that_is_too_long_is_dropped_and_the_next_one_is_read() -> None:
    splitter = ContentLengthSplitter(10)
    found = [item for piece in chopped(headed(b"x" * 5000) + headed(b"{}"), 7) for item in splitter.feed(piece)]
    assert isinstance(found[0], Overlong)
    assert found[0].size == 5000
    assert found[1:] == [b"{}"]


@pytest.mark.parametrize("head", [b"Content-Type: x\r\n\r\n", b"Content-Length: many\r\n\r\n", b"{}\r\n\r\n"])
def test_bytes_without_a_length_are_told_and_the_next_message_is_read(head: bytes) -> None:
    splitter = ContentLengthSplitter(100)
    first, second = splitter.feed(head + headed(b"{}"))
    assert isinstance(first, Unframed)
    assert second == b"{}"


def test_a_head_that_never_ends_is_not_kept() -> None:
    splitter = ContentLengthSplitter(100)
    found = [item for _ in range(100) for item in splitter.feed(b"x" * 100)]
    assert all(isinstance(item, Unframed) for item in found)
    assert sum(item.size for item in found if isinstance(item, Unframed)) > 8000


def test_half_a_message_at_the_end_is_told() -> None:
    framing = HostFraming(100)
    assert framing.feed(b"Content-Length: 10\r\n\r\n{") == []
    (left,) = framing.end()
    assert isinstance(left, Unframed)


def test_an_empty_message_is_none() -> None:
    assert HostFraming(100).feed(headed(b"") + headed(b"{}")) == [b"{}"]
