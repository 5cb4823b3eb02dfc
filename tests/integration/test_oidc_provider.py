"""A certified authorization server, npm `oidc-provider`, in front of the reference `mcp` server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.in_process.site import client_clock_ahead, visitor
from tests.support.oauth.oidc_provider import OidcProvider, oidc_provider
from tests.support.oauth.protected_reference import USE, ProtectedProcess, protected_reference
from tests.support.oauth.user import Person, asked, until
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.signed_in_bridge import SIGN_IN_DEADLINE, greet, leave, run_once, works
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SHORT = 2
"""Seconds an access token lives where a test waits for its end."""

STATIC_CLIENT = {
    "client_id": "bridge:1+1=2",
    "client_secret": "a+b%2Bc:d/e&f=g~",
    "application_type": "native",
    "redirect_uris": ["http://localhost:49333/callback", "http://127.0.0.1:49333/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "client_secret_basic",
}
"""A client of the user's own, which the provider knows from its start."""


@dataclass(frozen=True)
class Site:
    """The authorization server, and the MCP server that trusts it."""

    provider: OidcProvider
    server: ProtectedProcess

    @property
    def url(self) -> str:
        return self.server.url

    async def refreshes(self) -> int:
        """How often the provider gave tokens for a refresh token."""
        return len(await self.provider.requests("/token", grant_type="refresh_token", status=200))

    async def reset(self) -> None:
        """Begin the journals anew, with the settings of the start."""
        await self.provider.reset()
        await self.server.reset()
        await self.provider.set(resources=[self.server.url])

    async def forget(self) -> None:
        """Start the provider with an empty store; the MCP server takes none of its earlier tokens."""
        await self.provider.restart()
        await self.server.refuse_tokens()

    async def of_bridge(self) -> list[str]:
        """What was asked of the provider, without what the MCP server asks to check tokens."""
        return [entry["path"] for entry in await self.provider.journal() if entry.get("path") not in (None, "/jwks")]


@contextlib.contextmanager
def site(**settings: Any) -> Iterator[Site]:
    with oidc_provider(**settings) as provider, protected_reference(provider.issuer) as server:
        yield Site(provider, server)


@pytest.fixture(scope="module")
def common() -> Iterator[Site]:
    """One site for all tests that need nothing particular: two processes take a second and more to start."""
    with site(clients=[STATIC_CLIENT]) as started:
        yield started


@pytest.fixture
async def there(common: Site) -> Site:
    await common.reset()
    return common


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    """Whose bridges are threads of this process."""
    async with visitor(tmp_path) as made:
        yield made


@pytest.fixture
def user(tmp_path: Path) -> Person:
    """Whose bridges are processes."""
    return Person(tmp_path)


async def expired(lifetime: int = SHORT) -> None:
    """Wait until an access token that was given out before is over."""
    start = time.time()
    await until(lambda: time.time() > start + lifetime + 0.1, "the end of the access token")


async def test_the_first_call_signs_in(there: Site, user: Person) -> None:
    said = await run_once(user, there.url)

    assert len(user.opened) == 1
    assert [line for line in said if user.opened[0] in line] == [f"mcp-remote-bridge: Sign in at: {user.opened[0]}"]
    request = asked(user.opened[0])
    assert request["code_challenge_method"] == "S256"
    assert request["resource"] == there.url
    assert request["scope"].split(" ") == [USE, "offline_access"]
    assert (await user.until_page()).status == 200
    assert len(await there.provider.requests("/reg", status=201)) == 1
    (exchange,) = await there.provider.requests("/token")
    assert (exchange["grant_type"], exchange["resource"], exchange["status"]) == (
        "authorization_code",
        there.url,
        200,
    )
    # The first form of the standard's order is not there; the second is OpenID Connect's.
    discovered = [path for path in await there.of_bridge() if path.startswith("/.well-known")]
    assert discovered[:2] == ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]


async def test_a_restart_carries_the_stored_token(there: Site, person: Person) -> None:
    await run_once(person, there.url)
    signing_in = await there.of_bridge()
    requests = len(await there.server.requests("/mcp"))
    await run_once(person, there.url)

    assert len(person.opened) == 1
    assert await there.of_bridge() == signing_in
    again = (await there.server.requests("/mcp"))[requests:]
    assert [entry for entry in again if "authorization" not in entry["headers"] or entry["status"] == 401] == []


