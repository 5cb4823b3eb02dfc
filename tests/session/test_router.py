"""Any host with any server: who serves whom, what is asked first, and what is kept of it."""

import msgspec
import pytest

from bridge.session.commands import Abandon, OpenStream, Post, SaveEras, SendToHost
from bridge.session.session_state import UPSTREAM_NUMBERS
from tests.session.modern_playbook import (
    BOTH,
    LEGACY,
    META_SUBSCRIPTION,
    MODERN,
    PairingPlaybook,
    asked,
    body,
    called,
    discovered,
    headers_for,
    initialized,
    listening_to,
)
from tests.session.paper_server import Era, PaperServer, by
from tests.session.playbook import INITIALIZED, cancelled, error, fault, notification, request, result, tool_call

INITIALIZE = request(
    0,
    "initialize",
    {"protocolVersion": "2025-06-18", "clientInfo": {"name": "old host", "version": "1"}, "capabilities": {}},
)


def probed(line: bytes) -> tuple[PairingPlaybook, Post]:
    """A host's first request on a server that nothing is known of, and the question that it leads to.

    Before that, `initialize` is refused, for it goes up by itself.
    """
    book = PairingPlaybook()
    (post,) = book.posts(book.host(line))
    if body(post)["method"] == "initialize":
        (post,) = book.posts(book.answers(post.exchange, error(0, "No", -32600), status=400))
    assert body(post)["method"] == "server/discover"
    return book, post


def answered(book: PairingPlaybook, post: Post, value: object) -> list[Post]:
    """The server answers; what goes up then."""
    return book.posts(book.answers(post.exchange, result(body(post)["id"], value)))


# -- the four pairings


