"""How a hostile answer is written down: its name, its bytes, and what is wanted of the call that gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bridge.session.events import Cause
from tests.support.servers.numbered_calls import Answer, End, Outcome, result

JSON = b"content-type: application/json"
SSE = b"content-type: text/event-stream"
CHUNKED = b"transfer-encoding: chunked"
BODY = result(1)
LIMIT = 2 << 20
"""The largest message taken in the tests of what has no end."""


class Wanted(NamedTuple):
    """The outcome of a call; of `causes` any will do. `may_have_run`: what a failure tells."""

    kind: str
    status: int = 0
    body: bytes = b""
    causes: tuple[Cause, ...] = ()
    may_have_run: bool = True

    def fits(self, outcome: Outcome) -> bool:
        """Whether this came of it."""
        if self.kind == "failed":
            told = outcome.kind == "failed" and outcome.cause in self.causes
            return told and outcome.sent == self.may_have_run
        if self.kind == "ended" and outcome.kind == "failed":
            return outcome.cause in self.causes
        kind = "stream" if self.kind == "ended" else self.kind
        return (kind, self.status, self.body) == (outcome.kind, outcome.status, outcome.body)


class Hostile(NamedTuple):
    """One row. `waits`: the server then says nothing, and the call may wait until it closes. `limit` is in bytes."""

    name: str
    answer: Answer | list[Answer]
    wanted: Wanted
    waits: bool = False
    limit: int = LIMIT


class Endless:
    """Pieces of which the second comes again and again, many times more than anybody should take.

    `ran_out`: all of it was taken.
    """

    def __init__(self, first: bytes, again: bytes, most: int = 64 << 20) -> None:
        self.ran_out = False
        self._first = first
        self._again = again * max(1, (1 << 16) // len(again))
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        for _ in range(self._most // len(self._again)):
            yield self._again
        self.ran_out = True


LOST = Wanted("failed", causes=(Cause.LOST,))
"""No answer: what came is not HTTP, or nothing came."""
TRUNCATED = Wanted("failed", causes=(Cause.TRUNCATED,))
"""An answer that began, and is not whole."""
BROKEN = Wanted("failed", causes=(Cause.LOST, Cause.TRUNCATED))
TOO_LARGE = Wanted("failed", causes=(Cause.TOO_LARGE,))
TOO_MUCH = Wanted("failed", causes=(Cause.TOO_LARGE, Cause.LOST, Cause.TRUNCATED))
"""What is bounded, by whichever bound is met first."""
OTHER_PROTOCOL = Wanted("failed", causes=(Cause.UNTRUSTED,), may_have_run=False)
"""What answers there has not understood the request, and never will."""
REDIRECTED = Wanted("failed", causes=(Cause.REDIRECTED,))
PROTOCOL = Wanted("failed", causes=(Cause.PROTOCOL,))


ENDED = Wanted("ended", 200, causes=(Cause.TRUNCATED,))
"""A stream without events that broke off, told as its end or as a failure."""


def said(status: int = 200, body: bytes = BODY) -> Wanted:
    return Wanted("answer", status, body)


def events(*data: bytes, status: int = 200) -> Wanted:
    return Wanted("stream", status, b"\n".join(data))


def lines(*each: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """A head."""
    return b"\r\n".join([status, *each]) + b"\r\n\r\n"


def chunked(*chunks: bytes) -> bytes:
    """A head that announces chunks, and these bytes as its body."""
    return lines(JSON, CHUNKED) + b"".join(chunks)


def kept(name: str, data: bytes, wanted: Wanted) -> Hostile:
    """The connection stays open, and the call must not need its end."""
    return Hostile(name, Answer([data]), wanted)


def closed(name: str, data: bytes, wanted: Wanted) -> Hostile:
    """The server closes after it."""
    return Hostile(name, Answer([data], End.CLOSE), wanted)


def silent(name: str, data: bytes, wanted: Wanted) -> Hostile:
    """The server then says nothing until it closes."""
    return Hostile(name, Answer([data]), wanted, waits=True)


def endless(name: str, first: bytes, again: bytes, wanted: Wanted, most: int = 64 << 20, limit: int = LIMIT) -> Hostile:
    return Hostile(name, Answer(Endless(first, again, most), End.CLOSE), wanted, limit=limit)