async def test_an_expired_token_is_refreshed_at_the_next_start(there: Site, person: Person) -> None:
    await there.provider.set(accessTokenLifetime=SHORT)
    await run_once(person, there.url)
    await there.provider.set(accessTokenLifetime=3600)
    before = await there.refreshes()
    await expired()
    await run_once(person, there.url)
    await run_once(person, there.url)

    assert len(person.opened) == 1
    assert await there.refreshes() == before + 1
    last = (await there.provider.requests("/token", grant_type="refresh_token"))[-1]
    assert (last["resource"], last["scope"]) == (there.url, USE)
    await there.provider.assert_no_reuse()


async def test_every_rotated_token_is_kept(there: Site, person: Person) -> None:
    async with person.launch(there.url) as bridge:
        await greet(bridge)
        for _ in range(3):
            await there.server.refuse_tokens()
            await works(bridge)
        await leave(bridge)
        await run_once(person, there.url)

        assert len(person.opened) == 1
        assert await there.refreshes() == 3
        await there.provider.assert_no_reuse()


async def test_a_token_is_renewed_before_it_ends(there: Site, person: Person) -> None:
    await run_once(person, there.url)
    # The last two minutes of an hour are the time to renew it; the provider's own clock is not there yet.
    with client_clock_ahead(3600 - 60):
        async with person.launch(there.url) as bridge:
            await greet(bridge)
            with anyio.fail_after(stretched(SIGN_IN_DEADLINE)):
                while await there.refreshes() == 0:
                    await works(bridge)
                    await anyio.sleep(0.01)
            await works(bridge)

    refused = await there.server.requests("/mcp", status=401)
    # The one that began it all had no token.
    assert ["authorization" in entry["headers"] for entry in refused] == [False]
    await there.provider.assert_no_reuse()


async def five(person: Person, url: str, bridges: contextlib.AsyncExitStack) -> list[BridgeProcess]:
    """Five bridges, as many as a host that starts one for each of its windows."""
    return [await bridges.enter_async_context(person.launch(url)) for _ in range(5)]


async def test_five_processes_start_on_one_expired_token(there: Site, person: Person) -> None:
    await there.provider.set(accessTokenLifetime=SHORT)
    async with contextlib.AsyncExitStack() as bridges:
        await run_once(person, there.url)
        await there.provider.set(accessTokenLifetime=3600)
        before = await there.refreshes()
        await expired()
        started = await five(person, there.url, bridges)
        async with anyio.create_task_group() as calls:
            for bridge in started:
                calls.start_soon(greet, bridge)

        assert await there.refreshes() == before + 1
        await there.provider.assert_no_reuse()
        assert len(person.opened) == 1


async def test_five_processes_wake_on_one_refused_token(there: Site, user: Person) -> None:
    async with contextlib.AsyncExitStack() as bridges:
        await run_once(user, there.url)
        awake = await five(user, there.url, bridges)
        async with anyio.create_task_group() as calls:
            for bridge in awake:
                calls.start_soon(greet, bridge)
        await there.server.refuse_tokens()
        async with anyio.create_task_group() as calls:
            for bridge in awake:
                calls.start_soon(works, bridge)

        assert await there.refreshes() == 1
        await there.provider.assert_no_reuse()
        assert len(user.opened) == 1


async def test_a_provider_that_lost_its_store_is_registered_with_once(there: Site, person: Person) -> None:
    async with person.launch(there.url) as bridge:
        await greet(bridge)
        await there.forget()
        await works(bridge)
        await leave(bridge)
    await run_once(person, there.url)

    assert len(person.opened) == 2
    assert len(await there.provider.requests("/reg", status=201)) == 1


async def test_a_client_forgotten_without_a_refresh_token_is_made_anew(there: Site, person: Person) -> None:
    # Nothing but the browser would see that the client is unknown, on a page that leads nowhere.
    await there.provider.set(refreshOnlyOffline=True)
    await run_once(person, there.url)
    await there.forget()
    await run_once(person, there.url)

    assert len(await there.provider.requests("/reg", status=201)) == 1
    assert asked(person.opened[0])["client_id"] != asked(person.opened[-1])["client_id"]
    assert len(person.opened) == 2


async def test_a_sign_in_elsewhere_is_picked_up(there: Site, person: Person) -> None:
    async with person.launch(there.url) as one, person.launch(there.url) as other:
        await greet(one)
        await greet(other)
        await there.forget()
        await works(one)
        await works(other)

        assert len(person.opened) == 2
        assert await there.provider.told("grant.error") == ["client not found"]


