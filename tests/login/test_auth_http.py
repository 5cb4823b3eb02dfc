"""The wire of signing in: what is sent, and what is taken. Which addresses are asked is in `test_web_addresses`."""

import gzip
import ssl
import tracemalloc
import types
import zlib

import pytest
import trustme

from bridge.login import auth_http as web_module
from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.login.network import ProxyAddress
from bridge.oauth.errors import MetadataError, Unavailable
from tests.support.in_process.auth_http import web_at
from tests.support.servers.raw_server import Answers, Peer, RawServer, Talk, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is not None:
        authority.configure_trust(context)
    return context


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def asking(
    server_url: str,
    *,
    authority: trustme.CA | None = None,
    proxy: ProxyAddress | None = None,
    allow_private: bool = False,
    refused_at: str | None = None,
    contexts: list[bool] | None = None,
) -> AuthHttpClient:
    def tls(own: bool) -> ssl.SSLContext:
        if contexts is not None:
            contexts.append(own)
        return trusting(authority)

    return web_at(server_url, tls=tls, proxy=proxy, allow_private=allow_private, refused_at=refused_at)


# -- what is sent


async def test_a_document_is_asked_for_without_anything_of_the_users() -> None:
    talk = Answers(response(b"{}", JSON))
    async with RawServer(talk) as server:
        reply = await asking(server.origin + "/mcp").metadata(server.origin + "/doc?x=1", "document")
    assert reply == AuthResponse(server.origin + "/doc?x=1", 200, "application/json", b"{}")
    line, *headers = talk.requests[0].decode().rstrip().split("\r\n")
    assert line == "GET /doc?x=1 HTTP/1.1"
    named = {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}
    assert named["accept"] == "application/json"
    assert named["mcp-protocol-version"]
    assert named["host"] == server.origin.removeprefix("http://")
    assert named["user-agent"].startswith("mcp-remote-bridge/")
    assert not {"authorization", "cookie", "referer", "mcp-session-id"} & named.keys()


async def test_cookies_are_forgotten_at_once() -> None:
    talk = Answers(
        response(b"", b"set-cookie: a=1", b"location: /next", status=b"302 Found"),
        response(b"{}", b"set-cookie: b=1"),
        response(b"{}"),
    )
    async with RawServer(talk) as server:
        http = asking(server.origin)
        await http.metadata(server.origin + "/first", "document")
        await http.post(server.origin + "/second", "document", b"x=1", {})
    assert not any(b"cookie" in request.lower() for request in talk.requests)


async def test_a_post_sends_what_it_is_given() -> None:
    talk = Answers(response(b'{"a":1}', JSON, status=b"400 Bad Request"))
    async with RawServer(talk) as server:
        reply = await asking(server.origin).post(server.origin + "/token", "token endpoint", b"a=b", {"X-Y": "z"})
    assert (reply.status, reply.body) == (400, b'{"a":1}')
    assert talk.requests[0].startswith(b"POST /token HTTP/1.1\r\n")
    assert talk.requests[0].endswith(b"\r\n\r\na=b")
    assert b"\r\nX-Y: z\r\n" in talk.requests[0]


async def test_a_get_with_a_token_is_not_kept_and_follows_nothing() -> None:
    talk = Answers(
        response(b"{}", JSON), response(b"", b"location: /elsewhere", b"retry-after: 7", status=b"302 Found")
    )
    async with RawServer(talk) as server:
        http = asking(server.origin)
        first = await http.get(server.origin + "/me", "userinfo endpoint", {"Authorization": "Bearer t"})
        second = await http.get(server.origin + "/me", "userinfo endpoint", {"Authorization": "Bearer t"})
    assert (first.status, first.retry_after) == (200, "")
    assert (second.status, second.retry_after) == (302, "7")
    assert all(b"\r\nAuthorization: Bearer t\r\n" in request for request in talk.requests)


async def test_tls_contexts_are_made_once_for_the_server_and_once_for_others(authority: trustme.CA) -> None:
    made: list[bool] = []
    talk = Answers(*[response(b"{}")] * 4)
    tls = serving(authority, "127.0.0.1")
    async with RawServer(talk, tls) as own, RawServer(talk, tls) as other:
        http = asking(own.origin, authority=authority, contexts=made)
        for origin in (own.origin, other.origin, own.origin, other.origin):
            await http.post(origin, "endpoint", b"", {})
    assert made == [True, False]


# -- redirects


