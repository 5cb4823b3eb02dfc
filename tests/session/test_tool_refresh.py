"""A call whose headers do not suit the server any more: the tools are listed again, and it goes once more."""

from typing import Any

import pytest

from bridge.session.commands import Abandon, DrainStream, Post, SendToHost
from bridge.session.events import Cause
from tests.session.modern_playbook import HEADER_MISMATCH, ModernPlaybook, asked, body, called, headers_for, refusal
from tests.session.playbook import cancelled, error, notification, request, result

PAY = headers_for("tools/call", "pay")
MISMATCH_WITHOUT_ID = refusal(None, HEADER_MISMATCH)


def tools(header: str, name: str = "pay", **more: object) -> dict[str, Any]:
    """A `tools/list` result that marks the argument `region`."""
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": header}}}
    return {"tools": [{"name": name, "inputSchema": schema}], **more}


def mismatched(book: ModernPlaybook, id_: object = 1, tool: str = "pay") -> Post:
    """A call meets `HeaderMismatch`; what is asked then."""
    post = book.post(called(id_, tool, region="eu"))
    (page,) = book.posts(book.answers(post.exchange, refusal(id_, HEADER_MISMATCH), status=400))
    return page


def test_the_tools_are_listed_and_the_call_goes_again_with_its_new_headers() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    assert page.headers == headers_for("tools/list")
    assert page.urgent
    assert body(page)["method"] == "tools/list"
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("Region"))))
    assert post.headers == (*PAY, (b"mcp-param-region", b"eu"))
    assert body(post)["id"] not in {1, body(page)["id"]}
    assert body(post)["params"] == body(Post(0, called(1, region="eu"), ()))["params"]
    assert book.answers(post.exchange, result(body(post)["id"], {"x": 1})) == [SendToHost(result(1, {"x": 1}))]
    assert not book.exchanges


def test_the_list_is_asked_for_in_the_hosts_name_and_without_its_progress_token() -> None:
    book = ModernPlaybook()
    line = called(1).replace(b'"_meta":{', b'"_meta":{"progressToken":"t","a":1,')
    post = book.post(line)
    (page,) = book.posts(book.answers(post.exchange, refusal(1, HEADER_MISMATCH), status=400))
    assert body(page)["params"]["_meta"] == {**body(Post(0, called(1), ()))["params"]["_meta"], "a": 1}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("id_", [None, "server-error"], ids=repr)
def test_a_refusal_that_bears_no_id_says_as_much(status: int, id_: object) -> None:
    book = ModernPlaybook()
    post = book.post(called(1, region="eu"))
    (page,) = book.posts(book.answers(post.exchange, refusal(id_, HEADER_MISMATCH), status=status))
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    assert post.headers == (*PAY, (b"mcp-param-r", b"eu"))


def test_a_mismatch_that_comes_on_a_stream_lets_the_stream_go() -> None:
    book = ModernPlaybook()
    post = book.post(called(1))
    book.starts(post.exchange)
    commands = book.sends(post.exchange, refusal(1, HEADER_MISMATCH))
    assert DrainStream(post.exchange) in commands
    (page,) = book.posts(commands)
    assert book.closes(post.exchange) == []
    (again,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    assert again.headers == PAY


def test_one_list_serves_all_calls_that_met_this() -> None:
    book = ModernPlaybook()
    page = mismatched(book, 0)
    for id_ in (1, 2):
        post = book.post(called(id_, region="eu"))
        assert book.posts(book.answers(post.exchange, refusal(id_, HEADER_MISMATCH), status=400)) == []
    posts = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    assert [post.headers[-1] for post in posts] == [(b"mcp-param-r", b"eu")] * 3
    told = [said for post in posts for said in book.answers(post.exchange, result(body(post)["id"]))]
    assert told == [SendToHost(result(id_)) for id_ in (0, 1, 2)]


def test_every_page_is_read() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    (page,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("X", "other", nextCursor="two"))))
    assert body(page)["params"]["cursor"] == "two"
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    assert post.headers == (*PAY, (b"mcp-param-r", b"eu"))


@pytest.mark.parametrize("cursor", [None, 5, ["a"], {}, True], ids=repr)
def test_a_cursor_that_is_no_text_ends_the_list(cursor: object) -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R", nextCursor=cursor))))
    assert body(post)["method"] == "tools/call"


