"""Tasks that a host of 2025-11-25 asks for, on a modern server with the tasks extension (SEP-2663)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.test_upgrade_input_required import ACCEPTED, CALL, FORM, LISTED, ROOTS
from tests.translate.test_upgrade_tasks import ID, RESULT, created, looks, only, opened, own_error, refused, state
from tests.translate.upgrade_book import FULL_HOST, META_CLIENT, RELATED, TASK_SERVER, TASKS, Book, Sent, discovered

TASK_CALL: dict[str, Any] = {**CALL, "task": {"ttl": 60_000}}
NAMED = {"taskId": ID}
PRESENT = "2026-10-10T10:10:10Z"
ABOUT: dict[str, Any] = {RELATED: NAMED}


def shown(status: str = "working", **more: Any) -> dict[str, Any]:
    """The task as the host sees it."""
    times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:01Z"}
    return {"taskId": ID, "status": status, **times, "ttl": None, **more}


def making(book: Book, id_: object = 1, params: dict[str, Any] | None = None, **more: Any) -> Sent:
    """A call becomes a task, as the host asked; its answer."""
    call = book.goes_up(id_, "tools/call", TASK_CALL if params is None else params)
    assert "task" not in call["params"]
    (answer,) = book.answers(call["id"], created(**more))
    assert answer["id"] == id_
    return answer


def made() -> Book:
    book = opened()
    making(book)
    return book


def kept(book: Book, result: dict[str, Any] = RESULT, id_: object = 1, **task: Any) -> dict[str, Any]:
    """A call that is answered at once becomes a task all the same."""
    call = book.goes_up(id_, "tools/call", {**CALL, "task": task})
    (answer,) = book.answers(call["id"], {"resultType": "complete", **result})
    found: dict[str, Any] = answer["result"]["task"]
    return found


# -- what is offered


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
def test_tasks_are_offered_to_hosts_that_know_them(version: str) -> None:
    book = Book()
    book.version = version
    (discover,) = book.asks(0, "initialize", {"protocolVersion": version, "capabilities": FULL_HOST})
    (answer,) = book.answers(discover["id"], discovered(TASK_SERVER))
    tasks = answer["result"]["capabilities"].get("tasks")
    assert tasks == ({"cancel": {}, "requests": {"tools": {"call": {}}}} if version == "2025-11-25" else None)
    assert TASKS.encode() not in answer.line


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"taskSupport": "optional"}),
        ({"execution": {}}, {"taskSupport": "optional"}),
        ({"execution": 5}, {"taskSupport": "optional"}),
        ({"execution": {"a": 1}}, {"a": 1, "taskSupport": "optional"}),
        ({"execution": {"taskSupport": "forbidden"}}, {"taskSupport": "forbidden"}),
    ],
)
def test_each_tool_says_that_it_may_run_as_a_task(said: dict[str, Any], told: object) -> None:
    tool = {"name": "a", "inputSchema": {"type": "object"}, **said}
    book = opened()
    listing = book.goes_up(1, "tools/list")
    (answer,) = book.answers(listing["id"], {"resultType": "complete", "tools": [tool]})
    assert answer["result"]["tools"] == [{**tool, "execution": told}]


def test_tools_say_nothing_of_tasks_where_none_are_offered() -> None:
    tool = {"name": "a", "inputSchema": {"type": "object"}}
    for book in (Book().opened(), Book().opened(server=TASK_SERVER, version="2025-06-18")):
        listing = book.goes_up(1, "tools/list")
        (answer,) = book.answers(listing["id"], {"resultType": "complete", "tools": [tool]})
        assert answer["result"]["tools"] == [tool]


def test_what_is_no_tool_stays_what_it_is() -> None:
    book = opened(is_strict=False)
    listing = book.goes_up(1, "tools/list")
    (answer,) = book.answers(listing["id"], {"resultType": "complete", "tools": [5, None, {}]})
    assert answer["result"]["tools"] == [5, None, {}]


@pytest.mark.parametrize("method", ["tasks/list", "tasks/update", "tasks/other"])
def test_what_the_extension_cannot_answer_is_unknown(method: str) -> None:
    refused(made().asks(2, method, {"taskId": ID}), 2, "unknown-method", -32601)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
def test_hosts_before_2025_11_25_have_no_tasks(method: str) -> None:
    book = Book().opened(server=TASK_SERVER, version="2025-06-18")
    refused(book.asks(2, method, NAMED), 2, "unknown-method", -32601)


@pytest.mark.parametrize("task", [None, 5, [], "a"])
def test_a_wish_that_is_no_object_is_none(task: object) -> None:
    book = opened(is_strict=False)
    call = book.goes_up(1, "tools/call", {**CALL, "task": task})
    (answer,) = book.answers(call["id"], {"resultType": "complete", **RESULT})
    assert answer["result"] == RESULT


def test_a_wish_of_an_older_host_is_none() -> None:
    book = Book().opened(server=TASK_SERVER, version="2025-06-18")
    call = book.goes_up(1, "tools/call", TASK_CALL)
    assert book.answers(call["id"], created()) == []
    (answer,) = book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert answer["result"] == RESULT


# -- the server's tasks


def test_a_call_becomes_a_task_in_the_words_of_the_host() -> None:
    book = opened()
    more: dict[str, Any] = {"statusMessage": "soon", "ttlMs": 5000, "pollIntervalMs": 250, "_meta": {"a/b": 1}}
    answer = making(book, **more)
    assert answer["result"] == {
        "task": shown(statusMessage="soon", ttl=5000, pollInterval=250),
        "_meta": {"a/b": 1},
    }
    assert not book.waits()
    assert book.timers == {}


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "input_required"])
def test_every_task_begins_as_working(status: str) -> None:
    answer = making(opened(), status=status, statusMessage="of another status")
    assert answer["result"] == {"task": shown()}


def test_what_the_server_does_not_say_of_a_task_is_said_for_it() -> None:
    book = opened()
    call = book.goes_up(1, "tools/call", TASK_CALL)
    (answer,) = book.answers(call["id"], {"resultType": "task", "taskId": ID, "status": "working", "createdAt": 5})
    assert answer["result"]["task"] == shown(createdAt=PRESENT, lastUpdatedAt=PRESENT)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            state(statusMessage="half", ttlMs=1000, pollIntervalMs=0),
            shown(statusMessage="half", ttl=1000, pollInterval=0),
        ),
        (state("input_required", inputRequests={"k": FORM}), shown("input_required")),
        (state("completed", result=RESULT), shown("completed")),
        (state("completed", statusMessage="m", result={**RESULT, "isError": True}), shown("failed")),
        (state("failed", error={"code": 1, "message": "a"}, statusMessage="a"), shown("failed", statusMessage="a")),
        (state("cancelled"), shown("cancelled")),
        (state(ttlMs=1.5, pollIntervalMs="1"), shown()),
        (state(statusMessage=5), shown()),
        ({**state(), "taskId": "another"}, shown()),
    ],
    ids=["working", "input", "completed", "tool-error", "failed", "cancelled", "odd-times", "odd-message", "other-id"],
)
def test_the_host_may_look_at_its_task(said: dict[str, Any], told: dict[str, Any]) -> None:
    book = made()
    look = book.goes_up(2, "tasks/get", NAMED)
    assert look["params"]["taskId"] == ID
    (answer,) = book.answers(look["id"], said)
    assert (answer["id"], answer["result"]) == (2, told)
    assert not book.upgrade.awaits(2)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel"])
def test_an_error_of_the_server_is_passed_on(method: str) -> None:
    book = made()
    (look,) = book.asks(2, method, NAMED)
    (answer,) = book.fails(look["id"], -32602, "Task not found")
    assert (answer["id"], answer["error"]) == (2, {"code": -32602, "message": "Task not found"})


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel"])
def test_what_is_no_task_is_not_shown(method: str) -> None:
    book = made()
    (look,) = book.asks(2, method, NAMED)
    refused(book.answers(look["id"], {"resultType": "complete"}), 2, "wrong-answer")


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
@pytest.mark.parametrize("params", [None, {}, {"taskId": 5}, {"taskId": None}, [], 5])
def test_a_request_must_name_its_task(method: str, params: object) -> None:
    refused(made().asks(2, method, params), 2, "invalid-params", -32602)


def test_the_result_of_a_task_is_waited_for() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    assert book.waits()
    assert book.answers(look["id"], state()) == []
    (answer,) = book.answers(looks(book)["id"], state("completed", result=dict(RESULT, _meta={"a/b": 1})))
    assert answer["id"] == 2
    assert answer["result"] == {**RESULT, "_meta": {"a/b": 1, **ABOUT}}
    assert not book.waits()


def test_the_result_may_be_asked_for_again_and_of_a_task_from_before() -> None:
    book = opened()
    for id_ in (2, 3):
        look = only(book.asks(id_, "tasks/result", NAMED), "up", "tasks/get")
        (answer,) = book.answers(look["id"], state("completed", result=RESULT))
        assert (answer["id"], answer["result"]) == (id_, {**RESULT, "_meta": ABOUT})


def test_two_may_wait_for_one_result() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    assert book.asks(3, "tasks/result", NAMED) == []
    assert book.says("notifications/cancelled", {"requestId": 2}) == []
    assert book.asks(4, "tasks/result", NAMED) == []
    answers = book.answers(look["id"], state("completed", result=RESULT))
    assert [one["id"] for one in answers] == [3, 4]


def test_the_error_of_a_task_is_its_result() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    (answer,) = book.answers(look["id"], state("failed", error={"code": 7, "message": "a"}))
    assert (answer["id"], answer["error"]) == (2, {"code": 7, "message": "a"})


def test_the_result_of_an_unknown_task_is_an_error() -> None:
    book = opened()
    look = only(book.asks(2, "tasks/result", {"taskId": "x"}), "up", "tasks/get")
    sent = book.fails(look["id"], -32602)
    refused(sent, 2, "task-unknown", -32602)
    assert len(sent) == 1


def test_cancelling_the_wait_for_a_result_does_not_cancel_the_task() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    stopped = only(book.says("notifications/cancelled", {"requestId": 2}), "up", "notifications/cancelled")
    assert stopped["params"] == {"requestId": look["id"]}
    assert not book.waits()
    assert book.timers == {}


def test_a_tasks_get_that_the_host_cancels_is_cancelled() -> None:
    book = made()
    look = book.goes_up(2, "tasks/get", NAMED)
    stopped = only(book.says("notifications/cancelled", {"requestId": 2}), "up", "notifications/cancelled")
    assert stopped["params"] == {"requestId": look["id"]}
    assert book.answers(look["id"], state()) == []


def test_a_look_that_the_server_never_took_is_the_hosts_again() -> None:
    book = made()
    look = book.goes_up(2, "tasks/get", NAMED)
    (request,) = book.upgrade.reroute(look["id"])
    assert request.id == 2
    assert not book.upgrade.awaits(2)


# -- questions


def test_questions_come_to_who_waits_for_the_result_and_say_of_which_task() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    params: Any = FORM["params"]
    form = {**FORM, "params": {**params, "_meta": {"a/b": 1}}}
    question, other = book.answers(look["id"], state("input_required", inputRequests={"k": form, "r": ROOTS}))
    assert question["params"] == {**params, "_meta": {"a/b": 1, **ABOUT}}
    assert other["params"] == {"_meta": ABOUT}
    assert book.replies(question["id"], {**ACCEPTED, "_meta": ABOUT}) == []
    update = only(book.replies(other["id"], LISTED), "up", "tasks/update")
    assert update["params"]["inputResponses"] == {"k": {**ACCEPTED, "_meta": ABOUT}, "r": LISTED}


def test_only_questions_without_an_answer_are_asked_the_next_one_who_waits() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    (question,) = book.answers(look["id"], state("input_required", inputRequests={"k": FORM}))
    book.replies(question["id"], ACCEPTED)
    (other,) = book.answers(looks(book)["id"], state("input_required", inputRequests={"k": FORM, "r": ROOTS}))
    withdrawn = only(book.says("notifications/cancelled", {"requestId": 2}), "down", "notifications/cancelled")
    assert withdrawn["params"]["requestId"] == other["id"]
    look = only(book.asks(3, "tasks/result", NAMED), "up", "tasks/get")
    again = only(
        book.answers(look["id"], state("input_required", inputRequests={"k": FORM, "r": ROOTS})), "down", "roots/list"
    )
    assert again["id"] != other["id"]


def test_a_question_that_the_host_refuses_ends_the_wait_and_not_the_task() -> None:
    book = made()
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    (question,) = book.answers(look["id"], state("input_required", inputRequests={"k": FORM}))
    sent = book.replies(question["id"], 5)
    refused(sent, 2, "unanswered")
    assert len(sent) == 1


def test_progress_of_a_task_says_of_which() -> None:
    book = opened()
    making(book, params={**TASK_CALL, "_meta": {"progressToken": 0}})
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    (told,) = book.answers(look["id"], state(statusMessage="half"))
    assert told["params"] == {"progressToken": 0, "progress": 1, "message": "half", "_meta": ABOUT}


# -- cancelling


def test_a_task_that_is_cancelled_stays_so() -> None:
    book = made()
    only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    look = book.goes_up_first(3, "tasks/cancel", NAMED, "tasks/get")
    cancel = only(book.answers(look["id"], state(statusMessage="half")), "up", "tasks/cancel")
    assert cancel["params"]["taskId"] == ID
    sent = book.answers(cancel["id"], {"resultType": "complete"})
    down = [one for one in sent if one.way == "down"]
    refused(down[:1], 2, "task-cancelled")
    assert (down[1]["id"], down[1]["result"]) == (3, shown("cancelled"))
    look = book.goes_up(4, "tasks/get", NAMED)
    (answer,) = book.answers(look["id"], state("completed", result=RESULT))
    assert answer["result"] == shown("cancelled")
    refused(book.asks(5, "tasks/result", NAMED), 5, "task-cancelled")
    look = book.goes_up_first(6, "tasks/cancel", NAMED, "tasks/get")
    refused(book.answers(look["id"], state()), 6, "task-over", -32602)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_task_that_is_over_cannot_be_cancelled(status: str) -> None:
    book = made()
    look = book.goes_up_first(2, "tasks/cancel", NAMED, "tasks/get")
    refused(book.answers(look["id"], state(status)), 2, "task-over", -32602)


def test_a_task_that_the_server_does_not_cancel_is_not_cancelled() -> None:
    book = made()
    look = book.goes_up_first(2, "tasks/cancel", NAMED, "tasks/get")
    cancel = only(book.answers(look["id"], state()), "up", "tasks/cancel")
    (answer,) = book.fails(cancel["id"], -32000, "no", **own_error("unreachable"))
    assert answer["error"]["code"] == -32000
    look = book.goes_up(3, "tasks/get", NAMED)
    (answer,) = book.answers(look["id"], state())
    assert answer["result"] == shown()


# -- results that came at once


def test_a_call_that_is_answered_at_once_is_a_task_that_is_over() -> None:
    book = opened()
    task = kept(book)
    times = {"createdAt": PRESENT, "lastUpdatedAt": PRESENT}
    assert task == {"taskId": task["taskId"], "status": "working", **times, "ttl": 600_000}
    named = {"taskId": task["taskId"]}
    (answer,) = book.asks(2, "tasks/get", named)
    assert answer["result"] == {**task, "status": "completed"}
    for id_ in (3, 4):
        (answer,) = book.asks(id_, "tasks/result", named)
        assert answer["result"] == {**RESULT, "_meta": {RELATED: named}}
    refused(book.asks(5, "tasks/cancel", named), 5, "task-over", -32602)
    assert not book.waits()
    assert not book.upgrade.awaits(1)


def test_a_tool_that_failed_at_once_is_a_task_that_failed() -> None:
    book = opened()
    task = kept(book, {**RESULT, "isError": True})
    (answer,) = book.asks(2, "tasks/get", {"taskId": task["taskId"]})
    assert answer["result"]["status"] == "failed"


def test_an_error_at_once_makes_no_task() -> None:
    book = opened()
    call = book.goes_up(1, "tools/call", TASK_CALL)
    (answer,) = book.fails(call["id"], -32602, "Unknown tool")
    assert answer["error"] == {"code": -32602, "message": "Unknown tool"}
    assert book.timers == {}


@pytest.mark.parametrize(
    ("ttl", "told"),
    [(5000, 5000), (10**9, 600_000), (0, 0), (-1, 600_000), ("a", 600_000), (None, 600_000), (10**400, 600_000)],
    ids=["short", "long", "zero", "negative", "text", "null", "huge"],
)
def test_a_result_is_kept_for_its_time(ttl: object, told: int) -> None:
    book = opened(is_strict=False)
    task = kept(book, ttl=ttl)
    assert task["ttl"] == told
    assert list(book.timers.values()) == [told / 1000]
    assert book.fires("kept-task") == []
    only(book.asks(2, "tasks/get", {"taskId": task["taskId"]}), "up", "tasks/get")


def test_only_so_many_results_are_kept() -> None:
    book = opened()
    tasks = [kept(book, id_=id_) for id_ in range(101)]
    assert len(book.timers) == 100
    only(book.asks("old", "tasks/get", {"taskId": tasks[0]["taskId"]}), "up", "tasks/get")
    (answer,) = book.asks("new", "tasks/get", {"taskId": tasks[1]["taskId"]})
    assert "result" in answer.body


def test_only_so_many_octets_are_kept() -> None:
    book = opened(is_strict=False)
    large = {"content": [{"type": "text", "text": "x" * (20 << 20)}]}
    tasks = [kept(book, large, id_) for id_ in range(2)]
    only(book.asks("old", "tasks/get", {"taskId": tasks[0]["taskId"]}), "up", "tasks/get")
    (answer,) = book.asks("new", "tasks/get", {"taskId": tasks[1]["taskId"]})
    assert "result" in answer.body


def test_the_arguments_of_a_call_are_not_kept_with_its_task() -> None:
    book = opened()
    making(book, params={**TASK_CALL, "arguments": {"a": "x" * 100_000}})
    assert len(book.upgrade._tasks._known[ID].request.line) < 100
    look = only(book.asks(2, "tasks/result", NAMED), "up", "tasks/get")
    assert 'the tool "pay"' in refused(book.answers(look["id"], state("cancelled")), 2, "task-cancelled")


def test_only_so_many_tasks_are_remembered() -> None:
    book = opened(is_strict=False)
    only(book.asks("waits", "tasks/result", {"taskId": "kept"}), "up", "tasks/get")
    for number in range(1500):
        call = book.goes_up(number, "tools/call", TASK_CALL)
        book.answers(call["id"], created(taskId=f"t{number}"))
    assert len(book.upgrade._tasks._known) == 1000
    assert "kept" in book.upgrade._tasks._known


def test_a_host_that_opens_again_is_asked_only_what_it_declares_now() -> None:
    book = made()
    again = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "second", "version": "1"}}
    (discover,) = book.asks("again", "initialize", again)
    book.answers(discover["id"], discovered(TASK_SERVER))
    look = book.goes_up_first(2, "tasks/result", NAMED, "tasks/get")
    assert look.meta[META_CLIENT]["name"] == "second"
    (answer,) = book.answers(look["id"], state("input_required", inputRequests={"a": ROOTS}))
    assert answer.error["data"]["kind"] == "not-declared"
