"""`subscriptions/listen`: streams that end and are asked for again, and a host that notices nothing of it."""

import pytest

from bridge.session.commands import Abandon, CancelTimer, DrainStream, DropConnections, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    META_SUBSCRIPTION,
    ModernPlaybook,
    acknowledged,
    body,
    called,
    changed,
    headers_for,
    listening_to,
)
from tests.session.playbook import cancelled, error, fault, notification, request, result

HEADERS = headers_for("subscriptions/listen")
TIMER = ("subscription", 1)


def ended(id_: object) -> dict[str, object]:
    """The result of a stream that ended well."""
    return {"resultType": "complete", "_meta": {META_SUBSCRIPTION: id_}}


def reopened(book: ModernPlaybook, exchange: int) -> tuple[Post, object]:
    """The stream breaks and is asked for again; the request, and its id."""
    book.closes(exchange)
    (post,) = book.posts(book.fires(*TIMER))
    book.starts(post.exchange)
    return post, body(post)["id"]


# -- as it should be


def test_it_goes_up_as_it_came() -> None:
    book = ModernPlaybook()
    line = listening_to(0, "a:1")
    assert book.host(line) == [Post(1, line, HEADERS)]


@pytest.mark.parametrize("id_", [0, "", "a", 1.5], ids=repr)
def test_what_comes_is_passed_on_as_it_came(id_: object) -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(id_)
    for line in (changed(id_), notification("notifications/resources/updated", {"uri": "a:1"})):
        assert book.sends(exchange, line) == [SendToHost(line)]


def test_nobody_waits_for_a_stream() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    book.subscribed(1)
    assert not book.session.busy
    assert not book.timers, "it has no deadline"


def test_the_host_may_listen_more_than_once() -> None:
    book = ModernPlaybook()
    first, second = book.subscribed(1), book.subscribed("1")
    assert book.sends(second, changed("1")) == [SendToHost(changed("1"))]
    book.host(cancelled(1))
    assert first not in book.exchanges
    assert book.sends(second, changed("1")) == [SendToHost(changed("1"))]


def test_only_so_many_streams_are_open_at_a_time() -> None:
    book = ModernPlaybook()
    for id_ in range(256):
        book.post(listening_to(id_))
    (answer,) = book.host(listening_to(256))
    assert (fault(answer)["id"], fault(answer)["kind"]) == (256, "too-many")
    book.post(called(256))


# -- the end


@pytest.mark.parametrize("id_", [0, "", "a\n", 1.5], ids=repr)
def test_the_host_cancels_it_and_is_answered(id_: object) -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(id_)
    assert book.host(cancelled(id_)) == [Abandon(exchange), SendToHost(result(id_, ended(id_)))]
    assert not book.exchanges
    assert book.host(cancelled(id_)) == []


def test_it_can_be_cancelled_in_a_pause() -> None:
    book = ModernPlaybook()
    book.closes(book.subscribed(1))
    assert set(book.host(cancelled(1))) == {CancelTimer(TIMER), SendToHost(result(1, ended(1)))}
    assert not book.timers


def test_the_server_may_end_it() -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(1)
    line = result(1, {**ended(1), "n": 1})
    assert book.sends(exchange, line) == [SendToHost(line), DrainStream(exchange)]
    assert book.sends(exchange, changed(1)) == []
    assert book.closes(exchange) == []
    assert not book.timers
    book.subscribed(1)


@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_error_that_answers_is_passed_on(status: int) -> None:
    book = ModernPlaybook()
    post = book.post(listening_to(1))
    assert book.answers(post.exchange, error(1, "No.", -32601), status=status) == [SendToHost(error(1, "No.", -32601))]
    assert not book.timers


@pytest.mark.parametrize("cause", list(Cause), ids=str)
def test_what_happens_to_a_stream_after_its_end_is_of_no_interest(cause: Cause) -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(1)
    book.sends(exchange, result(1, ended(1)))
    assert book.fails(exchange, cause) == []
    assert not book.timers


def test_an_error_may_come_on_the_stream() -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(1)
    assert book.sends(exchange, error(1, "No.")) == [SendToHost(error(1, "No.")), DrainStream(exchange)]


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_a_refusal_ends_it(status: int) -> None:
    book = ModernPlaybook()
    (answer,) = book.answers(book.post(listening_to(1)).exchange, b"<html>", status=status)
    assert (fault(answer)["id"], fault(answer)["status"]) == (1, status)
    assert not book.timers


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (b"", "no-answer"),
        (b"<html>", "not-json"),
        (result("x"), "wrong-answer"),
        (b"{", "wrong-answer"),
        (error(None, "No."), "wrong-answer"),
        (acknowledged(1), "wrong-answer"),
    ],
    ids=["nothing", "html", "another answer", "no json", "error without id", "acknowledgment only"],
)
def test_a_body_that_is_no_answer_ends_it(what: bytes, kind: str) -> None:
    book = ModernPlaybook()
    commands = book.answers(book.post(listening_to(1)).exchange, what)
    assert fault(commands[-1])["kind"] == kind
    assert not book.timers


