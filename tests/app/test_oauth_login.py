"""Signing in for the first time, and that it is for good: the next start carries the stored token."""

import re

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import Hold
from tests.support.oauth.protected_server import bearer
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio


async def test_the_authorization_request_says_all_it_must() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        (url,) = site.person.opened
        assert url.startswith(site.authority.url("authorize") + "?")
        parameters = asked(url)
        redirect_uri = parameters.pop("redirect_uri")
        assert re.fullmatch(r"http://localhost:\d+/callback/[0-9a-f]{12}", redirect_uri)
        assert len(parameters.pop("state")) >= 22, "at least 128 bits, as base64 writes them"
        assert len(parameters.pop("code_challenge")) == 43
        (client,) = site.authority.ledger.clients.values()
        assert parameters == {
            "response_type": "code",
            "client_id": client.id,
            "code_challenge_method": "S256",
            "resource": site.server.url,
        }
        (form,) = site.authority.forms("authorization_code")
        assert set(form) == {"grant_type", "code", "redirect_uri", "client_id", "code_verifier", "resource"}
        assert form["redirect_uri"] == redirect_uri
        assert form["resource"] == site.server.url
        assert 43 <= len(form["code_verifier"]) <= 128


async def test_the_registration_describes_a_native_client() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        (client,) = site.authority.ledger.clients.values()
        assert client.metadata["application_type"] == "native"
        assert client.metadata["token_endpoint_auth_method"] == "none"
        assert set(client.metadata["grant_types"]) == {"authorization_code", "refresh_token"}
        assert client.metadata["response_types"] == ["code"]
        assert client.metadata["client_name"]
        assert asked(site.person.opened[0])["redirect_uri"] in client.metadata["redirect_uris"]


async def test_the_browser_ends_at_a_page_that_says_so() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        page = await site.person.until_page()
        assert page.status == 200
        assert "<html" in page.text
        assert "127.0.0.1" in page.text, "the page says for which server"
        assert "close" in page.text.lower()
        assert "<script" not in page.text.lower()
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page.text), "nothing from elsewhere"
        assert "code" not in page.url.partition("?")[2] or page.url.split("?")[1] not in page.text


@pytest.mark.parametrize("log", ["error", "warning", "info", "debug"])
async def test_the_authorization_url_stands_on_stderr_once_at_any_level(log: str) -> None:
    async with InProcessSite() as site, site.bridge(log=log) as host:
        await site.begin(host)
        assert site.printed(host) == site.person.opened
        (state,) = site.states
        assert len([line for line in host.stderr if state in line]) == 1


async def test_a_server_without_protection_is_never_asked_about_it() -> None:
    async with InProcessSite() as site:
        site.server.protected = False
        async with site.bridge() as host:
            await host.initialize()
            assert (await host.call("echo")).result
        assert site.server.seen_pages() == []
        assert site.authority.requests == []
        assert set(site.server.tokens()) == {None}


async def test_a_slow_token_endpoint_is_waited_for() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        slow = Hold(site.authority.behave)
        site.authority.once("token", slow)
        waiting = await host.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}})
        await site.authority.until_seen("token", deadline=LOGIN)
        assert not host.answers(waiting)
        slow.open()
        assert (await host.answer(waiting)).result


async def test_calls_made_while_somebody_signs_in_wait_and_are_all_answered() -> None:
    async with InProcessSite() as site, site.bridge() as host:
        await site.begin(host)
        site.authority.ledger.revoke_all()
        held = Hold(site.authority.behave)
        site.authority.once("token:authorization_code", held)
        calls = [await host.ask("tools/call", {"name": "echo", "arguments": {"n": n}}) for n in range(10)]
        await site.person.until_opened(2, deadline=LOGIN)
        held.open()
        for call in calls:
            assert (await host.answer(call, deadline=LOGIN)).result
        assert len(site.person.opened) == 2
        assert len(site.authority.forms("authorization_code")) == 2


async def test_a_refusal_that_looks_like_an_answer_is_a_refusal() -> None:
    """Some servers put a JSON-RPC error with the request's own id into the 401."""
    async with InProcessSite() as site, site.bridge() as host:
        site.server.refusal = b'{"jsonrpc":"2.0","id":ID,"error":{"code":-32001,"message":"Unauthorized"}}'
        await site.begin(host)
        assert (await host.call("echo")).result


async def test_the_tokens_lie_where_only_their_owner_reads_them() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        (token,) = site.authority.ledger.access
        held = [path for path in site.person.files() if token.encode() in path.read_bytes()]
        assert len(held) == 1, "no keyring here: one file holds the token"
        # Whom it is readable for is looked at in every test: see `Prompt.check_files`.


async def test_a_token_that_cannot_be_stored_is_used_all_the_same() -> None:
    async with InProcessSite() as site:
        blocked = site.person.home / "data"
        blocked.write_bytes(b"a file where a folder is to be made")
        async with site.bridge() as host:
            await site.begin(host)
            assert (await host.call("echo")).result
            assert any(bearer(request) for request in site.server.http.requests)


async def test_the_notice_about_the_file_comes_once() -> None:
    async with InProcessSite() as site:
        await site.sign_in(log="info")
        first = [line for line in site.bridges[0].stderr if "keyring" in line]
        assert len(first) == 1, site.bridges[0].stderr
        await site.sign_in(log="info")
        assert not any("keyring" in line for line in site.bridges[1].stderr)
