"""Calls that a modern server makes tasks (SEP-2663), for a legacy host that asked for none."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bridge.protocol import jsonrpc
from tests.translate.test_upgrade_input_required import ACCEPTED, CALL, FORM, LISTED, PAGE, ROOTS, wants
from tests.translate.upgrade_book import META_CAPABILITIES, RELATED, TASK_SERVER, TASKS, Book, Sent, line, result_line

ID = "786512e2"
RESULT: dict[str, Any] = {"content": [{"type": "text", "text": "done"}]}
OWN = "mcp-remote-bridge"


def state(status: str = "working", **more: Any) -> dict[str, Any]:
    """What `tasks/get` tells."""
    times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:01Z"}
    return {"resultType": "complete", "taskId": ID, "status": status, **times, "ttlMs": None, **more}


def created(**more: Any) -> dict[str, Any]:
    """How a call becomes a task."""
    return {**state(), "resultType": "task", **more}


def only(sent: list[Sent], way: str, method: str) -> Sent:
    """The only thing that was sent, a message of this method."""
    (one,) = sent
    assert (one.way, one["method"]) == (way, method)
    return one


def refused(sent: list[Sent], id_: object, kind: str, code: int = -32603) -> str:
    """The sentence of an error of the bridge's own, the only thing that the host was told."""
    (answer,) = [one for one in sent if one.way == "down"]
    assert (answer["id"], answer.error["code"], answer.error["data"]["kind"]) == (id_, code, kind)
    message: str = answer.error["message"]
    assert message.endswith(".")
    return message


def running(book: Book, id_: object = 1, params: dict[str, Any] | None = None, **more: Any) -> None:
    """A call became a task; it will be looked at after a pause."""
    call = book.goes_up(id_, "tools/call", CALL if params is None else params)
    assert book.answers(call["id"], created(**more)) == []


def looks(book: Book) -> Sent:
    """The pause is over: the task is looked at."""
    return only(book.fires("task"), "up", "tasks/get")


def opened(**more: Any) -> Book:
    return Book(**more).opened(server=TASK_SERVER)


def test_only_a_server_with_the_extension_is_told_that_calls_may_become_tasks() -> None:
    def declared(book: Book) -> object:
        call = book.goes_up(1, "tools/call", CALL)
        return call.meta[META_CAPABILITIES].get("extensions")

    assert declared(opened()) == {TASKS: {}}
    assert declared(Book().opened()) is None


def test_the_other_extensions_of_the_host_are_said_still() -> None:
    book = Book().opened(host={"extensions": {"a/b": {"c": 1}}}, server=TASK_SERVER)
    call = book.goes_up(1, "tools/call", CALL)
    assert call.meta[META_CAPABILITIES] == {"extensions": {"a/b": {"c": 1}, TASKS: {}}}


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
def test_a_call_is_answered_at_the_end_of_its_task(version: str) -> None:
    book = Book().opened(server=TASK_SERVER, version=version)
    running(book)
    assert book.waits()
    assert book.upgrade.awaits(1)
    look = looks(book)
    assert look["params"]["taskId"] == ID
    assert book.answers(look["id"], state()) == []
    look = looks(book)
    (answer,) = book.answers(look["id"], state("completed", result={"resultType": "complete", **RESULT}))
    assert (answer["id"], answer["result"]) == (1, RESULT)
    assert not book.waits()
    assert not book.upgrade.awaits(1)
    assert book.timers == {}


def test_the_result_of_a_task_is_made_valid_like_any_other() -> None:
    book = opened()
    running(book)
    (answer,) = book.answers(looks(book)["id"], state("completed", result={"structuredContent": [1]}))
    assert answer["result"] == {"content": [{"type": "text", "text": "[1]"}]}


def test_the_result_of_a_task_keeps_its_octets() -> None:
    book = opened(is_strict=False)
    running(book)
    content = '[{"type":"text",  "text":"\\u00e9", "n":1e400}]'
    said = f'{{"taskId":"{ID}","status":"completed","result":{{"content":{content}}}}}'
    (answer,) = book.server(result_line(looks(book)["id"], said))
    assert b'"content":%b' % content.encode() in answer.line


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 1.0),
        ({"pollIntervalMs": 5000}, 5.0),
        ({"pollIntervalMs": 0}, 0.1),
        ({"pollIntervalMs": 99}, 0.1),
        ({"pollIntervalMs": 86_400_000}, 60.0),
        ({"pollIntervalMs": -1}, 1.0),
        ({"pollIntervalMs": 10**400}, 1.0),
        ({"pollIntervalMs": "5000"}, 1.0),
        ({"pollIntervalMs": None}, 1.0),
    ],
    ids=["none", "five-seconds", "zero", "short", "a-day", "negative", "huge", "text", "null"],
)
def test_a_task_is_looked_at_as_often_as_the_server_likes_within_reason(said: dict[str, Any], seconds: float) -> None:
    book = opened()
    running(book, **said)
    assert list(book.timers.values()) == [seconds]
    book.answers(looks(book)["id"], state(**said))
    assert list(book.timers.values()) == [seconds]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "input_required"])
