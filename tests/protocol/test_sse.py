"""Server-sent events: the standard's examples, and that no event depends on how its bytes arrive."""

import codecs
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol import sse
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge, ServerSentEvent
from tests.support.cuts import cut, in_pieces, unhurried

BOM = codecs.BOM_UTF8


def events_of(*pieces: bytes, limit: int = 1000) -> list[ServerSentEvent]:
    decoder = EventStreamDecoder(limit)
    return [event for piece in pieces for event in decoder.feed(piece)]


def message(data: bytes | None, **values: bytes | int) -> ServerSentEvent:
    return ServerSentEvent(b"message", data, **values)  # type: ignore[arg-type]


# -- the examples of WHATWG HTML, 9.2.6


def test_the_standards_three_messages() -> None:
    stream = (
        b"data: This is the first message.\n\n"
        b"data: This is the second message, it\ndata: has two lines.\n\n"
        b"data: This is the third message.\n\n"
    )
    assert events_of(stream) == [
        message(b"This is the first message."),
        message(b"This is the second message, it\nhas two lines."),
        message(b"This is the third message."),
    ]


def test_the_standards_event_types() -> None:
    stream = b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n"
    assert events_of(stream) == [
        ServerSentEvent(b"add", b"73857293"),
        ServerSentEvent(b"remove", b"2153"),
        ServerSentEvent(b"add", b"113411"),
    ]


def test_the_standards_stock_ticker() -> None:
    assert events_of(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [message(b"YHOO\n+2\n10")]


def test_the_standards_four_blocks() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event"
    first_two = [message(b"first event", id=b"1"), message(b"second event", id=b"")]
    assert events_of(stream) == first_two
    assert events_of(stream, b"\n") == first_two
    assert events_of(stream, b"\n", b"\n") == [*first_two, message(b" third event")]


def test_the_standards_empty_data() -> None:
    # Data without bytes is told as none: a server primes resumption with it, and there is no message to read.
    assert events_of(b"data\n\ndata\ndata\n\ndata:") == [message(None), message(b"\n")]


def test_the_standards_space_after_the_colon() -> None:
    assert events_of(b"data:test\n\ndata: test\n\n") == [message(b"test"), message(b"test")]


# -- rules


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_lines_end_in_lf_cr_or_crlf(end: bytes, step: int) -> None:
    stream = end.join([b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b""])
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    assert events_of(*pieces) == [ServerSentEvent(b"a", b"1\n2"), message(b"3")]


def test_a_carriage_return_ends_an_event_at_once() -> None:
    decoder = EventStreamDecoder(100)
    assert decoder.feed(b"data: 1\r\r") == [message(b"1")]
    assert decoder.feed(b"\ndata: 2\r\n\r") == [message(b"2")]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n\n") == []


@pytest.mark.parametrize("other", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_no_other_character_ends_a_line(other: str) -> None:
    assert events_of(f"data: a{other}b\n\n".encode()) == [message(f"a{other}b".encode())]


def test_a_byte_order_mark_is_skipped_once() -> None:
    assert events_of(BOM + b"data: 1\n\n") == [message(b"1")]
    assert events_of(BOM + BOM + b"data: 1\n\n") == []
    assert events_of(b"data: 1\n\n" + BOM + b"data: 2\n\n") == [message(b"1")]
    assert events_of(b"data: " + BOM + b"\n\n") == [message(BOM)]


@pytest.mark.parametrize("places", [[0], [1], [2], [1, 2], [3], [0, 1, 2, 3, 4]])
def test_a_byte_order_mark_may_come_in_pieces(places: list[int]) -> None:
    assert events_of(*cut(BOM + b"data: 1\n\n", places)) == [message(b"1")]


def test_what_only_begins_like_a_byte_order_mark_stays() -> None:
    assert events_of(BOM[:1], b"\ndata: 1\n\n") == [message(b"1")]
    assert events_of(BOM[:2], b"data: 1\n\n") == []


@pytest.mark.parametrize("line", [b"Data: 2", b" data: 2", b"datax: 2", b":data: 2", b"data : 2", b"x", b":", b"::"])
def test_comments_and_unknown_fields_are_ignored(line: bytes) -> None:
    assert events_of(b"data: 1\n" + line + b"\n\n") == [message(b"1")]
    assert events_of(line + b"\n\n") == []


@pytest.mark.parametrize(
    ("block", "event"),
    [
        (b"id: 7\ndata", message(None, id=b"7")),
        (b"id: 7", message(None, id=b"7")),
        (b"retry: 50", message(None, retry=50)),
        (b"id\nretry:0", message(None, id=b"", retry=0)),
        (b"event: ping\nid: 7", ServerSentEvent(b"ping", None, b"7")),
        (b"event\ndata: 1", message(b"1")),
        (b"event: a\nevent: b\ndata: 1", ServerSentEvent(b"b", b"1")),
        (b"id: a\nid: b\ndata: 1", message(b"1", id=b"b")),
        ("id: \u00fc:\u00e9\ndata: 1".encode(), message(b"1", id="\u00fc:\u00e9".encode())),
    ],
)
def test_an_event_is_told_with_whatever_it_carries(block: bytes, event: ServerSentEvent) -> None:
    assert events_of(block + b"\n\n") == [event]


def test_a_block_that_says_only_its_type_is_no_event_and_leaves_nothing_behind() -> None:
    assert events_of(b"event: a\n\ndata: 1\n\n") == [message(b"1")]


def test_nothing_of_an_event_stays_for_the_next() -> None:
    stream = b"event: a\nid: 1\nretry: 5\ndata: x\n\ndata: y\n\n"
    assert events_of(stream) == [ServerSentEvent(b"a", b"x", b"1", 5), message(b"y")]


def test_an_id_with_a_nul_is_ignored() -> None:
    assert events_of(b"id: 1\nid: 2\x003\ndata: x\n\n") == [message(b"x", id=b"1")]


@pytest.mark.parametrize("value", [b"", b" ", b"-1", b"+1", b"1.5", b"1 ", b"0x10", b"1e3", b"\xd9\xa1", b"soon"])
def test_a_retry_time_that_is_not_all_digits_is_ignored(value: bytes) -> None:
    assert events_of(b"retry:" + value + b"\ndata: x\n\n") == [message(b"x")]


def test_a_retry_time_of_a_thousand_digits_is_just_long() -> None:
    (event,) = events_of(b"retry: " + b"9" * 1000 + b"\n\n", limit=10_000)
    assert event.retry is not None
    assert event.retry > 1_000_000_000


# -- however it arrives


def standard(data: bytes) -> list[ServerSentEvent]:
    """The standard's algorithm on a whole stream, told the way the decoder tells it."""
    lines = re.split(rb"\r\n|\r|\n", data.removeprefix(BOM))[:-1]  # the last one has no end
    events = []
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(b":")
            fields.setdefault(name, []).append(value.removeprefix(b" "))
            continue
        ids = [value for value in fields.get(b"id", []) if b"\0" not in value]
        retries = [value for value in fields.get(b"retry", []) if re.fullmatch(rb"[0-9]+", value)]
        if b"data" in fields or ids or retries:
            kind = fields.get(b"event", [b""])[-1] or b"message"
            text = b"\n".join(fields.get(b"data", []))
            events.append(
                ServerSentEvent(kind, text or None, ids[-1] if ids else None, int(retries[-1]) if retries else None)
            )
        fields = {}
    return events


FRAGMENTS = st.sampled_from(
    [
        b"data",
        b"data:",
        b"data: x",
        b"id",
        b"id: 1",
        b"event: e",
        b"retry: 5",
        b":",
        b" ",
        b"x",
        b"\0",
        b"\xc3\xa9",
        BOM,
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"])
STREAMS = st.lists(FRAGMENTS | ENDS, max_size=30).map(b"".join)


@unhurried
@given(in_pieces(STREAMS))
def test_any_pieces_give_the_events_of_the_standard(stream: tuple[bytes, list[bytes]]) -> None:
    data, pieces = stream
    assert events_of(data) == standard(data)
    assert events_of(*pieces) == standard(data)


@unhurried
@given(in_pieces(st.binary(max_size=60)))
def test_any_bytes_pass(stream: tuple[bytes, list[bytes]]) -> None:
    data, pieces = stream
    assert events_of(*pieces) == standard(data)


# -- limits


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"\n", b": c\n", b"data: earlier\n\n"])
def test_an_event_within_the_limit_passes_however_it_is_cut(step: int, before: bytes) -> None:
    stream = before + b"data: " + b"x" * 90 + b"\n\n"
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    assert events_of(*pieces, limit=100)[-1] == message(b"x" * 90)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 101 + b"\n\n",
        b"\n\ndata: " + b"x" * 101 + b"\n\n",
        b"data: xxxxxxxxxx\n" * 11 + b"\n",
        b"data: 1\n\ndata: " + b"x" * 101,
        b": " + b"x" * 101,
    ],
    ids=["one line", "not the first line", "many lines", "no end", "a comment with no end"],
)
def test_a_larger_one_is_refused_however_it_is_cut(stream: bytes, step: int) -> None:
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    with pytest.raises(EventTooLarge, match="100 bytes"):
        events_of(*pieces, limit=100)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_many_small_events_are_no_large_one(step: int) -> None:
    stream = b"data: xxxxxxxxxx\n\n" * 50
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    assert events_of(*pieces, limit=100) == [message(b"x" * 10)] * 50