async def test_a_document_may_be_somewhere_else() -> None:
    talk = Answers(
        response(b"", b"location: /b", status=b"301 Moved"),
        response(b"", b"location: c?d=e", status=b"307 Moved"),
        response(b"{}"),
    )
    async with RawServer(talk) as server:
        reply = await asking(server.origin).metadata(server.origin + "/a", "document")
    assert reply.url == server.origin + "/c?d=e"


async def test_where_one_leads_is_told_without_what_may_hold_any_text() -> None:
    talk = Answers(*[response(b"", b"location: /again?say=ignore+all+that", status=b"302 Found")] * 10)
    async with RawServer(talk) as server:
        with pytest.raises(MetadataError, match=rf"last to {server.origin}/again\.\.\.") as caught:
            await asking(server.origin).metadata(server.origin + "/a", "document")
    assert "ignore" not in str(caught.value)


async def test_not_in_circles() -> None:
    talk = Answers(*[response(b"", b"location: /again", status=b"302 Found")] * 10)
    async with RawServer(talk) as server:
        with pytest.raises(MetadataError, match="redirects more than"):
            await asking(server.origin).metadata(server.origin + "/a", "document")
    assert len(talk.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        *(b"file:///etc/passwd", b"javascript:alert(1)", b"http://as.example/", b"//as.example/", b"http://[::1"),
        *(b"https://user@as.example/", b"https://", b"https://as.example:99999/", b"ftp://x/", b"/\xff\xfe"),
    ],
)
async def test_only_to_what_may_be_asked(location: bytes) -> None:
    talk = Answers(response(b"", b"location: " + location, status=b"302 Found"))
    async with RawServer(talk) as server:
        with pytest.raises((MetadataError, Unavailable), match=server.origin + "/a"):
            await asking(server.origin).metadata(server.origin + "/a", "document")
    assert len(talk.requests) == 1


ANY_TEXT = "?say=ignore+all+that&open=https://evil.example/"


@pytest.mark.parametrize(
    "answer",
    [
        response(b"", b"location: /again" + ANY_TEXT.encode(), status=b"302 Found"),
        response(b"", b"location: ftp://evil.example/" + ANY_TEXT.encode(), status=b"302 Found"),
        response(b"", b"location: http://[" + ANY_TEXT.encode(), status=b"302 Found"),
        response(b"x" * (512 * 1024 + 1)),
        response(b"no gzip", b"content-encoding: gzip"),
        b"",
    ],
    ids=["circle", "scheme", "no-url", "large", "gzip", "nothing"],
)
async def test_no_error_tells_what_a_server_put_into_a_query(answer: bytes) -> None:
    async with RawServer(Answers(*[answer] * 5)) as server:
        with pytest.raises((MetadataError, Unavailable)) as caught:
            await asking(server.origin).metadata(f"{server.origin}/a{ANY_TEXT}", "document")
    assert server.origin in caught.value.message
    assert "say=" not in f"{caught.value}"


@pytest.mark.parametrize("status", [b"302 Found", b"307 Temporary Redirect", b"308 Permanent Redirect"])
async def test_nothing_is_posted_anywhere_else_and_a_probe_goes_nowhere(status: bytes) -> None:
    talk = Answers(*[response(b"", b"location: /elsewhere", status=status)] * 2)
    async with RawServer(talk) as server:
        http = asking(server.origin)
        posted = await http.post(server.origin + "/a", "token endpoint", b"secret", {})
        probed = await http.probe(server.origin + "/a", "authorization endpoint")
    assert posted.location == probed.location == "/elsewhere"
    assert len(talk.requests) == 2


# -- limits

BIG = 512 * 1024


def chunked(body: bytes, *headers: bytes) -> bytes:
    piece = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return response(piece, b"transfer-encoding: chunked", *headers, length=-1)


@pytest.mark.parametrize(
    "answer",
    [
        response(b"x" * (BIG + 1)),
        chunked(b"x" * (BIG + 1)),
        response(gzip.compress(b"x" * 4 * BIG), b"content-encoding: gzip"),
    ],
    ids=["announced", "chunked", "gzip-bomb"],
)
async def test_what_is_too_large_is_refused(answer: bytes) -> None:
    async with RawServer(Answers(answer)) as server:
        with pytest.raises(MetadataError, match="larger than the limit of 512 KB"):
            await asking(server.origin).metadata(server.origin + "/a", "document")


