"""A verdict that was wrong, or is no more right: it is found out and mended, and the host notices nothing."""

from typing import Any

import pytest

from bridge.session.events import Cause
from tests.session.modern_playbook import (
    BOTH,
    LEGACY,
    META_VERSION,
    MODERN,
    UNSUPPORTED_VERSION,
    PairingPlaybook,
    asked,
    body,
    called,
    discovered,
    initialized,
    listening_to,
    refusal,
)
from tests.session.paper_server import Era, PaperServer, by
from tests.session.playbook import INITIALIZED, cancelled, error, fault, request, result, tool_call

INITIALIZE = request(
    0,
    "initialize",
    {"protocolVersion": "2025-06-18", "clientInfo": {"name": "old host", "version": "1"}, "capabilities": {}},
)

flavours = pytest.mark.parametrize("says_id", [True, False], ids=["with id", "without id"])
sessions = pytest.mark.parametrize("keeps_sessions", [True, False], ids=["sessions", "no sessions"])


def told_in_all(server: PaperServer, lines: list[bytes]) -> list[dict[str, Any]]:
    """The host sends lines; what it was told."""
    return [answer for line in lines for answer in server.host(line)]


# -- wrong from the start


@flavours
@pytest.mark.parametrize("known", [LEGACY, BOTH], ids=["legacy", "both"])
def test_a_legacy_host_on_a_modern_server_that_was_legacy(known: frozenset[str], says_id: bool) -> None:
    server = PaperServer(PairingPlaybook(known), "modern", says_id=says_id)
    told = told_in_all(server, [INITIALIZE, INITIALIZED, tool_call(1)])
    assert [answer["id"] for answer in told] == [0, 1]
    assert by(told[1]) == "modern"
    assert server.book.kept == [MODERN]
    assert server.probes == 1


@flavours
def test_a_modern_host_on_a_modern_server_that_was_legacy(says_id: bool) -> None:
    server = PaperServer(PairingPlaybook(LEGACY), "modern", says_id=says_id)
    told = told_in_all(server, [called(1), asked(2, "server/discover")])
    assert [answer["id"] for answer in told] == [1, 2]
    assert by(told[0]) == "modern"
    assert server.book.kept == [MODERN]
    assert server.probes == 1


@flavours
@sessions
def test_a_legacy_host_on_a_legacy_server_that_was_modern(keeps_sessions: bool, says_id: bool) -> None:
    server = PaperServer(PairingPlaybook(MODERN), "legacy", keeps_sessions=keeps_sessions, says_id=says_id)
    told = told_in_all(server, [INITIALIZE, INITIALIZED, tool_call(1)])
    assert [answer["id"] for answer in told] == [0, 1]
    assert by(told[1]) == "legacy"
    assert server.book.kept == [LEGACY]
    assert server.probes == 1


@pytest.mark.parametrize("first", [called(1), asked(1, "server/discover")], ids=["call", "discover"])
def test_a_modern_host_on_a_legacy_server_that_was_modern(first: bytes) -> None:
    server = PaperServer(PairingPlaybook(MODERN), "legacy")
    told = told_in_all(server, [first, called(2)])
    assert [answer["id"] for answer in told] == [1, 2]
    assert by(told[1]) == "legacy"
    assert server.book.kept == [LEGACY]
    assert server.probes == 1


def test_a_legacy_server_that_does_not_know_discover_is_found_out_by_that() -> None:
    server = PaperServer(PairingPlaybook(MODERN), "legacy", keeps_sessions=False)
    (answer,) = server.host(asked(1, "server/discover"))
    assert answer["result"]["supportedVersions"] == ["2026-07-28"]
    assert "initialize" in server.seen


def test_a_server_that_names_older_versions_only_is_found_out_by_that() -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(called(1)))
    older = refusal(1, UNSUPPORTED_VERSION, supported=["2025-11-25"])
    commands = book.answers(post.exchange, older, status=400)
    assert book.told(commands) == []
    (probe,) = book.posts(commands)
    older = refusal(body(probe)["id"], UNSUPPORTED_VERSION, supported=["2025-11-25"])
    (post,) = book.posts(book.answers(probe.exchange, older, status=400))
    assert body(post)["method"] == "initialize"


# -- in mid-life


