"""Connections used again, by any script: what servers answer, leave over, close and reset, now or later.

A run is a list of rounds; the calls of a round go out together, and the next round begins when all of them have ended
and what the server does late has reached the client's system. Where calls go out together, what is left over and what
is not announced comes late: it cannot be known before. So whatever a server did is to be known, and:

- a call that the server answers well gets its own answer, whatever came before it on any connection;
- a call that it does not answer well fails, and is told as possibly run if and only if the server saw it;
- no call is seen twice by the server;
- a connection on which something was left over, or that the server was about to end, carries no further call;
- connections are used again where nothing speaks against it.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import ssl
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.remote.exchanges import RemoteRequest
from bridge.session.events import Cause
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
    good,
    no_task_left,
    outcome_of,
    result,
)
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.waits import stretched

JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream"
CHUNKED = b"transfer-encoding: chunked"


class Move(NamedTuple):
    """What the server does with one call."""

    form: str = "length"
    size: int = 0
    leftover: str = "nothing"
    is_late: bool = False
    end: End = End.KEEP
    places: tuple[float, ...] = ()
    turns: int = 2

    @property
    def is_clean(self) -> bool:
        """Whether nothing speaks against using the connection again."""
        return self.form in CLEAN and self.leftover == "nothing" and self.end is End.KEEP


CLEAN = (
    "length",
    "chunked",
    "gzip",
    "events by length",
    "events in chunks",
    "an error",
    "nothing to say",
    "slow start",
)
ENDING = ("to the end", "HTTP/1.0", "events to the end", "connection: close")
BAD = ("no answer", "half a head", "half a body", "half a chunk", "no HTTP")
SILENT = ("silence", "half a head, and silence", "half a body, and silence")
LEFTOVERS = {
    "nothing": b"",
    "null": b"null",
    "a newline": b"\r\n",
    "a zero byte": b"\0",
    "an answer": good(99),
    "half an answer": good(99)[:50],
    "408": response(b"", status=b"408 Request Timeout"),
    "a page": b"<html>" + b"x" * 200_000,
}


def body_of(number: int, size: int) -> bytes:
    return result(number) + b" " * size


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def wanted(number: int, move: Move) -> Outcome | None:
    """The outcome of a call that is answered well."""
    if move.form in (*BAD, *SILENT):
        return None
    if move.form == "nothing to say":
        return Outcome("answer", 202, b"")
    if move.form == "an error":
        return Outcome("answer", 404, body_of(number, move.size))
    kind = "stream" if move.form.startswith("events") else "answer"
    return Outcome(kind, 200, body_of(number, move.size))


def written(number: int, move: Move) -> bytes:
    """The answer's bytes."""
    body = body_of(number, move.size)
    event = b"data: " + body + b"\n\n"
    packed = gzip.compress(body, mtime=0)
    head = b"HTTP/1.1 200 OK\r\n"
    return {
        "length": response(body, JSON),
        "chunked": response(b"", JSON, CHUNKED, length=-1) + chunks(body[:20], body[20:]),
        "gzip": response(packed, JSON, b"content-encoding: gzip"),
        "events by length": response(event, SSE),
        "events in chunks": response(b"", SSE, CHUNKED, length=-1) + chunks(event),
        "an error": response(body, JSON, status=b"404 Not Found"),
        "nothing to say": response(b"", status=b"202 Accepted"),
        "slow start": b"HTTP/1.1 103 Early\r\n\r\n" + response(body, JSON),
        "to the end": response(body, JSON, length=-1),
        "HTTP/1.0": response(body, JSON).replace(b"HTTP/1.1", b"HTTP/1.0"),
        "events to the end": response(event, SSE, length=-1),
        "connection: close": response(body, JSON, b"connection: close"),
        "half a head": head,
        "half a head, and silence": head,
        "half a body": response(body, JSON, length=len(body) + 1),
        "half a body, and silence": response(body, JSON, length=len(body) + 1),
        "half a chunk": response(b"", JSON, CHUNKED, length=-1) + b"fffff\r\n" + body,
        "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    }.get(move.form, b"")


def answer_of(number: int, move: Move) -> Answer:
    data, leftover, end = written(number, move), LEFTOVERS[move.leftover], move.end
    ends_anyway = move.form in ENDING or move.form in BAD
    if move.form in SILENT:
        return Answer([data])
    if ends_anyway or move.form == "to the end":
        end = End.CLOSE if end is End.KEEP or move.form in ENDING else end
        leftover = b""
    elif move.is_late or end is End.RESET:  # A reset may take from the client what it has not read yet.
        return Answer(pieces_of(data, move), turns=move.turns, late=leftover, late_end=end)
    return Answer(pieces_of(data + leftover, move), end, move.turns)


def pieces_of(data: bytes, move: Move) -> list[bytes]:
    return [piece for piece in cut(data, [int(place * len(data)) for place in move.places]) if piece]


moves = st.builds(
    Move,
    form=st.sampled_from([*CLEAN * 3, *ENDING, *BAD, *SILENT]),
    size=st.sampled_from([0, 0, 0, 10, 1000, 70_000, 262_144, 300_000]),
    leftover=st.sampled_from(["nothing"] * 6 + list(LEFTOVERS)),
    is_late=st.booleans(),
    end=st.sampled_from([End.KEEP] * 4 + [End.CLOSE, End.RESET]),
    places=st.lists(st.floats(0, 1), max_size=3).map(tuple),
    turns=st.integers(0, 3),
)
late_moves = st.builds(Move._replace, moves, is_late=st.just(True))
at_once = st.lists(moves, min_size=1, max_size=1) | st.lists(late_moves, min_size=2, max_size=3)
rounds = st.lists(at_once, min_size=1, max_size=6)
preparations = st.lists(st.sampled_from(["nothing", "nothing", "warm", "drop"]), min_size=6, max_size=6)


async def one_call(at: Exchanging, number: int, move: Move, talk: NumberedServer) -> Outcome | None:
    """Carry a call out; one that gets no answer is given up, and has no outcome."""
    task = asyncio.create_task(at.remote.run(RemoteRequest(number, b"POST", (), call(number))))
    async with asyncio.timeout(stretched(LIMIT)):
        if move.form in SILENT:
            await talk.wrote[number].wait()
            task.cancel()
            await asyncio.wait({task})
            return None
        await task
    return outcome_of([event for event in at.events if getattr(event, "exchange", 0) == number])


async def check(script: list[list[Move]], before: list[str], tls: tuple[ssl.SSLContext, ssl.SSLContext] | None) -> None:
    by_number = {100 + place: move for place, move in enumerate(move for each in script for move in each)}
    talk = NumberedServer({number: answer_of(number, move) for number, move in by_number.items()})
    numbers = iter(by_number)
    together = dict(zip(by_number, (each for each in script for _ in each), strict=True))
    async with RawServer(talk, tls[0] if tls else None) as server:
        at = Exchanging(server.origin, tls=tls[1] if tls else None)
        for preparation, each in zip(before, script, strict=False):
            if preparation == "warm":
                await at.remote.connect()
            elif preparation == "drop":
                at.close()
            mine = [next(numbers) for _ in each]
            outcomes = await asyncio.gather(*(one_call(at, number, by_number[number], talk) for number in mine))
            for number, outcome in zip(mine, outcomes, strict=True):
                right = wanted(number, by_number[number])
                if outcome is not None and right is not None:
                    assert outcome[:3] == right[:3], (number, by_number[number], outcome)
                elif outcome is not None:
                    assert outcome.kind == "failed", (number, by_number[number], outcome)
                    assert outcome.sent == (number in talk.seen), (number, outcome)
            await talk.be_late(*mine)
        assert sorted(talk.seen) == list(by_number)
        for carried in talk.carried:
            for number, following in itertools.pairwise(carried):
                assert by_number[number].is_clean or together[number] is together[following], talk.carried
        if all(move.is_clean for move in by_number.values()) and not set(before) & {"drop"}:
            assert len(talk.connections) <= max(len(each) for each in script) + before.count("warm")
        at.close()
    await no_task_left()


PLAIN = ["nothing"] * 6


@examples(120)
@given(rounds, preparations)
@example([[Move()], [Move()]], PLAIN)
@example([[Move("chunked", leftover="null")], [Move()], [Move()]], PLAIN)
@example([[Move(leftover="408", is_late=True, end=End.CLOSE)], [Move()]], PLAIN)
@example([[Move(size=300_000, leftover="an answer")], [Move()]], PLAIN)
@example([[Move(size=300_000, leftover="an answer", is_late=True)], [Move()]], PLAIN)
@example([[Move("events in chunks", end=End.RESET)], [Move()], [Move()]], PLAIN)
@example([[Move("half a body, and silence", size=300_000)], [Move()]], PLAIN)
def test_any_script(script: list[list[Move]], before: list[str]) -> None:
    asyncio.run(check(script, before, None))


@pytest.fixture(scope="module")
def both_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_tls, client_tls


@examples(25)
@given(script=rounds, before=preparations)
def test_any_script_with_tls(
    both_tls: tuple[ssl.SSLContext, ssl.SSLContext], script: list[list[Move]], before: list[str]
) -> None:
    asyncio.run(check(script, before, both_tls))


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("framing", [b"content-length: 4", CHUNKED])
def test_a_body_that_the_status_forbids_and_the_head_announces_may_still_come(status: bytes, framing: bytes) -> None:
    async def run() -> list[Outcome | None]:
        head = b"HTTP/1.1 " + status + b"\r\n" + framing + b"\r\n\r\n"
        talk = NumberedServer({})

        async def tell_late(peer: Peer) -> None:
            if talk.seen:
                return await talk(peer)
            talk.seen.append(1)
            await peer.request()
            await peer.send(head)
            await peer.request()  # Only now, when it looks like the answer to this.
            await peer.send(b"null", good(99))
            return None

        async with RawServer(tell_late) as server:
            at = Exchanging(server.origin)
            outcomes = [await one_call(at, number, Move(), talk) for number in (1, 2, 3)]
            at.close()
        return outcomes

    assert [outcome and outcome[1:3] for outcome in asyncio.run(run())] == [
        (int(status[:3]), b""),
        (200, result(2)),
        (200, result(3)),
    ]


def test_a_server_that_is_down_has_not_seen_the_call() -> None:
    async def run() -> tuple[Outcome, list[int]]:
        talk = NumberedServer({})
        async with RawServer(talk) as server:
            at = Exchanging(server.origin)
            await one_call(at, 1, Move(), talk)
        return await one_call(at, 2, Move(), talk) or Outcome("none"), talk.seen

    outcome, seen = asyncio.run(run())
    assert seen == [1]
    assert (outcome.kind, outcome.cause, outcome.sent) == ("failed", Cause.UNREACHABLE, False)
