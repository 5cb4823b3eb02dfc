"""Any answer, right or wrong, read by the bridge and by httpx: the same status and body, or a failure of both.

Where they differ, the difference is one of these, and each is shown by an example that both read:

| difference | the bridge | httpx | why |
|---|---|---|---|
| a broken page of an error | status, no body | fails | what a 401, 404 or 503 means is in its head |
| x-gzip | decodes | leaves it | it is gzip (RFC 9110, 8.4.1.3) |
| gzip of several members | all of them | the first | they are one body (RFC 1952, 2.2) |
| compression that breaks off | fails | takes what came | half an answer is none |
| two codings | leaves them | decodes | none is asked for, and no server is known to do it |
| a head of more than 64 kB | fails | takes 100 kB | a bound on what is held; either may take more that comes at once |
| a connection that is reset | answer or failure | answer or failure | the system may throw away what it had |

Whatever the answer was, the two calls after it on the same client get their own answers.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Callable
from typing import NamedTuple

import httpx
import pytest
from hypothesis import given

from tests.support.examples import examples
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.any_http_answer import JSON, Wild, inflating, wild_answers
from tests.support.servers.numbered_calls import (
    PATIENCE,
    Answer,
    End,
    NumberedServer,
    Outcome,
    call,
    ended,
    good,
    no_task_left,
    outcome_by_bridge,
    result,
)
from tests.support.servers.raw_server import RawServer, response
from tests.support.waits import stretched

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # None is spoken here; to make one for each client is slow.
MORE_PATIENCE = stretched(2.0)


class Verdict(NamedTuple):
    """A call's status and body; a failure has neither."""

    status: int
    body: bytes


FAILED = Verdict(0, b"")


def verdict(outcome: Outcome) -> Verdict:
    return FAILED if outcome.kind == "failed" else Verdict(outcome.status, outcome.body)


async def by_httpx(answer: Answer, patience: float = PATIENCE) -> Verdict:
    """What httpx makes of an answer."""
    talk = NumberedServer({1: answer})

    async def post() -> Verdict:
        async with httpx.AsyncClient(verify=TLS, trust_env=False, timeout=None) as client:
            try:
                got = await client.post(server.origin, content=call(1))
            except httpx.HTTPError:
                return FAILED
            return Verdict(got.status_code, got.content)

    async with RawServer(talk) as server:
        task = asyncio.create_task(post())
        await ended(task, 1, talk, patience)
        return task.result()


async def by_bridge(answer: Answer, patience: float = PATIENCE) -> Verdict:
    """What the bridge makes of an answer; that the next two calls are right, and that no task stays, is asserted."""
    talk = NumberedServer({1: answer})
    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        first = await outcome_by_bridge(at, 1, talk, patience=patience)
        await talk.be_late(1)
        for number in (2, 3):
            following = await outcome_by_bridge(at, number, talk, patience=MORE_PATIENCE)
            assert verdict(following) == Verdict(200, result(number)), f"call {number}: {following}; call 1: {first}"
        at.close()
    await no_task_left()
    return verdict(first)


def both(answer: Answer) -> tuple[Verdict, Verdict]:
    """The verdicts of the bridge and of httpx; where they differ, both had much time."""
    ours, theirs = asyncio.run(by_bridge(answer)), asyncio.run(by_httpx(answer))
    if ours != theirs:
        ours = asyncio.run(by_bridge(answer, MORE_PATIENCE))
        theirs = asyncio.run(by_httpx(answer, MORE_PATIENCE))
    return ours, theirs


# -- the differences


class Difference(NamedTuple):
    """One row of the table: where it may be met, an example, and what both make of that."""

    name: str
    is_met: Callable[[frozenset[str], Verdict, Verdict], bool]
    example: bytes
    ours: Verdict
    theirs: Verdict
    end: End = End.CLOSE


def coded(coding: bytes, body: bytes) -> bytes:
    return response(body, JSON, b"content-encoding: " + coding)