def test_a_task_that_begins_otherwise_is_looked_at_at_once(status: str) -> None:
    book = opened()
    call = book.goes_up(1, "tools/call", CALL)
    only(book.answers(call["id"], created(status=status)), "up", "tasks/get")


def test_the_error_of_a_failed_task_is_the_answer() -> None:
    book = opened()
    running(book)
    error = {"code": -32050, "message": "API rate limit", "data": [1]}
    (answer,) = book.answers(looks(book)["id"], state("failed", error=error, statusMessage="no"))
    assert (answer["id"], answer["error"]) == (1, error)


@pytest.mark.parametrize("error", [None, 5, {}, {"code": "a"}, [], {"message": "a"}])
def test_a_failed_task_without_an_error_fails_all_the_same(error: object) -> None:
    book = opened()
    running(book)
    said = state("failed", error=error, statusMessage="API rate limit")
    words = 'failed; the server said: "API rate limit".'
    assert words in refused(book.answers(looks(book)["id"], said), 1, "task-failed")


def test_a_cancelled_task_is_an_error() -> None:
    book = opened()
    running(book)
    sent = book.answers(looks(book)["id"], state("cancelled", statusMessage="by the owner"))
    assert 'was cancelled; the server said: "by the owner".' in refused(sent, 1, "task-cancelled")
    assert len(sent) == 1


@pytest.mark.parametrize(
    "result", [None, 5, [], "a", {"resultType": "task", "taskId": "b"}, {"resultType": "input_required"}]
)
def test_a_completed_task_without_a_tools_result_is_an_error(result: object) -> None:
    book = opened()
    running(book)
    refused(book.answers(looks(book)["id"], state("completed", result=result)), 1, "wrong-answer")


def test_a_task_that_the_server_does_not_know_ends() -> None:
    book = opened()
    running(book)
    sent = book.fails(looks(book)["id"], -32602, "Task not found")
    assert "Call the tool again" in refused(sent, 1, "task-unknown")
    assert len(sent) == 1
    assert not book.waits()


def test_a_task_past_its_time_ends() -> None:
    book = opened()
    running(book, ttlMs=2500, pollIntervalMs=1000)
    for _ in range(2):
        assert book.answers(looks(book)["id"], state(ttlMs=2500)) == []
    sent = book.answers(looks(book)["id"], state(ttlMs=2500))
    assert "2.5 s" in refused(sent, 1, "task-expired")
    only(sent[1:], "up", "tasks/cancel")


def test_the_time_of_a_task_may_be_made_longer() -> None:
    book = opened()
    running(book, ttlMs=500)
    assert book.answers(looks(book)["id"], state(ttlMs=60_000)) == []
    assert book.waits()


# -- trouble


def own_error(kind: str, **more: Any) -> dict[str, Any]:
    return {"data": {"source": OWN, "kind": kind, "url": "https://a.example/mcp", **more}}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-32000, own_error("unreachable")),
        (-32000, own_error("no-answer")),
        (-32000, own_error("outcome-unknown")),
        (-32000, own_error("timeout")),
        (-32000, own_error("rate-limited", status=429)),
        (-32000, own_error("http-status", status=502)),
        (-32603, {}),
        (-32603, {"data": "trace"}),
    ],
    ids=["unreachable", "no-answer", "outcome", "timeout", "rate", "status", "internal", "internal-with-data"],
)
def test_a_look_that_fails_is_tried_again(code: int, error: dict[str, Any]) -> None:
    book = opened()
    running(book)
    pauses: list[float] = []
    for _ in range(5):
        assert book.fails(looks(book)["id"], code, "no", **error) == []
        pauses += book.timers.values()
    assert pauses == [1, 2, 4, 8, 16]
    answer, cancel = book.fails(looks(book)["id"], code, "no", **error)
    assert (answer["id"], answer.error) == (1, {"code": code, "message": "no", **error})
    only([cancel], "up", "tasks/cancel")


