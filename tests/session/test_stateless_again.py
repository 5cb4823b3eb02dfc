"""A modern host's requests that are sent again: what may be, with which id, and in which version."""

import msgspec
import pytest

from bridge.session.commands import DrainStream, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    META_VERSION,
    MODERN_VERSION,
    UNSUPPORTED_VERSION,
    ModernPlaybook,
    asked,
    body,
    called,
    headers_for,
    refusal,
)
from tests.session.playbook import error, fault, notification, result

READ_ONLY = {"tools": [{"name": "read", "inputSchema": {}, "annotations": {"readOnlyHint": True}}]}
PROGRESS = notification("notifications/progress", {"progressToken": "t", "progress": 1})


# -- sent again


def test_a_request_that_is_sent_again_has_a_new_id_and_the_host_gets_its_own() -> None:
    book = ModernPlaybook()
    post, seen = book.post(asked(0)), {0}
    for pause in (0.1, 0.2, 0.4):
        assert book.fails(post.exchange, Cause.LOST) == [SetTimer(book.waits_for("call"), pause, 0.5)]
        (post,) = book.posts(book.fires(*book.waits_for("call")))
        sent = body(post)
        assert sent["id"] not in seen
        seen.add(sent["id"])
        assert {**sent, "id": 0} == msgspec.json.decode(asked(0))
        assert post.headers == headers_for("tools/list")
    assert book.answers(post.exchange, result(sent["id"], {"a": [1, 2]})) == [SendToHost(result(0, {"a": [1, 2]}))]


@pytest.mark.parametrize("id_", [0, "", "a\n", 1.5, -7], ids=repr)
@pytest.mark.parametrize("streams", [True, False])
def test_the_answer_to_the_second_sending_bears_the_hosts_id(id_: object, streams: bool) -> None:
    book = ModernPlaybook()
    post = book.post(asked(id_))
    book.fails(post.exchange, Cause.LOST, sent=False)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    sent = body(post)["id"]
    if streams:
        book.starts(post.exchange)
        assert book.sends(post.exchange, error(sent, "No.")) == [
            SendToHost(error(id_, "No.")),
            DrainStream(post.exchange),
        ]
    else:
        assert book.answers(post.exchange, error(sent, "No."), status=500) == [SendToHost(error(id_, "No."))]


def test_progress_comes_through_however_often_the_request_is_sent() -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, "resources/read", uri="a:1"))
    for _ in range(2):
        book.starts(post.exchange)
        assert book.sends(post.exchange, PROGRESS) == [SendToHost(PROGRESS)]
        book.closes(post.exchange)
        (post,) = book.posts(book.fires(*book.waits_for("call")))


@pytest.mark.parametrize("line", [called(1), asked(1, "vendor/thing")], ids=["tool", "vendor"])
@pytest.mark.parametrize("streams", [True, False])
def test_what_may_do_harm_is_not_sent_again(line: bytes, streams: bool) -> None:
    book = ModernPlaybook()
    post = book.post(line)
    if streams:
        book.starts(post.exchange)
        (answer,) = book.closes(post.exchange, "Reset by peer.")
    else:
        (answer,) = book.fails(post.exchange, Cause.LOST, message="Reset by peer.")
    assert fault(answer)["kind"] == "outcome-unknown"
    assert "(Reset by peer)" in fault(answer)["message"]
    assert not book.timers


def test_what_never_left_is_sent_again_whatever_it_is() -> None:
    book = ModernPlaybook()
    book.fails(book.post(called(1)).exchange, Cause.UNREACHABLE, sent=False)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    assert body(post)["params"]["name"] == "pay"


def test_a_tool_that_says_so_is_called_again() -> None:
    book = ModernPlaybook()
    book.answers(book.post(asked(1)).exchange, result(1, READ_ONLY))
    book.fails(book.post(called(2, "read")).exchange, Cause.LOST)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    assert post.headers == headers_for("tools/call", "read")


