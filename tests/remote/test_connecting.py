"""The ways to the server: straight, through each kind of proxy, with TLS or without, and how each can fail."""

import asyncio
import base64
import socket
import ssl

import pytest
import trustme

from bridge.remote.connecting import NotConnected, Origin, ProxyRefused, Way, origin_of
from bridge.remote.http1 import Disconnected, HttpConnection
from bridge.remote.proxy import Proxy
from tests.support.fake_proxies import SocksProxy, TunnelProxy
from tests.support.raw_server import DEADLINE, Answers, Peer, RawServer, response

pytestmark = pytest.mark.anyio

NAME = "mcp.example.com"
SECURE = Origin("https", NAME, 443)
PLAIN = Origin("http", NAME, 80)
AUTH = ("user", "p:\u00e4ss")
BASIC = b"Basic " + base64.b64encode("user:p:\u00e4ss".encode())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME, "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def direct(server: RawServer, tls: ssl.SSLContext | None = None) -> Way:
    return Way(origin_of(server.origin), None, tls)


def proxied(scheme: str, server: RawServer, auth: tuple[str, str] | None = None) -> Proxy:
    return Proxy(f"{scheme}://127.0.0.1:{server.port}", auth)


async def ask(http: HttpConnection) -> bytes:
    """Send a request and return the body of the answer."""
    answer = await http.request(b"GET", b"/mcp", [(b"host", NAME.encode())], None, None)
    assert answer.status_code == 200
    body = b"".join([piece async for piece in http.body()])
    http.abort()
    return body


async def refusal(way: Way, seconds: float = DEADLINE) -> NotConnected:
    with pytest.raises(NotConnected) as caught:
        await way.connect(seconds)
    return caught.value


# -- origins


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://Example.COM/mcp", ("http", "example.com", 80), b"example.com"),
        ("HTTPS://example.com", ("https", "example.com", 443), b"example.com"),
        ("https://example.com:443/?a#b", ("https", "example.com", 443), b"example.com"),
        ("http://example.com:443/", ("http", "example.com", 443), b"example.com:443"),
        ("https://example.com:80/", ("https", "example.com", 80), b"example.com:80"),
        ("http://u:p@example.com:8080/", ("http", "example.com", 8080), b"example.com:8080"),
        ("http://[::1]:9/", ("http", "::1", 9), b"[::1]:9"),
        ("http://[::1]/", ("http", "::1", 80), b"[::1]"),
    ],
)
def test_an_origin(url: str, origin: tuple[str, str, int], authority: bytes) -> None:
    assert origin_of(url) == origin
    assert origin_of(url).authority == authority


@pytest.mark.parametrize("url", ["", "/mcp", "ftp://a/", "http:///mcp", "https://", "http://a:99999/", "http://[::1/"])
def test_what_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # The standard library's own words differ.
        origin_of(url)


@pytest.mark.parametrize(
    ("origin", "scheme", "forwarded"),
    [
        (PLAIN, None, False),
        (PLAIN, "http", True),
        (PLAIN, "https", True),
        (PLAIN, "socks5", False),
        (PLAIN, "socks5h", False),
        (SECURE, None, False),
        (SECURE, "http", False),
        (SECURE, "https", False),
        (SECURE, "socks5", False),
    ],
)
def test_who_sees_the_requests(origin: Origin, scheme: str | None, forwarded: bool) -> None:
    way = Way(origin, Proxy(f"{scheme}://proxy.example:1", AUTH) if scheme else None, None)
    assert way.is_forwarded == forwarded
    # Credentials go to the proxy that asks for them with each request, and never through a tunnel.
    assert way.forward_headers() == (((b"proxy-authorization", BASIC),) if forwarded else ())


def test_a_proxy_without_credentials_gets_none() -> None:
    assert Way(PLAIN, Proxy("http://proxy.example:1"), None).forward_headers() == ()


# -- straight


async def test_straight() -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        assert await ask(await direct(server).connect(DEADLINE)) == b"hi"


async def test_straight_with_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        assert await ask(await direct(server, client_tls).connect(DEADLINE)) == b"hi"


async def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        way = Way(Origin("http", "127.0.0.1", bound.getsockname()[1]), None, None)
        failure = await refusal(way)
    assert isinstance(failure.reason, ConnectionRefusedError)
    assert not failure.at_proxy


