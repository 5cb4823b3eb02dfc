"""Proxies: CONNECT, forwarded requests, SOCKS 5, sign-ins, and what is told where there is no way on."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from bridge.remote.proxy import Proxy, proxy_for
from bridge.remote.tls import ssl_context
from bridge.session.events import BodyReceived, Cause, ExchangeFailed, StreamClosed
from tests.support.waits import stretched
from tests.wire.caller import Called, Caller
from tests.wire.chosen import at
from tests.wire.conftest import Here, settings
from tests.wire.equipment import NAME, PASSWORD, USER
from tests.wire.test_calls import SIZES, assert_same, check, message

pytestmark = pytest.mark.anyio

SOON = 8.0
WRONG = "another-word"
HTTP = ("proxy", "proxy-basic")
SOCKS = ("socks", "socks-user")
SCHEMES = ("http", "https")


def proxy_at(spot: Here, *, signed_in: bool = True) -> Proxy:
    """The proxy as the environment would name it."""
    scheme = "socks5h" if spot.door in SOCKS else "http"
    auth = (USER, PASSWORD) if signed_in and spot.door in {"proxy-basic", "socks-user"} else None
    return Proxy(f"{scheme}://127.0.0.1:{spot.port}", auth)


def tls_through(spot: Here) -> ssl.SSLContext:
    """What trusts the origin, or whom the proxy makes certificates with."""
    mitm = spot.certificates / "mitmproxy" / "mitmproxy-ca-cert.pem"
    file = mitm if spot.equipment.row.name == "mitmproxy" else spot.certificates / "ca.pem"
    return ssl_context(settings("https://127.0.0.1/", ca_file=file), {})


def through(spot: Here, scheme: str, proxy: Proxy | None = None, host: str = "127.0.0.1", port: int = 0) -> Caller:
    """One that calls the origin, or another port, through the proxy."""
    port = port or (spot.origin.tls_port if scheme == "https" else spot.origin.port)
    proxy = proxy or proxy_at(spot)
    return Caller(f"{scheme}://{host}:{port}", proxy=proxy, tls=tls_through(spot) if scheme == "https" else None)


@pytest.mark.scene("calls through a proxy")
@at(*HTTP, *SOCKS)
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_calls_go_through_a_proxy(spot: Here, scheme: str) -> None:
    async with through(spot, scheme) as caller:
        for number in range(30):
            check(await caller.post("/mcp", message(f"{number}")), f"{number}")
        texts = [f"at once {number}" for number in range(20)]
        every = await asyncio.gather(*(caller.post("/mcp", message(text)) for text in texts))
        for called, text in zip(every, texts, strict=True):
            check(called, text)
            assert spot.origin.ran.count(called.mark) == 1


@pytest.mark.scene("a name that only the proxy knows")
@at(*HTTP, *SOCKS)
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_proxy_looks_the_name_up(spot: Here, scheme: str) -> None:
    async with through(spot, scheme, host=NAME) as caller:
        check(await caller.post("/mcp", message("named")), "named")


@pytest.mark.scene("large bodies through a proxy")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_large_bodies_go_through_a_proxy(spot: Here, scheme: str) -> None:
    sizes = (SIZES["34-mb"], SIZES["1.1-mb"])
    async with through(spot, scheme) as caller:
        every = await asyncio.gather(*(caller.post(f"/sized/{size}", deadline=60) for size in sizes))
        for called, size in zip(every, sizes, strict=True):
            assert_same(called, size)
        check(await caller.post("/mcp", message("after")), "after")


@pytest.mark.scene("a stream through a proxy, as it comes")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_events_come_through_a_proxy_as_they_are_sent(spot: Here, scheme: str) -> None:
    async with through(spot, scheme) as caller:
        called = await caller.post("/events/5/200")
        times = [at for at, _ in called.events]
        assert len(times) == 5, called.told()
        assert isinstance(called.last, StreamClosed), called.told()
        assert times[-1] - times[0] > 0.5, f"the events came together: {times}"


@pytest.mark.scene("an origin that dies behind a proxy")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_answer_that_breaks_off_behind_a_proxy_is_told(spot: Here, scheme: str) -> None:
    async with through(spot, scheme) as caller:
        called = await caller.post("/dies/within")
        # mitmproxy collects an answer, and says itself that there is none.
        if isinstance(called.last, BodyReceived):
            assert called.status == 502, called.told()
        else:
            assert (called.failure.cause, called.failure.sent) == (Cause.TRUNCATED, True), called.told()
        check(await caller.post("/mcp", message("after")), "after")


@pytest.mark.scene("a proxy that wants a sign-in")
@at("proxy-basic", "socks-user")
@pytest.mark.parametrize("auth", ["none", "wrong"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_sign_in_that_is_missing_or_wrong_is_told(spot: Here, scheme: str, auth: str) -> None:
    proxy = proxy_at(spot, signed_in=False)
    if auth == "wrong":
        proxy = Proxy(proxy.url, (USER, WRONG))
    async with through(spot, scheme, proxy) as caller:
        called = await caller.post("/mcp")
        assert spot.origin.ran.count(called.mark) == 0
        assert WRONG not in called.told()
        if isinstance(called.last, BodyReceived):
            # Tinyproxy says 401 to a wrong password, as the server behind it might.
            assert (scheme, spot.door) == ("http", "proxy-basic"), called.told()
            assert called.status == (401 if spot.equipment.row.name == "tinyproxy" and auth == "wrong" else 407)
            return
        told = f"{called.failure.message} {called.failure.hint}"
        assert called.failure.cause is Cause.UNTRUSTED, told
        assert not called.failure.sent
        assert proxy.url in told
        assert "password" in told


@pytest.mark.scene("a proxy that wants Negotiate")
@at("proxy-negotiate")
async def test_a_proxy_that_wants_negotiate_is_told_as_such(spot: Here) -> None:
    async with through(spot, "https", Proxy(f"http://127.0.0.1:{spot.port}")) as caller:
        failure = (await caller.post("/mcp")).failure
        assert failure.cause is Cause.UNTRUSTED
        assert "negotiate" in f"{failure.message} {failure.hint}".lower(), failure


def assert_no_way(called: Called, spot: Here, *, forwarded: bool) -> None:
    """No way on from the proxy: it says so itself, or it is told that it did."""
    assert called.seconds < stretched(SOON), called.told()
    # mitmproxy makes the tunnel before it connects, and then says it in HTTP, as a gateway does.
    if forwarded or spot.equipment.row.name == "mitmproxy":
        assert called.status in {500, 502, 503, 504}, called.told()
        return
    assert isinstance(called.last, ExchangeFailed), called.told()
    assert not called.last.sent
    assert proxy_at(spot).url in called.last.message, called.told()


@pytest.mark.scene("a target that refuses")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_target_that_refuses_the_proxy_is_told(spot: Here, scheme: str) -> None:
    async with through(spot, scheme, port=spot.equipment.site.closed) as caller:
        called = await caller.post("/mcp")
        assert_no_way(called, spot, forwarded=scheme == "http" and spot.door == "proxy")


@pytest.mark.scene("a name that no one knows")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_name_that_the_proxy_does_not_know_is_told(spot: Here, scheme: str) -> None:
    async with through(spot, scheme, host="nowhere.invalid", port=80) as caller:
        called = await caller.post("/mcp")
        assert_no_way(called, spot, forwarded=scheme == "http" and spot.door == "proxy")


@pytest.mark.scene("a proxy that is down")
@at("proxy", "socks")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_proxy_that_is_down_is_told(spot: Here, scheme: str) -> None:
    down = Proxy(f"{proxy_at(spot).scheme}://127.0.0.1:{spot.equipment.site.closed}")
    async with through(spot, scheme, down) as caller:
        failure = (await caller.post("/mcp")).failure
        assert (failure.cause, failure.sent, failure.definite) == (Cause.UNREACHABLE, False, True)
        assert down.url in failure.message
        assert "HTTPS_PROXY" in failure.hint


@pytest.mark.scene("NO_PROXY")
@at("proxy", "socks")
async def test_what_no_proxy_names_is_asked_directly(spot: Here) -> None:
    url = f"http://{NAME}:{spot.origin.port}"
    environ = {"ALL_PROXY": proxy_at(spot).url}
    proxy = proxy_for(url, environ)
    assert proxy is not None
    async with Caller(url, proxy=proxy) as caller:
        check(await caller.post("/mcp", message("by proxy")), "by proxy")
    for exceptions in (NAME, ".example.test", f"{NAME}:{spot.origin.port}", "*"):
        assert proxy_for(url, environ | {"NO_PROXY": exceptions}) is None
    # No one but the proxy knows the name.
    async with Caller(url, proxy=None) as caller:
        failure = (await caller.post("/mcp")).failure
        assert failure.cause is Cause.UNREACHABLE
        assert NAME in failure.message
