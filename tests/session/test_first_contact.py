"""Until the first connection, the host's requests are answered before the host loses patience."""

import pytest

from bridge.session.commands import CancelTimer, Command, Connect, Post, SendToHost, SetTimer
from bridge.session.events import Cause, ConnectDelayed, Connected, ConnectFailed, Event
from bridge.session.first_contact import FIRST_SECONDS
from tests.session.modern_playbook import LEGACY, MODERN, PairingPlaybook, asked, body, discovered
from tests.session.playbook import INITIALIZE, fault, request, result, tool_call

FIRST_TIMER = ("first-contact", 0)
RETRY_TIMER = ("first-contact/retry", 0)
REFUSED = "Cannot reach the server: the connection was refused."
NO_NETWORK = "Cannot reach the server: there is no way to it in the network."

KNOWN = [frozenset(), LEGACY, MODERN]
HOSTS = [INITIALIZE, asked(0, "server/discover")]
EVERY = [(eras, line) for eras in KNOWN for line in HOSTS]
every_pairing = pytest.mark.parametrize(
    ("eras", "line"),
    EVERY,
    ids=[f"{host}-{server}" for server in ("unknown", "legacy", "modern") for host in ("legacy", "modern")],
)


def connects(commands: list[Command]) -> int:
    return sum(isinstance(command, Connect) for command in commands)


def opening(eras: frozenset[str], line: bytes, retry_window: float = 30.0) -> tuple[PairingPlaybook, Post]:
    """A host's first request, and what goes up for it."""
    book = PairingPlaybook(eras, retry_window=retry_window)
    (post,) = book.posts(book.host(line))
    return book, post


@every_pairing
def test_a_definite_failure_is_told_at_once(eras: frozenset[str], line: bytes) -> None:
    book, post = opening(eras, line)
    commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message=REFUSED, definite=True)
    (told,) = book.told(commands)
    assert fault(told) | {"url": ""} == {
        "id": 0, "code": -32000, "message": REFUSED, "source": "mcp-remote-bridge", "kind": "unreachable", "url": "",
    }  # fmt: skip
    assert not book.session.busy
    assert not book.timers
    assert connects(commands) == 0


@every_pairing
def test_a_failure_that_may_pass_is_tried_again_and_told_within_4_s(eras: frozenset[str], line: bytes) -> None:
    book, post = opening(eras, line)
    began = book.now
    assert book.told(book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message=NO_NETWORK)) == []
    (retry,) = [key for key in book.timers if key[0] == "call"]
    (post,) = book.posts(book.fires(*retry))
    commands = book.fires(*FIRST_TIMER) if book.now - began < FIRST_SECONDS else []
    (told,) = book.told(commands)
    assert fault(told)["message"] == NO_NETWORK
    assert book.timers.keys().isdisjoint({retry})
    assert connects(commands) == 1


@every_pairing
def test_a_connection_that_hangs_is_told_after_4_s(eras: frozenset[str], line: bytes) -> None:
    book, post = opening(eras, line)
    began = book.now
    commands = book.fires(*FIRST_TIMER)
    (told,) = book.told(commands)
    assert book.now - began == FIRST_SECONDS == 4.0
    assert "no connection could be opened within 4 seconds" in fault(told)["message"]
    assert post.exchange not in book.exchanges, "it is not sent any more"
    assert connects(commands) == 1


@every_pairing
def test_what_hangs_is_told_where_it_is_known(eras: frozenset[str], line: bytes) -> None:
    book, _ = opening(eras, line)
    assert book.on(ConnectDelayed("Cannot reach the server: its proxy does not answer.", "Check the proxy.")) == []
    (told,) = book.told(book.fires(*FIRST_TIMER))
    assert fault(told)["message"] == "Cannot reach the server: its proxy does not answer. Check the proxy."


