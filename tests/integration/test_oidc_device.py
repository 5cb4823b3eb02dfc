"""Signing in by a code at a certified authorization server, npm `oidc-provider`, and what comes after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from bridge.login.account import REVOKED, revoke, whoami
from bridge.login.prompt import PromptShown
from bridge.login.token_endpoint import TokenEndpoint
from bridge.oauth.errors import GrantRejected, SignInRefused, TimedOut
from bridge.oauth.record import Record
from tests.support.in_process.device_sign_in import DEADLINE, ByCode
from tests.support.oauth.oidc_provider import OidcProvider, oidc_provider
from tests.support.oauth.protected_reference import ProtectedProcess, protected_reference
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

QUICK = {"interval": 1}


CLIENT = {
    "client_id": "bridge",
    "client_secret": "a+b%2Bc:d/e&f=g~",
    "redirect_uris": [],
    "response_types": [],
    "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    "token_endpoint_auth_method": "client_secret_basic",
}
"""A client of the user's own, which the provider knows from its start."""


class Somebody:
    """Sees a code and does with it what a test says."""

    def __init__(self, deed: Callable[[str], Awaitable[object]]) -> None:
        self.asked: list[PromptShown] = []
        self.pages: list[object] = []
        self.answers = 0
        self._deed = deed

    async def ask(self, asked: PromptShown) -> None:
        self.asked.append(asked)
        self.pages.append(await self._deed(asked.user_code))

    def answered(self) -> None:
        self.answers += 1


class Place(ByCode):
    """The provider, an MCP server that trusts it, and who signs in there."""

    def __init__(self, provider: OidcProvider, server: ProtectedProcess) -> None:
        super().__init__(server.url)
        self.provider = provider
        self.server = server

    async def reset(self) -> None:
        await self.provider.reset()
        await self.provider.set(resources=[self.server.url], deviceSays=QUICK)

    async def sign_in(self, person: Somebody, **settings: Any) -> Record:
        return await self.signs_in(person, lambda secret: None, **settings)

    async def polls(self) -> list[str | None]:
        """The errors that the token endpoint answered so far, None for tokens."""
        # A request that has no answer yet has no status, and nothing is known of its error.
        return [entry["error"] for entry in await self.provider.requests("/token") if entry["status"] is not None]


@pytest.fixture(scope="module")
def common() -> Iterator[tuple[OidcProvider, ProtectedProcess]]:
    with oidc_provider(clients=[CLIENT]) as provider, protected_reference(provider.issuer) as server:
        yield provider, server


@pytest.fixture
async def place(common: tuple[OidcProvider, ProtectedProcess]) -> Place:
    there = Place(*common)
    await there.reset()
    return there


async def nothing(user_code: str) -> None:
    """Somebody who is not there."""


async def test_a_confirmed_code_brings_tokens_that_the_server_takes(place: Place) -> None:
    person = Somebody(place.provider.confirm)
    record = await place.sign_in(person)

    (asked,) = person.asked
    assert asked.url == f"{place.provider.issuer}/device?user_code={asked.user_code}"
    assert asked.redirect_uri == ""
    assert "Sign-in Success" in str(person.pages[0])
    assert person.answers == 1
    (made,) = await place.provider.requests("/reg")
    assert made["status"] == 201
    assert record.resource == place.server.url
    assert record.refresh_token
    (begun,) = await place.provider.requests("/device/auth")
    assert begun["resource"] == place.server.url
    reply = await place.web.get(place.server.url, "server", {"Authorization": f"Bearer {record.access_token}"})
    assert reply.status != 401


async def test_a_code_that_waits_is_asked_for_again(place: Place) -> None:
    async def later(user_code: str) -> None:
        async with asyncio.timeout(stretched(DEADLINE)):
            while "authorization_pending" not in await place.polls():  # noqa: ASYNC110 - what is waited for rings no bell
                await asyncio.sleep(0.05)
        await place.provider.confirm(user_code)

    await place.sign_in(Somebody(later))
    polls = await place.polls()
    assert polls[0] == "authorization_pending"
    assert polls[-1] is None


