"""The browser was on another machine: a person pastes where it ended, and the right answer counts, once."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import fetch, visit
from tests.support.process.bridge_command import run_command, start_command
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.instances import SLOW, serves, start_copy, works
from tests.support.process.login_processes import kill_login, no_login_left

pytestmark = pytest.mark.anyio


async def consent_elsewhere(url: str) -> str:
    """Consent in a browser that cannot reach this machine's callback; returns the address it is left at."""
    page = await fetch(url)
    assert page.status == 302, page
    return dict(page.headers)["location"]


async def begin(site: Site, copy: BridgeProcess, tab: int = 1) -> tuple[object, str]:
    """Have the copy wait for its person; returns the id of `initialize` and the link."""
    opened = await copy.ask("initialize", INITIALIZE)
    return opened, await site.person.until_opened(tab, deadline=LOGIN)


async def finish(copy: BridgeProcess, opened: object) -> None:
    """The session opens, and works."""
    assert (await copy.answer(opened, SLOW)).result
    await copy.notify("notifications/initialized")
    await serves(copy)


async def test_callback_takes_the_right_one_after_all_that_is_wrong() -> None:
    async with Authority() as authority, ProtectedServer(authority) as other, Site() as site:
        site.others.append(authority)
        site.person.browser = "record"
        # An older login, of which nothing is left, and one of another server.
        async with start_copy(site) as copy:
            _, url = await begin(site, copy)
            older = await consent_elsewhere(url)
            copy.process.kill()
        await kill_login(site.person)
        async with start_copy(site, url=other.url) as copy:
            _, url = await begin(site, copy, 2)
            foreign = await consent_elsewhere(url)
            copy.process.kill()
        await kill_login(site.person)

        async with start_copy(site, "--answer-within", "0") as copy:
            opened, url = await begin(site, copy, 3)
            right = await consent_elsewhere(url)
            state = next(part for part in urlsplit(right).query.split("&") if part.startswith("state="))
            wrong = {
                "wrong state": right.replace(state, "state=" + "A" * 43),
                "no state": right.replace(state, "").rstrip("&?"),
                "older": older,
                "foreign": foreign,
                "garbage": "nothing of the kind",
                "the link itself": url,
            }
            for kind, text in wrong.items():
                code, said = await run_command(site, "callback", text)
                assert code != 0, f"{kind}: {said}"
                assert said.strip(), kind
                assert not copy.answers(opened), f"{kind} was taken"
            assert site.authority.forms("authorization_code") == []
            code, said = await run_command(site, "callback", right)
            assert code == 0, said
            assert urlsplit(site.server.url).netloc in said, "it says whose it was"
            await finish(copy, opened)
            code, said = await run_command(site, "callback", right)
            assert code != 0, "it was used already"
        assert len(site.authority.forms("authorization_code")) == 1
        assert len(site.person.opened) == 3
        await no_login_left(site.person)


async def test_callback_without_a_login_says_so() -> None:
    async with Site() as site:
        code, said = await run_command(
            site, "callback", "http://localhost:4711/callback?code=the-code-itself&state=def"
        )
        assert code == 1
        assert "the-code-itself" not in said


async def test_callback_finds_the_login_among_several() -> None:
    async with Authority() as authority, ProtectedServer(authority) as other, Site() as site:
        site.others.append(authority)
        site.person.browser = "record"
        async with start_copy(site) as one, start_copy(site, url=other.url) as two:
            first, url = await begin(site, one)
            second, other_url = await begin(site, two, 2)
            for link, host, opened in ((other_url, two, second), (url, one, first)):
                code, said = await run_command(site, "callback", await consent_elsewhere(link))
                assert code == 0, said
                await finish(host, opened)


async def test_login_takes_what_is_typed_in_the_terminal() -> None:
    async with Site() as site:
        async with start_command(site, "login", site.server.url, "--no-browser") as login:
            await login.says(site.authority.url("authorize"), LOGIN)
            url = next(word for word in login.said.split() if word.startswith(site.authority.url("authorize")))
            right = await consent_elsewhere(url)
            for wrong in ("yes?", right.replace("state=", "state=A"), url):
                before = len(login.said)
                await login.type(wrong)
                await login.says_more_than(before)
                assert login.process.returncode is None, login.said
            # The query alone will do, with what a terminal puts around it.
            await login.type(f"  '{urlsplit(right).query}' ")
            assert await login.wait(20) == 0, login.said
            assert "Signed in" in login.said
        assert site.person.opened == []
        async with start_copy(site) as copy:
            await works(copy)
        assert len(site.authority.forms("authorization_code")) == 1


async def test_login_joins_the_login_of_a_copy() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as copy:
            opened, url = await begin(site, copy)
            async with start_command(site, "login", site.server.url) as login:
                await login.says(url, LOGIN)
                await login.type(await consent_elsewhere(url))
                assert await login.wait(20) == 0, login.said
            await finish(copy, opened)
        assert len(site.person.opened) == 1
        assert len(site.authority.forms("authorization_code")) == 1


async def test_login_with_nothing_on_its_stdin_waits_for_the_browser() -> None:
    async with Site() as site, start_command(site, "login", site.server.url) as login:
        login.close_stdin()
        assert await login.wait(30) == 0, login.said
        assert len(site.person.opened) == 1
        assert (await site.person.until_page()).status == 200


async def test_what_is_pasted_races_the_callback_and_one_of_them_counts() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as copy:
            opened, url = await begin(site, copy)
            right = await consent_elsewhere(url)
            (code, said), page = await asyncio.gather(run_command(site, "callback", right), visit(right))
            assert code == 0 or page.status == 200, (said, page)
            await finish(copy, opened)
        assert len(site.authority.forms("authorization_code")) == 1, "the code went out once"
        assert len(site.person.opened) == 1


async def test_a_refusal_can_be_pasted_too() -> None:
    async with Site() as site:
        site.person.browser = "record"
        site.authority.denies = {"error": "access_denied"}
        async with start_copy(site, "--answer-within", "0") as copy:
            opened, url = await begin(site, copy)
            await run_command(site, "callback", await consent_elsewhere(url))
            answer = await copy.answer(opened, SLOW)
            assert "access_denied" in answer.error["message"]
        await no_login_left(site.person)
