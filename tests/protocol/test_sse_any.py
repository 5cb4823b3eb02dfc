"""Any event stream, read by the bridge, by httpx-sse, and by a decoder that is WHATWG HTML, 9.2.6, word for word.

The bridge's events are those of the standard, but for these:

| difference | the bridge | the standard | httpx-sse | why |
|---|---|---|---|---|
| an event without data, with an id or a time | told | not told | told | a server primes resumption with it |
| an event with empty data and no more | told as such | told | told | no message; the reader sees `data=None` |
| an event with a type and no more | not told | not told | told | nothing is in it |
| the id of an event that names none | none | the last one | the last one | the cursor is the session's |
| no digits as a time: `-1`, ` 5`, `5_0`, `+5` | ignored | ignored | taken | as the standard has it |
| a time of more than 18 digits | its last 18 | all | all, up to 4300 | no client waits so long |
| bytes that are no UTF-8 | kept | replaced | replaced | whether they are JSON is judged later |
| a byte order mark at the start | skipped | skipped | part of the first line | as the standard has it |
| a CR at the end of a piece | ends the line at once | at once | waits for the next piece | an event is not to wait |
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from httpx_sse import ServerSentEvent as TheirEvent
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.protocol.sse import EventStreamDecoder, ServerSentEvent
from tests.support.cuts import in_pieces
from tests.support.examples import examples

MUCH = 10_000_000
DIGITS = frozenset("0123456789")


class Standard(NamedTuple):
    """An event as the standard dispatches it, and what it says of resumption. `data` is None where it has none."""

    type: str
    data: str | None
    id: str | None
    retry: int | None


def by_the_standard(stream: bytes) -> list[Standard]:
    """WHATWG HTML, 9.2.6, on a whole stream. Blocks without data are kept, where they name an id or a time."""
    text = codecs.decode(stream, "utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[Standard] = []
    kind, data, named, retry = "", None, None, None
    for line in lines[:-1]:  # What no line end closes is thrown away.
        if not line:
            if data is not None or named is not None or retry is not None:
                events.append(Standard(kind or "message", data, named, retry))
            kind, data, named, retry = "", None, None, None
            continue
        field, colon, value = line.partition(":")
        if colon and not field:
            continue
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data = value if data is None else f"{data}\n{value}"
        elif field == "id" and "\0" not in value:
            named = value
        elif field == "retry" and value and DIGITS.issuperset(value):
            retry = int(value[-18:])
    return events


def by_bridge(pieces: list[bytes]) -> list[ServerSentEvent]:
    decoder = EventStreamDecoder(MUCH)
    return [event for piece in pieces for event in decoder.feed(piece)]


def read(event: ServerSentEvent) -> Standard:
    """An event of the bridge's as text. One with empty data and one without look the same."""
    data = None if event.data is None else event.data.decode("utf-8", "replace")
    named = None if event.id is None else event.id.decode("utf-8", "replace")
    return Standard(event.type.decode("utf-8", "replace"), data, named, event.retry)


def by_httpx_sse(pieces: list[bytes]) -> list[TheirEvent]:
    """Events as httpx-sse makes them of a response in these pieces, its end included."""
    text, lines, decoder = codecs.getincrementaldecoder("utf-8")("replace"), SSELineDecoder(), SSEDecoder()
    found = [line for piece in pieces if (said := text.decode(piece)) for line in lines.decode(said)]
    if said := text.decode(b"", final=True):
        found += lines.decode(said)
    # Its last line counts though nothing ended it; to the standard only an empty one could matter.
    found += [line for line in lines.flush() if not line]
    return [event for line in found if (event := decoder.decode(line)) is not None]


