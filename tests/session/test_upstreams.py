"""Machines side by side: their numbers, their timers, what stands between one and the host, and when one may go."""

from functools import partial
from typing import cast

import pytest

from bridge.errors import ErrorKind
from bridge.protocol import jsonrpc, writing
from bridge.protocol.jsonrpc import Message, Request, RequestId
from bridge.session import faults
from bridge.session.commands import (
    Abandon,
    CancelTimer,
    Command,
    Deliver,
    DrainStream,
    OpenStream,
    Post,
    Report,
    SendToHost,
    SetTimer,
)
from bridge.session.events import BodyReceived, HostClosed
from bridge.session.probing import LEGACY, MODERN
from bridge.session.session_state import UPSTREAM_NUMBERS
from bridge.session.upstream import RouterContext, TranslatedUpstream, Upstream
from bridge.session.upstreams import Upstreams
from bridge.translate.translator import TranslatorPort, TranslatorRefusal
from tests.session.modern_playbook import called
from tests.session.playbook import URL, fault, request, result


class Echo:
    """A translator that notes what it is told, and does nothing by itself."""

    def __init__(self, port: TranslatorPort) -> None:
        self.port = port
        self.seen: list[object] = []
        self.is_waiting = False

    def awaits(self, id_: RequestId) -> bool:
        return id_ == "mine"

    def asks(self, id_: RequestId | None) -> bool:
        return id_ == "asked"

    def from_host(self, message: Message) -> None:
        self.seen.append(message)

    def from_server(self, message: Message, about: RequestId | None) -> None:
        self.seen.append((message.line, about))

    def reroute(self, id_: RequestId) -> list[Request]:
        return [self.made(id_)]

    def close(self) -> None:
        self.seen.append("closed")

    @staticmethod
    def made(id_: RequestId) -> Request:
        return writing.request(b'"host %b"' % str(id_).encode(), "ping")


class Board:
    """Upstreams, and what they want done."""

    def __init__(self) -> None:
        self.context = RouterContext(URL, lambda: "secret", lambda: "2026-07-28T12:00:00Z")
        self.received: list[tuple[int, bytes]] = []
        self.upstreams = Upstreams(self.context, "http", 30.0, None, str, self.receive)

    def receive(self, upstream: Upstream, deliver: Deliver) -> None:
        self.received.append((upstream.number, bytes(deliver.line)))
        upstream.pass_on(deliver)

    def commands(self) -> list[Command]:
        commands, self.context.commands = self.context.commands, []
        return commands

    def sends(self, upstream: Upstream, line: bytes) -> Post:
        """The host sends a request on a upstream, and it is posted."""
        upstream.host(jsonrpc.parse(line))
        (post,) = [command for command in self.commands() if isinstance(command, Post)]
        return post

    def answers(self, exchange: int, line: bytes) -> list[Command]:
        upstream = self.upstreams.of(exchange)
        assert upstream is not None
        upstream.on(BodyReceived(exchange, 200, b"application/json", line))
        return [command for command in self.commands() if not isinstance(command, Report)]

    def translated(self) -> tuple[TranslatedUpstream[Echo], Echo]:
        upstream = self.upstreams.translated(MODERN, Echo)
        return upstream, upstream.translator


# -- numbers


def test_each_lane_has_numbers_of_its_own() -> None:
    board = Board()
    upstreams = [board.upstreams.native(MODERN), board.upstreams.native(LEGACY), board.upstreams.native(MODERN)]
    posts = [board.sends(upstream, called(1)) for upstream in upstreams]
    assert [post.exchange for post in posts] == [
        UPSTREAM_NUMBERS + 1,
        2 * UPSTREAM_NUMBERS + 1,
        3 * UPSTREAM_NUMBERS + 1,
    ]
    assert [board.upstreams.of(post.exchange) for post in posts] == upstreams
    assert [upstream.era for upstream in board.upstreams] == [MODERN, LEGACY, MODERN]


@pytest.mark.parametrize("number", [0, 1, UPSTREAM_NUMBERS - 1, 2 * UPSTREAM_NUMBERS, 10**15])
def test_a_number_of_no_lane_belongs_to_none(number: int) -> None:
    board = Board()
    board.upstreams.native(MODERN)
    assert board.upstreams.of(number) is None


def test_a_number_is_never_given_twice() -> None:
    board = Board()
    first = board.upstreams.native(MODERN)
    board.upstreams.drop(first)
    assert board.upstreams.of(UPSTREAM_NUMBERS + 1) is None
    assert board.upstreams.native(MODERN).number == 2


