"""`subscriptions/listen` on a legacy server: what is granted, which notifications it brings, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Message, Request
from tests.translate.downgrade_book import OFFERS, SERVER_INFO, SUBSCRIPTION, Book, Json, fault, line

TOOLS, PROMPTS = "notifications/tools/list_changed", "notifications/prompts/list_changed"
UPDATED = "notifications/resources/updated"


def listens(book: Book, id_: object, **wanted: object) -> tuple[list[Json], list[Json]]:
    return book.host(id_, "subscriptions/listen", {"notifications": wanted})


def acknowledged(down: list[Json], id_: object) -> Json:
    """The first of these is the acknowledgment of the listen; returns what is granted."""
    assert down[0]["method"] == "notifications/subscriptions/acknowledged"
    assert down[0]["params"]["_meta"] == {SUBSCRIPTION: id_}
    granted: Json = down[0]["params"]["notifications"]
    return granted


def ended(id_: object) -> Json:
    """The answer that ends a listen."""
    return {"jsonrpc": "2.0", "id": id_, "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: id_}}}


def watching(book: Book, id_: object, *uris: str) -> None:
    """A listen for these resources, acknowledged."""
    down, up = listens(book, id_, resourceSubscriptions=uris)
    for sent in up:
        down, _ = book.answers(sent["id"], {})
    assert acknowledged(down, id_) == {"resourceSubscriptions": list(uris)}


@pytest.mark.parametrize("id_", [0, "0", 7])
def test_a_listen_for_lists_is_acknowledged_at_once_and_not_answered(id_: int | str) -> None:
    book = Book().opened()
    if id_ == 0:
        book.calls("another")
    down, up = listens(book, id_, toolsListChanged=True, promptsListChanged=False)
    assert acknowledged(down, id_) == {"toolsListChanged": True}
    assert len(down) == 1
    assert up == []
    assert book.downgrade.awaits(id_)


def test_only_what_the_server_declares_is_granted() -> None:
    book = Book().opened(offers={"tools": {"listChanged": True}, "prompts": {}, "resources": {"subscribe": False}})
    down, up = listens(
        book,
        1,
        toolsListChanged=True,
        promptsListChanged=True,
        resourcesListChanged=True,
        resourceSubscriptions=["a:b"],
    )
    assert acknowledged(down, 1) == {"toolsListChanged": True}
    assert up == []


def test_a_change_goes_once_to_each_listen_that_asked_for_it() -> None:
    book = Book().opened()
    listens(book, 1, toolsListChanged=True)
    listens(book, "2", toolsListChanged=True, promptsListChanged=True)
    listens(book, 3, promptsListChanged=True)
    down, _ = book.tells(TOOLS)
    assert [sent["params"]["_meta"][SUBSCRIPTION] for sent in down] == [1, "2"]
    down, _ = book.tells(PROMPTS, {"_meta": {"a/b": 1}})
    assert [sent["params"]["_meta"] for sent in down] == [{"a/b": 1, SUBSCRIPTION: "2"}, {"a/b": 1, SUBSCRIPTION: 3}]
    assert book.tells("notifications/resources/list_changed") == ([], [])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": None},
        {"notifications": []},
        {"notifications": {"toolsListChanged": 1}},
        {"notifications": {"resourceSubscriptions": "a:b"}},
        {"notifications": {"resourceSubscriptions": [1]}},
    ],
)
def test_a_filter_that_is_none_is_refused(params: Json) -> None:
    book = Book(is_strict=False).opened()
    down, up = book.host(1, "subscriptions/listen", params)
    fault(down, 1, -32602)
    assert up == []
    assert not book.downgrade.awaits(1)


# -- resources


def test_a_listen_for_resources_is_acknowledged_when_all_are_subscribed() -> None:
    book = Book().opened()
    down, up = listens(book, 1, resourceSubscriptions=["a:1", "a:2", "a:1"])
    assert down == []
    assert [(sent["method"], sent["params"]) for sent in up] == [
        ("resources/subscribe", {"uri": "a:1"}),
        ("resources/subscribe", {"uri": "a:2"}),
    ]
    assert book.answers(up[1]["id"], {}) == ([], [])
    down, _ = book.answers(up[0]["id"], {})
    assert acknowledged(down, 1) == {"resourceSubscriptions": ["a:1", "a:2"]}
    down, _ = book.tells(UPDATED, {"uri": "a:2"})
    assert down[0]["params"] == {"uri": "a:2", "_meta": {SUBSCRIPTION: 1}}
    assert book.tells(UPDATED, {"uri": "a:3"}) == ([], [])


def test_a_resource_that_cannot_be_subscribed_is_left_out() -> None:
    book = Book().opened()
    _, up = listens(book, 1, toolsListChanged=True, resourceSubscriptions=["a:1", "a:2"])
    book.fails(up[0]["id"], -32002)
    down, _ = book.answers(up[1]["id"], {})
    assert acknowledged(down, 1) == {"toolsListChanged": True, "resourceSubscriptions": ["a:2"]}
    _, (again,) = listens(book, 2, resourceSubscriptions=["a:1"])
    down, _ = book.fails(again["id"], -32002)
    assert acknowledged(down, 2) == {}


def test_what_changes_before_the_acknowledgment_is_told_after_it() -> None:
    book = Book().opened()
    _, up = listens(book, 1, toolsListChanged=True, resourceSubscriptions=["a:1"])
    assert book.tells(TOOLS) == ([], [])
    assert book.tells(TOOLS) == ([], [])
    assert book.tells(UPDATED, {"uri": "a:1"}) == ([], [])
    down, _ = book.answers(up[0]["id"], {})
    assert [sent["method"] for sent in down[1:]] == [TOOLS, UPDATED]


def test_a_change_of_a_part_is_announced_to_the_subscribers_of_the_whole() -> None:
    book = Book(is_strict=False).opened()
    watching(book, 1, "a://b/c")
    watching(book, 2, "a://b/")
    down, _ = book.tells(UPDATED, {"uri": "a://b/c/d/e"})
    assert [sent["params"]["_meta"][SUBSCRIPTION] for sent in down] == [1, 2]
    assert book.tells(UPDATED, {"uri": "a://bc"}) == ([], [])
    assert book.tells(UPDATED, {"uri": "/" * 100_000}) == ([], [])


def test_a_resource_is_subscribed_once_and_unsubscribed_when_the_last_listen_ends() -> None:
    book = Book().opened()
    watching(book, 1, "a:1")
    down, up = listens(book, 2, resourceSubscriptions=["a:1", "a:2"])
    assert [sent["params"]["uri"] for sent in up] == ["a:2"]
    book.answers(up[0]["id"], {})
    assert book.cancels(1) == ([ended(1)], [])
    down, up = book.cancels(2)
    assert down == [ended(2)]
    assert [(sent["method"], sent["params"]["uri"]) for sent in up] == [
        ("resources/unsubscribe", "a:1"),
        ("resources/unsubscribe", "a:2"),
    ]


def test_a_resource_wanted_again_while_it_is_left_is_subscribed_afterwards() -> None:
    book = Book().opened()
    watching(book, 1, "a:1")
    _, (left,) = book.cancels(1)
    assert listens(book, 2, resourceSubscriptions=["a:1"]) == ([], [])
    _, (again,) = book.answers(left["id"], {})
    assert again["method"] == "resources/subscribe"
    assert acknowledged(book.answers(again["id"], {})[0], 2)


def test_a_listen_cancelled_before_its_acknowledgment_leaves_nothing_behind() -> None:
    book = Book().opened()
    _, (asked,) = listens(book, 1, resourceSubscriptions=["a:1"])
    assert book.cancels(1) == ([ended(1)], [])
    down, (left,) = book.answers(asked["id"], {})
    assert down == []
    assert left["method"] == "resources/unsubscribe"
    assert book.answers(left["id"], {}) == ([], [])
    assert listens(book, 2, resourceSubscriptions=["a:1"])[1][0]["method"] == "resources/subscribe"


def test_a_listen_cancelled_before_its_acknowledgment_gets_none_with_the_others() -> None:
    book = Book().opened()
    _, (asked,) = listens(book, 1, resourceSubscriptions=["a:1"])
    assert listens(book, 2, resourceSubscriptions=["a:1"]) == ([], [])
    book.cancels(1)
    down, up = book.answers(asked["id"], {})
    assert acknowledged(down, 2) == {"resourceSubscriptions": ["a:1"]}
    assert (len(down), up) == (1, [])


def test_sixteen_resources_are_asked_for_at_once_and_the_others_after_them() -> None:
    book = Book().opened()
    _, up = listens(book, 1, resourceSubscriptions=[f"a:{number}" for number in range(40)])
    asked = 0
    down: list[Json] = []
    while up:
        asked += 1
        assert down == []
        assert len(up) <= 16
        sent, *up = up
        down, more = book.answers(sent["id"], {})
        up += more
    assert asked == 40
    assert len(acknowledged(down, 1)["resourceSubscriptions"]) == 40


def test_resources_still_to_be_asked_for_are_forgotten_with_their_listen() -> None:
    book = Book().opened()
    _, up = listens(book, 1, resourceSubscriptions=[f"a:{number}" for number in range(17)])
    book.cancels(1)
    _, (left,) = book.answers(up[0]["id"], {})
    assert left["method"] == "resources/unsubscribe"


# -- limits


def test_there_is_a_limit_to_the_resources_of_all_listens() -> None:
    book = Book().opened()
    listens(book, 1, resourceSubscriptions=[f"a:{number}" for number in range(10_000)])
    down, up = listens(book, 2, resourceSubscriptions=["b:1"])
    fault(down, 2, -32000, "too-many")
    assert up == []
    book.cancels(1)
    assert not listens(book, 3, resourceSubscriptions=[f"b:{number}" for number in range(10_000)])[0]
    book.cancels(3)
    assert not listens(book, 4, resourceSubscriptions=[f"c:{number}" for number in range(10_000)])[0]


class HastyBook(Book):
    """Once it is `hasty`, its server has refused each `resources/subscribe` before `up` returns."""

    hasty = False

    def up(self, message: Message) -> None:
        super().up(message)
        if self.hasty and isinstance(message, Request):
            error = line(id=message.id, error={"code": -32603, "message": "no"})
            self.downgrade.from_server(jsonrpc.parse(error), message.id)


def test_answers_that_come_at_once_do_not_pile_up() -> None:
    book = HastyBook(is_strict=False).opened()
    _, up = listens(book, 1, resourceSubscriptions=[f"a:{number}" for number in range(5000)])
    assert len(up) == 16
    book.hasty = True
    _, more = book.answers(up[0]["id"], {})
    assert len(more) == 5000 - 16
    down = [message for sent in up[1:] for message in book.answers(sent["id"], {})[0]]
    assert len(acknowledged(down, 1)["resourceSubscriptions"]) == 16


# -- the end


def test_a_cancelled_listen_ends_with_its_answer_and_gets_no_message_more() -> None:
    book = Book().opened()
    listens(book, 1, toolsListChanged=True)
    assert book.cancels(1) == ([ended(1)], [])
    assert not book.downgrade.awaits(1)
    assert book.tells(TOOLS) == ([], [])
    assert listens(book, 1, toolsListChanged=True)[0]


def test_at_the_end_each_listen_is_answered() -> None:
    book = Book().opened()
    listens(book, 1, toolsListChanged=True)
    listens(book, "b", toolsListChanged=True)
    book.downgrade.close()
    down, up = book.taken()
    assert up == []
    assert down == [
        {"jsonrpc": "2.0", "id": id_, "result": {"resultType": "complete", "_meta": {SUBSCRIPTION: id_}}}
        for id_ in (1, "b")
    ]
    assert book.tells(TOOLS) == ([], [])


def test_a_listen_that_is_cancelled_before_the_session_is_open_ends_with_its_answer_and_never_begins() -> None:
    book = Book()
    _, (opening,) = listens(book, 1, toolsListChanged=True)
    listens(book, 2, toolsListChanged=True)
    assert book.cancels(1) == ([ended(1)], [])
    said = {"protocolVersion": "2025-11-25", "capabilities": OFFERS, "serverInfo": SERVER_INFO}
    down, _ = book.answers(opening["id"], said)
    assert acknowledged(down, 2)
    assert len(down) == 1


def test_a_second_listen_for_a_watched_resource_is_acknowledged_once() -> None:
    book = Book().opened()
    watching(book, 1, "a:1", "a:2")
    down, up = listens(book, 2, resourceSubscriptions=["a:2", "a:1"])
    assert acknowledged(down, 2) == {"resourceSubscriptions": ["a:2", "a:1"]}
    assert (len(down), up) == (1, [])


def test_what_came_early_of_a_resource_that_cannot_be_watched_is_not_told() -> None:
    book = Book().opened()
    _, (good, bad) = listens(book, 1, resourceSubscriptions=["a:1", "a:2"])
    assert book.tells(UPDATED, {"uri": "a:1"}) == book.tells(UPDATED, {"uri": "a:2"}) == ([], [])
    book.answers(good["id"], {})
    down, _ = book.fails(bad["id"], -32602)
    assert acknowledged(down, 1) == {"resourceSubscriptions": ["a:1"]}
    assert [told["params"]["uri"] for told in down[1:]] == ["a:1"]


def test_nothing_follows_the_answer_of_a_listen_that_the_end_overtook() -> None:
    book = Book().opened()
    _, (first, second) = listens(book, 1, resourceSubscriptions=["a:1", "a:2"])
    book.downgrade.close()
    assert book.taken() == ([ended(1)], [])
    assert book.answers(first["id"], {}) == ([], [])
    assert book.fails(second["id"], -32000) == ([], [])


def test_a_listen_that_has_ended_is_not_given_back() -> None:
    book = Book().opened()
    _, (sent,) = listens(book, 1, resourceSubscriptions=["a:1"])
    book.downgrade.close()
    assert book.downgrade.reroute(sent["id"]) == []


def test_listens_that_wait_for_the_server_are_given_back() -> None:
    book = Book().opened()
    watching(book, 1, "a:1")
    _, up = listens(book, 2, resourceSubscriptions=[f"b:{number}" for number in range(20)])
    assert [request.id for request in book.downgrade.reroute(up[3]["id"])] == [2]
    assert book.taken() == ([], [])
    assert not book.downgrade.awaits(2)
    assert book.downgrade.awaits(1)
    assert book.downgrade.reroute(up[4]["id"]) == []
    assert book.answers(up[5]["id"], {})[0] == []
    assert book.tells(UPDATED, {"uri": "b:1"}) == ([], [])


@pytest.mark.parametrize("params", [None, {}, {"uri": 3}, [], "x"])
def test_an_update_of_no_resource_is_dropped(params: Any) -> None:
    book = Book(is_strict=False).opened()
    watching(book, 1, "a:1")
    assert book.server_line(line(method=UPDATED, params=params)) == ([], [])
