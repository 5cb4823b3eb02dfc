"""The standing stream: opened after the handshake, refused in peace, brought back from where it was."""

import pytest

from bridge.session.commands import DropConnections, OpenStream, SendToHost, SetTimer
from bridge.session.events import Cause
from bridge.session.session import Session, Transport
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    SID,
    URL,
    VERSION,
    Machine,
    Playbook,
    notification,
    request,
    result,
    session_headers,
)

CHANGED = notification("notifications/tools/list_changed")


def back(book: Playbook, last_event_id: bytes | None = None) -> int:
    """The pause is over and the stream is opened again."""
    commands = book.fires("listen")
    (stream,) = book.streams(commands)
    assert commands == [OpenStream(stream.exchange, session_headers(last_event_id=last_event_id), quiet=True)]
    return stream.exchange


def test_it_is_opened_once_the_server_has_taken_initialized() -> None:
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    assert not book.streams(book.answers(post.exchange, result(0, {"protocolVersion": "2025-06-18"}), session_id=b"s"))
    (post,) = book.posts(commands := book.host(INITIALIZED))
    assert not book.streams(commands)
    (stream,) = book.streams(book.answers(post.exchange, status=202))
    assert stream.headers == session_headers(b"s")


@pytest.mark.parametrize("status", [400, 401, 404, 405, 406, 501])
def test_a_refusal_is_quiet_and_final(status: int) -> None:
    book = Playbook()
    stream = book.listening(starts=False)
    book.reports.clear()
    commands = book.answers(stream, status=status)
    if status < 500:
        assert commands == []
        assert not book.timers
        assert [report.level for report in book.reports] == ["debug"]
    assert len(book.posts(book.host(request(1)))) == 1


def test_a_server_that_fails_is_asked_a_few_times() -> None:
    book = Playbook()
    stream, pauses = book.listening(starts=False), []
    while commands := book.answers(stream, status=502):
        (timer,) = commands
        assert isinstance(timer, SetTimer)
        pauses.append(timer.seconds)
        stream = back(book)
    assert pauses == [0.5, 1.0, 2.0]


def test_a_stream_that_was_there_once_is_asked_for_without_end() -> None:
    book = Playbook()
    stream = book.listening()
    book.closes(stream)
    for _ in range(20):
        (timer,) = book.answers(back(book), status=503)
        assert isinstance(timer, SetTimer)
        assert timer.seconds <= 30


def test_what_the_server_says_is_told() -> None:
    book = Playbook()
    stream = book.listening()
    assert book.sends(stream, CHANGED) == [SendToHost(CHANGED)]


def test_it_comes_back_from_its_place_after_the_servers_pause() -> None:
    book = Playbook()
    stream = book.listening()
    book.sends(stream, CHANGED, id_=b"e9", retry=4000)
    assert book.closes(stream) == [SetTimer(("listen", 0), 4.0, 0.0)]
    stream = back(book, b"e9")
    book.starts(stream)
    assert book.sends(stream, CHANGED, id_=b"e9") == [], "it was told before"
    assert book.sends(stream, CHANGED, id_=b"e10") == [SendToHost(CHANGED)]


