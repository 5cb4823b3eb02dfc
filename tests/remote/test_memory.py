"""The stated peak: 128 MB beside the largest message, whatever a server sends. Measured on Linux, in a process apart.

It is what the room for remote servers takes, interpreter and all, while the host takes each message at once.
"""

import asyncio
import gzip
import json
import ssl
import sys
import zlib

import pytest

from tests.support.servers.raw_server import Peer, RawServer, Talk, response
from tests.support.waits import stretched

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc"),
]

MB = 1 << 20
BESIDE = 128 * MB
JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream"


def answering(*pieces: bytes) -> Talk:
    async def talk(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return talk


async def peak_of(talk: Talk, count: int, tls: ssl.SSLContext | None = None) -> tuple[list[int], int]:
    """Ask `talk` so many things at once; return the sizes of what came, and the peak in bytes."""
    server = RawServer(talk, tls)
    server._deadline = asyncio.timeout(stretched(90))
    async with server:
        command = (sys.executable, "-m", "tests.support.process.memory_peak", server.origin, str(count))
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    told = json.loads(said)
    return told["sizes"], told["peak"]


async def test_answers_that_inflate_two_hundredfold() -> None:
    size = 200 * MB
    packed = gzip.compress(b"z" * size, compresslevel=1)
    talk = answering(response(packed, JSON, b"content-encoding: gzip"))
    sizes, peak = await peak_of(talk, 8)
    assert sizes == [size] * 8
    assert peak < size + BESIDE, f"{peak / MB:.0f} MB"


async def test_large_events_at_once() -> None:
    size = 40 * MB
    talk = answering(response(b"", SSE, length=size + 8), b"data: ", b"x" * size, b"\n\n")
    sizes, peak = await peak_of(talk, 12)
    assert sizes == [size] * 12
    assert peak < size + BESIDE, f"{peak / MB:.0f} MB"


async def test_an_event_of_several_large_lines() -> None:
    line = 40 * MB
    talk = answering(response(b"", SSE, length=3 * (line + 7) + 1), *[b"data: ", b"x" * line, b"\n"] * 3, b"\n")
    sizes, peak = await peak_of(talk, 2)
    assert sizes == [3 * line + 2] * 2
    assert peak < sizes[0] + BESIDE, f"{peak / MB:.0f} MB"


async def test_an_event_of_empty_data_lines() -> None:
    lines = 4_000_000
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"data\n" * lines + b"\n") + packer.flush()
    talk = answering(response(packed, SSE, b"content-encoding: gzip"))
    sizes, peak = await peak_of(talk, 1)
    assert sizes == [lines - 1]
    assert peak < sizes[0] + BESIDE, f"{peak / MB:.0f} MB"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_many_answers_at_once(secure: bool, server_tls: ssl.SSLContext) -> None:
    size = 1_150_000
    sizes, peak = await peak_of(answering(response(b"x" * size, JSON)), 60, server_tls if secure else None)
    assert sizes == [size] * 60
    assert peak < size + BESIDE, f"{peak / MB:.0f} MB"
