"""The tool `sign_in`: what a call of it gets, how long it waits, and the host that opens the link itself."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.session.events import SignInEnded
from tests.provisional.provisional_book import KINDS, LINK, LOGIN, PROBLEM, ProvisionalPlaybook, changes, methods
from tests.session.modern_playbook import MODERN_VERSION
from tests.session.playbook import INITIALIZED, cancelled, error, request, result

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN_VERSION]
every_revision = pytest.mark.parametrize("revision", REVISIONS)
OPENS_LINKS: dict[str, object] = {"elicitation": {"url": {}}}
CALL_TIMER = "provisional/call"


def timer(book: ProvisionalPlaybook) -> int:
    """The number of the one call that waits."""
    return book.waits_for(CALL_TIMER)[1]


# -- the link, and the wait


@every_revision
def test_a_link_that_stands_in_no_browser_is_told_at_once_and_then_waited_for(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received(is_open=False)
    commands = book.host(book.who.calls(1))
    assert book.wants_sign_in(commands) == 1
    assert book.told(commands) == [], "a browser may show it"
    book.shows(is_open=False)
    assert LINK in book.text(1)
    assert "about 5 minutes" in book.text(1)
    assert "isError" in book.answer(1)["result"]
    assert book.answer(1)["result"]["isError"] is False
    commands = book.host(book.who.calls(2))
    assert book.wants_sign_in(commands) == 0
    assert book.told(commands) == []
    assert book.timers[CALL_TIMER, timer(book)].seconds == pytest.approx(25.0)
    book.fires(CALL_TIMER, timer(book))
    assert LINK in book.text(2)
    assert "call sign_in again" in book.text(2)
    book.calls(3)
    book.signed_in()
    book.serve()
    book.lists_tools(4)
    assert "The user is signed in to mcp.example." in book.text(3)
    if not book.who.is_modern:  # It listens to no changes here, so it is not known what it has.
        assert "Its tool is available now." in book.text(3)
    assert CALL_TIMER not in {purpose for purpose, _ in book.timers}


@every_revision
def test_a_link_that_stands_in_a_browser_is_told_after_a_while(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received(is_open=True)
    commands = book.host(book.who.calls(1))
    assert book.wants_sign_in(commands) == 0
    assert book.told(commands) == []
    book.fires(CALL_TIMER, timer(book))
    assert LINK in book.text(1)
    assert "browser was opened" in book.text(1)


@every_revision
def test_a_call_before_the_link_is_known_is_told_as_soon_as_it_is(revision: str) -> None:
    book = ProvisionalPlaybook(revision)
    book.host(book.who.introduces_itself())
    book.needs_sign_in()
    book.waits()
    assert book.calls(1) == []
    book.shows(user_code="ABCD-EFGH")
    assert LINK in book.text(1)
    assert "ABCD-EFGH" in book.text(1)


@every_revision
def test_another_link_is_told_too(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received(is_open=False)
    book.calls(1)
    book.calls(2)
    book.shows("https://as.example/other")
    assert "https://as.example/other" in book.text(2)


@every_revision
def test_each_call_may_begin_a_sign_in_when_none_is_under_way(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.refused()
    for id_ in (1, 2):
        commands = book.host(book.who.calls(id_))
        assert book.wants_sign_in(commands) == 1
        book.refused("Nobody came.")
        assert book.answer(id_)["result"]["isError"] is True
        assert "Nobody came." in book.text(id_)
    assert book.wants_sign_in(book.host(book.who.calls(3))) == 1
    book.fires(CALL_TIMER, timer(book))
    assert "Nobody came." in book.text(3)


@every_revision
def test_a_call_before_the_refused_request_has_ended_begins_one_too(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.calls(1)
    book.on(SignInEnded(PROBLEM))
    assert PROBLEM in book.text(1)
    assert book.wants_sign_in(book.host(book.who.calls(2))) == 1
    book.no_token()
    book.needs_sign_in()
    book.signed_in()
    book.serve()
    book.lists_tools(3)
    assert "signed in to mcp.example" in book.text(2)


@every_revision
def test_what_has_to_be_changed_first_is_not_to_be_tried_again(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.calls(1)
    book.on(SignInEnded("The client mine is not known. Check --client-id.", needs_change=True))
    said = book.text(1)
    assert "Check --client-id." in said
    assert "fails in the same way until that is changed" in said
    assert "sign_in again" not in said
    assert book.wants_sign_in(book.host(book.who.calls(2))) == 1, "the user may have changed it"
    book.on(SignInEnded(PROBLEM))
    assert "Call sign_in again to retry." in book.text(2)


@every_revision
def test_calls_at_once_begin_one_sign_in(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.refused()
    assert [book.wants_sign_in(book.host(book.who.calls(id_))) for id_ in (1, 2, 3)] == [1, 0, 0]
    book.needs_sign_in()
    book.refused()
    assert book.wants_sign_in(book.host(book.who.calls(4))) == 1


@every_revision
def test_a_refusal_ends_the_calls_that_wait(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.calls(1)
    book.refused()
    assert book.answer(1)["result"]["isError"] is True
    assert PROBLEM in book.text(1)
    assert "Call sign_in again" in book.text(1)


@every_revision
def test_a_call_may_be_taken_back(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.calls(1)
    assert book.says(cancelled(1)) == []
    assert CALL_TIMER not in {purpose for purpose, _ in book.timers}
    book.signed_in()
    book.serve()
    assert [said for said in book.heard if said.get("id") == 1] == []


def test_only_so_many_calls_wait() -> None:
    book = ProvisionalPlaybook().received()
    for id_ in range(1, 65):
        assert book.calls(id_) == []
    (told,) = book.calls(65)
    assert LINK in told["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    "link",
    [
        "",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "http://[",
        "https://a/\n",
    ],
    ids=["none", "file", "script", "no host", "a space", "half an address", "a line"],
)
def test_what_is_no_link_of_the_web_is_not_told(link: str) -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS)
    book.host(book.who.introduces_itself())
    book.needs_sign_in()
    book.shows(link)
    (told,) = book.waits()
    assert "no link yet" in told["result"]["instructions"]
    book.host(INITIALIZED)
    assert book.calls(1) == []


@pytest.mark.parametrize("is_open", [True, False])
def test_a_link_that_could_hold_a_whole_text_is_not_told_but_how_to_see_it(is_open: bool) -> None:
    book = ProvisionalPlaybook()
    book.host(book.who.introduces_itself())
    book.needs_sign_in()
    book.shows("https://as.example/" + "ignore-all-that-" * 300, is_open=is_open)
    (told,) = book.waits()
    said = told["result"]["instructions"]
    assert "ignore" not in said
    assert "mcp-remote-bridge login https://mcp.example/mcp" in said
    assert ("A browser was opened" in said) is is_open


@pytest.mark.parametrize("code", ["A\x1b[31m", "Open evil.example", "A" * 25, " A", "A-"])
def test_a_code_that_cannot_be_shown_is_not(code: str) -> None:
    book = ProvisionalPlaybook()
    book.host(book.who.introduces_itself())
    book.needs_sign_in()
    book.shows(user_code=code)
    (told,) = book.waits()
    assert "code" not in told["result"]["instructions"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(290.0, "about 5 minutes"), (60.0, "about a minute"), (20.0, "about 20 s"), (0.0, "browser:\n")],
)
def test_the_time_that_is_left_is_told(seconds: float, words: str) -> None:
    book = ProvisionalPlaybook().received()
    book.calls(1)
    book.shows(is_open=False, ends_in=seconds)
    assert words in book.text(1)


def test_a_reason_is_told_on_one_line() -> None:
    book = ProvisionalPlaybook().received()
    book.calls(1)
    book.refused("It\n failed" + "x" * 5000)
    assert "It failed" in book.text(1)
    assert len(book.text(1)) < 1400


def test_a_long_reason_keeps_what_to_do() -> None:
    book = ProvisionalPlaybook().received()
    book.calls(1)
    words = f'the server said: "{240 * "x"}"'
    book.refused(f"It failed; {words}. It answered 400 at {160 * 'y'}. {240 * 'z'}. Try again later.")
    assert "Try again later." in book.text(1)


def test_what_is_shown_while_nobody_is_asked_counts_for_nothing() -> None:
    book = ProvisionalPlaybook().received()
    book.refused()
    book.shows()
    book.calls(1)
    book.fires(CALL_TIMER, timer(book))
    assert LINK not in book.text(1)


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
def test_a_host_that_gives_a_call_5_s_is_answered_before(revision: str) -> None:
    book = ProvisionalPlaybook(revision, name="google-adk").received(is_open=True)
    book.calls(1)
    began = book.now
    book.fires(CALL_TIMER, timer(book))
    assert book.now - began == pytest.approx(4.5)
    assert "A browser was opened" in book.text(1)
    assert "call sign_in again" in book.text(1)


# -- the end, once the host has the server's tools


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "The server lists no tools."),
        (1, "Its tool is available now."),
        (3, "Its 3 tools are available now."),
    ],
)
@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_the_end_is_told_after_the_host_has_listed_and_says_what_it_has(revision: str, count: int, words: str) -> None:
    book = ProvisionalPlaybook(revision).received()
    book.tools = [{"name": f"tool-{number}", "inputSchema": {"type": "object"}} for number in range(count)]
    book.calls(1)
    told = book.signed_in() + book.serve()
    assert methods(told) == changes(*KINDS)
    assert [said for said in told if said.get("id") == 1] == []
    told = book.lists_tools(2)
    assert [said["id"] for said in told] == [2, 1], "the list comes first"
    assert book.text(1) == f"The user is signed in to mcp.example. {words}"
    assert not book.timers


@pytest.mark.parametrize(("name", "host"), [("gemini-cli-mcp-client", "Gemini CLI"), ("Some Host", "Some Host")])
def test_a_host_that_does_not_list_within_2_s_is_told_that_it_has_not(name: str, host: str) -> None:
    book = ProvisionalPlaybook(name=name).received()
    book.calls(1)
    book.signed_in()
    book.serve()
    began = book.now
    book.fires("provisional/listing")
    assert book.now - began == 2.0
    assert book.text(1).endswith(
        f"Its tools appear when {host} asks for them again, at the latest after {host} is restarted."
    )
    book.lists_tools(2)
    book.calls(3)
    assert book.text(3) == "The user is already signed in to mcp.example. Its tool is available now."


def test_a_list_that_the_server_refuses_is_no_list() -> None:
    book = ProvisionalPlaybook().received()
    book.calls(1)
    book.signed_in()
    book.serve()
    book.asks(2, "tools/list")
    book.breaks()
    assert [said for said in book.heard if said.get("id") == 1] == []
    book.fires("provisional/listing")
    assert "Its tools appear when" in book.text(1)


def test_a_call_that_is_taken_back_meanwhile_is_not_answered() -> None:
    book = ProvisionalPlaybook().received()
    book.calls(1)
    book.signed_in()
    book.serve()
    book.says(cancelled(1))
    book.lists_tools(2)
    assert [said for said in book.heard if said.get("id") == 1] == []


# -- what is to be read before the link


@every_revision
@pytest.mark.parametrize("is_open", [True, False], ids=["in-a-browser", "nowhere"])
def test_what_is_to_be_read_first_stands_before_the_link(revision: str, is_open: bool) -> None:
    book = ProvisionalPlaybook(revision).received(is_open=False)
    book.calls(1)
    book.shows(is_open=is_open, warnings=("It moved", "A\nB " + 500 * "x"))
    if is_open:
        book.fires(CALL_TIMER, timer(book))
    text = book.text(1)
    assert "Tell the user first: It moved. Tell the user first: A B xxx" in text
    assert text.index("It moved.") < text.index(LINK)
    assert 350 < text.count("x") < 450, "no more than is read out"


def test_it_is_told_where_the_link_is_too_long_to_be_shown() -> None:
    book = ProvisionalPlaybook().received(is_open=False)
    book.calls(1)
    book.shows("https://as.example/in?" + 5000 * "x", warnings=("It moved",))
    text = book.text(1)
    assert "Tell the user first: It moved. The link is too long to show here" in text
    assert f"\n{LOGIN}\n" in text


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
def test_a_host_that_opens_links_shows_it_with_its_question(revision: str) -> None:
    book = ProvisionalPlaybook(revision, capabilities=OPENS_LINKS).received(is_open=False)
    told = book.calls(1) + book.shows(warnings=("It moved",))
    if book.who.is_modern:
        (question,) = input_required(book, 1)["inputRequests"].values()
    else:
        question = asked(told)
    assert question["params"]["message"] == "It moved. Sign in to mcp.example to use its tools."


def test_it_is_of_one_sign_in_only() -> None:
    book = ProvisionalPlaybook().received(is_open=False)
    book.calls(1)
    book.shows(warnings=("It moved",))
    book.refused()
    book.needs_sign_in()
    book.calls(2)
    book.shows()
    assert "It moved" in book.text(1)
    assert "It moved" not in book.text(2)


# -- a legacy host opens the link


def asked(told: list[dict[str, Any]]) -> dict[str, Any]:
    """The one question among what the host heard."""
    (question,) = [said for said in told if said.get("method") == "elicitation/create"]
    assert question["params"]["mode"] == "url"
    assert str(question["id"]).startswith("mcp-remote-bridge/sign-in/")
    return question


def test_a_host_that_opens_links_is_asked_to_and_told_when_it_is_over() -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS).received(is_open=False)
    question = asked(book.calls_in_vain(1))
    assert question["params"]["url"] == LINK
    assert book.says(result(question["id"], {"action": "accept"})) == []
    assert book.calls(2) == [], "the user was asked"
    told = book.signed_in() + book.serve() + book.lists_tools(9)
    (complete,) = [said for said in told if said.get("method") == "notifications/elicitation/complete"]
    assert complete["params"]["elicitationId"] == question["params"]["elicitationId"]
    assert "notifications/cancelled" not in methods(told)
    assert "signed in to mcp.example" in book.text(1)
    assert book.seen == ["initialize", "notifications/initialized", "tools/list"], (
        "the host's answer is nothing to the server"
    )


ANSWERS = [{"action": "decline"}, {"action": "cancel"}, {}, {"action": 5}, None]


@pytest.mark.parametrize("seconds", [0.02, 5.0])
@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_a_user_who_declines_gets_the_link_in_words(answer: dict[str, object] | None, seconds: float) -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS).received(is_open=False)
    question = asked(book.calls_in_vain(1))
    book.checks_host = False
    book.passes(seconds)
    book.says(error(question["id"], "No.") if answer is None else result(question["id"], answer))
    assert LINK in book.text(1)
    is_the_users = seconds >= 1.0
    assert ("The user declined to open the sign-in page" in book.text(1)) == is_the_users
    assert ("The user was not asked" in book.text(1)) == (not is_the_users)
    assert "notifications/elicitation/complete" not in methods(book.signed_in())


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
def test_a_host_that_fails_at_the_question_is_not_asked(revision: str) -> None:
    book = ProvisionalPlaybook(revision, name="copilot-cli", capabilities=OPENS_LINKS).received(is_open=False)
    assert methods(book.calls_in_vain(1)) == []
    assert LINK in book.text(1)


def test_a_host_without_a_user_is_asked_once_for_each_link() -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS).received(is_open=False)
    question = asked(book.calls_in_vain(1))
    book.says(result(question["id"], {"action": "cancel"}))
    assert methods(book.calls_in_vain(2)) == []
    told = book.shows("https://as.example/other", is_open=False)
    assert asked(told)["params"]["url"] == "https://as.example/other"


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
def test_where_a_browser_was_opened_the_user_is_asked_nothing(revision: str) -> None:
    book = ProvisionalPlaybook(revision, capabilities=OPENS_LINKS).received(is_open=True)
    assert book.calls(1) == []
    book = ProvisionalPlaybook(revision, capabilities=OPENS_LINKS).received(is_open=False)
    assert book.wants_sign_in(book.host(book.who.calls(1))) == 1
    assert book.shows(is_open=True) == []
    book.signed_in()
    book.serve()
    book.lists_tools(2)
    assert "signed in to mcp.example" in book.text(1)


def test_a_question_without_an_answer_is_taken_back_at_the_end() -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS).received(is_open=False)
    question = asked(book.calls_in_vain(1))
    book.fires(CALL_TIMER, timer(book))
    assert LINK in book.text(1)
    told = book.refused()
    assert methods(told) == ["notifications/cancelled", "notifications/elicitation/complete"]
    assert told[0]["params"]["requestId"] == question["id"]
    assert book.says(result(question["id"], {"action": "accept"})) == []
    book.needs_sign_in()
    book.signed_in()
    book.serve()
    assert book.seen == ["initialize", "notifications/initialized"]


def test_a_new_link_is_a_new_question() -> None:
    book = ProvisionalPlaybook("2025-11-25", capabilities=OPENS_LINKS).received(is_open=False)
    first = asked(book.calls_in_vain(1))
    told = book.shows("https://as.example/other")
    second = asked(told)
    assert second["id"] != first["id"]
    assert second["params"]["url"] == "https://as.example/other"
    assert book.says(result(first["id"], {"action": "decline"})) == []
    book.says(result(second["id"], {"action": "decline"}))
    assert "https://as.example/other" in book.text(1)


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18"])
def test_a_host_of_a_revision_without_that_is_not_asked(revision: str) -> None:
    book = ProvisionalPlaybook(revision, capabilities=OPENS_LINKS).received(is_open=False)
    assert methods(book.calls_in_vain(1)) == []
    assert LINK in book.text(1)


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}], ids=repr)
@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
def test_a_host_that_does_not_offer_it_is_not_asked(revision: str, capabilities: object) -> None:
    book = ProvisionalPlaybook(revision, capabilities=capabilities).received(is_open=False)
    assert methods(book.calls_in_vain(1)) == []
    assert LINK in book.text(1)


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN_VERSION])
@pytest.mark.parametrize(
    ("link", "asks"),
    [
        ("http://as.example/x", False),
        ("http://127.0.0.1:9/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:9/", True),
    ],
)
def test_only_a_link_that_is_safe_is_to_be_opened(revision: str, link: str, asks: bool) -> None:
    book = ProvisionalPlaybook(revision, capabilities=OPENS_LINKS).received(is_open=False)
    book.shows(link)
    told = book.calls_in_vain(1)
    is_asked = methods(told) == ["elicitation/create"] or "inputRequests" in told[0].get("result", {})
    assert is_asked == asks
    if not asks:
        assert link in book.text(1)


# -- a modern host opens the link


def input_required(book: ProvisionalPlaybook, id_: object) -> dict[str, Any]:
    """What a modern host is asked in the result of its call."""
    said: dict[str, Any] = book.answer(id_)["result"]
    assert said["resultType"] == "input_required"
    return said


def test_a_modern_host_is_asked_with_the_result_and_its_retry_waits() -> None:
    book = ProvisionalPlaybook(MODERN_VERSION, capabilities=OPENS_LINKS).received(is_open=False)
    book.calls_in_vain(1)
    said = input_required(book, 1)
    ((key, question),) = said["inputRequests"].items()
    assert (question["method"], question["params"]["url"]) == ("elicitation/create", LINK)
    retry = {"requestState": said["requestState"], "inputResponses": {key: {"action": "accept"}}}
    assert book.calls(2, **retry) == []
    book.signed_in()
    book.serve()
    book.lists_tools(3)
    assert "signed in to mcp.example" in book.text(2)


@pytest.mark.parametrize("seconds", [0.02, 5.0])
@pytest.mark.parametrize("answer", [{"action": "decline"}, {"action": "cancel"}, {}, [], None], ids=repr)
def test_a_modern_user_who_declines_gets_the_link_in_words(answer: object, seconds: float) -> None:
    book = ProvisionalPlaybook(MODERN_VERSION, capabilities=OPENS_LINKS).received(is_open=False)
    book.calls_in_vain(1)
    said = input_required(book, 1)
    (key,) = said["inputRequests"]
    book.checks_host = book.checks_answers = False
    book.passes(seconds)
    book.calls(2, requestState=said["requestState"], inputResponses={key: answer})
    assert LINK in book.text(2)
    is_the_users = seconds >= 1.0
    assert ("The user declined to open the sign-in page" in book.text(2)) == is_the_users


@pytest.mark.parametrize("state", ["guessed", "", 5, None, {}], ids=repr)
def test_a_state_that_was_not_given_is_refused(state: object) -> None:
    book = ProvisionalPlaybook(MODERN_VERSION, capabilities=OPENS_LINKS).received(is_open=False)
    book.checks_host = book.checks_answers = False
    (told,) = book.calls(1, requestState=state)
    assert told["error"]["code"] == -32602


def test_a_state_is_used_once() -> None:
    book = ProvisionalPlaybook(MODERN_VERSION, capabilities=OPENS_LINKS).received(is_open=False)
    book.calls_in_vain(1)
    said = input_required(book, 1)
    retry = {"requestState": said["requestState"], "inputResponses": {"sign-in": {"action": "accept"}}}
    book.calls(2, **retry)
    (told,) = book.calls(3, **retry)
    assert told["error"]["code"] == -32602


def test_a_retry_after_the_end_hears_how_it_ended() -> None:
    for is_good in (True, False):
        book = ProvisionalPlaybook(MODERN_VERSION, capabilities=OPENS_LINKS).received(is_open=False)
        book.calls_in_vain(1)
        said = input_required(book, 1)
        if is_good:
            book.signed_in()
        else:
            book.refused()
        retry = {"requestState": said["requestState"], "inputResponses": {"sign-in": {"action": "accept"}}}
        commands = book.host(book.who.calls(2, **retry))
        assert book.wants_sign_in(commands) == 0
        assert ("already signed in" if is_good else PROBLEM) in book.text(2)


def test_a_host_that_asks_in_both_eras_is_answered_in_each() -> None:
    book = ProvisionalPlaybook("2025-06-18").received()
    modern = ProvisionalPlaybook(MODERN_VERSION).who
    book.checks_host = book.checks_answers = False
    (told,) = book.says(modern.asks("m", "tools/list"))
    assert told["result"]["resultType"] == "complete"
    (told,) = book.says(request("l", "tools/list"))
    assert "resultType" not in told["result"]


@every_revision
def test_in_each_sign_in_a_browser_is_wished_for_once(revision: str) -> None:
    book = ProvisionalPlaybook(revision).received(is_open=False)
    for id_ in (10, 20):
        assert book.wants_sign_in(book.host(book.who.calls(id_ + 1))) == 1
        assert book.wants_sign_in(book.host(book.who.calls(id_ + 2))) == 0
        book.refused()
        book.needs_sign_in()
        book.shows(is_open=False)
