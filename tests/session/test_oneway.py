"""What becomes of the host's notifications and answers."""

import pytest

from bridge.session.commands import Post, SetTimer
from bridge.session.events import Cause
from tests.session.playbook import Playbook, notification, request, result, session_headers

CHANGED = notification("notifications/roots/list_changed")


def noted(book: Playbook, line: bytes) -> int:
    (post,) = book.posts(book.host(line))
    assert post == Post(post.exchange, line, session_headers(), None, urgent=True)
    return post.exchange


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_note_that_arrives_is_done(status: int) -> None:
    book = Playbook().opened()
    assert book.answers(noted(book, CHANGED), status=status) == []
    assert not book.timers


def test_the_host_hears_nothing_of_a_note_that_fails() -> None:
    book = Playbook().opened()
    assert book.answers(noted(book, CHANGED), b"no", status=500) == []
    assert book.reports[-1].level == "warning"
    assert "notifications/roots/list_changed" in book.reports[-1].text


def test_a_note_that_cannot_leave_is_sent_again_while_patience_lasts() -> None:
    book = Playbook(retry_window=30).opened()
    exchange, began = noted(book, CHANGED), book.now
    while book.fails(exchange, Cause.UNREACHABLE, sent=False):
        (key,) = [key for key in book.timers if key[0] == "note"]
        (post,) = book.posts(book.fires(*key))
        assert post.body == CHANGED
        exchange = post.exchange
    assert 20 < book.now - began <= 30


def test_a_notification_whose_connection_broke_may_have_arrived_and_an_answer_is_sent_again() -> None:
    book = Playbook()
    stream = book.listening()
    assert book.fails(noted(book, CHANGED), Cause.LOST) == []
    book.sends(stream, request(7, "roots/list"))
    (timer,) = book.fails(noted(book, result(7)), Cause.LOST)
    assert isinstance(timer, SetTimer)


def test_a_note_obeys_retry_after() -> None:
    book = Playbook().opened()
    (timer,) = book.answers(noted(book, CHANGED), status=429, retry_after=3.0)
    assert isinstance(timer, SetTimer)
    assert timer.seconds == 3.0


def test_a_note_that_meets_a_lost_session_goes_up_in_the_next_one() -> None:
    book = Playbook().opened()
    (_, replay) = book.answers(noted(book, CHANGED), status=404)
    assert isinstance(replay, Post)
    (post,) = book.posts(book.answers(replay.exchange, result(0, {"protocolVersion": "2025-06-18"}), session_id=b"two"))
    posts = book.posts(book.answers(post.exchange, status=202))
    assert [(post.body, post.headers) for post in posts] == [(CHANGED, session_headers(b"two"))]
    (replay,) = book.posts(book.answers(posts[0].exchange, status=404))
    (post,) = book.posts(book.answers(replay.exchange, result(0, {"protocolVersion": "2025-06-18"}), session_id=b"3"))
    assert not book.posts(book.answers(post.exchange, status=202)), "once is enough"


def test_a_note_that_waits_to_be_sent_again_does_not_overtake_the_opening() -> None:
    book = Playbook().opened()
    book.fails(noted(book, CHANGED), Cause.UNREACHABLE, sent=False)
    (call,) = book.posts(book.host(request(1)))
    book.answers(call.exchange, status=404)
    (key,) = [key for key in book.timers if key[0] == "note"]
    assert book.fires(*key) == []


def test_an_answer_that_waits_to_be_sent_again_dies_with_its_session() -> None:
    book = Playbook()
    stream = book.listening()
    book.sends(stream, request(7, "roots/list"))
    book.fails(noted(book, result(7)), Cause.UNREACHABLE, sent=False)
    (call,) = book.posts(book.host(request(1)))
    book.answers(call.exchange, status=404)
    (key,) = [key for key in book.timers if key[0] == "note"]
    assert book.fires(*key) == []
    (replay,) = [post for post in book.exchanges.values() if isinstance(post, Post)]
    (post,) = book.posts(book.answers(replay.exchange, result(0, {"protocolVersion": "2025-06-18"}), session_id=b"two"))
    after = book.posts(book.answers(post.exchange, status=202))
    assert [post.body for post in after] == [request(1)]


def test_what_comes_on_the_response_to_a_note_is_told() -> None:
    book = Playbook().opened()
    exchange = noted(book, CHANGED)
    book.starts(exchange)
    asked = request(3, "roots/list")
    assert [told.line for told in book.told(book.sends(exchange, asked))] == [asked]
