"""`--request-timeout`: no sign of life for so long, and the request is given up. `--tool-timeout`: so long in all."""

import msgspec

from bridge.session.commands import Abandon, SendToHost, SetTimer
from bridge.session.deadlines import LongCalls
from bridge.session.events import Cause, SignInEnded, SignInStarted, TimerFired
from bridge.session.session import Session, Transport
from bridge.session.stateless import Stateless
from tests.session.modern_playbook import ModernPlaybook, called
from tests.session.playbook import (
    URL,
    Machine,
    Playbook,
    cancelled,
    fault,
    notification,
    request,
    result,
    tool_call,
)


def with_token(id_: int, token: object) -> bytes:
    return request(id_, "tools/call", {"name": "slow", "_meta": {"progressToken": token}})


def progress(token: object) -> bytes:
    return notification("notifications/progress", {"progressToken": token, "progress": 1})


def started(book: Playbook, line: bytes) -> tuple[int, tuple[str, int]]:
    """A request with its exchange and its timer."""
    commands = book.host(line)
    (post,) = book.posts(commands)
    (timer,) = [command for command in commands if isinstance(command, SetTimer)]
    assert (timer.timer[0], timer.seconds, timer.spread) == ("deadline", 20.0, 0.0)
    return post.exchange, timer.timer


def test_without_the_option_nothing_is_timed() -> None:
    book = Playbook().opened()
    book.host(with_token(1, 0))
    assert not book.timers


def test_a_request_is_given_up_and_the_server_told() -> None:
    book = Playbook(request_timeout=20.0).opened()
    exchange, timer = started(book, tool_call(0))
    commands = book.fires(*timer)
    (said,) = book.told(commands)
    assert (fault(said)["id"], fault(said)["kind"]) == (0, "timeout")
    assert "20 seconds" in fault(said)["message"]
    assert Abandon(exchange) in commands
    (note,) = book.posts(commands)
    params = msgspec.json.decode(note.body)["params"]
    assert (params["requestId"], params["reason"]) == (0, "no answer within 20 seconds")
    assert not book.session.busy
    assert not book.timers


def test_initialize_must_not_be_cancelled() -> None:
    book = Playbook(request_timeout=20.0)
    exchange, timer = started(book, request(0, "initialize", {}))
    commands = book.fires(*timer)
    assert fault(book.told(commands)[0])["kind"] == "timeout"
    assert Abandon(exchange) in commands
    assert not book.posts(commands)


def test_an_answer_in_time_stops_the_clock() -> None:
    book = Playbook(request_timeout=20.0).opened()
    exchange, timer = started(book, tool_call(1))
    book.answers(exchange, result(1))
    assert timer not in book.timers


def test_the_hosts_cancellation_stops_the_clock() -> None:
    book = Playbook(request_timeout=20.0).opened()
    _, timer = started(book, tool_call(1))
    book.host(cancelled(1))
    assert timer not in book.timers


def test_every_event_of_its_own_stream_is_a_sign_of_life() -> None:
    book = Playbook(request_timeout=20.0).opened()
    exchange, timer = started(book, tool_call(1))
    book.starts(exchange)
    assert SetTimer(timer, 20.0) in book.sends(exchange, id_=b"e1")
    assert SetTimer(timer, 20.0) in book.sends(exchange, notification("notifications/message"))


def test_its_progress_on_any_stream_is_a_sign_of_life() -> None:
    book = Playbook(request_timeout=20.0)
    stream = book.listening()
    for number, token in enumerate((0, "", "t", 1.5), start=1):
        _, timer = started(book, with_token(number, token))
        assert book.sends(stream, progress(token)) == [SetTimer(timer, 20.0), SendToHost(progress(token))]


def test_the_progress_of_another_is_none_of_its_own() -> None:
    book = Playbook(request_timeout=20.0)
    stream = book.listening()
    started(book, with_token(1, "1"))
    for token in (1, "2", None):
        assert book.sends(stream, progress(token)) == [SendToHost(progress(token))]


def test_progress_of_what_is_over_only_passes() -> None:
    book = Playbook(request_timeout=20.0)
    stream = book.listening()
    exchange, _ = started(book, with_token(1, "t"))
    book.answers(exchange, result(1))
    assert book.sends(stream, progress("t")) == [SendToHost(progress("t"))]


