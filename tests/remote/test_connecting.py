"""The ways to the server: straight, through each kind of proxy, with TLS or without, and how each can fail."""

import asyncio
import socket
import ssl
import sys
import threading
from typing import Any

import pytest
import trustme

from bridge.remote import connecting
from bridge.remote.connecting import NotConnected, Origin, Route, origin_of
from bridge.remote.failures import explain
from bridge.remote.known_addresses import Address
from bridge.remote.lookups import Lookups
from bridge.remote.proxy import Proxy
from bridge.remote.rebinding import Rebound
from bridge.session.events import BodyReceived, ExchangeFailed
from tests.support.in_process.connecting import AUTH, BASIC, HANGS, PLAIN, SECURE, ask, refusal
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.fake_proxies import SocksProxy, TunnelProxy
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


def direct(server: RawServer, tls: ssl.SSLContext | None = None) -> Route:
    return Route(origin_of(server.origin), None, tls)


async def test_why_the_systems_proxy_is_not_used_is_asked_once_and_only_where_the_direct_way_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, bool]] = []

    def unused(url: str, environ: object) -> str:
        asked.append((url, threading.current_thread() is threading.main_thread()))
        return "There is one"

    monkeypatch.setattr(connecting, "unused_proxy", unused)
    monkeypatch.setattr(connecting, "WITH_SETTINGS", {sys.platform})
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    route = Route(Origin("http", "127.0.0.1", port), None, None)
    for _ in range(2):
        assert (await refusal(route)).unused == "There is one"
    assert asked == [(f"http://127.0.0.1:{port}/", False)]
    proxied = Route(Origin("http", "mcp.example.com", 80), Proxy(f"http://127.0.0.1:{port}"), None)
    assert (await refusal(proxied)).unused == ""
    monkeypatch.setattr(connecting, "WITH_SETTINGS", frozenset())
    assert (await refusal(Route(route.origin, None, None))).unused == ""
    assert len(asked) == 1


async def test_a_connection_leads_through_the_proxy_that_the_system_is_set_to_at_that_time() -> None:
    """A machine that comes to another network."""
    asked: list[bytes] = []

    async def note(peer: Peer) -> None:
        while True:
            asked.append((await peer.request()).split(b"\r\n", 1)[0])
            await peer.send(response(b"{}", b"content-type: application/json"))

    async with RawServer(note) as server, RawServer(note) as proxy:
        proxies: list[Proxy | None] = [None]
        exchanging = Exchanging(f"{server.origin}/mcp", choose=lambda: proxies[-1])
        only(BodyReceived, await exchanging.post())
        proxies.append(Proxy(proxy.origin))
        only(BodyReceived, await exchanging.post())  # The connection from before is as good as before.
        exchanging.close()
        only(BodyReceived, await exchanging.post())
        proxies.append(None)
        only(BodyReceived, await exchanging.post())
        exchanging.close()
        only(BodyReceived, await exchanging.post())
        exchanging.close()
    whole = b"POST " + server.origin.encode() + b"/mcp HTTP/1.1"
    assert asked == [b"POST /mcp HTTP/1.1"] * 2 + [whole] * 2 + [b"POST /mcp HTTP/1.1"]


async def test_a_change_of_the_proxy_does_not_make_forget_that_the_server_was_elsewhere() -> None:
    """Else a server with a public address could wait for it, and lead the bridge to this machine."""
    proxies: list[Proxy | None] = [Proxy("http://127.0.0.1:1"), None]
    async with RawServer(Answers(response(b"hi"))) as server:
        origin = Origin("http", "mcp.example.com", server.port)

        def resolve(host: str, port: int) -> list[Address]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        route = Route(origin, None, None, Lookups(resolve), choose=lambda: proxies.pop(0))
        route._rebinding.reached(("93.184.216.34", 80))
        await refusal(route)
        assert isinstance((await refusal(route)).reason, Rebound)


async def test_what_failed_is_told_of_the_proxy_that_was_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        origin = f"http://127.0.0.1:{server.getsockname()[1]}"
    exchanging = Exchanging("http://mcp.example.com/mcp", choose=lambda: Proxy(origin))
    failed = only(ExchangeFailed, await exchanging.post())
    assert failed.message == f"Cannot reach http://mcp.example.com/mcp: the proxy {origin}: the connection was refused."


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
        ("https://Bücher.example/", ("https", "xn--bcher-kva.example", 443), b"xn--bcher-kva.example"),
        ("https://mcp.example.com./", ("https", "mcp.example.com.", 443), b"mcp.example.com"),
        ("http://bücher.example.:8080/", ("http", "xn--bcher-kva.example.", 8080), b"xn--bcher-kva.example:8080"),
    ],
)
def test_an_origin(url: str, origin: tuple[str, str, int], authority: bytes) -> None:
    assert origin_of(url) == origin
    assert origin_of(url).authority == authority