# -- what it holds


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_each_line_of_an_event_counts(size: int) -> None:
    stream = b"data\n" * 5_000
    with pytest.raises(EventTooLarge, match="1000 bytes"):
        events_of(*[stream[start : start + size] for start in range(0, len(stream), size)], limit=1_000)


@pytest.mark.parametrize("size", [1, 5, 6, 7, 100])
def test_an_event_that_is_held_in_part_is_counted_whole(size: int) -> None:
    decoder = EventStreamDecoder(10_000)
    stream = b"id: 12\nevent: abc\ndata: " + b"x" * 500 + b"\ndata:" + b"y" * 300
    for start in range(0, len(stream), size):
        assert decoder.feed(stream[start : start + size]) == []
    assert decoder.held == 2 + 3 + 500 + 1 + 300
    (event,) = decoder.feed(b"\n\n")
    assert event == ServerSentEvent(b"abc", b"x" * 500 + b"\n" + b"y" * 300, b"12")
    assert decoder.held == 0


def test_a_large_event_is_not_copied_when_it_ends() -> None:
    decoder = EventStreamDecoder(10_000)
    decoder.feed(b"data: " + b"x" * 500)
    gathered = decoder._data
    (event,) = decoder.feed(b"x\n\n")
    assert event.data is gathered


def test_a_line_without_an_end_that_is_no_data_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_OTHER", 1_000)
    with pytest.raises(EventTooLarge, match="1000 bytes"):
        events_of(*[b"id: 12345"] * 1_002, limit=1 << 20)
