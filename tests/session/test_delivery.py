"""What comes down: the server's bytes as they are, and one answer for each request, whatever its id."""

import pytest

from bridge.session.commands import DrainStream, Post, SendToHost
from tests.session.playbook import (
    Playbook,
    error,
    fault,
    notification,
    request,
    result,
    session_headers,
    tool_call,
)

IDS: list[bytes] = [b"0", b'""', b"-1", b"1.5", b'"0"', b"9007199254740993", b'"\\u00e9"', b"1E400"]


def ping(raw_id: bytes) -> bytes:
    return b'{"id":%b, "jsonrpc":"2.0","method":"ping","params":{"n":1e400,"n":1.0}}' % raw_id


def pong(raw_id: bytes) -> bytes:
    return b'{"result":{"x":1E400, "y":"\\u00e9\\/"},"jsonrpc":"2.0","id":%b}' % raw_id


@pytest.mark.parametrize("raw_id", IDS)
def test_every_id_up_and_its_answer_down_byte_for_byte(raw_id: bytes) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(ping(raw_id)))
    assert post.body == ping(raw_id)
    assert book.answers(post.exchange, pong(raw_id)) == [SendToHost(pong(raw_id))]
    assert not book.session.busy


@pytest.mark.parametrize("raw_id", IDS)
def test_every_id_down_and_its_answer_up_byte_for_byte(raw_id: bytes) -> None:
    book = Playbook()
    stream = book.listening()
    assert book.sends(stream, ping(raw_id)) == [SendToHost(ping(raw_id))]
    assert book.host(pong(raw_id)) == [Post(stream + 1, pong(raw_id), session_headers(), None, urgent=True)]


def test_the_same_id_both_ways_at_once() -> None:
    book = Playbook()
    stream = book.listening()
    (post,) = book.posts(book.host(request(1, "tools/list")))
    assert book.sends(stream, request(1, "roots/list")) == [SendToHost(request(1, "roots/list"))]
    (answer,) = book.posts(book.host(result(1, {"roots": []})))
    assert answer.body == result(1, {"roots": []})
    assert book.session.busy
    assert book.answers(post.exchange, result(1, {"tools": []})) == [SendToHost(result(1, {"tools": []}))]


def test_ids_of_different_types_are_different_ids() -> None:
    book = Playbook().opened()
    (one,) = book.posts(book.host(request(1)))
    (other,) = book.posts(book.host(request("1")))
    assert book.answers(other.exchange, result("1")) == [SendToHost(result("1"))]
    assert book.answers(one.exchange, result(1)) == [SendToHost(result(1))]


def test_an_id_in_use_is_refused_and_the_first_request_lives_on() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(5)))
    (refusal,) = book.host(tool_call(5))
    assert isinstance(refusal, SendToHost)
    assert b'"id":5,"error":{"code":-32600' in refusal.line
    assert b'"kind":"duplicate-id"' in refusal.line
    assert book.answers(post.exchange, result(5)) == [SendToHost(result(5))]
    assert len(book.posts(book.host(tool_call(5)))) == 1, "an answered id may come again"


def test_a_second_answer_is_dropped_and_noted() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.starts(post.exchange)
    assert book.sends(post.exchange, result(5)) == [SendToHost(result(5)), DrainStream(post.exchange)]
    assert book.sends(post.exchange, result(5)) == []
    assert "matches no open request" in book.reports[-1].text
    assert book.closes(post.exchange) == []


def test_an_answer_that_comes_on_another_stream_counts() -> None:
    book = Playbook()
    stream = book.listening()
    (post,) = book.posts(book.host(request(5)))
    assert book.sends(stream, result(5)) == [SendToHost(result(5)), DrainStream(post.exchange)]
    assert book.answers(post.exchange, result(5)) == []


def test_what_the_server_tells_before_the_answer_comes_first() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.starts(post.exchange)
    log = notification("notifications/message", {"level": "info", "data": 1e300})
    assert book.sends(post.exchange, log) == [SendToHost(log)]
    assert book.sends(post.exchange, request(0, "sampling/createMessage")) == [
        SendToHost(request(0, "sampling/createMessage"))
    ]
    assert book.sends(post.exchange, error(5, "no")) == [SendToHost(error(5, "no")), DrainStream(post.exchange)]