# -- without a translator


def test_what_a_machine_has_for_its_host_is_shown_first() -> None:
    board = Board()
    upstream = board.upstreams.native(MODERN)
    post = board.sends(upstream, called("a"))
    assert upstream.awaits("a")
    assert upstream.busy
    assert board.answers(post.exchange, result("a")) == [SendToHost(result("a"))]
    assert board.received == [(1, result("a"))]
    assert not upstream.awaits("a")


def test_a_request_without_a_translator_is_taken_back_as_it_is() -> None:
    asked = cast("Request", jsonrpc.parse(called(1)))
    assert Board().upstreams.native(MODERN).reroute(asked) == [asked]


def test_the_bridges_own_question_has_its_own_receiver() -> None:
    board, answers = Board(), list[Deliver]()
    upstream = board.upstreams.probing(lambda _, deliver: answers.append(deliver))
    post = board.sends(upstream, request("p", "server/discover"))
    assert board.answers(post.exchange, result("p")) == []
    assert [answer.line for answer in answers] == [result("p")]
    assert board.received == []


def test_to_give_up_says_nothing() -> None:
    board = Board()
    upstream = board.upstreams.native(MODERN)
    post = board.sends(upstream, called(1))
    upstream.give_up()
    assert board.commands() == [DrainStream(post.exchange), Abandon(post.exchange)]
    assert not upstream.busy


# -- with a translator


def test_the_host_and_the_machine_meet_the_translator() -> None:
    board = Board()
    upstream, echo = board.translated()
    message = jsonrpc.parse(request("x"))
    upstream.host(message)
    assert echo.seen == [message]
    assert board.commands() == []
    echo.port.up(jsonrpc.parse(called(1)))
    (post,) = [command for command in board.commands() if isinstance(command, Post)]
    assert board.answers(post.exchange, result(1)) == []
    assert echo.seen[1:] == [(result(1), 1)]


def test_an_error_of_the_bridges_own_reaches_the_translator_as_an_answer() -> None:
    board = Board()
    _, echo = board.translated()
    echo.port.up(jsonrpc.parse(called(1)))
    (post,) = [command for command in board.commands() if isinstance(command, Post)]
    board.answers(post.exchange, b"<html>")
    ((line, about),) = cast("list[tuple[bytes, int]]", echo.seen)
    assert (fault(SendToHost(line))["kind"], about) == ("not-json", 1)


def test_it_is_busy_while_the_machine_or_the_translator_is() -> None:
    board = Board()
    upstream, echo = board.translated()
    seen = [upstream.busy]
    echo.is_waiting = True
    seen.append(upstream.busy)
    echo.is_waiting = False
    echo.port.up(jsonrpc.parse(called(1)))
    assert [*seen, upstream.busy] == [False, True, True]
    assert upstream.awaits("mine")
    assert not upstream.awaits(1), "that is the translator's own id"


def test_a_request_is_taken_back_through_the_translator() -> None:
    upstream, echo = Board().translated()
    assert upstream.reroute(cast("Request", jsonrpc.parse(called(7)))) == [echo.made(7)]


def test_a_translators_timers_are_kept_apart() -> None:
    board = Board()
    _, echo = board.translated()
    for name in ("one", "other"):
        echo.port.timer("call", partial(echo.seen.append, name)).start(5.0)
    first, second = board.commands()
    assert [first, second] == [
        SetTimer(("era/call", UPSTREAM_NUMBERS + 1), 5.0),
        SetTimer(("era/call", UPSTREAM_NUMBERS + 2), 5.0),
    ]
    assert board.context.timers.fire(("era/call", UPSTREAM_NUMBERS + 2))
    assert echo.seen == ["other"]
    assert not board.context.timers.fire(("era/call", UPSTREAM_NUMBERS + 2))
    assert not board.context.timers.fire(("era/other", UPSTREAM_NUMBERS + 1))
    assert echo.seen == ["other"], "only a timer that runs fires, and once"


def test_the_translator_of_a_dismissed_lane_hears_of_no_timer() -> None:
    board = Board()
    upstream, echo = board.translated()
    echo.port.timer("call", partial(echo.seen.append, "fired")).start(5.0)
    board.upstreams.dismiss(upstream)
    board.context.timers.fire(("era/call", UPSTREAM_NUMBERS + 1))
    assert "fired" not in echo.seen