async def test_a_server_that_moved_to_another_provider(there: Site, person: Person) -> None:
    # MCP 2026-07-28, Authorization Server Binding: what one issuer gave is never shown to another.
    old = there.provider
    with oidc_provider() as new, contextlib.ExitStack() as running:
        server = running.enter_context(protected_reference(old.issuer))
        for provider in (old, new):
            await provider.set(resources=[server.url])
        async with person.launch(server.url) as bridge:
            await greet(bridge)
            running.close()
            running.enter_context(protected_reference(new.issuer, port=server.port))
            await works(bridge)
            await leave(bridge)
        await run_once(person, server.url)

        assert len(person.opened) == 2
        assert not person.opened[-1].startswith((old.issuer, new.issuer)), "a page of ours warns first"
        assert len(await new.requests("/reg", status=201)) == 1
        assert await new.told("grant.error") + await new.told("authorization.error") == []


async def test_a_static_client_shows_its_secret_by_basic(there: Site, person: Person) -> None:
    options = ["--client-id", str(STATIC_CLIENT["client_id"]), "--client-secret", "env:WORD"]
    await run_once(person, there.url, *options, env={"WORD": str(STATIC_CLIENT["client_secret"])})
    await there.server.refuse_tokens()
    await run_once(person, there.url, *options, env={"WORD": str(STATIC_CLIENT["client_secret"])})

    assert len(person.opened) == 1
    assert await there.provider.requests("/reg") == []
    tokens = await there.provider.requests("/token")
    assert [(entry["grant_type"], entry["status"]) for entry in tokens] == [
        ("authorization_code", 200),
        ("refresh_token", 200),
    ]
    assert {(entry["authorization"], entry["secret_in_form"]) for entry in tokens} == {("Basic", False)}


async def test_a_provider_that_requires_pushed_requests_gets_them(person: Person) -> None:
    """The client has a secret with odd characters, which the provider compares once more."""
    options = ["--client-id", str(STATIC_CLIENT["client_id"]), "--client-secret", "env:WORD"]
    secret = {"WORD": str(STATIC_CLIENT["client_secret"])}
    with site(pushed="required", clients=[STATIC_CLIENT]) as there:
        await there.reset()
        await run_once(person, there.url)
        await run_once(person, there.url, *options, env=secret)

        assert [set(asked(url)) for url in person.opened] == [{"client_id", "request_uri"}] * 2
        pushed = await there.provider.requests("/request", status=201)
        assert [(entry["authorization"], entry["resource"]) for entry in pushed] == [
            (None, there.url),
            ("Basic", there.url),
        ]
        assert await there.provider.told("authorization.error") == []


async def test_a_registration_refused_for_its_scopes_goes_without(person: Person) -> None:
    # By default the package registers clients for its own scopes only, not for those of a resource.
    with site(listed=False) as there:
        await there.reset()
        await run_once(person, there.url)

        assert [entry["status"] for entry in await there.provider.requests("/reg")] == [400, 201]
        assert len(person.opened) == 1


async def test_offline_access_where_consent_is_asked_for(there: Site, person: Person) -> None:
    # OpenID Connect Core 11: only then does the package give a refresh token out, by default.
    await there.provider.set(refreshOnlyOffline=True)
    await run_once(person, there.url, "--authorize-param", "prompt=consent")
    await there.server.refuse_tokens()
    await run_once(person, there.url)

    assert len(person.opened) == 1
    assert await there.refreshes() == 1


async def test_no_refresh_token_is_said(there: Site, person: Person) -> None:
    await there.provider.set(refreshOnlyOffline=True)
    said = await run_once(person, there.url)

    assert any("refresh token" in line for line in said), said


async def test_the_second_tab_asks_for_consent_and_there_is_no_third(there: Site, person: Person) -> None:
    await there.provider.set(refreshOnlyOffline=True)
    for _ in range(3):
        await run_once(person, there.url)
        await there.server.refuse_tokens()

    assert [asked(url).get("prompt") for url in person.opened] == [None, "consent"]
    assert await there.refreshes() == 1


async def test_a_resource_the_provider_does_not_know_is_an_error(there: Site, person: Person) -> None:
    async with person.launch(there.url, "--resource", f"{there.url}/") as bridge:
        answer = await bridge.request("initialize", INITIALIZE, deadline=SIGN_IN_DEADLINE)

        assert answer.kind == "unauthorized"
        assert "invalid_target" in answer.error["message"]


async def test_a_token_for_no_resource_is_refused_and_told_of(there: Site, person: Person) -> None:
    async with person.launch(there.url, "--resource", "none") as bridge:
        answer = await bridge.request("initialize", INITIALIZE, deadline=SIGN_IN_DEADLINE)

        assert answer.kind == "unauthorized"
        assert len(person.opened) == 1
        assert "resource" not in asked(person.opened[0])
