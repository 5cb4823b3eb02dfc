"""A modern host on a modern server: each request by itself, with its headers, sent again where that does no harm."""

import base64

import pytest

from bridge.session.commands import Abandon, CancelTimer, DrainStream, DropConnections, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    HEADER_MISMATCH,
    ModernPlaybook,
    asked,
    called,
    headers_for,
    listening_to,
    refusal,
)
from tests.session.playbook import cancelled, error, fault, notification, request, result

PROGRESS = notification("notifications/progress", {"progressToken": "t", "progress": 1})


# -- what is sent


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "pay"}, "pay"),
        ("prompts/get", {"name": "greet"}, "greet"),
        ("resources/read", {"uri": "file:///a b"}, "file:///a b"),
        ("tools/list", {"name": "not a name"}, None),
        ("server/discover", {}, None),
        ("vendor/thing", {"uri": "no"}, None),
    ],
)
def test_a_request_goes_up_as_it_came_with_its_headers(method: str, params: dict[str, str], name: str | None) -> None:
    book = ModernPlaybook()
    line = asked(7, method, **params)
    assert book.host(line) == [Post(1, line, headers_for(method, name))]
    assert book.answers(1, result(7, {"n": 1})) == [SendToHost(result(7, {"n": 1}))]
    assert not book.exchanges
    assert not book.timers


def test_a_name_that_fits_no_header_is_encoded() -> None:
    book = ModernPlaybook()
    assert book.post(called(1, "Zoë")).headers[-1] == (
        b"mcp-name",
        b"=?base64?" + base64.b64encode("Zoë".encode()) + b"?=",
    )


def test_a_request_without_a_version_is_sent_in_the_newest() -> None:
    book = ModernPlaybook()
    assert book.post(request(1, "server/discover")).headers == headers_for("server/discover")


@pytest.mark.parametrize(
    "line",
    [
        asked(1, "tools/list", version="2026\n07"),
        asked(1, "tools/li\nst"),
        request(1, ""),
        asked(1, "tools/löst"),
    ],
    ids=["version with a newline", "method with a newline", "no method", "method beyond ascii"],
)
def test_what_fits_no_header_is_refused_and_not_sent(line: bytes) -> None:
    book = ModernPlaybook()
    commands = book.host(line)
    assert book.posts(commands) == []
    (answer,) = book.told_all(commands)
    assert (answer["id"], answer["error"]["code"]) == (1, -32600)


@pytest.mark.parametrize("id_", [0, -1, "0", "", "a", 1.5], ids=repr)
def test_any_id_is_answered_as_the_host_wrote_it(id_: object) -> None:
    book = ModernPlaybook()
    post = book.post(asked(id_))
    assert book.answers(post.exchange, result(id_)) == [SendToHost(result(id_))]


def test_a_marked_argument_is_a_header_once_the_tools_were_listed() -> None:
    book = ModernPlaybook()
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    book.answers(book.post(asked(1)).exchange, result(1, {"tools": [{"name": "pay", "inputSchema": schema}]}))
    post = book.post(called(2, "pay", region="eu"))
    assert post.headers == (*headers_for("tools/call", "pay"), (b"mcp-param-region", b"eu"))
    assert book.post(called(3, "other", region="eu")).headers == headers_for("tools/call", "other")


def test_tools_that_break_a_rule_are_left_out_with_a_warning() -> None:
    book = ModernPlaybook()
    good = {"name": "good", "inputSchema": {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}}
    bad = {"name": "bad", "inputSchema": {"properties": {"a": {"type": "string", "x-mcp-header": "a b"}}}}
    post = book.post(asked("x"))
    commands = book.answers(post.exchange, result("x", {"tools": [bad, good], "nextCursor": "2"}))
    assert commands == [SendToHost(result("x", {"tools": [good], "nextCursor": "2"}))]
    (warning,) = book.warnings()
    assert '"bad"' in warning
    assert "tools/list" in warning


def test_a_list_without_marks_is_passed_on_byte_for_byte() -> None:
    book = ModernPlaybook()
    line = b'{"jsonrpc":"2.0", "id":1, "result":{"tools":[ {"name":"a", "n":1e400} ]}}'
    assert book.answers(book.post(asked(1)).exchange, line) == [SendToHost(line)]


