"""Any HTTP/1.1 answer, right or wrong, cut anywhere: Hypothesis strategies.

Every answer has labels that say what is special about it, `framing: chunked` and the like, so that what a test finds
can be named.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.cuts import cut
from tests.support.servers.numbered_calls import Answer, End, good, result

JSON = b"content-type: application/json"


class Wild(NamedTuple):
    """One answer: its bytes, how they come, and what is special about them."""

    data: bytes
    answer: Answer
    labels: frozenset[str]


def inflating(wbits: int, data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "none": (b"", bytes),
    "identity": (b"identity", bytes),
    "gzip": (b"gzip", lambda body: gzip.compress(body, mtime=0)),
    "GZIP": (b" GZIP ", lambda body: gzip.compress(body, mtime=0)),
    "x-gzip": (b"x-gzip", lambda body: gzip.compress(body, mtime=0)),
    "deflate": (b"deflate", zlib.compress),
    "raw deflate": (b"deflate", lambda body: inflating(-15, body)),
    "two members": (b"gzip", lambda body: gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:], mtime=0)),
    "cut gzip": (b"gzip", lambda body: gzip.compress(body, mtime=0)[:-9]),
    "cut deflate": (b"deflate", lambda body: zlib.compress(body)[:-5]),
    "wrong checksum": (b"gzip", lambda body: gzip.compress(body, mtime=0)[:-8] + b"abcdefgh"),
    "garbage after gzip": (b"gzip", lambda body: gzip.compress(body, mtime=0) + b"garbage"),
    "zeros after gzip": (b"gzip", lambda body: gzip.compress(body, mtime=0) + b"\0" * 9),
    "gzip that is none": (b"gzip", bytes),
    "deflate that is none": (b"deflate", bytes),
    "unknown coding": (b"br", bytes),
    "two codings": (b"deflate, gzip", lambda body: gzip.compress(zlib.compress(body), mtime=0)),
}
"""What a `Content-Encoding` says, and what the body then is."""

LENGTHS: dict[str, Callable[[int], tuple[bytes, ...]]] = {
    "right": lambda n: (b"content-length: %d" % n,),
    "spaces": lambda n: (b"Content-Length:\t %d \t" % n,),
    "leading zeros": lambda n: (b"content-length: 000%d" % n,),
    "short by one": lambda n: (b"content-length: %d" % max(0, n - 1),),
    "short": lambda n: (b"content-length: %d" % (n // 2),),
    "long by one": lambda n: (b"content-length: %d" % (n + 1),),
    "long": lambda n: (b"content-length: %d" % (2 * n + 7),),
    "twice the same": lambda n: (b"content-length: %d" % n, b"content-length: %d" % n),
    "two that differ": lambda n: (b"content-length: %d" % n, b"content-length: %d" % (n + 1)),
    "list of the same": lambda n: (b"content-length: %d, %d" % (n, n),),
    "list that differs": lambda n: (b"content-length: %d, %d" % (n, n + 3),),
    "negative": lambda n: (b"content-length: -%d" % n,),
    "signed": lambda n: (b"content-length: +%d" % n,),
    "hexadecimal": lambda n: (b"content-length: 0x%x" % n,),
    "underscore": lambda n: (b"content-length: 1_0",),
    "empty": lambda n: (b"content-length: ",),
    "huge": lambda n: (b"content-length: 1000000000000",),
    "20 digits": lambda n: (b"content-length: 99999999999999999999",),
    "30 digits": lambda n: (b"content-length: 999999999999999999999999999999",),
}
"""Headers that tell the length of `n` bytes."""

CODED_TRANSFERS: dict[str, tuple[bytes, ...]] = {
    "chunked": (b"transfer-encoding: chunked",),
    "Chunked": (b"Transfer-Encoding:   Chunked",),
    "chunked twice": (b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
    "chunked, chunked": (b"transfer-encoding: chunked, chunked",),
    "gzip, chunked": (b"transfer-encoding: gzip, chunked",),
    "chunked, identity": (b"transfer-encoding: chunked, identity",),
    "identity": (b"transfer-encoding: identity",),
    "xchunked": (b"transfer-encoding: xchunked",),
    "chunked and a length": (b"transfer-encoding: chunked", b"content-length: 3"),
    "a length and chunked": (b"content-length: 3", b"transfer-encoding: chunked"),
}
"""Headers that tell of a coded transfer."""

SIZES = [b"", b" ", b";", b"; a=b", b';a="x y"', b"\t;x", b";" + b"x" * 200]
WRONG_SIZES = [b"", b"-1", b"g", b"0x5", b" 5", b"5_0", b"+5", b"1" * 20, b"1" * 40]

STATUSES = [
    *[b"200 OK"] * 8,
    *(b"200", b"200 ", b"200  two", b"200 \xc3\xbc", b"201 Created", b"202 Accepted", b"204 No Content"),
    *(b"205 Reset", b"206 Partial", b"304 Not Modified", b"400 Bad", b"404 Not Found", b"429 Busy"),
    *(b"500 Oops", b"503 Busy", b"599 x", b"600 x", b"999 x", b"000 x", b"99 x", b"2000 x", b"abc x", b"", b"+20 x"),
]

EXTRAS: dict[str, bytes] = {
    "connection: close": b"connection: close",
    "connection: keep-alive": b"Connection: Keep-Alive",
    "connection: upgrade": b"connection: upgrade\r\nupgrade: h2c",
    "keep-alive": b"keep-alive: timeout=5, max=100",
    "non-ASCII value": b"x-who: \xc3\xbc\xff\x80",
    "folded line": b"x-folded: a\r\n  b\r\n\tc",
    "folded line at first": b" x: folded",
    "space before colon": b"x-spaced : a",
    "no colon": b"x-nothing",
    "no name": b": a",
    "NUL in a value": b"x-nul: a\0b",
    "CR in a value": b"x-cr: a\rb",
    "control in a value": b"x-bell: a\x07b",
    "non-ASCII name": b"x-\xc3\xbc: a",
    "name with a space": b"x y: a",
    "empty value": b"x-empty:",
    "long value": b"x-long: " + b"v" * 10_000,
    "very long value": b"x-long: " + b"v" * 60_000,
    "too long value": b"x-long: " + b"v" * 70_000,
    "far too long value": b"x-long: " + b"v" * 120_000,
    "many headers": b"\r\n".join(b"x-%d: a" % index for index in range(150)),
    "many cookies": b"\r\n".join(b"set-cookie: c%d=v" % index for index in range(150)),
    "wrong charset": b"content-type: application/json; charset=utf-99",
    "retry-after": b"retry-after: soon",
    "location": b"location: /elsewhere",
}
"""Further headers."""

LEFTOVERS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "newline": b"\r\n",
    "an answer": good(9),
    "an answer and a half": good(9) + good(8)[:30],
    "a page": b"<html>" + b"x" * 5000,
}
"""What comes after the answer."""

BODIES: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "result": result(1),
    "umlauts": '{"jsonrpc":"2.0","id":1,"result":"\u00fc\u00e9\u4e2d"}'.encode(),
    "no UTF-8": b'{"jsonrpc":"2.0","id":1,"result":"\xff\xfe"}',
    "looks like HTTP": good(9),
    "some kB": result(1) + b" " * 5000,
    "70 kB": result(1) + b" " * 70_000,
    "300 kB": result(1) + b" " * 300_000,
}


def one_of(names: dict[str, object] | list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(list(names))


@st.composite
def chunks(draw: st.DrawFn, body: bytes, labels: set[str]) -> bytes:
    """A body in chunks, sometimes wrongly."""
    paths = draw(st.lists(st.integers(1, max(1, len(body) - 1)), max_size=3, unique=True)) if len(body) > 1 else []
    said = bytearray()
    for chunk in [piece for piece in cut(body, paths) if piece]:
        form = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"0000000%x"]))
        said += form % len(chunk) + draw(st.sampled_from([b""] * 12 + SIZES)) + b"\r\n" + chunk + b"\r\n"
    wrong = draw(st.sampled_from(["right"] * 12 + ["size", "longer chunk", "no newline", "cut", "no end", "newlines"]))
    if wrong != "right":
        labels.add(f"chunks: {wrong}")
    trailer = draw(st.sampled_from([b""] * 6 + [b"x-t: 1\r\n", b"content-length: 5\r\n", b"bad\r\n", b"x-u: \xff\r\n"]))
    if trailer:
        labels.add("trailer")
    end = {
        "size": draw(st.sampled_from(WRONG_SIZES)) + b"\r\nabcde\r\n0\r\n\r\n",
        "longer chunk": b"5\r\nabcdefgh\r\n0\r\n\r\n",
        "no newline": b"3\r\nabc0\r\n\r\n",
        "cut": b"ff\r\nabc",
        "no end": b"",
    }.get(wrong, b"0\r\n" + trailer + b"\r\n")
    whole = bytes(said) + end
    return whole.replace(b"\r\n", b"\n") if wrong == "newlines" else whole


@st.composite
def wild_answers(draw: st.DrawFn) -> Wild:
    """Any answer to the call with number 1."""
    labels: set[str] = set()
    body_name, coding = draw(one_of(list(BODIES))), draw(st.sampled_from(["none"] * 20 + list(CODINGS)))
    labels |= {f"body: {body_name}", f"coding: {coding}"}
    said, packed = CODINGS[coding]
    body = packed(BODIES[body_name])
    status = draw(st.sampled_from(STATUSES))
    version = draw(st.sampled_from([b"HTTP/1.1"] * 12 + [b"HTTP/1.0"] * 3 + [b"HTTP/2", b"http/1.1", b"HTTP/0.9"]))
    labels |= {f"status: {status.decode('latin-1')}", f"version: {version.decode()}"}
    lines = [version + b" " + status, JSON]
    if said:
        lines.append(b"content-encoding: " + said)
    for name in draw(st.lists(st.sampled_from(list(EXTRAS)), max_size=2, unique=True)) if draw(st.booleans()) else []:
        labels.add(f"header: {name}")
        lines.insert(draw(st.integers(1, len(lines))), EXTRAS[name])
    kind = draw(st.sampled_from(["length"] * 5 + ["chunks"] * 4 + ["nothing"]))
    if kind == "length":
        name = draw(st.sampled_from(["right"] * 10 + list(LENGTHS)))
        lines += LENGTHS[name](len(body))
    elif kind == "chunks":
        name = draw(st.sampled_from(["chunked"] * 12 + list(CODED_TRANSFERS)))
        lines += CODED_TRANSFERS[name]
        body = draw(chunks(body, labels))
    else:
        name = "to the end"
    labels.add(f"framing: {name}")
    data = b"\r\n".join(lines) + b"\r\n\r\n"
    if draw(st.integers(0, 9)) == 9:
        labels.add("newlines: LF")
        data = data.replace(b"\r\n", b"\n")
    for early in draw(st.lists(st.sampled_from([100, 102, 103, 101, 199]), max_size=3)) if draw(st.booleans()) else []:
        labels.add(f"early: {early}")
        data = b"HTTP/1.1 %d Wait\r\nx-early: 1\r\n\r\n" % early + data
    leftover = draw(st.sampled_from(["nothing"] * 10 + list(LEFTOVERS)))
    labels.add(f"leftover: {leftover}")
    data += body + LEFTOVERS[leftover]
    end = draw(st.sampled_from([End.KEEP] * 4 + [End.CLOSE] * 3 + [End.RESET]))
    labels.add(f"end: {end.value}")
    paths = draw(st.lists(st.integers(0, len(data)), max_size=6))
    answer = Answer(tuple(piece for piece in cut(data, paths) if piece), end, draw(st.integers(0, 3)))
    return Wild(data, answer, frozenset(labels))
