"""The loopback callback: its address, what is refused there without ending the wait, and what ends it.

More cases, without processes, are in `tests/app/test_oauth_callback.py`.
"""

from urllib.parse import urlencode, urlsplit

import pytest

from bridge.login.openers import ARGUMENT
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import asked, fetch, until, visit
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess

pytestmark = pytest.mark.anyio


async def consenting(site: Site, host: BridgeProcess, tabs: int = 1) -> tuple[object, str, str]:
    """Begin a session, and stop where the person looks at the consent page: id, redirect URI and state."""
    waiting = await host.ask("initialize", INITIALIZE)
    parameters = asked(await site.person.until_opened(tabs, deadline=LOGIN))
    return waiting, parameters["redirect_uri"], parameters["state"]


async def test_a_url_that_an_opener_would_cut_is_opened_by_a_short_address() -> None:
    async with Site() as site:
        await site.sign_in(env={"MCP_BRIDGE_AUTHORIZE_PARAM": "hint=" + "x" * ARGUMENT})
        (opened,) = site.person.opened
        port = urlsplit(asked(site.authority.seen("authorize")[0].path)["redirect_uri"]).port
        assert opened.startswith(f"http://127.0.0.1:{port}/start/")
        assert len(opened) < 100
        assert site.person.pages[0].status == 200


# -- what is refused, while the wait goes on


WRONG: dict[str, dict[str, str]] = {
    "another-state": {"code": "stolen", "state": "another"},
    "no-state": {"code": "stolen"},
    "empty-state": {"code": "stolen", "state": ""},
    "error-with-another-state": {"error": "access_denied", "state": "another"},
    "error-without-state": {"error": "access_denied", "error_description": "gone"},
    "nothing": {},
}


async def test_wrong_callbacks_do_not_end_a_sign_in() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with site.bridge() as host:
            waiting, redirect_uri, state = await consenting(site, host)
            right = urlencode({"code": "stolen", "state": state})
            port = urlsplit(redirect_uri).port
            elsewhere = redirect_uri.replace("/callback", "/callback/more")
            tried = [await fetch(f"{redirect_uri}?{urlencode(wrong)}") for wrong in WRONG.values()]
            tried += [
                await fetch(f"{redirect_uri}?{right}", "POST", body=b"x=1"),
                await fetch(f"{redirect_uri}?{right}", "HEAD"),
                await fetch(f"{redirect_uri}?{right}", "OPTIONS"),
                await fetch(f"{elsewhere}?{right}"),
                await fetch(f"http://127.0.0.1:{port}/favicon.ico"),
                await fetch(f"{redirect_uri}?{right}", headers={"Host": "evil.example"}),
                await fetch(f"{redirect_uri}?{right}", headers={"Host": f"evil.example:{port}"}),
                await fetch(f"{redirect_uri}?{right}", headers={"Host": "localhost:1"}),
                await fetch(f"{redirect_uri}?{right}&state={state}"),
                await fetch(f"{redirect_uri}?{right}&code=another"),
                await fetch(f"{redirect_uri}?state={state}"),
                await fetch(f"{redirect_uri}?state={state}&code="),
            ]
            for page in tried:
                assert 400 <= page.status < 500, page
                assert state not in page.text
            assert not host.answers(waiting)
            assert site.authority.seen("token") == []
            good = await visit(site.person.opened[0])
            assert good.status == 200
            assert (await host.answer(waiting, deadline=LOGIN)).result
            assert len(site.person.opened) == 1
            assert len(site.authority.forms("authorization_code")) == 1


async def test_no_browser_at_all_is_no_crash() -> None:
    async with Site() as site, site.bridge(env={"BROWSER": "/nowhere/to/be/found %s"}) as host:
        waiting = await host.ask("initialize", INITIALIZE)
        await until(lambda: site.printed(host), "the URL on stderr", LOGIN)
        assert (await visit(site.printed(host)[0])).status == 200
        assert (await host.answer(waiting, deadline=LOGIN)).result