@pytest.mark.parametrize(
    ("retry", "lasts", "pauses"),
    [
        (0, 0.0, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
        (0, 1.0, [0.5] * 4),
        (3000, 0.0, [3.0, 3.0, 3.0, 4.0, 8.0]),
        (99_999_999, 0.0, [60.0, 60.0]),
    ],
    ids=["a storm", "streams that last", "a pause", "a day"],
)
def test_the_servers_pause_has_bounds(retry: int, lasts: float, pauses: list[float]) -> None:
    book = Playbook()
    stream = book.listening()
    book.reports.clear()
    for pause in pauses:
        book.sends(stream, id_=b"primed", retry=retry)
        book.passes(lasts)
        assert book.closes(stream) == [SetTimer(("listen", 0), pause, 0.0)]
        stream = book.streams(book.fires("listen"))[0].exchange
        book.starts(stream)
    said = [report.text for report in book.reports if "reopening it" in report.text]
    assert len(said) == 1, "once, and not for each try"


def test_vain_tries_grow_apart_and_an_event_or_a_steady_stream_brings_them_together() -> None:
    book = Playbook()
    stream = book.listening()
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        assert book.closes(stream) == [SetTimer(("listen", 0), pause, 0.5)]
        stream = back(book)
        book.starts(stream)
    book.sends(stream, CHANGED)
    assert book.closes(stream) == [SetTimer(("listen", 0), 0.5, 0.5)]
    for _ in range(4):
        stream = back(book)
        book.starts(stream)
        book.closes(stream)
    stream = back(book)
    book.starts(stream)
    book.passes(30)
    assert book.closes(stream) == [SetTimer(("listen", 0), 0.5, 0.5)]


@pytest.mark.parametrize("cause", [Cause.UNREACHABLE, Cause.LOST])
def test_a_network_fault_brings_it_back(cause: Cause) -> None:
    book = Playbook()
    stream = book.listening()
    book.closes(stream)
    assert isinstance(book.fails(back(book), cause)[0], SetTimer)


def test_what_will_not_pass_ends_it_with_a_word() -> None:
    book = Playbook()
    stream = book.listening(starts=False)
    assert book.fails(stream, Cause.REDIRECTED) == []
    assert book.reports[-1].level == "warning"


def test_its_404_means_a_lost_session_if_it_was_there_before() -> None:
    book = Playbook()
    book.closes(book.listening())
    (replay,) = book.posts(book.answers(back(book), status=404))
    assert (replay.body, replay.headers) == (INITIALIZE, ())


def test_a_lost_session_takes_it_along_and_the_next_has_its_own() -> None:
    book = Playbook()
    stream = book.listening()
    book.sends(stream, CHANGED, id_=b"old")
    (call,) = book.posts(book.host(request(1)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    assert stream not in book.exchanges
    (post,) = book.posts(book.answers(replay.exchange, result(0, {"protocolVersion": "2025-06-18"}), session_id=b"two"))
    (new,) = book.streams(book.answers(post.exchange, status=202))
    assert new.headers == session_headers(b"two"), "no place in a stream of the old session"


def test_waking_up_opens_it_anew() -> None:
    book = Playbook()
    stream = book.listening()
    book.sends(stream, CHANGED, id_=b"e1")
    commands = book.wakes()
    assert commands[0] == DropConnections()
    (new,) = book.streams(commands)
    assert new.headers == session_headers(last_event_id=b"e1")
    assert stream not in book.exchanges


def test_waking_up_opens_nothing_that_was_refused() -> None:
    assert Playbook().opened().wakes() == [DropConnections()]


def test_there_is_never_a_second_one() -> None:
    book = Playbook()
    book.closes(book.listening())
    book.wakes()
    if ("listen", 0) in book.timers:
        book.fires("listen")
    assert len(book.exchanges) == 1


# -- a host that must not miss what comes on the stream


class ListensFirst(Playbook):
    """A session that sends nothing before its stream is there."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Session(URL, transport, retry_window, request_timeout, listens_first=True)


def held_by_the_stream() -> tuple[ListensFirst, int]:
    """The handshake with a call behind it, and the stream that the call waits for."""
    book = ListensFirst()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, result(0, {"protocolVersion": VERSION}), session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    assert book.posts(book.host(request(1))) == []
    commands = book.answers(note.exchange, status=202)
    assert book.posts(commands) == []
    (stream,) = book.streams(commands)
    return book, stream.exchange


@pytest.mark.parametrize("login_status", ["it is there", "405", "500", "lost", "untrusted", "slow"])
def test_calls_wait_until_it_is_known_how_the_stream_fares(login_status: str) -> None:
    book, stream = held_by_the_stream()
    happens = {
        "it is there": lambda: book.starts(stream),
        "405": lambda: book.answers(stream, status=405),
        "500": lambda: book.answers(stream, status=500),
        "lost": lambda: book.fails(stream, Cause.LOST),
        "untrusted": lambda: book.fails(stream, Cause.UNTRUSTED),
        "slow": lambda: book.fires("stream"),
    }
    (post,) = book.posts(happens[login_status]())
    assert post.body == request(1)
    assert ("stream", 0) not in book.timers
    assert len(book.posts(book.host(request(2)))) == 1


def test_a_host_that_opens_anew_meanwhile_is_served() -> None:
    book, _ = held_by_the_stream()
    posts = book.posts(book.host(request(5, "initialize", {"protocolVersion": VERSION})))
    assert posts[-1].body == request(5, "initialize", {"protocolVersion": VERSION})