@flavours
@sessions
@pytest.mark.parametrize("before", ["legacy", "both"])
def test_a_legacy_hosts_server_becomes_modern(before: Era, keeps_sessions: bool, says_id: bool) -> None:
    server = PaperServer(PairingPlaybook(), before, keeps_sessions=keeps_sessions, says_id=says_id)
    assert [answer["id"] for line in (INITIALIZE, INITIALIZED, tool_call(1)) for answer in server.host(line)] == [0, 1]
    server.restarts_as("modern")
    (answer,) = settled(server, tool_call(2))
    assert (answer["id"], by(answer)) == (2, "modern")
    (answer,) = server.host(tool_call(3))
    assert (answer["id"], by(answer)) == (3, "modern")


@flavours
@sessions
def test_a_modern_hosts_server_becomes_modern(keeps_sessions: bool, says_id: bool) -> None:
    server = PaperServer(PairingPlaybook(), "legacy", keeps_sessions=keeps_sessions, says_id=says_id)
    assert by(server.host(called(1))[0]) == "legacy"
    server.restarts_as("modern")
    (answer,) = settled(server, called(2))
    assert (answer["id"], by(answer)) == (2, "modern")


def test_a_legacy_hosts_server_becomes_legacy() -> None:
    server = PaperServer(PairingPlaybook(), "modern")
    assert [answer["id"] for line in (INITIALIZE, INITIALIZED, tool_call(1)) for answer in server.host(line)] == [0, 1]
    server.restarts_as("legacy")
    (answer,) = settled(server, tool_call(2))
    assert (answer["id"], by(answer)) == (2, "legacy")
    assert server.seen[-3:] == ["initialize", "notifications/initialized", "tools/call"]


def test_a_modern_hosts_server_becomes_legacy() -> None:
    server = PaperServer(PairingPlaybook(), "modern")
    assert by(server.host(called(1))[0]) == "modern"
    server.restarts_as("legacy")
    (answer,) = settled(server, called(2))
    assert (answer["id"], by(answer)) == (2, "legacy")


def test_back_and_forth() -> None:
    server = PaperServer(book := PairingPlaybook(), "legacy")
    eras: list[Era] = ["modern", "legacy"]
    for number in range(40):
        server.restarts_as(eras[number % 2])
        (answer,) = settled(server, called(number))
        assert (answer["id"], by(answer)) == (number, server.era)
        book.passes(31)
    assert not book.session.busy


def settled(server: PaperServer, line: bytes) -> list[dict[str, Any]]:
    """The host sends a line; what it was told in the end, whatever pauses that takes."""
    told = server.host(line)
    while not told:
        (key,) = [key for key in server.book.timers if key[0] in {"reopen", "call"}]
        told = server.serve(server.book.fires(*key))
    return told


SET_UP = [
    request(11, "logging/setLevel", {"level": "warning"}),
    request(12, "resources/subscribe", {"uri": "a:1"}),
    request(13, "resources/subscribe", {"uri": "a:2"}),
    request(14, "resources/unsubscribe", {"uri": "a:1"}),
]


def restorable(era: Era) -> PaperServer:
    """A legacy host has opened, set a log level and subscribed to `a:2`."""
    server = PaperServer(PairingPlaybook(), era)
    told = told_in_all(server, [INITIALIZE, INITIALIZED, *SET_UP])
    assert [answer["id"] for answer in told if "result" in answer] == [0, 11, 12, 13, 14]
    server.taken.clear()
    return server


def test_what_a_legacy_host_set_up_holds_where_its_server_becomes_modern() -> None:
    server = restorable("legacy")
    server.restarts_as("modern")
    settled(server, tool_call(20))
    params = {sent["method"]: sent["params"] for sent in server.taken}
    assert params["tools/call"]["_meta"]["io.modelcontextprotocol/logLevel"] == "warning"
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["a:2"]}
    assert params["subscriptions/listen"]["notifications"] == wanted
    assert [sent["method"] for sent in server.taken].count("subscriptions/listen") == 1


def test_what_a_legacy_host_set_up_holds_where_its_server_becomes_legacy() -> None:
    server = restorable("modern")
    server.restarts_as("legacy")
    settled(server, tool_call(20))
    first, second = [sent for sent in server.taken if sent["method"] in {"logging/setLevel", "resources/subscribe"}]
    assert (first["method"], first["params"]) == ("logging/setLevel", {"level": "warning"})
    assert (second["method"], second["params"]) == ("resources/subscribe", {"uri": "a:2"})
    assert first["id"] != second["id"]