async def test_a_code_that_the_person_refuses(place: Place) -> None:
    with pytest.raises(SignInRefused, match="access_denied"):
        await place.sign_in(Somebody(place.provider.abort))
    assert place.kept == []


async def test_a_code_that_ends(place: Place) -> None:
    await place.provider.set(deviceCodeLifetime=2)
    person = Somebody(nothing)
    with pytest.raises(TimedOut):
        await place.sign_in(person)
    assert person.asked[0].seconds == 2
    # Which of the two notices the end, and after how many polls, depends on the machine.
    polls = await place.polls()
    assert len(polls) <= 2
    assert set(polls) <= {"authorization_pending", "expired_token"}


async def test_a_code_that_ends_sooner_than_was_said(place: Place) -> None:
    await place.provider.set(deviceCodeLifetime=1, deviceSays={"interval": 2, "expires_in": 60})
    with pytest.raises(TimedOut):
        await place.sign_in(Somebody(nothing))
    assert len(await place.polls()) == 1
    assert await place.polls() != ["authorization_pending"]


async def test_the_login_timeout_ends_it_too(place: Place) -> None:
    with pytest.raises(TimedOut, match="--login-timeout"):
        await place.sign_in(Somebody(nothing), login_timeout=1.5)


async def test_a_registration_is_used_again_and_made_anew_where_it_is_forgotten(place: Place) -> None:
    await place.sign_in(Somebody(place.provider.confirm))
    first = place.kept[-1].client.client_id
    assert (await place.sign_in(Somebody(place.provider.confirm))).client.client_id == first
    await place.provider.restart()
    person = Somebody(place.provider.confirm)
    assert (await place.sign_in(person)).client.client_id != first
    assert len(person.asked) == 1


async def test_tokens_that_are_taken_back_are_good_no_more(place: Place) -> None:
    record = await place.sign_in(Somebody(place.provider.confirm))
    assert record.revocation_endpoint
    endpoint = TokenEndpoint(place.web, lambda secret: None)
    record = record.with_tokens(await endpoint.refresh(record), 0.0)

    assert await revoke(place.web, record, lambda secret: None) == REVOKED
    asked = await place.provider.requests("/token/revocation")
    # The package takes back no JWT (RFC 7009 2.2.1): it ends by itself.
    assert [entry["error"] for entry in asked] == [None, "unsupported_token_type"]
    with pytest.raises(GrantRejected):
        await endpoint.refresh(record)


async def test_the_provider_says_who_is_signed_in(place: Place) -> None:
    # A token for no resource of its own is one for the userinfo endpoint (OpenID Connect Core 5.3).
    record = await place.sign_in(Somebody(place.provider.confirm), resource="none", scope="openid")
    assert record.id_token
    assert await whoami(place.web, record) == "somebody"
    without = Record(**{name: getattr(record, name) for name in record.__struct_fields__} | {"id_token": ""})
    assert await whoami(place.web, without) == "somebody"
    assert [entry["status"] for entry in await place.provider.requests("/me")] == [200]


async def test_a_token_for_the_mcp_server_tells_nobody(place: Place) -> None:
    record = await place.sign_in(Somebody(place.provider.confirm))
    assert record.id_token == ""
    assert await whoami(place.web, record) == ""


async def test_a_client_with_a_secret(place: Place) -> None:
    options = {"client_id": "bridge", "client_secret": CLIENT["client_secret"]}
    record = await place.sign_in(Somebody(place.provider.confirm), **options)

    assert record.client.secret == ""
    assert await place.provider.requests("/reg") == []
    for path in ("/device/auth", "/token"):
        assert {entry["authorization"] for entry in await place.provider.requests(path)} == {"Basic"}