@pytest.mark.parametrize(
    "url", ["", "/mcp", "ftp://a/", "http:///mcp", "https://", "http://a:99999/", "http://[::1/", "http://\u2603.a/"]
)
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
    route = Route(origin, Proxy(f"{scheme}://proxy.example:1", AUTH) if scheme else None, None)
    assert route.is_forwarded == forwarded
    # Credentials go to the proxy that asks for them with each request, and never through a tunnel.
    assert route.forward_headers() == (((b"proxy-authorization", BASIC),) if forwarded else ())


def test_a_proxy_without_credentials_gets_none() -> None:
    assert Route(PLAIN, Proxy("http://proxy.example:1"), None).forward_headers() == ()


# -- straight


async def test_straight() -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        assert await ask(await direct(server).connect(stretched(DEADLINE))) == b"hi"


async def test_straight_with_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        assert await ask(await direct(server, client_tls).connect(stretched(DEADLINE))) == b"hi"


async def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        route = Route(Origin("http", "127.0.0.1", bound.getsockname()[1]), None, None)
        failure = await refusal(route)
    assert isinstance(failure.reason, ConnectionRefusedError)
    assert not failure.at_proxy


async def test_a_name_that_cannot_be_one() -> None:
    route = Route(Origin("http", "a" * 64 + ".example", 80), None, None)
    told = explain(await refusal(route), "http://a.example/", None)
    assert "cannot be resolved" in told.message


async def test_a_handshake_that_never_ends_is_given_up(client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone) as server:
        route = Route(Origin("https", "127.0.0.1", server.port), None, client_tls)
        failure = await refusal(route, HANGS)
        assert isinstance(failure.reason, TimeoutError)
        assert (failure.step, failure.at_proxy) == ("handshake", False)
        assert failure.seconds
        assert failure.seconds > 0.03


async def test_what_takes_long_is_told_before_the_time_is_over(
    client_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "TELL_AFTER", 0.02)
    told: asyncio.Future[NotConnected] = asyncio.get_running_loop().create_future()
    async with RawServer(Peer.gone) as server:
        route = Route(Origin("https", "127.0.0.1", server.port), None, client_tls)
        route.on_delay = told.set_result
        trying = asyncio.create_task(route.connect(stretched(DEADLINE)))
        delay = await told
        assert isinstance(delay.reason, TimeoutError)
        assert delay.step in {"connection", "handshake"}
        assert not trying.done()
        trying.cancel()
        await asyncio.wait({trying})


async def test_a_connection_that_came_about_is_not_told_as_late() -> None:
    told: list[NotConnected] = []
    async with RawServer(Answers(response(b"hi"))) as server:
        route = direct(server)
        route.on_delay = told.append
        timers: list[asyncio.TimerHandle] = []
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def noted(delay: float, *what: Any) -> asyncio.TimerHandle:
            timers.append(call_later(delay, *what))
            return timers[-1]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(loop, "call_later", noted)
            http = await route.connect(stretched(DEADLINE))
        assert await ask(http) == b"hi"
        assert timers
        assert all(timer.cancelled() for timer in timers)
    assert told == []


async def test_giving_up_closes_the_connection(client_tls: ssl.SSLContext) -> None:
    gone, met = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.reader.read(1)
        met.set()
        await peer.gone()
        gone.set()

    async with RawServer(talk) as server:
        connecting = asyncio.create_task(Route(Origin("https", "127.0.0.1", server.port), None, client_tls).connect(9))
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
        failure = await refusal(Route(Origin("https", "127.0.0.1", server.port), None, client_tls))
        assert isinstance(failure.reason, ssl.SSLError)


# -- a connection that was begun before


async def connected_to(server: RawServer) -> socket.socket:
    return await asyncio.to_thread(socket.create_connection, ("127.0.0.1", server.port), stretched(DEADLINE))