@pytest.mark.parametrize("keeps_sessions", [True, False], ids=["sessions", "no sessions"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("era", ["legacy", "modern", "both"])
def test_a_legacy_host_is_served(era: Era, known: bool, keeps_sessions: bool) -> None:
    eras = {"legacy": LEGACY, "modern": MODERN, "both": BOTH}[era]
    server = PaperServer(PairingPlaybook(eras if known else frozenset()), era, keeps_sessions=keeps_sessions)
    (opened,) = server.host(INITIALIZE)
    assert (opened["id"], opened["result"]["protocolVersion"]) == (0, "2025-06-18")
    server.host(INITIALIZED)
    (answer,) = server.host(tool_call(1))
    assert answer["id"] == 1
    assert by(answer) == ("modern" if era == "modern" else "legacy")
    assert server.probes == (0 if known or era != "modern" else 1)
    assert not server.book.session.busy


@pytest.mark.parametrize("keeps_sessions", [True, False], ids=["sessions", "no sessions"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("era", ["legacy", "modern", "both"])
def test_a_modern_host_is_served(era: Era, known: bool, keeps_sessions: bool) -> None:
    eras = {"legacy": LEGACY, "modern": MODERN, "both": BOTH}[era]
    server = PaperServer(PairingPlaybook(eras if known else frozenset()), era, keeps_sessions=keeps_sessions)
    (answer,) = server.host(called("a"))
    assert answer["id"] == "a"
    assert by(answer) == ("legacy" if era == "legacy" else "modern")
    (answer,) = server.host(asked("b", "server/discover"))
    assert answer["result"]["supportedVersions"] == ["2026-07-28"]
    (answer,) = server.host(listening_to("c"))
    assert answer["method"] == "notifications/subscriptions/acknowledged"
    assert server.probes == (0 if known else 1)
    assert not server.book.session.busy


@pytest.mark.parametrize("era", ["legacy", "modern", "both"])
@pytest.mark.parametrize("modern_first", [True, False])
def test_one_process_may_be_asked_in_both_eras(era: Era, modern_first: bool) -> None:
    server = PaperServer(PairingPlaybook(), era)
    lines = [called("m"), INITIALIZE] if modern_first else [INITIALIZE, called("m")]
    told = [answer for line in [*lines, INITIALIZED, tool_call("l")] for answer in server.host(line)]
    assert sorted(str(answer["id"]) for answer in told) == ["0", "l", "m"]
    served = {answer["id"]: by(answer) for answer in told if answer["id"] != 0}
    assert served == {"l": "modern" if era == "modern" else "legacy", "m": "legacy" if era == "legacy" else "modern"}
    assert server.probes == 1


def test_a_legacy_host_on_a_legacy_server_gets_every_byte() -> None:
    book = PairingPlaybook(LEGACY)
    line = b'{"id" : 7 , "jsonrpc":"2.0", "method":"tools/call","params":{"name":"a","x":1e400}}'
    book.opened_legacy(INITIALIZE)
    (post,) = book.posts(book.host(line))
    assert post.body == line
    answer = b'{"result":{"n": 1e400} ,"id":7,"jsonrpc":"2.0"}'
    assert SendToHost(answer) in book.answers(post.exchange, answer)


def test_a_modern_host_on_a_modern_server_gets_every_byte() -> None:
    book = PairingPlaybook(MODERN)
    line = called(7).replace(b'"method"', b' "method"')
    (post,) = book.posts(book.host(line))
    assert post == Post(UPSTREAM_NUMBERS + 1, line, headers_for("tools/call", "pay"))
    answer = b'{"result":{"n": 1e400} ,"id":7,"jsonrpc":"2.0"}'
    assert book.told(book.answers(post.exchange, answer)) == [SendToHost(answer)]


# -- what is asked, and kept


def test_what_is_known_is_not_asked() -> None:
    for eras in (LEGACY, MODERN, BOTH):
        for line in (INITIALIZE, called(1)):
            server = PaperServer(book := PairingPlaybook(eras), "both")
            server.host(line)
            assert server.probes == 0
            assert not book.session.busy


@pytest.mark.parametrize("line", [INITIALIZE, called(1)], ids=["legacy host", "modern host"])
def test_a_legacy_server_is_remembered(line: bytes) -> None:
    book, post = probed(line)
    assert SaveEras(LEGACY) in book.answers(post.exchange, b"", status=405)


def test_a_modern_server_is_remembered_as_one_that_may_be_both_until_it_refuses_initialize() -> None:
    book, post = probed(called("m"))
    commands = book.answers(post.exchange, result(body(post)["id"], discovered()))
    assert book.remembered(commands) == [BOTH]
    (post,) = book.posts(book.host(INITIALIZE))
    assert body(post)["method"] == "initialize"
    commands = book.answers(post.exchange, error(0, "Unsupported", -32022), status=400)
    assert book.remembered(commands) == [MODERN]
    assert book.told(commands) == []
    (post,) = book.posts(commands)
    assert body(post)["method"] == "server/discover"


def test_a_server_that_is_both_after_all_stays_so() -> None:
    book, post = probed(called("m"))
    answered(book, post, discovered())
    (post,) = book.posts(book.host(INITIALIZE))
    commands = book.answers(post.exchange, result(0, initialized()))
    assert book.told(commands) == [SendToHost(result(0, initialized()))]
    assert book.remembered(commands) == []
    (post,) = book.posts(book.host(called(1)))
    assert post.headers == headers_for("tools/call", "pay")


def test_a_guess_is_remembered_once_the_server_has_opened_a_session() -> None:
    book, post = probed(INITIALIZE)
    commands = book.answers(post.exchange, b"<html>", status=502)
    assert book.remembered(commands) == []
    (post,) = book.posts(commands)
    commands = book.answers(post.exchange, result(0, initialized()))
    assert book.remembered(commands) == [LEGACY]


def test_what_is_known_already_is_not_remembered_again() -> None:
    server = PaperServer(book := PairingPlaybook(LEGACY), "legacy")
    commands = book.host(INITIALIZE)
    assert book.remembered(commands) == []
    assert [answer["id"] for answer in server.serve(commands)] == [0]


# -- what waits


def test_everything_waits_for_the_verdict_in_order() -> None:
    book, post = probed(called(1))
    assert book.host(called(2)) == []
    assert book.host(asked(3)) == []
    posts = answered(book, post, discovered())
    assert [body(post)["id"] for post in posts] == [1, 2, 3]


def test_a_legacy_host_that_does_not_wait_is_served_in_order() -> None:
    book = PairingPlaybook()
    server = PaperServer(book, "legacy", keeps_sessions=False)
    commands = [command for line in (INITIALIZE, INITIALIZED, tool_call(1)) for command in book.host(line)]
    assert [answer["id"] for answer in server.serve(commands)] == [0, 1]
    assert server.seen == ["initialize", "notifications/initialized", "tools/call"]


@pytest.mark.parametrize("id_", [0, "", "a", 1.5], ids=repr)
def test_what_is_cancelled_while_it_waits_is_never_sent_nor_answered(id_: object) -> None:
    book, post = probed(called("first"))
    book.host(called(id_))
    assert book.host(cancelled(id_)) == []
    assert [body(post)["id"] for post in answered(book, post, discovered())] == ["first"]


def test_a_subscription_that_is_cancelled_while_it_waits_ends_with_its_answer() -> None:
    book, post = probed(called("first"))
    book.host(listening_to(7))
    (answer,) = book.told_all(book.host(cancelled(7)))
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": {"resultType": "complete", "_meta": {META_SUBSCRIPTION: 7}}}
    assert [body(post)["id"] for post in answered(book, post, discovered())] == ["first"]


def test_the_request_that_made_the_question_necessary_may_be_cancelled_too() -> None:
    book, post = probed(called(1))
    assert book.host(cancelled(1)) == []
    assert answered(book, post, discovered()) == []
    assert not book.session.busy
    assert not book.exchanges


@pytest.mark.parametrize("id_", [2, None, {}, True, "1"], ids=repr)
def test_to_cancel_something_else_takes_nothing_back(id_: object) -> None:
    book, post = probed(called(1))
    book.host(cancelled(id_))
    assert [body(post)["id"] for post in answered(book, post, discovered())] == [1]


def test_only_so_much_is_held() -> None:
    book, post = probed(called(0))
    for number in range(1, 4096):
        book.host(called(number))
    (answer,) = book.host(called(4096))
    assert (fault(answer)["id"], fault(answer)["kind"]) == (4096, "too-many")
    assert book.host(notification("notifications/vendor")) == [], "nor does a note take more room"
    posts = answered(book, post, discovered())
    assert len(posts) == 4096


def test_without_a_verdict_all_that_waits_is_told_why() -> None:
    book, post = probed(called(1))
    book.host(INITIALIZE)
    book.host(INITIALIZED)
    told = [fault(command) for command in book.told(book.answers(post.exchange, b"", status=401))]
    assert [(one["id"], one["status"]) for one in told] == [(1, 401), (0, 401)]
    assert not book.session.busy


# -- the user's word


@pytest.mark.parametrize("line", [INITIALIZE, called(1)], ids=["legacy host", "modern host"])
def test_a_fixed_era_is_never_asked_for_nor_doubted_nor_kept(line: bytes) -> None:
    book = PairingPlaybook(LEGACY, is_fixed=True)
    (post,) = book.posts(book.host(line))
    assert body(post)["method"] == "initialize"
    commands = book.answers(post.exchange, error(body(post)["id"], "Unsupported", -32022), status=400)
    assert len(book.told(commands)) == 1
    assert book.posts(commands) == []
    assert book.remembered(commands) == []


@pytest.mark.parametrize("line", [INITIALIZE, called(1)], ids=["legacy host", "modern host"])
def test_a_server_that_is_modern_by_the_users_word_is_asked_nothing_else(line: bytes) -> None:
    book = PairingPlaybook(MODERN, is_fixed=True)
    (post,) = book.posts(book.host(line))
    commands = book.answers(post.exchange, b"", status=404)
    assert len(book.told(commands)) == 1
    assert book.posts(commands) == []


@pytest.mark.parametrize("eras", [frozenset(), MODERN, LEGACY], ids=["unknown", "modern", "legacy"])
@pytest.mark.parametrize("line", [INITIALIZE, called(1)], ids=["legacy host", "modern host"])
def test_the_transport_of_2024_is_a_legacy_servers(eras: frozenset[str], line: bytes) -> None:
    book = PairingPlaybook(eras, transport="sse")
    (stream,) = book.streams(book.host(line))
    book.starts(stream.exchange)
    (post,) = book.posts(book.names_endpoint(stream.exchange, b"/messages"))
    assert body(post)["method"] == "initialize"


# -- several clients


def client(line: bytes, name: str) -> bytes:
    """The same from another client."""
    return line.replace(b'"name":"host"', b'"name":"%b"' % name.encode())


def test_each_client_that_a_legacy_server_can_tell_apart_has_its_session() -> None:
    server = PaperServer(PairingPlaybook(LEGACY), "legacy")
    for number, name in enumerate(("a", "b", "a", "b", "a")):
        (answer,) = server.host(client(called(number), name))
        assert answer["id"] == number
    assert server.seen.count("initialize") == 2


def test_the_least_busy_session_makes_room_for_another_client() -> None:
    server = PaperServer(PairingPlaybook(LEGACY), "legacy")
    for number in range(40):
        (answer,) = server.host(client(called(number), f"host {number}"))
        assert (answer["id"], by(answer)) == (number, "legacy")


def test_too_many_clients_at_a_time_are_refused() -> None:
    book = PairingPlaybook(LEGACY)
    answers = [book.host(client(called(number), f"host {number}")) for number in range(20)]
    refused = [fault(told)["kind"] for commands in answers for told in book.told(commands)]
    assert refused == ["too-many"] * 6
    assert len(book.exchanges) == 14


# -- batches


def test_a_batch_goes_to_a_legacy_server_as_one_and_comes_back_as_one() -> None:
    book = PairingPlaybook(LEGACY)
    book.opened_legacy(INITIALIZE)
    for exchange in list(book.exchanges):
        book.answers(exchange, status=405)
    first, second = book.posts(book.host(b"[" + tool_call(1) + b"," + tool_call(2) + b"]"))
    assert book.told(book.answers(first.exchange, result(1))) == []
    (answer,) = book.told(book.answers(second.exchange, result(2)))
    assert [one["id"] for one in msgspec.json.decode(answer.line)] == [1, 2]


@pytest.mark.parametrize("eras", [MODERN, frozenset()], ids=["modern", "unknown"])
def test_a_batch_that_cannot_stay_one_is_answered_member_by_member(eras: frozenset[str]) -> None:
    book = PairingPlaybook(eras)
    server = PaperServer(book, "modern")
    server.host(INITIALIZE)
    server.host(INITIALIZED)
    told = server.host(b"[" + tool_call(1) + b",5," + tool_call(2) + b"," + INITIALIZED + b"]")
    assert [answer["id"] for answer in told] == [None, 1, 2]


def test_a_batch_that_comes_first_waits_too() -> None:
    book = PairingPlaybook()
    server = PaperServer(book, "modern")
    told = server.host(b"[" + INITIALIZE + b"," + INITIALIZED + b"," + tool_call(1) + b"]")
    assert [answer["id"] for answer in told] == [0, 1]


# -- notes, answers, names


def test_a_cancellation_finds_the_machine_that_waits() -> None:
    book = PairingPlaybook(BOTH)
    PaperServer(book, "both").host(INITIALIZE)
    modern = book.post(called("m"))
    legacy = book.posts(book.host(tool_call("l")))
    assert Abandon(modern.exchange) in book.host(cancelled("m"))
    assert book.told(book.host(cancelled("l"))) == []
    assert [post.exchange in book.exchanges for post in legacy] == [False]


def test_a_note_before_anything_else_goes_nowhere() -> None:
    book = PairingPlaybook()
    for line in (notification("notifications/x"), INITIALIZED, cancelled(1), result(1)):
        assert book.host(line) == []


def test_a_modern_hosts_note_goes_to_its_modern_server() -> None:
    book = PairingPlaybook(MODERN)
    book.post(called(1))
    assert book.post(notification("notifications/x")).headers == headers_for("notifications/x")


def test_the_host_is_called_what_it_calls_itself() -> None:
    book = PairingPlaybook(MODERN)
    assert book.router.host_name == ""
    book.host(called(1))
    assert book.router.host_name == "host"
    book.host(INITIALIZE)
    assert book.router.host_name == "old host"


def test_an_id_in_use_in_the_other_era_is_another_requests() -> None:
    server = PaperServer(PairingPlaybook(BOTH), "both")
    for line in (INITIALIZE, INITIALIZED):
        server.host(line)
    commands = [*server.book.host(called(5)), *server.book.host(tool_call(6))]
    assert sorted(answer["id"] for answer in server.serve(commands)) == [5, 6]


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
def test_what_is_refused_on_the_spot_leaves_its_id_free(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    book = PairingPlaybook(MODERN)
    (discover,) = book.posts(book.host(INITIALIZE.replace(b"2025-06-18", b"2025-11-25")))
    offered = discovered()
    offered["capabilities"]["extensions"] = {"io.modelcontextprotocol/tasks": {}}
    book.answers(discover.exchange, result(body(discover)["id"], offered))
    with monkeypatch.context() as patch:
        patch.setattr("bridge.session.calls._MAX_BYTES", 0)
        (answer,) = book.told(book.host(request(5, method, {"taskId": "t"})))
    assert fault(answer)["kind"] == "too-many"
    assert body(book.post(request(5, method, {"taskId": "t"})))["method"] == "tasks/get"


# -- the end


@pytest.mark.parametrize("eras", [frozenset(), LEGACY, MODERN, BOTH], ids=["unknown", "legacy", "modern", "both"])
@pytest.mark.parametrize("modern", [True, False], ids=["modern host", "legacy host"])
@pytest.mark.parametrize("opened", [True, False], ids=["opened", "fresh"])
def test_at_the_end_all_is_answered_and_let_go(eras: frozenset[str], modern: bool, opened: bool) -> None:
    book = PairingPlaybook(eras, request_timeout=20.0)
    server = PaperServer(book, "modern" if eras == MODERN else "legacy")
    lines = [called("a"), listening_to("b")] if modern else [INITIALIZE, INITIALIZED]
    if opened:
        for line in lines:
            server.host(line)
    elif not modern:
        book.host(INITIALIZE)
    book.host(called(1) if modern else tool_call(1))
    book.host(called(2) if modern else tool_call(2))
    was_busy = book.session.busy
    told = book.told_all(book.host_closes())
    assert {1, 2} <= {answer["id"] for answer in told}
    assert (was_busy, book.session.busy) == (True, False)
    assert all(not isinstance(open_, Post | OpenStream) for open_ in book.exchanges.values())
    assert book.host(called(3)) == []
    assert book.host_closes() == []
    assert book.wakes() == []