def test_only_failures_in_a_row_count() -> None:
    book = opened()
    running(book)
    for _ in range(20):
        assert book.fails(looks(book)["id"], -32603) == []
        assert book.answers(looks(book)["id"], state()) == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-32000, own_error("unauthorized")),
        (-32000, own_error("http-status", status=404)),
        (-32000, own_error("shutdown")),
        (-32000, {}),
        (-32601, {}),
        (-32021, {"data": {"requiredCapabilities": {}}}),
    ],
)
def test_a_look_that_will_not_go_better_ends_the_call(code: int, error: dict[str, Any]) -> None:
    book = opened()
    running(book)
    answer, _ = book.fails(looks(book)["id"], code, "no", **error)
    assert (answer["id"], answer.error["code"]) == (1, code)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"taskId": ID},
        {"status": "working"},
        {"taskId": 5, "status": "working"},
        {"taskId": ID, "status": "paused"},
        {"taskId": ID, "status": ["working"]},
        {"taskId": "x" * 3000, "status": "working"},
    ],
    ids=["empty", "no-status", "no-id", "id-number", "status", "status-list", "long-id"],
)
def test_what_is_no_task_ends_the_call(said: dict[str, Any]) -> None:
    book = opened(is_strict=False)
    call = book.goes_up(1, "tools/call", CALL)
    refused(book.answers(call["id"], {"resultType": "task", **said}), 1, "wrong-answer")
    running(book)
    refused(book.answers(looks(book)["id"], said), 1, "wrong-answer")


@pytest.mark.parametrize("result", ["5", "null", "[]", '"a"', '{"status":1e400}', '{"taskId":"\\ud800","status":5}'])
def test_hostile_states_end_the_call(result: str) -> None:
    book = opened(is_strict=False)
    running(book)
    refused(book.server(result_line(looks(book)["id"], result)), 1, "wrong-answer")


def test_without_the_extension_a_task_is_no_answer() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    assert "task" in refused(book.answers(call["id"], created()), 1, "wrong-answer")


@pytest.mark.parametrize("method", ["tools/list", "prompts/get", "resources/read"])
def test_only_a_call_may_become_a_task(method: str) -> None:
    book = opened(is_strict=False)
    call = book.goes_up(1, method, {"name": "a", "uri": "a:b"})
    refused(book.answers(call["id"], created()), 1, "wrong-answer")


# -- the host takes it back


def test_cancelling_the_call_cancels_the_task() -> None:
    book = opened()
    running(book)
    cancel = only(book.says("notifications/cancelled", {"requestId": 1, "reason": "late"}), "up", "tasks/cancel")
    assert cancel["params"]["taskId"] == ID
    assert not book.waits()
    assert book.timers == {}
    assert book.answers(cancel["id"], {"resultType": "complete"}) == []


def test_cancelling_also_cancels_the_tasks_get_and_the_questions() -> None:
    book = opened()
    running(book)
    (question,) = book.answers(looks(book)["id"], state("input_required", inputRequests={"k": FORM}))
    look = looks(book)
    withdrawn, stopped, cancel = sorted(
        book.says("notifications/cancelled", {"requestId": 1}), key=lambda one: (one.way, one["method"])
    )
    assert (withdrawn.way, withdrawn["params"]["requestId"]) == ("down", question["id"])
    assert (stopped["method"], stopped["params"]) == ("notifications/cancelled", {"requestId": look["id"]})
    assert cancel["method"] == "tasks/cancel"
    assert book.replies(question["id"], ACCEPTED) == []
    assert book.answers(look["id"], state("completed", result=RESULT)) == []