async def test_a_bomb_is_never_unfolded() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    async with RawServer(Answers(response(bomb, b"content-encoding: gzip"))) as server:
        http = asking(server.origin)
        tracemalloc.start()
        try:
            with pytest.raises(MetadataError, match="larger"):
                await http.metadata(server.origin + "/a", "document")
            assert tracemalloc.get_traced_memory()[1] < 24 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "coding"),
    [(gzip.compress(b"x" * BIG), b"gzip"), (zlib.compress(b"x" * BIG), b"deflate"), (b"x" * BIG, b"identity")],
)
async def test_what_is_just_small_enough_is_taken(body: bytes, coding: bytes) -> None:
    async with RawServer(Answers(response(body, b"content-encoding: " + coding))) as server:
        assert (await asking(server.origin).metadata(server.origin + "/a", "document")).body == b"x" * BIG


async def test_a_body_that_cannot_be_decompressed() -> None:
    async with RawServer(Answers(response(b"no gzip", b"content-encoding: gzip"))) as server:
        with pytest.raises(Unavailable, match="decompressed"):
            await asking(server.origin).metadata(server.origin + "/a", "document")


async def trickling(peer: Peer) -> None:
    await peer.request()
    await peer.send(response(b"{", length=1000))
    await peer.gone()


async def silent(peer: Peer) -> None:
    await peer.gone()


@pytest.mark.parametrize("talk", [trickling, silent])
async def test_what_takes_too_long_is_given_up(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_module, "_TOTAL_SECONDS", 0.1)
    async with RawServer(talk) as server:
        with pytest.raises(Unavailable, match="/a"):
            await asking(server.origin).metadata(server.origin + "/a", "document")


async def breaking_off(peer: Peer) -> None:
    await peer.request()
    await peer.send(response(b"{", length=1000))


async def hanging_up(peer: Peer) -> None:
    await peer.request()


async def nonsense(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("talk", [breaking_off, hanging_up, nonsense])
async def test_an_answer_that_is_none_may_be_one_later(talk: Talk) -> None:
    async with RawServer(talk) as server:
        with pytest.raises(Unavailable) as caught:
            await asking(server.origin).metadata(server.origin + "/a", "document")
    assert server.origin + "/a" in caught.value.message
    assert caught.value.hint


async def test_a_server_that_is_not_there() -> None:
    async with RawServer(silent) as server:
        origin = server.origin
    with pytest.raises(Unavailable, match=origin) as caught:
        await asking(origin).metadata(origin + "/a", "document")
    assert "Errno" not in caught.value.message, "the system's words are for people, its numbers are not"


async def test_a_certificate_that_is_not_trusted_is_named_as_the_reason(authority: trustme.CA) -> None:
    async with RawServer(silent, serving(authority, "127.0.0.1")) as server:
        with pytest.raises(Unavailable, match="its certificate was rejected") as caught:
            await asking(server.origin).metadata(server.origin + "/a", "document")
    assert "--ca-file" in caught.value.hint


# -- the cache


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(web_module, "time", types.SimpleNamespace(monotonic=lambda: self.now))


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        (b"", 600),
        (b"max-age=300", 300),
        (b'public, Max-Age="300"', 300),
        (b"max-age=5", 60),
        (b"max-age=999999999999999999999", 3600),
        (b"no-store", 60),
        (b"max-age=soon", 600),
        (b"max-age=\xb2", 600),
    ],
)
async def test_a_document_is_kept_as_long_as_it_says_within_limits(
    cache_control: bytes, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    talk = Answers(*[response(b"{}", b"cache-control: " + cache_control)] * 3)
    async with RawServer(talk) as server:
        http = asking(server.origin)
        for later, asked in ((0, 1), (seconds - 1, 1), (2, 2), (1, 2)):
            clock.now += later
            await http.metadata(server.origin + "/a", "document")
            assert len(talk.requests) == asked
        http.forget_metadata()
        await http.metadata(server.origin + "/a", "document")
        assert len(talk.requests) == 3


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Broken", b"204 Nothing"])
async def test_only_a_document_is_kept(status: bytes) -> None:
    talk = Answers(*[response(b"", status=status)] * 2)
    async with RawServer(talk) as server:
        http = asking(server.origin)
        for _ in range(2):
            await http.metadata(server.origin + "/a", "document")
    assert len(talk.requests) == 2


async def test_what_is_posted_or_probed_is_always_asked() -> None:
    talk = Answers(*[response(b"{}", b"cache-control: max-age=3000")] * 4)
    async with RawServer(talk) as server:
        http = asking(server.origin)
        for _ in range(2):
            await http.post(server.origin + "/a", "endpoint", b"", {})
            await http.probe(server.origin + "/a", "endpoint")
    assert len(talk.requests) == 4
