"""Large bodies of known length go past h11: whatever comes, and however it comes, h11 would have said the same.

`BRIDGE_TEST_CASES` multiplies the number of random cases.
"""

import asyncio
import itertools
import os
import random
import ssl
from typing import NamedTuple

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.remote import http1 as module
from bridge.remote.buffer_limit import BufferLimit
from bridge.remote.http1 import HttpConnection
from bridge.remote.wire import Wire
from tests.support.cuts import cut, unhurried
from tests.support.in_process.http1_connection import BIG, CHUNKED, LARGE, body_of, chunked, get, open_to, saying
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.raw_server import Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

TIMES = int(os.environ.get("BRIDGE_TEST_CASES") or 1)
SEGMENTATIONS = 10
"""Cuts that each random answer is tried with."""

SMALL_LARGE = 64
"""From how many bytes on a body counts as large in the random tests: the rule is the same, and a case is cheap."""


class Outcome(NamedTuple):
    """What came of two requests on one connection."""

    status: int
    body: bytes
    problem: bool
    serves: bool
    next_body: bytes | None


async def outcome(http: HttpConnection, wire: ScriptedWire | None = None) -> Outcome:
    """Ask, read to the end, and ask again where the connection serves again."""
    head = await get(http)
    body = bytearray()
    try:
        async for piece in http.body():
            body += piece
    except (OSError, h11.ProtocolError):
        return Outcome(head.status_code, bytes(body), True, serves=False, next_body=None)
    http.expires = 1.0
    if wire is not None:
        wire.login_status = wire.reads != [b""]  # All but the end of the connection was read.
    serves = http.recycle() and http.may_serve(0.0)
    next_body = None
    if serves and wire is not None:
        wire.reads = [response(b"next"), b""]
        await get(http)
        next_body = await body_of(http)
    return Outcome(head.status_code, bytes(body), False, serves, next_body)


