"""A real browser walks a login through to its last page."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from bridge.login.browser import open_browser
from bridge.login.listener import Arrival, CallbackListener
from bridge.login.page import failed_page, signed_in_page
from scripts import desktop
from tests.support.desktop.chromium import DEADLINE, Chromium, Tab, dumping_browser, find_chromium, launch
from tests.support.oauth.site import Site
from tests.support.oauth.user import until
from tests.support.process.bridge_process import CLIENT_INFO
from tests.support.waits import stretched

CHROMIUM = find_chromium()

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason=desktop.CHROMIUM.reason),
]

QUERY = "code=a-code&state=a-state&iss=https%3A%2F%2Flogin.example"
SERVER, HOST = "https://mcp.example.com/mcp", "Claude Desktop"

T = TypeVar("T")


@pytest.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    async with await CallbackListener.bind(ports=[], exact=False, host="localhost", path="/callback") as bound:
        yield bound


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Chromium]:
    assert CHROMIUM is not None
    async with launch(CHROMIUM, tmp_path / "profile") as running:
        yield running


@asynccontextmanager
async def another_site(location: str | None) -> AsyncIterator[str]:
    """A page that sends whoever asks on to `location`, or an empty one.

    So does an authorization server that sends a person to the callback who has agreed before.
    """
    answer = f"302 Found\r\nLocation: {location}" if location else "200 OK\r\nContent-Type: text/html"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # Browsers open connections that they never use.
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/authorize?state=a-state"
    finally:
        server.close()


def judge(query: str) -> str | None:
    return query if query == QUERY else None


async def walk(tab: Tab, listener: CallbackListener, page: bytes, status: int = 200) -> None:
    """One login: the tab opens the authorization URL and shows what came of it."""
    async with another_site(f"{listener.redirect_uri}?{QUERY}") as url:
        visiting = asyncio.create_task(tab.visit(url))
        arrival: Arrival[str] = await listener.receive(judge, stretched(DEADLINE))
        assert arrival.value == QUERY
        arrival.respond(page, status)
        await visiting


async def test_a_login_ends_on_its_page(chromium: Chromium, listener: CallbackListener) -> None:
    tab = await chromium.tab()
    await walk(tab, listener, signed_in_page(SERVER, HOST))
    assert (await tab.text()).split("\n\n")[:2] == [
        f"Signed in to {SERVER}.",
        f"You can close this tab and go back to {HOST}.",
    ]
    assert await tab.evaluate("document.title") == f"Signed in to {SERVER}"
    assert await tab.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"


async def test_a_short_address_leads_through_the_whole_login(chromium: Chromium, listener: CallbackListener) -> None:
    tab = await chromium.tab()
    async with another_site(f"{listener.redirect_uri}?{QUERY}") as url:
        long = f"{url}&scope={'x' * 8000}"
        visiting = asyncio.create_task(tab.visit(listener.short_address(long)))
        (await listener.receive(judge, stretched(DEADLINE))).respond(signed_in_page(SERVER, HOST))
        await visiting
    assert f"Signed in to {SERVER}." in await tab.text()
    assert tab.complaints == []
    # The tab's history begins at the authorization server, or after it: a reload never asks for the short address.
    assert await tab.evaluate("history.length") <= 2
    assert await tab.evaluate("document.referrer") == ""
    assert long in tab.requests


async def test_the_page_asks_for_nothing_and_complains_of_nothing(
    chromium: Chromium, listener: CallbackListener
) -> None:
    tab = await chromium.tab()
    await walk(tab, listener, signed_in_page(SERVER, HOST))
    await tab.text()
    assert {urlsplit(url).hostname for url in tab.requests} == {"127.0.0.1", "localhost"}
    assert [urlsplit(url).path for url in tab.requests] == ["/authorize", "/callback"]
    assert tab.complaints == []


async def test_a_servers_words_are_text(chromium: Chromium, listener: CallbackListener) -> None:
    said = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u202e"
    tab = await chromium.tab()
    await walk(tab, listener, failed_page(SERVER, said, "Try again."), 400)
    text = await tab.text()
    assert "<script>document.title='taken'</script><img src=x" in text
    assert "Try again." in text
    assert await tab.evaluate("document.title") == f"Not signed in to {SERVER}"
    assert await tab.evaluate("document.querySelectorAll('script, img').length") == 0
    # The server's error status is the browser's own remark.
    assert [one for one in tab.complaints if "400 (Bad Request)" not in one] == []


async def test_another_sites_page_cannot_end_a_login(chromium: Chromium, listener: CallbackListener) -> None:
    tab = await chromium.tab()
    judged: list[str] = []

    def note(query: str) -> str | None:
        judged.append(query)
        return judge(query)

    waiting = asyncio.create_task(listener.receive(note, stretched(DEADLINE)))
    callback = f"http://localhost:{listener.port}/callback"
    tries = f"""
      Promise.allSettled([
        fetch('{callback}?code=forged', {{mode: 'no-cors'}}),
        fetch('{callback}?code=forged').then((answer) => answer.text()),
        fetch('{callback}?{QUERY}', {{method: 'POST', mode: 'no-cors', body: 'x'}}),
        new Promise((done) => {{ const one = new Image(); one.onerror = done; one.src = '{callback}?{QUERY}'; }}),
        new Promise((done) => {{ const one = document.createElement('script'); one.onerror = done;
          one.src = '{callback}?{QUERY}'; document.body.append(one); }}),
        new Promise((done) => {{ const one = document.createElement('iframe'); one.onload = done;
          one.src = '{callback}?{QUERY}'; document.body.append(one); }}),
      ]).then((all) => all.map((one) => one.status + ' ' + (typeof one.value)).join())
    """
    async with another_site(None) as url:
        await tab.visit(url)
        assert await tab.evaluate("location.href") == url
        found = await tab.call("Runtime.evaluate", expression=tries, awaitPromise=True, returnByValue=True)
    readable = "fulfilled string"
    assert found["result"]["value"].count(",") == 5
    assert readable not in found["result"]["value"]
    assert len([one for one in tab.requests if one.startswith(callback)]) >= 6
    assert judged == ["code=forged", "code=forged"]
    assert not waiting.done()
    waiting.cancel()


async def test_the_page_is_readable_in_the_dark_and_on_a_phone(chromium: Chromium, listener: CallbackListener) -> None:
    tab = await chromium.tab()
    await walk(tab, listener, signed_in_page("https://" + "a-long-name." * 12 + "example/mcp", HOST))
    pictures = {await tab.screenshot(320, 640, scheme=scheme) for scheme in ("light", "dark")}
    assert len(pictures) == 2
    assert await tab.evaluate("document.documentElement.scrollWidth") <= 320
    ground = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(20, 23, 21)"


async def test_the_picture_in_the_documentation(chromium: Chromium, listener: CallbackListener, tmp_path: Path) -> None:
    """CALLBACK_PICTURE=docs/callback-page.png takes it anew."""
    tab = await chromium.tab()
    await walk(tab, listener, signed_in_page("mcp.example.com", HOST))
    picture = await tab.screenshot(960, 540)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60 * 1024
    keep(picture, os.environ.get("CALLBACK_PICTURE") or str(tmp_path / "callback-page.png"))


async def test_browser_may_name_chromium(listener: CallbackListener, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    command, file = dumping_browser(CHROMIUM, tmp_path)
    async with another_site(f"{listener.redirect_uri}?{QUERY}") as url:
        await open_browser(url, {**os.environ, "BROWSER": command})
        arrival = await listener.receive(judge, stretched(DEADLINE))
        arrival.respond(signed_in_page(SERVER, HOST))
        await until(file.exists, "the page", DEADLINE)
    page = file.read_text(encoding="utf-8")
    assert SERVER in page
    assert "You can close this tab and go back to " in page


def keep(picture: bytes, file: str) -> None:
    Path(file).write_bytes(picture)


async def test_a_person_signs_in_with_chromium(tmp_path: Path) -> None:
    """The whole of it: a host's first request, the bridge, its authorization server, the browser, the answer."""
    assert CHROMIUM is not None
    command, file = dumping_browser(CHROMIUM, tmp_path)
    async with Site() as site:
        async with site.bridge(env={"BROWSER": command}) as host:
            await host.initialize(deadline=DEADLINE)
            assert (await host.call("echo", deadline=DEADLINE)).result
            await until(file.exists, "the page", DEADLINE)
            page = file.read_text(encoding="utf-8")
            assert f"Signed in to <b><bdi>127.0.0.1:{urlsplit(site.server.url).port}</bdi></b>" in page
            assert CLIENT_INFO["name"] in page
            assert "You can close this tab and go back to " in page
            assert not [secret for secret in site.secrets | dict.fromkeys(site.states) if secret in page]
        # And from the next start on there is no tab any more.
        async with site.bridge(env={"BROWSER": "/no/such/browser"}) as host:
            await host.initialize(deadline=DEADLINE)
            assert (await host.call("echo", deadline=DEADLINE)).result
            assert site.printed(host) == []
