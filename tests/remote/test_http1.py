"""HTTP/1.1 on one connection: bytes out, bytes in however they are cut, and whether it can serve again."""

import asyncio
import math

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.remote.http1 import Disconnected, HttpConnection
from tests.support.cuts import cut, unhurried
from tests.support.in_process.http1_connection import (
    BIG,
    CHUNKED,
    HOST,
    LARGE,
    body_of,
    chunked,
    get,
    open_to,
    pieces_of,
    saying,
)
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.raw_server import Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

# -- the request


async def test_a_request_on_the_wire() -> None:
    wire = ScriptedWire(response())
    headers = [HOST, (b"content-length", b"4"), (b"X-Case", b"Kept")]
    await HttpConnection(wire).request(b"POST", b"/mcp?a=1", headers, b"body", None)
    assert wire.written == [
        b"POST /mcp?a=1 HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-length: 4\r\nX-Case: Kept\r\n\r\nbody"
    ]


async def test_a_header_that_http_cannot_carry_never_leaves() -> None:
    wire = ScriptedWire()
    http = HttpConnection(wire)
    with pytest.raises(h11.LocalProtocolError):
        await http.request(b"GET", b"/", [HOST, (b"x", b"a\r\nb: c")], None, None)
    assert not http.sent
    assert wire.written == []


async def test_a_request_that_cannot_be_written_was_not_sent() -> None:
    http = HttpConnection(ScriptedWire(write_error=BrokenPipeError("broken")))
    with pytest.raises(BrokenPipeError):
        await get(http)
    assert not http.sent


async def test_a_request_that_is_not_answered_was_sent() -> None:
    http = HttpConnection(ScriptedWire(b""))
    with pytest.raises(Disconnected):
        await get(http)
    assert http.sent


async def test_a_request_that_the_server_closed_without_having_got_it_was_not_sent() -> None:
    wire = ScriptedWire(b"")
    wire.ended_unaware = True
    http = HttpConnection(wire)
    with pytest.raises(Disconnected):
        await get(http)
    assert not http.sent


async def test_each_request_begins_as_not_sent() -> None:
    wire = ScriptedWire(response(b"one"))
    http = HttpConnection(wire)
    await get(http)
    await body_of(http)
    assert http.recycle()
    wire.write_error = BrokenPipeError("broken")
    with pytest.raises(BrokenPipeError):
        await get(http)
    assert not http.sent


# -- the head of the response


@unhurried
@given(st.lists(st.integers(0, 120), max_size=6))
async def test_a_response_cut_anywhere(places: list[int]) -> None:
    answer = response(b"a body", b"content-type: text/plain", b"X-One: 1", status=b"404 Not Found")
    async with asyncio.timeout(stretched(10)):
        http = HttpConnection(ScriptedWire(*filter(None, cut(answer, places))))
        head = await get(http)
        assert (head.status_code, head.reason) == (404, b"Not Found")
        assert (b"x-one", b"1") in list(head.headers)
        assert await body_of(http) == b"a body"
        assert http.recycle()


@pytest.mark.parametrize("together", [True, False])
async def test_preliminary_responses_are_passed_over(together: bool) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    reads = [*early, response(b"real")]
    http = HttpConnection(ScriptedWire(*([b"".join(reads)] if together else reads)))
    assert (await get(http)).status_code == 200
    assert await body_of(http) == b"real"
    assert http.recycle()


async def test_an_end_after_a_preliminary_response_is_no_answer() -> None:
    http = HttpConnection(ScriptedWire(b"HTTP/1.1 100 Continue\r\n\r\n", b""))
    with pytest.raises(Disconnected):
        await get(http)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"])
async def test_what_is_not_http_is_refused(answer: bytes) -> None:
    http = HttpConnection(ScriptedWire(answer))
    with pytest.raises(h11.RemoteProtocolError):
        await get(http)


async def test_an_endless_head_is_refused() -> None:
    http = HttpConnection(ScriptedWire(b"HTTP/1.1 200 OK\r\n", *[b"x: " + b"y" * 30_000] * 3))
    with pytest.raises(h11.RemoteProtocolError, match="too long"):
        await get(http)