def test_nothing_is_resumed_though_events_bear_ids() -> None:
    book = ModernPlaybook()
    post = book.post(asked(1))
    book.starts(post.exchange)
    assert book.sends(post.exchange, PROGRESS, id_=b"5", retry=9000) == [SendToHost(PROGRESS)]
    assert book.sends(post.exchange, PROGRESS, id_=b"5") == [SendToHost(PROGRESS)], "an id means nothing"
    (timer,) = book.closes(post.exchange)
    assert timer == SetTimer(book.waits_for("call"), 0.1, 0.5)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    assert post.headers == headers_for("tools/list")


def test_a_server_that_always_cuts_is_given_up() -> None:
    book = ModernPlaybook(retry_window=1000)
    post = book.post(asked(1))
    for _ in range(6):
        book.fails(post.exchange, Cause.LOST)
        (post,) = book.posts(book.fires(*book.waits_for("call")))
    (answer,) = book.fails(post.exchange, Cause.LOST)
    assert (fault(answer)["id"], fault(answer)["kind"]) == (1, "no-answer")


def test_a_server_that_asks_for_time_gets_it() -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    (timer,) = book.answers(post.exchange, b"", status=429, retry_after=7)
    assert timer == SetTimer(book.waits_for("call"), 7, 0.0)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    assert body(post)["id"] != 1
    assert book.answers(post.exchange, result(body(post)["id"])) == [SendToHost(result(1))]


def test_a_server_that_asks_for_time_again_and_again_is_given_up() -> None:
    book = ModernPlaybook(retry_window=10)
    post = book.post(called(1))
    for _ in range(2):
        book.answers(post.exchange, b"", status=503, retry_after=8)
        (post,) = book.posts(book.fires(*book.waits_for("call")))
    (answer,) = book.answers(post.exchange, b"", status=503, retry_after=8)
    assert fault(answer)["status"] == 503


# -- another version


def test_a_version_in_common_is_used_from_then_on() -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, version="2027-01-01"))
    assert post.headers == headers_for("tools/list", version="2027-01-01")
    names = refusal(1, UNSUPPORTED_VERSION, supported=["2030-01-01", MODERN_VERSION], requested="2027-01-01")
    (post,) = book.posts(book.answers(post.exchange, names, status=400))
    sent = body(post)
    assert sent["params"]["_meta"][META_VERSION] == MODERN_VERSION
    assert post.headers == headers_for("tools/list")
    assert book.answers(post.exchange, result(sent["id"])) == [SendToHost(result(1))]
    post = book.post(called(2, version="2027-01-01"))
    assert post.headers == headers_for("tools/call", "pay", MODERN_VERSION)


def test_a_request_in_the_version_in_common_is_restamped_and_keeps_all_else() -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, version="2027-01-01"))
    (post,) = book.posts(book.answers(post.exchange, refusal(1, UNSUPPORTED_VERSION, supported=[MODERN_VERSION])))
    line = asked(2, "tools/call", "2027-01-01", name="pay", arguments={"big": [1]}).replace(b"[1]", b"[1e400, 1.0]")
    post = book.post(line)
    assert b"[1e400, 1.0]" in post.body
    assert b'"id":2' in post.body
    assert post.headers == headers_for("tools/call", "pay")


@pytest.mark.parametrize(
    "supported", [["2030-01-01"], [], "2026-07-28", [5], None], ids=["unknown", "none", "text", "number", "null"]
)
def test_without_a_version_in_common_the_host_is_told(supported: object) -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, version="2027-01-01"))
    line = refusal(1, UNSUPPORTED_VERSION, supported=supported)
    assert book.answers(post.exchange, line, status=400) == [SendToHost(line)]


def test_a_server_that_refuses_the_version_it_names_is_asked_once_more_only() -> None:
    book = ModernPlaybook()
    post = book.post(asked(1, version="2027-01-01"))
    names = [MODERN_VERSION]
    (post,) = book.posts(book.answers(post.exchange, refusal(1, UNSUPPORTED_VERSION, supported=names), status=400))
    sent = body(post)["id"]
    commands = book.answers(post.exchange, refusal(sent, UNSUPPORTED_VERSION, supported=names), status=400)
    assert commands == [SendToHost(refusal(1, UNSUPPORTED_VERSION, supported=names))]
