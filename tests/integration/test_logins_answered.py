"""The host is answered within `--answer-within`, whatever a sign-in waits for, and validly in its revision.

`IN_TIME` is the second that is given here and what a process needs to start on a busy machine. A sign-in that is waited
for takes until `--login-timeout`, 30 s, so an answer that waits for it is far too late.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hosts.era_host import ModernHost
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.answers import hangs
from tests.support.oauth.era_site import era_site
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import Browser, visit
from tests.support.process.bridge_process import INITIALIZE, TOOLS_CHANGED, BridgeProcess, Line
from tests.support.process.instances import SLOW, names_in, serves, start_copy, text_in, works
from tests.support.process.login_processes import logins_of
from tests.support.revisions import MODERN, Wire
from tests.support.servers.fault_era import LEGACY, EraServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

IN_TIME = 6.0
ONE_SECOND = ("--answer-within", "1")


@contextlib.asynccontextmanager
async def legacy_copy(site: Site, *options: str, env: dict[str, str] | None = None) -> AsyncIterator[BridgeProcess]:
    async with start_copy(site, *ONE_SECOND, *options, env=env, wire=Wire(LEGACY)) as copy:
        yield copy


@contextlib.asynccontextmanager
async def modern_copy(site: Site, *options: str) -> AsyncIterator[ModernHost]:
    async with start_copy(site, *ONE_SECOND, *options, wire=Wire(MODERN)) as copy:
        yield ModernHost(copy, {})


async def opened_provisionally(copy: BridgeProcess) -> Line:
    """The answer to `initialize` that the bridge gives itself, in time; `sign_in` is the one tool then."""
    answer = await copy.request("initialize", INITIALIZE, deadline=IN_TIME)
    assert_provisional(answer.result)
    assert answer.result["protocolVersion"] == LEGACY
    assert answer.result["serverInfo"]["name"] == "mcp-remote-bridge"
    await copy.notify("notifications/initialized")
    assert names_in(await copy.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
    for method, member in (("prompts/list", "prompts"), ("resources/list", "resources")):
        assert (await copy.request(method, deadline=IN_TIME)).result[member] == []
    assert (await copy.request("ping", deadline=IN_TIME)).result == {}
    return answer


def assert_provisional(result: dict[str, object]) -> None:
    capabilities = result["capabilities"]
    assert isinstance(capabilities, dict)
    assert {name: capabilities[name]["listChanged"] for name in ("tools", "prompts", "resources")} == {
        "tools": True,
        "prompts": True,
        "resources": True,
    }
    assert "sign_in" in str(result["instructions"])


async def finish(site: Site, copy: BridgeProcess, tab: int = 1) -> None:
    """The person consents; the host is told, and has the server's tools."""
    assert (await visit(await site.person.until_opened(tab, deadline=LOGIN))).status == 200
    await copy.receive(TOOLS_CHANGED, SLOW)
    await serves(copy)


async def test_initialize_is_answered_while_nobody_consents() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with legacy_copy(site) as copy:
            await opened_provisionally(copy)
            await finish(site, copy)
            initialize = site.server.seen("initialize")[-1].message
            assert initialize["params"].pop("_meta"), "the stamp, for nothing is known of the server"
            assert initialize["params"] == INITIALIZE, "the session is opened with the host's own words"
            for kind in ("prompts", "resources"):
                await copy.receive(f"notifications/{kind}/list_changed", SLOW)


async def test_zero_waits_for_the_person() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with start_copy(site, "--answer-within", "0", wire=Wire(LEGACY)) as copy:
            opened = await copy.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            assert (await visit(url)).status == 200
            answer = await copy.answer(opened, SLOW)
            assert answer.result["serverInfo"]["name"] == "fault-server"
            await copy.notify("notifications/initialized")
            await serves(copy)


async def test_a_host_that_gives_up_soon_is_answered_before_and_has_the_tools_after_a_restart() -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with start_copy(site, "--answer-within", f"{stretched(25):g}", wire=Wire(LEGACY)) as copy:
            cline = INITIALIZE | {"clientInfo": {"name": "@cline/core", "version": "3.0"}}
            assert_provisional((await copy.request("initialize", cline, deadline=IN_TIME)).result)
            url = await site.person.until_opened(1, deadline=LOGIN)
        assert (await visit(url)).status == 200
        async with start_copy(site) as later:
            await works(later)
        assert len(site.person.opened) == 1


