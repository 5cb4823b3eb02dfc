"""Several bridges of one person: one refresh, one tab, and no one hurts another.

More cases, without processes, are in `tests/app/test_oauth_processes.py`.
"""

import asyncio
import contextlib
from urllib.parse import urlsplit

import pytest

from tests.support.oauth.answers import Hold
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import asked, visit
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.login_processes import no_login_left

pytestmark = pytest.mark.anyio

FIVE = 60.0
"""Seconds for five processes on a small machine."""


async def five(site: Site, stack: contextlib.AsyncExitStack, count: int = 5) -> list[BridgeProcess]:
    return [await stack.enter_async_context(site.bridge()) for _ in range(count)]


async def test_five_processes_start_on_one_expired_token() -> None:
    async with Site() as site:
        site.authority.expires_in = 0.5
        await site.sign_in()
        await site.until_expired()
        before = site.authority.refreshed
        async with contextlib.AsyncExitStack() as stack:
            hosts = await five(site, stack)
            await asyncio.gather(*(site.begin(host, FIVE) for host in hosts))
            answers = await asyncio.gather(*(host.call("echo", deadline=FIVE) for host in hosts))
            assert all(answer.result for answer in answers)
        assert site.authority.refreshed == before + 1
        assert site.authority.ledger.reuses == 0
        assert len(site.person.opened) == 1


async def test_five_running_processes_meet_one_expired_token() -> None:
    async with Site() as site:
        await site.sign_in()
        async with contextlib.AsyncExitStack() as stack:
            hosts = await five(site, stack)
            await asyncio.gather(*(site.begin(host, FIVE) for host in hosts))
            for round_ in range(1, 4):
                held = Hold(site.authority.behave)
                site.authority.once("token:refresh_token", held)
                site.authority.ledger.expire_access()
                calls = [asyncio.create_task(host.call("echo", deadline=FIVE)) for host in hosts]
                await _until_calls(site, 5 * round_ + 5 * (round_ - 1))
                held.open()  # four have waited for the one
                assert all(answer.result for answer in await asyncio.gather(*calls))
                assert site.authority.refreshed == round_
        assert site.authority.ledger.reuses == 0
        assert len(site.person.opened) == 1


async def _until_calls(site: Site, count: int) -> None:
    """Each round has five calls that are refused and five that are not."""
    await site.server.until(lambda: len(site.server.seen("tools/call")) >= count, f"{count} calls")


async def test_the_lock_dies_with_its_owner() -> None:
    async with Site() as site:
        await site.sign_in()
        async with contextlib.AsyncExitStack() as stack:
            first, second = await five(site, stack, 2)
            await site.begin(first)
            await site.begin(second)
            held = Hold(site.authority.behave)
            site.authority.once("token:refresh_token", held)
            site.authority.ledger.expire_access()
            await first.ask("tools/call", {"name": "echo", "arguments": {}})
            await site.authority.until_seen("token:refresh_token")
            waiting = await second.ask("tools/call", {"name": "echo", "arguments": {}})
            first.process.kill()
            await first.wait(5)
            # What it sent was never answered, so its refresh token is still good.
            assert (await second.answer(waiting, deadline=FIVE)).result
        assert len(site.person.opened) == 1


async def test_several_starts_at_once_open_one_tab() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with contextlib.AsyncExitStack() as stack:
            hosts = await five(site, stack, 3)
            waiting = [await host.ask("initialize", INITIALIZE) for host in hosts]
            url = await site.person.until_opened(1, deadline=LOGIN)
            await site.server.until_seen("initialize", 3, deadline=LOGIN)
            assert (await visit(url)).status == 200
            for host, id_ in zip(hosts, waiting, strict=True):
                assert (await host.answer(id_, deadline=FIVE)).result
        assert len(site.person.opened) == 1
        assert site.registered_once()
        assert len(site.authority.forms("authorization_code")) == 1


async def test_whoever_waits_takes_over_from_one_that_was_killed() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(site.bridge())
            await first.ask("initialize", INITIALIZE)
            await site.person.until_opened(1, deadline=LOGIN)
            second = await stack.enter_async_context(site.bridge())
            waiting = await second.ask("initialize", INITIALIZE)
            await site.server.until_seen("initialize", 2, deadline=LOGIN)
            first.process.kill()
            await first.wait(5)

            async def someone_consents() -> None:
                # In the tab that is open, if its sign-in was taken over; else in the new one.
                while not second.answers(waiting):
                    with contextlib.suppress(OSError):
                        await visit(site.person.opened[-1])
                    await asyncio.sleep(0.1)

            consenting = asyncio.create_task(someone_consents())
            try:
                assert (await second.answer(waiting, deadline=LOGIN)).result
            finally:
                consenting.cancel()
            assert len(site.person.opened) <= 2


async def test_a_sign_in_that_nobody_finishes_ends_by_itself_after_its_host() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with site.bridge("--login-timeout", "2") as host:
            waiting = await host.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            host.close_stdin()
            assert await host.wait(3) == 0
            assert len(host.answers(waiting)) <= 1
        port = urlsplit(asked(url)["redirect_uri"]).port
        await no_login_left(site.person, LOGIN)
        assert not list(site.person.home.rglob("*.notice"))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_sign_in_elsewhere_is_picked_up() -> None:
    async with Site() as site, site.bridge() as running:
        await site.begin(running)
        site.authority.ledger.revoke_all()
        await site.sign_in()
        assert len(site.person.opened) == 2
        assert (await running.call("echo", deadline=LOGIN)).result
        assert len(site.person.opened) == 2
        newest = list(site.authority.ledger.access)[-1]
        assert site.server.tokens("tools/call")[-1] == newest