BODY = result(1)
TWO_MEMBERS = gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)
LONG = b"x-long: " + b"v" * 95_000
UNCODED = {"coding: none", "coding: identity", "coding: unknown coding"}
LONG_HEADS = {"header: very long value", "header: too long value", "header: far too long value"}
DIFFERENCES = [
    Difference(
        "a broken page of an error",
        lambda labels, ours, theirs: ours == Verdict(ours.status, b"") and ours.status >= 300 and theirs == FAILED,
        response(b"<", JSON, status=b"503 Busy", length=5),
        Verdict(503, b""),
        FAILED,
    ),
    Difference(
        "x-gzip",
        lambda labels, ours, theirs: "coding: x-gzip" in labels and theirs.body.startswith(b"\x1f\x8b"),
        coded(b"x-gzip", gzip.compress(BODY, mtime=0)),
        Verdict(200, BODY),
        Verdict(200, gzip.compress(BODY, mtime=0)),
    ),
    Difference(
        "gzip of several members",
        lambda labels, ours, theirs: "coding: two members" in labels and ours.body.startswith(theirs.body),
        coded(b"gzip", TWO_MEMBERS),
        Verdict(200, BODY),
        Verdict(200, BODY[:9]),
    ),
    Difference(
        "compression that breaks off",
        lambda labels, ours, theirs: not labels & UNCODED and is_refused(ours),
        coded(b"gzip", gzip.compress(BODY, mtime=0)[:-9]),
        FAILED,
        Verdict(200, zlib.decompressobj(31).decompress(gzip.compress(BODY, mtime=0)[:-9])),
    ),
    Difference(
        "two codings",
        lambda labels, ours, theirs: "coding: two codings" in labels,
        coded(b"deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
        Verdict(200, gzip.compress(zlib.compress(BODY), mtime=0)),
        Verdict(200, BODY),
    ),
    Difference(
        "a head of more than 64 kB",
        lambda labels, ours, theirs: ours == FAILED and bool(labels & LONG_HEADS),
        response(BODY, JSON, LONG),
        FAILED,
        Verdict(200, BODY),
    ),
    Difference(
        "a connection that is reset",
        lambda labels, ours, theirs: f"end: {End.RESET.value}" in labels and FAILED in (ours, theirs),
        response(b"{", JSON, length=5),
        FAILED,
        FAILED,
        End.RESET,
    ),
]


def is_refused(ours: Verdict) -> bool:
    """Whether the bridge took no body, or told the status of an error alone."""
    return ours == FAILED or (ours.status >= 300 and not ours.body)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_each_difference_is_there(difference: Difference) -> None:
    # In pieces: a head that comes in one is not measured before it is whole.
    pieces = [difference.example[start : start + 30_000] for start in range(0, len(difference.example), 30_000)]
    ours, theirs = both(Answer(pieces, difference.end))
    assert (ours, theirs) == (difference.ours, difference.theirs)


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("raw deflate", coded(b"deflate", inflating(-15, BODY)), Verdict(200, BODY)),
        ("deflate", coded(b"deflate", zlib.compress(BODY)), Verdict(200, BODY)),
        ("zeros after gzip", coded(b"gzip", gzip.compress(BODY, mtime=0) + b"\0" * 9), Verdict(200, BODY)),
        ("garbage after gzip", coded(b"gzip", gzip.compress(BODY, mtime=0) + b"garbage"), Verdict(200, BODY)),
        ("a coding that is not known", coded(b"br", BODY), Verdict(200, BODY)),
        ("two lengths that differ", response(BODY, JSON, b"content-length: 3"), FAILED),
        ("an answer to no request", response(BODY, JSON) + good(9), Verdict(200, BODY)),
        ("an HTTP/1.0 answer", response(BODY, JSON).replace(b"HTTP/1.1", b"HTTP/1.0"), Verdict(200, BODY)),
    ],
)
def test_both_agree_on(name: str, data: bytes, wanted: Verdict) -> None:
    assert both(Answer([data], End.KEEP)) == (wanted, wanted)


@examples(220)
@given(wild_answers())
def test_any_answer(wild: Wild) -> None:
    ours, theirs = both(wild.answer)
    if ours != theirs:
        named = [difference.name for difference in DIFFERENCES if difference.is_met(wild.labels, ours, theirs)]
        assert named, f"bridge {ours}, httpx {theirs}: {sorted(wild.labels)} {wild.data[:2000]!r}"