async def test_a_name_that_cannot_be_one() -> None:
    failure = await refusal(Way(Origin("http", "a" * 64 + ".example", 80), None, None))
    assert isinstance(failure.reason, UnicodeError)


async def test_a_handshake_that_never_ends_is_given_up(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as server:
        way = Way(Origin("https", "127.0.0.1", server.port), None, client_tls)
        failure = await refusal(way, 0.05)
        assert isinstance(failure.reason, TimeoutError)
        assert not failure.at_proxy


async def test_giving_up_closes_the_connection(client_tls: ssl.SSLContext) -> None:
    gone, met = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.reader.read(1)
        met.set()
        await peer.gone()
        gone.set()

    async with RawServer(talk) as server:
        connecting = asyncio.create_task(Way(Origin("https", "127.0.0.1", server.port), None, client_tls).connect(9))
        await met.wait()
        connecting.cancel()
        await asyncio.wait({connecting})
        assert connecting.cancelled()
        await gone.wait()


async def test_an_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone, server_tls) as server:
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trustme.CA().configure_trust(stranger)
        failure = await refusal(direct(server, stranger))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)
        assert not failure.at_proxy


async def test_plain_http_where_tls_is_expected(client_tls: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.send(response(b"this is plain", status=b"400 Bad Request"))
        await peer.gone()

    async with RawServer(talk) as server:
        failure = await refusal(Way(Origin("https", "127.0.0.1", server.port), None, client_tls))
        assert isinstance(failure.reason, ssl.SSLError)


# -- through an HTTP proxy


@pytest.mark.parametrize("auth", [None, AUTH])
async def test_tls_through_connect(
    auth: tuple[str, str] | None, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    answers = Answers(response(b"hi"))
    async with RawServer(answers, server_tls) as server:
        proxy = TunnelProxy(server.port)
        async with RawServer(proxy) as front:
            way = Way(SECURE, proxied("http", front, auth), client_tls)
            assert await ask(await way.connect(DEADLINE)) == b"hi"
    sign_in = b"proxy-authorization: " + BASIC + b"\r\n" if auth else b""
    assert proxy.heads == [b"CONNECT mcp.example.com:443 HTTP/1.1\r\nhost: mcp.example.com:443\r\n" + sign_in + b"\r\n"]
    assert b"proxy" not in answers.requests[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 204 Go\r\nvia: x\r\nconnection: keep-alive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_proxies_agree_in_many_ways(
    answer: bytes, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        RawServer(Answers(response(b"hi")), server_tls) as server,
        RawServer(TunnelProxy(server.port, answer)) as front,
    ):
        way = Way(SECURE, proxied("http", front), client_tls)
        assert await ask(await way.connect(DEADLINE)) == b"hi"


async def test_an_ipv6_target_has_brackets(client_tls: ssl.SSLContext) -> None:
    proxy = TunnelProxy(answer=response(status=b"403 Forbidden"))
    async with RawServer(proxy) as front:
        await refusal(Way(Origin("https", "2001:db8::1", 8443), proxied("http", front), client_tls))
    assert proxy.heads[0].startswith(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\n")


@pytest.mark.parametrize(
    "status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway", "302 Found"]
)
async def test_a_proxy_that_will_not_connect(status: str, client_tls: ssl.SSLContext) -> None:
    proxy = TunnelProxy(answer=response(b"<html>no</html>", b"proxy-authenticate: Basic", status=status.encode()))
    async with RawServer(proxy) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert str(failure.reason) == status
        assert not failure.at_proxy


async def test_a_proxy_that_hangs_up(client_tls: ssl.SSLContext) -> None:
    async with RawServer(TunnelProxy(answer=b"")) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, Disconnected)


async def test_a_proxy_that_says_nothing(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls), 0.05)
        assert isinstance(failure.reason, TimeoutError)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_no_proxy_there(scheme: str, client_tls: ssl.SSLContext) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = Proxy(f"{scheme}://127.0.0.1:{bound.getsockname()[1]}")
        failure = await refusal(Way(SECURE, proxy, client_tls))
    assert isinstance(failure.reason, ConnectionRefusedError)
    assert failure.at_proxy


async def test_an_untrusted_certificate_behind_a_proxy(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    async with RawServer(Peer.gone, server_tls) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), stranger))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)
        assert not failure.at_proxy