def test_what_a_legacy_host_set_up_holds_through_every_change() -> None:
    server = restorable("legacy")
    eras: list[Era] = ["modern", "legacy", "modern"]
    for number, era in enumerate(eras):
        server.restarts_as(era)
        settled(server, tool_call(20 + number))
        server.book.passes(31)
    listening = [sent["params"]["notifications"] for sent in server.taken if sent["method"] == "subscriptions/listen"]
    assert [one.get("resourceSubscriptions") for one in listening] == [["a:2"], ["a:2"]]
    assert server.taken[-1]["params"]["_meta"]["io.modelcontextprotocol/logLevel"] == "warning"


def test_an_answer_to_the_old_servers_question_still_finds_its_call() -> None:
    server = PaperServer(book := PairingPlaybook(MODERN), "modern")
    told_in_all(server, [INITIALIZE.replace(b'"capabilities":{}', b'"capabilities":{"roots":{}}'), INITIALIZED])
    (post,) = book.posts(book.host(tool_call(1)))
    asks = {"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}}
    (question,) = book.told_all(book.answers(post.exchange, result(body(post)["id"], asks)))
    server.restarts_as("legacy")
    assert [answer["id"] for answer in server.host(tool_call(2))] == [2]
    (answer,) = server.host(result(question["id"], {"roots": []}))
    assert (answer["id"], by(answer)) == (1, "legacy")
    assert all("result" not in sent for sent in server.taken), "the old server never asked"
    assert not book.session.busy


def test_a_host_that_opens_again_elsewhere_listens_there_alone() -> None:
    server = PaperServer(book := PairingPlaybook(MODERN), "modern")
    told_in_all(server, [INITIALIZE, INITIALIZED])
    assert len(book.exchanges) == 1, "it listens"
    server.restarts_as("legacy")
    assert by(server.host(called(1))[0]) == "legacy"
    server.host(INITIALIZE)
    assert not book.exchanges


# -- several at a time


def test_all_that_were_under_way_go_where_they_should_have_gone() -> None:
    server = PaperServer(book := PairingPlaybook(MODERN), "legacy")
    commands = [command for number in range(5) for command in book.host(called(number))]
    told = server.serve(commands)
    assert [answer["id"] for answer in told] == [0, 1, 2, 3, 4]
    assert {by(answer) for answer in told} == {"legacy"}
    assert server.probes == 1
    assert server.seen.count("initialize") == 1


def test_an_answer_that_comes_after_the_verdict_is_as_doubtful() -> None:
    book = PairingPlaybook(MODERN)
    first, second = book.posts(book.host(called(1))) + book.posts(book.host(called(2)))
    (probe,) = book.posts(book.answers(first.exchange, b"", status=404))
    (opening,) = book.posts(book.answers(probe.exchange, b"", status=404))
    assert body(opening)["method"] == "initialize"
    assert book.answers(second.exchange, b"", status=404) == [], "it waits for the session like the other"
    commands = book.answers(opening.exchange, result(body(opening)["id"], initialized()))
    (note,) = book.posts(commands)
    (stream,) = book.streams(book.answers(note.exchange, status=202))
    posts = book.posts(book.answers(stream.exchange, status=405))
    assert [body(post)["method"] for post in posts] == ["tools/call", "tools/call"]


def test_an_initialize_that_another_one_overtook_keeps_its_id() -> None:
    book = PairingPlaybook(LEGACY)
    first, second = (book.posts(book.host(INITIALIZE.replace(b'"id":0', b'"id":%d' % id_)))[0] for id_ in (0, 1))
    (probe,) = book.posts(book.answers(first.exchange, b"", status=404))
    commands = book.answers(probe.exchange, result("mcp-remote-bridge/probe", discovered()))
    assert book.posts(commands) == [], "the server has just said what it is"
    told = book.told_all(commands)
    commands = book.answers(second.exchange, b"", status=404)
    (question,) = book.posts(commands)
    told += book.told_all(commands) + book.told_all(book.host_closes())
    assert sorted(answer["id"] for answer in told) == [0, 1]
    assert body(question)["method"] == "server/discover"


def test_what_is_doubted_on_a_stream_lets_the_stream_go_with_its_machine() -> None:
    book = PairingPlaybook()
    (probe,) = book.posts(book.host(called("m")))
    (call,) = book.posts(book.answers(probe.exchange, result("mcp-remote-bridge/probe", discovered())))
    book.answers(call.exchange, result("m"))
    (opening,) = book.posts(book.host(INITIALIZE))
    book.starts(opening.exchange)
    commands = book.sends(opening.exchange, refusal(0, UNSUPPORTED_VERSION))
    assert book.told(commands) == []
    (question,) = book.posts(commands)
    assert list(book.exchanges) == [question.exchange]


def test_what_is_under_way_on_the_old_machine_is_still_answered() -> None:
    book = PairingPlaybook(MODERN)
    slow, first = book.posts(book.host(called("slow"))) + book.posts(book.host(called(1)))
    (probe,) = book.posts(book.answers(first.exchange, b"", status=404))
    book.answers(probe.exchange, b"", status=404)
    assert book.told(book.answers(slow.exchange, result("slow", {"n": 1})))[0].line == result("slow", {"n": 1})


def test_a_subscription_is_taken_along() -> None:
    server = PaperServer(PairingPlaybook(MODERN), "legacy")
    (answer,) = server.host(listening_to(1))
    assert answer["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 1}


# -- while in doubt


def in_doubt(line: bytes) -> tuple[PairingPlaybook, int]:
    """A modern host's request is answered doubtfully; the question's exchange."""
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(line))
    commands = book.answers(post.exchange, b"Not found", status=404)
    assert book.told(commands) == []
    (probe,) = book.posts(commands)
    return book, probe.exchange


def test_what_comes_meanwhile_waits() -> None:
    book, probe = in_doubt(called(1))
    assert book.host(called(2)) == []
    assert book.session.busy
    (opening,) = book.posts(book.answers(probe, b"", status=404))
    assert body(opening)["method"] == "initialize"


def test_a_verdict_that_stands_lets_the_answer_through() -> None:
    book, probe = in_doubt(called(1))
    book.host(called(2))
    commands = book.answers(probe, result("mcp-remote-bridge/probe", discovered()))
    (answer,) = book.told(commands)
    assert (fault(answer)["id"], fault(answer)["status"]) == (1, 404)
    assert [body(post)["id"] for post in book.posts(commands)] == [2]


@pytest.mark.parametrize("how", ["status", "silence", "unauthorized"])
def test_without_a_new_verdict_the_old_one_stands(how: str) -> None:
    book, probe = in_doubt(called(1))
    if how == "silence":
        commands = book.fires("probe")
    elif how == "status":
        commands = book.answers(probe, b"", status=502)
    else:
        commands = book.fails(probe, Cause.UNAUTHORIZED)
    (answer,) = book.told(commands)
    assert fault(answer)["id"] == 1
    assert book.remembered(commands) == []
    assert not book.session.busy


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "modern"])
def test_a_doubted_request_that_is_cancelled_is_neither_sent_again_nor_answered(legacy: bool) -> None:
    book, probe = in_doubt(called(1))
    assert book.host(cancelled(1)) == []
    answer = b"" if legacy else result("mcp-remote-bridge/probe", discovered())
    commands = book.answers(probe, answer, status=404 if legacy else 200)
    assert not book.told(commands)
    assert not book.posts(commands)
    assert not book.session.busy


