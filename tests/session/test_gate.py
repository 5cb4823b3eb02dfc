"""What goes up while the server has not taken `initialized` yet, and what becomes of an error to that."""

import pytest

from bridge.session.commands import Abandon, Post, SendToHost
from tests.session.modern_playbook import PairingPlaybook, asked, body, initialized
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    SID,
    VERSION,
    Playbook,
    cancelled,
    error,
    fault,
    notification,
    request,
    result,
    session_headers,
    tool_call,
)

WELCOME = result(0, {"protocolVersion": VERSION})
TWO = b"session-two"
LIST = request(1, "tools/list")


def behind_initialized(*lines: bytes) -> tuple[Playbook, int, list[Post]]:
    """A handshake, with these right behind it; the exchange of `initialized`, and what goes up early."""
    book = Playbook()
    (post,) = book.posts(book.host(INITIALIZE))
    book.answers(post.exchange, WELCOME, session_id=SID)
    (note,) = book.posts(book.host(INITIALIZED))
    assert note.body == INITIALIZED
    return book, note.exchange, [post for line in lines for post in book.posts(book.host(line))]


def taken(book: Playbook, note: int) -> list[bytes | bytearray]:
    """The server takes `initialized`; what goes up then."""
    return [post.body for post in book.posts(book.answers(note, status=202))]


@pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "ping"])
def test_what_only_looks_goes_right_behind_initialized(method: str) -> None:
    book, note, (early,) = behind_initialized(request(1, method))
    assert (early.body, early.headers, early.urgent) == (request(1, method), session_headers(), False)
    assert note < early.exchange, "the note is handed over first"
    assert book.told(book.answers(early.exchange, result(1))) == [SendToHost(result(1))]
    assert taken(book, note) == [], "it went once"


@pytest.mark.parametrize("method", ["prompts/get", "resources/read", "logging/setLevel", "vendor/list"])
def test_what_does_more_waits(method: str) -> None:
    book, note, early = behind_initialized(request(1, method), tool_call(2))
    assert early == []
    assert taken(book, note) == [request(1, method), tool_call(2)]


def test_what_only_looks_passes_what_waits() -> None:
    book, note, (early,) = behind_initialized(tool_call(2), LIST, notification("notifications/x"))
    assert early.body == LIST
    assert taken(book, note) == [tool_call(2), notification("notifications/x")]


REFUSALS = {
    "error": (200, error(1, "Received request before initialization was complete", -32602)),
    "error-400": (400, error(1, "Server not initialized", -32000)),
    "400": (400, b"Bad Request"),
    "404": (404, b""),
    "409": (409, b""),
    "500": (500, b""),
}


