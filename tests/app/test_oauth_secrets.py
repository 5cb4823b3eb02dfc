"""Planted secrets: whatever a server throws back, nothing secret gets out.

Every test with a `Site` looks for every code, verifier, state, token and client secret on stderr, in the log, on
stdout and in files that others can read. Here servers go out of their way to have them told.
"""

import json
import os

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import Answer, oauth_error, refuse
from tests.support.oauth.authority import form
from tests.support.oauth.protected_server import bearer
from tests.support.oauth.site import KINDS, LOGIN
from tests.support.oauth.user import asked
from tests.support.servers.fault_answers import plain, redirect
from tests.support.servers.fault_http import Exchange
from tests.support.servers.fault_server import Call, FaultServer

pytestmark = pytest.mark.anyio


async def test_a_token_endpoint_that_quotes_the_refresh_token() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)

        async def quotes(exchange: Exchange) -> None:
            await refuse(exchange, 503, "server_error", f"cannot renew {form(exchange.request)['refresh_token']}")

        site.authority.always("token", quotes)
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=60)).kind in KINDS


async def test_a_server_that_quotes_the_access_token() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)

        async def quotes(call: Call) -> None:
            token = bearer(call.request)
            body = json.dumps({"error": f"no access with {token}"}).encode()
            await call.exchange.respond(403, body, "application/json", [("X-Token", str(token))])

        site.server.always("tools/call:echo", quotes)
        assert (await host.call("echo", deadline=LOGIN)).kind == "http-status"


async def test_a_challenge_that_quotes_the_access_token() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        (token,) = site.authority.ledger.access
        site.server.refuses_all = True
        site.server.challenge = {"realm": token, "error_description": f"{token} is old"}
        assert (await host.call("echo", deadline=60)).kind in KINDS


async def test_a_registration_that_quotes_a_secret() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.methods = ("client_secret_post",)
        await site.begin(host)
        (client,) = site.authority.ledger.clients.values()
        site.authority.always("token", oauth_error(401, "invalid_client", f"{client.secret} has expired"))
        site.authority.always("register", oauth_error(400, "invalid_client_metadata", f"not {client.secret}"))
        site.authority.ledger.expire_access()
        assert (await host.call("echo", deadline=60)).kind in KINDS


async def test_a_callback_that_is_denied_with_the_state_in_its_words() -> None:
    async with InProcessSite() as site, site.bridge() as host:

        async def quotes(exchange: Exchange) -> None:
            state = asked(site.authority.origin + exchange.request.path)["state"]
            site.authority.denies = {"error": "access_denied", "error_description": f"not with {state}"}
            await site.authority.behave(exchange)

        site.authority.always("authorize", quotes)
        answer = await site.failed(host)
        assert "access_denied" in answer.error["message"]


async def test_a_redirect_of_a_token_request_is_not_followed() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        seen: list[Exchange] = []

        async def thief(exchange: Exchange) -> None:
            seen.append(exchange)
            await exchange.respond(200)

        site.server.pages["/thief"] = thief
        location = site.server.origin + "/thief"

        async def redirects(exchange: Exchange) -> None:
            await exchange.respond(307, b"", "", [("Location", location)])

        site.authority.always("token", redirects)
        await site.failed(host, 60)
        assert seen == []


async def test_a_registration_that_is_redirected_goes_nowhere() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        site.authority.always("register", _moved("https://elsewhere.example/register"))
        await site.failed(host, 60)


async def test_the_token_goes_to_no_other_origin() -> None:
    async with FaultServer() as other, InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        for status in (302, 307, 308):
            site.server.once("tools/call:echo", redirect(status, other.url))
            assert (await host.call("echo", deadline=LOGIN)).kind == "redirect"
        assert other.http.connections == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
async def test_a_file_that_others_could_read_is_mended() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        (token,) = site.authority.ledger.access
        (path,) = [path for path in site.person.files() if token.encode() in path.read_bytes()]
        path.chmod(0o644)
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert len(site.person.opened) <= 2


async def test_a_tool_may_say_what_it_likes() -> None:
    """Only the bridge's own words are cleaned: a result passes as it is."""
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        answer = await host.call("echo", text="Bearer abcdefgh12345678")
        assert "Bearer abcdefgh12345678" in answer.result["content"][0]["text"]


async def test_a_server_error_page_amid_the_session_is_passed_on_as_ever() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.server.once("tools/call:echo", plain(500, b"oops", "text/plain"))
        assert (await host.call("echo")).kind == "http-status"
        assert len(site.person.opened) == 1


def _moved(location: str) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(307, b"", "", [("Location", location)])

    return answer
