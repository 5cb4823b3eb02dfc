"""A sign-in by a code at an authorization server that can be told what to do, and what is asked of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.login.account import REVOKED, revoke, whoami
from bridge.login.prompt import PromptShown
from bridge.oauth.errors import SignInRefused, TimedOut
from bridge.oauth.record import Record
from tests.support.in_process.device_sign_in import ByCode
from tests.support.oauth.answers import html, plain
from tests.support.oauth.authority import Authority, form
from tests.support.oauth.device import DEVICE_GRANT
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import LOGIN, Site

pytestmark = pytest.mark.anyio


class Place(ByCode):
    """An authority, a server it protects, and a person whose deed a test gives."""

    def __init__(self, authority: Authority, server: ProtectedServer) -> None:
        super().__init__(server.url)
        self.authority = authority
        self.server = server
        self.asked: list[PromptShown] = []
        self.concealed: list[str] = []
        self.deed: Callable[[PromptShown], Awaitable[object]] = self.confirms

    async def sign_in(self, **settings: Any) -> Record:
        return await self.signs_in(self, self.concealed.append, **settings)

    async def ask(self, asked: PromptShown) -> None:
        self.asked.append(asked)
        await self.deed(asked)

    def answered(self) -> None:
        pass

    async def confirms(self, asked: PromptShown) -> None:
        """Somebody who opens the page and agrees."""
        assert parse_qs(urlsplit(asked.url).query) == {"user_code": [asked.user_code]}
        assert (await self.web.probe(asked.url, "page")).status == 200

    async def leaves(self, asked: PromptShown) -> None:
        """Somebody who is not there."""


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    authority = Authority()
    authority.offers |= {"device", "revoke", "userinfo"}
    async with authority, ProtectedServer(authority) as server:
        yield Place(authority, server)


async def test_the_page_is_opened_and_the_tokens_are_good(place: Place) -> None:
    record = await place.sign_in()
    assert place.authority.ledger.valid(record.access_token)
    assert [urlsplit(request.path).path for request in place.authority.requests][-4:] == [
        place.authority.endpoints[name] for name in ("register", "device", "activate", "token")
    ]
    assert set(place.authority.ledger.secrets) <= set(place.concealed)
    assert [client.redirect_uris for client in place.authority.ledger.clients.values()] == [()]


async def test_a_client_with_a_secret_shows_it_at_every_endpoint(place: Place) -> None:
    place.authority.methods = ("client_secret_post",)
    record = await place.sign_in()
    await revoke(place.web, record, place.concealed.append)
    for key in ("device", "token", "revoke"):
        assert all("client_secret" in form(request) for request in place.authority.seen(key))


async def test_a_fault_on_the_way_costs_nothing(place: Place) -> None:
    place.authority.once("token", html(502))
    assert await place.sign_in()
    assert len(place.authority.forms(DEVICE_GRANT)) == 2


async def test_a_refusal(place: Place) -> None:
    place.authority.denies = {"error": "access_denied"}
    with pytest.raises(SignInRefused):
        await place.sign_in()


async def test_a_code_that_the_server_ends(place: Place) -> None:
    place.deed = place.leaves
    place.authority.code_lifetime = 0.5
    place.authority.code_changes = {"expires_in": 30}
    with pytest.raises(TimedOut):
        await place.sign_in()


async def test_tokens_are_taken_back(place: Place) -> None:
    record = await place.sign_in()
    assert await revoke(place.web, record, place.concealed.append) == REVOKED
    assert place.authority.ledger.valid(record.access_token) is None
    assert place.authority.ledger.family_of(record.refresh_token, record.client.client_id) is None
    assert [form(request)["token_type_hint"] for request in place.authority.seen("revoke")] == [
        "refresh_token",
        "access_token",
    ]


async def test_access_tokens_that_cannot_be_taken_back_end_with_their_family(place: Place) -> None:
    place.authority.keeps_access = True
    record = await place.sign_in()
    assert await revoke(place.web, record, place.concealed.append) == REVOKED
    assert place.authority.ledger.valid(record.access_token) is None


async def test_a_server_that_is_busy_for_a_second_is_asked_once_more(place: Place) -> None:
    record = await place.sign_in()
    place.authority.once("revoke", plain(503, b"", "text/plain", [("Retry-After", "1")]))
    assert await revoke(place.web, record, place.concealed.append) == REVOKED
    assert len(place.authority.seen("revoke")) == 3


async def test_a_server_that_has_forgotten_the_client_is_said(place: Place) -> None:
    record = await place.sign_in()
    place.authority.forget_clients()
    said = await revoke(place.web, record, place.concealed.append)
    assert said.startswith("could not be revoked: The revocation endpoint ")
    assert "invalid_client" in said


async def test_who_is_signed_in(place: Place) -> None:
    record = await place.sign_in()
    assert await whoami(place.web, record) == "someone@person.example"
    await revoke(place.web, record, place.concealed.append)
    assert await whoami(place.web, record) == ""


async def test_the_bridge_shows_the_code_and_opens_its_page() -> None:
    async with Site() as site:
        site.authority.offers.add("device")
        async with site.bridge("--grant", "device-code") as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
            (code,) = site.authority.codes.values()
            (page,) = site.person.opened
            assert [line for line in host.stderr if code.user_code in line] == [
                f"mcp-remote-bridge: Sign in with the code {code.user_code} at: {page}"
            ]
        assert site.authority.seen("authorize") == []
