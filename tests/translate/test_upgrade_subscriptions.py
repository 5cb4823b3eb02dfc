"""A legacy host's subscriptions as one stream of a modern server (MCP 2026-07-28, Subscriptions)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.upgrade_book import META_SUBSCRIPTION, META_VERSION, Book, Sent, line

LISTS = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
SUBSCRIBABLE: dict[str, Any] = {"resources": {"subscribe": True}}


def acknowledged(book: Book, listen: Sent, agreed: dict[str, Any] | None = None) -> list[Sent]:
    """The server agrees to everything, or to this."""
    filter_ = listen["params"]["notifications"] if agreed is None else agreed
    params = {"_meta": {META_SUBSCRIPTION: listen["id"]}, "notifications": filter_}
    return book.server(line(method="notifications/subscriptions/acknowledged", params=params), listen["id"])


def told(book: Book, listen: Sent, method: str = "notifications/tools/list_changed", **params: Any) -> list[Sent]:
    """The server says something on a stream."""
    params = {"_meta": {META_SUBSCRIPTION: listen["id"]}, **params}
    return book.server(line(method=method, params=params), listen["id"])


def subscribe(book: Book, id_: object, uri: object = "a:1") -> list[Sent]:
    return book.asks(id_, "resources/subscribe", {"uri": uri})


def unsubscribe(book: Book, id_: object, uri: object = "a:1") -> list[Sent]:
    return book.asks(id_, "resources/unsubscribe", {"uri": uri})


def is_close(sent: Sent, listen: Sent) -> bool:
    return (sent.way, sent["method"], sent["params"]["requestId"]) == ("up", "notifications/cancelled", listen["id"])


def is_done(sent: Sent, id_: object) -> bool:
    return (sent.way, sent["id"], sent.get("result")) == ("down", id_, {})


def refused(sent: list[Sent], id_: object, code: int) -> str:
    (answer,) = sent
    assert (answer.way, answer["id"], answer.error["code"]) == ("down", id_, code)
    message: str = answer.error["message"]
    return message


def listening(*, is_strict: bool = True) -> tuple[Book, Sent]:
    """A host that has opened its session, and the stream that was asked for then."""
    book = Book(is_strict=is_strict).opened()
    (listen,) = book.says("notifications/initialized")
    assert acknowledged(book, listen) == []
    return book, listen


def test_a_host_that_is_ready_hears_of_changed_lists() -> None:
    book = Book().opened()
    (listen,) = book.says("notifications/initialized")
    assert (listen.way, listen["method"], listen["params"]["notifications"]) == ("up", "subscriptions/listen", LISTS)
    assert META_VERSION in listen.meta
    assert acknowledged(book, listen) == []
    (note,) = told(book, listen)
    assert (note.way, note.body) == ("down", {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    assert not book.waits()
    assert not book.timers


@pytest.mark.parametrize(
    ("server", "wanted"),
    [
        ({"tools": {"listChanged": True}}, {"toolsListChanged": True}),
        (
            {"tools": {"listChanged": False}, "prompts": {}, "resources": {"listChanged": True, "subscribe": True}},
            {"resourcesListChanged": True},
        ),
        ({"tools": {"listChanged": 1}, "prompts": {"listChanged": "true"}}, None),
        ({}, None),
    ],
)
def test_only_what_the_server_tells_of_is_asked_for(server: dict[str, Any], wanted: dict[str, Any] | None) -> None:
    sent = Book().opened(server=server).says("notifications/initialized")
    assert [one["params"]["notifications"] for one in sent] == ([] if wanted is None else [wanted])


def test_a_host_that_says_twice_that_it_is_ready_gets_one_stream() -> None:
    book, _ = listening()
    assert book.says("notifications/initialized") == []


def test_a_host_may_be_ready_before_the_server_has_answered() -> None:
    book = Book()
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}}
    (discover,) = book.asks(0, "initialize", params)
    assert book.says("notifications/initialized") == []
    result = {"supportedVersions": [], "capabilities": {"tools": {"listChanged": True}}}
    answer, listen = book.answers(discover["id"], result)
    assert answer["id"] == 0
    assert listen["method"] == "subscriptions/listen"


@pytest.mark.parametrize(
    ("params", "passed"),
    [
        ({"uri": "a:1"}, {"uri": "a:1"}),
        ({"uri": "a:1", "_meta": {META_SUBSCRIPTION: 5, "x": "\u00e9"}}, {"uri": "a:1", "_meta": {"x": "\u00e9"}}),
        ({"uri": "a:1", "_meta": 5}, {"uri": "a:1"}),
    ],
)
def test_a_notification_of_a_resource_passes_without_the_subscription_id(params: Any, passed: object) -> None:
    book, listen = listening()
    (note,) = told(book, listen, "notifications/resources/updated", **params)
    assert note["params"] == passed


def test_a_notification_that_cannot_be_written_loses_a_character() -> None:
    book, listen = listening(is_strict=False)
    (note,) = book.server(rb'{"jsonrpc":"2.0","method":"x\ud800","params":{"a":"\ud800"}}', listen["id"])
    assert note.body == {"jsonrpc": "2.0", "method": "x\ufffd", "params": {"a": "\ufffd"}}


def test_a_subscription_is_confirmed_when_the_server_has_taken_it() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    assert listen["params"]["notifications"] == {"resourceSubscriptions": ["a:1"]}
    assert book.waits()
    assert book.upgrade.awaits(1)
    (answer,) = acknowledged(book, listen)
    assert is_done(answer, 1)
    assert not book.waits()
    assert not book.upgrade.awaits(1)
    (answer,) = subscribe(book, 2)
    assert is_done(answer, 2)


def test_a_subscription_that_the_server_does_not_take_fails_and_is_not_asked_for_again() -> None:
    book, before = listening()
    (listen,) = subscribe(book, 1, "a:1")
    closed, answer = acknowledged(book, listen, LISTS)
    assert is_close(closed, before)
    assert "a:1" in refused([answer], 1, -32602)
    (listen,) = subscribe(book, 2, "a:2")
    assert listen["params"]["notifications"]["resourceSubscriptions"] == ["a:2"]


@pytest.mark.parametrize("agreed", [{}, {"resourceSubscriptions": None}, {"resourceSubscriptions": [5]}, [], 5, None])
def test_an_odd_acknowledgment_agrees_to_nothing(agreed: Any) -> None:
    book = Book(is_strict=False).opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    text = line(method="notifications/subscriptions/acknowledged", params={"notifications": agreed})
    answer, closed = book.server(text, listen["id"])
    refused([answer], 1, -32602)
    assert is_close(closed, listen)


def test_the_stream_before_is_closed_once_the_next_is_acknowledged() -> None:
    book, before = listening()
    (listen,) = subscribe(book, 1)
    assert listen["params"]["notifications"] == {**LISTS, "resourceSubscriptions": ["a:1"]}
    assert len(told(book, before)) == 1, "until then it is the one that counts"
    assert told(book, listen) == []
    closed, answer = acknowledged(book, listen)
    assert is_close(closed, before)
    assert is_done(answer, 1)
    assert told(book, before) == []
    assert len(told(book, listen)) == 1
    ended = {"resultType": "complete", "_meta": {META_SUBSCRIPTION: before["id"]}}
    assert book.answers(before["id"], ended) == []


def test_changes_while_a_stream_is_on_its_way_wait_for_it_together() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1, "a:1")
    assert subscribe(book, 2, "a:2") == []
    assert subscribe(book, 3, "a:3") == []
    assert is_done(unsubscribe(book, 4, "a:1")[-1], 4)
    answers_of_first = acknowledged(book, listen)
    (second,) = answers_of_first
    assert second["params"]["notifications"]["resourceSubscriptions"] == ["a:2", "a:3"]
    closed, *answers = acknowledged(book, second)
    assert is_close(closed, listen)
    assert [one["id"] for one in answers] == [2, 3]


def test_an_unsubscription_takes_back_the_request_that_waits() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    first, second = unsubscribe(book, 2)
    assert is_done(first, 1)
    assert is_done(second, 2)
    (closed,) = acknowledged(book, listen)
    assert is_close(closed, listen)


def test_the_last_interest_closes_the_stream() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    acknowledged(book, listen)
    answer, closed = unsubscribe(book, 2)
    assert is_done(answer, 2)
    assert is_close(closed, listen)
    assert told(book, listen) == []
    (answer,) = unsubscribe(book, 3)
    assert is_done(answer, 3)


def test_an_unsubscription_opens_a_smaller_stream() -> None:
    book, before = listening()
    (listen,) = subscribe(book, 1)
    acknowledged(book, listen)
    answer, smaller = unsubscribe(book, 2)
    assert is_done(answer, 2)
    assert smaller["params"]["notifications"] == LISTS
    (closed,) = acknowledged(book, smaller)
    assert is_close(closed, listen)
    assert before["id"] != smaller["id"]


def test_a_stream_that_fails_before_it_began_fails_who_asked_for_it() -> None:
    book, before = listening()
    (listen,) = subscribe(book, 1)
    assert refused(book.fails(listen["id"], -32000, "too busy"), 1, -32000) == "too busy"
    assert not book.timers, "the one before still does"
    assert len(told(book, before)) == 1
    (listen,) = subscribe(book, 2)
    refused(book.answers(listen["id"], {"resultType": "complete"}), 2, -32000)


def test_who_asks_while_a_stream_fails_is_asked_for_next() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1, "a:1")
    assert subscribe(book, 2, "a:2") == []
    answer, second = book.fails(listen["id"], -32000)
    assert answer["id"] == 1
    assert second["params"]["notifications"]["resourceSubscriptions"] == ["a:2"]


def test_a_stream_that_ends_is_opened_again_after_pauses_that_grow() -> None:
    book, listen = listening()
    pauses = []
    for turn in range(12):
        sent = book.answers(listen["id"], {"resultType": "complete"}) if turn % 2 else book.fails(listen["id"])
        assert sent == []
        ((_, pause),) = book.timers.items()
        pauses.append(pause)
        (listen,) = book.fires("listen")
        assert listen["params"]["notifications"] == LISTS
        acknowledged(book, listen)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1.0, 300.0)
    book.now += 60
    book.fails(listen["id"])
    assert list(book.timers.values()) == [1.0], "it had held for a while"


def test_a_new_interest_does_not_wait_for_the_pause() -> None:
    book, listen = listening()
    book.fails(listen["id"])
    (listen,) = subscribe(book, 1)
    assert [key[0] for key in book.timers] == ["acknowledge"]
    (answer,) = acknowledged(book, listen)
    assert is_done(answer, 1)


def test_an_interest_that_was_lost_with_a_stream_is_asked_for_again() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    acknowledged(book, listen)
    book.fails(listen["id"])
    (listen,) = book.fires("listen")
    assert listen["params"]["notifications"]["resourceSubscriptions"] == ["a:1"]
    assert acknowledged(book, listen) == []


def test_a_server_that_cannot_listen_is_asked_once() -> None:
    book = Book().opened()
    (listen,) = book.says("notifications/initialized")
    assert subscribe(book, 1) == []
    refused(book.fails(listen["id"], -32601), 1, -32601)
    assert not book.timers
    assert book.reports[-1][0] == "debug"
    refused(subscribe(book, 2), 2, -32601)
    assert is_done(unsubscribe(book, 3)[0], 3)


def test_a_stream_that_is_never_acknowledged_is_given_up() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    answer, closed = book.fires("acknowledge")
    refused([answer], 1, -32000)
    assert is_close(closed, listen)
    assert acknowledged(book, listen) == []
    assert not book.timers, "nothing is wanted"


def test_lists_are_asked_for_again_where_the_server_stays_silent() -> None:
    book = Book().opened()
    (listen,) = book.says("notifications/initialized")
    (closed,) = book.fires("acknowledge")
    assert is_close(closed, listen)
    (again,) = book.fires("listen")
    assert again["params"]["notifications"] == LISTS


def test_the_host_cancels_a_subscription_that_waits() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1)
    assert book.says("notifications/cancelled", {"requestId": 1}) == []
    assert not book.waits()
    assert acknowledged(book, listen) == []


def test_a_cancellation_that_the_server_sends_on_a_stream_is_not_for_the_host() -> None:
    book, listen = listening()
    assert told(book, listen, "notifications/cancelled", requestId=listen["id"]) == []


@pytest.mark.parametrize("params", [{}, {"uri": None}, {"uri": 5}, {"uri": ["a:1"]}, [], "a:1"])
@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_an_interest_needs_a_uri(method: str, params: object) -> None:
    refused(Book().opened().asks(1, method, params), 1, -32602)


def test_there_is_an_end_to_interests() -> None:
    book = Book(is_strict=False).opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, "first", "a:first")
    for number in range(9_999):
        assert subscribe(book, number, f"a:{number}") == []
        book.says("notifications/cancelled", {"requestId": number})
    refused(subscribe(book, "last", "a:last"), "last", -32000)
    assert unsubscribe(book, "u", "a:7")[-1]["id"] == "u"
    assert subscribe(book, "last", "a:last") == []
    _, second = acknowledged(book, listen)
    assert len(second["params"]["notifications"]["resourceSubscriptions"]) == 10_000


def test_requests_that_wait_for_a_stream_are_given_back() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1, "a:1")
    subscribe(book, 2, "a:2")
    assert [request.raw_id for request in book.upgrade.reroute(listen["id"])] == [b"1", b"2"]
    assert not book.upgrade.awaits(1)
    assert not book.timers


def test_requests_that_wait_for_a_stream_are_answered_when_the_run_ends() -> None:
    book = Book().opened(server=SUBSCRIBABLE)
    (listen,) = subscribe(book, 1, "a:1")
    subscribe(book, 2, "a:2")
    first, second, closed = book.closes()
    assert [one.error["data"]["kind"] for one in (first, second)] == ["shutdown", "shutdown"]
    assert is_close(closed, listen)
    assert not book.timers


def test_a_new_session_has_no_interests() -> None:
    book, listen = listening()
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}}
    closed, discover = book.asks("again", "initialize", params)
    assert is_close(closed, listen)
    book.answers(discover["id"], {"supportedVersions": [], "capabilities": {}})
    assert book.says("notifications/initialized") == []
    assert told(book, listen) == []