def test_a_stream_in_one_body_is_read_whole() -> None:
    book = ModernPlaybook()
    post = book.post(listening_to(1))
    lines = [acknowledged(1), changed(1), result(1, ended(1))]
    assert book.answers(post.exchange, b"[" + b",".join(lines) + b"]") == [SendToHost(line) for line in lines]


@pytest.mark.parametrize("cause", [Cause.UNAUTHORIZED, Cause.UNTRUSTED, Cause.REDIRECTED, Cause.TOO_LARGE], ids=str)
def test_what_will_not_pass_ends_it(cause: Cause) -> None:
    book = ModernPlaybook()
    (answer,) = book.fails(book.post(listening_to(1)).exchange, cause)
    assert fault(answer)["kind"] == cause.kind


# -- asked for again


def test_a_stream_that_breaks_is_asked_for_again_with_a_new_id() -> None:
    book = ModernPlaybook()
    assert book.closes(book.subscribed(1)) == [SetTimer(TIMER, 0.5, 0.5)]
    (post,) = book.posts(book.fires(*TIMER))
    sent = body(post)
    assert sent["id"] != 1
    assert {**sent, "id": 1} == body(Post(0, listening_to(1), ()))
    assert post.headers == HEADERS
    assert post.quiet, "nobody is asked to sign in for its sake"


@pytest.mark.parametrize("id_", [0, "", "a", 1.5], ids=repr)
def test_the_host_sees_its_own_id_only(id_: object) -> None:
    book = ModernPlaybook()
    post, wire = reopened(book, book.subscribed(id_))
    assert book.sends(post.exchange, acknowledged(wire)) == []
    assert book.sends(post.exchange, changed(wire)) == [SendToHost(changed(id_))]
    assert book.sends(post.exchange, changed("forged")) == [SendToHost(changed(id_))]
    assert book.sends(post.exchange, result(wire, ended(wire))) == [
        SendToHost(result(id_, ended(id_))),
        DrainStream(post.exchange),
    ]


def test_an_error_after_a_break_bears_the_hosts_id() -> None:
    book = ModernPlaybook()
    post, wire = reopened(book, book.subscribed(1))
    assert book.sends(post.exchange, error(wire, "No."))[0] == SendToHost(error(1, "No."))


def test_the_acknowledgment_comes_once_however_late() -> None:
    book = ModernPlaybook()
    post = book.post(listening_to(1))
    book.starts(post.exchange)
    post, wire = reopened(book, post.exchange)
    assert book.sends(post.exchange, acknowledged(wire)) == [SendToHost(acknowledged(1))]
    assert book.sends(post.exchange, acknowledged(wire)) == []


@pytest.mark.parametrize(
    "params",
    [b"5", b"null", b"[1]", b'{"_meta":7}', b'{"_meta":[]}', b'{"_meta":null,"n":1e400}', b"{}"],
    ids=["number", "null", "array", "meta number", "meta array", "huge number", "empty"],
)
def test_odd_params_after_a_break_do_no_harm(params: bytes) -> None:
    book = ModernPlaybook()
    post, _ = reopened(book, book.subscribed(1))
    line = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":%b}' % params
    (answer,) = book.told_all(book.sends(post.exchange, line))
    assert answer["params"]["_meta"] == {META_SUBSCRIPTION: 1}


@pytest.mark.parametrize("line", [b"5", b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"result":5}'], ids=repr)
def test_odd_events_do_no_harm(line: bytes) -> None:
    book = ModernPlaybook()
    post, wire = reopened(book, book.subscribed(1))
    assert book.sends(post.exchange, line) == []
    assert book.sends(post.exchange, changed(wire)) == [SendToHost(changed(1))]


@pytest.mark.parametrize("value", [b"5", b"null", b"[]", b'{"_meta":3}'], ids=["number", "null", "array", "meta"])
def test_an_odd_result_ends_it(value: bytes) -> None:
    book = ModernPlaybook()
    post, wire = reopened(book, book.subscribed(1))
    line = b'{"jsonrpc":"2.0","id":"%b","result":%b}' % (str(wire).encode(), value)
    (answer,) = book.told_all(book.sends(post.exchange, line))
    assert (answer["id"], answer["result"]["_meta"]) == (1, {META_SUBSCRIPTION: 1})


def test_a_request_on_a_stream_is_dropped_with_a_warning() -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(1)
    assert book.sends(exchange, request(1, "roots/list")) == []
    assert len(book.warnings()) == 1


def test_the_answer_to_a_call_on_a_stream_is_not_its_end() -> None:
    book = ModernPlaybook()
    call = book.post(called(2))
    exchange = book.subscribed(1)
    assert book.sends(exchange, result(2)) == []
    assert book.answers(call.exchange, result(2)) == [SendToHost(result(2))]


# -- pauses


def breaks(book: ModernPlaybook, exchange: int, how: str) -> float:
    """A stream, or a request for one, comes to nothing; the pause before the next."""
    if how == "closed":
        book.starts(exchange)
        commands = book.closes(exchange)
    elif how == "status":
        commands = book.answers(exchange, b"<html>", status=502)
    elif how == "busy":
        commands = book.answers(exchange, b"", status=429)
    elif how == "soon":
        commands = book.answers(exchange, b"", status=503, retry_after=0)
    else:
        commands = book.fails(exchange, Cause.UNREACHABLE if how == "unreachable" else Cause.LOST)
    (timer,) = commands
    assert isinstance(timer, SetTimer)
    return timer.seconds


@pytest.mark.parametrize("how", ["closed", "status", "busy", "soon", "unreachable", "lost"])
def test_the_pauses_grow_and_no_number_of_them_ends_it(how: str) -> None:
    book = ModernPlaybook()
    exchange, pauses = book.subscribed(1), []
    book.passes(3600)
    book.closes(exchange)
    for _ in range(9):
        (post,) = book.posts(book.fires(*TIMER))
        pauses.append(breaks(book, post.exchange, how))
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30]


