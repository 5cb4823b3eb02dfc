"""The transport of 2024-11-05: one stream down, an endpoint to post to, and no session but the stream."""

import pytest

from bridge.session.commands import Abandon, OpenStream, Post, SendToHost, SetTimer
from bridge.session.events import Cause
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    URL,
    Playbook,
    fault,
    request,
    result,
    tool_call,
)

OLD = "2024-11-05"
WELCOME = result(0, {"protocolVersion": OLD})
HEADERS = ((b"mcp-protocol-version", OLD.encode()),)


def endpoint(number: int) -> str:
    return f"https://mcp.example/messages?id={number}"


def connecting(book: Playbook, line: bytes = INITIALIZE) -> int:
    """A message of the host's opens the stream."""
    commands = book.host(line)
    (stream,) = book.streams(commands)
    assert commands == [OpenStream(stream.exchange, ()), SetTimer(("endpoint", 0), 10.0)]
    return stream.exchange


def connected(book: Playbook, stream: int, number: int) -> list[Post]:
    """The stream names its endpoint; what is posted there."""
    book.starts(stream)
    posts = book.posts(book.names_endpoint(stream, b"/messages?id=%d" % number))
    assert all(post.endpoint == endpoint(number) for post in posts)
    return posts


def opened(book: Playbook, *, until_initialized: bool = True) -> int:
    """The handshake; the number of the stream."""
    stream = connecting(book)
    (post,) = connected(book, stream, 1)
    assert (post.body, post.headers) == (INITIALIZE, ())
    assert book.answers(post.exchange, status=202) == []
    assert book.told(book.sends(stream, WELCOME)) == [SendToHost(WELCOME)]
    (post,) = book.posts(book.host(INITIALIZED))
    assert (post.body, post.headers, post.endpoint) == (INITIALIZED, HEADERS, endpoint(1))
    if until_initialized:
        assert not book.streams(book.answers(post.exchange, status=202)), "there is no other stream"
        assert not book.timers
    return stream


def sent(book: Playbook, line: bytes) -> int:
    """A request that the server accepted."""
    (post,) = book.posts(book.host(line))
    assert (post.body, post.endpoint) == (line, endpoint(1))
    assert book.answers(post.exchange, b"Accepted", status=202) == []
    return post.exchange


def broken(book: Playbook, stream: int) -> int:
    """The stream ends; the number of the next."""
    (new,) = book.streams(book.closes(stream))
    assert new.headers == ()
    return new.exchange


# -- a session


def test_answers_come_down_the_stream() -> None:
    book = Playbook("sse")
    stream = opened(book)
    sent(book, tool_call(1))
    asked = request(1, "roots/list")
    assert book.sends(stream, asked) == [SendToHost(asked)]
    (post,) = book.posts(book.host(result(1)))
    assert (post.body, post.endpoint) == (result(1), endpoint(1))
    assert book.sends(stream, result(1)) == [SendToHost(result(1))]
    assert not book.session.busy


def test_a_refused_post_is_told() -> None:
    book = Playbook("sse")
    opened(book)
    (post,) = book.posts(book.host(tool_call(1)))
    (said,) = book.answers(post.exchange, status=500)
    assert (fault(said)["kind"], fault(said)["status"]) == ("http-status", 500)


def test_what_the_host_sends_before_there_is_an_endpoint_waits() -> None:
    book = Playbook("sse")
    stream = connecting(book)
    assert book.host(request(1)) == []
    assert [post.body for post in connected(book, stream, 1)] == [INITIALIZE, request(1)]


# -- endpoints


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        (b"/messages", "https://mcp.example/messages"),
        (b"messages?x=1", "https://mcp.example/messages?x=1"),
        (b"?x=1", f"{URL}?x=1"),
        (b" https://mcp.example:443/m ", "https://mcp.example:443/m"),
    ],
)
def test_an_endpoint_is_resolved(named: bytes, meant: str) -> None:
    book = Playbook("sse")
    stream = connecting(book)
    (post,) = book.posts(book.names_endpoint(stream, named))
    assert post.endpoint == meant


