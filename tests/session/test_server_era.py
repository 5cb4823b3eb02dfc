"""First contact: what a server that nothing is known of is sent, message by message, and what is known then."""

from typing import Any

import msgspec
import pytest

from bridge.session.commands import Abandon, Command, Post, SaveEras, SendToHost
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    BOTH,
    LEGACY,
    META_VERSION,
    MODERN,
    UNASKED,
    UNSUPPORTED_VERSION,
    PairingPlaybook,
    asked,
    body,
    called,
    discovered,
    headers_for,
    initialized,
    refusal,
)
from tests.session.paper_server import Era, PaperServer, by
from tests.session.playbook import INITIALIZED, cancelled, error, fault, request, result, tool_call

CLIENT = {"name": "old host", "version": "1"}
INITIALIZE = request(0, "initialize", {"protocolVersion": "2025-06-18", "clientInfo": CLIENT, "capabilities": {}})
PROBE = ("probe", 0)
DISCOVER = asked("d", "server/discover")
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
LISTED = {"resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private"}

keeping = pytest.mark.parametrize("keeps_sessions", [True, False], ids=["sessions", "no sessions"])
unknown = pytest.mark.parametrize("eras", [frozenset(), UNASKED], ids=["unknown", "unasked"])


class Counting(PaperServer):
    """A server that counts all it is sent, run or refused, and can be hard to please."""

    def __init__(self, book: PairingPlaybook, era: Era, **more: Any) -> None:
        super().__init__(book, era, **more)
        self.came: list[str] = []
        self.refuses_stamps = 0

    def _answer(self, exchange: int) -> list[Command]:
        sent = self.book.exchanges[exchange]
        if isinstance(sent, Post):
            said = body(sent)
            self.came.append(said["method"])
            if self.refuses_stamps and said["method"] == "initialize" and is_stamped(sent):
                self._served.add(exchange)
                return self.book.answers(exchange, b"Bad Request: version", status=self.refuses_stamps)
        return super()._answer(exchange)


def is_stamped(post: Post) -> bool:
    """Whether an `initialize` says what each modern request does."""
    return META_VERSION in body(post)["params"].get("_meta", {})


def told_in_all(server: PaperServer, *lines: bytes) -> list[dict[str, Any]]:
    return [answer for line in lines for answer in server.host(line)]


# -- a legacy host


@keeping
@pytest.mark.parametrize("era", ["legacy", "both"])
def test_a_legacy_host_asks_a_server_that_takes_its_initialize_nothing_else(era: Era, keeps_sessions: bool) -> None:
    server = Counting(PairingPlaybook(), era, keeps_sessions=keeps_sessions)
    told = told_in_all(server, INITIALIZE, INITIALIZED, tool_call(1))
    assert [answer["id"] for answer in told] == [0, 1]
    assert server.came == ["initialize", "notifications/initialized", "tools/call"]
    assert server.book.kept == [UNASKED]


@pytest.mark.parametrize("says_id", [True, False], ids=["with id", "without id"])
def test_a_legacy_host_on_a_modern_server_costs_one_refusal(says_id: bool) -> None:
    server = Counting(PairingPlaybook(), "modern", says_id=says_id)
    (answer,) = server.host(INITIALIZE)
    assert answer["result"]["serverInfo"]["name"] == "far"
    assert server.came == ["initialize", "server/discover"]
    assert server.book.kept == [MODERN]
    told_in_all(server, INITIALIZED, tool_call(1))
    assert server.came.count("server/discover") == 1


def test_what_the_server_said_of_itself_is_for_the_host_that_it_was_asked_for() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    (probe,) = book.posts(book.answers(post.exchange, error(0, "No", -32600), status=400))
    book.answers(probe.exchange, result(body(probe)["id"], discovered()))
    (post,) = book.posts(book.host(INITIALIZE.replace(b'"id":0', b'"id":1')))
    assert body(post)["method"] == "server/discover"


@pytest.mark.parametrize("answer", [b"", b"<html>"], ids=["empty", "html"])
@pytest.mark.parametrize("status", [404, 405, 410])
def test_where_there_is_no_server_at_all_it_is_asked_once_in_either_way(status: int, answer: bytes) -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    (probe,) = book.posts(book.answers(post.exchange, answer, status=status))
    commands = book.answers(probe.exchange, answer, status=status)
    assert book.posts(commands) == []
    assert [fault(told)["status"] for told in book.told(commands)] == [status]
    assert book.kept == [LEGACY]


