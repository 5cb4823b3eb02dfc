"""Corners of opening a session again: what comes at the wrong moment, or in another shape."""

from tests.session.playbook import INITIALIZE, INITIALIZED, SID, Playbook, request, result, session_headers, tool_call

WELCOME = result(0, {"protocolVersion": "2025-06-18"})


def test_initialized_that_comes_during_a_replay_goes_into_the_new_session() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME, session_id=SID)
    (call,) = book.posts(book.host(request(1)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    assert book.host(INITIALIZED) == []
    (note,) = book.posts(book.answers(replay.exchange, WELCOME, session_id=b"two"))
    assert (note.body, note.headers) == (INITIALIZED, session_headers(b"two"))
    (again,) = book.posts(book.answers(note.exchange, status=202))
    assert (again.body, again.headers) == (request(1), session_headers(b"two"))


def test_a_replay_may_be_answered_by_a_batch_of_one() -> None:
    book = Playbook().opened()
    (call,) = book.posts(book.host(request(1)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    (note,) = book.posts(book.answers(replay.exchange, b"[" + WELCOME + b"]", session_id=b"two"))
    assert note.headers == session_headers(b"two")


def test_a_standing_stream_that_is_in_conflict_with_the_one_before_comes_back() -> None:
    book = Playbook()
    book.closes(book.listening())
    (stream,) = book.streams(book.fires("listen"))
    book.answers(stream.exchange, status=409)
    assert ("listen", 0) in book.timers


def test_a_server_that_never_had_a_stream_is_not_asked_again_after_a_conflict() -> None:
    book = Playbook()
    book.answers(book.listening(starts=False), status=409)
    assert ("listen", 0) not in book.timers


def test_the_rest_of_a_stream_may_come_as_one_answer() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(1)))
    book.starts(post.exchange)
    book.sends(post.exchange, id_=b"e1")
    book.closes(post.exchange)
    (key,) = [key for key in book.timers if key[0] == "call"]
    (stream,) = book.streams(book.fires(*key))
    (said,) = book.told(book.answers(stream.exchange, result(1)))
    assert said.line == result(1)
