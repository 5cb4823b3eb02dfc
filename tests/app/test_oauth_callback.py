"""The loopback callback: its address, what is refused there without ending the wait, and what ends it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked, fetch, until, visit
from tests.support.ports import free_port
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def holding(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Somebody else's server on a port."""

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def consenting(site: InProcessSite, host: BridgeProcess, tabs: int = 1) -> tuple[object, str, str]:
    """Begin a session, and stop where the person looks at the consent page: id, redirect URI and state."""
    waiting = await host.ask("initialize", INITIALIZE)
    parameters = asked(await site.person.until_opened(tabs, deadline=LOGIN))
    return waiting, parameters["redirect_uri"], parameters["state"]


# -- the address


async def test_the_port_stays_the_same_from_run_to_run() -> None:
    async with InProcessSite() as site:
        for _ in range(3):
            await site.sign_in()
            site.authority.ledger.revoke_all()
        assert len({asked(url)["redirect_uri"] for url in site.person.opened}) == 1
        assert len(site.person.opened) == 3


async def test_each_profile_has_a_port_of_its_own() -> None:
    async with InProcessSite() as site:
        for profile in ("one", "two", "three"):
            await site.sign_in("--profile", profile)
        assert len({asked(url)["redirect_uri"] for url in site.person.opened}) == 3


async def test_a_port_may_be_given() -> None:
    async with InProcessSite() as site:
        port = free_port()
        await site.sign_in("--callback-port", str(port))
        assert asked(site.person.opened[0])["redirect_uri"] == f"http://localhost:{port}/callback"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_given_port_that_is_taken_is_an_error_that_says_by_whom(address: str) -> None:
    async with InProcessSite() as site, contextlib.AsyncExitStack() as stack:
        try:
            port = await stack.enter_async_context(holding(address))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        host = await stack.enter_async_context(site.bridge("--callback-port", str(port)))
        message = (await site.failed(host)).error["message"]
        assert str(port) in message
        assert str(os.getpid()) in message
        assert "--callback-port" in message
        assert site.person.opened == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_host_and_path_may_be_given(name: str) -> None:
    async with InProcessSite() as site:
        await site.sign_in("--callback-host", name, "--callback-path", "/oauth/done")
        parts = urlsplit(asked(site.person.opened[0])["redirect_uri"])
        assert (parts.hostname, parts.path) == (name, "/oauth/done")


async def test_both_loopback_addresses_are_listened_on_and_no_other() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with site.bridge() as host:
            _, redirect_uri, _ = await consenting(site, host)
            port = urlsplit(redirect_uri).port
            pages = [await fetch(f"http://127.0.0.1:{port}/nothing", headers={"Host": f"localhost:{port}"})]
            if socket.has_ipv6:
                with contextlib.suppress(OSError):
                    pages.append(await fetch(f"http://[::1]:{port}/nothing", headers={"Host": f"localhost:{port}"}))
            assert {page.status for page in pages} == {404}
            for own in {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}:
                if not str(own).startswith("127."):
                    with pytest.raises(ConnectionRefusedError):
                        await fetch(f"http://{own}:{port}/nothing")


async def test_connections_that_say_nothing_do_not_keep_the_browser_out() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with site.bridge() as host, contextlib.AsyncExitStack() as stack:
            waiting, redirect_uri, _ = await consenting(site, host)
            port = urlsplit(redirect_uri).port
            for n in range(100):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    stack.callback(writer.close)
                    writer.write(b"GET /callback?" if n % 2 else b"")
            assert (await visit(site.person.opened[0])).status == 200
            assert (await host.answer(waiting, deadline=LOGIN)).result