@pytest.mark.parametrize("status", [401, 403, 407, 408, 429])
def test_what_says_nothing_of_the_era_is_told_at_once(status: int) -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    commands = book.answers(post.exchange, b"", status=status)
    assert [fault(told)["status"] for told in book.told(commands)] == [status]
    assert book.posts(commands) == []
    assert book.kept == []
    (post,) = book.posts(book.host(INITIALIZE.replace(b'"id":0', b'"id":1')))
    assert is_stamped(post), "nothing is known still"


def test_a_server_that_takes_long_over_initialize_is_asked_nothing_beside() -> None:
    book = PairingPlaybook()
    book.host(INITIALIZE)
    assert PROBE not in book.timers
    assert len(book.exchanges) == 1


@pytest.mark.parametrize("era", ["legacy", "modern", "both"])
def test_a_host_that_does_not_wait_for_its_answer_is_served_in_order(era: Era) -> None:
    server = Counting(book := PairingPlaybook(), era)
    lines = (INITIALIZE, INITIALIZED, request(1, "tools/list"), tool_call(2))
    first, *more = (book.posts(book.host(line)) for line in lines)
    assert (len(first), more) == (1, [[], [], []]), "no more goes up before it is known to whom"
    told = server.serve([])
    assert [answer["id"] for answer in told] == [0, 1, 2]
    assert {by(answer) for answer in told[1:]} == {"modern" if era == "modern" else "legacy"}
    assert server.came.count("tools/call") == 1
    assert not book.session.busy


def test_a_batch_behind_it_waits_too() -> None:
    server = Counting(book := PairingPlaybook(), "modern")
    book.host(INITIALIZE)
    assert book.host(b"[" + INITIALIZED + b"," + tool_call(1) + b"]") == []
    assert [answer["id"] for answer in server.serve([])] == [0, 1]


def test_what_waits_behind_it_may_be_taken_back() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.host(tool_call(1))
    assert book.host(cancelled(1)) == []
    assert book.posts(book.answers(post.exchange, result(0, initialized()), session_id=b"s")) == []
    assert not book.session.busy


def test_an_initialize_that_is_taken_back_keeps_nobody_waiting() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.host(tool_call(1))
    commands = book.host(cancelled(0))
    assert Abandon(post.exchange) in commands
    assert tool_call(1) in [post.body for post in book.posts(commands)]


def test_where_it_fails_what_waits_behind_it_meets_the_same() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.host(tool_call(1))
    commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, definite=True)
    assert [fault(told)["id"] for told in book.told(commands)] == [0]
    (post,) = book.posts(commands)
    assert post.body == tool_call(1)


# -- the stamp


def test_the_first_initialize_is_stamped_and_every_other_goes_as_it_came() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    assert is_stamped(post)
    assert post.headers == headers_for("initialize", version="2025-06-18")
    book.answers(post.exchange, result(0, initialized()), session_id=b"s")
    (post,) = book.posts(book.host(INITIALIZE))
    assert (post.body, post.headers) == (INITIALIZE, ())


@pytest.mark.parametrize("status", [400, 406, 422, 500, 502])
def test_a_server_that_does_not_bear_the_stamp_gets_initialize_as_it_came(status: int) -> None:
    server = Counting(PairingPlaybook(), "legacy")
    server.refuses_stamps = status
    told = told_in_all(server, INITIALIZE, INITIALIZED, tool_call(1))
    assert [answer["id"] for answer in told] == [0, 1]
    assert server.came == ["initialize", "server/discover", "initialize", "notifications/initialized", "tools/call"]
    assert server.book.kept == [LEGACY]


def test_a_server_of_both_eras_that_takes_what_is_stamped_for_modern_opens_a_session_all_the_same() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    (probe,) = book.posts(book.answers(post.exchange, error(0, "Method not found", -32601), status=404))
    both = result(body(probe)["id"], discovered("2026-07-28", "2025-06-18"))
    (post,) = book.posts(book.answers(probe.exchange, both))
    assert post.body == INITIALIZE
    told = book.told(book.answers(post.exchange, result(0, initialized()), session_id=b"s"))
    assert told == [SendToHost(result(0, initialized()))]
    assert book.kept == [BOTH]


@pytest.mark.parametrize("silent", [True, False])
def test_what_is_refused_as_it_came_too_is_told(silent: bool) -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    (probe,) = book.posts(book.answers(post.exchange, b"", status=500))
    commands = book.fires(*PROBE) if silent else book.answers(probe.exchange, b"", status=500)
    (post,) = book.posts(commands)
    assert post.body == INITIALIZE
    commands = book.answers(post.exchange, b"", status=500)
    assert [fault(told)["status"] for told in book.told(commands)] == [500]
    assert book.posts(commands) == []


# -- a modern host that asks what the server is


