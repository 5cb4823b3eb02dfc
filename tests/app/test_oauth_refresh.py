"""Tokens that wear out: renewed without anybody noticing, and kept whatever goes wrong for a while."""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import Answer, hangs, html, json_body, oauth_error, plain, redirect, resets
from tests.support.oauth.site import KINDS, LOGIN
from tests.support.oauth.user import until
from tests.support.process.bridge_process import INITIALIZE
from tests.support.servers.fault_http import Exchange

pytestmark = pytest.mark.anyio


PASSING: dict[str, Answer] = {
    "500": html(500),
    "503": plain(503, b"later", "text/plain", [("Retry-After", "1")]),
    "429": plain(429, b"slow down"),
    "404": html(404),
    "400-html": html(400),
    "200-html": html(200),
    "200-no-token": json_body({"token_type": "Bearer"}),
    "redirect": redirect(302, "/login"),
}


async def test_a_token_is_renewed_before_it_expires() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.expires_in = 0.5
        await site.begin(host)
        await site.until_expired()
        before = len(site.server.seen("tools/call"))
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.server.seen("tools/call")) == before + 1, "no request was spent on a refusal"
        assert site.authority.refreshed >= 1
        assert len(site.person.opened) == 1


async def test_a_token_refused_early_is_renewed_and_the_call_goes_on() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        for n in range(3):
            site.authority.ledger.expire_access()
            assert (await host.call("echo", n=n)).result
        assert site.authority.refreshed == 3
        assert len(site.person.opened) == 1


async def test_nothing_waits_for_a_refresh_while_it_streams() -> None:
    """No lock is held while a request is under way: an open GET stream holds up no renewal."""
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        stream = await site.server.stream()
        site.authority.ledger.expire_access()
        assert (await host.call("echo")).result
        assert stream.open


@pytest.mark.parametrize("kind", ["503", "404", "400-html", "200-html"])
async def test_a_passing_failure_keeps_the_tokens(kind: str) -> None:
    async with InProcessSite() as site, site.bridge(patience=0.5) as host:
        await site.begin(host)
        site.authority.always("token", PASSING[kind])
        site.authority.ledger.expire_access()
        answer = await host.call("echo", deadline=40)
        assert answer.kind in KINDS
        assert site.authority.url("token") in answer.error["message"]
        assert len(site.person.opened) == 1, "no tab for what will pass"
        site.authority.always("token", None)
        assert (await host.call("echo", deadline=40)).result
        assert len(site.person.opened) == 1


@pytest.mark.parametrize("kind", ["500", "404", "200-html"])
async def test_a_passing_failure_at_the_start_keeps_the_tokens(kind: str) -> None:
    async with InProcessSite() as site:
        site.authority.expires_in = 0.5
        await site.sign_in()
        await site.until_expired()
        site.authority.always("token", PASSING[kind])
        async with site.bridge(patience=0.5) as host:
            await site.failed(host, 40)
        async with site.bridge() as host:
            site.authority.always("token", None)
            assert (await host.request("initialize", INITIALIZE, deadline=40)).result
        assert len(site.person.opened) == 1


async def test_a_token_endpoint_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.login.auth_http._TOTAL_SECONDS", 1.0)
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.always("token", hangs)
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=100)).kind in KINDS
        site.authority.always("token", None)
        assert (await host.call("echo", deadline=40)).result
        assert len(site.person.opened) == 1


async def test_a_renewal_that_fails_once_is_tried_again() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.once("token", html(503))
        site.authority.ledger.expire_access()
        await host.call("echo", deadline=40)
        assert (await host.call("echo", deadline=40)).result
        assert len(site.person.opened) == 1


async def test_a_token_that_still_serves_is_used_though_renewal_fails() -> None:
    """Renewal ahead of time is a courtesy: as long as the token is good, calls go on."""
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.expires_in = 20
        await site.begin(host)
        site.authority.always("token", html(500))
        assert (await host.call("echo", deadline=40)).result
        assert len(site.person.opened) == 1


async def test_a_grant_that_is_over_takes_one_tab() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.ledger.revoke_all()
        calls = [await host.ask("tools/call", {"name": "echo", "arguments": {"n": n}}) for n in range(5)]
        for call in calls:
            assert (await host.answer(call, deadline=LOGIN)).result
        assert len(site.person.opened) == 2
        assert site.authority.refreshed == 1
        host.close_stdin()
        await host.wait(5)
        await site.sign_in()
        assert len(site.person.opened) == 2


