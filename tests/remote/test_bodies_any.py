"""Every body arrives as it was sent: any framing, size and cut, with TLS and without, beside one that holds the rest.

The sizes lie around the bounds at which a body may be read in another way: a buffer's, that of a large body, that of
what is held before reading pauses.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import ssl
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.remote.exchanges import RemoteRequest
from tests.support.cuts import cut
from tests.support.examples import examples
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.numbered_calls import (
    LIMIT,
    Answer,
    End,
    NumberedServer,
    Outcome,
    call,
    delivered,
    no_task_left,
    outcome_of,
    result,
    turns,
)
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.waits import stretched

JSON = b"content-type: application/json"
CHUNKED = b"transfer-encoding: chunked"
KIB, MIB = 1 << 10, 1 << 20
SIZES = [0, 1, 255 * KIB, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, MIB, MIB + 1, 3 * MIB]
BYTES = random.Random(11).randbytes(3 * MIB)
BUDGET = 34 * MIB
"""More than all unfinished bodies may hold together."""

Contexts = tuple[ssl.SSLContext, ssl.SSLContext] | None


def in_chunks(body: bytes, size: int) -> bytes:
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    said = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return response(b"", JSON, CHUNKED, length=-1) + said + b"0\r\n\r\n"


def coded(body: bytes) -> bytes:
    return response(gzip.compress(body, 1, mtime=0), JSON, b"content-encoding: gzip")


FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "a length": lambda body: response(body, JSON),
    "small chunks": lambda body: in_chunks(body, 8000),
    "large chunks": lambda body: in_chunks(body, 700_000),
    "its end": lambda body: response(body, JSON, length=-1),
    "connection: close": lambda body: response(body, JSON, b"connection: close"),
    "HTTP/1.0": lambda body: response(body, JSON).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "gzip": coded,
    "an error": lambda body: response(body, JSON, status=b"400 Bad Request"),
}
ENDED = {"its end", "connection: close", "HTTP/1.0"}


@pytest.fixture(scope="module")
def tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> Contexts:
    return server_tls, client_tls


def to(server: RawServer, contexts: Contexts) -> Exchanging:
    return Exchanging(server.origin, tls=contexts[1] if contexts else None)


async def outcome(at: Exchanging, number: int) -> Outcome:
    async with asyncio.timeout(stretched(LIMIT)):
        await at.remote.run(RemoteRequest(number, b"POST", (), call(number)))
    return outcome_of([event for event in at.events if getattr(event, "exchange", 0) == number])


async def check(framing: str, size: int, places: list[float], between: int, contexts: Contexts) -> None:
    """One body in these pieces, then a call that uses the connection again where it may."""
    data = FRAMINGS[framing](BYTES[:size])
    pieces = [piece for piece in cut(data, [int(place * len(data)) for place in places]) if piece]
    end = End.CLOSE if framing in ENDED else End.KEEP
    talk = NumberedServer({1: Answer(pieces, end, between)})
    async with RawServer(talk, contexts[0] if contexts else None) as server:
        at = to(server, contexts)
        got = await outcome(at, 1)
        assert (got.kind, got.status) == ("answer", 400 if framing == "an error" else 200)
        assert len(got.body) == size
        assert got.body == BYTES[:size]
        await talk.be_late(1)
        assert (await outcome(at, 2)).body == result(2)
        if framing not in ENDED:
            assert len(talk.connections) == 1
        at.close()
    await no_task_left()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_size_and_framing(framing: str, size: int) -> None:
    asyncio.run(check(framing, size, [], 0, None))


@pytest.mark.parametrize("size", SIZES)
def test_every_size_with_tls(size: int, tls: Contexts) -> None:
    asyncio.run(check("a length", size, [0.5], 0, tls))


PLACES = st.lists(st.floats(0, 1) | st.floats(0, 0.001) | st.floats(0.999, 1), max_size=8)


@examples(50)
@given(st.sampled_from(list(FRAMINGS)), st.sampled_from(SIZES), PLACES, st.integers(0, 4))
@example("a length", 300 * KIB, [0.0005, 0.999999], 4)
def test_any_cuts(framing: str, size: int, places: list[float], between: int) -> None:
    asyncio.run(check(framing, size, places, between, None))


@examples(20)
@given(framing=st.sampled_from(list(FRAMINGS)), size=st.sampled_from(SIZES), places=PLACES, between=st.integers(0, 4))
def test_any_cuts_with_tls(tls: Contexts, framing: str, size: int, places: list[float], between: int) -> None:
    asyncio.run(check(framing, size, places, between, tls))


# -- beside others


async def beside_much(framing: str, size: int, contexts: Contexts) -> None:
    """A body beside one that holds all that may be held; then calls on both connections."""
    has_much, has_all, finish = asyncio.Event(), asyncio.Event(), asyncio.Event()
    much = b"m" * (BUDGET - 1)
    small = NumberedServer({})

    async def talk(peer: Peer) -> None:
        if b'"id":1,' in await peer.request():
            await peer.send(response(b"", JSON, length=BUDGET), much)
            has_much.set()
            await finish.wait()
            await peer.send(b"m")
        else:
            head, _, body = FRAMINGS[framing](BYTES[:size]).partition(b"\r\n\r\n")
            await peer.send(head, b"\r\n\r\n")
            await turns(9)  # The head is read by itself, and then the body waits.
            await peer.send(body)
            await delivered(peer)
            has_all.set()
        await small(peer)

    async with RawServer(talk, contexts[0] if contexts else None) as server:
        at = to(server, contexts)
        first = asyncio.create_task(outcome(at, 1))
        await has_much.wait()
        second = asyncio.create_task(outcome(at, 2))
        waiting = asyncio.create_task(has_all.wait())
        await asyncio.wait({waiting}, timeout=0.5)  # A client may leave the rest with the server.
        waiting.cancel()
        await turns(20)
        finish.set()
        assert (await first).body == much + b"m"
        assert (await second).body == BYTES[:size]
        for number in (3, 4, 5):
            assert (await outcome(at, number)).body == result(number)
        at.close()
    await no_task_left()


@pytest.mark.parametrize("size", [256 * KIB, MIB + 1, MIB + 99 * KIB, 3 * MIB])
@pytest.mark.parametrize("framing", ["a length", "small chunks"])
def test_beside_a_body_that_holds_all_there_is(framing: str, size: int) -> None:
    asyncio.run(beside_much(framing, size, None))


@pytest.mark.parametrize("size", [MIB + 99 * KIB, 3 * MIB])
def test_beside_a_body_that_holds_all_there_is_with_tls(size: int, tls: Contexts) -> None:
    asyncio.run(beside_much("a length", size, tls))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_many_at_once_and_then_each_connection_again(secure: bool, tls: Contexts) -> None:
    size, many = MIB + 100 * KIB, 36  # Together more than all may hold.
    contexts = tls if secure else None

    async def run() -> None:
        answer = Answer([response(BYTES[:size], JSON)])
        talk = NumberedServer(dict.fromkeys(range(100, 100 + many), answer))
        async with RawServer(talk, contexts[0] if contexts else None) as server:
            at = to(server, contexts)
            for got in await asyncio.gather(*(outcome(at, number) for number in range(100, 100 + many))):
                assert got.body == BYTES[:size]
            for got in await asyncio.gather(*(outcome(at, number) for number in range(200, 200 + many))):
                assert got.body == result(int(got.body.split(b":")[2].split(b",")[0]))
            at.close()
        await no_task_left()

    asyncio.run(run())
