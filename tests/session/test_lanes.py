"""Machines side by side: their numbers, their timers, what stands between one and the host, and when one may go."""

from typing import cast

import pytest

from bridge.era.outlet import Outlet, Refusal
from bridge.protocol import jsonrpc, writing
from bridge.protocol.jsonrpc import Message, Request, RequestId
from bridge.session import faults
from bridge.session.commands import (
    Abandon,
    CancelTimer,
    Command,
    Deliver,
    OpenStream,
    Post,
    Report,
    SendToHost,
    SetTimer,
    Settle,
)
from bridge.session.events import BodyReceived, HostClosed, TimerFired
from bridge.session.lane import Desk, Lane, TranslatedLane
from bridge.session.lanes import Lanes
from bridge.session.ledger import LANE
from bridge.session.probing import LEGACY, MODERN
from tests.session.modern_playbook import called
from tests.session.playbook import URL, fault, request, result


class Echo:
    """A translator that notes what it is told, and does nothing by itself."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
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

    def take_back(self, id_: RequestId) -> list[Request]:
        return [self.made(id_)]

    def on_timer(self, purpose: str, number: int) -> None:
        self.seen.append((purpose, number))

    def close(self) -> None:
        self.seen.append("closed")

    @staticmethod
    def made(id_: RequestId) -> Request:
        return writing.request(b'"host %b"' % str(id_).encode(), "ping")


class Board:
    """Lanes, and what they want done."""

    def __init__(self) -> None:
        self.desk = Desk(URL, lambda: "secret", lambda: "2026-07-28T12:00:00Z")
        self.received: list[tuple[int, bytes]] = []
        self.lanes = Lanes(self.desk, "http", 30.0, None, str, self.receive)

    def receive(self, lane: Lane, deliver: Deliver) -> None:
        self.received.append((lane.number, bytes(deliver.line)))
        lane.pass_on(deliver)

    def commands(self) -> list[Command]:
        commands, self.desk.commands = self.desk.commands, []
        return commands

    def sends(self, lane: Lane, line: bytes) -> Post:
        """The host sends a request on a lane, and it is posted."""
        lane.host(jsonrpc.parse(line))
        (post,) = [command for command in self.commands() if isinstance(command, Post)]
        return post

    def answers(self, exchange: int, line: bytes) -> list[Command]:
        lane = self.lanes.of(exchange)
        assert lane is not None
        lane.on(BodyReceived(exchange, 200, b"application/json", line))
        return [command for command in self.commands() if not isinstance(command, Report)]

    def translated(self) -> tuple[TranslatedLane[Echo], Echo]:
        lane = self.lanes.translated(MODERN, Echo)
        return lane, lane.translator


# -- numbers


def test_each_lane_has_numbers_of_its_own() -> None:
    board = Board()
    lanes = [board.lanes.native(MODERN), board.lanes.native(LEGACY), board.lanes.native(MODERN)]
    posts = [board.sends(lane, called(1)) for lane in lanes]
    assert [post.exchange for post in posts] == [LANE + 1, 2 * LANE + 1, 3 * LANE + 1]
    assert [board.lanes.of(post.exchange) for post in posts] == lanes
    assert [lane.era for lane in board.lanes] == [MODERN, LEGACY, MODERN]


@pytest.mark.parametrize("number", [0, 1, LANE - 1, 2 * LANE, 10**15])
def test_a_number_of_no_lane_belongs_to_none(number: int) -> None:
    board = Board()
    board.lanes.native(MODERN)
    assert board.lanes.of(number) is None


def test_a_number_is_never_given_twice() -> None:
    board = Board()
    first = board.lanes.native(MODERN)
    board.lanes.drop(first)
    assert board.lanes.of(LANE + 1) is None
    assert board.lanes.native(MODERN).number == 2


# -- without a translator


def test_what_a_machine_has_for_its_host_is_shown_first() -> None:
    board = Board()
    lane = board.lanes.native(MODERN)
    post = board.sends(lane, called("a"))
    assert lane.awaits("a")
    assert lane.busy
    assert board.answers(post.exchange, result("a")) == [SendToHost(result("a"))]
    assert board.received == [(1, result("a"))]
    assert not lane.awaits("a")


def test_a_request_without_a_translator_is_taken_back_as_it_is() -> None:
    asked = cast("Request", jsonrpc.parse(called(1)))
    assert Board().lanes.native(MODERN).take_back(asked) == [asked]


def test_the_bridges_own_question_has_its_own_receiver() -> None:
    board, answers = Board(), list[Deliver]()
    lane = board.lanes.probing(lambda _, deliver: answers.append(deliver))
    post = board.sends(lane, request("p", "server/discover"))
    assert board.answers(post.exchange, result("p")) == []
    assert [answer.line for answer in answers] == [result("p")]
    assert board.received == []


def test_to_give_up_says_nothing() -> None:
    board = Board()
    lane = board.lanes.native(MODERN)
    post = board.sends(lane, called(1))
    lane.give_up()
    assert board.commands() == [Settle(post.exchange), Abandon(post.exchange)]
    assert not lane.busy


# -- with a translator


def test_the_host_and_the_machine_meet_the_translator() -> None:
    board = Board()
    lane, echo = board.translated()
    message = jsonrpc.parse(request("x"))
    lane.host(message)
    assert echo.seen == [message]
    assert board.commands() == []
    echo.outlet.up(jsonrpc.parse(called(1)))
    (post,) = [command for command in board.commands() if isinstance(command, Post)]
    assert board.answers(post.exchange, result(1)) == []
    assert echo.seen[1:] == [(result(1), 1)]


def test_an_error_of_the_bridges_own_reaches_the_translator_as_an_answer() -> None:
    board = Board()
    _, echo = board.translated()
    echo.outlet.up(jsonrpc.parse(called(1)))
    (post,) = [command for command in board.commands() if isinstance(command, Post)]
    board.answers(post.exchange, b"<html>")
    ((line, about),) = cast("list[tuple[bytes, int]]", echo.seen)
    assert (fault(SendToHost(line))["kind"], about) == ("not-json", 1)


def test_it_is_busy_while_the_machine_or_the_translator_is() -> None:
    board = Board()
    lane, echo = board.translated()
    seen = [lane.busy]
    echo.is_waiting = True
    seen.append(lane.busy)
    echo.is_waiting = False
    echo.outlet.up(jsonrpc.parse(called(1)))
    assert [*seen, lane.busy] == [False, True, True]
    assert lane.awaits("mine")
    assert not lane.awaits(1), "that is the translator's own id"


def test_a_request_is_taken_back_through_the_translator() -> None:
    lane, echo = Board().translated()
    assert lane.take_back(cast("Request", jsonrpc.parse(called(7)))) == [echo.made(7)]


def test_a_translators_timers_are_kept_apart() -> None:
    board = Board()
    lane, echo = board.translated()
    echo.outlet.wait("call", 3, 5.0)
    (timer,) = board.commands()
    assert timer == SetTimer(("era/call", LANE + 3), 5.0)
    lane.on(TimerFired(("era/call", LANE + 3)))
    assert echo.seen == [("call", 3)]
    lane.on(TimerFired(("era/call", LANE + 3)))
    lane.on(TimerFired(("era/other", LANE + 3)))
    assert echo.seen == [("call", 3)], "only what was asked for, and once"


def test_a_translator_can_take_a_timer_back() -> None:
    board = Board()
    lane, echo = board.translated()
    echo.outlet.wait("a", 0, 5.0)
    echo.outlet.stop_waiting("a", 0)
    echo.outlet.stop_waiting("a", 0)
    assert board.commands()[1:] == [CancelTimer(("era/a", LANE))]
    lane.on(TimerFired(("era/a", LANE)))
    assert echo.seen == []


def test_the_outlet_writes_refuses_and_reports() -> None:
    board = Board()
    board.desk.now = 7.0
    _, echo = board.translated()
    outlet = echo.outlet
    outlet.down(b"{}")
    outlet.refuse(cast("Request", jsonrpc.parse(request("x"))), Refusal(-32602, "odd", "It is odd.", {"more": 1}))
    outlet.report("debug", "So it is.")
    sent, refused, report = board.commands()
    assert (sent, report) == (SendToHost(b"{}"), Report("debug", "So it is."))
    told = fault(refused)
    assert (told["id"], told["code"], told["message"]) == ("x", -32602, "It is odd.")
    assert (told["kind"], told["url"], told["more"]) == ("odd", URL, 1)
    assert (outlet.now, outlet.fresh()) == (7.0, "secret")


# -- the end of a lane


def test_a_retired_lane_goes_once_it_has_nothing_to_answer() -> None:
    board = Board()
    old = board.lanes.native(MODERN)
    post = board.sends(old, called(1))
    board.lanes.retire(old)
    board.lanes.retire(old)
    board.lanes.native(MODERN)
    assert old in list(board.lanes), "it has an answer to give"
    assert board.answers(post.exchange, result(1)) == [SendToHost(result(1))]
    board.lanes.native(MODERN)
    assert old not in list(board.lanes)


def test_a_lane_that_is_dismissed_answers_first() -> None:
    board = Board()
    lane, echo = board.translated()
    echo.outlet.up(jsonrpc.parse(called(1)))
    board.commands()
    board.lanes.dismiss(lane)
    assert echo.seen[0] == "closed"
    ((line, _),) = cast("list[tuple[bytes, int]]", echo.seen[1:])
    assert fault(SendToHost(line))["kind"] == "shutdown"
    assert list(board.lanes) == []
    lane.on(HostClosed())
    assert len(echo.seen) == 2


def test_there_is_an_end_to_the_lanes_that_still_have_answers_to_give() -> None:
    board = Board()
    for number in range(100):
        lane = board.lanes.native(MODERN)
        board.sends(lane, called(number))
        board.lanes.retire(lane)
    assert len(list(board.lanes)) <= 17
    answered = {bytes(line) for _, line in board.received}
    assert len(answered) == 100 - len(list(board.lanes)), "those that had to go were answered"


def test_lanes_are_full_while_some_are_left_for_other_purposes() -> None:
    board, fullness = Board(), list[bool]()
    for _ in range(16):
        fullness.append(board.lanes.is_full)
        board.lanes.native(MODERN)
    assert fullness == [False] * 14 + [True] * 2


def test_a_session_that_takes_a_host_over_opens_with_the_next_message() -> None:
    board = Board()
    initialize = cast("Request", jsonrpc.parse(request(0, "initialize", {"protocolVersion": "2025-06-18"})))
    lane = board.lanes.taking_over(lambda session: session.adopt(initialize, [], is_initialized=True))
    assert board.commands() == []
    post = board.sends(lane, request(5))
    assert post.body == initialize.line
    note = next(command for command in board.answers(post.exchange, _opened()) if isinstance(command, Post))
    assert b"notifications/initialized" in note.body
    lane.on(BodyReceived(note.exchange, 202, b"", b""))
    sent = board.commands()
    assert [command.body for command in sent if isinstance(command, Post)] == [request(5)]
    assert any(isinstance(command, OpenStream) for command in sent)


def _opened() -> bytes:
    return result(0, {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "a", "version": "1"}})


def test_a_server_without_a_name_is_called_by_its_host() -> None:
    assert Board().lanes.server_name == "mcp.example"


def test_the_desk_refuses_in_the_bridges_name() -> None:
    board = Board()
    asked = cast("Request", jsonrpc.parse(request(3)))
    board.desk.refuse(asked, faults.shut_down(URL, ""))
    reported, refused = board.commands()
    assert isinstance(reported, Report)
    assert reported.text == f"ping (id 3) has no answer: The bridge to {URL} is shutting down."
    assert (fault(refused)["id"], fault(refused)["kind"]) == (3, "shutdown")
