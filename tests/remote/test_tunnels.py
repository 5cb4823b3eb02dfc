"""The ways through proxies: CONNECT, SOCKS 5, a proxy that is itself reached over TLS; and how they refuse."""

import asyncio
import socket
import ssl

import pytest
import trustme

from bridge.remote.connecting import Origin, ProxyRefused, Way
from bridge.remote.http1 import Disconnected
from bridge.remote.proxy import Proxy
from tests.support.connecting import AUTH, BASIC, NAME, PLAIN, SECURE, ask, refusal
from tests.support.fake_proxies import SocksProxy, TunnelProxy
from tests.support.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


def proxied(scheme: str, server: RawServer, auth: tuple[str, str] | None = None) -> Proxy:
    return Proxy(f"{scheme}://127.0.0.1:{server.port}", auth)


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
            assert await ask(await way.connect(stretched(DEADLINE))) == b"hi"
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
        assert await ask(await way.connect(stretched(DEADLINE))) == b"hi"


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


async def test_a_proxy_that_will_not_connect_is_hung_up_on(client_tls: ssl.SSLContext) -> None:
    gone = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(status=b"403 Forbidden"))
        await peer.gone()
        gone.set()

    async with RawServer(talk) as front:
        await refusal(Way(SECURE, proxied("http", front), client_tls))
        await gone.wait()


async def test_a_proxy_that_hangs_up(client_tls: ssl.SSLContext) -> None:
    async with RawServer(TunnelProxy(answer=b"")) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, Disconnected)


async def test_a_proxy_that_says_nothing(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls), 0.05)
        assert isinstance(failure.reason, TimeoutError)
        assert (failure.step, failure.at_proxy) == ("proxy", True)


async def test_a_proxy_whose_handshake_never_ends(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as front:
        failure = await refusal(Way(SECURE, proxied("https", front), client_tls), 0.05)
        assert (failure.step, failure.at_proxy) == ("handshake", True)


async def test_a_server_behind_a_proxy_whose_handshake_never_ends(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Way(SECURE, proxied("http", front), client_tls), 0.05)
        assert (failure.step, failure.at_proxy) == ("handshake", False)


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
        http = await Way(PLAIN, proxied("http", front, AUTH), None).connect(stretched(DEADLINE))
        assert await ask(http) == b"hi"
    assert len(answers.requests) == 1
    assert answers.requests[0].startswith(b"GET ")


async def test_a_proxy_that_is_reached_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as front:
        assert await ask(await Way(PLAIN, proxied("https", front), client_tls).connect(stretched(DEADLINE))) == b"hi"


async def test_tls_in_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with (
        RawServer(Answers(response(b"hi" * 100_000)), server_tls) as server,
        RawServer(TunnelProxy(server.port), server_tls) as front,
    ):
        way = Way(SECURE, proxied("https", front), client_tls)
        assert await ask(await way.connect(stretched(DEADLINE))) == b"hi" * 100_000


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
            assert await ask(await Way(PLAIN, proxied(scheme, front), None).connect(stretched(DEADLINE))) == b"hi"
    assert proxy.asked == [(NAME.encode(), 80)]


async def test_socks_with_sign_in_and_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        proxy = SocksProxy(server.port, password=AUTH[1].encode())
        async with RawServer(proxy) as front:
            way = Way(SECURE, proxied("socks5", front, AUTH), client_tls)
            assert await ask(await way.connect(stretched(DEADLINE))) == b"hi"
    assert proxy.signed_in == [(AUTH[0].encode(), AUTH[1].encode())]
    assert proxy.asked == [(NAME.encode(), 443)]


@pytest.mark.parametrize(("host", "packed"), [("192.0.2.7", socket.AF_INET), ("2001:db8::7", socket.AF_INET6)])
async def test_socks_gets_an_address_as_one(host: str, packed: socket.AddressFamily) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        proxy = SocksProxy(server.port)
        async with RawServer(proxy) as front:
            way = Way(Origin("http", host, 8080), proxied("socks5", front), None)
            assert await ask(await way.connect(stretched(DEADLINE))) == b"hi"
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
        assert "another kind of authentication" in str(failure.reason)


async def test_what_is_not_socks() -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.send(response(status=b"400 Bad Request"))
        await peer.gone()

    async with RawServer(talk) as front:
        failure = await refusal(Way(PLAIN, proxied("socks5", front), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "SOCKS" in str(failure.reason)
