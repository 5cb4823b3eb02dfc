"""`--keep-alive`: the bridge itself breaks a silence, and neither host nor server notices more than that."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.session.commands import Command, SendToHost
from bridge.session.deadlines import LongCalls
from bridge.session.events import SignInEnded, SignInStarted
from bridge.session.session import Session, Transport
from tests.session.modern_playbook import (
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    MODERN_VERSION,
    PairingPlaybook,
    body,
    initialized,
    said,
)
from tests.session.playbook import (
    INITIALIZE,
    INITIALIZED,
    URL,
    Machine,
    Playbook,
    cancelled,
    notification,
    request,
    result,
)

SECONDS = 15.0


class KeptPlaybook(Playbook):
    """Nobody hears nothing for more than 15 seconds."""

    @staticmethod
    def machine(transport: Transport, retry_window: float, request_timeout: float | None) -> Machine:
        return Session(URL, transport, retry_window, request_timeout, long_calls=LongCalls(keep_alive=SECONDS))

    def spoken(self, number: int) -> dict[str, Any]:
        """What the bridge tells the host after one silence about the call of this number."""
        (told,) = self.told(self.fires("keep-alive", number))
        message = said(told)
        assert message["method"] == "notifications/progress"
        params: dict[str, Any] = message["params"]
        return params

    def running(self, id_: int, token: object) -> int:
        """A call that asked for progress is under way; its exchange."""
        (post,) = self.posts(self.host(with_token(id_, token)))
        self.starts(post.exchange)
        return post.exchange


def with_token(id_: int, token: object) -> bytes:
    return request(id_, "tools/call", {"name": "slow", "_meta": {"progressToken": token}})


def progress(token: object, number: object, **more: object) -> bytes:
    return notification("notifications/progress", {"progressToken": token, "progress": number, **more})


@pytest.mark.parametrize("token", [0, "", "t", 1.5, "0"])
def test_a_silent_call_makes_the_bridge_speak_until_its_answer(token: object) -> None:
    book = KeptPlaybook().opened()
    exchange = book.running(1, token)
    first, second = book.spoken(2), book.spoken(2)
    assert (first["progressToken"], second["progressToken"]) == (token, token)
    assert first["message"] == "Still waiting for the server (15 s)."
    assert second["message"] == "Still waiting for the server (30 s)."
    assert first["progress"] < second["progress"] < 0
    assert "total" not in first
    book.sends(exchange, result(1))
    assert ("keep-alive", 2) not in book.timers


def test_without_a_token_or_the_option_the_bridge_says_nothing() -> None:
    book = KeptPlaybook().opened()
    book.host(request(1, "tools/call", {"name": "slow"}))
    assert set(book.timers) == {("ping", 0)}
    plain = Playbook().opened()
    plain.host(with_token(1, "t"))
    assert not plain.timers


def test_any_request_with_a_token_is_kept_alive() -> None:
    book = KeptPlaybook().opened()
    book.host(request(1, "resources/read", {"uri": "a:b", "_meta": {"progressToken": 4}}))
    assert book.spoken(2)["progressToken"] == 4


def test_the_servers_own_progress_begins_the_silence_anew_and_keeps_its_words() -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    book.spoken(2)
    book.passes(10)
    own = progress("t", 3, total=10, message="Copying")
    assert book.told(book.sends(stream, own)) == [SendToHost(own)]
    spoken = book.spoken(2)
    assert {name: spoken[name] for name in ("total", "message")} == {"total": 10, "message": "Copying"}
    assert 3 < spoken["progress"] < book.spoken(2)["progress"] < 3.001


def test_the_progress_of_another_call_breaks_no_silence() -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    before = book.timers["keep-alive", 2]
    assert book.told(book.sends(stream, progress("u", 1))) == [SendToHost(progress("u", 1))]
    assert book.timers["keep-alive", 2] is before


@pytest.mark.parametrize("odd", ["half", None, True, [1]])
def test_progress_that_is_no_number_passes_and_is_not_counted_from(odd: object) -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    assert book.told(book.sends(stream, progress("t", odd))) == [SendToHost(progress("t", odd))]
    assert book.spoken(2)["progress"] < 0


def test_words_without_an_end_are_not_repeated() -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    book.sends(stream, progress("t", 1, message="x" * 3000, total=2))
    assert set(book.spoken(2)) == {"progressToken", "progress", "total"}


def test_where_no_number_is_left_above_the_last_the_bridge_says_no_more() -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    book.sends(stream, progress("t", 1e300))
    assert book.told(book.fires("keep-alive", 2)) == []
    assert ("keep-alive", 2) not in book.timers


numbers = st.one_of(st.integers(0, 10**9), st.floats(0, 1e9, allow_nan=False).map(lambda number: round(number, 3)))


@given(numbers=st.lists(numbers, unique=True, max_size=6).map(sorted), silences=st.lists(st.integers(0, 3), min_size=7))
def test_for_any_numbers_of_the_server_the_progress_increases(numbers: list[float], silences: list[int]) -> None:
    book = KeptPlaybook()
    stream = book.listening()
    book.running(1, "t")
    told: list[float] = []
    for number, times in zip([None, *numbers], silences, strict=False):
        commands: list[Command] = [] if number is None else book.sends(stream, progress("t", number))
        for _ in range(times):
            commands += book.fires("keep-alive", 2)
        told += [said(command)["params"]["progress"] for command in book.told(commands)]
    assert all(before < after for before, after in pairwise(told)), told


def test_a_call_that_the_host_cancels_is_silent() -> None:
    book = KeptPlaybook().opened()
    book.host(with_token(1, "t"))
    book.host(cancelled(1))
    assert set(book.timers) == {("ping", 0)}


def test_two_calls_with_one_token_each_stop_by_themselves() -> None:
    book = KeptPlaybook().opened()
    first, second = book.running(1, "t"), book.running(2, "t")
    book.sends(first, result(1))
    assert book.spoken(3)["progressToken"] == "t"
    book.sends(second, result(2))
    assert set(book.timers) == {("ping", 0)}


def test_the_hosts_clock_is_kept_while_the_user_signs_in() -> None:
    book = KeptPlaybook().opened()
    book.host(with_token(1, "t"))
    book.on(SignInStarted())
    assert book.spoken(2)["message"] == "Still waiting for the sign-in (15 s)."
    book.on(SignInEnded())
    assert book.spoken(2)["message"] == "Still waiting for the server (30 s)."


@pytest.mark.parametrize(("host", "server"), [("legacy", MODERN), ("modern", LEGACY), ("modern", MODERN)])
def test_hosts_of_either_era_hear_of_servers_of_either_era(host: str, server: frozenset[str]) -> None:
    book = PairingPlaybook(server, is_fixed=True, long_calls=LongCalls(keep_alive=SECONDS))
    if host == "legacy":
        commands = book.host(INITIALIZE)
        (post,) = book.posts(commands)
        book.answers(post.exchange, result(body(post)["id"], {"supportedVersions": [MODERN_VERSION]}))
        book.host(INITIALIZED)
        commands = book.host(with_token(1, "t"))
    else:
        meta = {META_VERSION: MODERN_VERSION, META_CLIENT: {"name": "h", "version": "1"}, META_CAPABILITIES: {}}
        commands = book.host(request(1, "tools/call", {"name": "slow", "_meta": {**meta, "progressToken": "t"}}))
        while (post := book.posts(commands)[0]) and body(post)["method"] != "tools/call":
            if body(post)["method"] == "initialize":
                commands = book.answers(post.exchange, result(body(post)["id"], initialized()))
            else:
                (stream,) = book.streams(book.answers(post.exchange, status=202))
                commands = book.answers(stream.exchange, status=405)
    (key,) = [key for key in book.timers if key[0] == "keep-alive"]
    (told,) = book.told(book.fires(*key))
    assert said(told)["params"]["progressToken"] == "t"
