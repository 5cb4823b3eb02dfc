"""A sign-in of mcp-remote's in our store: the next start renews it, and opens no tab."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings, SignInSettings
from bridge.migrate.mcp_auth import find_sign_in
from bridge.migrate.mcp_remote_hash import HashedServer, digests
from bridge.migrate.taking_over import TakenOver, take_over
from bridge.store.choice import open_store
from bridge.store.paths import platform_paths
from bridge.tokens.issuers_file import issuers_file
from tests.migrate.mcp_remote_files import write_sign_in
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.site import LOGIN
from tests.support.oauth.tokens import Client, Consent
from tests.support.ports import free_port

pytestmark = pytest.mark.anyio

REDIRECT_URI = "http://localhost:{port}/oauth/callback"


class OldSite(InProcessSite):
    """A site where mcp-remote has signed in, as far as the authorization server remembers."""

    callback_port = 4711

    def old_sign_in(
        self, folder: Path, *, secret: str | None = None, refreshes: bool = True, knows_client: bool = True, **more: Any
    ) -> dict[str, Any]:
        """Write mcp-remote's files for a client and a grant that the authority knows; returns the tokens.

        `more` are members of the tokens' file.
        """
        ledger, redirect_uri = self.authority.ledger, REDIRECT_URI.format(port=self.callback_port)
        client = Client(secrets.token_hex(8), secret, "client_secret_post" if secret else "none", (redirect_uri,))
        ledger.clients[client.id] = client
        family = ledger.open_family(Consent(client.id, redirect_uri, "", "read", self.server.url))
        tokens = {"access_token": ledger.access_token(family, 3600, None), "token_type": "Bearer", "scope": "read"}
        if refreshes:
            tokens["refresh_token"] = ledger.refresh_token(family)
        info: dict[str, Any] = {"client_id": client.id, "redirect_uris": [redirect_uri]}
        if secret:
            ledger.secrets[secret] = "client secret"
            info |= {"client_secret": secret, "token_endpoint_auth_method": "client_secret_post"}
        [digest] = digests(HashedServer(self.server.url))
        write_sign_in(folder, digest, tokens | more, info if knows_client else None)
        return tokens

    async def take_over(self, folder: Path, settings: Settings | None = None) -> TakenOver:
        settings = settings or Settings(url=self.server.url)
        store = open_store(settings.sign_in.token_store, lambda text: None)
        old = find_sign_in(folder, digests(HashedServer(self.server.url)))
        return await take_over(old, settings, store, lambda secret: None)

    async def next_start(self, *arguments: str) -> None:
        """Start the bridge as a host does, and make a call."""
        async with self.bridge(*arguments) as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
            host.close_stdin()
            assert await host.wait(5) == 0


@contextlib.asynccontextmanager
async def old_site() -> AsyncIterator[OldSite]:
    async with OldSite() as site:
        yield site


@pytest.mark.parametrize("secret", [None, "client-hush"])
async def test_the_next_start_renews_the_token_and_opens_no_tab(tmp_path: Path, secret: str | None) -> None:
    async with old_site() as site:
        site.authority.methods = ("none", "client_secret_post")
        old = site.old_sign_in(tmp_path, secret=secret)

        done = await site.take_over(tmp_path)
        await site.next_start()

        assert done.is_taken
        assert site.person.opened == []
        [form] = site.authority.forms("refresh_token")
        assert form["refresh_token"] == old["refresh_token"]
        assert form["resource"] == site.server.url
        assert site.authority.seen("register") == []
        assert "at-old" not in site.server.tokens()


async def test_a_second_start_uses_what_the_first_renewed(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)

        assert (await site.take_over(tmp_path)).is_taken
        await site.next_start()
        await site.next_start()

        assert len(site.authority.forms("refresh_token")) == 1
        assert site.person.opened == []


async def test_a_grant_that_has_ended_leads_to_one_sign_in(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)
        assert (await site.take_over(tmp_path)).is_taken
        site.authority.ledger.revoke_all()

        await site.next_start()

        assert len(site.person.opened) == 1


async def test_a_later_sign_in_with_the_same_redirect_uri_uses_the_registration(tmp_path: Path) -> None:
    async with old_site() as site:
        site.callback_port = free_port()
        site.old_sign_in(tmp_path)
        callback = SignInSettings(callback_port=site.callback_port, callback_path="/oauth/callback")
        assert (await site.take_over(tmp_path, Settings(url=site.server.url, sign_in=callback))).is_taken
        site.authority.ledger.revoke_all()

        await site.next_start("--callback-port", f"{site.callback_port}", "--callback-path", "/oauth/callback")

        assert len(site.person.opened) == 1
        assert site.authority.seen("register") == []


async def test_a_client_of_the_users_belongs_to_its_authorization_server_from_then_on(tmp_path: Path) -> None:
    async with old_site() as site:
        tokens = site.old_sign_in(tmp_path, knows_client=False)
        own = SignInSettings(client_id=next(iter(site.authority.ledger.clients)))

        assert (await site.take_over(tmp_path, Settings(url=site.server.url, sign_in=own))).is_taken
        await site.next_start("--client-id", own.client_id or "")

        assert site.person.opened == []
        [form] = site.authority.forms("refresh_token")
        assert form["refresh_token"] == tokens["refresh_token"]
        issuers = issuers_file(Settings(url=site.server.url, sign_in=own), platform_paths()).read()
        assert issuers.clients == {own.client_id: site.authority.issuer}


async def test_a_sign_in_that_is_there_stays(tmp_path: Path) -> None:
    async with old_site() as site:
        await site.sign_in()
        site.old_sign_in(tmp_path)

        done = await site.take_over(tmp_path)

        assert not done.is_taken
        assert done.sentence == f"You are already signed in to {site.server.url}."


async def test_an_access_token_without_a_refresh_token_is_used_while_it_is_good(tmp_path: Path) -> None:
    async with old_site() as site:
        tokens = site.old_sign_in(tmp_path, refreshes=False, expires_in=3600)

        assert (await site.take_over(tmp_path)).is_taken
        await site.next_start()

        assert set(site.server.tokens()) == {None, tokens["access_token"]}
        assert site.person.opened == []


async def refused(site: OldSite, folder: Path, settings: Settings | None = None) -> str:
    """The sentence about a sign-in that is not taken over; nothing is stored, and no token is sent anywhere."""
    done = await site.take_over(folder, settings)
    assert not done.is_taken
    assert site.authority.forms("refresh_token") == []
    assert set(site.server.tokens()) <= {None}
    store = open_store("auto", lambda text: None)
    assert store.keys("tokens") == []
    return done.sentence


async def test_an_access_token_that_has_expired_is_not_taken_over_alone(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path, refreshes=False, expires_at=(time.time() - 60) * 1000)

        sentence = await refused(site, tmp_path)

        assert "It has expired, and there is no refresh token." in sentence
        assert sentence.endswith(f"To sign in, run: mcp-remote-bridge login {site.server.url}")


async def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)
        await site.server.__aexit__(None, None, None)

        sentence = await refused(site, tmp_path)

        assert site.server.url in sentence
        assert "was not taken over: " in sentence


async def test_another_authorization_server_than_mcp_remote_noted_gets_nothing(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path, issuer="https://other.example")

        sentence = await refused(site, tmp_path)

        assert f"It is from https://other.example, but the server now names {site.authority.issuer}." in sentence


async def test_of_several_authorization_servers_none_gets_a_token_that_any_may_have_issued(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)
        named = [site.authority.issuer, "https://other.example"]
        site.server.metadata_changes = {"authorization_servers": named}

        assert "names several authorization servers" in await refused(site, tmp_path)


async def test_of_several_authorization_servers_the_one_that_mcp_remote_noted_is_used(tmp_path: Path) -> None:
    async with old_site() as site:
        site.server.metadata_changes = {"authorization_servers": ["https://other.example", site.authority.issuer]}
        site.old_sign_in(tmp_path, issuer=site.authority.issuer)

        assert (await site.take_over(tmp_path)).is_taken
        await site.next_start()

        assert site.person.opened == []


async def test_a_server_that_requires_no_sign_in_gets_no_token(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)
        site.server.protected = False

        assert (await refused(site, tmp_path)).startswith(f"{site.server.url} requires no sign-in")


async def test_tokens_without_a_client_are_not_taken_over(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path, knows_client=False)

        assert "The client that it was issued to is not known." in await refused(site, tmp_path)


async def test_the_issuer_that_the_user_allows_decides(tmp_path: Path) -> None:
    async with old_site() as site:
        site.old_sign_in(tmp_path)
        settings = Settings(url=site.server.url, sign_in=SignInSettings(issuer="https://mine.example"))

        assert "--issuer allows only https://mine.example" in await refused(site, tmp_path, settings)


async def test_no_sign_in_is_said_too(tmp_path: Path) -> None:
    async with old_site() as site:
        assert await refused(site, tmp_path) == f"mcp-remote has no sign-in to {site.server.url} here."
