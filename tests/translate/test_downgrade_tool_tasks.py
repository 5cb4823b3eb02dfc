"""A legacy server's tools that run only as tasks: a modern host calls them as any other tool."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.downgrade_book import ACCEPTED, FORM, OFFERS, SAID, Book, Json, fault, put

TASKS = {**OFFERS, "tasks": {"requests": {"tools": {"call": {}}}, "cancel": {}}}
CREATED = {"task": {"taskId": "t-1", "status": "working", "createdAt": "x", "lastUpdatedAt": "x", "ttl": None}}


def tool(name: str, support: object = None) -> Json:
    execution = {} if support is None else {"execution": {"taskSupport": support}}
    return {"name": name, "inputSchema": {"type": "object"}, **execution}


def knowing(*tools: Json, offers: Json = TASKS) -> Book:
    """The session is open, and the server has listed these tools."""
    book = Book(is_strict=False).opened(offers)
    _, (listing,) = book.host("list", "tools/list")
    down, _ = book.answers(listing["id"], {"tools": list(tools)})
    assert [told["name"] for told in down[0]["result"]["tools"]] == [one["name"] for one in tools]
    assert "execution" not in str(down)
    return book


def created(book: Book) -> tuple[int, int]:
    """A call has become a task; returns the ids of the call and of the question for its result."""
    upper = book.calls(1)
    down, (asked,) = book.answers(upper, CREATED)
    assert down == []
    assert (asked["method"], asked["params"]) == ("tasks/result", {"taskId": "t-1"})
    return upper, asked["id"]


def test_a_tool_that_must_be_a_task_is_called_as_one_and_its_result_is_the_answer() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    assert b'"task":{}' in book.sent[-2]
    down, up = book.answers(waiting, SAID)
    assert (down[0]["id"], down[0]["result"]["content"]) == (1, SAID["content"])
    assert up == []


@pytest.mark.parametrize("support", ["optional", "forbidden", None, 3])
def test_any_other_tool_is_not(support: object) -> None:
    book = knowing(tool("pay", support), tool("other", "required"))
    book.calls(1)
    assert b'"task"' not in book.sent[-1]
    book.calls(2, "other")
    assert b'"task"' in book.sent[-1], "what one tool says changes nothing for another"


def test_a_server_that_does_not_take_tasks_gets_none() -> None:
    book = knowing(tool("pay", "required"), offers=OFFERS)
    book.calls(1)
    assert b'"task"' not in book.sent[-1]


def test_a_later_list_corrects_an_earlier_one() -> None:
    book = knowing(tool("pay", "required"))
    _, (listing,) = book.host("list", "tools/list")
    book.answers(listing["id"], {"tools": [tool("pay")]})
    book.calls(1)
    assert b'"task"' not in book.sent[-1]


def test_a_server_that_answers_at_once_is_believed() -> None:
    book = knowing(tool("pay", "required"))
    down, up = book.answers(book.calls(1), SAID)
    assert down[0]["result"]["content"] == SAID["content"]
    assert up == []


@pytest.mark.parametrize("task", [{}, {"taskId": 3}, None, "x"])
def test_a_task_without_an_id_is_an_answer(task: Any) -> None:
    book = knowing(tool("pay", "required"))
    assert book.answers(book.calls(1), {"task": task})[0][0]["id"] == 1


def test_a_result_that_looks_like_a_task_is_a_result() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    down, up = book.answers(waiting, {**CREATED, **SAID})
    assert down[0]["id"] == 1
    assert up == []


def test_an_error_of_the_task_is_the_answer() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    assert fault(book.fails(waiting, -32603, "broke")[0], 1, -32603)["message"] == "broke"


def test_a_task_may_ask_too() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    down, _ = book.asks("q", "elicitation/create", FORM, waiting)
    state, inputs = put(down, 1)
    (key,) = inputs
    _, up = book.retries(2, state, {key: ACCEPTED})
    assert up[0]["result"] == ACCEPTED
    assert book.answers(waiting, SAID)[0][0]["id"] == 2


def test_cancelling_ends_the_task() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    down, (note, cancel) = book.cancels(1)
    assert down == []
    assert (note["method"], note["params"]) == ("notifications/cancelled", {"requestId": waiting})
    assert (cancel["method"], cancel["params"]) == ("tasks/cancel", {"taskId": "t-1"})
    assert book.answers(cancel["id"], {}) == ([], [])


def test_a_call_cancelled_before_it_is_a_task_ends_when_it_is_one() -> None:
    book = knowing(tool("pay", "required"))
    upper = book.calls(1)
    assert book.cancels(1) == ([], [])
    down, (cancel,) = book.answers(upper, CREATED)
    assert down == []
    assert (cancel["method"], cancel["params"]) == ("tasks/cancel", {"taskId": "t-1"})
    late = book.calls(2)
    book.cancels(2)
    book.calls(2)
    assert book.answers(late, SAID) == ([], [])
    assert book.downgrade.awaits(2)


def test_a_running_task_is_not_given_back() -> None:
    book = knowing(tool("pay", "required"))
    _, waiting = created(book)
    assert book.downgrade.reroute(waiting) == []
    fault(book.taken()[0], 1, -32000, "outcome-unknown")