async def test_an_answer_that_is_lost_costs_one_tab_and_no_more() -> None:
    """The server has rotated the token and the answer never came: the family is lost, the bridge is not."""
    async with InProcessSite() as site, site.bridge() as host:
        site.allows_reuse = True
        await site.begin(host)

        async def rotates_and_breaks(exchange: Exchange) -> None:
            family = site.authority.ledger.families[-1]
            site.authority.ledger.refresh_token(family)
            await resets(exchange)

        site.authority.once("token:refresh_token", rotates_and_breaks)
        site.authority.ledger.expire_access()
        for _ in range(3):
            answer = await host.call("echo", deadline=40)
            if "result" in answer.value:
                break
        assert answer.result
        assert len(site.person.opened) == 2


async def test_without_rotation_the_refresh_token_stays() -> None:
    async with InProcessSite() as site:
        site.authority.rotates = False
        await site.sign_in()
        for _ in range(3):
            site.authority.ledger.expire_access()
            await site.sign_in()
        assert site.authority.refreshed == 3
        assert len({form["refresh_token"] for form in site.authority.forms("refresh_token")}) == 1
        assert len(site.person.opened) == 1


async def test_with_rotation_each_refresh_token_is_spent_once() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        for _ in range(3):
            site.authority.ledger.expire_access()
            await site.sign_in()
        assert len({form["refresh_token"] for form in site.authority.forms("refresh_token")}) == 3
        assert len(site.person.opened) == 1


async def test_a_refresh_repeats_the_scopes_that_were_granted() -> None:
    """Entra ID refuses a refresh without."""
    async with InProcessSite() as site, site.bridge("--scope", "files:read files:write") as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        assert (await host.call("echo")).result
        (form,) = site.authority.forms("refresh_token")
        assert set(form["scope"].split()) == {"files:read", "files:write"}
        assert form["resource"] == site.server.url


async def test_without_a_refresh_token_there_is_a_warning_and_then_a_tab() -> None:
    async with InProcessSite() as site, site.bridge(log="info") as host:
        site.authority.refreshes = False
        await site.begin(host)
        await host.stderr_says("refresh token")
        assert (await host.call("echo")).result
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.person.opened) == 2
        assert site.authority.refreshed == 0


@pytest.mark.parametrize("expires_in", [None, "3600", 0, "soon"])
async def test_a_lifetime_that_is_none_does_no_harm(expires_in: object) -> None:
    async with InProcessSite() as site:
        site.authority.expires_in = expires_in
        await site.sign_in()
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert len(site.person.opened) == 1
        assert site.authority.refreshed <= 8


@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
async def test_the_type_of_token_in_any_case(kind: str) -> None:
    async with InProcessSite() as site:
        site.authority.token_changes = {"token_type": kind}
        await site.sign_in()


@pytest.mark.parametrize(
    "change",
    [{"token_type": "mac"}, {"token_type": "DPoP"}, {"access_token": ""}, {"access_token": "a\r\nX-Injected: 1"}],
    ids=["mac", "dpop", "empty", "injection"],
)
async def test_a_token_that_cannot_be_used_is_an_error(change: dict[str, str]) -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.token_changes = change
        answer = await site.failed(host)
        assert site.authority.url("token") in answer.error["message"]
        assert not any(request.header("x-injected") for request in site.server.http.requests)
        assert set(site.server.tokens()) == {None}


@pytest.mark.parametrize("error", ["invalid_request", "unauthorized_client", "invalid_scope", "invalid_target"])
async def test_no_other_error_than_invalid_grant_costs_the_stored_tokens(error: str) -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        site.authority.ledger.expire_access()
        site.authority.always("token", oauth_error(400, error, "misconfigured for a moment"))
        async with site.bridge("--login-timeout", "3") as host:
            answer = await site.failed(host)
            assert "misconfigured for a moment" in answer.error["message"]
        site.authority.always("token", None)
        tabs = len(site.person.opened)
        assert tabs <= (3 if error == "unauthorized_client" else 2), "that one may be about the registration"
        await site.sign_in()
        assert len(site.person.opened) == tabs
        assert site.authority.ledger.reuses == 0


async def test_a_stream_that_is_refused_asks_nobody_until_somebody_asks_for_something() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        first = await site.server.stream()
        gets = len(site.server.seen("GET"))
        site.authority.ledger.revoke_all()
        first.drop()
        await site.server.until(lambda: len(site.server.seen("GET")) > gets, "a GET that is refused")
        await until(lambda: site.authority.refreshed == 1, "a try to renew")
        assert len(site.person.opened) == 1
        assert (await host.call("echo", deadline=LOGIN)).result
        assert len(site.person.opened) == 2
        await site.server.stream(2, deadline=LOGIN)
        assert len(site.person.opened) == 2


async def test_the_stream_is_opened_again_with_the_new_token() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        first = await site.server.stream()
        site.authority.ledger.expire_access()
        first.drop()
        await site.server.stream(2, deadline=LOGIN)
        newest = list(site.authority.ledger.access)[-1]
        assert site.server.tokens("GET")[-1] == newest
        await until(lambda: site.authority.refreshed == 1, "one refresh")
        assert len(site.person.opened) == 1
