"""Large bodies of known length on one connection: they go past the grammar, and the next request must not notice."""

import asyncio

import pytest

from bridge.remote.http1 import HttpConnection
from tests.support.raw_server import Answers, RawServer, response
from tests.support.scripted_wire import ScriptedWire
from tests.support.talking_http1 import BIG, CHUNKED, LARGE, body_of, chunked, get, open_to, saying

pytestmark = pytest.mark.anyio

# -- a large body, which goes past the grammar


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
    answers = Answers(response(BIG), response(b"small"), response(BIG * 8), response(b"", CHUNKED, length=-1))
    async with RawServer(answers) as server:
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
        assert not http.recycle()
        http.abort()