async def test_a_certificate_is_checked_against_the_target_and_not_the_proxy(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(Peer.gone, server_tls) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Way(Origin("https", "else.example", 443), proxied("http", front), client_tls))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)


async def test_a_forwarding_proxy_is_only_connected_to() -> None:
    answers = Answers(response(b"hi"))
    async with RawServer(answers) as front:
        http = await Way(PLAIN, proxied("http", front, AUTH), None).connect(DEADLINE)
        assert await ask(http) == b"hi"
    assert len(answers.requests) == 1
    assert answers.requests[0].startswith(b"GET ")


async def test_a_proxy_that_is_reached_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as front:
        assert await ask(await Way(PLAIN, proxied("https", front), client_tls).connect(DEADLINE)) == b"hi"


async def test_tls_in_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with (
        RawServer(Answers(response(b"hi" * 100_000)), server_tls) as server,
        RawServer(TunnelProxy(server.port), server_tls) as front,
    ):
        way = Way(SECURE, proxied("https", front), client_tls)
        assert await ask(await way.connect(DEADLINE)) == b"hi" * 100_000


async def test_a_proxy_with_an_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    async with RawServer(Peer.gone, server_tls) as front:
        failure = await refusal(Way(SECURE, proxied("https", front), stranger))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)
        assert failure.at_proxy


# -- through a SOCKS proxy


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_resolves_the_name(scheme: str) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        proxy = SocksProxy(server.port)
        async with RawServer(proxy) as front:
            assert await ask(await Way(PLAIN, proxied(scheme, front), None).connect(DEADLINE)) == b"hi"
    assert proxy.asked == [(NAME.encode(), 80)]


async def test_socks_with_sign_in_and_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        proxy = SocksProxy(server.port, password=AUTH[1].encode())
        async with RawServer(proxy) as front:
            way = Way(SECURE, proxied("socks5", front, AUTH), client_tls)
            assert await ask(await way.connect(DEADLINE)) == b"hi"
    assert proxy.signed_in == [(AUTH[0].encode(), AUTH[1].encode())]
    assert proxy.asked == [(NAME.encode(), 443)]


@pytest.mark.parametrize(("host", "packed"), [("192.0.2.7", socket.AF_INET), ("2001:db8::7", socket.AF_INET6)])
async def test_socks_gets_an_address_as_one(host: str, packed: socket.AddressFamily) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        proxy = SocksProxy(server.port)
        async with RawServer(proxy) as front:
            way = Way(Origin("http", host, 8080), proxied("socks5", front), None)
            assert await ask(await way.connect(DEADLINE)) == b"hi"
    assert proxy.asked == [(socket.inet_pton(packed, host), 8080)]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (1, "general"),
        (2, "not allowed"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
    ],
)
async def test_socks_that_will_not_connect(reply: int, said: str) -> None:
    async with RawServer(SocksProxy(0, reply=reply)) as front:
        failure = await refusal(Way(PLAIN, proxied("socks5", front), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert said in str(failure.reason)
        assert not failure.at_proxy


async def test_socks_that_does_not_know_the_password() -> None:
    async with RawServer(SocksProxy(0, password=b"another")) as front:
        failure = await refusal(Way(PLAIN, proxied("socks5", front, AUTH), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "password" in str(failure.reason)
        assert AUTH[1] not in str(failure.reason)


@pytest.mark.parametrize(("auth", "method"), [(None, 2), (None, 255), (AUTH, 255), (AUTH, 0)])
async def test_socks_that_wants_another_sign_in(auth: tuple[str, str] | None, method: int) -> None:
    async with RawServer(SocksProxy(0, method=method)) as front:
        failure = await refusal(Way(PLAIN, proxied("socks5", front, auth), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "sign-in" in str(failure.reason)


async def test_what_is_not_socks() -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.send(response(status=b"400 Bad Request"))
        await peer.gone()

    async with RawServer(talk) as front:
        failure = await refusal(Way(PLAIN, proxied("socks5", front), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "SOCKS" in str(failure.reason)
