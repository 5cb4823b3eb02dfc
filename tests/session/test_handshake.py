"""The handshake, and how a lost session is opened again without the host's knowing."""

import pytest

from bridge.session.commands import Abandon, CancelTimer, DrainStream, OpenStream, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    SID,
    VERSION,
    Playbook,
    error,
    fault,
    notification,
    request,
    result,
    session_headers,
    tool_call,
)

WELCOME = result(0, {"protocolVersion": VERSION})
TWO = b"session-two"


def lost(book: Playbook, *lines: bytes) -> int:
    """The host sends requests and the server no longer knows the session; the exchange of the replay."""
    posts = [post for line in lines for post in book.posts(book.host(line))]
    first, *rest = posts
    commands = book.answers(first.exchange, status=404)
    (replay,) = book.posts(commands)
    assert commands[-2:] == [
        SetTimer(("replayed", 0), 35.0),
        Post(replay.exchange, INITIALIZE, (), None, urgent=True),
    ]
    for post in rest:
        assert book.answers(post.exchange, status=404) == [], "one replay is enough"
    return replay.exchange


def reopened(book: Playbook, replay: int, session_id: bytes = TWO) -> list[bytes]:
    """The replay succeeds; what is sent once the new session is ready."""
    (note,) = book.posts(book.answers(replay, WELCOME, session_id=session_id))
    assert (note.body, note.headers) == (INITIALIZED, session_headers(session_id))
    posts = book.posts(book.answers(note.exchange, status=202))
    assert all(post.headers == session_headers(session_id) for post in posts)
    return [bytes(post.body) for post in posts]


# -- the host's handshake


def test_what_follows_initialized_waits_until_the_server_took_it() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME, session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    calls = [tool_call(1), notification("notifications/x"), request(2, "prompts/get")]
    assert [book.host(line) for line in calls] == [[], [], []]
    assert [post.body for post in book.posts(book.answers(note.exchange, status=202))] == calls


@pytest.mark.parametrize("status", [200, 204, 400, 404, 500])
def test_however_the_server_takes_initialized_the_rest_follows(status: int) -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME)
    (note,) = book.posts(book.host(INITIALIZED))
    book.host(tool_call(1))
    assert [post.body for post in book.posts(book.answers(note.exchange, status=status))] == [tool_call(1)]


def test_a_server_slow_to_take_initialized_is_not_waited_for() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME)
    (note,) = book.posts(book.host(INITIALIZED))
    book.host(tool_call(1))
    assert book.timers["initialized", 0].seconds == 5
    assert [post.body for post in book.posts(book.fires("initialized"))] == [tool_call(1)]
    assert book.answers(note.exchange, status=202) == []


def test_a_stream_may_answer_initialize() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.starts(post.exchange, SID)
    assert book.sends(post.exchange, WELCOME) == [SendToHost(WELCOME), DrainStream(post.exchange)]
    (call,) = book.posts(book.host(request(1)))
    assert call.headers == session_headers()


def test_an_initialize_that_the_server_refused_opens_nothing() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    refusal = error(0, "Unsupported protocol version", -32602)
    assert book.answers(post.exchange, refusal, status=400, session_id=SID) == [SendToHost(refusal)]
    (post,) = book.posts(book.host(request(1, "initialize", {})))
    assert post.headers == ()


@pytest.mark.parametrize("version", ["", "2025\r\nX-Evil: 1", "x" * 65])
def test_a_version_that_fits_no_header_goes_into_none(version: str) -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    answer = result(0, {"protocolVersion": version})
    assert book.answers(post.exchange, answer, session_id=SID) == [SendToHost(answer)]
    (call,) = book.posts(book.host(request(1)))
    assert call.headers == ()


def test_a_second_initialize_of_the_hosts_begins_anew() -> None:
    book = Playbook()
    stream = book.listening()
    again = request(9, "initialize", {})
    commands = book.host(again)
    (post,) = book.posts(commands)
    assert commands == [Abandon(stream), Post(post.exchange, again, ())]
    book.answers(post.exchange, result(9, {"protocolVersion": VERSION}), session_id=TWO)
    (note,) = book.posts(book.host(INITIALIZED))
    assert note.headers == session_headers(TWO)


# -- a lost session


def test_many_requests_meet_a_lost_session_and_one_replay_serves_them() -> None:
    book = Playbook().opened()
    lines = [tool_call(1), request(2), request("", "tools/list")]
    replay = lost(book, *lines)
    assert book.host(tool_call(4)) == [], "it waits too"
    assert reopened(book, replay) == [*lines, tool_call(4)]
    assert not book.timers


def test_a_400_that_speaks_of_the_session_is_a_lost_session() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(1)))
    (replay,) = book.posts(book.answers(post.exchange, error(None, "Session not found"), status=400))
    assert reopened(book, replay.exchange) == [tool_call(1)]


def test_the_host_hears_nothing_of_it() -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    assert not book.told(book.answers(replay, WELCOME, session_id=TWO))


