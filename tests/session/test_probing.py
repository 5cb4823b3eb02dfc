"""Which eras a server speaks: each row of the table, as a legacy and as a modern host meets it."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Request
from bridge.session import probing
from bridge.session.commands import Abandon, Command, Deliver, Post, Report, SetTimer
from bridge.session.events import Cause
from tests.session.modern_playbook import (
    BOTH,
    HEADER_MISMATCH,
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    MODERN_VERSION,
    UNSUPPORTED_VERSION,
    PairingPlaybook,
    asked,
    body,
    called,
    discovered,
    headers_for,
    refusal,
)
from tests.session.playbook import error, fault, request, result

PROBE = ("probe", 0)
INITIALIZE = request(
    0,
    "initialize",
    {"protocolVersion": "2025-06-18", "clientInfo": {"name": "host", "version": "1"}, "capabilities": {}},
)


def parsed(line: bytes) -> Request:
    message = jsonrpc.parse(line)
    assert isinstance(message, Request)
    return message


def probed(line: bytes = INITIALIZE, **more: Any) -> tuple[PairingPlaybook, Post]:
    """A host's first request, and the question that it leads to; `initialize` is refused before that."""
    book = PairingPlaybook(**more)
    commands = book.host(line)
    if line == INITIALIZE:
        (post,) = book.posts(commands)
        commands = book.answers(post.exchange, error(0, "No.", -32600), status=400)
    assert SetTimer(PROBE, probing.PROBE_SECONDS) in commands
    (post,) = book.posts(commands)
    assert body(post)["method"] == "server/discover"
    return book, post


def asks_next(book: PairingPlaybook, commands: list[Command]) -> str:
    """What goes up once the verdict is there."""
    (post,) = book.posts(commands)
    assert PROBE not in book.timers
    method: str = body(post)["method"]
    return method


# -- the question


def test_it_is_asked_in_the_name_of_a_legacy_host() -> None:
    _, post = probed()
    assert post.headers == headers_for("server/discover")
    assert body(post)["params"]["_meta"] == {
        META_VERSION: MODERN_VERSION,
        META_CLIENT: {"name": "host", "version": "1"},
        META_CAPABILITIES: {},
    }


def test_it_is_asked_in_the_name_of_a_modern_host() -> None:
    line = called(1).replace(b'"_meta":{', b'"_meta":{"progressToken":"t","a":1,')
    _, post = probed(line)
    assert body(post)["params"] == {"_meta": {**body(Post(0, called(1), ()))["params"]["_meta"], "a": 1}}


@pytest.mark.parametrize(
    "params",
    [None, [], 5, {}, {"clientInfo": 5}, {"clientInfo": {"name": "x"}}, {"clientInfo": None}, {"_meta": 5}],
    ids=repr,
)
@pytest.mark.parametrize("method", ["initialize", "server/discover", "ping"])
def test_whatever_the_host_says_of_itself_the_question_is_in_order(method: str, params: object) -> None:
    probe = probing.probe(b'"p"', parsed(request(1, method, params)))
    meta = msgspec.json.decode(probe.params)["_meta"]
    assert meta == {META_VERSION: MODERN_VERSION, META_CAPABILITIES: {}}


def test_a_version_of_the_hosts_is_not_asked_for() -> None:
    probe = probing.probe(b"1", parsed(asked(1, version="2027-01-01")))
    assert msgspec.json.decode(probe.params)["_meta"][META_VERSION] == MODERN_VERSION


# -- what its answer means


@pytest.mark.parametrize(
    ("versions", "eras"),
    [
        ([MODERN_VERSION], MODERN),
        (["2027-12-31"], MODERN),
        ([], MODERN),
        (["2025-11-25"], LEGACY),
        (["2024-11-05", "2025-06-18"], LEGACY),
        ([MODERN_VERSION, "2025-11-25"], BOTH),
        (["2025-11-25", "2027-12-31"], BOTH),
    ],
    ids=["now", "later", "none", "before", "long before", "both", "before and later"],
)
@pytest.mark.parametrize("how", ["result", "error"])
def test_the_versions_that_are_named_decide(versions: list[str], eras: frozenset[str], how: str) -> None:
    book, post = probed(called(1))
    id_ = body(post)["id"]
    named = discovered()
    named["supportedVersions"] = versions
    line = result(id_, named) if how == "result" else refusal(id_, UNSUPPORTED_VERSION, supported=versions)
    commands = book.answers(post.exchange, line, status=200 if how == "result" else 400)
    # Legacy is taken for possible until the server has refused `initialize`.
    assert book.remembered(commands) == [eras | LEGACY]
    assert asks_next(book, commands) == ("tools/call" if eras >= MODERN else "initialize")