@pytest.mark.parametrize(
    "named",
    [
        b"https://evil.example/mcp",
        b"//evil.example/mcp",
        b"http://mcp.example/mcp",
        b"https://mcp.example:8443/mcp",
        b"https://mcp.example:port/mcp",
        b"https://mcp.example@evil.example/",
        b"file:///etc/passwd",
        b"/m\xc3\xa9",
        b"/a b",
        b"/a\x00",
    ],
)
def test_an_endpoint_elsewhere_is_refused(named: bytes) -> None:
    book = Playbook("sse")
    stream = connecting(book)
    commands = book.names_endpoint(stream, named)
    assert Abandon(stream) in commands
    assert not book.posts(commands)
    assert fault(book.told(commands)[0])["kind"] == "redirect"
    assert not book.timers


def test_a_stream_that_names_no_endpoint() -> None:
    book = Playbook("sse")
    stream = connecting(book)
    book.starts(stream)
    commands = book.fires("endpoint")
    assert Abandon(stream) in commands
    assert fault(book.told(commands)[0])["kind"] == "no-answer"
    assert not book.timers
    connecting(book, request(1, "initialize", {}))


# -- the way there


def test_patience_with_a_server_that_is_not_there() -> None:
    book = Playbook("sse", retry_window=30)
    stream, began = connecting(book), book.now
    while not book.told(commands := book.fails(stream, Cause.UNREACHABLE, sent=False, message="Refused.")):
        (open_,) = book.streams(book.fires("legacy"))
        stream = open_.exchange
    assert fault(book.told(commands)[0])["kind"] == "unreachable"
    assert 20 < book.now - began <= 30
    assert not book.timers


@pytest.mark.parametrize(("status", "tries_again"), [(500, True), (503, True), (429, True), (404, False), (401, False)])
def test_a_refused_stream(status: int, tries_again: bool) -> None:
    book = Playbook("sse")
    commands = book.answers(connecting(book), status=status)
    assert (("legacy", 0) in book.timers) is tries_again
    assert bool(book.told(commands)) is not tries_again


# -- discovery


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_server_that_refuses_initialize_may_be_an_older_one(status: int) -> None:
    book = Playbook("auto")
    (post,) = book.posts(book.host(INITIALIZE))
    commands = book.answers(post.exchange, status=status)
    (stream,) = book.streams(commands)
    assert not book.told(commands)
    assert [post.body for post in connected(book, stream.exchange, 1)] == [INITIALIZE]
    assert book.told(book.sends(stream.exchange, WELCOME)) == [SendToHost(WELCOME)]


@pytest.mark.parametrize(("transport", "status"), [("http", 404), ("auto", 401), ("auto", 500), ("auto", 410)])
def test_or_it_just_refuses(transport: str, status: int) -> None:
    book = Playbook(transport)  # type: ignore[arg-type]
    (post,) = book.posts(book.host(INITIALIZE))
    (said,) = book.answers(post.exchange, status=status)
    assert fault(said)["status"] == status


def test_an_older_server_is_not_looked_for_later() -> None:
    book = Playbook("auto").opened(None)
    (post,) = book.posts(book.host(tool_call(1)))
    (said,) = book.answers(post.exchange, status=404)
    assert fault(said)["status"] == 404


@pytest.mark.parametrize("how", ["status", "json", "unreachable", "closed", "late", "foreign"])
def test_where_there_is_no_older_server_the_first_refusal_is_told(how: str) -> None:
    book = Playbook("auto")
    (post,) = book.posts(book.host(INITIALIZE))
    (stream,) = book.streams(book.answers(post.exchange, b"nothing here", status=404))
    if how == "status":
        commands = book.answers(stream.exchange, status=500)
    elif how == "json":
        commands = book.answers(stream.exchange, b"{}")
    elif how == "unreachable":
        commands = book.fails(stream.exchange, Cause.UNREACHABLE, sent=False)
    elif how == "closed":
        book.starts(stream.exchange)
        commands = book.closes(stream.exchange)
    elif how == "late":
        commands = book.fires("endpoint")
    else:
        commands = book.names_endpoint(stream.exchange, b"https://evil.example")
    (said,) = book.told(commands)
    assert (fault(said)["id"], fault(said)["kind"], fault(said)["status"]) == (0, "http-status", 404)
    assert "nothing here" in fault(said)["message"]
    assert not book.timers
    (post,) = book.posts(book.host(request(1, "initialize", {})))
    assert post.endpoint is None, "the next try begins at the beginning"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_the_status_of_a_post_is_no_answer_for_the_stream_brings_it(status: int) -> None:
    book = Playbook("sse")
    stream = opened(book)
    (post,) = book.posts(book.host(tool_call(1)))
    assert book.answers(post.exchange, status=status) == []
    assert book.sends(stream, result(1)) == [SendToHost(result(1))]
    (new,) = book.streams(book.closes(stream))
    (replay,) = connected(book, new.exchange, 2)
    assert book.answers(replay.exchange, status=status) == []
    (note,) = book.posts(book.sends(new.exchange, WELCOME))
    assert note.body == INITIALIZED