@every_pairing
def test_a_delay_that_ends_in_a_connection_is_no_failure(eras: frozenset[str], line: bytes) -> None:
    book, _ = opening(eras, line)
    book.on(ConnectDelayed("Cannot reach the server: its proxy does not answer."))
    book.on(Connected())
    assert FIRST_TIMER not in book.timers
    assert book.session.busy


@pytest.mark.parametrize(
    "line",
    [
        request(0, "initialize", {"protocolVersion": "2024-11-05", "clientInfo": {"name": "@cline/core"}}),
        asked(0, "server/discover").replace(b'"name":"host"', b'"name":"@cline/core"'),
    ],
    ids=["legacy", "modern"],
)
def test_a_host_that_gives_up_sooner_is_told_sooner(line: bytes) -> None:
    book, _ = opening(frozenset(), line)
    began = book.now
    (told,) = book.told(book.fires(*FIRST_TIMER))
    assert book.now - began == pytest.approx(2.4)
    assert "within 2.4 seconds" in fault(told)["message"]


def test_a_certificate_that_is_not_trusted_is_told_at_once() -> None:
    book, post = opening(LEGACY, INITIALIZE)
    commands = book.fails(post.exchange, Cause.UNTRUSTED, sent=False, message="Cannot trust it.")
    assert fault(book.told(commands)[0])["message"] == "Cannot trust it."
    assert not book.timers


def test_every_request_that_waits_is_answered() -> None:
    book, _ = opening(frozenset(), INITIALIZE)
    book.passes(1.0)
    book.host(request(1, "tools/list"))
    book.host(tool_call(2))
    told = book.told(book.fires(*FIRST_TIMER))
    assert sorted(fault(line)["id"] for line in told) == [0, 1, 2]
    assert not book.session.busy


def test_a_second_request_does_not_start_the_clock_anew() -> None:
    book, _ = opening(frozenset(), INITIALIZE)
    commands = book.host(request(1, "tools/list"))
    assert not [command for command in commands if isinstance(command, SetTimer)]


# -- what goes on behind it


def test_trying_goes_on_until_patience_ends() -> None:
    book, _ = opening(LEGACY, INITIALIZE)
    book.fires(*FIRST_TIMER)
    began, tries = book.now, 0
    commands = book.on(ConnectFailed(NO_NETWORK))
    while RETRY_TIMER in book.timers:
        tries += connects(book.fires(*RETRY_TIMER))
        commands = book.on(ConnectFailed(NO_NETWORK))
    assert tries >= 5
    assert book.now - began <= 30.0
    assert commands == []
    assert not book.timers


def test_a_definite_failure_ends_it() -> None:
    book, _ = opening(LEGACY, INITIALIZE)
    book.fires(*FIRST_TIMER)
    assert book.on(ConnectFailed(REFUSED, definite=True)) == []
    assert not book.timers


def test_a_host_that_asks_again_meanwhile_is_answered_by_the_server() -> None:
    book, _ = opening(LEGACY, INITIALIZE)
    book.fires(*FIRST_TIMER)
    book.on(ConnectFailed(NO_NETWORK))
    assert book.on(Connected()) == [CancelTimer(RETRY_TIMER)]
    assert [report.text for report in book.reports if "can be reached now" in report.text]
    again = INITIALIZE.replace(b'"id":0', b'"id":1')
    (post,) = book.posts(book.host(again))
    answer = result(1, {"protocolVersion": "2025-06-18"})
    (told,) = book.told(book.answers(post.exchange, answer))
    assert told.line == answer


def test_a_host_that_asks_again_in_vain_is_told_again() -> None:
    book, _ = opening(LEGACY, INITIALIZE)
    book.fires(*FIRST_TIMER)
    again = INITIALIZE.replace(b'"id":0', b'"id":1')
    (post,) = book.posts(book.host(again))
    commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message=NO_NETWORK)
    assert book.told(commands) == []
    commands = book.fires(*FIRST_TIMER)
    assert [fault(told)["id"] for told in book.told(commands)] == [1]
    assert connects(commands) == 0, "one connection is being opened already"


