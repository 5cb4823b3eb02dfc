"""Heads that no server should send: what is not HTTP, status lines, headers, redirects."""

from __future__ import annotations

from tests.support.servers.hostile_answers import (
    BODY,
    CHUNKED,
    JSON,
    LOST,
    OTHER_PROTOCOL,
    PROTOCOL,
    REDIRECTED,
    SSE,
    TOO_MUCH,
    Hostile,
    closed,
    endless,
    kept,
    lines,
    said,
    silent,
)
from tests.support.servers.numbered_calls import Answer, End, good
from tests.support.servers.raw_server import response

GOOD = response(BODY, JSON)

NOT_HTTP: list[Hostile] = [
    closed("nothing", b"", LOST),
    Hostile("a reset", Answer([], End.RESET), LOST),
    silent("silence", b"", LOST),
    closed("an empty line", b"\r\n", LOST),
    closed("a newline", b"\n", LOST),
    closed("four zero bytes", b"\0\0\0\0", LOST),
    closed("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", LOST),
    closed(
        "the settings of HTTP/2",
        b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x01\0\0\0\x05\0\0\x40\0",
        OTHER_PROTOCOL,
    ),
    closed("an HTTP/2 GOAWAY", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01", OTHER_PROTOCOL),
    closed("a TLS alert", b"\x15\x03\x01\0\x02\x02\x46", OTHER_PROTOCOL),
    silent("a TLS alert, and silence", b"\x15\x03\x03\0\x02\x02\x28", OTHER_PROTOCOL),
    closed("a TLS handshake", b"\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03" + b"x" * 118, OTHER_PROTOCOL),
    closed("an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n", LOST),
    silent("a mail server", b"220 mail.example.com ESMTP\r\n", LOST),
    closed("a Redis error", b"-ERR unknown command 'POST'\r\n", LOST),
    closed("a page without a head", b"<html><body>hello</body></html>", LOST),
    closed("JSON without a head", BODY + b"\n", LOST),
    closed("events without a head", b"data: 1\n\ndata: 2\n\n", LOST),
    closed("the request, sent back", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}", LOST),
    closed("a byte order mark first", b"\xef\xbb\xbf" + GOOD, LOST),
    closed("spaces first", b"  " + GOOD, LOST),
    endless("zeros for ever", b"", b"\0", LOST),
    endless("letters for ever", b"", b"abc", LOST),
    endless("newlines for ever", b"", b"\r\n", LOST),
]


def status(line: bytes) -> bytes:
    return lines(JSON, b"content-length: %d" % len(BODY), status=line) + BODY


STATUS_LINES: list[Hostile] = [
    kept("no status", status(b"HTTP/1.1"), LOST),
    kept("an empty status", status(b"HTTP/1.1 "), LOST),
    kept("status 000", status(b"HTTP/1.1 000 Zero"), LOST),
    kept("status 099", status(b"HTTP/1.1 099 Low"), LOST),
    kept("status 20", status(b"HTTP/1.1 20 OK"), LOST),
    kept("status 2000", status(b"HTTP/1.1 2000 OK"), LOST),
    kept("status 2OO", status(b"HTTP/1.1 2OO OK"), LOST),
    kept("status -200", status(b"HTTP/1.1 -200 OK"), LOST),
    kept("status +200", status(b"HTTP/1.1 +200 OK"), LOST),
    kept("status 200.0", status(b"HTTP/1.1 200.0 OK"), LOST),
    kept("a status in other digits", status("HTTP/1.1 \u0662\u0660\u0660 OK".encode()), LOST),
    kept("status 299", status(b"HTTP/1.1 299 Odd"), said(299)),
    kept("status 600", status(b"HTTP/1.1 600 Odd"), said(600)),
    kept("status 999", status(b"HTTP/1.1 999 Odd"), said(999)),
    kept("no reason", status(b"HTTP/1.1 200"), said()),
    kept("a reason in UTF-8", status("HTTP/1.1 200 Grün".encode()), said()),
    kept("a reason of 50 kB", status(b"HTTP/1.1 200 " + b"y" * 50_000), said()),
    kept("a NUL in the reason", status(b"HTTP/1.1 200 O\0K"), LOST),
    kept("two spaces before the status", status(b"HTTP/1.1  200 OK"), LOST),
    kept("a tab before the status", status(b"HTTP/1.1\t200 OK"), LOST),
    kept("no space before the status", status(b"HTTP/1.1200 OK"), LOST),
    kept("version 11", status(b"HTTP/11 200 OK"), LOST),
    kept("version 1.10", status(b"HTTP/1.10 200 OK"), LOST),
    kept("version 1,1", status(b"HTTP/1,1 200 OK"), LOST),
    kept("version 2", status(b"HTTP/2 200 OK"), LOST),
    kept("a small http", status(b"http/1.1 200 OK"), LOST),
    kept("ICY", status(b"ICY 200 OK"), LOST),
    endless("a status line without an end", b"HTTP/1.1 200 ", b"y", LOST),
    closed("101 without being asked", lines(b"upgrade: h2c", b"connection: upgrade", status=b"HTTP/1.1 101 Go"), LOST),
    closed("100 and no more", lines(status=b"HTTP/1.1 100 Continue"), LOST),
    kept(
        "100, 102 and 103 first", b"".join(lines(status=b"HTTP/1.1 %d W" % n) for n in (100, 102, 103)) + GOOD, said()
    ),
    kept("100 with a length", lines(b"content-length: 5", status=b"HTTP/1.1 100 Continue") + GOOD, said()),
    endless("100 for ever", b"", lines(status=b"HTTP/1.1 100 Continue"), LOST, 4 << 20),
    endless("103 with links for ever", b"", lines(b"link: <a>", status=b"HTTP/1.1 103 Early"), LOST, 4 << 20),
]


def with_header(*header: bytes) -> bytes:
    return lines(JSON, *header, b"content-length: %d" % len(BODY)) + BODY


def numbered(form: bytes, count: int) -> bytes:
    return with_header(*(form % number for number in range(count)))


HEADERS: list[Hostile] = [
    kept("no colon", with_header(b"nothing"), LOST),
    kept("no name", with_header(b": value"), LOST),
    kept("a space in a name", with_header(b"x y: a"), LOST),
    kept("a space before the colon", with_header(b"x : a"), LOST),
    kept("a tab before the colon", with_header(b"x\t: a"), LOST),
    kept("a length with a space before the colon", lines(JSON, b"content-length : 2") + b"{}", LOST),
    kept("a NUL in a name", with_header(b"x\0y: a"), LOST),
    kept("a NUL in a value", with_header(b"x: a\0b"), LOST),
    kept("UTF-8 in a name", with_header("grün: a".encode()), LOST),
    kept("a slash in a name", with_header(b"x/y: a"), LOST),
    kept("a CR in a value", with_header(b"x: a\rb"), LOST),
    kept("a folded line", with_header(b"x: a", b"  folded"), said()),
    kept("a folded line at first", lines(b" folded", JSON, b"content-length: 2") + b"{}", LOST),
    kept("UTF-8 in a value", with_header("x: grün".encode()), said()),
    kept("bytes above 127 in a value", with_header(b"x: \xff\xfe\x80"), said()),
    kept("a header that says nothing", with_header(b"x:"), said()),
    kept("LF alone", GOOD.replace(b"\r\n", b"\n"), said()),
    kept("LF here and CRLF there", with_header(b"x: a").replace(b"x: a\r\n", b"x: a\n"), said()),
    kept("500 headers", numbered(b"x-%d: a", 500), said()),
    closed("20,000 headers", numbered(b"x-%d: a", 20_000), TOO_MUCH),
    kept("500 cookies", numbered(b"set-cookie: c%d=v", 500), said()),
    kept("one cookie 1,000 times", with_header(*[b"set-cookie: same=v"] * 1000), said()),
    kept("a cookie of 50 kB", with_header(b"set-cookie: c=" + b"v" * 50_000), said()),
    kept("cookies that are none", with_header(b"set-cookie: =", b"set-cookie:", b"set-cookie: ;;;=\xff"), said()),
    closed("20,000 cookies", numbered(b"set-cookie: c%d=v", 20_000), TOO_MUCH),
    endless("a header without an end", b"HTTP/1.1 200 OK\r\nx: ", b"y", LOST),
    endless("a name without an end", b"HTTP/1.1 200 OK\r\n", b"y", LOST),
    endless("headers for ever", b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", LOST),
    endless("a folded line for ever", b"HTTP/1.1 200 OK\r\nx: y\r\n", b" y\r\n", LOST),
    closed("a head cut in a name", b"HTTP/1.1 200 OK\r\ncontent-le", LOST),
    closed("a head cut after the status line", b"HTTP/1.1 200 OK\r\n", LOST),
    closed("a head without its last line", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", LOST),
    silent("half a head, and silence", b"HTTP/1.1 200 OK\r\ncontent-le", LOST),
    Hostile("half a head, and a reset", Answer([b"HTTP/1.1 200 OK\r\ncontent-le"], End.RESET), LOST),
    kept("a session id with a space", with_header(b"mcp-session-id: a b"), PROTOCOL),
    kept("an empty session id", with_header(b"mcp-session-id:"), PROTOCOL),
    kept("a session id of 5 kB", with_header(b"mcp-session-id: " + b"s" * 5000), PROTOCOL),
    kept("two kinds of content", with_header(b"content-type: text/html"), said()),
    kept("no kind of content", lines(b"content-length: 2") + b"{}", said(body=b"{}")),
    kept(
        "a kind of content that is none",
        lines(b"content-type: \xff;;=", b"content-length: 2") + b"{}",
        said(body=b"{}"),
    ),
    kept("a time to come back that is none", with_header(b"retry-after: Thu, 99 Xxx 0000 99:99:99"), said()),
    kept("a time to come back of 400 digits", with_header(b"retry-after: " + b"9" * 400), said()),
    kept("keep-alive of no time", with_header(b"keep-alive: timeout=0"), said()),
    kept("keep-alive of less than no time", with_header(b"keep-alive: timeout=-5"), said()),
    kept("keep-alive of 100 digits", with_header(b"keep-alive: timeout=" + b"9" * 100), said()),
    kept("keep-alive that is none", with_header(b"keep-alive: ,;=timeout=\xff"), said()),
    kept("connection: close, and it stays", with_header(b"connection: close"), said()),
    kept("connection: keep-alive, close", with_header(b"connection: keep-alive, close"), said()),
    kept("an upgrade that was not requested", with_header(b"connection: upgrade", b"upgrade: websocket"), said()),
    kept("a redirect's location without a redirect", with_header(b"location: http://127.0.0.1:9/"), said()),
    kept("a trailer announced, and none", with_header(b"trailer: expires"), said()),
]


def moved(location: bytes, status: bytes = b"HTTP/1.1 307 Moved") -> bytes:
    return lines(b"location: " + location, b"content-length: 0", status=status)


THEN_GOOD = Answer([good(1)])
REDIRECTS: list[Hostile] = [
    Hostile("a circle", [Answer([moved(b"/")])] * 20, REDIRECTED),
    Hostile("a circle of two", [Answer([moved(b"/a")]), Answer([moved(b"/b")])] * 10, REDIRECTED),
    Hostile("a chain of 20", [Answer([moved(b"/%d" % n)]) for n in range(20)], REDIRECTED),
    Hostile("a chain of 4", [*(Answer([moved(b"/%d" % n)]) for n in range(4)), THEN_GOOD], said()),
    kept("to another host", moved(b"http://example.com/"), REDIRECTED),
    kept("to another port", moved(b"http://127.0.0.1:9/"), REDIRECTED),
    kept("to another scheme", moved(b"https://127.0.0.1/"), REDIRECTED),
    kept("to another host without a scheme", moved(b"//example.com/"), REDIRECTED),
    kept("to another host by a user's name", moved(b"http://127.0.0.1@example.com/"), REDIRECTED),
    kept("to a script", moved(b"javascript:alert(1)"), REDIRECTED),
    kept("to a file", moved(b"file:///etc/passwd"), REDIRECTED),
    kept("to a scheme alone", moved(b"http://"), REDIRECTED),
    kept("to a port that is none", moved(b"http://127.0.0.1:99999999/"), REDIRECTED),
    kept("to an IPv6 host that is none", moved(b"http://[::1/"), REDIRECTED),
    kept("to bytes above 127", moved(b"/\xff\xfe"), REDIRECTED),
    kept("303 See Other", moved(b"/a", b"HTTP/1.1 303 See Other"), REDIRECTED),
    kept("307 to nowhere", lines(b"content-length: 0", status=b"HTTP/1.1 307 Moved"), said(307, b"")),
    kept("300 with choices", moved(b"/a", b"HTTP/1.1 300 Choose"), said(300, b"")),
    kept("304 with a location", moved(b"/a", b"HTTP/1.1 304 Same"), said(304, b"")),
    Hostile("with a page", [Answer([response(b"<p>", b"location: /a", status=b"307 M")]), THEN_GOOD], said()),
    Hostile("with leftovers", [Answer([moved(b"/a") + b"null"]), THEN_GOOD], said()),
    Hostile("and its answer in one", [Answer([moved(b"/a") + good(9)]), THEN_GOOD], said()),
    Hostile(
        "with a body that never comes",
        [Answer([lines(b"location: /a", b"content-length: 9", status=b"HTTP/1.1 307 M")]), THEN_GOOD],
        said(),
    ),
    Hostile(
        "with a body without an end",
        [Answer([lines(b"location: /a", CHUNKED, status=b"HTTP/1.1 307 M") + b"1\r\na\r\n" * 9]), THEN_GOOD],
        said(),
    ),
    Hostile(
        "with a stream without an end",
        [Answer([lines(b"location: /a", SSE, status=b"HTTP/1.1 307 M") + b": still here\n\n"]), THEN_GOOD],
        said(),
    ),
    Hostile(
        "with a page of 5 MB",
        [Answer([response(b"p" * 5_000_000, b"location: /a", status=b"307 M")]), THEN_GOOD],
        said(),
    ),
    Hostile(
        "with a body cut off",
        [Answer([response(b"<p>", b"location: /a", status=b"307 M", length=9)], End.CLOSE), THEN_GOOD],
        said(),
    ),
    Hostile(
        "with chunks that are none",
        [Answer([lines(b"location: /a", CHUNKED, status=b"HTTP/1.1 307 M") + b"zz\r\n"]), THEN_GOOD],
        said(),
    ),
]

HEADS = [*NOT_HTTP, *STATUS_LINES, *HEADERS, *REDIRECTS]