# -- a stream that ends


def test_a_new_stream_is_a_new_session() -> None:
    book = Playbook("sse")
    stream = opened(book)
    sent(book, request(1, "tools/list"))
    sent(book, tool_call(2))
    commands = book.closes(stream)
    (said,) = book.told(commands)
    assert (fault(said)["id"], fault(said)["kind"]) == (2, "outcome-unknown")
    (new,) = book.streams(commands)
    (key,) = [key for key in book.timers if key[0] == "call"]
    assert book.fires(*key) == []
    (replay,) = connected(book, new.exchange, 2)
    assert replay.body == INITIALIZE
    book.answers(replay.exchange, status=202)
    (note,) = book.posts(book.sends(new.exchange, WELCOME))
    assert (note.body, note.endpoint) == (INITIALIZED, endpoint(2))
    posts = book.posts(book.answers(note.exchange, status=202))
    assert [(post.body, post.endpoint) for post in posts] == [(request(1, "tools/list"), endpoint(2))]


def test_a_post_under_way_ends_with_its_stream() -> None:
    book = Playbook("sse")
    stream = opened(book)
    (post,) = book.posts(book.host(tool_call(1)))
    assert Abandon(post.exchange) in book.closes(stream)


def test_a_stream_that_ends_again_before_the_replay_is_answered() -> None:
    book = Playbook("sse")
    stream = broken(book, opened(book))
    book.host(request(5))
    (replay,) = connected(book, stream, 2)
    book.answers(replay.exchange, status=202)
    assert not book.streams(book.closes(stream))
    (new,) = book.streams(book.fires("legacy"))
    (replay,) = connected(book, new.exchange, 3)
    assert replay.body == INITIALIZE


def test_a_stream_that_ends_before_initialized_arrived_keeps_the_gate_closed() -> None:
    book = Playbook("sse")
    stream = opened(book, until_initialized=False)
    (note,) = [number for number, open_ in book.exchanges.items() if isinstance(open_, Post)]
    broken(book, stream)
    book.host(request(5))
    commands = book.fails(note, Cause.LOST) if note in book.exchanges else []
    if ("initialized", 0) in book.timers:
        commands += book.fires("initialized")
    assert not book.posts(commands)


def test_an_endpoint_elsewhere_named_later_is_refused_too() -> None:
    book = Playbook("sse")
    stream = opened(book)
    sent(book, tool_call(1))
    commands = book.names_endpoint(stream, b"https://evil.example/")
    assert [fault(said)["id"] for said in book.told(commands)] == [1], "nothing can answer it any more"


def reconnections(book: Playbook, stream: int, count: int, *, lasts: float = 0.0) -> list[float]:
    """The pauses after streams that end one after another, `lasts` seconds after each named its endpoint."""
    pauses = []
    for number in range(count):
        book.passes(lasts)
        commands = book.closes(stream)
        timers = [command for command in commands if isinstance(command, SetTimer) and command.timer[0] == "legacy"]
        pauses.append(timers[0].seconds if timers else 0.0)
        (new,) = book.streams(book.fires("legacy") if timers else commands)
        stream = new.exchange
        connected(book, stream, number + 2)
    return pauses


def test_streams_that_end_at_once_are_no_storm() -> None:
    book = Playbook("sse")
    assert reconnections(book, opened(book), 9) == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    said = [report.text for report in book.reports if report.level == "info" and "ended" in report.text]
    assert said == [f"the stream from {URL} ended; reopening it in 0.5 s"]


def test_a_stream_that_was_there_a_while_is_opened_again_at_once() -> None:
    book = Playbook("sse")
    assert reconnections(book, opened(book), 4, lasts=1.0) == [0.0] * 4


def test_the_servers_own_pause_counts_up_to_30_s() -> None:
    book = Playbook("sse")
    stream = opened(book)
    book.sends(stream, retry=2000)
    assert reconnections(book, stream, 4) == [2.0, 2.0, 2.0, 2.0]
    book = Playbook("sse")
    stream = opened(book)
    book.sends(stream, retry=99_999_999)
    assert reconnections(book, stream, 1) == [30.0]
