"""Every page of a list arrives, also at a host that reads only the first."""

import json
from typing import Any

import pytest

from bridge.protocol.jsonrpc import Octets
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, names, pages, tools
from tests.session.modern_playbook import body
from tests.session.playbook import cancelled, error, notification, result

CHANGED = notification("notifications/tools/list_changed")
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


@pytest.mark.parametrize("answer", [{}, {"tools": None}, {"tools": "many"}, {"tools": []}])
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


def test_a_list_that_changes_between_two_pages_is_read_once_more() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    (second,) = book.posts(book.answered(first))
    book.starts(second.exchange)
    book.sends(second.exchange, CHANGED)
    book.become(pages(["new"], ["list"]))
    answer = result(body(second)["id"], tools("c"))
    (told,) = book.serve(book.sends(second.exchange, answer))
    assert (told["id"], names(told), told["result"].get("nextCursor")) == (1, ["new", "list"], None)


def test_a_list_that_changes_all_the_time_is_read_twice_at_most() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    commands = book.host(book.line(1, "tools/list"))
    asked = 0
    while posts := book.posts(commands):
        (post,) = posts
        asked += 1
        book.starts(post.exchange)
        book.sends(post.exchange, CHANGED)
        page = int(body(post).get("params", {}).get("cursor", 0))
        commands = book.sends(
            post.exchange, result(body(post)["id"], {**tools(f"t{page}"), "nextCursor": f"{page + 1}"})
        )
        if asked == 6:
            break
    assert asked == 6
    assert body(post)["params"]["cursor"] == "3"


@pytest.mark.parametrize("cursor", [["a"], {"a": 1}, True, "x" * 70_000])
def test_a_cursor_that_cannot_be_used_ends_the_list(cursor: object) -> None:
    book = FeaturePlaybook(lambda *_: {**tools("a"), "nextCursor": cursor}, merges_pages=True)
    answer = book.ask(1, "tools/list")
    assert (names(answer), "nextCursor" in answer["result"]) == (["a"], False)
    assert "the cursor after page 1 cannot be used" in book.warnings()[-1]


def test_cursors_may_be_numbers_and_change_their_type() -> None:
    following = {None: 7, 7: "7", "7": None}

    def serve(_: str, params: dict[str, Any]) -> Any:
        cursor = params.get("cursor")
        return {**tools(repr(cursor)), "nextCursor": following[cursor]}

    assert names(FeaturePlaybook(serve, merges_pages=True).ask(1, "tools/list")) == ["None", "7", "'7'"]


@pytest.mark.parametrize("wish", [None, True, False])
@pytest.mark.parametrize("cursor", ["", None])
def test_a_cursor_that_is_none_is_the_end_and_no_host_gets_it(cursor: object, wish: bool | None) -> None:
    book = FeaturePlaybook(lambda *_: {**tools("a"), "nextCursor": cursor}, merges_pages=wish)
    assert book.ask(1, "tools/list")["result"] == tools("a")
    assert book.methods() == ["tools/list"]
    assert book.warnings() == []
    assert "nextCursor; it was left out" in book.reports[-1].text


@pytest.mark.parametrize(("wish", "count", "left"), [(None, 2, None), (False, 1, 7)])
def test_hosts_that_read_on_by_themselves_get_no_cursor_that_they_refuse(
    wish: bool | None, count: int, left: object
) -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        return tools("b") if params.get("cursor") == 7 else {**tools("a"), "nextCursor": 7}

    answer = FeaturePlaybook(serve, host_name="claude-code", merges_pages=wish).ask(1, "tools/list")
    assert (len(names(answer)), answer["result"].get("nextCursor")) == (count, left)


def test_what_is_there_twice_stays() -> None:
    assert names(FeaturePlaybook(pages(["a", "b"], ["b", "a"]), merges_pages=True).ask(1, "tools/list")) == list("abba")


@pytest.mark.parametrize("most", ["_MOST_ITEMS", "_MOST_BYTES"])
def test_items_and_bytes_are_bounded(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"bridge.features.pages.{most}", 3)
    book = FeaturePlaybook(pages(["a", "b", "c"], ["d"]), merges_pages=True)
    answer = book.ask(1, "tools/list")
    assert (names(answer), answer["result"]["nextCursor"]) == (["a", "b", "c"], "1")
    assert "no more than 1 pages" in book.warnings()[-1]


def test_a_page_that_is_lost_loses_none_of_those_before() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    (second,) = book.posts(book.answered(first))
    (told,) = book.serve(book.answers(second.exchange, b"Bad gateway", status=502))
    assert (told["id"], names(told), told["result"]["nextCursor"]) == (1, ["a", "b"], "1")
    assert "page 2 could not be read: https://mcp.example/mcp answered 502" in book.warnings()[0]


