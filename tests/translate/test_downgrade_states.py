"""For how long, and for which request, a `requestState` is valid; URLs that must be opened first."""

from __future__ import annotations

import pytest

from tests.translate.downgrade_book import ACCEPTED, FORM, SAID, Book, Json, fault, put

GAVE_UP = {"action": "cancel"}
ROOTS = {"roots": [{"uri": "file:///a"}]}
URL = {"url": "https://example.com/pay", "message": "Open this."}
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "hello"}, "model": "m"}


def asked(book: Book, upper: int | None, id_: object = "q", host_id: object = 1) -> tuple[str, str]:
    """The server elicits during the host's request; returns the state and the key."""
    down, up = book.asks(id_, "elicitation/create", FORM, upper)
    assert up == []
    state, inputs = put(down, host_id)
    ((key, entry),) = inputs.items()
    assert entry == {"method": "elicitation/create", "params": FORM}
    return state, key


# -- states


def test_a_state_is_good_for_one_retry_of_the_same_request() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    encoded = b'"%b"' % state.encode()
    assert book.downgrade.owns(encoded)
    fault(book.retries(2, state, {key: ACCEPTED}, "other")[0], 2, -32602, "foreign-state")
    down, up = book.host(3, "prompts/get", {"name": "pay", "requestState": state, "inputResponses": {key: ACCEPTED}})
    fault(down, 3, -32602, "foreign-state")
    assert up == []
    assert book.retries(4, state, {key: ACCEPTED})[1]
    assert not book.downgrade.owns(encoded)
    down, up = book.retries(5, state, {key: ACCEPTED})
    assert "again" in fault(down, 5, -32602, "unknown-state")["message"]
    assert up == []
    assert book.answers(upper, SAID)[0][0]["id"] == 4


@pytest.mark.parametrize("state", [b'"made up"', b"null", b"1", b"", b'"', b"{}", rb'"\ud83d"'])
def test_an_invented_state_belongs_to_no_round(state: bytes) -> None:
    book = Book().opened()
    asked(book, book.calls(1))
    assert not book.downgrade.owns(state)
    fault(book.retries(2, "made up", {})[0], 2, -32602, "unknown-state")


@pytest.mark.parametrize("state", [5, None, {}, ["fresh-1"]], ids=["number", "null", "object", "array"])
def test_a_state_that_is_no_string_does_not_run_the_tool_again(state: object) -> None:
    book = Book(is_strict=False).opened()
    book.asks(5, "elicitation/create", FORM, book.calls(1))
    params = {"name": "pay", "requestState": state, "inputResponses": {"input-1": ACCEPTED}}
    down, up = book.host(2, "tools/call", params)
    fault(down, 2, -32602, "invalid-request")
    assert up == []


def test_a_state_that_the_host_does_not_send_back_expires() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    book.asks("r", "roots/list", None, upper)
    assert len(book.timers) == 1
    down, up = book.fires("round")
    assert down == []
    assert up[0] == {"jsonrpc": "2.0", "id": "q", "result": GAVE_UP}
    assert (up[1]["id"], up[1]["error"]["code"]) == ("r", -32000)
    fault(book.retries(2, state, {key: ACCEPTED})[0], 2, -32602, "unknown-state")
    assert book.answers(upper, SAID) == ([], [])


def test_what_was_withdrawn_is_not_answered_when_it_is_too_old_either() -> None:
    book = Book().opened()
    asked(book, book.calls(1))
    book.tells("notifications/cancelled", {"requestId": "q"})
    assert len(book.timers) == 1
    assert book.fires("round") == ([], [])


def test_the_oldest_state_makes_room_for_the_1001st() -> None:
    book = Book().opened()
    states = [asked(book, book.calls(number), number, number) for number in range(1, 1001)]
    upper = book.calls(1001)
    down, (answer,) = book.asks(1001, "elicitation/create", FORM, upper)
    put(down, 1001)
    assert answer == {"jsonrpc": "2.0", "id": 1, "result": GAVE_UP}
    assert len(book.timers) == 1000
    fault(book.retries(2001, states[0][0], {})[0], 2001, -32602)
    assert book.retries(2002, states[1][0], {states[1][1]: ACCEPTED})[1][0]["id"] == 2


def test_the_timer_of_a_round_stops_with_it() -> None:
    book = Book().opened()
    state, key = asked(book, book.calls(1))
    book.retries(2, state, {key: ACCEPTED})
    assert book.timers == {}


# -- pages to be opened first


def refused(book: Book, upper: int) -> tuple[list[Json], list[Json]]:
    wanted = [{"mode": "url", "elicitationId": "e", **URL}]
    return book.fails(upper, -32042, "open it first", data={"elicitations": wanted})


def test_a_page_to_be_opened_first_is_asked_for_and_the_retry_is_a_new_call() -> None:
    book = Book().opened()
    upper = book.calls(1)
    down, up = refused(book, upper)
    state, inputs = put(down, 1)
    ((key, entry),) = inputs.items()
    assert up == []
    assert entry == {"method": "elicitation/create", "params": {"mode": "url", **URL}}
    down, (call,) = book.retries(2, state, {key: {"action": "accept"}})
    assert down == []
    assert call["id"] != upper
    assert call["params"] == {"name": "pay", "arguments": {"sum": 3}}
    assert book.answers(call["id"], SAID)[0][0]["id"] == 2


def test_a_page_that_was_declined_ends_the_call() -> None:
    book = Book().opened()
    down, _ = refused(book, book.calls(1))
    state, inputs = put(down, 1)
    down, up = book.retries(2, state, {key: {"action": "decline"} for key in inputs})
    fault(down, 2, -32000, "declined")
    assert up == []


def test_a_page_that_nothing_is_said_of_is_asked_for_again() -> None:
    book = Book().opened()
    down, _ = refused(book, book.calls(1))
    state, inputs = put(down, 1)
    down, up = book.retries(2, state, {})
    state, again = put(down, 2)
    assert again == inputs
    assert up == []
    _, (call,) = book.retries(3, state, {key: {"action": "accept"} for key in inputs})
    assert call["method"] == "tools/call"


def test_a_host_that_cannot_open_pages_is_told_what_is_missing() -> None:
    book = Book({"elicitation": {}}).opened()
    down, _ = refused(book, book.calls(1))
    assert fault(down, 1, -32021, "not-declared")["data"]["requiredCapabilities"] == {"elicitation": {"url": {}}}


@pytest.mark.parametrize(
    "data", [None, {}, {"elicitations": []}, {"elicitations": [3]}, {"elicitations": [{"url": 1}]}]
)
def test_an_error_that_names_no_page_gets_a_code_that_hosts_may_see(data: object) -> None:
    book = Book(is_strict=False).opened()
    down, _ = book.fails(book.calls(1), -32042, "open it", data=data)
    assert fault(down, 1, -32603)["message"] == "open it"


def test_an_old_round_of_pages_tells_the_server_nothing() -> None:
    book = Book().opened()
    refused(book, book.calls(1))
    assert len(book.timers) == 1
    assert book.fires("round") == ([], [])
