"""No tab storms: what a person refused, or did not answer, opens no tab by itself; who wishes one gets one."""

import time

import pytest

from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import until, visit
from tests.support.process.bridge_command import run_command
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.instances import SLOW, names_in, serves, start_copy, text_in
from tests.support.process.login_processes import no_login_left
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

PAUSED = {"MCP_BRIDGE_TAB_PAUSE": "300"}
DENIED = {"error": "access_denied", "error_description": "Not today"}


async def open_provisionally(copy: BridgeProcess) -> str:
    """A session whose one tool is `sign_in`; returns what the bridge says of it."""
    answer = await copy.request("initialize", INITIALIZE, deadline=LOGIN)
    await copy.notify("notifications/initialized")
    assert names_in(await copy.request("tools/list", deadline=LOGIN)) == ["sign_in"]
    return str(answer.result["instructions"])


async def refuse_once(site: Site) -> None:
    """One copy opens a tab by itself, and its person says no there."""
    site.authority.denies = DENIED
    async with start_copy(site, "--answer-within", "1", env=PAUSED) as copy:
        await open_provisionally(copy)
        await site.person.until_page(deadline=LOGIN)
    await no_login_left(site.person)
    assert len(site.person.opened) == 1


async def test_a_refusal_keeps_the_next_copies_from_opening_tabs() -> None:
    async with Site() as site:
        await refuse_once(site)
        for _ in range(2):
            # Long before that time is over: there is nothing to wait for.
            async with start_copy(site, "--answer-within", f"{stretched(25):g}", env=PAUSED) as copy:
                assert "refused" in await open_provisionally(copy)
        assert len(site.person.opened) == 1
        assert site.registered_once()


async def test_the_tool_opens_a_tab_whatever_was_refused() -> None:
    async with Site() as site:
        await refuse_once(site)
        site.authority.denies = {}
        async with start_copy(site, "--answer-within", "1", env=PAUSED) as copy:
            await open_provisionally(copy)
            called = await copy.call("sign_in", deadline=SLOW)
            assert not called.result.get("isError"), called.raw
            await serves(copy)
        assert len(site.person.opened) == 2


async def test_the_tool_opens_one_tab_however_often_it_is_called() -> None:
    async with Site() as site:
        await refuse_once(site)
        site.authority.denies = {}
        site.person.browser = "record"
        async with start_copy(site, "--answer-within", "1", env=PAUSED) as copy:
            await open_provisionally(copy)
            params = {"name": "sign_in", "arguments": {}}
            calls = [await copy.ask("tools/call", params) for _ in range(3)]
            url = await site.person.until_opened(2, deadline=LOGIN)
            assert (await visit(url)).status == 200
            for call in calls:
                await copy.answer(call, SLOW)
            await serves(copy)
        assert len(site.person.opened) == 2


async def test_the_command_line_opens_a_tab_whatever_was_refused() -> None:
    async with Site() as site:
        await refuse_once(site)
        site.authority.denies = {}
        code, said = await run_command(site, "login", site.server.url, env=PAUSED)
        assert code == 0, said
        assert len(site.person.opened) == 2


async def test_nobody_who_answers_is_asked_again_at_once() -> None:
    async with Site() as site:
        site.person.browser = "record"
        impatient = PAUSED | {"MCP_BRIDGE_LOGIN_TIMEOUT": f"{stretched(1):g}"}
        async with start_copy(site, "--answer-within", "1", env=impatient) as copy:
            await open_provisionally(copy)
            await site.person.until_opened(1, deadline=LOGIN)
            await no_login_left(site.person)
        for _ in range(2):
            async with start_copy(site, "--answer-within", f"{stretched(25):g}", env=PAUSED) as copy:
                assert "not finished in time" in await open_provisionally(copy)
        assert len(site.person.opened) == 1


async def test_the_pause_is_over_some_time() -> None:
    async with Site() as site:
        short = {"MCP_BRIDGE_TAB_PAUSE": "0.5"}
        site.authority.denies = DENIED
        async with start_copy(site, "--answer-within", "1", env=short) as copy:
            await open_provisionally(copy)
            await site.person.until_page(deadline=LOGIN)
        site.authority.denies = {}

        async def again() -> bool:
            async with start_copy(site, "--answer-within", "1", env=short) as copy:
                await copy.initialize(deadline=LOGIN)
                return "echo" in names_in(await copy.request("tools/list", deadline=LOGIN))

        # By time, not by number: how many copies start within the pause depends on the machine.
        end = time.monotonic() + stretched(LOGIN)
        while not await again():
            assert time.monotonic() < end, "the pause does not end"
        assert len(site.person.opened) == 2


async def test_a_host_that_waits_is_told_why_no_tab_opens() -> None:
    async with Site() as site:
        await refuse_once(site)
        async with start_copy(site, "--answer-within", "0", env=PAUSED) as copy:
            answer = await copy.request("initialize", INITIALIZE, deadline=LOGIN)
            assert answer.kind == "unauthorized"
            assert f"login {site.server.url}" in answer.error["message"]
        assert len(site.person.opened) == 1


async def test_without_a_browser_no_tab_opens_and_the_tool_has_the_link() -> None:
    async with Site() as site:
        async with start_copy(site, "--no-browser", "--answer-within", "1") as copy:
            await open_provisionally(copy)
            called = await copy.call("sign_in", deadline=LOGIN)
            link = next(word for word in text_in(called).split() if word.startswith(site.authority.url("authorize")))
            again = await copy.ask("tools/call", {"name": "sign_in", "arguments": {}})
            assert (await visit(link)).status == 200
            await copy.answer(again, SLOW)
            await serves(copy)
        assert site.person.opened == []
        await until(lambda: len(site.authority.forms("authorization_code")) == 1, "one exchange")
