"""The ways through HTTP proxies: CONNECT, a proxy that is itself reached over TLS; and how they refuse."""

import asyncio
import socket
import ssl

import pytest
import trustme

from bridge.remote.connecting import Origin, Route
from bridge.remote.http1 import Disconnected
from bridge.remote.known_addresses import Address
from bridge.remote.lookups import Lookups
from bridge.remote.proxy import Proxy, ProxyRefused
from tests.support.in_process.connecting import AUTH, BASIC, HANGS, PLAIN, SECURE, ask, refusal
from tests.support.servers.fake_proxies import TunnelProxy
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
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
            route = Route(SECURE, proxied("http", front, auth), client_tls)
            assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"
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
        route = Route(SECURE, proxied("http", front), client_tls)
        assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"


async def test_an_ipv6_target_has_brackets(client_tls: ssl.SSLContext) -> None:
    proxy = TunnelProxy(answer=response(status=b"403 Forbidden"))
    async with RawServer(proxy) as front:
        await refusal(Route(Origin("https", "2001:db8::1", 8443), proxied("http", front), client_tls))
    assert proxy.heads[0].startswith(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\n")


@pytest.mark.parametrize(
    "status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway", "302 Found"]
)
async def test_a_proxy_that_will_not_connect(status: str, client_tls: ssl.SSLContext) -> None:
    proxy = TunnelProxy(answer=response(b"<html>no</html>", b"proxy-authenticate: Basic", status=status.encode()))
    async with RawServer(proxy) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
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
        await refusal(Route(SECURE, proxied("http", front), client_tls))
        await gone.wait()


async def test_a_proxy_that_hangs_up(client_tls: ssl.SSLContext) -> None:
    async with RawServer(TunnelProxy(answer=b"")) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, Disconnected)


async def test_a_proxy_that_says_nothing(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls), HANGS)
        assert isinstance(failure.reason, TimeoutError)
        assert (failure.step, failure.at_proxy) == ("proxy", True)


async def test_a_proxy_whose_handshake_never_ends(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as front:
        failure = await refusal(Route(SECURE, proxied("https", front), client_tls), HANGS)
        assert (failure.step, failure.at_proxy) == ("handshake", True)


async def test_a_server_behind_a_proxy_whose_handshake_never_ends(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls), HANGS)
        assert (failure.step, failure.at_proxy) == ("handshake", False)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_no_proxy_there(scheme: str, client_tls: ssl.SSLContext) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = Proxy(f"{scheme}://127.0.0.1:{bound.getsockname()[1]}")
        failure = await refusal(Route(SECURE, proxy, client_tls))
    assert isinstance(failure.reason, ConnectionRefusedError)
    assert failure.at_proxy


async def test_an_untrusted_certificate_behind_a_proxy(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    async with RawServer(Peer.gone, server_tls) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), stranger))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)
        assert not failure.at_proxy


async def test_a_certificate_is_checked_against_the_target_and_not_the_proxy(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(Peer.gone, server_tls) as server, RawServer(TunnelProxy(server.port)) as front:
        failure = await refusal(Route(Origin("https", "else.example", 443), proxied("http", front), client_tls))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)


async def test_a_forwarding_proxy_is_only_connected_to() -> None:
    answers = Answers(response(b"hi"))
    async with RawServer(answers) as front:
        http = await Route(PLAIN, proxied("http", front, AUTH), None).connect(stretched(DEADLINE))
        assert await ask(http) == b"hi"
    assert len(answers.requests) == 1
    assert answers.requests[0].startswith(b"GET ")


async def test_a_proxy_that_is_reached_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as front:
        assert await ask(await Route(PLAIN, proxied("https", front), client_tls).connect(stretched(DEADLINE))) == b"hi"