def test_a_host_that_asks_again_while_a_try_hangs_is_not_told_what_the_try_before_met() -> None:
    book, post = opening(LEGACY, INITIALIZE)
    commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message=REFUSED, definite=True)
    assert fault(book.told(commands)[0])["message"] == REFUSED
    book.host(INITIALIZE.replace(b'"id":0', b'"id":1'))
    (told,) = book.told(book.fires(*FIRST_TIMER))
    assert "no connection could be opened within 4 seconds" in fault(told)["message"]
    book.on(Connected())
    assert [report.text for report in book.reports if "can be reached now" in report.text]


def test_what_the_bridges_own_try_meets_meanwhile_is_told() -> None:
    book, _ = opening(LEGACY, INITIALIZE)
    book.fires(*FIRST_TIMER)
    book.host(INITIALIZE.replace(b'"id":0', b'"id":1'))
    book.on(ConnectFailed(NO_NETWORK))
    (told,) = book.told(book.fires(*FIRST_TIMER))
    assert fault(told)["message"] == NO_NETWORK


# -- once a connection has come about


@pytest.mark.parametrize("event", [Connected()])
def test_patience_is_what_it_is_once_there_was_a_connection(event: Event) -> None:
    book, post = opening(LEGACY, INITIALIZE)
    assert book.on(event) == [CancelTimer(FIRST_TIMER)]
    began = book.now
    told: list[SendToHost] = []
    while not told:
        commands = book.fails(post.exchange, Cause.UNREACHABLE, sent=False, message=REFUSED, definite=True)
        told = book.told(commands)
        if not told:
            (retry,) = book.timers
            (post,) = book.posts(book.fires(*retry))
    assert 25.0 < book.now - began <= 30.0
    assert fault(told[0])["message"] == REFUSED


def test_a_server_that_was_reached_may_think_as_long_as_it_likes() -> None:
    book, post = opening(frozenset(), INITIALIZE)
    book.on(Connected())
    assert FIRST_TIMER not in book.timers
    assert body(post)["method"] == "initialize"
    book.passes(25.0)
    assert book.session.busy


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.TRUNCATED, Cause.PROTOCOL, Cause.UNAUTHORIZED])
def test_a_failure_after_connecting_counts_as_contact(cause: Cause) -> None:
    book, post = opening(MODERN, asked(0, "server/discover"))
    book.fails(post.exchange, cause)
    assert FIRST_TIMER not in book.timers


def test_the_end_of_the_run_takes_the_clock_along() -> None:
    book, _ = opening(MODERN, asked(0, "server/discover"))
    (told,) = book.told(book.host_closes())
    assert fault(told)["kind"] == "shutdown"
    assert not book.timers


def test_a_server_that_answers_at_once_starts_nothing() -> None:
    book, post = opening(MODERN, asked(0, "server/discover"))
    commands = book.answers(post.exchange, result(0, discovered()))
    assert CancelTimer(FIRST_TIMER) in commands
    assert not book.timers


# -- the transport of 2024-11-05, whose stream has to be there first


def test_over_http_sse_a_definite_failure_is_told_at_once() -> None:
    book = PairingPlaybook(transport="sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    (told,) = book.told(book.fails(stream.exchange, Cause.UNREACHABLE, sent=False, message=REFUSED, definite=True))
    assert fault(told)["message"] == REFUSED
    assert not book.session.busy


def test_over_http_sse_a_connection_that_hangs_is_told_after_4_s_and_serves_the_next_try() -> None:
    book = PairingPlaybook(transport="sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    (told,) = book.told(book.fires(*FIRST_TIMER))
    assert "within 4 seconds" in fault(told)["message"]
    assert book.told(book.host(INITIALIZE.replace(b'"id":0', b'"id":1'))) == []
    book.on(Connected())
    assert book.starts(stream.exchange) == []
    (post,) = book.posts(book.names_endpoint(stream.exchange, b"/messages"))
    assert body(post)["id"] == 1
