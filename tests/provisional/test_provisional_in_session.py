"""A token dies for good in the middle of a session: the host hears of it, and continues after the sign-in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.session.commands import Post
from bridge.session.events import Cause, SignInEnded
from tests.provisional.provisional_book import LINK, PROBLEM, TOOL, Host, ProvisionalPlaybook, changes, methods
from tests.session.modern_playbook import META_SUBSCRIPTION, MODERN_VERSION, body
from tests.session.playbook import INITIALIZED, cancelled, request, result

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN_VERSION]
every_revision = pytest.mark.parametrize("revision", REVISIONS)


def in_session(revision: str) -> ProvisionalPlaybook:
    """A session; a modern host listens in it."""
    book = ProvisionalPlaybook(revision).in_session()
    if book.who.is_modern:
        book.asks("listen", "subscriptions/listen", notifications={"toolsListChanged": True})
        book.serve()
        book.heard.clear()
    return book


@every_revision
def test_after_a_while_the_tools_are_one_and_then_they_are_back(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    book.asks(2, "resources/read", uri="a:1")
    book.needs_sign_in()
    book.shows(is_open=True)
    told = book.waits()
    assert methods(told) == changes("tools")
    if revision == MODERN_VERSION:
        assert told[0]["params"]["_meta"] == {META_SUBSCRIPTION: "listen"}
    (listed,) = book.asks(3, "tools/list")
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["sign_in"]
    assert book.asks(4, "prompts/list") == [], "what the server has is asked of the server"
    told = book.signed_in()
    assert methods(told) == changes("tools")
    book.serve()
    assert sorted(said["id"] for said in book.heard if "id" in said) == [1, 2, 3, 4]
    book.asks(5, "tools/list")
    book.serve()
    assert book.answer(5)["result"]["tools"] == [TOOL]
    assert not book.session.busy


@every_revision
def test_a_call_that_nobody_can_help_by_waiting_is_told_what_to_do(revision: str) -> None:
    book = in_session(revision)
    commands = book.host(book.who.calls(1, "pay"))
    (post,) = book.posts(commands)
    book.needs_sign_in()
    told = book.waits()
    assert [said.get("id") for said in told if "id" in said] == []
    told = book.shows(is_open=False)
    assert [said["id"] for said in told] == [1]
    assert told[0]["result"]["isError"] is True
    assert LINK in book.text(1)
    assert "sign_in" in book.text(1)
    assert post.exchange not in book.exchanges
    (told_again,) = book.calls(2, "pay")
    assert LINK in told_again["result"]["content"][0]["text"]
    book.signed_in()
    book.serve()
    book.answer(1)


@every_revision
def test_a_sign_in_that_is_held_back_is_told_in_place_of_the_error(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    told = book.refused()
    assert [said["id"] for said in told if "id" in said] == [1]
    assert methods(told) == changes("tools")
    assert book.answer(1)["result"]["isError"] is True
    assert PROBLEM in book.text(1)
    assert book.asks(2, "tools/list") == []
    told = book.no_token()
    assert [tool["name"] for tool in book.answer(2)["result"]["tools"]] == ["sign_in"]
    assert book.wants_sign_in(book.host(book.who.calls(3))) == 1
    book.needs_sign_in()
    told = book.signed_in()
    assert methods(told) == changes("tools")
    book.lists_tools(4)
    assert "signed in to mcp.example" in book.text(3)


@every_revision
def test_what_cannot_be_said_better_passes_as_the_error_it_is(revision: str) -> None:
    book = in_session(revision)
    book.asks(1, "resources/read", uri="a:1")
    book.refused()
    assert PROBLEM in book.answer(1)["error"]["message"]


@every_revision
def test_a_result_shows_that_the_server_lets_the_host_in(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    book.refused()
    book.asks(2, "tools/list")
    told = book.serve()
    assert methods(told) == changes("tools")
    assert book.answer(2)["result"]["tools"] == [TOOL]
    commands = book.host(book.who.calls(3, "pay"))
    assert len(book.posts(commands)) == 1


@every_revision
def test_a_call_of_the_tool_after_the_end_is_told_so(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    book.asks(2, "tools/list")
    book.signed_in()
    book.serve()
    (told,) = book.calls(3)
    assert "already signed in" in told["result"]["content"][0]["text"]


@every_revision
def test_a_tool_of_that_name_of_the_servers_own_is_the_servers(revision: str) -> None:
    book = in_session(revision)
    book.tools = [{"name": "sign_in", "inputSchema": {"type": "object"}}]
    (post,) = book.posts(book.host(book.who.calls(1)))
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    book.asks(2, "tools/list")
    book.signed_in()
    book.serve()
    book.asks(3, "tools/list")
    book.serve()
    (post,) = book.posts(book.host(book.who.calls(4)))
    assert body(post)["params"]["name"] == "sign_in"


@every_revision
def test_a_host_that_was_never_shown_the_tool_calls_the_servers(revision: str) -> None:
    book = in_session(revision)
    (post,) = book.posts(book.host(book.who.calls(1)))
    assert body(post)["params"]["name"] == "sign_in"


@every_revision
def test_the_tool_may_be_called_as_soon_as_the_token_dies_again(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    book.asks(2, "tools/list")
    book.signed_in()
    book.serve()
    book.calls(3, "pay")
    book.needs_sign_in()
    told = book.calls(4)
    assert methods(told) == changes("tools")
    assert "id" not in told[0]
    book.shows(is_open=False)
    assert LINK in book.text(4)


def test_the_hosts_pings_are_answered_while_the_server_cannot() -> None:
    book = in_session("2025-06-18")
    book.calls(1, "pay")
    book.needs_sign_in()
    book.waits()
    assert book.asks(2, "ping") == [{"jsonrpc": "2.0", "id": 2, "result": {}}]


@every_revision
def test_a_call_may_be_cancelled_while_it_waits(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    assert book.says(cancelled(1)) == []
    book.signed_in()
    book.serve()
    assert [said for said in book.heard if said.get("id") == 1] == []


def test_a_host_that_never_lists_again_is_shown_no_other_list_in_a_session() -> None:
    book = ProvisionalPlaybook(name="claude-ai").in_session()
    book.calls(1, "pay")
    book.asks(2, "tools/list")
    book.needs_sign_in()
    book.shows()
    book.refused()
    assert PROBLEM in book.answer(1)["error"]["message"]
    assert PROBLEM in book.answer(2)["error"]["message"]


def test_a_batch_from_before_is_answered_as_one() -> None:
    book = ProvisionalPlaybook("2025-03-26").in_session()
    book.host(b"[" + book.who.calls(1, "pay") + b"," + book.who.calls(2, "pay") + b"]")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.calls(3, "pay")
    book.waits()
    book.signed_in()
    for exchange in list(book.exchanges):
        asked = book.exchanges[exchange]
        id_ = body(asked).get("id") if isinstance(asked, Post) else None
        book.checks_answers = False
        if id_ is not None:
            book.answers(exchange, result(id_, {"content": []}))
    assert [one["id"] for said in book.heard if "jsonrpc" not in said for one in msgspec.to_builtins(said)] == [1, 2]


def test_a_connection_that_breaks_is_no_matter_of_signing_in() -> None:
    book = in_session("2025-06-18")
    book.calls(1, "pay")
    (exchange,) = book.exchanges
    (told,) = book.told_all(book.fails(exchange, Cause.LOST))
    assert told["error"]["data"]["kind"] == "outcome-unknown"
    assert book.told_all(book.on(SignInEnded(PROBLEM))) == []
    book.asks(2, "tools/list")
    book.serve()
    assert book.answer(2)["result"]["tools"] == [TOOL]


def test_a_host_that_opens_anew_in_the_middle_is_received_anew() -> None:
    book = in_session("2025-06-18")
    book.calls(1, "pay")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    (told,) = book.says(book.who.introduces_itself(2))
    assert "instructions" in told["result"]
    book.host(INITIALIZED)
    assert book.asks(3, "vendor/thing") == []
    book.signed_in()
    book.serve()
    assert {said["id"] for said in book.heard if "id" in said} == {1, 2, 3}


def test_odd_ids_and_params_do_no_harm() -> None:
    book = in_session("2025-06-18")
    book.checks_host = book.checks_answers = False
    book.calls(1, "pay")
    book.needs_sign_in()
    book.shows(is_open=True)
    book.waits()
    odd: list[object] = [None, [], {}, {"name": 5}, {"name": None}, {"_meta": []}, "x", 5]
    for id_, params in enumerate(odd, 10):
        book.host(request(id_, "tools/call", params))
        book.host(request(f"{id_}", "subscriptions/listen", params))
        book.host(request(f"l{id_}", "tools/list", params))
    assert book.answer("l10")["result"]["tools"]


# -- more scopes


@every_revision
def test_while_more_scopes_are_asked_for_the_tools_stay(revision: str) -> None:
    book = in_session(revision)
    book.calls(1, "pay")
    assert book.needs_more() == []
    assert book.shows(is_open=True) == []
    assert ("provisional", 0) not in book.timers
    assert book.asks(2, "tools/list") == [], "the server is asked, which it still allows"
    assert book.has_more() == []
    book.serve()
    assert book.answer(2)["result"]["tools"] == [TOOL]


@every_revision
def test_where_more_scopes_are_refused_the_call_alone_hears_of_it(revision: str) -> None:
    book = in_session(revision)
    (post,) = book.posts(book.host(book.who.calls(1, "pay")))
    book.needs_more()
    book.shows(is_open=False)
    assert book.has_more(PROBLEM) == []
    told = book.told_all(book.fails(post.exchange, Cause.UNAUTHORIZED, message=PROBLEM))
    assert [said["id"] for said in told] == [1], "no list has changed"
    assert PROBLEM in told[0]["error"]["message"]
    assert book.asks(2, "tools/list") == []
    book.serve()
    assert book.answer(2)["result"]["tools"] == [TOOL]


@pytest.mark.parametrize("server", ["legacy", "modern"])
def test_a_host_that_is_answered_something_else_first_hears_of_it_all_the_same(server: str) -> None:
    """It pings while the server thinks about `initialize`, and has asked in the newer era before."""
    book = ProvisionalPlaybook("2025-11-25", server=server)
    book.checks_host = book.checks_answers = False
    book.host(Host(MODERN_VERSION).introduces_itself("probe"))
    book.host(book.who.introduces_itself())
    book.asks(1, "ping")
    book.serve()
    book.host(INITIALIZED)
    book.serve()
    book.calls(2, "pay")
    book.needs_sign_in()
    assert methods(book.waits()) == changes("tools")
    assert methods(book.signed_in()) == changes("tools")


def test_a_batch_from_before_the_session_was_open_is_known_to_wait() -> None:
    book = ProvisionalPlaybook("2025-03-26")
    book.host(book.who.introduces_itself())
    book.host(b'[{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:1"}}]')
    book.needs_sign_in()
    book.waits()
    assert book.session.busy
    book.signed_in()
    book.serve()
    assert [said["id"] for said in book.heard if "id" in said] == [0, 1]
    assert not book.session.busy


def test_a_batch_that_meets_the_refusal_waits_and_is_answered_as_one() -> None:
    book = in_session("2025-03-26")
    book.checks_answers = False
    batch = [
        {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        for id_, method, params in ((1, "tools/list", {}), (2, "tools/call", {"name": "pay", "arguments": {}}))
    ]
    book.host(msgspec.json.encode(batch))
    book.needs_sign_in()
    book.shows()
    assert methods(book.waits()) == changes("tools")
    assert book.session.busy
    book.heard.clear()
    book.signed_in()
    book.serve()
    answers: list[Any] = [said for said in book.heard if "method" not in said]
    assert [sorted(answer["id"] for answer in batch) for batch in answers] == [[1, 2]]
    assert not book.session.busy
