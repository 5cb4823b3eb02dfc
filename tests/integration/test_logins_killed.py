"""Whatever is killed, wherever a login stands: a consent counts while the login lives, and nothing blocks the next.

A host ends the copy of the bridge that opened the tab; the login goes on in its own process. That process may be
killed too, by a power cut or a person: then somebody has to consent again, once.
"""

import asyncio
import json
import signal
import sys

import pytest

from tests.support.oauth.answers import Hold
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import until, visit
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.instances import ENDINGS, SLOW, end_copy, names_in, serves, start_copy, works
from tests.support.process.login_halts import POINTS, halted_at
from tests.support.process.login_processes import (
    data_folder,
    end_logins,
    is_alive,
    kill_login,
    logins_of,
    no_login_left,
    notice_of,
    the_login,
)

pytestmark = pytest.mark.anyio


PAUSED = {"MCP_BRIDGE_TAB_PAUSE": "60"}
"""As it is by default: who was killed is no reason to make a person wait."""


def assert_only_the_store_holds_secrets(site: Site) -> None:
    """Neither what a login leaves behind nor what it wrote for others holds a token, a code, a verifier or a state."""
    store = data_folder(site.person) / "credentials"
    for path in site.person.files():
        if store not in path.parents:
            content = path.read_bytes().decode("latin-1")
            held = {kind for secret, kind in site.secrets.items() if secret in content}
            assert not held, f"{path} holds {held}"
            assert not any(state in content for state in site.states), f"{path} holds a state"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_the_consent_counts_though_the_copy_that_asked_for_it_is_gone(ending: str, point: str) -> None:
    async with Site() as site, halted_at(site, point) as halt:
        async with start_copy(site) as opener:
            await opener.ask("initialize", INITIALIZE)
            await halt.reached()
            await end_copy(opener, ending)
        assert len(logins_of(site.person)) == 1
        page = await halt.go_on()
        assert page.status == 200, page
        async with start_copy(site) as successor:
            await works(successor)
        assert len(site.person.opened) == 1
        assert site.registered_once()
        assert len(site.authority.forms("authorization_code")) == 1
        assert_only_the_store_holds_secrets(site)


async def test_a_login_that_nobody_waits_for_ends_by_itself() -> None:
    async with Site() as site, halted_at(site, "before-consent") as halt:
        async with start_copy(site) as opener:
            await opener.ask("initialize", INITIALIZE)
            await halt.reached()
            await end_copy(opener, "killed")
        await halt.go_on()
        await no_login_left(site.person, LOGIN)
        assert not any(path.suffix == ".notice" for path in site.person.files())
        assert_only_the_store_holds_secrets(site)


@pytest.mark.parametrize("point", POINTS)
async def test_a_copy_that_comes_later_waits_for_the_login_of_one_that_is_gone(point: str) -> None:
    async with Site() as site, halted_at(site, point) as halt:
        async with start_copy(site) as opener:
            await opener.ask("initialize", INITIALIZE)
            await halt.reached()
            await end_copy(opener, "killed")
        async with start_copy(site) as successor:
            opened = await successor.ask("initialize", INITIALIZE)
            if point == "before-consent":
                await successor.stderr_says(site.person.opened[0], deadline=LOGIN)  # It says where the login is.
            else:
                await site.server.until_seen("initialize", 2, deadline=LOGIN)
            assert (await halt.go_on()).status == 200
            assert (await successor.answer(opened, SLOW)).result["serverInfo"]["name"] == "fault-server"
        assert len(site.person.opened) == 1
        assert len(site.authority.forms("authorization_code")) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_login_that_is_killed_blocks_nobody(point: str) -> None:
    async with Site() as site, halted_at(site, point) as halt:
        async with start_copy(site, env=PAUSED) as opener:
            await opener.ask("initialize", INITIALIZE)
            await halt.reached()
            await end_copy(opener, "killed")
        await kill_login(site.person)
        halt.release()
        site.person.browser = "follow"
        async with start_copy(site, env=PAUSED) as successor:
            await works(successor)
        await no_login_left(site.person)
        assert len(site.person.opened) == 2, "one new consent"
        assert site.registered_once()
        assert_only_the_store_holds_secrets(site)
        async with start_copy(site, env=PAUSED) as third:
            await works(third)
        assert len(site.person.opened) == 2


async def end_with_its_login(site: Site, copy: BridgeProcess) -> None:
    """End a copy as a host on Windows does whose job lets no process go: all that it started dies at that moment."""
    logins = logins_of(site.person)
    assert logins
    for login in logins:
        login.suspend()  # It is to notice nothing before it dies.
    await end_copy(copy, "killed")
    for login in logins:
        login.kill()
    await until(lambda: not any(map(is_alive, logins)), "the end of the login process")


