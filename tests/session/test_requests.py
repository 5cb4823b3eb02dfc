"""What becomes of the host's requests: sent, judged, sent again where that does no harm."""

import pytest

from bridge.session.commands import Abandon, CancelTimer, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.playbook import (
    SID,
    Playbook,
    error,
    fault,
    request,
    result,
    session_headers,
    tool_call,
)

TOOLS = {
    "tools": [
        {"name": "read", "annotations": {"readOnlyHint": True}},
        {"name": "set", "annotations": {"idempotentHint": True, "readOnlyHint": False}},
        {"name": "pay", "annotations": {"destructiveHint": False}},
    ]
}


def again(book: Playbook) -> tuple[str, int]:
    """The one timer that will send a request again."""
    (key,) = [key for key in book.timers if key[0] == "call"]
    return key


def only_post(book: Playbook, line: bytes) -> Post:
    (post,) = book.posts(book.host(line))
    return post


# -- what is sent


def test_initialize_carries_no_header_and_the_rest_carry_both() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(request(0, "initialize", {})))
    assert post.headers == ()
    book.answers(post.exchange, result(0, {"protocolVersion": "2025-11-25"}), session_id=SID)
    assert only_post(book, request(1)).headers == session_headers(version="2025-11-25")


def test_a_server_without_sessions_gets_no_session_id() -> None:
    book = Playbook().opened(session_id=None)
    assert only_post(book, request(1)).headers == session_headers(None)


# -- lost connections


@pytest.mark.parametrize("line", [request(1, "tools/list"), request(1, "resources/read"), request(1)])
def test_a_method_that_may_run_twice_is_sent_again(line: bytes) -> None:
    book = Playbook().opened()
    post = only_post(book, line)
    (timer,) = book.fails(post.exchange, Cause.LOST)
    assert timer == SetTimer(again(book), 0.1, 0.5)
    (post,) = book.posts(book.fires(*again(book)))
    assert (post.body, post.headers) == (line, session_headers())
    assert book.answers(post.exchange, result(1)) == [SendToHost(result(1))]


@pytest.mark.parametrize("line", [tool_call(1), request(1, "vendor/thing")])
def test_what_may_do_harm_is_not_sent_again(line: bytes) -> None:
    book = Playbook().opened()
    (said,) = book.fails(only_post(book, line).exchange, Cause.LOST, message="Reset by peer.")
    assert (fault(said)["id"], fault(said)["kind"]) == (1, "outcome-unknown")
    assert "(Reset by peer)" in fault(said)["message"]
    assert not book.timers


@pytest.mark.parametrize("line", [tool_call(1), request(1, "vendor/thing")])
def test_what_never_left_is_sent_again_whatever_it_is(line: bytes) -> None:
    book = Playbook().opened()
    book.fails(only_post(book, line).exchange, Cause.LOST, sent=False)
    (post,) = book.posts(book.fires(*again(book)))
    assert post.body == line


@pytest.mark.parametrize(("tool", "repeats"), [("read", True), ("set", True), ("pay", False), ("unheard-of", False)])
def test_a_tools_own_words_decide_whether_it_is_called_again(tool: str, repeats: bool) -> None:
    book = Playbook().opened()
    book.answers(only_post(book, request(1, "tools/list")).exchange, result(1, TOOLS))
    commands = book.fails(only_post(book, tool_call(2, tool)).exchange, Cause.LOST)
    if repeats:
        assert isinstance(commands[0], SetTimer)
    else:
        assert fault(commands[0])["kind"] == "outcome-unknown"


def test_a_failed_tools_list_teaches_nothing() -> None:
    book = Playbook().opened()
    book.answers(only_post(book, request(1, "tools/list")).exchange, error(1, "no"))
    (said,) = book.fails(only_post(book, tool_call(2, "read")).exchange, Cause.LOST)
    assert fault(said)["kind"] == "outcome-unknown"