async def test_the_page_is_kept_by_nobody_and_runs_nothing() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with site.bridge() as host:
            waiting, _, state = await consenting(site, host)
            page = await visit(site.person.opened[0])
            assert (await host.answer(waiting, deadline=LOGIN)).result
            headers = dict(page.headers)
            assert "no-store" in headers["cache-control"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert state not in page.text


async def test_the_same_callback_a_second_time_does_nothing() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with site.bridge() as host:
            waiting, _, _ = await consenting(site, host)
            location = dict((await fetch(site.person.opened[0])).headers)["location"]
            assert (await fetch(location)).status == 200
            assert (await host.answer(waiting, deadline=LOGIN)).result
            with contextlib.suppress(OSError):  # nobody listens any more
                assert (await fetch(location)).status != 200
            assert (await host.call("echo")).result
            assert len(site.authority.forms("authorization_code")) == 1


# -- what ends it


@pytest.mark.parametrize("error", ["access_denied", "server_error", "invalid_scope"])
async def test_a_refusal_is_told_in_the_browser_and_to_the_host(error: str) -> None:
    words = "You <script>alert(1)</script> may not\nsee this"
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.denies = {"error": error, "error_description": words}
        answer = await site.failed(host)
        page = await site.person.until_page()
        assert "<script" not in page.text
        assert "may not see this" in page.text
        assert "may not see this" in answer.error["message"]
        assert error in answer.error["message"]
        assert "\n" not in answer.error["message"]
        assert site.authority.seen("token") == []
        site.authority.denies = {}
        assert (await host.request("initialize", INITIALIZE, deadline=LOGIN)).result
        assert site.registered_once()


async def test_a_sign_in_that_nobody_finishes_ends_in_time() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with site.bridge("--login-timeout", "1") as host:
            answer = await site.failed(host, 10)
            assert "--login-timeout" in answer.error["message"]
            port = urlsplit(asked(site.person.opened[0])["redirect_uri"]).port
            async with holding(port=port or 0):
                pass  # the port is free again
            site.person.browser = "follow"
            assert len(site.person.opened) == 1


async def test_without_a_browser_the_printed_url_is_enough() -> None:
    async with InProcessSite() as site:
        site.person.browser = "fail"
        async with site.bridge() as host:
            waiting = await host.ask("initialize", INITIALIZE)
            await until(lambda: site.printed(host), "the URL on stderr", LOGIN)
            assert (await visit(site.printed(host)[0])).status == 200
            assert (await host.answer(waiting, deadline=LOGIN)).result
            assert len(site.printed(host)) == 1


# -- iss (RFC 9207, and the table of MCP 2026-07-28)


@pytest.mark.parametrize("advertised", [True, False])
async def test_the_right_issuer_in_the_response_is_taken(advertised: bool) -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.sends_iss = True
        if not advertised:
            site.authority.metadata_changes = {"authorization_response_iss_parameter_supported": None}
        await host.initialize(deadline=LOGIN)


@pytest.mark.parametrize(
    ("seen", "advertised"),
    [("absent", True), ("other", True), ("other", False), ("slash", True), ("slash", False)],
)
async def test_another_issuer_in_the_response_is_refused(seen: str, advertised: bool) -> None:
    async with InProcessSite() as site, site.bridge("--login-timeout", "4") as host:
        iss = {"absent": None, "other": "https://evil.example", "slash": site.authority.issuer + "/"}[seen]
        site.authority.sends_iss = True
        site.authority.response_changes = {"iss": iss}
        if not advertised:
            site.authority.metadata_changes = {"authorization_response_iss_parameter_supported": None}
        await site.failed(host)
        assert site.authority.seen("token") == [], "the code went to nobody"
        assert (await site.person.until_page()).status != 0


async def test_an_error_of_another_issuer_is_not_shown() -> None:
    async with InProcessSite() as site, site.bridge("--login-timeout", "4") as host:
        site.authority.denies = {"error": "access_denied", "error_description": "Call this number"}
        site.authority.response_changes = {"iss": "https://evil.example"}
        answer = await site.failed(host)
        assert "this number" not in answer.raw.decode()
        assert "this number" not in (await site.person.until_page()).text