async def test_a_sign_in_that_is_quick_is_not_noticed_by_the_host() -> None:
    async with InProcessSite() as site, start_copy(site, wire=Wire(LEGACY)) as copy:
        answer = await copy.request("initialize", INITIALIZE, deadline=LOGIN)
        assert answer.result["serverInfo"]["name"] == "fault-server"
        await copy.notify("notifications/initialized")
        await serves(copy)
        assert not copy.messages(TOOLS_CHANGED)


@pytest.mark.parametrize("server_era", ["legacy", "modern"])
async def test_discover_is_answered_while_nobody_consents(server_era: str) -> None:
    async with era_site(server_era, site_type=InProcessSite) as site:
        site.person.browser = "record"
        async with modern_copy(site) as host:
            answer = await host.request("server/discover", deadline=IN_TIME)
            assert_provisional(answer.result)
            assert MODERN in answer.result["supportedVersions"]
            assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            await host.listen(toolsListChanged=True)
            assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
            await host.bridge.receive(TOOLS_CHANGED, SLOW)
            names = names_in(await host.request("tools/list", deadline=SLOW))
            assert "echo" in names
            assert "sign_in" not in names
            assert "hello" in text_in(await host.call("echo", said="hello"))


@pytest.mark.parametrize("server_era", ["legacy", "modern"])
async def test_a_modern_host_that_begins_with_its_list_is_answered(server_era: str) -> None:
    async with era_site(server_era, site_type=InProcessSite) as site:
        site.person.browser = "record"
        async with modern_copy(site) as host:
            assert names_in(await host.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
            called = await host.request("tools/call", {"name": "sign_in"}, deadline=SLOW)
            assert not called.result.get("isError")
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))


async def test_a_sign_in_from_before_that_is_worth_nothing() -> None:
    async with InProcessSite() as site:
        await site.sign_in()
        site.authority.ledger.revoke_all()
        site.person.browser = "record"
        async with legacy_copy(site) as copy:
            await opened_provisionally(copy)
            await finish(site, copy, tab=2)
        assert site.authority.refreshed == 1