def test_a_server_that_always_cuts_is_given_up() -> None:
    book = Playbook(retry_window=1000).opened()
    post = only_post(book, request(1))
    for pause in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2):
        assert book.fails(post.exchange, Cause.LOST) == [SetTimer(again(book), pause, 0.5)]
        (post,) = book.posts(book.fires(*again(book)))
    (said,) = book.fails(post.exchange, Cause.LOST)
    assert fault(said)["kind"] == "no-answer"


def test_a_server_that_cuts_slowly_is_given_up_when_patience_ends() -> None:
    book = Playbook(retry_window=30).opened()
    post, began = only_post(book, request(1)), book.now
    book.passes(12)
    while not book.told(commands := book.fails(post.exchange, Cause.LOST)):
        (post,) = book.posts(book.fires(*again(book)))
        book.passes(12)
    assert fault(commands[0])["kind"] == "no-answer"
    assert book.now - began < 60


def test_a_stream_that_ends_without_answer_or_place_is_a_lost_connection() -> None:
    book = Playbook().opened()
    for line, repeats in ((request(1), True), (tool_call(2), False)):
        post = only_post(book, line)
        book.starts(post.exchange)
        commands = book.closes(post.exchange)
        assert isinstance(commands[0], SetTimer) is repeats


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause.UNTRUSTED, "unreachable"),
        (Cause.REDIRECTED, "redirect"),
        (Cause.PROTOCOL, "wrong-answer"),
        (Cause.TOO_LARGE, "too-large"),
    ],
)
def test_what_will_not_pass_by_itself_is_told_at_once(cause: Cause, kind: str) -> None:
    book = Playbook().opened()
    (said,) = book.fails(only_post(book, request(1)).exchange, cause)
    assert fault(said)["kind"] == kind


@pytest.mark.parametrize(("line", "kind"), [(request(1), "no-answer"), (tool_call(1), "outcome-unknown")])
def test_a_body_that_broke_off(line: bytes, kind: str) -> None:
    book = Playbook().opened()
    (said,) = book.fails(only_post(book, line).exchange, Cause.TRUNCATED)
    assert fault(said)["kind"] == kind


# -- patience


def test_an_unreachable_server_is_tried_until_patience_ends() -> None:
    book = Playbook(retry_window=30)
    post = only_post(book, request(0, "initialize", {}))
    began, tries = book.now, 1
    while True:
        commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message="Refused.")
        if not isinstance(commands[0], SetTimer):
            break
        assert 0 < commands[0].seconds <= 5
        (post,) = book.posts(book.fires(*again(book)))
        tries += 1
    assert fault(commands[0])["kind"] == "unreachable"
    assert fault(commands[0])["message"].startswith("Refused.")
    assert book.now - began == pytest.approx(30)
    assert 8 <= tries <= 14
    assert [report.level for report in book.reports].count("warning") == 2, "said once, and once at the end"


def test_patience_begins_anew_for_each_request() -> None:
    book = Playbook(retry_window=10).opened()
    book.passes(1000)
    commands = book.fails(only_post(book, request(1)).exchange, Cause.UNREACHABLE, sent=False)
    assert isinstance(commands[0], SetTimer)


def test_a_try_as_long_as_the_patience_is_the_last() -> None:
    book = Playbook(retry_window=10).opened()
    post = only_post(book, request(1))
    book.passes(10)
    (said,) = book.fails(post.exchange, Cause.UNREACHABLE, sent=False)
    assert fault(said)["kind"] == "unreachable"


# -- Retry-After


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("line", [request(1), tool_call(1)])
def test_a_short_retry_after_is_obeyed(status: int, line: bytes) -> None:
    book = Playbook().opened()
    commands = book.answers(only_post(book, line).exchange, status=status, retry_after=7.0)
    assert commands == [SetTimer(again(book), 7.0, 0.0)], "not a moment earlier"
    (post,) = book.posts(book.fires(*again(book)))
    assert book.answers(post.exchange, result(1)) == [SendToHost(result(1))]


