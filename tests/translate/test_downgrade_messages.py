"""What else a legacy server sends: progress, log messages, notifications, requests that belong to no call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.downgrade_book import LOG_LEVEL, SAID, Book, fault, line

# -- progress


def test_progress_reaches_the_request_that_asked_for_it_and_no_other() -> None:
    book = Book().opened()
    upper = book.calls(1, progressToken="t")
    told = {"progressToken": "t", "progress": 1}
    down, _ = book.tells("notifications/progress", told, upper)
    assert down[0]["params"] == told
    strange = Book(is_strict=False).opened()
    strange.calls(1, progressToken="t")
    assert strange.tells("notifications/progress", {"progressToken": "u", "progress": 1}) == ([], [])
    assert strange.tells("notifications/progress", {"progress": 1}) == ([], [])
    assert strange.tells("notifications/progress") == ([], [])


def test_progress_stops_with_the_answer() -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1, progressToken=0)
    book.answers(upper, SAID)
    assert book.tells("notifications/progress", {"progressToken": 0, "progress": 1}, upper) == ([], [])


def test_two_calls_with_one_token_are_told_apart() -> None:
    book = Book(is_strict=False).opened()
    first, second = book.calls(1, progressToken="t"), book.calls(2, progressToken="t")
    down, _ = book.tells("notifications/progress", {"progressToken": f"mcp-remote-bridge-{second}", "progress": 1})
    assert down[0]["params"]["progressToken"] == "t"
    book.answers(first, SAID)
    assert book.tells("notifications/progress", {"progressToken": "t", "progress": 1}) == ([], [])


# -- log messages


def message(level: str) -> dict[str, object]:
    return {"level": level, "data": "x"}


def test_a_level_is_set_before_the_call_that_wants_it_and_not_again() -> None:
    book = Book().opened()
    down, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    assert down == []
    assert (asked["method"], asked["params"]) == ("logging/setLevel", {"level": "info"})
    _, (call,) = book.answers(asked["id"], {})
    assert call["method"] == "tools/call"
    assert book.calls(2, **{LOG_LEVEL: "error"})
    _, (again,) = book.host(3, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "debug"})
    assert again["params"] == {"level": "debug"}


def test_a_call_is_sent_although_the_level_cannot_be_set() -> None:
    book = Book().opened()
    _, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    _, (call,) = book.fails(asked["id"], -32601)
    assert call["method"] == "tools/call"


def test_a_call_is_sent_although_the_server_does_not_answer_about_the_level() -> None:
    book = Book().opened()
    _, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    down, (call,) = book.fires("log-level")
    assert down == []
    assert call["method"] == "tools/call"
    assert book.answers(asked["id"], {}) == ([], [])


def test_calls_that_want_more_wait_for_the_level_that_is_enough() -> None:
    book = Book().opened()
    _, (info,) = book.host(1, "tools/call", {"name": "one"}, **{LOG_LEVEL: "info"})
    assert book.host(2, "tools/call", {"name": "two"}, **{LOG_LEVEL: "debug"}) == ([], [])
    assert book.host(3, "tools/call", {"name": "three"}, **{LOG_LEVEL: "error"}) == ([], [])
    assert book.cancels(3) == ([], [])
    _, up = book.answers(info["id"], {})
    assert [sent["params"].get("level") or sent["params"]["name"] for sent in up] == ["debug", "one"]
    _, up = book.answers(up[0]["id"], {})
    assert [sent["params"]["name"] for sent in up] == ["two"]


def test_the_most_verbose_level_that_waits_is_set_next() -> None:
    book = Book().opened()
    _, (first,) = book.host(1, "tools/call", {"name": "one"}, **{LOG_LEVEL: "error"})
    book.host(2, "tools/call", {"name": "two"}, **{LOG_LEVEL: "info"})
    book.host(3, "tools/call", {"name": "three"}, **{LOG_LEVEL: "debug"})
    _, (asked, _one) = book.answers(first["id"], {})
    assert asked["params"] == {"level": "debug"}
    _, up = book.answers(asked["id"], {})
    assert [sent["params"]["name"] for sent in up] == ["two", "three"]


def test_a_server_without_logging_is_not_told_a_level() -> None:
    book = Book().opened(offers={"tools": {}})
    assert book.calls(1, **{LOG_LEVEL: "debug"})


def test_a_call_that_was_cancelled_while_it_waited_for_the_level_is_not_sent_nor_given_back() -> None:
    book = Book().opened()
    _, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    book.host(2, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    assert book.cancels(1) == ([], [])
    assert [request.id for request in book.downgrade.reroute(asked["id"])] == [2]


def test_the_end_fails_a_call_that_waits_for_the_level() -> None:
    book = Book().opened()
    _, (asked,) = book.host(1, "tools/call", {"name": "pay"}, **{LOG_LEVEL: "info"})
    book.downgrade.close()
    down, up = book.taken()
    fault(down, 1, -32000, "shutdown")
    assert up == []
    assert book.fails(asked["id"], -32000) == ([], [])


def leveled(book: Book, id_: int, level: str) -> int:
    _, (asked,) = book.host(id_, "tools/call", {"name": "pay"}, **{LOG_LEVEL: level})
    if asked["method"] == "logging/setLevel":
        _, (asked,) = book.answers(asked["id"], {})
    upper: int = asked["id"]
    return upper


def test_log_messages_pass_while_a_call_wants_them() -> None:
    book = Book().opened()
    silent = book.calls(9)
    assert book.tells("notifications/message", message("emergency")) == ([], [])
    upper = leveled(book, 1, "warning")
    assert book.tells("notifications/message", message("notice")) == ([], [])
    assert book.tells("notifications/message", message("warning"))[0][0]["params"] == message("warning")
    assert book.tells("notifications/message", message("error"), upper)[0][0]["params"] == message("error")
    assert book.tells("notifications/message", message("error"), silent) == ([], [])
    book.answers(upper, SAID)
    assert book.tells("notifications/message", message("error")) == ([], [])


@pytest.mark.parametrize("params", [None, {}, {"level": "loud"}, {"level": 3}, {"level": None}])
def test_log_messages_without_a_level_are_dropped(params: Any) -> None:
    book = Book(is_strict=False).opened()
    leveled(book, 1, "debug")
    assert book.tells("notifications/message", params) == ([], [])


# -- the rest of what a server may send


@pytest.mark.parametrize(
    "method",
    [
        "notifications/elicitation/complete",
        "notifications/tasks/status",
        "notifications/subscriptions/acknowledged",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/tools/list_changed",
    ],
)
def test_notifications_that_mean_nothing_to_the_host_are_dropped(method: str) -> None:
    assert Book(is_strict=False).opened().tells(method, {}) == ([], [])


def test_a_notification_that_no_revision_has_passes() -> None:
    assert Book().opened().tells("notifications/acme/done", {"a": 1})[0][0]["params"] == {"a": 1}


def test_a_ping_of_the_servers_is_answered() -> None:
    assert Book().opened().asks("p", "ping") == ([], [{"jsonrpc": "2.0", "id": "p", "result": {}}])


@pytest.mark.parametrize("method", ["roots/list", "sampling/createMessage", "tasks/list", "acme/do"])
def test_a_request_of_the_server_that_belongs_to_no_call_is_refused(method: str) -> None:
    down, (answer,) = Book(is_strict=False).opened().asks(0, method, {})
    assert down == []
    assert answer["id"] == 0
    assert answer["error"]["code"] == -32601


def test_answers_and_notifications_of_the_hosts_go_nowhere() -> None:
    book = Book(is_strict=False).opened()
    assert book.host_line(line(id=1, result={})) == ([], [])
    assert book.host_line(line(method="notifications/roots/list_changed")) == ([], [])
