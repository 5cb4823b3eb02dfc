"""Bodies that no server should send: lengths, chunks, codings, streams of events, and what is no MCP message."""

from __future__ import annotations

import gzip
import zlib

from tests.support.servers.any_http_answer import CODINGS
from tests.support.servers.hostile_answers import (
    BODY,
    BROKEN,
    CHUNKED,
    ENDED,
    JSON,
    LIMIT,
    LOST,
    SSE,
    TOO_LARGE,
    TOO_MUCH,
    TRUNCATED,
    Hostile,
    Wanted,
    chunked,
    closed,
    endless,
    events,
    kept,
    lines,
    said,
    silent,
)
from tests.support.servers.numbered_calls import Answer, End, good
from tests.support.servers.raw_server import response

UMLAUTS = '{"jsonrpc":"2.0","id":1,"result":"Grüße"}'
LARGE = BODY + b" " * 300_000


def length(said: bytes, body: bytes = BODY) -> bytes:
    return lines(JSON, b"content-length: " + said) + body


N = b"%d" % len(BODY)
LENGTHS: list[Hostile] = [
    kept("a length short by one", length(b"%d" % (len(BODY) - 1)), said(body=BODY[:-1])),
    kept(
        "a length in characters",
        length(b"%d" % len(UMLAUTS), UMLAUTS.encode()),
        said(body=UMLAUTS.encode()[: len(UMLAUTS)]),
    ),
    kept("a length of 0 and a body", length(b"0"), said(body=b"")),
    kept("a large length short by one", length(b"300000", LARGE[:300_001]), said(body=LARGE[:300_000])),
    kept("two answers at once", length(N) + good(9), said()),
    kept("three answers at once", length(N) + good(9) + good(8), said()),
    kept("an answer and the head of another", length(N) + good(9)[:20], said()),
    kept("an answer and a newline", length(N) + b"\r\n", said()),
    kept("an answer and a zero byte", length(N) + b"\0", said()),
    kept("an answer and a page", length(N) + b"<html>" + b"x" * 100_000, said()),
    kept("a large answer and another", length(b"300000", LARGE[:300_000]) + good(9), said(body=LARGE[:300_000])),
    kept("a large answer and null", length(b"300000", LARGE[:300_000]) + b"null", said(body=LARGE[:300_000])),
    kept("an answer and 408", length(N) + response(b"", status=b"408 Request Timeout"), said()),
    closed("a length too long", length(b"99"), TRUNCATED),
    silent("a length too long, and silence", length(b"99"), TRUNCATED),
    Hostile("a length too long, and a reset", Answer([length(b"99")], End.RESET), BROKEN),
    closed("a large length too long", length(b"400000", LARGE), TRUNCATED),
    Hostile("a large length too long, and a reset", Answer([length(b"400000", LARGE)], End.RESET), BROKEN),
    kept("a length of 1 TB", length(b"1000000000000"), TOO_LARGE),
    kept("a length of 2^63", length(b"9223372036854775808"), TOO_LARGE),
    kept("a length of 20 digits", length(b"99999999999999999999"), TOO_LARGE),
    kept("a length of 30 digits", length(b"9" * 30), LOST),
    kept("a length just beyond what is taken", length(b"%d" % (LIMIT + 1)), TOO_LARGE),
    kept("a length of leading zeros", length(b"0000" + N), said()),
    kept("a length below zero", length(b"-" + N), LOST),
    kept("a length with a plus", length(b"+" + N), LOST),
    kept("a length in hexadecimal", length(b"0x24"), LOST),
    kept("a length with an exponent", length(b"1e3"), LOST),
    kept("a length with a fraction", length(N + b".0"), LOST),
    kept("a length with a unit", length(N + b" bytes"), LOST),
    kept("a length in other digits", length("\u0663\u0666".encode()), LOST),
    kept("a length with an underscore", length(b"3_6"), LOST),
    kept("an empty length", length(b""), LOST),
    kept("two lengths that differ", lines(JSON, b"content-length: 2", b"content-length: " + N) + BODY, LOST),
    kept("two lengths that agree", lines(JSON, b"content-length: " + N, b"content-length: " + N) + BODY, said()),
    kept("a list of lengths that differ", length(N + b", 2"), LOST),
    kept("a list of lengths that agree", length(N + b", " + N), said()),
    closed("no length", lines(JSON) + BODY, said()),
    silent("no length, and it stays", lines(JSON) + BODY, said()),
    Hostile("no length, and a reset", Answer([lines(JSON) + BODY], End.RESET), BROKEN),
    closed("connection: close without a length", lines(JSON, b"connection: close") + BODY, said()),
    kept("HTTP/1.0 that stays", length(N).replace(b"HTTP/1.1", b"HTTP/1.0"), said()),
    closed("HTTP/1.0 without a length", lines(JSON, status=b"HTTP/1.0 200 OK") + BODY, said()),
    kept("204 with null", response(b"null", status=b"204 No Content"), said(204, b"")),
    kept("204 with null and no length", response(b"null", status=b"204 No Content", length=-1), said(204, b"")),
    kept("204 with an answer", response(good(9), status=b"204 No Content"), said(204, b"")),
    kept("204 with 500 kB", response(b"x" * 500_000, status=b"204 No Content"), said(204, b"")),
    kept("204 with chunks", lines(CHUNKED, status=b"HTTP/1.1 204 None") + b"4\r\nnull\r\n0\r\n\r\n", said(204, b"")),
    kept("204 with 1 TB announced", response(b"", status=b"204 No Content", length=10**12), said(204, b"")),
    kept("304 with 1 TB announced", response(b"", status=b"304 Not Modified", length=10**12), said(304, b"")),
    kept("205 with a body", response(b"null", status=b"205 Reset"), said(205, b"null")),
    kept("304 with a body", response(BODY, status=b"304 Not Modified"), said(304, b"")),
    kept("202 with a body too long", response(b"Accepted!", status=b"202 Accepted", length=8), said(202, b"Accepted")),
    kept("202 with a long body", response(b"x" * 900_000, status=b"202 Accepted"), said(202, b"x" * 900_000)),
    closed("503 cut off", response(b"<html>", status=b"503 Busy", length=99), said(503, b"")),
    closed("404 without a length", lines(status=b"HTTP/1.1 404 Not Found") + b"nothing", said(404, b"nothing")),
]