sizes = st.one_of(st.integers(0, 200), st.sampled_from([SMALL_LARGE - 1, SMALL_LARGE, SMALL_LARGE + 1]))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer of any framing, whole, cut short or with more than it announces."""
    body = bytes(itertools.islice(itertools.cycle(range(256)), draw(sizes)))
    framing = draw(st.sampled_from(["length", "chunks", "both", "closing", "1.0", "until the end", "kept"]))
    status = draw(st.sampled_from([b"200 OK", b"404 Not Found", b"204 No Content"]))
    announced = len(body) + draw(st.sampled_from([0, 0, 0, 0, 1, -1, 70]))
    length = b"content-length: %d" % max(0, announced)
    step = draw(st.integers(1, 80))
    chunks = chunked(*(body[at : at + step] for at in range(0, len(body), step)))
    head = {
        "length": [length],
        "chunks": [CHUNKED],
        "both": [CHUNKED, length],
        "closing": [length, b"connection: close"],
        "1.0": [length],
        "until the end": [],
        "kept": [length, b"Connection: Keep-Alive", b"keep-alive: timeout=5"],
    }[framing]
    answer = response(b"", *head, status=status, length=-1) + (chunks if CHUNKED in head else body)
    if framing == "1.0":
        answer = answer.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    early = draw(st.sampled_from([b"", b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"]))
    return early + answer + draw(st.sampled_from([b"", b"", b"", b"\n", b"HTTP/1.1 200 OK\r\n"]))


async def both(answer: bytes, places: list[int]) -> tuple[Outcome, Outcome]:
    """What comes of an answer past h11, and through it."""
    told = []
    for large in (SMALL_LARGE, 1 << 60):
        wire = ScriptedWire(*filter(None, cut(answer, places)), b"")
        http = HttpConnection(wire)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_LARGE", large)
            told.append(await outcome(http, wire))
    return told[0], told[1]


def test_past_h11_everything_is_as_through_it() -> None:
    with asyncio.Runner() as runner:  # One for all cases: most of a case would be its own loop.

        @settings(unhurried, max_examples=250 * TIMES)
        @given(answers(), st.integers(0, 1 << 32))
        def compare(answer: bytes, seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(SEGMENTATIONS):
                places = chance.choices(range(len(answer) + 1), k=chance.randrange(9))
                past, through = runner.run(both(answer, places))
                assert past == through, places

        compare()


@settings(unhurried, max_examples=60 * TIMES)
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 300_000), st.booleans(), st.lists(st.integers(0, 300_000), max_size=3), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    secure=st.booleans(),
    waits=st.booleans(),
)
async def test_over_real_connections_with_and_without_tls_and_waiting(
    asked: list[tuple[int, bool, list[int], bool]],
    secure: bool,
    waits: bool,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
) -> None:
    bodies = [bytes(itertools.islice(itertools.cycle(range(251)), size)) for size, *_ in asked]

    async def talk(peer: Peer) -> None:
        for body, (_, in_chunks, places, _) in zip(bodies, asked, strict=True):
            await peer.request()
            if in_chunks:
                chunks = [piece for piece in cut(body, places) if piece]
                await peer.send(response(b"", CHUNKED, length=-1), chunked(*chunks))
            else:
                for piece in cut(response(body), places):
                    await peer.send(piece)
                    await asyncio.sleep(0)
        await peer.gone()

    async with RawServer(talk, server_tls if secure else None) as server:
        http = await open_to(server)
        if secure:
            await http._wire.secure(client_tls, "127.0.0.1")
        for body, (*_, slow) in zip(bodies, asked, strict=True):
            head = await get(http)
            got = bytearray()
            async for piece in http.body():
                got += piece
                if waits and slow:  # As where others hold too much: what comes meanwhile is held back.
                    for _ in range(20):
                        await asyncio.sleep(0)
            assert got == body
            assert head.status_code == 200
            http.expires = 1.0
            assert http.recycle()
            assert http.may_serve(0.0)
        http.abort()


@pytest.mark.parametrize("at", [0, 1, 100_000, len(BIG) - 1, len(BIG)])
async def test_a_large_body_cut_anywhere_and_the_next_request(at: int) -> None:
    first = response(b"", b"x: 1", length=len(BIG)) + BIG[:at]
    async with RawServer(saying(first, BIG[at:], then=response(b"next"))) as server:
        http = await open_to(server)
        await get(http)
        assert await body_of(http) == BIG
        assert http.recycle()
        assert (await get(http)).status_code == 200
        assert await body_of(http) == b"next"
        assert http.recycle()
        http.abort()


@pytest.mark.parametrize(
    "answer",
    [
        response(BIG, b"connection: close"),
        response(BIG, b"Connection: Close"),
        response(BIG).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_a_large_body_on_a_connection_that_ends_after_it(answer: bytes) -> None:
    async with RawServer(saying(answer)) as server:
        http = await open_to(server)
        await get(http)
        assert await body_of(http) == BIG
        assert not http.recycle()
        http.abort()


async def test_a_large_chunked_body_beside_a_length() -> None:
    # Of the two the chunks count (RFC 9112, 6.3).
    http = HttpConnection(ScriptedWire(response(b"", CHUNKED, length=LARGE) + chunked(BIG, BIG)))
    await get(http)
    assert await body_of(http) == BIG + BIG


async def test_several_large_bodies_over_one_real_connection() -> None:
    talk = Answers(response(BIG), response(b"small"), response(BIG * 8), response(b"", CHUNKED, length=-1))
    async with RawServer(talk) as server:
        http = await open_to(server)
        for expected in (BIG, b"small", BIG * 8):
            await get(http)
            assert await body_of(http) == expected
            assert http.recycle()
        assert len(server.peers) == 1
        http.abort()


@pytest.mark.parametrize("announced", [100, LARGE])
async def test_a_reader_that_is_cancelled_leaves_a_connection_nobody_can_use(announced: int) -> None:
    async with RawServer(saying(response(b"begun", length=announced), then=response())) as server:
        http = await open_to(server)
        await get(http)
        reading = asyncio.create_task(body_of(http))
        await asyncio.wait({reading}, timeout=0)
        assert not reading.done()
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()
        http.expires = 1.0
        assert not (http.recycle() and http.may_serve(0.0))
        http.abort()


async def test_a_budget_that_makes_many_wait_gives_each_the_right_body(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def clear() -> None:
        pass

    buffer_limit = BufferLimit(300_000, clear)

    async def one(server: RawServer, number: int) -> None:
        http = await open_to(server)
        await http._wire.secure(client_tls, "127.0.0.1")
        await get(http)
        got = bytearray()
        async for piece in http.body():
            got += piece
            await buffer_limit.hold(number, len(got), http.abort)
        buffer_limit.release(number)
        assert got == BIG * 5
        http.expires = 1.0
        assert http.recycle()
        assert http.may_serve(0.0)
        assert isinstance(http._wire, Wire)
        assert not http._wire._is_paused
        http.abort()

    async with RawServer(saying(response(BIG * 5), then=response()), server_tls) as server:
        async with asyncio.timeout(stretched(10)):
            await asyncio.gather(*(one(server, number) for number in range(12)))
    assert buffer_limit._total == 0