@pytest.mark.parametrize("method", ["notifications/vendor/x", "notifications/initialized"])
def test_a_notification_is_posted_with_its_headers(method: str) -> None:
    book = ModernPlaybook()
    line = notification(method, {"a": 1})
    (post,) = book.host(line)
    assert post == Post(1, line, headers_for(method), urgent=True)
    assert book.answers(1, b"", status=202) == []
    assert not book.exchanges


def test_a_notification_that_fits_no_header_is_dropped() -> None:
    assert ModernPlaybook().host(notification("notifications/\n")) == []


def test_an_answer_of_the_hosts_goes_nowhere() -> None:
    assert ModernPlaybook().host(result(1)) == []


# -- what comes back


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_an_error_that_answers_is_passed_on_whatever_its_status(status: int) -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, "vendor/thing"))
    line = error(1, "Method not found", -32601)
    assert book.answers(post.exchange, line, status=status) == [SendToHost(line)]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_answer_is_an_error_at_once_for_there_is_no_other_stream(status: int) -> None:
    book = ModernPlaybook()
    (said,) = book.told(book.answers(book.post(called(1)).exchange, status=status))
    assert (fault(said)["id"], fault(said)["kind"], fault(said)["status"]) == (1, "no-answer", status)
    assert "without an answer in its body" in fault(said)["message"]
    assert not book.timers


def test_what_comes_on_the_stream_is_passed_on() -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    assert book.starts(post.exchange) == []
    assert book.sends(post.exchange, PROGRESS) == [SendToHost(PROGRESS)]
    assert book.sends(post.exchange, result(1)) == [SendToHost(result(1)), DrainStream(post.exchange)]
    assert book.closes(post.exchange) == []


@pytest.mark.parametrize("streams", [True, False])
def test_a_request_of_the_servers_is_dropped_with_a_warning(streams: bool) -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    asks = request(1, "sampling/createMessage", {})
    if streams:
        book.starts(post.exchange)
        assert book.sends(post.exchange, asks) == []
        book.sends(post.exchange, result(1))
    else:
        assert book.answers(post.exchange, b"[" + asks + b"," + result(1) + b"]") == [SendToHost(result(1))]
    (warning,) = book.warnings()
    assert "sampling/createMessage" in warning


def test_a_session_id_means_nothing() -> None:
    book = ModernPlaybook()
    book.answers(book.post(asked(1)).exchange, result(1), session_id=b"sid")
    assert book.post(asked(2)).headers == headers_for("tools/list")


@pytest.mark.parametrize("status", [404, 400])
def test_a_refusal_without_an_answer_is_told_and_nothing_is_opened_again(status: int) -> None:
    book = ModernPlaybook()
    (answer,) = book.told(book.answers(book.post(asked(1)).exchange, error(None, "no session"), status=status))
    assert (fault(answer)["id"], fault(answer)["kind"], fault(answer)["status"]) == (1, "http-status", status)
    assert not book.exchanges
    assert not book.timers


# -- the host


@pytest.mark.parametrize("streams", [True, False])
def test_a_request_that_the_host_cancels_is_abandoned_and_not_answered(streams: bool) -> None:
    book = ModernPlaybook()
    post = book.post(called(0))
    if streams:
        book.starts(post.exchange)
    assert book.host(cancelled(0)) == [DrainStream(post.exchange), Abandon(post.exchange)]
    assert not book.exchanges
    assert book.host(cancelled(0)) == []
    book.post(called(0))


def test_a_request_cancelled_in_a_pause_is_not_sent_again() -> None:
    book = ModernPlaybook()
    book.fails(book.post(asked(1)).exchange, Cause.LOST)
    assert book.host(cancelled(1)) == [CancelTimer(("call", 1))]
    assert not book.timers


@pytest.mark.parametrize("id_", [None, {}, [1], True, 2, "1"], ids=repr)
def test_to_cancel_what_is_not_there_does_nothing(id_: object) -> None:
    book = ModernPlaybook()
    book.post(called(1))
    assert book.host(cancelled(id_)) == []
    assert len(book.exchanges) == 1


def test_an_id_in_use_is_refused() -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    for line in (called(1), listening_to(1)):
        (answer,) = book.told_all(book.host(line))
        assert (answer["id"], answer["error"]["code"]) == (1, -32600)
        assert answer["error"]["data"]["kind"] == "duplicate-id"
    assert book.answers(post.exchange, result(1)) == [SendToHost(result(1))]