def test_waiting_for_the_next_try_counts() -> None:
    book = Playbook(request_timeout=20.0).opened()
    exchange, timer = started(book, request(1))
    book.fails(exchange, Cause.LOST)
    commands = book.fires(*timer)
    assert fault(book.told(commands)[0])["kind"] == "timeout"
    assert not book.timers


def test_waiting_for_a_session_counts() -> None:
    book = Playbook(request_timeout=20.0).opened()
    exchange, timer = started(book, tool_call(1))
    (replay,) = book.posts(book.answers(exchange, status=404))
    assert fault(book.told(book.fires(*timer))[0])["kind"] == "timeout"
    welcome = result(0, {"protocolVersion": "2025-06-18"})
    (note,) = book.posts(book.answers(replay.exchange, welcome, session_id=b"two"))
    assert tool_call(1) not in [post.body for post in book.posts(book.answers(note.exchange, status=202))]


class TimedPlaybook(Playbook):
    """Calls of tools may take 100 seconds in all."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Session(URL, transport, retry_window, request_timeout, long_calls=LongCalls(tool_timeout=100.0))


class ModernTimedPlaybook(ModernPlaybook):
    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Stateless(URL, retry_window, request_timeout, long_calls=LongCalls(tool_timeout=100.0))


TOOL_DEADLINE = "tool-deadline"


def test_a_tool_that_takes_too_long_in_all_is_cancelled_although_it_tells_progress() -> None:
    book = TimedPlaybook().opened()
    (post,) = book.posts(book.host(with_token(7, "t")))
    book.starts(post.exchange)
    timer = (TOOL_DEADLINE, 2)
    assert book.timers[timer].seconds == 100.0
    book.passes(90)
    assert SetTimer(timer, 100.0) not in book.sends(post.exchange, progress("t"))
    commands = book.on(TimerFired(timer))
    (said,) = book.told(commands)
    assert (fault(said)["id"], fault(said)["kind"]) == (7, "timeout")
    assert fault(said)["message"] == (
        f'{URL} did not finish the tool "slow" within 100 seconds, so the call was cancelled. '
        "Set --tool-timeout higher if this tool takes longer, or to 0 for no limit."
    )
    assert Abandon(post.exchange) in commands
    (note,) = book.posts(commands)
    assert msgspec.json.decode(note.body)["params"] == {"requestId": 7, "reason": "no answer within 100 seconds"}
    assert not book.timers
    assert not book.session.busy


def test_a_modern_tool_that_takes_too_long_loses_its_stream() -> None:
    book = ModernTimedPlaybook()
    post = book.post(called(7, "slow"))
    commands = book.fires(TOOL_DEADLINE, 1)
    assert fault(book.told(commands)[0])["kind"] == "timeout"
    assert Abandon(post.exchange) in commands
    assert not book.posts(commands)
    assert not book.timers


def test_only_calls_of_tools_are_limited_in_all() -> None:
    book = TimedPlaybook().opened()
    book.host(request(1, "tools/list"))
    assert not book.timers


def test_a_tool_that_is_done_or_cancelled_has_no_limit_any_more() -> None:
    book = TimedPlaybook().opened()
    (post,) = book.posts(book.host(tool_call(1)))
    book.answers(post.exchange, result(1))
    assert not book.timers
    book.host(tool_call(2))
    book.host(cancelled(2))
    assert not book.timers


def test_while_the_user_signs_in_the_time_of_a_tool_stands_still() -> None:
    book = TimedPlaybook().opened()
    book.host(tool_call(1))
    timer = (TOOL_DEADLINE, 2)
    book.passes(30)
    book.on(SignInStarted())
    book.host(tool_call(2))
    assert not book.timers
    book.passes(500)
    book.on(SignInEnded())
    assert book.timers[timer].seconds == 70.0
    assert book.timers[TOOL_DEADLINE, 3].seconds == 100.0
    book.on(SignInEnded())
    assert book.timers[timer].seconds == 70.0
    assert fault(book.told(book.fires(*timer))[0])["id"] == 1
