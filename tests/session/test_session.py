"""The session as a whole: batches, limits, the end."""

import msgspec
import pytest

from bridge.session.commands import Abandon, EndSession, SendToHost
from bridge.session.events import BodyReceived, Cause, HostClosed, HostMessage, TimerFired
from bridge.session.host_input import read_line
from tests.session.playbook import (
    INITIALIZE,
    SID,
    Playbook,
    cancelled,
    error,
    fault,
    notification,
    request,
    result,
    session_headers,
    tool_call,
)


def batch(*lines: bytes) -> bytes:
    return b"[" + b",".join(lines) + b"]"


# -- batches


def test_a_batch_goes_up_in_single_requests_and_comes_down_in_one_line() -> None:
    book = Playbook().opened()
    note = notification("notifications/x")
    posts = book.posts(book.host(batch(request(1), note, tool_call(""))))
    assert [post.body for post in posts] == [request(1), note, tool_call("")]
    assert book.answers(posts[2].exchange, result("")) == []
    assert book.answers(posts[1].exchange, status=202) == []
    assert book.answers(posts[0].exchange, result(1)) == [SendToHost(batch(result(""), result(1)))]


def test_a_batch_of_notes_gets_no_answer() -> None:
    book = Playbook().opened()
    commands = book.host(batch(notification("a"), result(5)))
    assert len(commands) == len(book.posts(commands)) == 2


def test_what_is_wrong_in_a_batch_is_answered_within_it() -> None:
    book = Playbook().opened()
    commands = book.host(batch(request(1), request(1), b"5", request(2, "initialize", {})))
    (post,) = book.posts(commands)
    assert commands == [post], "nothing is said before all is known"
    (line,) = book.told(book.answers(post.exchange, result(1)))
    answers = msgspec.json.decode(line.line)
    assert sorted((str(one["id"]), one.get("error", {}).get("code", 0)) for one in answers) == [
        ("1", -32600),
        ("1", 0),
        ("2", -32600),
        ("None", -32600),
    ]


def test_a_batch_without_a_message_is_answered_at_once() -> None:
    book = Playbook().opened()
    (said,) = book.told(book.host(batch(b"1", b"{}")))
    assert [one["error"]["code"] for one in msgspec.json.decode(said.line)] == [-32600, -32600]


def test_cancelling_the_last_of_a_batch_lets_the_rest_go() -> None:
    book = Playbook().opened()
    one, _ = book.posts(book.host(batch(request(1), request(2))))
    assert book.answers(one.exchange, result(1)) == []
    assert book.told(book.host(cancelled(2))) == [SendToHost(batch(result(1)))]


def test_a_batch_that_is_cancelled_whole_gets_no_answer() -> None:
    book = Playbook().opened()
    book.host(batch(request(1), request(2)))
    assert book.told(book.host(cancelled(1)) + book.host(cancelled(2))) == []
    assert not book.session.busy


# -- limits


def test_too_many_requests_at_once_are_refused() -> None:
    book = Playbook().opened()
    for number in range(4096):
        assert not book.told(book.host(request(number)))
    (said,) = book.host(request(4096))
    assert (fault(said)["id"], fault(said)["kind"]) == (4096, "too-many")
    (said,) = book.told(book.host(batch(request(4096))))
    assert msgspec.json.decode(said.line)[0]["error"]["data"]["kind"] == "too-many"


# -- the end


def test_every_request_is_answered_and_the_session_ended() -> None:
    book = Playbook(request_timeout=60)
    stream = book.listening()
    (post,) = book.posts(book.host(tool_call(0)))
    (lost,) = book.posts(book.host(request("")))
    book.fails(lost.exchange, Cause.LOST, message="Reset by peer.")
    commands = book.host_closes()
    said = [fault(command) for command in book.told(commands)]
    assert [(one["id"], one["kind"]) for one in said] == [(0, "shutdown"), ("", "shutdown")]
    assert "Reset by peer." in said[1]["message"]
    assert {command.exchange for command in commands if isinstance(command, Abandon)} == {stream, post.exchange}
    assert commands[-1] == EndSession(lost.exchange + 1, session_headers())
    assert not book.session.busy


def test_where_there_is_no_session_there_is_nothing_to_end() -> None:
    assert Playbook().host_closes() == []
    assert Playbook().opened(session_id=None).host_closes() == []


def test_an_open_batch_leaves_at_the_end() -> None:
    book = Playbook().opened()
    one, _ = book.posts(book.host(batch(request(1), request(2))))
    book.answers(one.exchange, result(1))
    (said,) = book.told(book.host_closes())
    answers = msgspec.json.decode(said.line)
    assert answers[0] == msgspec.json.decode(result(1))
    assert (answers[1]["id"], answers[1]["error"]["data"]["kind"]) == (2, "shutdown")


def test_what_waits_for_a_session_is_answered_at_the_end() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(1)))
    book.answers(post.exchange, status=404)
    book.host(tool_call(2))
    assert [fault(said)["id"] for said in book.told(book.host_closes())] == [1, 2]


def test_after_the_end_nothing_is_done() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(1)))
    book.host_closes()
    message = read_line(request(2))
    assert isinstance(message, HostMessage)
    for event in (message, BodyReceived(post.exchange, 200, b"", result(1)), TimerFired(("call", 1)), HostClosed()):
        assert book.session.handle(event, book.now) == []


@pytest.mark.parametrize("transport", ["auto", "http", "sse"])
def test_the_end_may_come_before_the_beginning(transport: str) -> None:
    book = Playbook(transport)  # type: ignore[arg-type]
    book.host(INITIALIZE)
    commands = book.host_closes()
    assert [fault(said)["kind"] for said in book.told(commands)] == ["shutdown"]
    assert not book.exchanges


# -- what nobody waits for


def test_events_of_exchanges_and_timers_that_are_over_do_nothing() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(1)))
    book.host(cancelled(1))
    assert book.session.handle(BodyReceived(post.exchange, 200, b"", result(1)), book.now) == []
    assert book.session.handle(TimerFired(("call", 2)), book.now) == []
    assert book.session.handle(TimerFired(("unheard-of", 0)), book.now) == []


def test_a_session_id_is_kept_as_it_is_and_an_error_to_a_request_is_not_the_sessions_end() -> None:
    book = Playbook().opened(SID)
    (post,) = book.posts(book.host(request(1)))
    assert book.answers(post.exchange, error(1, "no session for you"), status=500) == [
        SendToHost(error(1, "no session for you"))
    ]
    (post,) = book.posts(book.host(request(2)))
    assert post.headers == session_headers(SID)
