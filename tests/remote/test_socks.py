"""Tunnels by SOCKS 5: whole, in pieces, stalled, cut short; and how such a proxy refuses."""

import socket
import ssl

import pytest

from bridge.remote.connecting import Origin, Route
from bridge.remote.http1 import Disconnected
from bridge.remote.proxy import Proxy, ProxyRefused
from bridge.remote.tunnels import ask_socks
from tests.support.in_process.connecting import AUTH, HANGS, NAME, PLAIN, SECURE, ask, refusal
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.fake_proxies import SocksProxy
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


def proxied(scheme: str, server: RawServer, auth: tuple[str, str] | None = None) -> Proxy:
    return Proxy(f"{scheme}://127.0.0.1:{server.port}", auth)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_resolves_the_name(scheme: str) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        proxy = SocksProxy(server.port)
        async with RawServer(proxy) as front:
            assert await ask(await Route(PLAIN, proxied(scheme, front), None).connect(stretched(DEADLINE))) == b"hi"
    assert proxy.asked == [(NAME.encode(), 80)]


async def test_socks_with_sign_in_and_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        proxy = SocksProxy(server.port, password=AUTH[1].encode())
        async with RawServer(proxy) as front:
            route = Route(SECURE, proxied("socks5", front, AUTH), client_tls)
            assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"
    assert proxy.signed_in == [(AUTH[0].encode(), AUTH[1].encode())]
    assert proxy.asked == [(NAME.encode(), 443)]


@pytest.mark.parametrize(("host", "packed"), [("192.0.2.7", socket.AF_INET), ("2001:db8::7", socket.AF_INET6)])
async def test_socks_gets_an_address_as_one(host: str, packed: socket.AddressFamily) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        proxy = SocksProxy(server.port)
        async with RawServer(proxy) as front:
            route = Route(Origin("http", host, 8080), proxied("socks5", front), None)
            assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"
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
        failure = await refusal(Route(PLAIN, proxied("socks5", front), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert said in str(failure.reason)
        assert not failure.at_proxy


async def test_socks_that_does_not_know_the_password() -> None:
    async with RawServer(SocksProxy(0, password=b"another")) as front:
        failure = await refusal(Route(PLAIN, proxied("socks5", front, AUTH), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "password" in str(failure.reason)
        assert AUTH[1] not in str(failure.reason)
        assert (failure.reason.wants_sign_in, failure.reason.signed_in) == (True, True)


@pytest.mark.parametrize(("auth", "method"), [(None, 2), (None, 255), (AUTH, 255), (AUTH, 0)])
async def test_socks_that_wants_another_sign_in(auth: tuple[str, str] | None, method: int) -> None:
    async with RawServer(SocksProxy(0, method=method)) as front:
        failure = await refusal(Route(PLAIN, proxied("socks5", front, auth), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "another kind of authentication" in str(failure.reason)
        assert failure.reason.wants_sign_in == (auth is None)


async def test_what_is_not_socks() -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.send(response(status=b"400 Bad Request"))
        await peer.gone()

    async with RawServer(talk) as front:
        failure = await refusal(Route(PLAIN, proxied("socks5", front), None))
        assert isinstance(failure.reason, ProxyRefused)
        assert "SOCKS" in str(failure.reason)


def replies(*, to: bytes) -> bytes:
    return b"\5\0" + b"\5\0\0" + to


BOUND = [
    b"\1\x7f\0\0\1\x1f\x90",
    b"\4" + bytes(16) + b"\x1f\x90",
    b"\3\x0bexample.com\x1f\x90",
    b"\3\0\0\0",
    b"\3\xff" + b"\xff" * 255 + b"\0\0",
]
ADDRESSES = ["IPv4", "IPv6", "name", "no name", "longest name"]


@pytest.mark.parametrize("bound", BOUND, ids=ADDRESSES)
async def test_socks_replies_come_in_any_pieces(bound: bytes) -> None:
    said = replies(to=bound)
    for size in (1, 2, 3, 7, len(said)):
        pieces = [said[start : start + size] for start in range(0, len(said), size)]
        wire = ScriptedWire(*pieces)
        await ask_socks(Proxy("socks5://proxy.example:1080"), wire, PLAIN)
        assert wire.reads == []


@pytest.mark.parametrize("bound", BOUND, ids=ADDRESSES)
async def test_what_comes_with_a_socks_reply_is_never_taken_for_the_servers_answer(bound: bytes) -> None:
    wire = ScriptedWire(replies(to=bound) + b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(ProxyRefused, match="sent data after its response: HTTP"):
        await ask_socks(Proxy("socks5://proxy.example:1080"), wire, PLAIN)


async def test_a_socks_sign_in_in_pieces() -> None:
    said = b"\5\2\1\0" + replies(to=BOUND[0])[2:]
    wire = ScriptedWire(*(said[at : at + 1] for at in range(len(said))))
    await ask_socks(Proxy("socks5://proxy.example:1080", AUTH), wire, PLAIN)
    assert wire.written[1] == b"\1\4user\6" + AUTH[1].encode()


@pytest.mark.parametrize(
    ("said", "words", "may_pass"),
    [
        (b"\5\0\5\4\0\1", "host unreachable", True),  # As short as some proxies say no.
        (b"\5\0\5\2\0\1\0\0\0\0\0\0", "not allowed", False),
        (b"\5\0\5\x63\0\1", "code 99", False),
        (b"\5\0\4\0\0\1", "SOCKS 5", False),
        (b"\5\0\5\0\0\2\0\0", "SOCKS 5", False),
        (b"\0\x5a", "SOCKS 5", False),
    ],
)
async def test_how_socks_refuses(said: bytes, words: str, may_pass: bool) -> None:
    with pytest.raises(ProxyRefused, match=words) as caught:
        await ask_socks(Proxy("socks5://proxy.example:1080"), ScriptedWire(said), PLAIN)
    assert caught.value.may_pass is may_pass


@pytest.mark.parametrize("said", [b"", b"\5", b"\5\0\5\0\0\3\x20half"])
async def test_socks_that_hangs_up(said: bytes) -> None:
    reads = [said, b""] if said else [b""]
    with pytest.raises(Disconnected):
        await ask_socks(Proxy("socks5://proxy.example:1080"), ScriptedWire(*reads), PLAIN)


@pytest.mark.parametrize(("host", "auth"), [("a" * 256, None), (NAME, ("u" * 256, "p")), (NAME, ("user", "p" * 256))])
async def test_what_is_too_long_for_socks_is_told(host: str, auth: tuple[str, str] | None) -> None:
    wire = ScriptedWire(b"\5\2" if auth else b"\5\0")
    with pytest.raises(ProxyRefused, match="longer than SOCKS allows"):
        await ask_socks(Proxy("socks5://proxy.example:1080", auth), wire, Origin("http", host, 80))


@pytest.mark.parametrize("said", [b"", b"\5", b"\5\0", b"\5\0\5\0\0", b"\5\0\5\0\0\3\x20half a name"])
async def test_socks_that_stalls_midway(said: bytes) -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(3)
        await peer.send(said)
        await peer.gone()

    async with RawServer(talk) as front:
        failure = await refusal(Route(PLAIN, proxied("socks5", front), None), HANGS)
        assert isinstance(failure.reason, TimeoutError)
        assert (failure.step, failure.at_proxy) == ("proxy", True)