@unknown
def test_a_modern_hosts_own_question_is_the_bridges_too(eras: frozenset[str]) -> None:
    book = PairingPlaybook(eras)
    (post,) = book.posts(book.host(DISCOVER))
    assert body(post)["method"] == "server/discover"
    commands = book.answers(post.exchange, result(body(post)["id"], discovered()))
    assert book.told(commands) == [SendToHost(result("d", discovered()))]
    assert book.posts(commands) == []
    assert SaveEras(BOTH) in commands
    (post,) = book.posts(book.host(called(1)))
    assert post.headers == headers_for("tools/call", "pay")


def test_what_else_waits_goes_up_behind_it() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(DISCOVER))
    assert book.host(called(1)) == []
    commands = book.answers(post.exchange, result(body(post)["id"], discovered()))
    assert [body(post)["method"] for post in book.posts(commands)] == ["tools/call"]


def test_a_question_that_the_host_takes_back_is_still_the_bridges() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(DISCOVER))
    assert book.host(cancelled("d")) == []
    commands = book.answers(post.exchange, result(body(post)["id"], discovered()))
    assert book.told(commands) == []
    assert book.remembered(commands) == [BOTH]


def test_a_question_in_another_version_is_the_hosts_alone() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(asked("d", "server/discover", version="2027-01-01")))
    (post,) = book.posts(book.answers(post.exchange, result(body(post)["id"], discovered())))
    assert body(post)["id"] == "d"
    assert body(post)["params"]["_meta"][META_VERSION] == "2027-01-01"


def test_an_error_of_a_modern_server_is_the_hosts_answer() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(DISCOVER))
    refused = refusal(body(post)["id"], -32021, requiredCapabilities={"roots": {}})
    commands = book.answers(post.exchange, refused, status=400)
    assert [(answer["id"], answer["error"]["code"]) for answer in book.told_all(commands)] == [("d", -32021)]
    assert book.posts(commands) == []


@unknown
def test_a_modern_host_on_a_legacy_server_costs_one_refusal(eras: frozenset[str]) -> None:
    server = Counting(PairingPlaybook(eras), "legacy")
    (answer,) = server.host(DISCOVER)
    assert answer["result"]["supportedVersions"] == ["2026-07-28"]
    assert server.came == ["server/discover", "initialize", "notifications/initialized"]
    assert server.book.kept == [LEGACY]


# -- a modern host that asks for a list first


def listing(method: str = "tools/list", eras: frozenset[str] = frozenset()) -> tuple[PairingPlaybook, Post, Post]:
    """The list and the question, which go up side by side."""
    book = PairingPlaybook(eras)
    line = asked(1, method)
    list_, probe = sorted(book.posts(book.host(line)), key=lambda post: body(post)["method"] == "server/discover")
    assert list_.body == line
    assert body(probe)["method"] == "server/discover"
    return book, list_, probe


@unknown
@pytest.mark.parametrize("method", LISTS)
def test_a_list_that_comes_first_shows_a_modern_server(method: str, eras: frozenset[str]) -> None:
    book, list_, probe = listing(method, eras)
    assert book.host(called(2)) == [], "what cannot be undone waits"
    commands = book.answers(list_.exchange, result(1, LISTED))
    assert Abandon(probe.exchange) in commands
    assert PROBE not in book.timers
    assert book.told(commands) == [SendToHost(result(1, LISTED))]
    assert book.remembered(commands) == [BOTH]
    assert [body(post)["id"] for post in book.posts(commands)] == [2]


def test_a_list_that_comes_after_the_verdict_goes_on() -> None:
    book, list_, probe = listing()
    commands = book.answers(probe.exchange, result(body(probe)["id"], discovered()))
    assert book.posts(commands) == []
    assert book.told(book.answers(list_.exchange, result(1, LISTED))) == [SendToHost(result(1, LISTED))]
    assert book.kept == [BOTH]


def test_an_error_of_a_modern_server_to_a_list_waits_for_the_verdict_and_is_told() -> None:
    book, list_, probe = listing("prompts/list")
    assert book.told(book.answers(list_.exchange, error(1, "Method not found", -32601), status=404)) == []
    commands = book.answers(probe.exchange, result(body(probe)["id"], discovered()))
    assert [answer["error"]["code"] for answer in book.told_all(commands)] == [-32601]


@unknown
@pytest.mark.parametrize("first", ["list", "question"])
def test_a_list_that_a_legacy_server_refuses_goes_up_in_a_session(first: str, eras: frozenset[str]) -> None:
    book, list_, probe = listing(eras=eras)
    order = [list_, probe] if first == "list" else [probe, list_]
    commands = book.answers(order[0].exchange, error(None, "no session", -32000), status=400)
    if first == "list":
        assert book.posts(commands) == []
        commands = book.answers(probe.exchange, error(None, "no session", -32000), status=400)
    else:
        assert Abandon(list_.exchange) in commands
    (post,) = book.posts(commands)
    assert body(post)["method"] == "initialize"
    assert book.told(commands) == []
    assert book.session.busy