def test_a_list_without_end_is_left_at_some_point() -> None:
    book = ModernPlaybook()
    page, pages = mismatched(book), 1
    while body(page)["method"] == "tools/list":
        (page,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R", nextCursor="more"))))
        pages += 1
    assert pages == 51
    assert body(page)["method"] == "tools/call"


def test_a_second_mismatch_goes_to_the_host() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    line = refusal(body(post)["id"], HEADER_MISMATCH)
    assert book.answers(post.exchange, line, status=400) == [SendToHost(refusal(1, HEADER_MISMATCH))]


def test_a_second_mismatch_without_an_id_goes_to_the_host() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools("R"))))
    (answer,) = book.told_all(book.answers(post.exchange, MISMATCH_WITHOUT_ID, status=400))
    assert (answer["id"], answer["error"]["data"]["status"]) == (1, 400)


def test_a_later_call_may_meet_it_again() -> None:
    book = ModernPlaybook()
    for header in ("A", "B"):
        page = mismatched(book, header)
        (post,) = book.posts(book.answers(page.exchange, result(body(page)["id"], tools(header))))
        assert post.headers[-1][0] == b"mcp-param-" + header.lower().encode()
        book.answers(post.exchange, result(body(post)["id"]))


@pytest.mark.parametrize("how", ["error", "lost", "closed", "nonsense", "empty", "other id", "status"])
def test_whatever_comes_of_the_list_the_call_goes_again(how: str) -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    bodies = {"error": error(body(page)["id"], "No."), "nonsense": b"{", "empty": b"", "other id": result("x")}
    if how == "lost":
        commands = book.fails(page.exchange, Cause.LOST)
    elif how == "closed":
        book.starts(page.exchange)
        commands = book.closes(page.exchange)
    else:
        commands = book.answers(page.exchange, bodies.get(how, b""), status=503 if how == "status" else 200)
    (post,) = book.posts(commands)
    assert post.headers == PAY


def test_the_list_may_come_on_a_stream() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    book.starts(page.exchange)
    assert book.sends(page.exchange, notification("notifications/message", {})) == []
    assert book.sends(page.exchange, request(1, "ping")) == []
    assert book.sends(page.exchange, result("x", tools("Wrong"))) == []
    commands = book.sends(page.exchange, result(body(page)["id"], tools("R")))
    assert DrainStream(page.exchange) in commands
    (post,) = book.posts(commands)
    assert post.headers[-1] == (b"mcp-param-r", b"eu")
    assert book.sends(page.exchange, result(body(page)["id"], tools("Late"))) == []
    assert book.closes(page.exchange) == []
    assert list(book.exchanges) == [post.exchange]


def test_a_call_that_is_cancelled_meanwhile_does_not_go_again() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    assert book.host(cancelled(1)) == []
    assert book.answers(page.exchange, result(body(page)["id"], tools("R"))) == []
    assert not book.session.busy


def test_a_deadline_goes_on_meanwhile() -> None:
    book = ModernPlaybook(request_timeout=20.0)
    page = mismatched(book)
    (answer,) = book.told_all(book.fires("deadline", 1))
    assert answer["error"]["data"]["kind"] == "timeout"
    assert book.answers(page.exchange, result(body(page)["id"], tools("R"))) == []


def test_at_the_end_the_call_is_answered_and_the_list_let_go() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    commands = book.host_closes()
    assert [answer["id"] for answer in book.told_all(commands)] == [1]
    assert Abandon(page.exchange) in commands


def test_tools_that_break_a_rule_are_named_in_the_log_only() -> None:
    book = ModernPlaybook()
    page = mismatched(book)
    book.answers(page.exchange, result(body(page)["id"], tools("a b")))
    assert any('"pay"' in warning for warning in book.warnings())


def test_the_hosts_own_list_tells_as_much() -> None:
    book = ModernPlaybook()
    book.answers(book.post(asked(1)).exchange, result(1, tools("R")))
    book.answers(book.post(asked(2)).exchange, result(2, tools("S")))
    assert book.post(called(3, region="eu")).headers == (*PAY, (b"mcp-param-s", b"eu"))