def test_what_the_server_asks_while_it_answers_the_replay_is_told() -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    book.starts(replay, TWO)
    log = notification("notifications/message", {"data": 1})
    assert book.sends(replay, log) == [SendToHost(log)]
    assert book.sends(replay, b"{") == []
    (note,) = book.posts(book.sends(replay, WELCOME))
    assert note.headers == session_headers(TWO)
    assert book.sends(replay, WELCOME) == []
    assert book.closes(replay) == []


@pytest.mark.parametrize("status", [200, 204])
def test_a_replay_with_an_empty_answer_fails_at_once(status: int) -> None:
    book = Playbook().opened()
    (said,) = book.told(book.answers(lost(book, tool_call(1)), status=status))
    assert (fault(said)["id"], fault(said)["kind"]) == (1, "session-lost")
    assert f"answered {status}" in fault(said)["message"]
    assert not book.timers


def test_a_request_is_carried_over_once() -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1))
    (note,) = book.posts(book.answers(replay, WELCOME, session_id=TWO))
    (post,) = book.posts(book.answers(note.exchange, status=202))
    (said,) = book.told(book.answers(post.exchange, status=404))
    assert (fault(said)["id"], fault(said)["kind"]) == (1, "session-lost")


def test_what_the_host_had_set_up_is_set_up_again() -> None:
    book = Playbook().opened()

    def sets_up(line: bytes, answer: bytes) -> None:
        (post,) = book.posts(book.host(line))
        book.answers(post.exchange, answer)

    def subscription(id_: int, uri: str, verb: str = "subscribe") -> bytes:
        return request(id_, f"resources/{verb}", {"uri": uri})

    quiet, loud = (request(id_, "logging/setLevel", {"level": level}) for id_, level in ((1, "error"), (2, "debug")))
    sets_up(quiet, result(1))
    sets_up(loud, result(2))
    sets_up(subscription(3, "a:1"), result(3))
    sets_up(subscription(4, "a:2"), result(4))
    sets_up(subscription(5, "a:refused"), error(5, "no"))
    sets_up(subscription(6, "a:1", "unsubscribe"), result(6))
    sets_up(request(7, "logging/setLevel", {"level": "nonsense"}), error(7, "no"))
    replay = lost(book, tool_call(8))
    (note,) = book.posts(book.answers(replay, WELCOME, session_id=TWO))
    posts = book.posts(book.answers(note.exchange, status=202))
    assert [post.body for post in posts] == [loud, subscription(4, "a:2"), tool_call(8)]
    assert book.answers(posts[0].exchange, result(2)) == [], "the host had its answer long ago"
    assert book.fails(posts[1].exchange, Cause.LOST) == []
    assert book.told(book.answers(posts[2].exchange, result(8))) == [SendToHost(result(8))]


def test_a_late_word_of_a_lost_session_is_no_news() -> None:
    book = Playbook().opened()
    (slow,) = book.posts(book.host(tool_call(1)))
    assert reopened(book, lost(book, request(2))) == [request(2)]
    (post,) = book.posts(book.answers(slow.exchange, status=404))
    assert (post.body, post.headers) == (tool_call(1), session_headers(TWO))


def test_a_stream_that_answers_what_is_set_up_again_is_let_go() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(1, "logging/setLevel", {"level": "debug"})))
    book.answers(post.exchange, result(1))
    (call,) = book.posts(book.host(tool_call(2)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    (note,) = book.posts(book.answers(replay.exchange, WELCOME, session_id=TWO))
    restored, _ = book.posts(book.answers(note.exchange, status=202))
    book.starts(restored.exchange)
    assert book.sends(restored.exchange, id_=b"primed") == []
    assert book.sends(restored.exchange, result(1)) == [DrainStream(restored.exchange)]
    assert book.sends(restored.exchange, result(1)) == []


def test_a_new_session_of_the_hosts_own_restores_nothing() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(1, "logging/setLevel", {"level": "debug"})))
    book.answers(post.exchange, result(1))
    (post,) = book.posts(book.host(request(3, "resources/subscribe", {"uri": "a:1"})))
    book.answers(post.exchange, result(3))
    book.opened(b"fresh", initialize=request(50, "initialize", {}))
    (call,) = book.posts(book.host(request(2)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    answer = result(50, {"protocolVersion": VERSION})
    (note,) = book.posts(book.answers(replay.exchange, answer, session_id=TWO))
    assert [post.body for post in book.posts(book.answers(note.exchange, status=202))] == [request(2)]


def test_the_hosts_answer_to_a_request_of_a_lost_session_is_dropped() -> None:
    book = Playbook()
    stream = book.listening()
    book.sends(stream, request(0, "roots/list"))
    book.sends(stream, request(1, "roots/list"))
    assert len(book.posts(book.host(result(0)))) == 1, "in time"
    replay = lost(book, request(5))
    assert book.host(result(1)) == []
    assert reopened(book, replay) == [request(5)]
    (stream,) = [number for number, open_ in book.exchanges.items() if isinstance(open_, OpenStream)]
    book.sends(stream, request(1, "roots/list"))
    assert [post.body for post in book.posts(book.host(result(1)))] == [result(1)], "the new session's own"


def test_a_changed_version_is_used_and_noted() -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    answer = result(0, {"protocolVersion": "2025-03-26"})
    (note,) = book.posts(book.answers(replay, answer, session_id=TWO))
    assert note.headers == session_headers(TWO, "2025-03-26")
    assert [report.level for report in book.reports if "now uses MCP" in report.text] == ["warning"]


# -- a replay that fails


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b""), (401, b""), (404, b""), (200, error(0, "no")), (200, result(0)), (200, result(1)), (200, b"ok")],
)
def test_a_refused_replay_fails_what_waits_and_the_next_message_tries_again(status: int, body: bytes) -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1), request(2))
    commands = book.answers(replay, body, status=status)
    said = [fault(command) for command in book.told(commands)]
    assert [(one["id"], one["kind"]) for one in said] == [(1, "session-lost"), (2, "session-lost")]
    assert not book.timers
    (replay_again,) = book.posts(book.host(request(3)))
    assert replay_again.body == INITIALIZE
    assert reopened(book, replay_again.exchange) == [request(3)]


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.LOST])
def test_a_replay_that_meets_no_server_is_tried_while_patience_lasts(cause: Cause) -> None:
    book = Playbook(retry_window=30).opened()
    replay, began = lost(book, tool_call(1)), book.now
    while ("reopen", 0) in book.timers or not book.told(commands := book.fails(replay, cause, message="Refused.")):
        (post,) = book.posts(book.fires("reopen"))
        assert (post.body, post.headers) == (INITIALIZE, ())
        replay = post.exchange
    assert 20 < book.now - began <= 30
    assert "Refused." in fault(book.told(commands)[0])["message"]
    assert not book.timers


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_is_still_starting_is_tried_again(status: int) -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    assert book.answers(replay, status=status) == [SetTimer(("reopen", 0), 0.1, 0.5)]
    (post,) = book.posts(book.fires("reopen"))
    assert reopened(book, post.exchange) == [request(1)]


