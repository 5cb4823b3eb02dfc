"""A legacy server's own requests, asked of a modern host: rounds, retries, what is refused, what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.translate.downgrade_book import ABLE, ACCEPTED, FORM, LOG_LEVEL, SAID, SAMPLE, Book, Json, fault, line, put

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


# -- one question


def test_a_question_ends_the_hosts_request_and_its_retry_brings_the_answer() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    assert not book.downgrade.awaits(1)
    assert list(book.timers.values()) == [1800.0]
    down, up = book.retries(2, state, {key: ACCEPTED})
    assert down == []
    assert up == [{"jsonrpc": "2.0", "id": "q", "result": ACCEPTED}]
    assert book.timers == {}
    assert book.downgrade.awaits(2)
    down, up = book.answers(upper, SAID)
    assert (down[0]["id"], down[0]["result"]["content"]) == (2, SAID["content"])
    assert up == []


@pytest.mark.parametrize(
    ("method", "params", "response"),
    [
        ("roots/list", None, ROOTS),
        ("roots/list", {"_meta": {"progressToken": 1}}, ROOTS),
        ("sampling/createMessage", SAMPLE, SAMPLED),
        ("sampling/createMessage", {**SAMPLE, "tools": [], "toolChoice": {"mode": "auto"}}, SAMPLED),
        ("elicitation/create", FORM, {"action": "decline"}),
        ("elicitation/create", {"mode": "form", **FORM}, ACCEPTED),
        ("elicitation/create", {"mode": "url", "elicitationId": "e", **URL}, {"action": "accept"}),
        ("elicitation/create", {**FORM, "task": {"ttl": 1}, "_meta": {"a/b": 1}}, ACCEPTED),
    ],
    ids=["roots", "roots-meta", "sampling", "tools", "form", "form-mode", "url", "task"],
)
def test_each_kind_of_request_is_asked_without_what_the_host_does_not_know(
    method: str, params: Json | None, response: Json
) -> None:
    book = Book().opened()
    upper = book.calls(1)
    down, _ = book.asks(0, method, params, upper)
    state, inputs = put(down, 1)
    ((key, entry),) = inputs.items()
    kept = {name: value for name, value in (params or {}).items() if name not in ("task", "_meta", "elicitationId")}
    assert entry == ({"method": method, "params": kept} if kept else {"method": method})
    _, up = book.retries(2, state, {key: response})
    assert up == [{"jsonrpc": "2.0", "id": 0, "result": response}]


@pytest.mark.parametrize("method", ["prompts/get", "resources/read"])
def test_prompts_and_resources_may_ask_too(method: str) -> None:
    book = Book().opened()
    params = {"name": "p"} if method == "prompts/get" else {"uri": "a://b"}
    _, (call,) = book.host(1, method, params)
    state, key = asked(book, call["id"])
    _, up = book.host(2, method, {**params, "requestState": state, "inputResponses": {key: ACCEPTED}})
    assert up[0]["id"] == "q"


def test_params_that_need_no_change_are_asked_byte_for_byte() -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    params = b'{ "message":"\\u00e9", "x" : 1e400, "requestedSchema":{"type":"object","properties":{}} }'
    book.server_line(b'{"jsonrpc":"2.0","id":5,"method":"elicitation/create","params":%b}' % params, upper)
    assert b'"params":%b}' % params in book.lines[-1]


# -- more than one


def test_a_question_that_comes_while_the_host_is_away_is_asked_when_it_is_back() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    assert book.asks("r", "roots/list", None, upper) == ([], [])
    assert book.asks("s", "sampling/createMessage", SAMPLE, upper) == ([], [])
    down, up = book.retries(2, state, {key: ACCEPTED})
    assert [answer["id"] for answer in up] == ["q"]
    state, inputs = put(down, 2)
    assert sorted(entry["method"] for entry in inputs.values()) == ["roots/list", "sampling/createMessage"]
    keys = {entry["method"]: key for key, entry in inputs.items()}
    down, up = book.retries(3, state, {keys["sampling/createMessage"]: SAMPLED, keys["roots/list"]: ROOTS})
    assert down == []
    assert {answer["id"]: answer["result"] for answer in up} == {"r": ROOTS, "s": SAMPLED}


def test_questions_one_after_the_other() -> None:
    book = Book().opened()
    upper = book.calls(1)
    for number in range(1, 6):
        state, key = asked(book, upper, f"q{number}", number)
        _, up = book.retries(number + 1, state, {key: ACCEPTED})
        assert [answer["id"] for answer in up] == [f"q{number}"]
    assert book.answers(upper, SAID)[0][0]["id"] == 6


@pytest.mark.parametrize("response", [None, "x", [], 3], ids=["null", "text", "list", "number"])
def test_what_the_host_leaves_out_is_asked_again(response: object) -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    down, up = book.retries(2, state, {key: response, "other": ACCEPTED})
    assert up == []
    again, inputs = put(down, 2)
    assert again != state
    assert list(inputs) == [key]
    _, up = book.retries(3, again, {key: ACCEPTED})
    assert up[0]["result"] == ACCEPTED


def test_two_calls_ask_at_the_same_time() -> None:
    book = Book().opened()
    first, second = book.calls(1, "pay"), book.calls(2, "send")
    state_one, key_one = asked(book, first, "q1", 1)
    state_two, key_two = asked(book, second, "q2", 2)
    _, up = book.retries(3, state_two, {key_two: ACCEPTED}, "send")
    assert up[0]["id"] == "q2"
    assert book.answers(second, SAID)[0][0]["id"] == 3
    _, up = book.retries(4, state_one, {key_one: ACCEPTED}, "pay")
    assert up[0]["id"] == "q1"
    assert book.answers(first, SAID)[0][0]["id"] == 4


def test_a_question_without_a_call_is_asked_of_the_newest_that_may_ask() -> None:
    book = Book().opened()
    book.calls(1, "old")
    newer = book.calls(2, "new")
    book.host(3, "tools/list")
    asked(book, None, "q1", 2)
    asked(book, None, "q2", 1)
    assert book.asks("q3", "elicitation/create", FORM) == ([], [])
    assert newer


def test_a_question_on_the_stream_of_a_call_that_may_not_ask_is_refused() -> None:
    book = Book().opened()
    book.calls(1)
    _, (listing,) = book.host(2, "tools/list")
    down, (answer,) = book.asks("q", "elicitation/create", FORM, listing["id"])
    assert down == []
    assert answer["error"]["code"] == -32601


def test_questions_about_one_call_have_a_limit() -> None:
    book = Book().opened()
    upper = book.calls(1)
    asked(book, upper, 0)
    for number in range(1, 64):
        assert book.asks(number, "roots/list", None, upper) == ([], [])
    _, (answer,) = book.asks(64, "roots/list", None, upper)
    assert answer["id"] == 64
    assert answer["error"]["code"] == -32000


# -- what the host did not declare


@pytest.mark.parametrize(
    ("able", "method", "params"),
    [
        ({}, "roots/list", None),
        ({}, "sampling/createMessage", SAMPLE),
        ({"sampling": {}}, "sampling/createMessage", {**SAMPLE, "tools": []}),
        ({"roots": {}}, "elicitation/create", FORM),
        ({"elicitation": {"url": {}}}, "elicitation/create", FORM),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url", "elicitationId": "e", **URL}),
        ({"elicitation": {"form": {}}}, "elicitation/create", {"mode": "url", "elicitationId": "e", **URL}),
        (ABLE, "tasks/list", None),
    ],
    ids=["roots", "sampling", "sampling-tools", "elicitation", "form", "url", "only-form", "tasks"],
)
def test_what_the_host_cannot_answer_is_refused_and_the_call_goes_on(
    able: Json, method: str, params: Json | None
) -> None:
    book = Book(able, is_strict=method != "tasks/list").opened()
    upper = book.calls(1)
    down, (answer,) = book.asks(9, method, params, upper)
    assert down == []
    assert (answer["id"], answer["error"]["code"]) == (9, -32601)
    assert book.answers(upper, SAID)[0][0]["id"] == 1


def test_an_empty_elicitation_capability_means_forms() -> None:
    book = Book({"elicitation": {}}).opened()
    asked(book, book.calls(1))


@pytest.mark.parametrize("params", [None, [], "x"])
def test_a_question_without_params_is_refused(params: Any) -> None:
    book = Book(is_strict=False).opened()
    upper = book.calls(1)
    _, (answer,) = book.server_line(line(id=1, method="sampling/createMessage", params=params), upper)
    assert answer["error"]["code"] == -32602


# -- the answer comes meanwhile


def test_an_answer_that_comes_while_the_host_is_away_is_kept_for_it() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    book.asks("r", "roots/list", None, upper)
    assert book.answers(upper, SAID) == ([], [])
    down, up = book.retries(2, state, {key: ACCEPTED})
    assert [answer["id"] for answer in up] == ["q"]
    assert (down[0]["id"], down[0]["result"]["content"]) == (2, SAID["content"])


def test_a_kept_error_is_given_to_the_retry() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    book.fails(upper, -32603, "gone")
    down, _ = book.retries(2, state, {key: ACCEPTED})
    assert fault(down, 2, -32603)["message"] == "gone"


# -- withdrawn and cancelled


def test_what_the_server_withdraws_is_not_answered_and_not_asked() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    book.asks("r", "roots/list", None, upper)
    assert book.tells("notifications/cancelled", {"requestId": "q"}) == ([], [])
    assert book.tells("notifications/cancelled", {"requestId": "r"}) == ([], [])
    assert book.retries(2, state, {key: ACCEPTED}) == ([], [])
    assert book.answers(upper, SAID)[0][0]["id"] == 2


def test_an_id_that_the_server_uses_again_means_the_new_question() -> None:
    book = Book().opened()
    first, second = book.calls(1), book.calls(2)
    state_one, key_one = asked(book, first, 0, 1)
    state_two, key_two = asked(book, second, 0, 2)
    assert book.retries(3, state_one, {key_one: ACCEPTED}) == ([], [])
    assert book.retries(4, state_two, {key_two: ACCEPTED})[1][0]["id"] == 0


def test_a_retry_can_be_cancelled() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    assert book.cancels(1) == ([], [])
    book.retries(2, state, {key: ACCEPTED})
    _, (note,) = book.cancels(2)
    assert note["params"]["requestId"] == upper


def test_a_call_that_was_given_back_while_the_host_is_away_tells_its_retry() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    assert book.downgrade.reroute(upper) == []
    fault(book.retries(2, state, {key: ACCEPTED})[0], 2, -32000)


# -- progress and log messages


def test_progress_follows_the_request_that_waits() -> None:
    book = Book().opened()
    upper = book.calls(1, progressToken="one")

    def progress(value: float) -> list[Json]:
        return book.tells("notifications/progress", {"progressToken": "one", "progress": value}, upper)[0]

    assert progress(1)[0]["params"]["progressToken"] == "one"
    state, key = asked(book, upper)
    assert progress(1.5) == []
    assert progress(2) == []
    down, _ = book.retries(2, state, {key: ACCEPTED}, progressToken=2)
    assert [told["params"] for told in down] == [
        {"progressToken": 2, "progress": 1.5},
        {"progressToken": 2, "progress": 2},
    ], "what was told meanwhile reaches the request that waits next"
    assert progress(3)[0]["params"] == {"progressToken": 2, "progress": 3}
    state, key = asked(book, upper, "q2", 2)
    assert progress(4) == []
    assert book.retries(3, state, {key: ACCEPTED})[0] == []
    assert progress(5) == []


def test_progress_of_a_call_that_ended_meanwhile_comes_before_its_answer() -> None:
    book = Book().opened()
    upper = book.calls(1, progressToken="one")
    state, key = asked(book, upper)
    for value in range(100):
        book.tells("notifications/progress", {"progressToken": "one", "progress": value}, upper)
    assert book.answers(upper, {"content": []}) == ([], [])
    down, _ = book.retries(2, state, {key: ACCEPTED}, progressToken="two")
    assert [told["params"]["progress"] for told in down[:-1]] == list(range(68, 100)), "the newest, bounded"
    assert down[-1]["id"] == 2


def test_log_messages_follow_the_level_of_the_request_that_waits() -> None:
    book = Book().opened()
    upper = book.calls(1)
    state, key = asked(book, upper)
    down, up = book.retries(2, state, {key: ACCEPTED}, **{LOG_LEVEL: "info"})
    assert down == []
    assert [sent.get("method") for sent in up] == [None, "logging/setLevel"]
    said = {"level": "info", "data": 1}
    assert book.tells("notifications/message", said, upper)[0][0]["params"] == said
    asked(book, upper, "q2", 2)
    assert book.tells("notifications/message", said, upper) == ([], [])