@pytest.mark.parametrize("order", ["refused first", "taken first"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_error_to_what_went_early_is_not_believed(refusal: str, order: str) -> None:
    book, note, (early,) = behind_initialized(LIST)
    status, said = REFUSALS[refusal]
    if order == "taken first":
        assert taken(book, note) == []
    commands = book.answers(early.exchange, said, status=status)
    assert book.told(commands) == []
    if order == "refused first":
        assert book.posts(commands) == []
        commands = book.answers(note, status=202)
    (again,) = book.posts(commands)
    assert (again.body, again.headers) == (early.body, early.headers)
    assert book.told(book.answers(again.exchange, result(1))) == [SendToHost(result(1))]
    assert not book.session.busy


def test_an_error_on_a_stream_is_not_believed_either() -> None:
    book, note, (early,) = behind_initialized(LIST)
    book.starts(early.exchange)
    assert book.told(book.sends(early.exchange, error(1, "Not yet"), id_=b"e1")) == []
    assert early.exchange in book.settled
    (again,) = book.posts(book.answers(note, status=202))
    assert book.closes(early.exchange) == []
    assert book.told(book.answers(again.exchange, error(1, "No"))) == [SendToHost(error(1, "No"))], "this one is"


def test_the_second_refusal_is_told() -> None:
    book, note, (early,) = behind_initialized(LIST)
    book.answers(early.exchange, b"", status=400)
    (again,) = book.posts(book.answers(note, status=202))
    (told,) = book.told(book.answers(again.exchange, b"", status=400))
    assert fault(told)["status"] == 400


def test_where_it_was_refused_once_nothing_goes_early_any_more() -> None:
    book, note, (early,) = behind_initialized(LIST)
    book.answers(early.exchange, b"", status=400)
    assert book.posts(book.host(request(2, "prompts/list"))) == []
    assert taken(book, note) == [LIST, request(2, "prompts/list")]
    (post,) = book.posts(book.host(request(9, "initialize", {"protocolVersion": VERSION})))
    book.answers(post.exchange, result(9, {"protocolVersion": VERSION}), session_id=TWO)
    (note_,) = book.posts(book.host(INITIALIZED))
    assert book.posts(book.host(request(3, "tools/list"))) == []
    assert taken(book, note_.exchange) == [request(3, "tools/list")]


def test_a_retry_after_is_obeyed_all_the_same() -> None:
    book, note, (early,) = behind_initialized(LIST)
    book.answers(early.exchange, b"", status=429, retry_after=2.0)
    assert taken(book, note) == []
    (key,) = [key for key in book.timers if key[0] == "call"]
    (again,) = book.posts(book.fires(*key))
    assert book.told(book.answers(again.exchange, result(1))) == [SendToHost(result(1))]


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_the_host_takes_back_is_not_sent_again(is_refused: bool) -> None:
    book, note, (early,) = behind_initialized(LIST)
    if is_refused:
        book.answers(early.exchange, b"", status=400)
        book.host(cancelled(1))
    else:
        assert Abandon(early.exchange) in book.host(cancelled(1))
    assert taken(book, note) == [cancelled(1)]
    assert not book.session.busy


def test_a_session_that_is_lost_so_early_is_opened_again_once() -> None:
    book, note, early = behind_initialized(LIST, request(2, "prompts/list"))
    for post in early:
        assert book.posts(book.answers(post.exchange, b"", status=404)) == []
    first, second = book.posts(book.answers(note, status=202))
    (replay,) = book.posts(book.answers(first.exchange, b"", status=404))
    assert replay.body == INITIALIZE
    assert book.posts(book.answers(second.exchange, b"", status=404)) == []
    (again,) = book.posts(book.answers(replay.exchange, WELCOME, session_id=TWO))
    assert taken(book, again.exchange) == [LIST, request(2, "prompts/list")]


def test_a_session_that_is_opened_again_takes_nothing_early() -> None:
    book = Playbook().opened()
    (call,) = book.posts(book.host(tool_call(1)))
    (replay,) = book.posts(book.answers(call.exchange, status=404))
    book.host(request(2, "tools/list"))
    (note,) = book.posts(book.answers(replay.exchange, WELCOME, session_id=TWO))
    assert note.body == INITIALIZED
    assert book.posts(book.host(request(3, "tools/list"))) == []
    assert set(taken(book, note.exchange)) == {tool_call(1), request(2, "tools/list"), request(3, "tools/list")}


def test_nothing_goes_early_over_http_sse() -> None:
    book = Playbook("sse")
    (stream,) = book.streams(book.host(INITIALIZE))
    (post,) = book.posts(book.names_endpoint(stream.exchange, b"/messages"))
    book.answers(post.exchange, status=202)
    book.sends(stream.exchange, WELCOME)
    (note,) = book.posts(book.host(INITIALIZED))
    assert book.posts(book.host(LIST)) == []
    assert taken(book, note.exchange) == [LIST]


def test_a_modern_hosts_list_waits_for_the_standing_stream() -> None:
    book = PairingPlaybook(frozenset({"legacy"}))
    (opening,) = book.posts(book.host(asked(1, "tools/list")))
    (note,) = book.posts(book.answers(opening.exchange, result(body(opening)["id"], initialized()), session_id=SID))
    assert body(note)["method"] == "notifications/initialized"
    (stream,) = book.streams(book.answers(note.exchange, status=202))
    (list_,) = book.posts(book.answers(stream.exchange, status=405))
    assert body(list_)["method"] == "tools/list"


def test_at_the_end_what_was_refused_early_is_answered() -> None:
    book, _, (early,) = behind_initialized(LIST)
    book.answers(early.exchange, b"", status=400)
    assert [fault(told)["kind"] for told in book.told(book.host_closes())] == ["shutdown"]
