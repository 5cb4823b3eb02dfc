"""A place in an event stream: where it can be resumed, when, and what was told before."""

import pytest

from bridge.protocol.sse import ServerSentEvent
from bridge.session.cursor import Cursor


def event(id_: bytes | None = None, data: bytes | None = b"{}", **more: object) -> ServerSentEvent:
    return ServerSentEvent(data=data, id=id_, **more)  # type: ignore[arg-type]


def test_an_event_without_an_id_is_told_and_leaves_the_place() -> None:
    cursor = Cursor()
    assert cursor.take(event(b"a")) == b"{}"
    assert cursor.take(event()) == b"{}"
    assert cursor.take(event()) == b"{}"
    assert cursor.last_event_id == b"a"


def test_an_event_is_told_once() -> None:
    cursor = Cursor()
    assert [cursor.take(event(id_)) for id_ in (b"a", b"b", b"a", b"b", b"c")] == [b"{}", b"{}", None, None, b"{}"]
    assert cursor.last_event_id == b"c"


def test_what_was_told_long_ago_is_forgotten() -> None:
    cursor = Cursor()
    for number in range(1000):
        assert cursor.take(event(b"%d" % number)) == b"{}"
    assert cursor.take(event(b"999")) is None
    assert cursor.take(event(b"0")) == b"{}"


def test_an_empty_id_takes_the_place_back() -> None:
    cursor = Cursor()
    cursor.take(event(b"a"))
    assert cursor.take(event(b"")) == b"{}"
    assert cursor.last_event_id is None
    assert cursor.take(event(b"")) == b"{}", "an empty id names no event, so it repeats none"


@pytest.mark.parametrize("id_", [b"a\x1fb", b"\x7f", b" a", b"a\t", b"x" * 4097])
def test_an_id_that_fits_no_header_is_no_place(id_: bytes) -> None:
    cursor = Cursor()
    cursor.take(event(b"a"))
    assert cursor.take(event(id_)) == b"{}"
    assert cursor.last_event_id is None
    assert cursor.take(event(id_)) is None, "it still tells one event from another"


def test_the_longest_id_is_a_place() -> None:
    cursor = Cursor()
    cursor.take(event(b"x" * 4096))
    assert cursor.last_event_id == b"x" * 4096


def test_an_event_that_only_primes_tells_nothing() -> None:
    cursor = Cursor()
    assert cursor.take(event(b"a", None, retry=1500)) is None
    assert (cursor.last_event_id, cursor.pause) == (b"a", 1.5)


def test_an_event_of_another_type_moves_the_place_and_tells_nothing() -> None:
    cursor = Cursor()
    assert cursor.take(ServerSentEvent(b"heartbeat", b"{}", b"a")) is None
    assert cursor.last_event_id == b"a"


def test_the_last_pause_counts() -> None:
    cursor = Cursor()
    pauses = [cursor.pause]
    for retry in (0, None, 2500):
        cursor.take(event(retry=retry))
        pauses.append(cursor.pause)
    assert pauses == [None, 0, 0, 2.5]


def test_a_new_stream_may_repeat_what_the_old_one_told() -> None:
    cursor = Cursor()
    cursor.take(event(b"a", retry=5))
    cursor.rewind()
    assert (cursor.last_event_id, cursor.pause) == (None, None)
    assert cursor.take(event(b"a")) == b"{}"