async def test_a_proxys_name_may_end_with_a_dot_too(authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("proxy.example").configure_cert(context)
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with RawServer(Answers(response(b"hi")), context) as front:

        def resolve(name: str, port: int) -> list[Address]:
            assert name == "proxy.example."
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        route = Route(PLAIN, Proxy(f"https://proxy.example.:{front.port}"), client_tls, Lookups(resolve))
        assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"
    assert asked == ["proxy.example"]


async def test_tls_in_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with (
        RawServer(Answers(response(b"hi" * 100_000)), server_tls) as server,
        RawServer(TunnelProxy(server.port), server_tls) as front,
    ):
        route = Route(SECURE, proxied("https", front), client_tls)
        assert await ask(await route.connect(stretched(DEADLINE))) == b"hi" * 100_000


async def test_a_proxy_with_an_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    async with RawServer(Peer.gone, server_tls) as front:
        failure = await refusal(Route(SECURE, proxied("https", front), stranger))
        assert isinstance(failure.reason, ssl.SSLCertVerificationError)
        assert failure.at_proxy


@pytest.mark.parametrize("times", [1, 3])
async def test_what_a_proxy_says_in_its_page_is_told(times: int, client_tls: ssl.SSLContext) -> None:
    page = b"<html><title>Access denied by policy 7</title>" + b"<p>no</p>" * times
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n" * (times - 1)
    async with RawServer(TunnelProxy(answer=interim + response(page, status=b"403 Forbidden"))) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert str(failure.reason) == "403 Forbidden: Access denied by policy 7"


async def test_a_page_that_never_comes_does_not_hold_up_the_refusal(client_tls: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"", status=b"403 Forbidden", length=1000))
        await peer.gone()

    async with RawServer(talk) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert str(failure.reason) == "403 Forbidden"


@pytest.mark.parametrize(
    ("offers", "schemes"),
    [
        ((b"Negotiate", b"NTLM"), ("negotiate", "ntlm")),
        ((b'Basic realm="a, b", NTLM',), ("basic", "ntlm")),
        ((b"NTLM TlRMTVNTUAACAAAA==",), ("ntlm",)),
        ((), ()),
    ],
)
async def test_the_ways_to_sign_in_that_a_proxy_offers(
    offers: tuple[bytes, ...], schemes: tuple[str, ...], client_tls: ssl.SSLContext
) -> None:
    headers = [b"proxy-authenticate: " + offer for offer in offers]
    async with RawServer(TunnelProxy(answer=response(b"", *headers, status=b"407 No"))) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert failure.reason.schemes == schemes
        assert failure.reason.wants_sign_in


@pytest.mark.parametrize("name", [b"proxy-authenticate", b"www-authenticate"])
async def test_a_proxy_that_says_401_to_connect_means_itself(name: bytes, client_tls: ssl.SSLContext) -> None:
    answer = response(b"", name + b": Negotiate", status=b"401 Unauthorized")
    async with RawServer(TunnelProxy(answer=answer)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert failure.reason.wants_sign_in
        assert failure.reason.schemes == ("negotiate",)


async def test_a_proxy_that_forbids_wants_no_sign_in(client_tls: ssl.SSLContext) -> None:
    answer = response(b"", b"www-authenticate: Basic", status=b"403 Forbidden")
    async with RawServer(TunnelProxy(answer=answer)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert (failure.reason.wants_sign_in, failure.reason.schemes) == (False, ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "its response is not HTTP"),
        (b"\0\1\2\3\4\5\6\7\x08\x09", "its response is not HTTP"),
        (bytes.fromhex("15030300020246"), "https://"),
    ],
)
async def test_a_proxy_that_does_not_speak_http(said: bytes, words: str, client_tls: ssl.SSLContext) -> None:
    async with RawServer(TunnelProxy(answer=said)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert words in str(failure.reason)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nconnected",
        b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9.6",
    ],
)
async def test_what_comes_with_a_proxys_yes_is_never_taken_for_the_servers_answer(
    answer: bytes, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(TunnelProxy(answer=answer)) as front:
        failure = await refusal(Route(SECURE, proxied("http", front), client_tls))
        assert isinstance(failure.reason, ProxyRefused)
        assert str(failure.reason).startswith("it sent data after its response: ")
