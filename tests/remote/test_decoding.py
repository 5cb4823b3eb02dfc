"""Content codings: whatever a server made of a body, in any pieces, whole or cut short."""

import asyncio
import gzip
import os
import zlib
from collections.abc import AsyncIterator, Callable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.remote.decoding import decompressed
from bridge.session.events import BodyReceived, Cause, EventReceived, ExchangeFailed, StreamClosed
from tests.support.cuts import cut, unhurried
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.raw_server import Answers, RawServer, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream"
TEXT = b'{"jsonrpc":"2.0","id":1,"result":{}}'


def bare(data: bytes) -> bytes:
    """Deflate without zlib's head (RFC 1951)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def stored(data: bytes) -> bytes:
    """Deflate that does not compress."""
    packer = zlib.compressobj(level=0, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def members(data: bytes) -> bytes:
    """Two members of gzip (RFC 1952, 2.2)."""
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


PACKED: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZIP", gzip.compress),
    "members": (b"gzip", members),
    "members, padded": (b"gzip", lambda data: members(data) + b"\0" * 9),
    "gzip, and what is none": (b"gzip", lambda data: gzip.compress(data) + b"\r\nmore"),
    "zlib that calls itself gzip": (b"gzip", zlib.compress),
    "deflate": (b"deflate", zlib.compress),
    "bare deflate": (b" deflate", bare),
    "stored deflate": (b"deflate", stored),
}


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def unpacked(coding: bytes, *pieces: bytes) -> bytes:
    return b"".join([piece async for piece in decompressed(pieces_of(*pieces), coding.strip().lower())])


@unhurried
@given(
    st.sampled_from(list(PACKED.values())),
    st.one_of(st.binary(max_size=300), st.integers(0, 1 << 20).map(lambda size: b"z" * size)),
    st.lists(st.integers(0, 1500), max_size=8),
)
async def test_any_body_in_any_pieces(
    packed: tuple[bytes, Callable[[bytes], bytes]], body: bytes, places: list[int]
) -> None:
    coding, pack = packed
    assert await unpacked(coding, *cut(pack(body), places)) == body


@unhurried
@given(
    st.sampled_from([(b"gzip", gzip.compress), (b"gzip", members), (b"deflate", zlib.compress), (b"deflate", bare)]),
    st.integers(1, 10_000),
    st.lists(st.integers(0, 1500), max_size=4),
)
async def test_a_body_that_is_cut_short_is_told_as_such(
    packed: tuple[bytes, Callable[[bytes], bytes]], missing: int, places: list[int]
) -> None:
    coding, pack = packed
    whole = pack(os.urandom(2_000))
    first_member = len(gzip.compress(os.urandom(1_000)))
    short = whole[: -min(missing, len(whole) - 2)]
    if pack is members and abs(len(short) - first_member) < 4:
        return  # Nothing tells that a second member should have come.
    with pytest.raises(h11.RemoteProtocolError):
        await unpacked(coding, *cut(short, places))


async def test_nothing_at_all_is_no_broken_body() -> None:
    assert await unpacked(b"gzip") == await unpacked(b"deflate") == b""


@pytest.mark.parametrize(("coding", "body"), [(b"gzip", b"this is plain"), (b"deflate", b"\xff\xffplain")])
async def test_what_is_not_compressed(coding: bytes, body: bytes) -> None:
    with pytest.raises(zlib.error):
        await unpacked(coding, body)


async def test_a_piece_that_inflates_a_thousandfold_comes_in_pieces_and_lets_others_have_their_turn() -> None:
    packed = zlib.compress(b"z" * (8 << 20))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    sizes = [len(piece) async for piece in decompressed(pieces_of(packed), b"deflate")]
    task.cancel()
    assert sum(sizes) == 8 << 20
    assert max(sizes) <= 256 * 1024
    assert turns >= len(sizes) - 1


@pytest.mark.parametrize("coding", [b"identity", b"br", b"", b"deflate, gzip"])
async def test_other_codings_are_left_as_they_are(coding: bytes) -> None:
    async with RawServer(Answers(response(b"as it came", JSON, b"content-encoding: " + coding))) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == b"as it came"
        at.close()


# -- what an exchange tells of it


@pytest.mark.parametrize("name", PACKED)
async def test_an_answer_in_every_coding_and_the_next_one(name: str) -> None:
    coding, pack = PACKED[name]
    answers = Answers(response(pack(TEXT), JSON, b"content-encoding: " + coding), response(b"next", JSON))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == TEXT
        assert only(BodyReceived, await at.post()).body == b"next"
        at.close()
        assert len(server.peers) == 1


@pytest.mark.parametrize(
    ("coding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"deflate", bare)]
)
async def test_an_answer_that_is_cut_short_is_truncated(coding: bytes, pack: Callable[[bytes], bytes]) -> None:
    async with RawServer(Answers(response(pack(TEXT)[:-3], JSON, b"content-encoding: " + coding))) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert failure.cause is Cause.TRUNCATED
    assert "was cut off" in failure.message


async def test_a_stream_that_is_cut_short_was_lost() -> None:
    packer = zlib.compressobj(wbits=31)
    begun = packer.compress(b"data: one\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    async with RawServer(Answers(response(begun, SSE, b"content-encoding: gzip"))) as server:
        at = Exchanging(server.origin)
        events = await at.post()
        at.close()
    assert [event.event.data for event in events if isinstance(event, EventReceived)] == [b"one"]
    assert only(StreamClosed, events).reason == "the connection was lost"
