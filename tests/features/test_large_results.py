"""`--max-result`: the host gets the beginning of a large result, valid in its era, and where all of it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import CallToolResult

from bridge.features.large_results import text_of
from bridge.session.commands import Command, SaveResult
from bridge.session.events import HostClosed, ResultSaved
from tests.features.feature_playbook import PAIRS, FeaturePlaybook
from tests.session.playbook import cancelled, result

LIMIT = 2000
SAVED = "/cache/results/x.json"
TEXT = "/cache/results/x.txt"


def text(words: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


LONG = text("row\n" * 1000)


class SavingPlaybook(FeaturePlaybook):
    """A tool that answers `answer`; what is too large can be saved, unless there is a `problem`."""

    def __init__(
        self, answer: dict[str, Any], *, eras: tuple[str, str] = ("legacy", "legacy"), problem: str = ""
    ) -> None:
        super().__init__(lambda *_: answer, eras=eras, max_result=LIMIT)
        self.problem = problem
        self.saved: list[SaveResult] = []

    def serve(self, commands: list[Command]) -> list[dict[str, Any]]:
        told = super().serve(commands)
        for command in commands:
            if isinstance(command, SaveResult):
                self.saved.append(command)
                event = ResultSaved(command.number, SAVED, TEXT)
                if self.problem:
                    event = ResultSaved(command.number, problem=self.problem)
                told += self.serve(self.on(event))
        return told

    def call(self, id_: object = 1) -> dict[str, Any]:
        """What the host gets when it calls the tool."""
        value: dict[str, Any] = self.ask(id_, "tools/call", name="rows", arguments={})["result"]
        return value


@pytest.mark.parametrize("eras", PAIRS)
def test_a_host_gets_the_beginning_and_the_path(eras: tuple[str, str]) -> None:
    book = SavingPlaybook({"content": [LONG]}, eras=eras)
    told = book.call()
    about, beginning = told["content"]
    assert about["text"] == (
        "[mcp-remote-bridge] The result of this tool has 5,0"
        + about["text"].partition("has 5,0")[2][:2]
        + f" bytes, and --max-result allows 2,000. All of it was saved, as JSON, to {SAVED} ; "
        + f"its text alone to {TEXT} . Its beginning follows."
    )
    assert LONG["text"].startswith(beginning["text"])
    assert len(beginning["text"]) > 1000
    assert len(json.dumps(told)) < 1.2 * LIMIT
    CallToolResult.model_validate(told)
    assert not told.get("isError")
    assert "structuredContent" not in told
    (command,) = book.saved
    assert command.tool == "rows"
    assert json.loads(bytes(command.result))["content"] == [LONG]


def test_a_result_that_is_small_enough_keeps_its_bytes() -> None:
    book = SavingPlaybook({"content": []})
    odd = b'{"jsonrpc":"2.0","id":1,"result":{ "content" : [ {"type":"text","text":"' + b"x" * 1800 + b'"} ] }}'
    (post,) = book.posts(book.host(book.line(1, "tools/call", name="rows")))
    (told,) = book.told(book.answers(post.exchange, odd))
    assert bytes(told.line) == odd


@pytest.mark.parametrize("problem", ["No space left on device", ""])
def test_a_result_that_cannot_be_saved_arrives_whole(problem: str) -> None:
    book = SavingPlaybook({"content": [LONG]}, problem=problem)
    told = book.call()
    assert (told == {"content": [LONG]}) is bool(problem)
    last = book.reports[-1]
    if problem:
        assert last.level == "warning"
        assert last.text.endswith("was not saved: No space left on device; the host gets all of it")
    else:
        assert last.level == "info"
        assert f"was saved to {SAVED}" in last.text


def test_what_fits_of_content_stays_in_order_and_images_that_do_not_are_left_out() -> None:
    image = {"type": "image", "data": "A" * 5000, "mimeType": "image/png"}
    small = {"type": "image", "data": "B" * 100, "mimeType": "image/png"}
    told = SavingPlaybook({"content": [image, text("one"), small, text("two", annotations={"priority": 1})]}).call()
    assert told["content"][1:] == [text("one"), small, text("two", annotations={"priority": 1})]


def test_after_a_text_that_was_cut_no_other_follows() -> None:
    told = SavingPlaybook({"content": [text("one"), text("x" * 5000, annotations={"priority": 1}), text("two")]}).call()
    _, one, cut = told["content"]
    assert one == text("one")
    assert (cut["annotations"], set(cut["text"])) == ({"priority": 1}, {"x"})


def test_structured_content_stays_where_it_fits() -> None:
    told = SavingPlaybook({"content": [LONG], "structuredContent": {"rows": [1] * 100}}).call()
    assert told["structuredContent"] == {"rows": [1] * 100}
    assert "isError" not in told


def test_structured_content_that_is_one_text_is_cut_as_a_text() -> None:
    told = SavingPlaybook({"content": [LONG], "structuredContent": {"result": LONG["text"]}}).call()
    assert "isError" not in told
    ((name, words),) = told["structuredContent"].items()
    about, _, beginning = words.partition(" Its beginning follows.\n")
    assert name == "result"
    assert SAVED in about
    assert beginning
    assert LONG["text"].startswith(beginning)
    assert LONG["text"].startswith(told["content"][1]["text"])
    assert len(json.dumps(told)) < 1.2 * LIMIT


def test_without_its_structured_content_a_result_is_an_error_that_says_that_it_is_none() -> None:
    told = SavingPlaybook({"content": [LONG], "structuredContent": {"rows": [1] * 2000}}).call()
    assert "structuredContent" not in told
    assert told["isError"] is True
    assert "The tool did not fail." in told["content"][0]["text"]
    assert told["content"][1]["text"].startswith("row\nrow")


def test_an_error_of_the_tool_stays_one() -> None:
    told = SavingPlaybook({"content": [LONG], "structuredContent": {"rows": [1] * 2000}, "isError": True}).call()
    assert told["isError"] is True
    assert "did not fail" not in told["content"][0]["text"]


def test_structured_content_alone_begins_as_text() -> None:
    told = SavingPlaybook({"content": [], "structuredContent": {"rows": ["é"] * 2000}}).call()
    assert told["content"][1]["text"].startswith('{"rows":["é","é"')


def test_other_members_stay_where_they_fit() -> None:
    told = SavingPlaybook({"content": [LONG], "_meta": {"a": "x" * 5000}, "vendor": 1}).call()
    assert set(told) == {"content"}
    told = SavingPlaybook({"content": [{"type": "image", "data": "A" * 5000}], "_meta": {"a": 1}, "vendor": 1}).call()
    assert (told["_meta"], told["vendor"]) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "x" * 5000},
        {"content": [1] * 5000},
        {"content": [None, {"text": "x" * 5000}]},
        {"content": [{"type": "text", "text": ["x" * 5000]}]},
        {"content": [{"type": "text"}], "_meta": {"a": "x" * 5000}},
    ],
)
def test_content_that_is_none_is_left_out(answer: dict[str, Any]) -> None:
    told = SavingPlaybook(answer).call()
    assert told["content"][0]["type"] == "text"
    assert len(json.dumps(told)) < 1.2 * LIMIT


@pytest.mark.parametrize("answer", [{"task": {"taskId": "x" * 5000}}, {"rows": "x" * 5000}])
def test_a_result_of_another_form_passes(answer: dict[str, Any]) -> None:
    assert SavingPlaybook(answer).call() == answer


def test_a_question_of_a_modern_server_passes() -> None:
    book = SavingPlaybook({}, eras=("modern", "modern"))
    (post,) = book.posts(book.host(book.line(1, "tools/call", name="rows")))
    asked = {"resultType": "input_required", "content": [], "requestState": "x" * 5000}
    (told,) = book.told(book.answers(post.exchange, result(1, asked)))
    assert json.loads(told.line)["result"] == asked


def test_only_results_of_tools_are_saved() -> None:
    book = SavingPlaybook({"contents": [{"uri": "a:b", "text": "x" * 5000}]})
    assert len(book.ask(1, "resources/read", uri="a:b")["result"]["contents"][0]["text"]) == 5000


def test_while_a_result_is_saved_the_call_is_not_over() -> None:
    book = SavingPlaybook({"content": [LONG]})
    (post,) = book.posts(book.host(book.line(1, "tools/call", name="rows")))
    (save,) = book.answered(post)
    assert isinstance(save, SaveResult)
    assert (book.router.busy, book.router.awaits(1)) == (True, True)
    (refused,) = book.serve(book.host(book.line(1, "tools/call", name="rows")))
    assert "has not been answered yet" in refused["error"]["message"]
    (told,) = book.serve(book.on(ResultSaved(save.number, SAVED)))
    assert told["id"] == 1
    assert "its text alone" not in told["result"]["content"][0]["text"]
    assert not book.router.busy
    assert book.on(ResultSaved(save.number, SAVED)) == []


def test_a_call_that_is_cancelled_while_its_result_is_saved_has_no_answer() -> None:
    book = SavingPlaybook({"content": [LONG]})
    (post,) = book.posts(book.host(book.line(1, "tools/call", name="rows")))
    (save,) = book.answered(post)
    assert isinstance(save, SaveResult)
    book.host(cancelled(1))
    assert not book.router.busy
    assert book.told(book.on(ResultSaved(save.number, SAVED))) == []


def test_a_run_that_ends_gives_the_host_what_is_being_saved() -> None:
    book = SavingPlaybook({"content": [LONG]})
    (post,) = book.posts(book.host(book.line(1, "tools/call", name="rows")))
    book.answered(post)
    (told,) = [json.loads(command.line) for command in book.told(book.on(HostClosed()))]
    assert told["result"] == {"content": [LONG]}


def test_a_batch_waits_for_the_results_that_are_saved() -> None:
    book = SavingPlaybook({"content": [LONG]})
    answers: Any
    lines = [book.line(1, "tools/call", name="rows"), book.line(2, "tools/call", name="rows")]
    (answers,) = book.serve(book.host(b"[%b]" % b",".join(lines)))
    assert [len(answer["result"]["content"]) for answer in answers] == [2, 2]


@given(words=st.text(max_size=300).map(lambda words: words * 10))
def test_any_text_is_cut_between_two_characters(words: str) -> None:
    words += "x" * LIMIT
    told = SavingPlaybook({"content": [text(words)]}).call()
    assert words.startswith(told["content"][1]["text"])
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 1.5 * LIMIT


def test_the_texts_of_a_result_stand_one_below_the_other() -> None:
    blocks = [text("one\ntwo"), {"type": "image", "data": "A"}, text(""), text("three é"), {"type": "text", "text": 1}]
    assert text_of(json.dumps({"content": blocks}).encode()) == "one\ntwo\nthree é"
    for odd in (b"{}", b'{"content":1}', b'{"content":[1]}', b'{"content":[{"text":"a"}]}'):
        assert text_of(odd) == ""
