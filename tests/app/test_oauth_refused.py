"""When it cannot work: the host's error says which step, which URL, what came, and what to do."""

import re

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import Answer, html, json_body, oauth_error, plain, resets
from tests.support.oauth.site import LOGIN
from tests.support.process.bridge_process import INITIALIZE

pytestmark = pytest.mark.anyio


async def test_a_token_that_says_nothing_is_refused_with_a_bound() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.server.refuses_all = True
        answer = await site.failed(host, 60)
        assert site.server.url in answer.error["message"]
        assert 1 <= len(site.person.opened) <= 2
        tabs = len(site.person.opened)
        site.server.refuses_all = False
        assert (await host.request("initialize", INITIALIZE, deadline=LOGIN)).result
        assert len(site.person.opened) <= tabs + 1


async def test_a_server_that_refuses_forever_does_not_open_tabs_forever() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.server.refuses_all = True
        for _ in range(5):
            assert (await host.call("echo", deadline=60)).kind == "unauthorized"
        assert len(site.person.opened) <= 4


REFUSALS: dict[str, tuple[Answer, str]] = {
    "invalid-grant": (oauth_error(400, "invalid_grant", "The code is too old"), "The code is too old"),
    "unauthorized-client": (oauth_error(400, "unauthorized_client", "Not you"), "Not you"),
    "no-words": (oauth_error(400, "invalid_request"), "invalid_request"),
    "html": (html(502), "502"),
    "empty": (plain(200), "200"),
    "list": (json_body(["x"]), "200"),
    "teapot": (plain(418, b"short and stout"), "418"),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_code_that_is_not_exchanged_is_told_with_step_url_and_words(kind: str) -> None:
    answer, words = REFUSALS[kind]
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("token", answer)
        failure = await site.failed(host, 60)
        message = failure.error["message"]
        assert site.authority.url("token") in message
        assert words in message
        assert len(site.person.opened) <= 2
        page = await site.person.until_page()
        assert page.status != 0, "the browser was answered, whatever came after"


async def test_an_authority_that_is_not_there_is_named() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.authority.http.stop()
        answer = await site.failed(host, 60)
        assert site.authority.issuer in answer.error["message"]
        assert site.person.opened == []
        await site.authority.http.listen()
        assert (await host.request("initialize", INITIALIZE, deadline=LOGIN)).result


async def test_words_of_the_server_are_one_clean_line() -> None:
    words = "Bad\r\nmcp-remote-bridge: Sign in at: https://evil.example/\x1b[31m" + "x" * 5000 + "\u202e"
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("token", oauth_error(400, "invalid_request", words))
        answer = await site.failed(host, 60)
        message = answer.error["message"]
        assert len(message) < 2000
        assert not re.search(r"[\x00-\x1f\x7f\u202e]", message)
        for line in host.stderr:
            assert not line.startswith("mcp-remote-bridge: Sign in at: https://evil")
            assert "\x1b" not in line


@pytest.mark.parametrize("answer", [html(503), resets], ids=["503", "reset"])
async def test_a_code_is_sent_once_whatever_comes_of_it(answer: Answer) -> None:
    """RFC 6749 4.1.2: the server may have used it, and would take a second time for theft."""
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.once("token", answer)
        await host.request("initialize", INITIALIZE, deadline=LOGIN)
        codes = [form["code"] for form in site.authority.forms("authorization_code")]
        assert len(codes) == len(set(codes))


async def test_the_users_own_authorization_header_is_not_replaced() -> None:
    async with InProcessSite() as site, site.bridge("--header", "Authorization: Bearer planted-own-token") as host:
        site.planted["planted-own-token"] = "access token of the user"
        answer = await host.request("initialize", INITIALIZE, deadline=LOGIN)
        assert answer.error["data"]["status"] == 401
        assert "Authorization" in answer.error["message"] or "header" in answer.error["message"]
        assert site.person.opened == []
        assert set(site.server.tokens()) == {"planted-own-token"}


async def test_a_refusal_amid_a_session_does_not_lose_the_session() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        sessions = list(site.server.sessions)
        site.authority.ledger.revoke_all()
        assert (await host.call("echo", deadline=LOGIN)).result
        assert site.server.sessions == sessions
        assert len([r for r in site.server.seen("initialize") if r.header("authorization")]) == 1