# -- streams

ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"])
NAMES = st.sampled_from(
    [*[b"data"] * 6, b"event", b"id", b"id", b"retry", b"retry", b"", b"Data", b" data", b"data ", b"\xef\xbb\xbfdata"]
)
VALUES = st.one_of(
    st.sampled_from([b"", b" ", b"  two", b"{}", b"0", b"7", b"007", b"-1", b"+5", b"5_0", b" 5", b"1.5", b"9" * 30]),
    st.sampled_from(
        [b"a\0b", b"\0", b"a:b", b":", b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xc3\xbc", b"\xef\xbb\xbf"]
    ),
    st.sampled_from(["\u2028", "\u0085", "\x0b", "\x1c", "\u0660", "\u00b2"]).map(str.encode),
    st.sampled_from([b"x" * 70_000, b"y" * 9000]),
    st.binary(max_size=8).map(lambda value: value.translate(None, b"\r\n")),
)
COLONS = st.sampled_from([b":", b": ", b": ", b":  ", b""])
FIELDS = st.tuples(NAMES, COLONS, VALUES, ENDS).map(b"".join)
LINES = st.one_of(FIELDS, FIELDS, FIELDS, ENDS, ENDS, st.tuples(st.binary(max_size=6), ENDS).map(b"".join))
STARTS = st.sampled_from([b"", b"", b"", codecs.BOM_UTF8, codecs.BOM_UTF8 * 2, b"\xef", b"\xef\xbb", b"\n", b"\r"])
STREAMS = st.tuples(STARTS, st.lists(LINES, max_size=14).map(b"".join), st.sampled_from([b"", b"\n", b"\r"])).map(
    b"".join
)


def as_told(event: Standard) -> Standard:
    """How the bridge tells an event of the standard's: empty data as none."""
    return event._replace(data=event.data or None)


@examples(200)
@given(in_pieces(STREAMS))
@example((b"data: 1\r\r", [b"data: 1\r", b"\r"]))
@example((b"\xef\xbb\xbfdata: 1\n\n", [b"\xef", b"\xbb", b"\xbfdata: 1\n\n"]))
@example((b"data\n\nid: 1\n\nretry: 5\n\nevent: x\n\n", [b"data\n\nid: 1\n\nretry: 5\n\nevent: x\n\n"]))
def test_any_stream_as_the_standard_reads_it(cut: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = cut
    assert [read(event) for event in by_bridge(pieces)] == [as_told(event) for event in by_the_standard(stream)]


@examples(60)
@given(in_pieces(STREAMS))
def test_bytes_stay_as_they_came(cut: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = cut
    for event in by_bridge(pieces):
        for value in (event.type, *(event.data or b"").split(b"\n"), event.id or b""):
            assert value in stream or value == b"message"


# -- httpx-sse


def theirs_as_ours(stream: bytes, pieces: list[bytes]) -> list[Standard]:
    """What httpx-sse makes of a stream, with every difference of the table taken back."""
    events = []
    last = ""
    for event in by_httpx_sse(pieces):
        named = event.id if event.id != last else None
        last = event.id
        events.append(Standard(event.event or "message", event.data or None, named, event.retry))
    return events


def as_httpx_sse_may(events: list[Standard]) -> list[Standard]:
    """The events that httpx-sse tells as well, in its terms: an id only where it changes."""
    told: list[Standard] = []
    last = ""
    for event in events:
        named = event.id if event.id is not None and event.id != last else None
        last = event.id if event.id is not None else last
        told.append(event._replace(id=named))
    return told


def differs_by_the_table(stream: bytes) -> bool:
    """Whether the stream has a byte order mark at its start, a time that only Python takes, or an empty id.

    httpx-sse tells an empty id with a later event, or not at all.
    """
    if stream.startswith(codecs.BOM_UTF8):
        return True
    for line in stream.replace(b"\r", b"\n").split(b"\n"):
        field, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if field == b"id" and not text:
            return True
        if field == b"retry" and text and not (DIGITS.issuperset(text) and len(text) <= 18) and is_number(text):
            return True
    return False


def is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def says_something(event: Standard) -> bool:
    return event.data is not None or event.id is not None or event.retry is not None


@examples(200)
@given(in_pieces(STREAMS))
def test_any_stream_as_httpx_sse_reads_it(cut: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = cut
    if differs_by_the_table(stream):
        return
    ours = [event for event in as_httpx_sse_may([read(event) for event in by_bridge(pieces)]) if says_something(event)]
    theirs = [event for event in theirs_as_ours(stream, pieces) if says_something(event)]
    assert ours == theirs


def told_by_both(stream: bytes) -> tuple[list[Standard], list[tuple[str, str, str, int | None]]]:
    ours = [read(event) for event in by_bridge([stream])]
    return ours, [(event.event, event.data, event.id, event.retry) for event in by_httpx_sse([stream])]


def test_each_difference_is_there() -> None:
    assert told_by_both(b"id: 7\n\n") == ([Standard("message", None, "7", None)], [("message", "", "7", None)])
    assert told_by_both(b"data\n\n") == ([Standard("message", None, None, None)], [("message", "", "", None)])
    assert told_by_both(b"event: x\n\n") == ([], [("x", "", "", None)])
    assert told_by_both(b"id: 7\ndata: 1\n\ndata: 2\n\n") == (
        [Standard("message", "1", "7", None), Standard("message", "2", None, None)],
        [("message", "1", "7", None), ("message", "2", "7", None)],
    )
    for value, taken in (("-1", -1), ("+5", 5), ("5_0", 50), (" 5", 5), ("\u0665", 5)):
        assert told_by_both(f"retry: {value}\ndata: 1\n\n".encode()) == (
            [Standard("message", "1", None, None)],
            [("message", "1", "", taken)],
        )
    assert told_by_both(b"retry: 1" + b"9" * 18 + b"\n\n") == (
        [Standard("message", None, None, 10**18 - 1)],
        [("message", "", "", 2 * 10**18 - 1)],
    )
    assert told_by_both(codecs.BOM_UTF8 + b"data: 1\n\n") == ([Standard("message", "1", None, None)], [])
    assert by_bridge([b"data: \xff\n\n"]) == [ServerSentEvent(data=b"\xff")]
    assert by_bridge([b"data: 1\r\r"]) == [ServerSentEvent(data=b"1")]
    assert SSELineDecoder().decode("data: 1\r\r") == ["data: 1"]