def test_pretty_printed_json_becomes_one_line() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    pretty = b'\xef\xbb\xbf{\r\n "jsonrpc": "2.0",\n "id": 5, "result": {}\n}\n'
    assert book.answers(post.exchange, pretty) == [SendToHost(b'{   "jsonrpc": "2.0",  "id": 5, "result": {} }')]


def test_an_array_comes_down_as_single_lines() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    note = notification("notifications/message")
    array = b"[" + note + b",\n" + result(5) + b"]"
    assert book.answers(post.exchange, array) == [SendToHost(note), SendToHost(result(5))]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (result(6), "wrong-answer"),
        (result("5"), "wrong-answer"),
        (error(None, "bad request"), "wrong-answer"),
        (notification("notifications/message"), "wrong-answer"),
        (request(5, "roots/list"), "wrong-answer"),
        (b"[]", "wrong-answer"),
        (b"{}", "wrong-answer"),
        (b'{"jsonrpc":"2.0","id":5}', "wrong-answer"),
        (b'{"jsonrpc":"2.0","id":5,"result":{', "not-json"),
        (b"", "no-answer"),
        (b"hello", "not-json"),
    ],
)
def test_a_body_without_the_answer(body: bytes, kind: str) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(5)))
    said = fault(book.answers(post.exchange, body)[-1])
    assert (said["id"], said["kind"], said["code"]) == (5, kind, -32000)
    assert not book.session.busy


@pytest.mark.parametrize("theirs", ["9" * 4000, "9" * 9000, f'"{"y" * 4000}"'], ids=["number", "no-int", "text"])
def test_an_endless_id_of_another_request_is_told_short(theirs: str) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(5)))
    body = f'{{"jsonrpc":"2.0","id":{theirs},"result":{{}}}}'.encode()
    message = fault(book.answers(post.exchange, body)[-1])["message"]
    assert "with another request's id" in message
    assert len(message) < 300


@pytest.mark.parametrize("bad", [b"\xff", b"caf\xe9 ", b"\xc3(", b"\xed\xa0\x80", b"x" * 70_000 + b"\xe9 "])
def test_an_answer_that_is_not_utf8_is_not_told_as_cut_off(bad: bytes) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(5)))
    body = b'{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"%b"}]}}' % bad
    said = fault(book.answers(post.exchange, body)[-1])
    assert said["kind"] == "not-json"
    place = body.index(bad.lstrip(b"cafx")) + 1
    assert f"answered with JSON that is not UTF-8 (byte {place} of {len(body)} is invalid)" in said["message"]
    assert "cut off" not in said["message"]


@pytest.mark.parametrize(
    "body", [b'{"jsonrpc":"2.0","id":5,"result":{"text":"caf\xc3', b'{"jsonrpc":"2.0","id":5,"res']
)
def test_an_answer_that_ends_within_a_character_is_cut_off(body: bytes) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(tool_call(5)))
    assert "cut off or broken" in fault(book.answers(post.exchange, body)[-1])["message"]


def test_an_answer_for_another_is_not_taken_for_this_one() -> None:
    book = Playbook().opened()
    (first,) = book.posts(book.host(request(1)))
    (second,) = book.posts(book.host(request(2)))
    said = fault(book.answers(first.exchange, result(2))[0])
    assert (said["id"], said["kind"]) == (1, "wrong-answer")
    assert "(2 instead of 1)" in said["message"]
    assert book.answers(second.exchange, result(2)) == [SendToHost(result(2))]


@pytest.mark.parametrize("data", [b"{", b"hello", b"5", b'{"jsonrpc":"2.0"}', b"[1]"])
def test_an_event_that_is_no_message_is_dropped_and_the_stream_goes_on(data: bytes) -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    book.starts(post.exchange)
    assert book.sends(post.exchange, data) == []
    assert book.reports[-1].level == "warning"
    assert book.sends(post.exchange, result(5)) == [SendToHost(result(5)), DrainStream(post.exchange)]


def test_an_error_of_the_servers_passes_whatever_the_status() -> None:
    book = Playbook().opened()
    (post,) = book.posts(book.host(request(5)))
    refusal = error(5, "Method not found", -32601)
    assert book.answers(post.exchange, refusal, status=400) == [SendToHost(refusal)]


def test_a_host_answer_that_nobody_asked_for_still_goes_up() -> None:
    book = Playbook().opened()
    assert [post.body for post in book.posts(book.host(result(99)))] == [result(99)]
    assert [post.body for post in book.posts(book.host(error(None, "what?")))] == [error(None, "what?")]