def test_a_new_session_and_the_end_fail_what_waits() -> None:
    book = opened()
    running(book)
    sent = book.asks("again", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    refused(sent, 1, "reopened", -32600)
    assert [one["method"] for one in sent if one.way == "up"] == ["tasks/cancel", "server/discover"]
    book = opened()
    running(book)
    refused(book.closes(), 1, "shutdown", -32000)
    assert not book.waits()


def test_a_look_that_the_server_never_took_is_tried_again() -> None:
    book = opened()
    running(book)
    look = looks(book)
    assert book.upgrade.reroute(look["id"]) == []
    assert book.take() == []
    looks(book)


def test_looks_that_are_never_taken_end() -> None:
    book = opened()
    running(book)
    for _ in range(6):
        book.upgrade.reroute(looks(book)["id"])
    refused(book.take(), 1, "no-answer", -32000)


# -- questions


def asked(book: Book, requests: dict[str, Any]) -> list[Sent]:
    """The next look tells of these questions."""
    return book.answers(looks(book)["id"], state("input_required", inputRequests=requests))


def test_a_question_of_a_task_goes_to_the_host_and_its_answer_up_by_itself() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"name": FORM})
    assert (question["method"], question["params"]) == ("elicitation/create", FORM["params"])
    update = only(book.replies(question["id"], ACCEPTED), "up", "tasks/update")
    assert update["params"]["taskId"] == ID
    assert update["params"]["inputResponses"] == {"name": ACCEPTED}
    assert book.answers(update["id"], {"resultType": "complete"}) == []
    (answer,) = book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert answer["id"] == 1


def test_each_question_is_asked_once() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"name": FORM})
    assert asked(book, {"name": FORM}) == []
    book.replies(question["id"], ACCEPTED)
    assert asked(book, {"name": FORM}) == []
    (other,) = asked(book, {"name": FORM, "roots": ROOTS})
    assert other["method"] == "roots/list"
    update = only(book.replies(other["id"], LISTED), "up", "tasks/update")
    assert update["params"]["inputResponses"] == {"roots": LISTED}


def test_questions_of_two_looks_may_be_open_at_once() -> None:
    book = opened()
    running(book)
    (one,) = asked(book, {"a": FORM})
    (two,) = asked(book, {"a": FORM, "b": ROOTS})
    assert only(book.replies(two["id"], LISTED), "up", "tasks/update")["params"]["inputResponses"] == {"b": LISTED}
    assert only(book.replies(one["id"], ACCEPTED), "up", "tasks/update")["params"]["inputResponses"] == {"a": ACCEPTED}


def test_rounds_come_before_the_task() -> None:
    book = opened()
    call = book.goes_up(1, "tools/call", CALL)
    (question,) = book.answers(call["id"], wants({"k": FORM}))
    again = only(book.replies(question["id"], ACCEPTED), "up", "tools/call")
    assert book.answers(again["id"], created()) == []
    (other,) = asked(book, {"k": FORM})
    assert other["id"] != question["id"]


def test_questions_are_withdrawn_when_the_task_ends_without_them() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"k": FORM})
    withdrawn, answer = book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert (withdrawn["method"], withdrawn["params"]["requestId"]) == ("notifications/cancelled", question["id"])
    assert answer["result"] == RESULT


def test_a_page_is_closed_when_the_task_is_over() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"k": PAGE})
    book.replies(question["id"], {"action": "accept"})
    answer, closed = book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert answer["id"] == 1
    assert closed["method"] == "notifications/elicitation/complete"
    assert closed["params"] == {"elicitationId": question["params"]["elicitationId"]}


def test_a_question_that_the_host_refuses_ends_the_task() -> None:
    book = opened()
    running(book)
    (question, other) = asked(book, {"k": FORM, "r": ROOTS})
    sent = book.host(line(id=question["id"], error={"code": -1, "message": "no user"}))
    withdrawn, answer, cancel = sent
    assert withdrawn["params"]["requestId"] == other["id"]
    assert "no user" in refused([answer], 1, "unanswered")
    only([cancel], "up", "tasks/cancel")


def test_a_question_that_the_host_cannot_answer_ends_the_task() -> None:
    book = Book().opened(host={}, server=TASK_SERVER)
    running(book)
    answer, cancel = asked(book, {"k": FORM})
    assert answer.error["data"]["requiredCapabilities"] == {"elicitation": {"form": {}}}
    only([cancel], "up", "tasks/cancel")


@pytest.mark.parametrize("requests", [{"k": {"method": "ping"}}, {"k": 5}, {str(n): ROOTS for n in range(65)}])
def test_questions_that_are_none_end_the_task(requests: dict[str, Any]) -> None:
    book = opened()
    running(book)
    refused(asked(book, requests), 1, "wrong-answer")


@pytest.mark.parametrize("requests", [None, 5, [], {}])
def test_a_task_that_wants_input_but_asks_nothing_is_looked_at_again(requests: object) -> None:
    book = opened()
    running(book)
    assert asked(book, requests) == []  # type: ignore[arg-type]
    looks(book)