def test_a_long_retry_after_is_told() -> None:
    book = Playbook().opened()
    (said,) = book.answers(only_post(book, request(1)).exchange, status=429, retry_after=3600)
    assert (fault(said)["kind"], fault(said)["status"]) == ("rate-limited", 429)
    assert "3600 seconds" in fault(said)["message"]


def test_asking_to_wait_again_and_again_has_an_end() -> None:
    book = Playbook(retry_window=30).opened()
    post = only_post(book, request(1))
    for _ in range(3):
        book.answers(post.exchange, status=503, retry_after=20.0)
        (post,) = book.posts(book.fires(*again(book)))
    (said,) = book.answers(post.exchange, status=503, retry_after=20.0)
    assert (fault(said)["kind"], fault(said)["status"]) == ("http-status", 503)


def test_a_retry_after_of_nothing_is_no_storm() -> None:
    book = Playbook().opened()
    post = only_post(book, request(1))
    pauses = []
    for _ in range(5):
        (timer,) = book.answers(post.exchange, status=429, retry_after=0.0)
        assert isinstance(timer, SetTimer)
        pauses.append(timer.seconds)
        (post,) = book.posts(book.fires(*again(book)))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6]


# -- an answer elsewhere


def test_an_accepted_request_may_be_answered_on_the_standing_stream() -> None:
    book = Playbook()
    stream = book.listening()
    post = only_post(book, request(5))
    assert not book.told(book.answers(post.exchange, status=202))
    assert book.told(book.sends(stream, result(5))) == [SendToHost(result(5))]
    assert not book.timers


@pytest.mark.parametrize("line", [request(5), tool_call(5)], ids=["ping", "tools/call"])
@pytest.mark.parametrize("status", [200, 201, 204])
def test_an_empty_answer_that_is_not_202_is_an_error_at_once(status: int, line: bytes) -> None:
    book = Playbook()
    book.listening()
    post = only_post(book, line)
    (said,) = book.told(book.answers(post.exchange, status=status))
    assert fault(said)["kind"] == "no-answer"
    assert not book.timers


def test_nobody_waits_for_the_standing_stream_for_ever() -> None:
    book = Playbook()
    book.listening()
    book.answers(only_post(book, request(5)).exchange, status=202)
    (late,) = [key for key in book.timers if key[0] == "late"]
    (said,) = book.fires(*late)
    assert (fault(said)["id"], fault(said)["kind"]) == (5, "no-answer")
    assert "accepted ping (202 Accepted) but sent no answer to it within 300 seconds" in fault(said)["message"]


# -- cancellation


def test_a_cancelled_request_is_over_at_once() -> None:
    book = Playbook().opened()
    post = only_post(book, tool_call(0))
    book.starts(post.exchange)
    note = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0,"reason":"changed my mind"}}'
    commands = book.host(note)
    assert Abandon(post.exchange) in commands
    assert [sent.body for sent in book.posts(commands)] == [note]
    assert not book.told(commands)
    assert not book.session.busy


def test_a_cancelled_request_is_not_sent_again() -> None:
    book = Playbook().opened()
    book.fails(only_post(book, request(1)).exchange, Cause.LOST)
    key = again(book)
    commands = book.host(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}')
    assert CancelTimer(key) in commands
    assert not book.timers


@pytest.mark.parametrize("params", [b"", b',"params":{}', b',"params":{"requestId":"1"}}'[:-1], b',"params":[1]'])
def test_a_cancellation_of_nothing_known_only_passes(params: bytes) -> None:
    book = Playbook().opened()
    post = only_post(book, request(1))
    note = b'{"jsonrpc":"2.0","method":"notifications/cancelled"' + params + b"}"
    assert [sent.body for sent in book.posts(book.host(note))] == [note]
    assert book.answers(post.exchange, result(1)) == [SendToHost(result(1))]
