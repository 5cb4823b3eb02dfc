"""Calls in which a modern server asks for something, on a legacy host (MCP 2026-07-28, Multi Round-Trip Requests)."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.translate.upgrade_book import LEGACY, Book, Sent, line, result_line

FORM = {
    "method": "elicitation/create",
    "params": {"mode": "form", "message": "Who?", "requestedSchema": {"type": "object", "properties": {}}},
}
PAGE = {"method": "elicitation/create", "params": {"mode": "url", "message": "Sign in", "url": "https://a.example/"}}
SAMPLE = {
    "method": "sampling/createMessage",
    "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "?"}}], "maxTokens": 5},
}
TOOL_SAMPLE = {"method": "sampling/createMessage", "params": {**SAMPLE["params"], "tools": []}}  # type: ignore[dict-item]
ROOTS = {"method": "roots/list"}
ACCEPTED = {"action": "accept", "content": {"name": "octocat"}}
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "!"}, "model": "m"}
LISTED = {"roots": [{"uri": "file:///a"}]}
CALL = {"name": "pay", "arguments": {"sum": 5}}


def wants(requests: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    asked = {} if requests is None else {"inputRequests": requests}
    return {"resultType": "input_required", **asked, **more}


def refused(sent: list[Sent], id_: object, kind: str) -> str:
    (answer,) = sent
    assert (answer.way, answer["id"], answer.error["code"]) == ("down", id_, -32603)
    assert answer.error["data"]["kind"] == kind
    message: str = answer.error["message"]
    assert message.endswith(".")
    return message


def begun(book: Book, requests: dict[str, Any], id_: object = 1, **more: Any) -> list[Sent]:
    """A call for which the server has questions: these, as the host gets them."""
    call = book.goes_up(id_, "tools/call", CALL)
    return book.answers(call["id"], wants(requests, **more))


def test_a_question_goes_to_the_host_and_its_answer_up_with_the_call() -> None:
    book = Book().opened()
    call = book.goes_up(0, "tools/call", CALL)
    (question,) = book.answers(call["id"], wants({"name": FORM}, requestState="s"))
    assert (question.way, question["method"], question["params"]) == ("down", "elicitation/create", FORM["params"])
    assert book.waits()
    (again,) = book.replies(question["id"], ACCEPTED)
    assert not book.waits()
    assert (again.way, again["method"]) == ("up", "tools/call")
    assert again["id"] != call["id"]
    expected = {**CALL, "inputResponses": {"name": ACCEPTED}, "requestState": "s", "_meta": call.meta}
    assert again["params"] == expected
    (answer,) = book.answers(again["id"], {"resultType": "complete", "content": []})
    assert (answer["id"], answer["result"]) == (0, {"content": []})
    assert not book.upgrade.awaits(0)


@pytest.mark.parametrize(
    ("method", "params"),
    [("tools/call", {"name": "a"}), ("prompts/get", {"name": "a"}), ("resources/read", {"uri": "a:b"})],
)
def test_three_methods_may_ask(method: str, params: dict[str, object]) -> None:
    book = Book().opened()
    call = book.goes_up(1, method, params)
    (question,) = book.answers(call["id"], wants({"r": ROOTS}))
    (again,) = book.replies(question["id"], LISTED)
    assert again["method"] == method
    assert again["params"] == {**params, "inputResponses": {"r": LISTED}, "_meta": call.meta}


@pytest.mark.parametrize("method", ["tools/list", "completion/complete", "vendor/thing"])
def test_no_other_method_may_ask(method: str) -> None:
    book = Book(is_strict=False).opened()
    call = book.goes_up(1, method, {})
    assert "input_required" in refused(book.answers(call["id"], wants({"r": ROOTS})), 1, "wrong-answer")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=lambda order: "".join(map(str, order)))
def test_questions_are_asked_at_once_and_answered_in_any_order(order: tuple[int, ...]) -> None:
    book = Book().opened()
    questions = begun(book, {"b": FORM, "a": SAMPLE, "": ROOTS})
    assert [one["method"] for one in questions] == ["elicitation/create", "sampling/createMessage", "roots/list"]
    assert len({one["id"] for one in questions}) == 3
    answers = [ACCEPTED, SAMPLED, LISTED]
    *silence, again = [book.replies(questions[place]["id"], answers[place]) for place in order]
    assert silence == [[], []]
    assert again[0]["params"]["inputResponses"] == {"b": ACCEPTED, "a": SAMPLED, "": LISTED}


def test_what_is_null_in_a_question_counts_as_absent() -> None:
    book = Book().opened({"roots": {}, "sampling": {}, "elicitation": {}})
    form = {**FORM["params"], "mode": None}  # type: ignore[dict-item]
    sample = {**SAMPLE["params"], "tools": None, "toolChoice": None}  # type: ignore[dict-item]
    asked = {
        "roots": {"method": "roots/list", "params": None},
        "form": {"method": "elicitation/create", "params": form},
        "sample": {"method": "sampling/createMessage", "params": sample},
    }
    roots, form_, sample_ = begun(book, asked)
    assert "params" not in roots.body
    assert form_["params"].keys() == {"message", "requestedSchema"}
    assert sample_["params"] == SAMPLE["params"]


def test_progress_increases_from_round_to_round() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {**CALL, "_meta": {"progressToken": "t"}})
    told: list[dict[str, Any]] = []
    for total in (2, 3, 4):
        for step in range(total):
            params = {"progressToken": "t", "progress": step, "total": total, "message": f"{step}"}
            note = line(method="notifications/progress", params=params)
            told += [sent["params"] for sent in book.server(note, call["id"])]
        (question,) = book.answers(call["id"], wants({"r": ROOTS}))
        (call,) = book.replies(question["id"], LISTED)
    progress = [one["progress"] for one in told]
    assert progress == sorted(set(progress))
    assert len(progress) == 2 + 3 + 4
    assert [round(step, 9) for step in progress] == [0, 1, 1, 1, 2, 2, 2, 2, 3]
    assert all(one["progress"] < one["total"] and one["progressToken"] == "t" for one in told)


@pytest.mark.parametrize("progress", ["6", "1e400", "-1e400", "9007199254740993", '"5"', "null", "{}"])
def test_progress_of_a_later_round_that_is_further_or_no_number_stays_as_it_is(progress: str) -> None:
    book = Book(is_strict=False).opened()
    call = book.goes_up(1, "tools/call", {**CALL, "_meta": {"progressToken": "t"}})
    book.server(line(method="notifications/progress", params={"progressToken": "t", "progress": 5}), call["id"])
    (question,) = book.answers(call["id"], wants({"r": ROOTS}))
    (again,) = book.replies(question["id"], LISTED)
    params = f'{{"progress":{progress},"progressToken":"t"}}'
    text = f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}'
    (sent,) = book.server(text.encode(), again["id"])
    assert sent.line == text.encode()
    (question,) = book.answers(again["id"], wants({"r": ROOTS}))
    (again,) = book.replies(question["id"], LISTED)
    assert again.way == "up"


def test_progress_that_cannot_be_greater_stays_as_it_is() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {**CALL, "_meta": {"progressToken": "t"}})
    text = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":%b,"progressToken":"t"}}'
    most = b"1.7976931348623157e308"
    assert book.server(text % most, call["id"])[0].line == text % most
    (question,) = book.answers(call["id"], wants({"r": ROOTS}))
    (call,) = book.replies(question["id"], LISTED)
    assert book.server(text % b"1", call["id"])[0].line == text % b"1"


def test_calls_that_ask_at_the_same_time_do_not_meet() -> None:
    book = Book().opened()
    (one,) = begun(book, {"k": FORM}, 0, requestState="zero")
    (two,) = begun(book, {"k": FORM}, "0", requestState="text")
    (again,) = book.replies(two["id"], {"action": "decline"})
    assert again["params"]["requestState"] == "text"
    assert again["params"]["inputResponses"] == {"k": {"action": "decline"}}
    (again,) = book.replies(one["id"], {"action": "cancel"})
    assert again["params"]["requestState"] == "zero"


@pytest.mark.parametrize(
    "state",
    [
        '""',
        '"a"',
        '"\\u00e9\\/\\n\\\\ \\ud83d\\ude00"',
        '"\u00e9\U0001f600"',
        json.dumps("x" * 200_000),
        '{"not":"a string", "n":1e400}',
    ],
    ids=["empty", "short", "escapes", "unicode", "long", "object"],
)
def test_the_state_of_the_server_goes_back_byte_for_byte(state: str) -> None:
    book = Book(is_strict=False).opened()
    call = book.goes_up(1, "tools/call", CALL)
    said = f'{{"resultType":"input_required","inputRequests":{json.dumps({"k": FORM})},"requestState":{state}}}'
    (question,) = book.server(result_line(call["id"], said))
    (again,) = book.replies(question["id"], ACCEPTED)
    assert b'"requestState":%b' % state.encode() in again.line


def test_the_state_is_that_of_the_last_answer_only() -> None:
    book = Book().opened()
    (question,) = begun(book, {"k": FORM}, requestState="one")
    (again,) = book.replies(question["id"], ACCEPTED)
    (question,) = book.answers(again["id"], wants({"l": ROOTS}))
    (again,) = book.replies(question["id"], LISTED)
    assert "requestState" not in again["params"]
    assert again["params"]["inputResponses"] == {"l": LISTED}


def test_members_of_rounds_that_a_host_sends_itself_are_left_out() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", {**CALL, "requestState": "mine", "inputResponses": {}})
    assert call["params"] == {**CALL, "_meta": call.meta}


def test_params_and_answers_pass_byte_for_byte() -> None:
    book = Book(is_strict=False).opened()
    call = book.goes_up(1, "tools/call", CALL)
    params = '{ "messages" : [] , "maxTokens":1e400, "x":"\\u00e9" }'
    asked = f'{{"k":{{"method":"sampling/createMessage","params":{params}}}}}'
    (question,) = book.server(result_line(call["id"], f'{{"resultType":"input_required","inputRequests":{asked}}}'))
    assert params.encode() in question.line
    answer = '{ "role":"assistant", "n":1e400 , "t":"\\u00e9\\/" }'
    (again,) = book.host(result_line(question["id"], answer))
    assert b'"inputResponses":{"k":%b}' % answer.encode() in again.line


# -- what the host can do


@pytest.mark.parametrize(
    ("request_", "host", "missing"),
    [
        (ROOTS, {}, {"roots": {}}),
        (ROOTS, {"roots": {}}, None),
        (SAMPLE, {}, {"sampling": {}}),
        (SAMPLE, {"sampling": {}}, None),
        (TOOL_SAMPLE, {"sampling": {}}, {"sampling": {"tools": {}}}),
        (TOOL_SAMPLE, {"sampling": {"tools": {}}}, None),
        (FORM, {}, {"elicitation": {"form": {}}}),
        (FORM, {"elicitation": {}}, None),
        (FORM, {"elicitation": {"form": {}}}, None),
        (FORM, {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        (PAGE, {"elicitation": {}}, {"elicitation": {"url": {}}}),
        (PAGE, {"elicitation": {"form": {}}}, {"elicitation": {"url": {}}}),
        (PAGE, {"elicitation": {"url": {}}}, None),
        (PAGE, {"elicitation": {"url": True}}, {"elicitation": {"url": {}}}),
    ],
)
def test_the_host_is_asked_only_for_what_it_declared(
    request_: dict[str, Any], host: dict[str, Any], missing: dict[str, Any] | None
) -> None:
    book = Book(is_strict=False).opened(host=host)
    sent = begun(book, {"k": request_})
    if missing is None:
        assert sent[0]["method"] == request_["method"]
    else:
        assert sent[0].error["data"]["requiredCapabilities"] == missing
        message = refused(sent, 1, "not-declared")
        assert 'the tool "pay"' in message
        assert next(iter(missing)) in message


def test_a_host_that_cannot_answer_one_question_is_asked_none() -> None:
    book = Book().opened(host={"roots": {}})
    refused(begun(book, {"a": ROOTS, "b": FORM}), 1, "not-declared")
    assert not book.waits()


@pytest.mark.parametrize("mode", [{}, {"mode": "form"}])
def test_a_form_needs_no_mode(mode: dict[str, str]) -> None:
    params = {"message": "?", "requestedSchema": {"type": "object", "properties": {}}, **mode}
    (question,) = begun(
        Book().opened(host={"elicitation": {}}), {"k": {"method": "elicitation/create", "params": params}}
    )
    assert question["params"] == params


@pytest.mark.parametrize(
    "asked",
    [
        {"k": 5},
        {"k": None},
        {"k": {}},
        {"k": {"method": 5}},
        {"k": {"method": "tools/call", "params": {}}},
        {"k": {"method": "elicitation/create"}},
        {"k": {"method": "elicitation/create", "params": []}},
        {"k": {"method": "elicitation/create", "params": {"mode": "telepathy"}}},
        {"k": {"method": "elicitation/create", "params": {"mode": 5}}},
        {"k": {"method": "sampling/createMessage", "params": "x"}},
        {f"k{n}": ROOTS for n in range(65)},
        [],
        5,
        "x",
    ],
    ids=range(14),
)
def test_a_server_that_asks_against_the_rules_gets_no_answer(asked: Any) -> None:
    book = Book().opened()
    refused(begun(book, asked), 1, "wrong-answer")
    assert not book.waits()


@pytest.mark.parametrize("said", [{}, {"inputRequests": None}, {"requestState": None}])
def test_a_server_that_asks_for_nothing_with_nothing_gets_no_answer(said: dict[str, Any]) -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    refused(book.answers(call["id"], wants(**said)), 1, "wrong-answer")


# -- asked again, and again


@pytest.mark.parametrize("requests", [None, {}])
def test_a_call_without_questions_is_sent_again_at_once_and_then_after_pauses_that_grow(requests: Any) -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    (call,) = book.answers(call["id"], wants(requests, requestState="0"))
    assert call["params"] == {**CALL, "requestState": "0", "_meta": call.meta}
    pauses = []
    for number in range(1, 32):
        assert book.answers(call["id"], wants(requests, requestState=str(number))) == []
        assert book.waits()
        ((_, pause),) = book.timers.items()
        pauses.append(pause)
        (call,) = book.fires("round")
        assert call["params"]["requestState"] == str(number)
    assert pauses == sorted(pauses)
    assert 0 < pauses[0] < 1
    assert 60 < sum(pauses) < 600
    refused(book.answers(call["id"], wants(requests, requestState="x")), 1, "rounds")
    assert not book.timers


def test_a_question_makes_the_pauses_short_again() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    for _ in range(2):
        (call,) = book.answers(call["id"], wants(requestState="0"))
        book.answers(call["id"], wants(requestState="0"))
        assert list(book.timers.values()) == [0.25]
        (call,) = book.fires("round")
        (question,) = book.answers(call["id"], wants({"k": ROOTS}))
        (call,) = book.replies(question["id"], LISTED)


def test_questions_have_an_end() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    for _ in range(32):
        (question,) = book.answers(call["id"], wants({"k": ROOTS}))
        (call,) = book.replies(question["id"], LISTED)
    assert "32" in refused(book.answers(call["id"], wants({"k": ROOTS})), 1, "rounds")


# -- ends


def test_an_error_of_the_hosts_ends_the_call_and_takes_the_other_questions_back() -> None:
    book = Book().opened()
    one, two, three = begun(book, {"a": FORM, "b": SAMPLE, "c": ROOTS})
    book.replies(three["id"], LISTED)
    withdrawn, answer = book.host(line(id=one["id"], error={"code": -1, "message": "The user\nsaid no"}))
    assert (withdrawn["method"], withdrawn["params"]["requestId"]) == ("notifications/cancelled", two["id"])
    message = refused([answer], 1, "unanswered")
    assert "elicitation/create" in message
    assert "The user said no" in message
    assert book.replies(two["id"], SAMPLED) == []
    assert not book.waits()


@pytest.mark.parametrize(
    "error", [{}, "x", 5, {"message": 5}, {"code": 1, "message": "x" * 5000}, {"message": "\u202e\x00"}]
)
def test_whatever_error_the_host_gives_it_is_one_sentence(error: object) -> None:
    book = Book().opened()
    (question,) = begun(book, {"a": FORM})
    message = refused(book.host(line(id=question["id"], error=error)), 1, "unanswered")
    assert len(message) < 400
    assert message.isprintable()


@pytest.mark.parametrize("result", [5, None, "x", []])
def test_a_result_of_the_hosts_that_is_none_ends_the_call(result: object) -> None:
    book = Book().opened()
    (question,) = begun(book, {"a": FORM})
    refused(book.replies(question["id"], result), 1, "unanswered")


def test_a_question_is_answered_once() -> None:
    book = Book().opened()
    one, two = begun(book, {"a": FORM, "b": ROOTS})
    assert book.replies(one["id"], ACCEPTED) == []
    assert book.replies(one["id"], {"action": "decline"}) == []
    (again,) = book.replies(two["id"], LISTED)
    assert again["params"]["inputResponses"]["a"] == ACCEPTED


def test_the_host_cancels_a_call_that_asks() -> None:
    book = Book().opened()
    one, two = begun(book, {"a": FORM, "b": ROOTS}, "x")
    sent = book.says("notifications/cancelled", {"requestId": "x"})
    assert [(each.way, each["params"]["requestId"]) for each in sent] == [("down", one["id"]), ("down", two["id"])]
    assert not book.upgrade.awaits("x")
    assert not book.waits()
    assert book.replies(one["id"], ACCEPTED) == []


def test_the_host_cancels_a_call_that_pauses() -> None:
    book = Book().opened()
    call = book.goes_up(1, "tools/call", CALL)
    (call,) = book.answers(call["id"], wants(requestState="s"))
    book.answers(call["id"], wants(requestState="s"))
    assert book.says("notifications/cancelled", {"requestId": 1}) == []
    assert not book.timers
    assert not book.waits()


def test_a_call_that_asked_can_be_cancelled_when_it_is_up_again() -> None:
    book = Book().opened()
    (question,) = begun(book, {"a": FORM})
    (again,) = book.replies(question["id"], ACCEPTED)
    (sent,) = book.says("notifications/cancelled", {"requestId": 1})
    assert (sent.way, sent["params"]["requestId"]) == ("up", again["id"])


def test_a_call_that_asked_is_given_back_as_the_host_sent_it() -> None:
    book = Book().opened()
    (question,) = begun(book, {"a": FORM})
    (again,) = book.replies(question["id"], ACCEPTED)
    (request,) = book.upgrade.reroute(again["id"])
    assert json.loads(request.line)["params"] == CALL


def test_a_new_session_ends_the_questions_of_the_old() -> None:
    book = Book().opened()
    (question,) = begun(book, {"a": FORM})
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}}
    withdrawn, answer, discover = book.asks("again", "initialize", params)
    assert withdrawn["params"]["requestId"] == question["id"]
    assert (answer["id"], answer.error["code"]) == (1, -32600)
    assert discover["method"] == "server/discover"


def test_calls_that_ask_are_answered_when_the_run_ends() -> None:
    book = Book().opened()
    begun(book, {"a": FORM, "b": ROOTS}, 1)
    call = book.goes_up(2, "tools/call", CALL)
    (call,) = book.answers(call["id"], wants(requestState="s"))
    book.answers(call["id"], wants(requestState="s"))
    book.goes_up(3, "tools/list")
    sent = book.closes()
    assert [(one["id"], one.error["data"]["kind"]) for one in sent if "error" in one.body] == [
        (1, "shutdown"),
        (2, "shutdown"),
    ]
    assert not book.waits()
    assert book.upgrade.awaits(3)


# -- pages to open


@pytest.mark.parametrize(("version", "is_told"), [("2025-11-25", True), ("2025-06-18", False)])
def test_a_page_gets_a_name_and_the_host_hears_when_it_is_done_with(version: str, is_told: bool) -> None:
    book = Book(is_strict=version == LEGACY).opened(version=version)
    first, second, third = begun(book, {"a": PAGE, "b": PAGE, "c": PAGE})
    names = [one["params"].pop("elicitationId") for one in (first, second, third)]
    assert len({*names}) == 3
    assert first["params"] == PAGE["params"]
    book.replies(first["id"], {"action": "accept"})
    book.replies(second["id"], {"action": "decline"})
    (call,) = book.replies(third["id"], {"action": "accept"})
    answer, *told = book.answers(call["id"], {"content": []})
    assert answer["id"] == 1
    assert [(one["method"], one["params"]) for one in told] == [
        ("notifications/elicitation/complete", {"elicitationId": name}) for name in (names[0], names[2]) if is_told
    ]


def test_tool_results_in_a_conversation_are_made_valid() -> None:
    block = {"type": "tool_result", "toolUseId": "t", "content": [], "structuredContent": [1]}
    other = {"type": "tool_result", "toolUseId": "u", "content": [], "structuredContent": {"a": 1}}
    messages = [
        {"role": "user", "content": [block, other]},
        {"role": "user", "content": block},
        {"role": "user", "content": {"type": "text", "text": "?"}},
    ]
    asked = {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": 1, "tools": []}}
    (question,) = begun(Book().opened(), {"k": asked})
    mended = {"type": "tool_result", "toolUseId": "t", "content": [{"type": "text", "text": "[1]"}]}
    contents = [message["content"] for message in question["params"]["messages"]]
    assert contents == [[mended, other], mended, {"type": "text", "text": "?"}]
