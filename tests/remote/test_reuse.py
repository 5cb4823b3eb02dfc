"""A connection that is used again carries right answers only, whatever was left on it and however that arrives."""

import asyncio
import re
import ssl
from types import SimpleNamespace
from typing import cast

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.remote.http1 import HttpConnection
from bridge.remote.reuse import kept_seconds, may_serve
from bridge.remote.wire import Wire
from bridge.session.events import BodyReceived, ExchangeFailed
from tests.support.cuts import cut, unhurried
from tests.support.in_process.http1_connection import CHUNKED, body_of, chunked, get
from tests.support.in_process.remote_events import Exchanging
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.raw_server import Peer, RawServer, Talk, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
CALLS = 20

LEFTOVERS = {
    "a 204 with a body": response(b"null", JSON, status=b"204 No Content"),
    "a 204 with a body that nothing announces": response(status=b"204 No Content", length=-1) + b"null",
    "a 202 with more than it announces": response(b'{"ok":true}', status=b"202 Accepted", length=0),
    "a length short by one": response(b'{"ok":1}', JSON, length=7),
    "a length in characters": response('{"ok":"ü"}'.encode(), JSON, length=10),
    "two answers at once": response(b'{"ok":1}', JSON) * 2,
    "chunks, and more": response(b"", JSON, CHUNKED, length=-1) + chunked(b'{"ok":1}') + b"more",
    "a large one, and more": response(b"x" * 300_001, JSON, length=300_000),
}


def echoing(spoiled: bytes) -> Talk:
    """Answers a request with its own body, and one that says `spoil` with `spoiled`."""

    async def talk(peer: Peer) -> None:
        while True:
            request = await peer.request()
            body = request.partition(b"\r\n\r\n")[2]
            await peer.send(spoiled if body == b"spoil" else response(body, JSON))

    return talk


@pytest.mark.parametrize("spoiled", LEFTOVERS.values(), ids=LEFTOVERS.keys())
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_what_is_left_of_an_answer_spoils_no_other(
    spoiled: bytes, secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(echoing(spoiled), server_tls if secure else None) as server:
        at = Exchanging(server.origin, tls=client_tls if secure else None)
        for number in range(CALLS):
            await at.post(b"spoil")
            right = b'{"call":%d}' % number
            answer = (await at.post(right))[-1]
            assert isinstance(answer, BodyReceived)
            assert answer.body == right
        at.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("late", [b"null", b"\r\n", response(b"twice", JSON)])
async def test_what_comes_later_than_its_answer_is_seen_when_the_connection_is_taken(
    late: bytes, secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    say, said = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        while True:
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            await peer.send(response(body, JSON))
            if body == b"first":
                await say.wait()
                await peer.send(late)
                said.set()

    async with RawServer(talk, server_tls if secure else None) as server:
        at = Exchanging(server.origin, tls=client_tls if secure else None)
        await at.post(b"first")
        say.set()
        await said.wait()
        answer = (await at.post(b"second"))[-1]
        assert isinstance(answer, BodyReceived)
        assert answer.body == b"second"
        at.close()
        assert len(server.peers) == 2


# -- the rule


def answered(answer: bytes, *places: int) -> HttpConnection:
    http = HttpConnection(ScriptedWire(*filter(None, cut(answer, list(places)))))
    http.expires = 10.0
    return http


@unhurried
@given(
    st.sampled_from([b"", b"one", b"x" * 300_000]),
    st.booleans(),
    st.sampled_from([b"", b"x", b"\r\n", b"null", response(b"next")]),
    st.lists(st.integers(0, 300_100), max_size=6),
)
async def test_only_a_connection_on_which_nothing_is_left_serves_again(
    body: bytes, in_chunks: bool, left: bytes, places: list[int]
) -> None:
    answer = response(b"", CHUNKED, length=-1) + chunked(*filter(None, [body])) if in_chunks else response(body)
    http = answered(answer + left, *places)
    await get(http)
    assert await body_of(http) == body
    assert http.recycle()
    wire = http._wire
    assert isinstance(wire, ScriptedWire)
    wire.login_status = bool(wire.reads)  # What has not been read by then waits on the wire.
    assert http.may_serve(9.9) == (not left)
    assert not http.may_serve(10.0)


async def test_a_connection_that_is_new_serves() -> None:
    assert answered(b"").may_serve(0.0)


def test_a_request_that_did_not_go_out_whole_keeps_it_from_serving() -> None:
    wire = SimpleNamespace(has_news=False, unsent=0)
    grammar = h11.Connection(h11.CLIENT)
    told = [
        may_serve(grammar, cast("Wire", wire), went_out=went_out, expires=1.0, now=0.0) for went_out in (True, False)
    ]
    assert told == [True, False]


@pytest.mark.parametrize("part", ["login_status", "unsent_bytes"])
async def test_news_and_a_request_that_has_not_left_keep_it_from_serving(part: str) -> None:
    http = answered(response())
    await get(http)
    await body_of(http)
    assert http.recycle()
    assert http.may_serve(0.0)
    wire = http._wire
    assert isinstance(wire, ScriptedWire)
    setattr(wire, part, 1)
    assert not http.may_serve(0.0)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, [], 4.0),
        (200, [("Keep-Alive", "timeout=5")], 4.0),
        (200, [("Keep-Alive", "timeout=72, max=9")], 50.0),
        (200, [("Keep-Alive", "timeout=1")], 0.0),
        (204, [], 4.0),
        (204, [("Content-Length", "0")], 4.0),
        (204, [("Content-Length", "4")], 0.0),
        (204, [("Transfer-Encoding", "chunked")], 0.0),
        (200, [("Content-Length", "4")], 4.0),
    ],
)
def test_how_long_a_connection_is_kept(status: int, headers: list[tuple[str, str]], seconds: float) -> None:
    assert kept_seconds(h11.Response(status_code=status, headers=headers)) == seconds


# -- any order of calls


@unhurried
@given(
    st.lists(st.sampled_from([*LEFTOVERS.values(), b""]), min_size=1, max_size=6),
    st.lists(st.integers(0, 300_200), max_size=4),
)
async def test_after_any_answers_in_any_pieces_each_call_gets_its_own(answers: list[bytes], places: list[int]) -> None:
    async def talk(peer: Peer) -> None:
        while True:
            request = await peer.request()
            which = re.search(rb"spoil (\d+)$", request)
            answer = answers[int(which[1])] if which else response(request.partition(b"\r\n\r\n")[2], JSON)
            # An answer is whole when its request is answered; only what is left over may come at any time. But pieces
            # leave a Proactor's server turns of the loop apart, so a whole answer too many would come after the call.
            in_pieces = isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
            await peer.send(*(cut(answer, places) if in_pieces else [answer]))

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        for number, answer in enumerate(answers):
            if answer:
                await at.post(b"spoil %d" % number)
            told = (await at.post(b"call %d" % number))[-1]
            # A leftover may still be on its way when its connection is taken; then the call fails, and says so.
            if isinstance(told, ExchangeFailed):
                assert "is not HTTP" in told.message
            else:
                assert isinstance(told, BodyReceived)
                assert told.body == b"call %d" % number
        at.close()