def test_the_id_of_a_subscription_is_in_use() -> None:
    book = ModernPlaybook()
    book.subscribed(1)
    (answer,) = book.told_all(book.host(called(1)))
    assert answer["error"]["code"] == -32600


def test_numbers_and_texts_are_different_ids() -> None:
    book = ModernPlaybook()
    assert book.post(called(1)).exchange != book.post(called("1")).exchange


def test_only_so_many_requests_wait_at_a_time() -> None:
    book = ModernPlaybook()
    for number in range(4096):
        book.host(called(number))
    (answer,) = book.host(called(4096))
    assert (fault(answer)["id"], fault(answer)["kind"]) == (4096, "too-many")
    book.answers(1, result(0))
    book.post(called(4096))


# -- time


def test_a_deadline_ends_a_call() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    post = book.post(called(3))
    (told, *rest) = book.fires("deadline", 1)
    assert (fault(told)["id"], fault(told)["kind"]) == (3, "timeout")
    assert Abandon(post.exchange) in rest
    assert book.posts(rest) == [], "closing the stream is what cancels"
    assert not book.timers
    assert not book.exchanges


def test_progress_moves_the_deadline() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    line = called(3).replace(b'"_meta":{', b'"_meta":{"progressToken":"t",')
    other, post = book.post(called(2)), book.post(line)
    book.starts(other.exchange)
    assert SetTimer(("deadline", 2), 20.0, 0.0) in book.sends(other.exchange, PROGRESS)
    assert post.exchange in book.exchanges


def test_nothing_is_late_while_a_person_signs_in() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    post = book.post(called(3))
    assert book.signing_in(True) == []
    for _ in range(5):
        assert book.told(book.fires("deadline", 1)) == []
    assert book.signing_in(False) == []
    assert book.answers(post.exchange, result(3))[0] == CancelTimer(("deadline", 1))


def test_without_a_token_the_host_is_told_why() -> None:
    book = ModernPlaybook()
    (answer,) = book.fails(book.post(called(1)).exchange, Cause.UNAUTHORIZED, message="Nobody signed in.")
    assert (fault(answer)["kind"], fault(answer)["message"]) == ("unauthorized", "Nobody signed in.")


def test_after_a_sleep_no_connection_is_trusted() -> None:
    book = ModernPlaybook()
    book.post(called(1))
    assert book.wakes() == [DropConnections()]


def test_at_the_end_every_request_is_answered_and_nothing_goes_on() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    book.post(called(1))
    book.subscribed(2)
    book.fails(book.post(asked(3)).exchange, Cause.LOST, message="Reset.")
    book.host(notification("notifications/vendor"))
    told = [fault(command) for command in book.told(book.host_closes())]
    assert {(one["id"], one["kind"]) for one in told} == {(1, "shutdown"), (2, "shutdown"), (3, "shutdown")}
    assert not book.exchanges
    assert not book.timers
    assert book.host(called(4)) == []
    assert book.host_closes() == []


def test_it_is_busy_while_a_request_waits() -> None:
    book = ModernPlaybook()
    seen = [book.session.busy]
    post = book.post(called(1))
    seen.append(book.session.busy)
    book.answers(post.exchange, result(1))
    assert [*seen, book.session.busy] == [False, True, False]


@pytest.mark.parametrize(
    "error_object",
    [b"null", b"5", b'"no"', b"[]", b'{"code":1e400}', b'{"code":"-32020"}', b'{"code":-32022,"data":7}', b"{}"],
    ids=["null", "number", "text", "array", "huge code", "text code", "no data", "empty"],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_odd_error_does_no_harm(error_object: bytes, status: int) -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    line = b'{"jsonrpc":"2.0","id":1,"error":%b}' % error_object
    (answer,) = book.told_all(book.answers(post.exchange, line, status=status))
    assert answer["id"] == 1


def test_a_mismatch_that_is_no_tools_call_goes_to_the_host() -> None:
    book = ModernPlaybook()
    line = refusal(1, HEADER_MISMATCH)
    assert book.answers(book.post(asked(1)).exchange, line, status=400) == [SendToHost(line)]