@pytest.mark.parametrize("id_known", [True, False], ids=["with id", "without id"])
@pytest.mark.parametrize("code", [HEADER_MISMATCH, -32021, UNSUPPORTED_VERSION])
def test_an_error_of_a_modern_server_shows_it(code: int, id_known: bool) -> None:
    book, post = probed(called(1))
    line = refusal(body(post)["id"] if id_known else None, code)
    commands = book.answers(post.exchange, line, status=400)
    assert book.remembered(commands) == [BOTH]
    assert asks_next(book, commands) == "tools/call"


@pytest.mark.parametrize("id_known", [True, False], ids=["with id", "without id"])
@pytest.mark.parametrize("status", [400, 404, 405, 406, 422])
@pytest.mark.parametrize("code", [-32601, -32600, -32000])
def test_any_other_error_shows_a_legacy_server(code: int, status: int, id_known: bool) -> None:
    book, post = probed(called(1))
    line = error(body(post)["id"] if id_known else None, "No.", code)
    commands = book.answers(post.exchange, line, status=status)
    assert book.remembered(commands) == [LEGACY]
    assert asks_next(book, commands) == "initialize"


@pytest.mark.parametrize("status", [400, 404, 405, 406, 410, 415, 422])
@pytest.mark.parametrize("what", [b"", b"<html>Not here</html>", b"{}"], ids=["empty", "html", "json"])
def test_a_refusal_shows_a_legacy_server(status: int, what: bytes) -> None:
    book, post = probed()
    commands = book.answers(post.exchange, what, status=status)
    assert book.remembered(commands) == [LEGACY]
    assert asks_next(book, commands) == "initialize"


@pytest.mark.parametrize("status", [401, 403, 407, 408, 425, 429])
def test_what_is_no_word_on_the_era_goes_to_the_host(status: int) -> None:
    book, post = probed(called(0))
    commands = book.answers(post.exchange, b"", status=status)
    (answer,) = book.told(commands)
    assert (fault(answer)["id"], fault(answer)["status"]) == (0, status)
    assert book.posts(commands) == []
    assert book.remembered(commands) == []
    assert not book.timers
    (post,) = book.posts(book.host(called(2)))
    assert body(post)["method"] == "server/discover", "the next request asks again"


@pytest.mark.parametrize("cause", [Cause.UNAUTHORIZED, Cause.REDIRECTED, Cause.UNTRUSTED, Cause.TOO_LARGE], ids=str)
def test_what_keeps_from_the_server_goes_to_the_host(cause: Cause) -> None:
    book, post = probed(called("x"))
    commands = book.fails(post.exchange, cause, message="It cannot be.")
    (answer,) = book.told(commands)
    assert (fault(answer)["id"], fault(answer)["message"]) == ("x", "It cannot be.")
    assert book.remembered(commands) == []
    assert not book.exchanges


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (500, b""),
        (502, b"<html>Bad gateway</html>"),
        (503, b"{}"),
        (200, b"<html>Welcome</html>"),
        (200, b""),
        (202, b""),
        (200, b"{"),
        (200, b"[]"),
        (200, result("another")),
        (200, error(None, "No.")),
        (500, error("mcp-remote-bridge/probe", "No.", -32603)),
    ],
    ids=["500", "502", "503", "html", "empty", "202", "cut", "nothing", "another", "error without id", "internal"],
)
def test_what_says_nothing_is_taken_for_legacy_and_not_kept(status: int, what: bytes) -> None:
    book, post = probed()
    commands = book.answers(post.exchange, what, status=status)
    assert book.remembered(commands) == []
    assert asks_next(book, commands) == "initialize"