async def test_a_silent_server_is_given_up() -> None:
    async with RawServer(Peer.gone) as server:
        http = await open_to(server)
        with pytest.raises(TimeoutError):
            await get(http, read_timeout=0.01)
        assert http.sent
        http.abort()


@pytest.mark.parametrize("announced", [20, LARGE])
async def test_a_server_that_stops_in_the_middle_is_given_up(announced: int) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"begun", length=announced))
        await peer.gone()

    async with RawServer(talk) as server:
        http = await open_to(server)
        # Long enough for what is there, short enough for what never comes.
        await get(http, read_timeout=0.5)
        with pytest.raises(TimeoutError):
            await pieces_of(http)
        http.abort()


# -- the body


async def test_small_chunks_that_came_together_are_one_piece() -> None:
    chunks = [b"%d," % number for number in range(5_000)]
    http = HttpConnection(ScriptedWire(response(b"", CHUNKED, length=-1) + chunked(*chunks)))
    await get(http)
    assert await pieces_of(http) == [b"".join(chunks)]
    assert http.recycle()


async def test_chunks_are_given_as_they_come() -> None:
    http = HttpConnection(
        ScriptedWire(response(b"", CHUNKED, length=-1), b"3\r\none\r\n3\r\nt", b"wo\r\n", b"5\r\nthree\r\n0\r\n\r\n")
    )
    await get(http)
    assert await pieces_of(http) == [b"onet", b"wo", b"three"]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_responses_have_no_body(status: bytes) -> None:
    http = HttpConnection(ScriptedWire(response(status=status, length=-1)))
    await get(http)
    assert await pieces_of(http) == []
    assert http.recycle()


async def test_a_body_that_ends_with_the_connection() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"all ", length=-1), b"of it")

    async with RawServer(talk) as server:
        http = await open_to(server)
        await get(http)
        assert await body_of(http) == b"all of it"
        http.recycle()
        http.expires = math.inf
        assert not http.may_serve(0.0)
        http.abort()


@pytest.mark.parametrize(
    "answer",
    [
        response(b"short", length=20),
        response(b"", CHUNKED, length=-1) + b"5\r\nshort\r\n",
        response(BIG[:-1], length=len(BIG)),
        response(b"", length=len(BIG)),
        response(BIG[:-1], b"connection: close", length=len(BIG)),
    ],
    ids=["length", "chunked", "large", "large, nothing of it", "large, closing"],
)
async def test_a_body_that_breaks_off_is_an_error(answer: bytes) -> None:
    async with RawServer(saying(answer)) as server:
        http = await open_to(server)
        await get(http)
        with pytest.raises((OSError, h11.RemoteProtocolError)):
            await pieces_of(http)
        assert not http.recycle()
        http.abort()


async def test_a_broken_chunk_is_an_error() -> None:
    http = HttpConnection(ScriptedWire(response(b"", CHUNKED, length=-1), b"not a size\r\n"))
    await get(http)
    with pytest.raises(h11.RemoteProtocolError):
        await pieces_of(http)
    assert not http.recycle()


# -- the next request


async def test_a_connection_serves_one_request_after_another() -> None:
    answers = Answers(response(b"one"), response(b"", CHUNKED, length=-1) + chunked(b"two"))
    async with RawServer(answers) as server:
        http = await open_to(server)
        assert http.recycle()
        for expected in (b"one", b"two"):
            await get(http)
            assert await body_of(http) == expected
            assert http.recycle()
        assert len(answers.requests) == 2
        assert len(server.peers) == 1
        http.abort()


async def test_a_body_that_was_not_read_spoils_the_connection() -> None:
    http = HttpConnection(ScriptedWire(response(b"unread")))
    await get(http)
    assert not http.recycle()


@pytest.mark.parametrize(
    "answer", [response(b"x", b"connection: close"), b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"]
)
async def test_a_server_that_wants_no_more_is_asked_no_more(answer: bytes) -> None:
    http = HttpConnection(ScriptedWire(answer))
    await get(http)
    await pieces_of(http)
    assert not http.recycle()