def test_a_doubted_subscription_that_is_cancelled_has_one_answer() -> None:
    book, probe = in_doubt(listening_to(1))
    (answer,) = book.told_all(book.host(cancelled(1)))
    assert (answer["id"], answer["result"]["resultType"]) == (1, "complete")
    assert book.host(cancelled(1)) == []
    assert not book.told(book.answers(probe, b"", status=404))
    assert not book.session.busy


def test_a_call_and_a_subscription_that_are_doubted_both_go_to_the_other_machine() -> None:
    book = PairingPlaybook(LEGACY)
    (opening,) = book.posts(book.host(asked(0, "server/discover")))
    (note,) = book.posts(book.answers(opening.exchange, result(body(opening)["id"], initialized()), session_id=b"s"))
    (stream,) = book.streams(book.answers(note.exchange, status=202))
    book.answers(stream.exchange, status=405)
    sent = book.posts(book.host(called("c"))) + book.posts(book.host(listening_to("s", "a:1")))
    commands = []
    for post in sent:
        refused = refusal(body(post)["id"], UNSUPPORTED_VERSION, supported=["2026-07-28"])
        commands += book.answers(post.exchange, refused, status=400)
    (probe,) = book.posts(commands)
    commands = book.answers(probe.exchange, result("mcp-remote-bridge/probe", discovered()))
    assert book.told(commands) == []
    assert [body(post)["id"] for post in book.posts(commands)] == ["c", "s"]