def test_the_first_page_that_is_lost_is_an_error() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    (told,) = book.serve(book.answers(first.exchange, b"Bad gateway", status=502))
    assert (told["id"], told["error"]["data"]["status"]) == (1, 502)


def test_a_session_that_is_lost_between_two_pages_is_opened_again_and_the_list_read_on() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    (second,) = book.posts(book.answered(first))
    commands = book.answers(second.exchange, error(body(second)["id"], "Session not found", -32001), status=404)
    (told,) = book.serve(commands)
    assert (told["id"], names(told)) == (1, ["a", "b", "c", "d"])


def test_each_page_has_the_time_of_a_request() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True, request_timeout=20.0)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    book.passes(15)
    (_,) = book.posts(book.answered(first))
    ((purpose, number),) = book.timers
    assert (purpose, book.timers[purpose, number].seconds) == ("deadline", 20.0)
    (told,) = book.serve(book.fires(purpose, number))
    assert (names(told), told["result"]["nextCursor"]) == (["a", "b"], "1")
    assert "page 2 could not be read: https://mcp.example/mcp did not answer" in book.warnings()[0]


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        ([(60_000, "public"), (5000, "public")], (5000, "public")),
        ([(60_000, "public"), (90_000, "private")], (60_000, "private")),
        ([(60_000, "public"), (None, None)], (0, "private")),
        ([(60_000, "public"), (-1, "public")], (0, "public")),
        ([(60_000, "public"), ("long", "public")], (0, "public")),
        ([(10**30, "public"), (10**300, "public")], (24 * 3600 * 1000, "public")),
    ],
)
def test_the_list_is_as_fresh_as_the_page_that_ages_first(hints: list[tuple[Any, Any]], expected: Any) -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        page = int(params.get("cursor", 0))
        ttl, scope = hints[page]
        said = {} if ttl is None else {"ttlMs": ttl, "cacheScope": scope}
        return {**tools(f"t{page}"), **said, **({} if page else {"nextCursor": "1"})}

    answer = FeaturePlaybook(serve, eras=("modern", "modern"), merges_pages=True).ask(1, "tools/list")
    assert (answer["result"]["ttlMs"], answer["result"]["cacheScope"]) == expected


def test_the_time_for_which_pages_are_read_counts() -> None:
    def serve(_: str, params: dict[str, Any]) -> Any:
        return {
            **tools("t"),
            "ttlMs": 10_000,
            "cacheScope": "public",
            **({} if params.get("cursor") else {"nextCursor": "1"}),
        }

    book = FeaturePlaybook(serve, eras=("modern", "modern"), merges_pages=True)
    (first,) = book.posts(book.host(book.line(1, "tools/list")))
    (second,) = book.posts(book.answered(first))
    book.passes(4)
    (told,) = book.serve(book.answered(second))
    assert told["result"]["ttlMs"] == 6000


def test_the_log_says_once_that_pages_were_merged() -> None:
    book = FeaturePlaybook(THREE, merges_pages=True)
    for id_ in (1, 2):
        book.ask(id_, "tools/list")
    told = [report.text for report in book.reports if "merged" in report.text]
    assert told == ["tools/list: the 3 pages of the list were merged, and the host got one answer"]


def fresh_pages(method: str, params: dict[str, Any]) -> Any:
    """Three pages that may be kept for a minute."""
    return {**THREE(method, params), "ttlMs": 60_000, "cacheScope": "public"}


def test_pages_that_were_kept_are_merged_with_those_that_are_asked_for() -> None:
    book = FeaturePlaybook(fresh_pages, eras=("modern", "modern"), merges_pages=True, keeps_responses=True)
    for id_ in (1, 2):
        assert names(book.ask(id_, "tools/list")) == ["a", "b", "c", "d"]
    assert book.methods() == ["tools/list"] * 3
    book.kept_responses.popitem()
    book.passes(10)
    answer = book.ask(3, "tools/list")
    assert (names(answer), answer["result"]["ttlMs"]) == (["a", "b", "c", "d"], 50_000)
    assert book.methods() == ["tools/list"] * 4


def test_the_page_that_was_asked_for_ahead_is_the_first() -> None:
    book = FeaturePlaybook(fresh_pages, eras=("modern", "modern"), merges_pages=True, keeps_responses=True)
    book.ask(1, "server/discover")
    assert book.methods() == ["server/discover", "tools/list"]
    assert names(book.ask(2, "tools/list")) == ["a", "b", "c", "d"]
    assert book.methods() == ["server/discover"] + ["tools/list"] * 3