@pytest.mark.parametrize("point", POINTS)
async def test_a_login_that_dies_with_its_copy_is_taken_up_by_the_next(point: str) -> None:
    async with Site() as site, halted_at(site, point) as halt:
        async with start_copy(site, env=PAUSED) as opener:
            await opener.ask("initialize", INITIALIZE)
            await halt.reached()
            await end_with_its_login(site, opener)
        halt.release()
        site.person.browser = "follow"
        async with start_copy(site, env=PAUSED) as successor:
            await works(successor)
        await no_login_left(site.person)
        assert len(site.person.opened) == 2, "one new consent"
        assert site.registered_once()
        assert_only_the_store_holds_secrets(site)


async def test_a_host_that_kills_copies_with_their_logins_again_and_again_opens_two_tabs() -> None:
    async with Site() as site:
        site.person.browser = "record"
        for tabs in (1, 2):
            async with start_copy(site, env=PAUSED) as copy:
                await copy.ask("initialize", INITIALIZE)
                await site.person.until_opened(tabs, deadline=LOGIN)
                await end_with_its_login(site, copy)
        async with start_copy(site, env=PAUSED) as third:
            await third.request("initialize", INITIALIZE, deadline=LOGIN)
            await third.notify("notifications/initialized")
            assert names_in(await third.request("tools/list", deadline=LOGIN)) == ["sign_in"]
            assert len(site.person.opened) == 2, "the third opens none by itself"
            site.person.browser = "follow"
        async with start_copy(site, env=PAUSED) as fourth:
            await fourth.request("initialize", INITIALIZE, deadline=LOGIN)
            await fourth.notify("notifications/initialized")
            called = await fourth.call("sign_in", deadline=SLOW)
            assert not called.result.get("isError"), called.raw
            await serves(fourth)
        assert len(site.person.opened) == 3, "and the one that was wished"


@pytest.mark.parametrize("point", POINTS)
async def test_the_copy_that_waits_for_a_login_that_is_killed_asks_once_more(point: str) -> None:
    async with Site() as site, halted_at(site, point) as halt:
        async with start_copy(site, env=PAUSED) as copy:
            opened = await copy.ask("initialize", INITIALIZE)
            await halt.reached()
            await kill_login(site.person)
            halt.release()
            assert (await visit(await site.person.until_opened(2, deadline=LOGIN))).status == 200
            assert (await copy.answer(opened, SLOW)).result
            await copy.notify("notifications/initialized")
            await serves(copy)
        assert len(site.person.opened) == 2, "one new consent"
        assert site.registered_once()


async def test_a_login_that_is_killed_after_the_store_costs_nobody_a_consent() -> None:
    async with Site() as site:
        async with start_copy(site) as opener:
            await works(opener)
            await end_copy(opener, "killed")
        end_logins(site.person)  # One may be saying good-bye yet.
        async with start_copy(site) as successor:
            await works(successor)
        assert len(site.person.opened) == 1


async def test_the_notice_of_a_killed_login_leads_nobody_astray() -> None:
    """It stays behind; where it points to, another program listens by now."""
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as opener:
            await opener.ask("initialize", INITIALIZE)
            await site.person.until_opened(1, deadline=LOGIN)
            await end_copy(opener, "killed")
        await kill_login(site.person)
        notice = notice_of(site.person)
        guests = []

        async def answer_rudely(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            guests.append(writer)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            writer.close()

        port = json.loads(notice.read_bytes())["port"]
        async with await asyncio.start_server(answer_rudely, "127.0.0.1", port):
            site.person.browser = "follow"
            async with start_copy(site) as successor:
                await works(successor)
            assert guests, "nobody looked there, so nothing was tried"
        await no_login_left(site.person)
        assert len(site.person.opened) == 2
        assert not notice.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped and continued there")
@pytest.mark.parametrize("awake_until", ["the-start", "the-first-login_status"])
async def test_a_copy_that_sleeps_through_the_whole_login_finds_what_came_of_it(awake_until: str) -> None:
    async with Site() as site:
        hold = Hold(site.authority.behave)
        site.authority.always("metadata", hold)
        async with start_copy(site) as copy:
            opened = await copy.ask("initialize", INITIALIZE)
            if awake_until == "the-start":
                await the_login(site.person)
            else:
                await site.authority.until_seen("metadata", deadline=LOGIN)
            copy.process.send_signal(signal.SIGSTOP)
            hold.open()
            await no_login_left(site.person, LOGIN)
            copy.process.send_signal(signal.SIGCONT)
            assert (await copy.answer(opened, SLOW)).result
            await copy.notify("notifications/initialized")
            await serves(copy)
        assert len(site.person.opened) == 1
        assert len(site.authority.forms("authorization_code")) == 1