def test_a_subscription_of_another_client_does_not_stay_where_nothing_comes_any_more() -> None:
    server = PaperServer(book := PairingPlaybook(LEGACY), "legacy")
    server.host(listening_to("other").replace(b'"name":"host"', b'"name":"other"'))
    server.host(called(1))
    server.restarts_as("modern")
    told = server.host(called(2))
    assert [answer["id"] for answer in told] == ["other", 2]
    assert [answer["result"]["resultType"] for answer in told] == ["complete", "complete"]
    assert not book.session.busy


def test_a_request_behind_a_doubted_opening_can_be_cancelled() -> None:
    book = PairingPlaybook(LEGACY)
    (opening,) = book.posts(book.host(called(1)))
    book.host(called(2))
    (probe,) = book.posts(book.answers(opening.exchange, b"", status=404))
    assert book.host(cancelled(2)) == []
    commands = book.answers(probe.exchange, result("mcp-remote-bridge/probe", discovered()))
    assert [body(post)["id"] for post in book.posts(commands)] == [1]


def test_a_cancelled_request_that_is_under_way_is_let_go_at_once() -> None:
    book = PairingPlaybook(MODERN)
    slow, first = book.posts(book.host(called("slow"))) + book.posts(book.host(called(1)))
    book.answers(first.exchange, b"", status=404)
    book.host(cancelled("slow"))
    assert slow.exchange not in book.exchanges


def test_at_the_end_what_is_doubted_is_told_as_it_is() -> None:
    book, _ = in_doubt(called(1))
    book.host(called(2))
    told = [fault(command) for command in book.told(book.host_closes())]
    assert [(one["id"], one["kind"]) for one in told] == [(1, "http-status"), (2, "shutdown")]
    assert not book.exchanges


def test_at_the_end_what_is_doubted_and_cancelled_is_not_told() -> None:
    book, _ = in_doubt(called(1))
    book.host(cancelled(1))
    assert book.told(book.host_closes()) == []


def test_a_server_is_doubted_only_so_often() -> None:
    book, probe = in_doubt(called(1))
    book.answers(probe, result("mcp-remote-bridge/probe", discovered()))
    book.passes(30)
    (post,) = book.posts(book.host(called(2)))
    commands = book.answers(post.exchange, b"", status=404)
    assert book.posts(commands) == []
    assert fault(book.told(commands)[0])["id"] == 2
    book.passes(1)
    (post,) = book.posts(book.host(called(3)))
    (probe_,) = book.posts(book.answers(post.exchange, b"", status=404))
    assert body(probe_)["method"] == "server/discover"


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502])
def test_what_says_nothing_of_the_era_is_not_doubtful(status: int) -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(called(1)))
    commands = book.answers(post.exchange, b"", status=status)
    assert fault(book.told(commands)[0])["status"] == status
    assert book.posts(commands) == []


def test_an_error_that_bears_the_id_of_a_modern_request_is_the_servers_own() -> None:
    book = PairingPlaybook(MODERN)
    (post,) = book.posts(book.host(called(1)))
    commands = book.answers(post.exchange, error(1, "Bad Request: no session", -32000), status=400)
    assert [answer["id"] for answer in book.told_all(commands)] == [1]
    assert book.posts(commands) == []


def test_a_host_that_opens_twice_before_the_server_is_known_is_a_legacy_host_both_times() -> None:
    book = PairingPlaybook(frozenset())
    ahead = [
        *book.posts(book.host(INITIALIZE)),
        *book.posts(book.host(INITIALIZE.replace(b'"id":0', b'"id":1'))),
    ]
    sent: list[tuple[str, str]] = []
    told: list[dict[str, Any]] = []
    while ahead:
        post = ahead.pop(0)
        if post.exchange not in book.exchanges:
            continue  # Given up meanwhile.
        said = body(post)
        sent.append((said["method"], said["params"].get("_meta", {}).get(META_VERSION, "")))
        if said["method"] == "server/discover":
            commands = book.answers(post.exchange, result(said["id"], discovered()))
        else:
            no = refusal(said["id"], UNSUPPORTED_VERSION, supported=["2026-07-28"], requested="2025-06-18")
            commands = book.answers(post.exchange, no, status=400)
        ahead += book.posts(commands)
        told += book.told_all(commands)
    assert ("initialize", "2026-07-28") not in sent
    assert told[-1]["id"] == 1
    assert told[-1]["result"]["protocolVersion"] == "2025-06-18"
