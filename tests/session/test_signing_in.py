"""A person signs in: what waits for the server is not late meanwhile; and what is told when no token is to be had."""

import pytest

from bridge.session.commands import Abandon, OpenStream, Post, SendToHost
from bridge.session.events import Cause, ExchangeFailed, SignInEnded, SignInStarted
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    SID,
    VERSION,
    Playbook,
    fault,
    notification,
    request,
    result,
    session_headers,
    tool_call,
)

WORDS = "The sign-in at https://as.example was not finished within 300 seconds."
HINT = "Try again."


def no_token(book: Playbook, exchange: int) -> list[object]:
    """The exchange ends for want of a token."""
    del book.exchanges[exchange]
    return [*book.on(ExchangeFailed(exchange, Cause.UNAUTHORIZED, True, WORDS, HINT))]


# -- nothing is late


def test_a_deadline_waits_for_the_person_and_then_begins_anew() -> None:
    book = Playbook(request_timeout=20.0)
    (post,) = book.posts(book.host(INITIALIZE))
    assert book.on(SignInStarted()) == []
    for _ in range(5):
        book.fires("deadline", 1)
        assert ("deadline", 1) in book.timers
    assert book.on(SignInEnded()) == []
    answer = result(0, {"protocolVersion": VERSION})
    assert SendToHost(answer) in book.answers(post.exchange, answer, session_id=SID)
    assert ("deadline", 1) not in book.timers


def test_after_the_sign_in_a_deadline_ends_a_call_as_ever() -> None:
    book = Playbook(request_timeout=20.0).opened()
    (post,) = book.posts(book.host(tool_call(5)))
    book.on(SignInStarted())
    (timer,) = [number for purpose, number in book.timers if purpose == "deadline"]
    assert book.posts(book.fires("deadline", timer)) == []
    book.on(SignInEnded())
    commands = book.fires("deadline", timer)
    assert fault(book.told(commands)[0])["kind"] == "timeout"
    assert Abandon(post.exchange) in commands


def test_a_replay_waits_for_the_person() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    (replay,) = book.posts(book.answers(post.exchange, status=404))
    book.on(SignInStarted())
    for _ in range(10):
        assert book.told(book.fires("replayed")) == []
    book.on(SignInEnded())
    answer = result(0, {"protocolVersion": VERSION})
    (note,) = book.posts(book.answers(replay.exchange, answer, session_id=b"session-two"))
    book.answers(note.exchange, status=202)
    assert [post.body for post in book.exchanges.values() if isinstance(post, Post)] == [request(5)]


def test_a_replay_that_is_not_answered_after_the_sign_in_is_given_up() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.posts(book.answers(post.exchange, status=404))
    book.on(SignInStarted())
    book.fires("replayed")
    book.on(SignInEnded())
    (told,) = book.told(book.fires("replayed"))
    assert fault(told)["kind"] == "session-lost"


def test_nothing_overtakes_initialized_while_a_person_signs_in_for_it() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, result(0, {"protocolVersion": VERSION}), session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    book.on(SignInStarted())
    for _ in range(5):
        assert book.fires("initialized")[1:] == []
    assert book.posts(book.host(tool_call(5))) == []
    book.on(SignInEnded())
    commands = book.answers(note.exchange, status=202)
    assert [post.body for post in book.posts(commands)] == [tool_call(5)]


def test_an_older_server_may_name_its_endpoint_after_the_sign_in() -> None:
    book = Playbook("sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    book.on(SignInStarted())
    for _ in range(5):
        assert book.told(book.fires("endpoint")) == []
    book.on(SignInEnded())
    book.starts(stream.exchange)
    (post,) = book.posts(book.names_endpoint(stream.exchange, b"/messages"))
    assert post.body == INITIALIZE


def test_pauses_go_on_while_a_person_signs_in() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.fails(post.exchange, Cause.UNREACHABLE, sent=False)
    book.on(SignInStarted())
    (timer,) = [number for purpose, number in book.timers if purpose == "call"]
    assert [post.body for post in book.posts(book.fires("call", timer))] == [request(5)]


def test_the_host_may_cancel_and_end_while_a_person_signs_in() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.on(SignInStarted())
    commands = book.host(notification("notifications/cancelled", {"requestId": 5}))
    assert Abandon(post.exchange) in commands
    book.host(request(6))
    (told,) = book.told(book.host_closes())
    assert fault(told)["kind"] == "shutdown"


@pytest.mark.parametrize("event", [SignInStarted(), SignInEnded()])
def test_a_sign_in_says_nothing_to_the_host(event: SignInStarted | SignInEnded) -> None:
    book = Playbook().opened()
    assert book.on(event) == []


# -- no token is to be had


def is_told(command: object, id_: object) -> None:
    assert isinstance(command, SendToHost)
    told = fault(command)
    assert (told["id"], told["kind"]) == (id_, "unauthorized")
    assert told["message"] == f"{WORDS} {HINT}"


def test_the_handshake_is_told_and_may_be_tried_again() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    (told,) = no_token(book, post.exchange)
    is_told(told, 0)
    assert not book.exchanges
    book.opened()


def test_a_call_is_told_and_is_not_sent_again() -> None:
    book = Playbook().opened()
    for id_, line in ((5, request(5)), (6, tool_call(6))):
        (post,) = book.posts(book.host(line))
        (told,) = no_token(book, post.exchange)
        is_told(told, id_)
    assert not book.timers
    assert [post.body for post in book.posts(book.host(request(7)))] == [request(7)]


def test_a_note_is_given_up_with_a_word_in_the_log() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(notification("notifications/roots/list_changed")))
    assert no_token(book, post.exchange) == []
    assert not book.timers
    assert (book.reports[-1].level, WORDS in book.reports[-1].text) == ("warning", True)


def test_a_note_that_others_wait_for_lets_them_go() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, result(0, {"protocolVersion": VERSION}), session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    book.host(tool_call(5))
    commands = no_token(book, note.exchange)
    assert [command.body for command in commands if isinstance(command, Post)] == [tool_call(5)]


def test_the_standing_stream_asks_nobody() -> None:
    book = Playbook()
    stream = book.listening(starts=False)
    assert book.exchanges[stream] == OpenStream(stream, session_headers(), quiet=True)
    assert no_token(book, stream) == []
    assert ("listen", 0) not in book.timers
    assert WORDS in book.reports[-1].text


def test_a_stream_that_is_resumed_is_waited_for_by_the_host() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.starts(post.exchange)
    book.sends(post.exchange, id_=b"one", data=b"")
    book.closes(post.exchange)
    (timer,) = [number for purpose, number in book.timers if purpose == "call"]
    (stream,) = book.streams(book.fires("call", timer))
    assert not stream.quiet
    (told,) = no_token(book, stream.exchange)
    is_told(told, 5)


def test_a_session_that_cannot_be_opened_again_for_want_of_a_token() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    (replay,) = book.posts(book.answers(post.exchange, status=404))
    (told,) = [command for command in no_token(book, replay.exchange) if isinstance(command, SendToHost)]
    is_told(told, 5)
    # The next message tries again.
    (again,) = book.posts(book.host(request(6)))
    assert again.body == INITIALIZE


def test_an_older_server_that_lets_nobody_in() -> None:
    book = Playbook("sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    assert not stream.quiet
    (told,) = [command for command in no_token(book, stream.exchange) if isinstance(command, SendToHost)]
    is_told(told, 0)
    assert ("endpoint", 0) not in book.timers