def test_a_task_may_only_ask_so_much() -> None:
    book = opened()
    running(book)
    names = (str(number) for number in itertools.count())
    for _ in range(4):
        assert len(asked(book, {next(names): ROOTS for _ in range(64)})) == 64
    refused([one for one in asked(book, {next(names): ROOTS}) if "error" in one.body], 1, "rounds")


def test_answers_that_did_not_arrive_are_sent_again_with_the_next_look() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"k": FORM})
    for _ in range(5):
        sent = asked(book, {"k": FORM}) if question is None else book.replies(question["id"], ACCEPTED)
        question = None  # type: ignore[assignment]
        update = only(sent, "up", "tasks/update")
        assert update["params"]["inputResponses"] == {"k": ACCEPTED}
        assert book.fails(update["id"], -32000, "no", **own_error("outcome-unknown")) == []
    update = only(asked(book, {"k": FORM}), "up", "tasks/update")
    answer, _ = book.fails(update["id"], -32000, "no", **own_error("outcome-unknown"))
    assert answer["id"] == 1


def test_answers_that_the_server_refuses_end_the_call() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"k": FORM})
    update = only(book.replies(question["id"], ACCEPTED), "up", "tasks/update")
    answer, _ = book.fails(update["id"], -32602, "no such key")
    assert answer.error["message"] == "no such key"
    assert not book.waits()


def test_answers_refused_after_the_end_change_nothing() -> None:
    book = opened()
    running(book)
    (question,) = asked(book, {"k": FORM})
    update = only(book.replies(question["id"], ACCEPTED), "up", "tasks/update")
    book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert book.fails(update["id"], -32602) == []


# -- progress

TOKEN_CALL = {**CALL, "_meta": {"progressToken": "t"}}


def test_what_a_task_says_of_itself_is_told_as_progress_that_increases() -> None:
    book = opened()
    call = book.goes_up(1, "tools/call", TOKEN_CALL)
    (told,) = book.server(
        line(method="notifications/progress", params={"progressToken": "t", "progress": 7.5}), call["id"]
    )
    assert told["params"]["progress"] == 7.5
    book.answers(call["id"], created())
    heard = []
    for message in ["one", "one", "two"]:
        heard += book.answers(looks(book)["id"], state(statusMessage=message))
    assert [one["method"] for one in heard] == ["notifications/progress"] * 2
    assert [one["params"] for one in heard] == [
        {"progressToken": "t", "progress": 8, "message": "one"},
        {"progressToken": "t", "progress": 9, "message": "two"},
    ]


def test_a_task_that_says_nothing_is_kept_alive_where_that_is_asked_for() -> None:
    book = opened()
    book.keep_alive = 15.0
    running(book, params=TOKEN_CALL)
    heard = []
    for message in [None, None, "one", "one", None]:
        book.now += 10.0
        heard += book.answers(looks(book)["id"], state() if message is None else state(statusMessage=message))
    told = [(one["params"]["progress"], one["params"]["message"].partition(" (")[0]) for one in heard]
    assert told == [(1, "Still waiting for the server"), (2, "one"), (3, "Still waiting for the server")]


def test_a_request_that_did_not_ask_for_progress_gets_none() -> None:
    for params in (CALL, {**CALL, "_meta": {"progressToken": [1]}}, {**CALL, "_meta": {"progressToken": None}}):
        book = opened(is_strict=False)
        running(book, params=params)
        assert book.answers(looks(book)["id"], state(statusMessage="one")) == []


@pytest.mark.parametrize("progress", ["1e400", "9e300", '"a"', "[]", "null"])
def test_odd_progress_before_a_task_does_no_harm(progress: str) -> None:
    book = opened(is_strict=False)
    call = book.goes_up(1, "tools/call", TOKEN_CALL)
    note = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":%s}}'
    book.upgrade.from_server(jsonrpc.parse((note % progress).encode()), call["id"])
    book.take()
    book.answers(call["id"], created())
    told = book.answers(looks(book)["id"], state(statusMessage="one"))
    assert [one["params"]["progress"] for one in told] == ([] if "e" in progress else [1])


def test_nothing_of_a_hidden_task_is_shown() -> None:
    book = opened()
    running(book, params=TOKEN_CALL)
    sent = book.answers(
        looks(book)["id"], state("input_required", statusMessage="ask", inputRequests={"k": FORM, "r": ROOTS})
    )
    sent += book.answers(looks(book)["id"], state("completed", result=RESULT))
    assert len(sent) == 6
    for one in sent:
        assert RELATED.encode() not in one.line
        assert ID.encode() not in one.line
