"""A modern host's calls on a legacy server: sent, answered, cancelled, rerouted."""

from __future__ import annotations

import msgspec
import pytest

from tests.translate.downgrade_book import ABLE, LOG_LEVEL, SAID, SERVER, SERVER_INFO, Book, fault, modern_meta

# -- up and down


def test_a_call_is_sent_without_what_only_modern_servers_read_and_otherwise_byte_for_byte() -> None:
    book = Book(is_strict=False).opened()
    meta = modern_meta(ABLE, traceparent="00-1", progressToken="p")
    arguments = b'{ "big" : 1e400, "a":1, "a":2, "long": 12345678901234567890123 }'
    book.host_line(
        b'{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"pay","arguments":%b,"inputResponses":{},'
        b'"task":{},"_meta":%b}}' % (arguments, msgspec.json.encode(meta))
    )
    assert book.sent[-1] == (
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay","arguments":%b,'
        b'"_meta":{"traceparent":"00-1","progressToken":"p"}}}' % arguments
    )


def test_the_answer_comes_down_with_the_hosts_id_and_what_modern_results_need() -> None:
    book = Book().opened()
    upper = book.calls("0")
    assert book.downgrade.awaits("0")
    down, up = book.answers(upper, SAID)
    assert up == []
    assert down == [
        {"jsonrpc": "2.0", "id": "0", "result": {**SAID, "resultType": "complete", "_meta": {SERVER: SERVER_INFO}}}
    ]
    assert not book.downgrade.awaits("0")


def test_an_answer_counts_once() -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    assert len(book.answers(upper, SAID)[0]) == 1
    assert book.answers(upper, SAID) == ([], [])


@pytest.mark.parametrize(("sent", "told"), [(-32002, -32602), (-32602, -32602), (-1, -1), (-32000, -32000)])
def test_errors_keep_their_code_but_the_one_that_changed(sent: int, told: int) -> None:
    book = Book().opened()
    _, (asked,) = book.host(5, "resources/read", {"uri": "a://b"})
    down, _ = book.fails(asked["id"], sent, "gone", data={"uri": "a://b"})
    error = fault(down, 5, told)
    assert error["message"] == "gone"
    assert error["data"] == {"uri": "a://b"}


def test_an_id_in_use_is_refused_and_the_first_request_goes_on() -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    fault(book.host(1, "tools/list")[0], 1, -32600, "duplicate-id")
    assert book.answers(upper, SAID)[0][0]["result"]["content"] == SAID["content"]


def test_there_is_a_limit_to_what_can_be_unanswered() -> None:
    book = Book(is_strict=False).opened()
    for number in range(4096):
        book.calls(number)
    down, up = book.host(5000, "tools/list")
    fault(down, 5000, -32000, "too-many")
    assert up == []


def test_text_that_was_cut_within_a_character_does_not_hide_the_call() -> None:
    book = Book(is_strict=False).opened()
    _, (asked,) = book.host_line(
        rb'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"a":"x\ud83d"},"_meta":%b}}'
        % msgspec.json.encode(modern_meta())
    )
    assert asked["params"] == {"name": "pay", "arguments": {"a": "x\ufffd"}}


# -- cancelling


def test_a_cancelled_call_is_cancelled_upwards_and_not_answered() -> None:
    book = Book().opened()
    upper = book.calls("a")
    down, up = book.cancels("a", reason="too slow")
    assert down == []
    assert up == [
        {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": upper, "reason": "too slow"},
        }
    ]
    assert not book.downgrade.awaits("a")
    assert book.answers(upper, SAID) == ([], [])


@pytest.mark.parametrize("id_", ["b", 1, None, {}, 1.5])
def test_cancelling_what_is_not_running_does_nothing(id_: object) -> None:
    book = Book(is_strict=False).opened()
    book.calls("a")
    assert book.cancels(id_) == ([], [])


# -- taken back


def test_a_reason_that_is_no_text_is_not_passed_on() -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    _, (note,) = book.cancels(1, reason={"why": 5})
    assert note["params"] == {"requestId": upper}


def test_what_waited_for_the_session_is_given_back_where_initialize_is() -> None:
    book = Book()
    book.host(1, "tools/list")
    book.host("1", "server/discover")
    assert [request.id for request in book.downgrade.reroute(1)] == [1, "1"]
    assert not book.downgrade.awaits(1)
    assert not book.downgrade.is_waiting
    assert book.taken() == ([], [])
    _, (asked,) = book.host(1, "tools/list")
    assert asked["method"] == "initialize"


def test_a_call_is_given_back() -> None:
    book = Book().opened()
    upper = book.calls(1)
    assert [request.id for request in book.downgrade.reroute(upper)] == [1]
    assert book.downgrade.reroute(upper) == []
    assert not book.downgrade.awaits(1)
    assert book.answers(upper, SAID) == ([], [])


def test_calls_are_given_back_with_the_level_they_waited_for() -> None:
    book = Book().opened()
    _, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    book.host(2, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "debug"})
    assert [request.id for request in book.downgrade.reroute(asked["id"])] == [1, 2]
    assert book.taken() == ([], [])
    assert book.downgrade.reroute("nothing") == []
