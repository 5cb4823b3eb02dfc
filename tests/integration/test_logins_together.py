"""Copies that start together where nobody has signed in: one tab, one registration, and all of them work."""

import asyncio

import pytest

from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import visit
from tests.support.process.bridge_command import run_command
from tests.support.process.bridge_process import INITIALIZE
from tests.support.process.instances import SLOW, end_copy, serves, start_copies, start_copy, works
from tests.support.process.login_processes import logins_of, no_login_left
from tests.support.process.login_rounds import MANNERS, play_round

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("manner", MANNERS)
async def test_five_copies_work_after_one_consent(manner: str) -> None:
    """As `scripts/soak.py --rounds 30` plays it, three times."""
    await play_round(manner)


async def test_copies_that_start_after_somebody_signed_out_open_one_tab() -> None:
    async with Site() as site:
        await site.sign_in()
        code, said = await run_command(site, "logout", site.server.url)
        assert code == 0, said
        async with start_copies(site, 3) as hosts:
            await asyncio.gather(*(works(host) for host in hosts))
        await no_login_left(site.person)
        assert len(site.person.opened) == 2
        assert len(site.authority.forms("authorization_code")) == 2


async def test_one_consent_serves_copies_that_keep_nothing() -> None:
    """The token reaches them by the login itself; what renews it is given to one of them only."""
    async with Site() as site:
        site.person.browser = "record"
        async with start_copies(site, 2, "--token-store", "memory") as hosts:
            opened = [await host.ask("initialize", INITIALIZE) for host in hosts]
            url = await site.person.until_opened(1, deadline=LOGIN)
            for host in hosts:
                await host.stderr_says(url, deadline=SLOW)
            assert (await visit(url)).status == 200
            for host, id_ in zip(hosts, opened, strict=True):
                assert (await host.answer(id_, SLOW)).result
                await host.notify("notifications/initialized")
                await serves(host)
            await no_login_left(site.person)
            for path in site.person.files():
                content = path.read_bytes().decode("latin-1")
                assert not any(secret in content for secret in site.secrets), path
        assert len(site.person.opened) == 1
        assert len(site.authority.forms("authorization_code")) == 1


async def test_every_copy_says_where_the_login_is() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copies(site, 3) as hosts:
            for host in hosts:
                await host.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            for host in hosts:
                await host.stderr_says(url, deadline=SLOW)
            assert len(logins_of(site.person)) == 1
            said = [line for host in hosts for line in host.stderr if "already in progress" in line]
            assert len(said) == 2, "one copy began it, the others found it"


async def test_the_others_work_on_when_copies_come_and_go() -> None:
    """A host starts five, ends them one by one within a second, and starts another; there is still one tab."""
    async with Site() as site:
        site.person.browser = "record"
        async with start_copies(site, 4) as hosts:
            opened = [await host.ask("initialize", INITIALIZE) for host in hosts]
            url = await site.person.until_opened(1, deadline=LOGIN)
            for host, ending in zip(hosts, ("killed", "closed-stdin", "terminated"), strict=False):
                await end_copy(host, ending)
            async with start_copy(site) as later:
                opened.append(await later.ask("initialize", INITIALIZE))
                await later.stderr_says(url, deadline=SLOW)
                assert (await visit(url)).status == 200
                for host, id_ in ((hosts[3], opened[3]), (later, opened[4])):
                    assert (await host.answer(id_, SLOW)).result
                    await host.notify("notifications/initialized")
                    await serves(host)
        assert len(site.person.opened) == 1
        assert len(site.authority.forms("authorization_code")) == 1


async def test_nothing_is_left_of_a_login_that_is_over() -> None:
    async with Site() as site, start_copy(site) as host:
        await works(host)
        await no_login_left(site.person)
        names = {path.name for path in site.person.files()}
        assert not any(name.endswith(".notice") for name in names), names