def test_a_stream_that_held_makes_the_pause_short_again() -> None:
    book = ModernPlaybook()
    post, wire = reopened(book, book.subscribed(1))
    for held, pause in ((0, 1.0), (29, 2.0), (31, 0.5), (0, 1.0)):
        book.sends(post.exchange, acknowledged(wire))
        book.passes(held)
        assert book.closes(post.exchange) == [SetTimer(TIMER, pause, 0.5)]
        (post,) = book.posts(book.fires(*TIMER))
        wire = body(post)["id"]
        book.starts(post.exchange)


def test_a_stream_that_was_never_acknowledged_did_not_hold() -> None:
    book = ModernPlaybook()
    post, _ = reopened(book, book.subscribed(1))
    book.passes(3600)
    assert book.closes(post.exchange) == [SetTimer(TIMER, 1.0, 0.5)]


def test_a_server_that_asks_for_time_gets_it() -> None:
    book = ModernPlaybook()
    post = book.post(listening_to(1))
    assert book.answers(post.exchange, b"", status=503, retry_after=20) == [SetTimer(TIMER, 20.0, 0.0)]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_wants_more_time_than_a_host_waits_ends_it(status: int) -> None:
    book = ModernPlaybook()
    (answer,) = book.answers(book.post(listening_to(1)).exchange, b"", status=status, retry_after=31)
    assert fault(answer)["status"] == status


@pytest.mark.parametrize(("wanted", "given"), [(100, 100.0), (10**9, 300.0)])
def test_a_stream_that_was_there_waits_for_a_server_as_long_as_it_wants(wanted: int, given: float) -> None:
    book = ModernPlaybook()
    book.closes(book.subscribed(1))
    (post,) = book.posts(book.fires(*TIMER))
    assert book.answers(post.exchange, b"", status=503, retry_after=wanted) == [SetTimer(TIMER, given, 0.0)]


@pytest.mark.parametrize("how", ["closed", "status", "busy", "unreachable", "lost"])
def test_before_the_first_acknowledgment_patience_ends(how: str) -> None:
    book = ModernPlaybook(retry_window=10)
    post = book.post(listening_to(1))
    breaks(book, post.exchange, how)
    book.passes(10)
    (post,) = book.posts(book.fires(*TIMER))
    if how in {"closed", "unreachable", "lost"}:
        if how == "closed":
            book.starts(post.exchange)
        (answer,) = book.closes(post.exchange) if how == "closed" else book.fails(post.exchange, Cause.LOST)
    else:
        (answer,) = book.answers(post.exchange, b"", status=502)
    assert fault(answer)["id"] == 1
    assert not book.timers
    book.post(listening_to(1))


def test_the_time_of_a_sign_in_is_not_the_servers() -> None:
    book = ModernPlaybook(retry_window=10)
    post = book.post(listening_to(1))
    book.signing_in(True)
    book.passes(200)
    book.signing_in(False)
    assert book.answers(post.exchange, b"", status=502) == [SetTimer(TIMER, 0.5, 0.5)]


# -- a sleep


def test_after_a_sleep_every_stream_is_asked_for_again_at_once() -> None:
    book = ModernPlaybook()
    first = book.subscribed(1)
    second = book.subscribed(2)
    book.closes(second)
    commands = book.wakes()
    assert commands[0] == DropConnections()
    assert Abandon(first) in commands
    posts = book.posts(commands)
    assert len(posts) == 2
    assert not book.timers
    for id_, post in zip((1, 2), posts, strict=True):
        wire = body(post)["id"]
        book.starts(post.exchange)
        assert book.sends(post.exchange, acknowledged(wire)) == []
        assert book.sends(post.exchange, changed(wire)) == [SendToHost(changed(id_))]


def test_at_the_end_the_host_is_answered() -> None:
    book = ModernPlaybook()
    exchange = book.subscribed(1)
    (abandon, answer) = book.host_closes()
    assert abandon == Abandon(exchange)
    assert (fault(answer)["id"], fault(answer)["kind"]) == (1, "shutdown")
