"""How a request's stream that ended before the answer is resumed, and what follows where it cannot be."""

import pytest

from bridge.session.commands import OpenStream, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.playbook import Playbook, fault, request, result, session_headers, tool_call


def again(book: Playbook) -> tuple[str, int]:
    """The one timer that will send a request again."""
    (key,) = [key for key in book.timers if key[0] == "call"]
    return key


def only_post(book: Playbook, line: bytes) -> Post:
    (post,) = book.posts(book.host(line))
    return post


def primed(book: Playbook, line: bytes, *, retry: int | None = None) -> int:
    """A request whose stream began and gave a place to resume from."""
    post = only_post(book, line)
    book.starts(post.exchange)
    assert book.sends(post.exchange, id_=b"e1", retry=retry) == []
    return post.exchange


def resumed(book: Playbook) -> int:
    """The pause is over; the GET that resumes the stream."""
    commands = book.fires(*again(book))
    (stream,) = book.streams(commands)
    assert commands == [OpenStream(stream.exchange, session_headers(last_event_id=b"e1"))]
    return stream.exchange


def test_a_stream_is_resumed_from_its_place_after_the_servers_pause() -> None:
    book = Playbook().opened()
    exchange = primed(book, tool_call(1), retry=2500)
    assert book.closes(exchange) == [SetTimer(again(book), 2.5, 0.0)]
    stream = resumed(book)
    book.starts(stream)
    assert book.told(book.sends(stream, result(1), id_=b"e2")) == [SendToHost(result(1))]


def test_a_stream_whose_server_names_no_pause_is_resumed_after_one_that_grows() -> None:
    book = Playbook().opened()
    exchange = primed(book, tool_call(1))
    for pause in (0.5, 1.0, 2.0, 4.0):
        assert book.closes(exchange) == [SetTimer(again(book), pause, 0.5)]
        exchange = resumed(book)
        book.starts(exchange)
    book.sends(exchange, id_=b"e1x")
    assert book.closes(exchange) == [SetTimer(again(book), 8.0, 0.5)], "what tells nothing is no progress"
    stream = book.streams(book.fires(*again(book)))[0].exchange
    book.starts(stream)
    book.sends(stream, request(7, "roots/list"), id_=b"e2")
    assert book.closes(stream) == [SetTimer(again(book), 0.5, 0.5)]


def pauses_of(book: Playbook, exchange: int, count: int, *, lasts: float = 0.0) -> list[float]:
    """The pauses after streams that end, one after another, `lasts` seconds after they began; each has one event id."""
    pauses = []
    for _ in range(count):
        book.passes(lasts)
        (timer,) = book.closes(exchange)
        assert isinstance(timer, SetTimer)
        pauses.append(timer.seconds)
        exchange = book.streams(book.fires(*again(book)))[0].exchange
        book.starts(exchange)
        book.sends(exchange, id_=b"p%d" % len(pauses))
    return pauses


def test_a_pause_of_nothing_is_no_storm() -> None:
    book = Playbook().opened()
    assert pauses_of(book, primed(book, tool_call(1), retry=0), 9) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_server_that_holds_its_streams_a_while_is_asked_as_often_as_it_wishes() -> None:
    book = Playbook().opened()
    assert pauses_of(book, primed(book, tool_call(1), retry=250), 5, lasts=1.0) == [0.25] * 5


def test_a_pause_without_end_has_one_and_the_log_says_once_what_is_waited_for() -> None:
    book = Playbook().opened()
    exchange = primed(book, tool_call(1), retry=99_999_999)
    book.reports.clear()
    assert pauses_of(book, exchange, 3) == [30.0, 30.0, 30.0]
    (said,) = [report.text for report in book.reports if report.level == "info"]
    assert "the stream with the response to tools/call ended" in said
    assert said.endswith("resuming it in 30 s (the server asked for 100000 s)")


def test_a_resumed_stream_repeats_nothing_to_the_host() -> None:
    book = Playbook().opened()
    post = only_post(book, tool_call(1))
    book.starts(post.exchange)
    asked = request(1, "sampling/createMessage")
    assert book.sends(post.exchange, asked, id_=b"e1") == [SendToHost(asked)]
    book.closes(post.exchange)
    stream = resumed(book)
    book.starts(stream)
    assert book.sends(stream, asked, id_=b"e1") == []
    assert book.told(book.sends(stream, result(1), id_=b"e2")) == [SendToHost(result(1))]


def test_a_resumption_that_meets_no_server_is_tried_again() -> None:
    book = Playbook().opened()
    book.closes(primed(book, tool_call(1)))
    stream = resumed(book)
    assert isinstance(book.fails(stream, Cause.UNREACHABLE, sent=False)[0], SetTimer)
    stream = resumed(book)
    assert isinstance(book.fails(stream, Cause.LOST)[0], SetTimer)
    stream = resumed(book)
    book.starts(stream)
    assert book.told(book.sends(stream, result(1))) == [SendToHost(result(1))]


def test_a_resumption_has_its_patience_however_long_the_call_ran_before() -> None:
    book = Playbook(retry_window=30).opened()
    exchange = primed(book, tool_call(1))
    book.passes(600)
    book.closes(exchange)
    stream = resumed(book)
    assert isinstance(book.fails(stream, Cause.UNREACHABLE, sent=False)[0], SetTimer)


def test_a_resumption_has_an_end() -> None:
    book = Playbook(retry_window=30).opened()
    book.closes(primed(book, tool_call(1)))
    began = book.now
    while not book.told(commands := book.fails(resumed(book), Cause.UNREACHABLE, sent=False)):
        assert book.now - began < 120
    assert fault(commands[0])["kind"] == "outcome-unknown"


@pytest.mark.parametrize("status", [400, 405, 500, 501])
def test_a_server_that_will_not_resume_leaves_the_outcome_unknown(status: int) -> None:
    book = Playbook().opened()
    book.closes(primed(book, tool_call(1)))
    (said,) = book.answers(resumed(book), status=status)
    assert fault(said)["kind"] == "outcome-unknown"


def test_a_request_that_cannot_be_resumed_is_sent_again_if_it_may() -> None:
    book = Playbook().opened()
    book.closes(primed(book, request(1, "tools/list")))
    book.answers(resumed(book), status=405)
    (post,) = book.posts(book.fires(*again(book)))
    assert post.body == request(1, "tools/list")
    book.starts(post.exchange)
    assert book.told(book.sends(post.exchange, result(1), id_=b"e1")) == [SendToHost(result(1))], "a new stream"


@pytest.mark.parametrize(("line", "repeats"), [(tool_call(1), False), (request(1), True)])
def test_a_session_that_is_gone_while_its_stream_is_resumed(line: bytes, repeats: bool) -> None:
    book = Playbook().opened()
    book.closes(primed(book, line))
    commands = book.answers(resumed(book), status=404)
    (replay,) = book.posts(commands)
    assert b'"initialize"' in replay.body
    if repeats:
        assert not book.told(commands)
        assert book.fires(*again(book)) == [], "it waits for the session"
    else:
        assert fault(book.told(commands)[0])["kind"] == "outcome-unknown"


def test_a_stream_of_a_lost_session_is_not_resumed_in_the_next() -> None:
    book = Playbook().opened()
    exchange = primed(book, tool_call(1))
    book.closes(exchange)
    book.answers(only_post(book, request(2)).exchange, status=404)
    (said,) = book.fires(*again(book))
    assert fault(said)["kind"] == "outcome-unknown"
    assert not [open_ for open_ in book.exchanges.values() if isinstance(open_, OpenStream)]
