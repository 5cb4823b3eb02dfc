"""Several bridges of one person: one refresh, one tab, and no one hurts another."""

import pytest

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import until

pytestmark = pytest.mark.anyio


async def test_a_renewal_elsewhere_is_picked_up() -> None:
    async with InProcessSite() as site, site.bridge() as running:
        await site.begin(running)
        site.authority.ledger.expire_access()
        await site.sign_in()
        assert site.authority.refreshed == 1
        assert (await running.call("echo", deadline=LOGIN)).result
        assert site.authority.refreshed == 1, "the other's token was taken, none was spent"
        assert len(site.person.opened) == 1


async def test_profiles_are_two_people() -> None:
    async with InProcessSite() as site:
        await site.sign_in("--profile", "work")
        await site.sign_in("--profile", "home")
        assert len(site.person.opened) == 2
        work, home = site.authority.ledger.access
        for profile, token in (("work", work), ("home", home), ("work", work)):
            await site.sign_in("--profile", profile)
            assert site.server.tokens("tools/call")[-1] == token
        assert len(site.person.opened) == 2
        site.authority.ledger.revoke(site.authority.ledger.families[0])
        await site.sign_in("--profile", "home")
        assert len(site.person.opened) == 2
        assert site.server.tokens("tools/call")[-1] == home


async def test_a_profile_stays_with_its_account_until_the_user_signs_out() -> None:
    async with InProcessSite() as site:
        site.authority.gives_id_token = True
        await site.sign_in("--profile", "work")
        site.authority.ledger.revoke_all()
        site.authority.person["sub"] = "another"
        async with site.bridge("--profile", "work") as host:
            message = (await site.failed(host, 60)).error["message"]
        issuer = site.authority.issuer
        said = f"The profile work belongs to someone (at {issuer}), but another (at {issuer}) signed in"
        assert said in message
        assert f"mcp-remote-bridge logout {site.server.url} --profile work" in message
        assert "belongs to someone" in (await site.person.until_page(2)).text
        site.authority.person["sub"] = "someone"
        await site.sign_in("--profile", "work")
        site.authority.person["sub"] = "another"
        await site.sign_in("--profile", "home")


async def test_a_refresh_that_brings_another_accounts_token_is_told_to_the_host() -> None:
    async with InProcessSite() as site:
        site.authority.gives_id_token = True
        async with site.bridge("--profile", "work") as host:
            await site.begin(host)
            site.authority.person["sub"] = "another"
            site.authority.ledger.expire_access()
            message = (await host.call("echo", deadline=60)).error["message"]
            assert "A refresh of the sign-in of someone" in message
            assert "brought the token of another" in message
            assert len(site.person.opened) == 1
            site.authority.person["sub"] = "someone"
            assert (await host.call("echo", deadline=60)).result
            assert len(site.person.opened) == 2


async def test_servers_do_not_share_tokens() -> None:
    async with InProcessSite() as site, Authority() as authority, ProtectedServer(authority) as other:
        site.others.append(authority)
        await site.sign_in()
        await site.sign_in(url=other.url)
        assert len(site.person.opened) == 2
        assert set(other.tokens()) & set(site.server.tokens()) == {None}


async def test_the_memory_store_forgets_and_leaves_nothing() -> None:
    async with InProcessSite() as site:
        async with site.bridge("--token-store", "memory") as host:
            await site.begin(host)
            site.authority.ledger.expire_access()
            assert (await host.call("echo")).result
            assert len(site.person.opened) == 1
        for path in site.person.files():
            content = path.read_bytes().decode("latin-1")
            assert not any(secret in content for secret in site.secrets), path
        await site.sign_in("--token-store", "memory")
        assert len(site.person.opened) == 2


async def test_the_file_store_is_not_announced() -> None:
    async with InProcessSite() as site:
        await site.sign_in("--token-store", "file", log="info")
        await site.sign_in("--token-store", "file", log="info")
        assert len(site.person.opened) == 1
        assert not any("keyring" in line for line in site.bridges[0].stderr)


async def test_a_keyring_that_is_wanted_and_not_there_is_said() -> None:
    async with InProcessSite() as site, site.bridge("--token-store", "keyring") as host:
        await site.begin(host)
        line = await host.stderr_says("system keyring")
        assert "--token-store" in line
        assert (await host.call("echo")).result
        assert len(site.person.opened) == 1


async def test_a_record_that_is_broken_is_as_good_as_none() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        for path in site.person.files():
            if any(secret.encode() in path.read_bytes() for secret in site.secrets):
                path.write_bytes(b'{"half a rec')
        await site.sign_in()
        assert len(site.person.opened) == 2
        await until(lambda: len(site.person.pages) == 2, "the second page")
