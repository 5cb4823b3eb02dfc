"""`--keep-alive`, as the server hears it: an idle session gets pings, of which the host hears nothing."""

import pytest

from bridge.session.commands import Post, SendToHost
from bridge.session.events import Cause, SignInStarted
from tests.session.modern_playbook import body
from tests.session.playbook import INITIALIZE, INITIALIZED, SID, notification, request, result, session_headers
from tests.session.test_keep_alive import SECONDS, KeptPlaybook


def test_an_idle_session_gets_pings_that_the_host_does_not_see() -> None:
    book = KeptPlaybook().opened()
    (ping,) = book.posts(book.fires("ping"))
    assert (body(ping)["method"], ping.headers, ping.urgent, ping.quiet) == ("ping", session_headers(), True, True)
    assert book.answers(ping.exchange, result(body(ping)["id"])) == []
    assert book.timers["ping", 0].seconds == SECONDS
    assert not book.session.busy


def test_traffic_puts_the_ping_off() -> None:
    book = KeptPlaybook().opened()
    book.passes(10)
    (post,) = book.posts(book.host(request(1)))
    book.answers(post.exchange, result(1))
    book.passes(-10)
    assert book.posts(book.fires("ping")) == []
    assert book.timers["ping", 0].seconds == 10.0
    assert len(book.posts(book.fires("ping"))) == 1


def test_a_server_that_keeps_no_session_gets_no_pings() -> None:
    book = KeptPlaybook().opened(session_id=None)
    assert book.fires("ping") == []
    assert not book.timers


def test_a_ping_that_meets_a_lost_session_opens_another() -> None:
    book = KeptPlaybook().opened()
    (ping,) = book.posts(book.fires("ping"))
    (replay,) = book.posts(book.answers(ping.exchange, status=404))
    assert body(replay)["method"] == "initialize"


@pytest.mark.parametrize("status", [401, 405, 500])
def test_a_ping_that_is_refused_is_told_to_nobody(status: int) -> None:
    book = KeptPlaybook().opened()
    (ping,) = book.posts(book.fires("ping"))
    assert book.answers(ping.exchange, b"no", status=status) == []
    assert [report.level for report in book.reports] == ["info", "debug", "debug"]
    assert "ping to https://mcp.example/mcp" in book.reports[-1].text


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.UNREACHABLE, Cause.UNAUTHORIZED])
def test_a_ping_that_fails_is_told_to_nobody(cause: Cause) -> None:
    book = KeptPlaybook().opened()
    (ping,) = book.posts(book.fires("ping"))
    assert book.fails(ping.exchange, cause) == []
    assert [report.level for report in book.reports] == ["info", "debug", "debug"]
    assert "ping to https://mcp.example/mcp" in book.reports[-1].text
    assert ("ping", 0) in book.timers


def test_a_ping_may_be_answered_on_a_stream() -> None:
    book = KeptPlaybook().opened()
    (ping,) = book.posts(book.fires("ping"))
    book.starts(ping.exchange)
    note = notification("notifications/message", {"level": "info", "data": 1})
    assert book.told(book.sends(ping.exchange, note)) == [SendToHost(note)]
    assert book.told(book.sends(ping.exchange, result(body(ping)["id"]))) == []
    assert ping.exchange in book.settled
    assert "dropped a response" not in str(book.reports)


def test_over_the_older_transport_the_answer_to_a_ping_keeps_the_stream_busy() -> None:
    book = KeptPlaybook("sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    book.starts(stream.exchange)
    (post,) = book.posts(book.names_endpoint(stream.exchange, b"/messages?id=1"))
    book.answers(post.exchange, status=202)
    book.sends(stream.exchange, result(0, {"protocolVersion": "2024-11-05"}))
    (note,) = book.posts(book.host(INITIALIZED))
    book.answers(note.exchange, status=202)
    ping = book.posts(book.fires("ping"))[0]
    assert isinstance(ping, Post)
    assert ping.endpoint == "https://mcp.example/messages?id=1"
    book.answers(ping.exchange, status=202)
    assert book.told(book.sends(stream.exchange, result(body(ping)["id"]))) == []
    assert "dropped a response" not in str(book.reports)


def test_while_the_user_signs_in_no_ping_is_sent() -> None:
    book = KeptPlaybook().opened()
    book.on(SignInStarted())
    assert book.posts(book.fires("ping")) == []
    assert book.timers["ping", 0].seconds == SECONDS


def test_after_a_sleep_the_silence_begins_anew() -> None:
    book = KeptPlaybook().opened(session_id=SID)
    book.passes(14)
    book.wakes()
    assert book.timers["ping", 0].seconds == SECONDS