async def test_a_connection_that_was_begun_is_gone_on_with(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        begun = await connected_to(server)

        async def give() -> socket.socket:
            return begun

        assert await ask(await direct(server, client_tls).connect(stretched(DEADLINE), give)) == b"hi"
        assert len(server.peers) == 1


async def test_where_what_was_begun_came_to_nothing_the_way_is_gone_anew() -> None:
    async with RawServer(Answers(response(b"hi"))) as server:

        async def give() -> None:
            return None

        assert await ask(await direct(server).connect(stretched(DEADLINE), give)) == b"hi"


async def test_a_connection_that_was_begun_and_closed_by_its_peer_is_not_used() -> None:
    turns = iter([True])

    async def talk(peer: Peer) -> None:
        if not next(turns, False):
            await Answers(response(b"hi"))(peer)

    async with RawServer(talk) as server:
        begun = await connected_to(server)
        await asyncio.to_thread(begun.recv, 1, socket.MSG_PEEK)  # Until the end has come.

        async def give() -> socket.socket:
            return begun

        assert await ask(await direct(server).connect(stretched(DEADLINE), give)) == b"hi"
        assert begun.fileno() < 0


async def test_a_connection_that_was_begun_and_hangs_is_not_waited_for_long() -> None:
    withdrawn = asyncio.Event()

    async def give() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            withdrawn.set()

    async with RawServer(Answers(response(b"hi"))) as server:
        assert await ask(await direct(server).connect(stretched(DEADLINE), give)) == b"hi"
        assert withdrawn.is_set()


def test_the_first_hop_is_the_proxy_where_there_is_one() -> None:
    assert Route(SECURE, None, None).first_hop == ("mcp.example.com", 443)
    assert Route(SECURE, Proxy("http://[::1]:3128"), None).first_hop == ("::1", 3128)


# -- names that are not written as the network knows them

SPELLINGS = pytest.mark.parametrize(
    ("host", "looked_up", "certified"),
    [
        ("bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("mcp.example.com.", "mcp.example.com.", "mcp.example.com"),
        ("Bücher.example.", "xn--bcher-kva.example.", "xn--bcher-kva.example"),
    ],
)


def named(authority: trustme.CA, name: str, seen: list[str | None]) -> ssl.SSLContext:
    """A server's context for one name, which keeps the names that clients ask for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.sni_callback = lambda _, asked, __: seen.append(asked)
    return context


@SPELLINGS
async def test_a_name_as_the_network_knows_it(
    host: str, looked_up: str, certified: str, authority: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    asked: list[str | None] = []
    lookups: list[str] = []
    answers = Answers(response(b"{}", b"content-type: application/json"))
    async with RawServer(answers, named(authority, certified, asked)) as server:

        def resolve(name: str, port: int) -> list[Address]:
            lookups.append(name)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        at = Exchanging(f"https://{host}:{server.port}/mcp", tls=client_tls, lookups=Lookups(resolve))
        body = only(BodyReceived, await at.post())
        assert body.status == 200
        assert lookups == [looked_up]
        assert asked == [certified]
        assert f"\r\nhost: {certified}:{server.port}\r\n".encode() in answers.requests[0]
        at.close()


@SPELLINGS
async def test_a_name_as_a_proxy_knows_it(
    host: str, looked_up: str, certified: str, authority: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    asked: list[str | None] = []
    for scheme in ("http", "socks5"):
        async with RawServer(Answers(response(b"{}")), named(authority, certified, asked)) as server:
            proxy = TunnelProxy(server.port) if scheme == "http" else SocksProxy(server.port)
            async with RawServer(proxy) as front:
                route = Route(origin_of(f"https://{host}/"), Proxy(f"{scheme}://127.0.0.1:{front.port}"), client_tls)
                (await route.connect(stretched(DEADLINE))).abort()
        if isinstance(proxy, TunnelProxy):
            assert proxy.heads[0].startswith(f"CONNECT {looked_up}:443 HTTP/1.1\r\n".encode())
        else:
            assert proxy.asked == [(looked_up.encode(), 443)]
    assert asked == [certified, certified]


async def test_what_cannot_be_reached_is_told_as_it_was_written() -> None:
    url = "https://bücher.example/mcp"

    def resolve(name: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    at = Exchanging(url, lookups=Lookups(resolve))
    message = only(ExchangeFailed, await at.post()).message
    assert message == f"Cannot reach {url}: the name bücher.example cannot be resolved."


async def test_a_redirect_on_a_host_with_other_letters_is_followed() -> None:
    moved = response(b"", b"location: /elsewhere", status=b"307 Moved")
    absolute = response(b"", b"location: http://xn--bcher-kva.example:%d/there", status=b"307 Moved")
    async with RawServer(Answers()) as server:
        answers = Answers(moved, absolute.replace(b"%d", b"%d" % server.port), response(b"{}"))
        server._talk = answers

        def resolve(name: str, port: int) -> list[Address]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        at = Exchanging(f"http://bücher.example:{server.port}/mcp", lookups=Lookups(resolve))
        assert only(BodyReceived, await at.post()).status == 200
        assert [request.split(b" ")[1] for request in answers.requests] == [b"/mcp", b"/elsewhere", b"/there"]
        at.close()