def test_a_replay_obeys_retry_after() -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    assert book.answers(replay, status=503, retry_after=9.0) == [SetTimer(("reopen", 0), 9.0, 0.0)]


def test_a_replay_cut_off_is_tried_again() -> None:
    book = Playbook().opened()
    replay = lost(book, request(1))
    book.starts(replay, TWO)
    assert book.closes(replay) == [SetTimer(("reopen", 0), 0.1, 0.5)]


def test_a_replay_that_is_not_answered_in_time() -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1))
    (said,) = book.told(book.fires("replayed"))
    assert fault(said)["kind"] == "session-lost"
    if replay in book.exchanges:
        assert book.answers(replay, WELCOME, session_id=b"late") == []
    (post,) = book.posts(book.host(request(2)))
    assert (post.body, post.headers) == (INITIALIZE, ())


def test_a_late_replay_does_not_spoil_the_next() -> None:
    book = Playbook().opened()
    first = lost(book, tool_call(1))
    book.fires("replayed")
    (second,) = book.posts(book.host(request(2)))
    if first in book.exchanges:
        assert book.answers(first, status=400) == []
    assert reopened(book, second.exchange) == [request(2)]


def test_a_cancelled_request_does_not_wait_for_the_session() -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1), request(2))
    note = notification("notifications/cancelled", {"requestId": 1})
    assert book.told(book.host(note)) == []
    assert reopened(book, replay) == [request(2), note]


# -- a replay that the host's own initialize interrupts


def test_an_initialize_of_the_hosts_does_not_wait_for_the_replay() -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1))
    fresh = request(9, "initialize", {})
    commands = book.host(fresh)
    assert CancelTimer(("replayed", 0)) in commands
    assert fresh in [post.body for post in book.posts(commands)]
    if replay in book.exchanges:
        assert INITIALIZED not in [post.body for post in book.posts(book.answers(replay, WELCOME, session_id=TWO))]


def test_an_initialize_of_the_hosts_interrupts_the_pause_between_replays() -> None:
    book = Playbook().opened()
    replay = lost(book, tool_call(1))
    book.fails(replay, Cause.UNREACHABLE, sent=False)
    commands = book.host(request(9, "initialize", {}))
    assert CancelTimer(("reopen", 0)) in commands
    assert request(9, "initialize", {}) in [post.body for post in book.posts(commands)]


def test_after_a_failed_replay_the_hosts_initialize_opens_a_session() -> None:
    book = Playbook().opened()
    book.answers(lost(book, tool_call(1)), status=400)
    book.opened(TWO, initialize=request(9, "initialize", {}))
    (post,) = book.posts(book.host(request(2)))
    assert post.headers == session_headers(TWO)


def test_initialized_that_is_sent_again_passes_the_gate_it_opens() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME, session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    book.host(tool_call(1))
    book.fails(note.exchange, Cause.UNREACHABLE, sent=False)
    (key,) = [key for key in book.timers if key[0] == "note"]
    (note,) = book.posts(book.fires(*key))
    assert note.body == INITIALIZED
    assert [post.body for post in book.posts(book.answers(note.exchange, status=202))] == [tool_call(1)]