def test_a_translator_can_take_a_timer_back() -> None:
    board = Board()
    _, echo = board.translated()
    timer = echo.port.timer("a", partial(echo.seen.append, "fired"))
    timer.start(5.0)
    timer.stop()
    timer.stop()
    assert board.commands()[1:] == [CancelTimer(("era/a", UPSTREAM_NUMBERS + 1))]
    assert not board.context.timers.fire(("era/a", UPSTREAM_NUMBERS + 1))
    assert echo.seen == []


def test_the_outlet_writes_refuses_and_reports() -> None:
    board = Board()
    board.context.now = 7.0
    _, echo = board.translated()
    port = echo.port
    port.down(b"{}")
    port.refuse(
        cast("Request", jsonrpc.parse(request("x"))),
        TranslatorRefusal(-32602, ErrorKind.ROUNDS, "It is odd.", {"more": 1}),
    )
    port.report("debug", "So it is.")
    sent, refused, report = board.commands()
    assert (sent, report) == (SendToHost(b"{}"), Report("debug", "So it is."))
    told = fault(refused)
    assert (told["id"], told["code"], told["message"]) == ("x", -32602, "It is odd.")
    assert (told["kind"], told["url"], told["more"]) == ("rounds", URL, 1)
    assert (port.now, port.fresh()) == (7.0, "secret")


# -- the end of a upstream


def test_a_retired_lane_goes_once_it_has_nothing_to_answer() -> None:
    board = Board()
    old = board.upstreams.native(MODERN)
    post = board.sends(old, called(1))
    board.upstreams.retire(old)
    board.upstreams.retire(old)
    board.upstreams.native(MODERN)
    assert old in list(board.upstreams), "it has an answer to give"
    assert board.answers(post.exchange, result(1)) == [SendToHost(result(1))]
    board.upstreams.native(MODERN)
    assert old not in list(board.upstreams)


def test_a_lane_that_is_dismissed_answers_first() -> None:
    board = Board()
    upstream, echo = board.translated()
    echo.port.up(jsonrpc.parse(called(1)))
    board.commands()
    board.upstreams.dismiss(upstream)
    assert echo.seen[0] == "closed"
    ((line, _),) = cast("list[tuple[bytes, int]]", echo.seen[1:])
    assert fault(SendToHost(line))["kind"] == "shutdown"
    assert list(board.upstreams) == []
    upstream.on(HostClosed())
    assert len(echo.seen) == 2


def test_there_is_an_end_to_the_lanes_that_still_have_answers_to_give() -> None:
    board = Board()
    for number in range(100):
        upstream = board.upstreams.native(MODERN)
        board.sends(upstream, called(number))
        board.upstreams.retire(upstream)
    assert len(list(board.upstreams)) <= 17
    answered = {bytes(line) for _, line in board.received}
    assert len(answered) == 100 - len(list(board.upstreams)), "those that had to go were answered"


def test_lanes_are_full_while_some_are_left_for_other_purposes() -> None:
    board, fullness = Board(), list[bool]()
    for _ in range(16):
        fullness.append(board.upstreams.is_full)
        board.upstreams.native(MODERN)
    assert fullness == [False] * 14 + [True] * 2


def test_a_session_that_takes_a_host_over_opens_with_the_next_message() -> None:
    board = Board()
    initialize = cast("Request", jsonrpc.parse(request(0, "initialize", {"protocolVersion": "2025-06-18"})))
    upstream = board.upstreams.taking_over(lambda session: session.adopt(initialize, [], is_initialized=True))
    assert board.commands() == []
    post = board.sends(upstream, request(5))
    assert post.body == initialize.line
    note = next(command for command in board.answers(post.exchange, _opened()) if isinstance(command, Post))
    assert b"notifications/initialized" in note.body
    upstream.on(BodyReceived(note.exchange, 202, b"", b""))
    sent = board.commands()
    assert [command.body for command in sent if isinstance(command, Post)] == [request(5)]
    assert any(isinstance(command, OpenStream) for command in sent)


def _opened() -> bytes:
    return result(0, {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "a", "version": "1"}})


def test_a_server_without_a_name_is_called_by_its_host() -> None:
    assert Board().upstreams.server_name == "mcp.example"


def test_the_desk_refuses_in_the_bridges_name() -> None:
    board = Board()
    asked = cast("Request", jsonrpc.parse(request(3)))
    board.context.refuse(asked, faults.shut_down(URL, ""))
    reported, refused = board.commands()
    assert isinstance(reported, Report)
    assert reported.text == f"ping (id 3) failed: The bridge to {URL} is shutting down."
    assert (fault(refused)["id"], fault(refused)["kind"]) == (3, "shutdown")