@pytest.mark.parametrize("browser", ["record", "fail"])
async def test_a_sign_in_that_dies_in_the_midst_of_a_session(browser: Browser) -> None:
    async with InProcessSite() as site:
        site.person.browser = "record"
        async with legacy_copy(site, env={"LOGIN_BROWSER_DO": browser}) as copy:
            opened = await copy.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN) if browser == "record" else await link_of(copy)
            assert (await visit(url)).status == 200
            await copy.answer(opened, SLOW)
            await copy.notify("notifications/initialized")
            await serves(copy)
            told = len(copy.messages(TOOLS_CHANGED))
            site.authority.ledger.revoke_all()
            called = await copy.ask("tools/call", {"name": "echo", "arguments": {"said": "after"}})
            while len(copy.messages(TOOLS_CHANGED)) == told:
                await copy.receive(TOOLS_CHANGED, IN_TIME)
            assert names_in(await copy.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            if browser == "record":
                assert not copy.answers(called), "it is in front of the person, so the call waits"
                await finish(site, copy, tab=2)
                assert "after" in text_in(await copy.answer(called, SLOW))
            else:
                answer = await copy.answer(called, IN_TIME)
                assert answer.result["isError"]
                assert site.authority.url("authorize") in text_in(answer)


async def link_of(copy: BridgeProcess) -> str:
    """The link as stderr has it."""
    line = await copy.stderr_says("Sign in at:", deadline=LOGIN)
    return line.rpartition(" ")[2]


@pytest.mark.parametrize("host_era", ["legacy", "modern"])
async def test_a_refused_sign_in_says_so_and_can_be_tried_again(host_era: str) -> None:
    async with era_site("legacy", site_type=InProcessSite) as site:
        site.authority.denies = {"error": "access_denied", "error_description": "Not today"}
        async with start_copy(site, *ONE_SECOND, wire=Wire(LEGACY if host_era == "legacy" else MODERN)) as copy:
            host = copy if host_era == "legacy" else ModernHost(copy, {})
            if host_era == "legacy":
                await opened_provisionally(copy)
            else:
                assert_provisional((await host.request("server/discover", deadline=IN_TIME)).result)
            await site.person.until_page(deadline=LOGIN)
            assert len(site.person.opened) == 1
            refused = await host.request("tools/call", {"name": "sign_in", "arguments": {}}, deadline=LOGIN)
            assert refused.result["isError"]
            assert "Not today" in text_in(refused) or "access_denied" in text_in(refused)
            site.authority.denies = {}
            granted = await host.request("tools/call", {"name": "sign_in", "arguments": {}}, deadline=LOGIN)
            assert not granted.result.get("isError"), granted.raw
            assert "echo" in names_in(await host.request("tools/list", deadline=SLOW))


@pytest.mark.parametrize("step", ["metadata", "register"])
async def test_an_authorization_server_that_says_nothing(step: str) -> None:
    async with Site() as site:
        site.authority.always(step, hangs)
        async with legacy_copy(site) as copy:
            await opened_provisionally(copy)
            assert site.person.opened == []
            assert len(logins_of(site.person)) == 1


async def test_a_token_endpoint_that_says_nothing() -> None:
    async with InProcessSite() as site:
        site.authority.always("token", hangs)
        async with legacy_copy(site) as copy:
            await opened_provisionally(copy)
            await site.person.until_opened(1, deadline=LOGIN)


@pytest.mark.skipif(sys.platform == "win32", reason="a program that runs cannot be moved away there")
async def test_a_login_process_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setenv("MCP_BRIDGE_TEST_COMMAND", f"{python} -m bridge")
    packages = os.pathsep.join(path for path in sys.path if path)
    async with Site() as site:
        site.server.before_refusal = lambda: python.unlink(missing_ok=True)
        async with legacy_copy(site, env={"PYTHONPATH": packages}) as copy:
            answer = await copy.request("initialize", INITIALIZE, deadline=IN_TIME)
            assert_provisional(answer.result)
            await copy.notify("notifications/initialized")
            assert names_in(await copy.request("tools/list", deadline=IN_TIME)) == ["sign_in"]
            called = await copy.call("sign_in", deadline=LOGIN)
            assert called.result["isError"]
            assert not logins_of(site.person)


async def test_the_time_is_kept_by_every_copy_of_a_login() -> None:
    """A copy that found the login under way answers its host in time too."""
    async with Site() as site:
        site.person.browser = "record"
        async with legacy_copy(site) as first:
            await opened_provisionally(first)
            async with legacy_copy(site) as second:
                await opened_provisionally(second)
                assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
                await asyncio.gather(*(copy.receive(TOOLS_CHANGED, SLOW) for copy in (first, second)))
                await asyncio.gather(serves(first), serves(second))
        assert len(site.person.opened) == 1


async def test_a_server_that_needs_no_sign_in_is_never_provisional() -> None:
    async with era_site("modern", site_type=InProcessSite) as site:
        assert isinstance(site.server, EraServer)
        site.server.protected = False
        async with modern_copy(site) as host:
            answer = await host.request("server/discover", deadline=IN_TIME)
            assert "sign_in" not in str(answer.result)
            assert "echo" in names_in(await host.request("tools/list"))


async def test_the_wait_is_over_with_the_host() -> None:
    """A host that leaves while the bridge waits for a person is let go at once, and the login goes on."""
    async with Site() as site:
        site.person.browser = "record"
        async with legacy_copy(site) as copy:
            await opened_provisionally(copy)
            copy.close_stdin()
            assert await copy.wait(3) == 0
        assert len(logins_of(site.person)) == 1
        assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
        async with start_copy(site) as later:
            await works(later)
        assert len(site.person.opened) == 1


async def test_a_code_to_type_in_stands_in_the_tools_result() -> None:
    """RFC 8628: no browser here and none needed, and the calls that waited are finished."""
    async with InProcessSite() as site:
        site.authority.offers |= {"device"}
        async with legacy_copy(site, "--grant", "device-code", "--no-browser") as copy:
            await opened_provisionally(copy)
            told = text_in(await copy.call("sign_in", deadline=LOGIN))
            (user_code,) = (code.user_code for code in site.authority.codes.values())
            assert user_code in told
            assert site.authority.url("activate") in told
            waiting = await copy.ask("tools/call", {"name": "sign_in", "arguments": {}})
            site.authority.answer_code(user_code, confirmed=True)
            assert "is signed in to" in text_in(await copy.answer(waiting, deadline=LOGIN))
            await serves(copy)
        assert site.person.opened == []