GOOD_CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
LAST = b"0\r\n\r\n"


def chunk(size: bytes) -> bytes:
    return chunked(size + b"\r\n" + BODY + b"\r\n" + LAST)


def transfer(*headers: bytes) -> bytes:
    return lines(JSON, *headers) + GOOD_CHUNK + LAST


CHUNKS: list[Hostile] = [
    kept("20,000 chunks of one byte", chunked(b"1\r\n \r\n" * 20_000, LAST), said(body=b" " * 20_000)),
    kept("one-byte chunks", chunked(*(b"1\r\n%c\r\n" % byte for byte in BODY), LAST), said()),
    kept("a size with zeros before", chunk(b"00000024"), said()),
    kept("a size in capitals", chunked(b"1E\r\n" + b" " * 30 + b"\r\n" + LAST), said(body=b" " * 30)),
    kept("an extension", chunk(b'24;a="b;c";d'), said()),
    kept("an extension of 10 kB", chunk(b"24;" + b"x" * 10_000), said()),
    endless("an extension without an end", chunked(b"24;"), b"x", BROKEN),
    kept("a size of nothing", chunk(b""), BROKEN),
    kept("a size below zero", chunk(b"-24"), BROKEN),
    kept("a size with a plus", chunk(b"+24"), BROKEN),
    kept("a size with 0x", chunk(b"0x24"), BROKEN),
    kept("a size with an underscore", chunk(b"2_4"), BROKEN),
    kept("a size with a space before", chunk(b" 24"), BROKEN),
    kept("a size that is none", chunk(b"zz"), BROKEN),
    kept("a size of 21 digits", chunk(b"f" * 21), BROKEN),
    closed("a size of 16 digits", chunk(b"f" * 16), TOO_MUCH),
    endless("a size without an end", chunked(), b"0", BROKEN),
    kept("a chunk longer than its size", chunk(b"20"), BROKEN),
    kept("a chunk shorter than its size", chunked(b"2f\r\n" + BODY + b"\r\n" + b"0\r\n\r\nabcdefgh"), BROKEN),
    kept("chunks without newlines between", chunked(b"2\r\n{}" + LAST), BROKEN),
    closed("chunks with LF", chunked((GOOD_CHUNK + LAST).replace(b"\r\n", b"\n")), BROKEN),
    kept("chunks with an empty line between", chunked(GOOD_CHUNK, b"\r\n", LAST), BROKEN),
    closed("chunks without an end", chunked(GOOD_CHUNK), TRUNCATED),
    silent("chunks without an end, and silence", chunked(GOOD_CHUNK), TRUNCATED),
    Hostile("chunks without an end, and a reset", Answer([chunked(GOOD_CHUNK)], End.RESET), BROKEN),
    closed("chunks cut in a size", chunked(GOOD_CHUNK, b"1"), TRUNCATED),
    closed("chunks cut in a chunk", chunked(b"24\r\n{"), TRUNCATED),
    closed("chunks cut in the end", chunked(GOOD_CHUNK, b"0\r\n"), TRUNCATED),
    endless("chunks for ever", chunked(), b"ff\r\n" + b"x" * 255 + b"\r\n", TOO_LARGE),
    endless("large chunks for ever", chunked(), b"8000\r\n" + b"x" * 0x8000 + b"\r\n", TOO_LARGE),
    kept("a trailer", chunked(GOOD_CHUNK, b"0\r\nx-t: 1\r\n\r\n"), said()),
    kept("a trailer with a length", chunked(GOOD_CHUNK, b"0\r\ncontent-length: 9\r\n\r\n"), said()),
    kept("a trailer that is none", chunked(GOOD_CHUNK, b"0\r\nnothing\r\n\r\n"), BROKEN),
    endless("trailers for ever", chunked(GOOD_CHUNK, b"0\r\n"), b"x: y\r\n", BROKEN),
    endless("a trailer without an end", chunked(GOOD_CHUNK, b"0\r\nx: "), b"y", BROKEN),
    kept("chunks, and another answer", chunked(GOOD_CHUNK, LAST) + good(9), said()),
    kept("chunks, and null", chunked(GOOD_CHUNK, LAST) + b"null", said()),
    kept("chunks, and a second end", chunked(GOOD_CHUNK, LAST) + LAST, said()),
    kept("chunks and a length", transfer(CHUNKED, b"content-length: 3"), said()),
    kept("a length and chunks", transfer(b"content-length: 3", CHUNKED), said()),
    kept("chunks and 1 TB", transfer(CHUNKED, b"content-length: 1000000000000"), said()),
    kept("Chunked", transfer(b"TRANSFER-ENCODING: CHUNKED"), said()),
    kept("chunked twice in a list", transfer(b"transfer-encoding: chunked, chunked"), LOST),
    kept("chunked in two headers", transfer(CHUNKED, CHUNKED), LOST),
    kept("gzip, chunked", transfer(b"transfer-encoding: gzip, chunked"), LOST),
    kept("transfer-encoding: identity", transfer(b"transfer-encoding: identity"), LOST),
    kept("an unknown transfer-encoding", transfer(b"transfer-encoding: xchunked"), LOST),
    kept("chunked with a parameter", transfer(b"transfer-encoding: chunked;q=1"), LOST),
    kept("a vertical tab before chunked", transfer(b"transfer-encoding: \x0bchunked"), LOST),
    closed("an empty transfer-encoding", transfer(b"transfer-encoding:"), LOST),
    closed("chunks in HTTP/1.0", transfer(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"), said()),
]


def coded(coding: bytes, body: bytes) -> bytes:
    return response(body, JSON, b"content-encoding: " + coding)


def by(name: str, wanted: Wanted) -> Hostile:
    coding, pack = CODINGS[name]
    return kept(f"coding: {name}", coded(coding, pack(BODY)), wanted)


MANY_LINES = LIMIT // 16
"""Enough lines that count one byte each."""
BOMB = gzip.compress(b"\0" * (16 << 20), mtime=0)
HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"
EMPTY_MEMBER = gzip.compress(b"", mtime=0)
CODED: list[Hostile] = [
    *(by(name, said()) for name in ("identity", "gzip", "GZIP", "x-gzip", "deflate", "raw deflate", "two members")),
    *(by(name, said()) for name in ("unknown coding", "zeros after gzip", "garbage after gzip")),
    *(by(name, TRUNCATED) for name in ("cut gzip", "cut deflate", "wrong checksum")),
    *(by(name, TRUNCATED) for name in ("gzip that is none", "deflate that is none")),
    kept("an empty coding", coded(b"", BODY), said()),
    kept("a coding that is none", coded(b"\xff,;", BODY), said()),
    kept("gzip with nothing in it", coded(b"gzip", EMPTY_MEMBER), said(body=b"")),
    kept("a gzip bomb", coded(b"gzip", BOMB), TOO_LARGE),
    kept("a deflate bomb", coded(b"deflate", zlib.compress(b"\0" * (16 << 20))), TOO_LARGE),
    kept("a bomb of many members", coded(b"gzip", gzip.compress(b"\0" * (1 << 20), mtime=0) * 16), TOO_LARGE),
    kept("20,000 empty members", coded(b"gzip", EMPTY_MEMBER * 20_000), said(body=b"")),
    kept("a bomb with an error", response(BOMB, JSON, b"content-encoding: gzip", status=b"500 Oops"), TOO_LARGE),
    closed("a gzip header and no more", coded(b"gzip", HEADER), TRUNCATED),
    kept("a gzip name without an end", coded(b"gzip", HEADER + b"n" * 400_000), TRUNCATED),
    kept("204 with gzip", response(BOMB[:99], b"content-encoding: gzip", status=b"204 None"), said(204, b"")),
    closed("gzip cut by the connection", response(BOMB[:99], JSON, b"content-encoding: gzip", length=200), TRUNCATED),
]


def stream(body: bytes, *headers: bytes) -> bytes:
    """A stream that lasts as long as its connection."""
    return lines(SSE, *headers) + body


STREAMS: list[Hostile] = [
    closed("a stream of nothing", stream(b""), events()),
    silent("a stream of nothing, and silence", stream(b""), events()),
    closed("a stream of comments", stream(b": still here\n\n" * 100_000), events()),
    closed("a stream of newlines", stream(b"\n" * 1_000_000), events()),
    closed("a stream that ends in an event", stream(b"data: 1\n\ndata: 2\n"), events(b"1")),
    closed("retry: 0", stream(b"retry: 0\ndata: 1\n\n"), events(b"1")),
    closed("retry of 400 digits", stream(b"retry: " + b"9" * 400 + b"\ndata: 1\n\n"), events(b"1")),
    closed("retry of 10,000 digits", stream(b"retry: " + b"9" * 10_000 + b"\ndata: 1\n\n"), events(b"1")),
    closed("an id with a NUL", stream(b"id: a\0b\ndata: 1\n\n"), events(b"1")),
    closed("events that are no UTF-8", stream(b"data: \xff\xfe\xed\xa0\x80\n\n"), events(b"\xff\xfe\xed\xa0\x80")),
    closed("events in UTF-16", stream("data: 1\n\n".encode("utf-16")), events()),
    closed("CR alone", stream(b"data: 1\r\rdata: 2\r\r"), events(b"1", b"2")),
    closed("a byte order mark", stream(b"\xef\xbb\xbfdata: 1\n\n"), events(b"1")),
    closed("20,000 events", stream(b"data: 1\n\n" * 20_000), events(*[b"1"] * 20_000)),
    closed("a line without an end", stream(b"data: " + b"x" * (LIMIT + 100)), TOO_LARGE),
    endless("a line for ever", stream(b"data: "), b"x", TOO_LARGE),
    endless("a comment for ever", stream(b": "), b"x", TOO_LARGE),
    endless("a field name for ever", stream(b""), b"x", TOO_LARGE),
    endless("an event for ever", stream(b""), b"data: xxxxxxxx\n", TOO_LARGE, limit=MANY_LINES),
    endless("an event of empty lines for ever", stream(b""), b"data:\n", TOO_LARGE, limit=MANY_LINES),
    endless("an event of bare names for ever", stream(b""), b"data\n", TOO_LARGE, limit=MANY_LINES),
    closed("an id of 3 MB", stream(b"id: " + b"x" * 3_000_000 + b"\ndata: 1\n\n"), TOO_LARGE),
    closed("a type of 3 MB", stream(b"event: " + b"x" * 3_000_000 + b"\ndata: 1\n\n"), TOO_LARGE),
    closed("a stream that gzip makes large", stream(BOMB, b"content-encoding: gzip"), TOO_LARGE),
    closed("a stream in gzip", stream(gzip.compress(b"data: 1\n\n", mtime=0), b"content-encoding: gzip"), events(b"1")),
    closed("a stream cut in gzip", stream(BOMB[:20], b"content-encoding: gzip"), ENDED),
    closed("a stream that is no gzip", stream(b"data: 1\n\n", b"content-encoding: gzip"), ENDED),
    kept("a stream with a length", response(b"data: 1\n\n", SSE), events(b"1")),
    kept("a stream with a large length", response(b"data: 1\n\n" + b"\n" * 300_000, SSE), events(b"1")),
    silent("a stream with 1 TB announced", stream(b"data: 1\n\n", b"content-length: 1000000000000"), events(b"1")),
    kept("a stream with a length too short", response(b"data: 1\n\ndata: 2\n\n", SSE, length=9), events(b"1")),
    closed("a stream with a length too long", response(b"data: 1\n\n", SSE, length=99), events(b"1")),
    kept("a stream in chunks", stream(b"9\r\ndata: 1\n\n\r\n0\r\n\r\n", CHUNKED), events(b"1")),
    kept("a stream in wrong chunks", stream(b"9\r\ndata: 1\n\n\r\nzz\r\n", CHUNKED), events(b"1")),
    Hostile("a stream that is reset", Answer([stream(b"data: 1\n\n"), b": x\n"], End.RESET, 20), events(b"1")),
    kept("a stream, and another answer", response(b"data: 1\n\n", SSE) + good(9), events(b"1")),
    kept("204 with a stream", lines(SSE, status=b"HTTP/1.1 204 None"), events(status=204)),
    kept("400 with a stream", response(b"data: 1\n\n", SSE, status=b"400 Bad"), said(400, b"data: 1\n\n")),
    kept("JSON called a stream", response(BODY, SSE), events()),
    kept("a stream called JSON", response(b"data: 1\n\n", JSON), said(body=b"data: 1\n\n")),
    kept("a stream in capitals", response(b"data: 1\n\n", b"Content-Type: TEXT/EVENT-STREAM ; x"), events(b"1")),
    kept("nearly a stream", response(b"data: 1\n\n", b"content-type: text/event-streams"), said(body=b"data: 1\n\n")),
]


def body(data: bytes, kind: bytes = JSON) -> bytes:
    return response(data, kind)


NO_MESSAGES: list[Hostile] = [
    kept(f"a body of {name}", body(data, kind), said(body=data))
    for name, data, kind in [
        ("HTML", b"<!doctype html><title>Sign in</title>", b"content-type: text/html"),
        ("HTML called JSON", b"<!doctype html><title>Sign in</title>", JSON),
        ("invalid UTF-8", b'{"jsonrpc":"2.0","id":1,"result":"\xff"}', JSON),
        ("lone surrogates", b'{"jsonrpc":"2.0","id":1,"result":"\xed\xa0\x80"}', JSON),
        ("UTF-16", BODY.decode().encode("utf-16"), JSON),
        ("a byte order mark", b"\xef\xbb\xbf" + BODY, JSON),
        ("nested JSON", b"[" * 100_000 + b"]" * 100_000, JSON),
        ("a number of a million digits", b"1" * 1_000_000, JSON),
        ("zero bytes", b"\0" * 1000, JSON),
        ("nothing", b"", JSON),
        ("newlines", b"\r\n" * 1000, JSON),
        ("as much as is taken", b" " * LIMIT, JSON),
    ]
]

BODIES = [*LENGTHS, *CHUNKS, *CODED, *STREAMS, *NO_MESSAGES]