@pytest.mark.parametrize("value", [{}, {"supportedVersions": 5}, {"supportedVersions": [1]}, 5, None, []], ids=repr)
def test_a_result_that_names_no_versions_is_no_verdict(value: object) -> None:
    book, post = probed()
    line = msgspec.json.encode({"jsonrpc": "2.0", "id": body(post)["id"], "result": value})
    commands = book.answers(post.exchange, line)
    assert book.remembered(commands) == []
    assert asks_next(book, commands) == "initialize"


def test_silence_is_no_verdict() -> None:
    book, post = probed()
    commands = book.fires(*PROBE)
    assert Abandon(post.exchange) in commands
    assert book.remembered(commands) == []
    assert asks_next(book, commands) == "initialize"


def test_an_answer_on_a_stream_is_an_answer() -> None:
    book, post = probed(called(1))
    book.starts(post.exchange)
    assert book.told(book.sends(post.exchange, request(1, "ping"))) == []
    commands = book.sends(post.exchange, result(body(post)["id"], discovered()))
    assert asks_next(book, commands) == "tools/call"


def test_while_the_question_is_sent_again_nothing_else_is() -> None:
    book, post = probed(called(1))
    commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False)
    assert not book.told(commands)
    assert not book.posts(commands)
    (post,) = book.posts(book.fires(*book.waits_for("call")))
    assert body(post)["method"] == "server/discover"
    commands = book.answers(post.exchange, result(body(post)["id"], discovered()))
    assert asks_next(book, commands) == "tools/call"


# -- a person signs in meanwhile


def test_nothing_is_silence_while_a_person_signs_in() -> None:
    book, post = probed()
    book.signing_in(True)
    for _ in range(20):
        assert book.fires(*PROBE) == [SetTimer(PROBE, probing.PROBE_SECONDS)]
    book.signing_in(False)
    assert post.exchange in book.exchanges
    assert asks_next(book, book.fires(*PROBE)) == "initialize"


# -- the log


def test_the_question_is_not_the_hosts_and_its_failure_alarms_nobody() -> None:
    book, post = probed()
    book.answers(post.exchange, b"<html>", status=404)
    assert book.warnings() == []
    assert any(isinstance(report, Report) for report in book.reports)


# -- doubt


def test_only_what_a_server_of_that_era_would_not_say_is_doubtful() -> None:
    assert not probing.is_doubtful(_deliver(called(1), error(1, "No.", -32601)), probing.MODERN)
    assert probing.is_doubtful(_deliver(asked(1, "server/discover"), error(1, "No.", -32601)), probing.MODERN)
    assert not probing.is_doubtful(_deliver(asked(1, "server/discover"), refusal(1, -32021)), probing.MODERN)
    assert probing.is_doubtful(_deliver(INITIALIZE, error(0, "No.")), probing.LEGACY)
    assert not probing.is_doubtful(_deliver(request(0), error(0, "No.")), probing.LEGACY)
    assert probing.is_doubtful(_deliver(request(0), refusal(0, HEADER_MISMATCH)), probing.LEGACY)
    assert not probing.is_doubtful(_deliver(INITIALIZE, result(0, {"protocolVersion": "2025-06-18"})), probing.LEGACY)


def _deliver(asked_: bytes, answer: bytes) -> Deliver:
    return Deliver(answer, jsonrpc.parse(answer), None, None, parsed(asked_))


# -- the stamp


def test_initialize_is_stamped_so_that_a_modern_server_can_refuse_its_version() -> None:
    with_request_meta = probing.with_request_meta(parsed(INITIALIZE))
    params = msgspec.json.decode(with_request_meta.line)["params"]
    assert params.pop("_meta") == {
        META_VERSION: "2025-06-18",
        META_CLIENT: {"name": "host", "version": "1"},
        META_CAPABILITIES: {},
    }
    assert params == msgspec.json.decode(INITIALIZE)["params"]
    assert (with_request_meta.id, with_request_meta.method) == (0, "initialize")


@pytest.mark.parametrize("params", [None, 5, [], {"_meta": 7}, {"protocolVersion": 1, "capabilities": None}], ids=repr)
def test_an_odd_initialize_can_be_stamped(params: object) -> None:
    line = probing.with_request_meta(parsed(request(0, "initialize", params))).line
    assert isinstance(jsonrpc.parse(line), Request)
    assert Raw(line)
