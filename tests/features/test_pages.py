"""Every page of a list arrives, also at a host that reads only the first."""

import json
from typing import Any

import pytest

from bridge.protocol.jsonrpc import Octets
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, names, pages, tools
from tests.session.playbook import cancelled

THREE = pages(["a", "b"], ["c"], ["d"])


@pytest.mark.parametrize("eras", PAIRS)
def test_a_host_that_reads_one_page_gets_all_of_them(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(THREE, eras=eras, host_name="codex-mcp-client")
    answer = book.ask(1, "tools/list")
    assert (answer["id"], names(answer)) == (1, ["a", "b", "c", "d"])
    assert "nextCursor" not in answer["result"]
    asked = [message for message in book.asked if message["method"] == "tools/list"]
    ids = [message["id"] for message in asked]
    assert len(set(ids)) == 3
    assert [message.get("params", {}).get("cursor") for message in asked] == [None, "1", "2"]


@pytest.mark.parametrize("eras", PAIRS)
def test_a_host_that_reads_all_pages_gets_each_as_it_comes(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(THREE, eras=eras, host_name="claude-code")
    answer = book.ask(1, "tools/list")
    assert (names(answer), answer["result"]["nextCursor"]) == (["a", "b"], "1")


@pytest.mark.parametrize(("wish", "host", "count"), [(True, "claude-code", 4), (False, "codex-mcp-client", 2)])
def test_the_user_decides_for_every_host(wish: bool, host: str, count: int) -> None:
    assert len(names(FeaturePlaybook(THREE, host_name=host, merges_pages=wish).ask(1, "tools/list"))) == count


@pytest.mark.parametrize(
    ("method", "member"),
    [("prompts/list", "prompts"), ("resources/list", "resources"), ("resources/templates/list", "resourceTemplates")],
)
def test_all_lists_are_merged(method: str, member: str) -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        return (
            {member: [{"name": "second"}]} if params.get("cursor") else {member: [{"name": "first"}], "nextCursor": "x"}
        )

    answer = FeaturePlaybook(serve, merges_pages=True).ask(1, method)
    assert answer["result"] == {member: [{"name": "first"}, {"name": "second"}]}


def test_a_page_that_the_host_asks_for_is_only_that_page() -> None:
    answer = FeaturePlaybook(THREE, merges_pages=True).ask(1, "tools/list", cursor="1")
    assert (names(answer), answer["result"]["nextCursor"]) == (["c"], "2")


def test_a_cursor_that_never_advances_ends_the_list() -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        return {**tools("again" if params.get("cursor") else "first"), "nextCursor": "same"}

    book = FeaturePlaybook(serve, merges_pages=True)
    answer = book.ask(1, "tools/list")
    assert names(answer) == ["first", "again"]
    assert "nextCursor" not in answer["result"]
    assert "the cursor after page 2 had been given before" in book.warnings()[-1]


def test_a_list_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.features.pages._MOST_PAGES", 5)

    def serve(_: str, params: dict[str, Any]) -> Any:
        page = int(params.get("cursor", 0))
        return {**tools(f"t{page}"), "nextCursor": str(page + 1)}

    book = FeaturePlaybook(serve, merges_pages=True)
    answer = book.ask(1, "tools/list")
    assert (len(names(answer)), answer["result"]["nextCursor"]) == (5, "5")
    assert "no more than 5 pages" in book.warnings()[-1]


def test_a_page_that_fails_loses_none_of_those_before() -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        if params.get("cursor"):
            raise LookupError("gone")
        return {**tools("a"), "nextCursor": "1"}

    book = FeaturePlaybook(serve, merges_pages=True)
    answer = book.ask(1, "tools/list")
    assert (names(answer), answer["result"]["nextCursor"]) == (["a"], "1")
    assert "page 2 could not be read" in book.warnings()[-1]


@pytest.mark.parametrize("answer", [{}, {"tools": None}, {"tools": "many"}, {"tools": [], "nextCursor": None}])
def test_what_is_no_list_passes_as_it_came(answer: dict[str, Any]) -> None:
    assert FeaturePlaybook(lambda *_: answer, merges_pages=True).ask(1, "tools/list")["result"] == answer


def test_a_list_that_the_host_cancels_between_two_pages_is_read_no_further() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    first = book.posts(book.host(book.line(1, "tools/list")))[0]
    book.holds = True
    assert book.serve(book.answered(first)) == []
    assert book.router.awaits(1)
    book.serve(book.host(cancelled(1)))
    assert not book.router.awaits(1)
    (page, note) = book.held
    assert msg_id(note.body) == msg_id(page.body)
    assert book.answer_held() == []


def msg_id(line: Octets) -> Any:
    """The id of a request, or the one that a cancellation names."""
    message = json.loads(line)
    return message["params"]["requestId"] if message["method"] == "notifications/cancelled" else message["id"]


def test_the_tokens_of_a_request_stay_with_its_first_page() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    book.ask(1, "tools/list", _meta={"progressToken": "t", "mine": 1})
    asked = [message["params"].get("_meta") for message in book.asked]
    assert asked == [{"progressToken": "t", "mine": 1}, {"mine": 1}, {"mine": 1}]