@pytest.mark.parametrize("eras", [frozenset(), UNASKED], ids=["unknown", "unasked"])
def test_a_server_without_sessions_that_answers_the_list_is_not_taken_for_modern(eras: frozenset[str]) -> None:
    server = Counting(PairingPlaybook(eras), "legacy", keeps_sessions=False)
    (answer,) = server.host(asked(1))
    assert (answer["id"], answer["result"]["resultType"]) == (1, "complete"), "made valid for the host"
    assert server.book.kept == [LEGACY]
    assert "initialize" in server.came


def test_silence_sends_the_list_the_other_way() -> None:
    book, list_, probe = listing()
    commands = book.fires(*PROBE)
    assert {Abandon(list_.exchange), Abandon(probe.exchange)} <= set(commands)
    (post,) = book.posts(commands)
    assert body(post)["method"] == "initialize"


def test_a_list_that_is_taken_back_goes_nowhere_else() -> None:
    book, list_, probe = listing()
    assert Abandon(list_.exchange) in book.host(cancelled(1))
    commands = book.answers(probe.exchange, b"", status=404)
    assert book.posts(commands) == []
    assert not book.session.busy


@unknown
@pytest.mark.parametrize("how", [401, 403, "unreachable"])
def test_where_nothing_is_said_each_request_is_told_so_and_the_next_asks_again(
    eras: frozenset[str], how: int | str
) -> None:
    book, list_, probe = listing(eras=eras)
    book.host(called(2))
    told = []
    for post in (list_, probe):
        if isinstance(how, int):
            told += book.told(book.answers(post.exchange, b"", status=how))
        else:
            told += book.told(book.fails(post.exchange, Cause.UNREACHABLE, definite=True))
    assert sorted(fault(one)["id"] for one in told) == [1, 2]
    assert not book.session.busy
    assert not book.exchanges
    assert len(book.posts(book.host(asked(3)))) == 2


def test_a_call_that_comes_first_still_asks_first() -> None:
    book = PairingPlaybook(UNASKED)
    (post,) = book.posts(book.host(called(1)))
    assert body(post)["method"] == "server/discover"


# -- what is known goes by the host


def test_a_legacy_server_by_a_legacy_hosts_word_is_asked_when_a_modern_host_comes() -> None:
    server = Counting(PairingPlaybook(UNASKED), "both")
    told = told_in_all(server, INITIALIZE, INITIALIZED, called(1), tool_call(2))
    assert [by(answer) for answer in told[1:]] == ["modern", "legacy"]
    assert server.came.count("server/discover") == 1
    assert server.book.kept == [BOTH]


def test_a_legacy_server_that_refused_the_question_is_not_asked_again() -> None:
    server = Counting(PairingPlaybook(LEGACY), "legacy")
    (answer,) = server.host(called(1))
    assert by(answer) == "legacy"
    assert "server/discover" not in server.came


def test_a_session_that_opens_while_the_server_is_asked_counts() -> None:
    book = PairingPlaybook()
    (opening,) = book.posts(book.host(INITIALIZE))
    (probe,) = book.posts(book.host(called("m")))
    commands = book.answers(opening.exchange, result(0, initialized()), session_id=b"s")
    assert [answer["id"] for answer in book.told_all(commands)] == [0]
    commands = book.answers(probe.exchange, result(body(probe)["id"], discovered("2026-07-28", "2025-06-18")))
    assert [body(post)["id"] for post in book.posts(commands)] == ["m"]
    assert book.kept == [UNASKED, BOTH]


def test_a_stamped_initialize_says_the_hosts_own_version() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    said = msgspec.json.decode(post.body)["params"]
    assert said["_meta"][META_VERSION] == said["protocolVersion"] == "2025-06-18"


def test_a_refusal_in_modern_words_that_names_older_versions_is_told() -> None:
    book = PairingPlaybook()
    (post,) = book.posts(book.host(INITIALIZE))
    named = {"supported": ["2025-03-26"]}
    (probe,) = book.posts(book.answers(post.exchange, refusal(0, UNSUPPORTED_VERSION, **named), status=400))
    refused = refusal(body(probe)["id"], UNSUPPORTED_VERSION, **named)
    (post,) = book.posts(book.answers(probe.exchange, refused, status=400))
    assert post.body == INITIALIZE, "the stamp may have been at fault"
    commands = book.answers(post.exchange, refusal(0, UNSUPPORTED_VERSION, **named), status=400)
    assert [answer["id"] for answer in book.told_all(commands)] == [0]
