"""The login process in adverse surroundings: what it may not say, whom it may not serve, what it must do without."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time

import msgspec
import pytest

from bridge.config import Settings
from bridge.login.spawn import start_detached
from bridge.tokens.login_order import Answer, Busy, Ready, Unable, decode_answer, encode_order, login_key, make_order
from tests.support.oauth.answers import plain
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import fetch, until, visit
from tests.support.process.bridge_command import run_command
from tests.support.process.bridge_process import INITIALIZE, environment
from tests.support.process.instances import SLOW, serves, start_copy, works
from tests.support.process.login_processes import data_folder, logins_of, no_login_left, notice_of, the_login

pytestmark = pytest.mark.anyio

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes of POSIX")


def no_data_folder(site: Site) -> None:
    """Nothing can be written there, whoever runs this."""
    data_folder(site.person).parent.mkdir(parents=True, exist_ok=True)
    data_folder(site.person).write_text("no folder")


async def test_a_log_file_that_cannot_be_written_costs_nobody_the_sign_in() -> None:
    async with Site() as site:
        folder = site.folder / "logs"
        folder.mkdir()
        async with start_copy(site, env={"MCP_BRIDGE_LOG_FILE": str(folder / "a.log")}) as copy:
            await copy.stderr_says("")
            folder.rename(site.folder / "gone")
            folder.write_text("no folder any more")
            await works(copy)
        assert len(site.person.opened) == 1


@POSIX
async def test_names_of_files_need_not_be_text() -> None:
    async with Site() as site:
        home = site.person.home / "a home with späces"
        home.mkdir()
        log = os.fsdecode(os.fsencode(home) + b"/\xff.log")
        env = {"MCP_BRIDGE_LOG_FILE": log, "XDG_DATA_HOME": str(home), "HOME": str(home), "LC_ALL": "C"}
        async with start_copy(site, env=env) as copy:
            await works(copy)
            assert log in {str(path) for path in site.person.files()}


async def test_a_copy_that_keeps_nothing_works_with_a_login_that_does() -> None:
    """It has the token for its run; what renews it belongs to the store, where only one may spend it."""
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as keeps, start_copy(site, "--token-store", "memory") as forgets:
            opened = await keeps.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            also = await forgets.ask("initialize", INITIALIZE)
            await forgets.stderr_says(url, deadline=LOGIN)
            assert (await visit(url)).status == 200
            for copy, id_ in ((keeps, opened), (forgets, also)):
                assert (await copy.answer(id_, SLOW)).result
                await copy.notify("notifications/initialized")
                await serves(copy)
        assert len(site.person.opened) == 1


@POSIX
async def test_a_login_that_sleeps_goes_on_for_all_when_it_wakes() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as first, start_copy(site) as second:
            opened = await first.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            login = await the_login(site.person)
            login.send_signal(signal.SIGSTOP)
            also = await second.ask("initialize", INITIALIZE)
            await site.server.until_seen("initialize", 2, deadline=LOGIN)
            page = asyncio.create_task(visit(url))
            # The second one finds nobody who answers, and begins another, which finds the lock held.
            await until(lambda: len(logins_of(site.person)) > 1, "another login process", LOGIN)
            login.send_signal(signal.SIGCONT)
            assert (await page).status == 200
            for copy, id_ in ((first, opened), (second, also)):
                assert (await copy.answer(id_, SLOW)).result
                await copy.notify("notifications/initialized")
                await serves(copy)
        assert len(site.person.opened) == 1


async def test_a_data_folder_that_cannot_be_written_costs_the_memory_only() -> None:
    async with Site() as site:
        no_data_folder(site)
        async with start_copy(site) as copy:
            await works(copy)
        assert len(site.person.opened) == 1


async def test_strangers_at_the_channel_learn_nothing_and_hold_nobody_up() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_copy(site) as copy, contextlib.AsyncExitStack() as stack:
            opened = await copy.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            port = json.loads(notice_of(site.person).read_bytes())["port"]
            page = await fetch(f"http://127.0.0.1:{port}/", "POST", body=b'{"nonce":"' + b"0" * 64 + b'"}\n')
            assert (page.status, page.text) == (0, "")
            for _ in range(200):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
            async with start_copy(site) as later:
                also = await later.ask("initialize", INITIALIZE)
                await later.stderr_says(url, deadline=LOGIN)
                assert (await visit(url)).status == 200
                assert (await later.answer(also, SLOW)).result
            assert (await copy.answer(opened, SLOW)).result
            # Any program may knock, as often as it likes.
            assert not [line for line in copy.stderr if "was dropped" in line and " debug: " not in line]
        await no_login_left(site.person)


@POSIX
async def test_nothing_secret_stands_in_its_arguments_or_its_environment() -> None:
    async with Site() as site:
        site.person.browser = "record"
        env = {
            "MCP_BRIDGE_CLIENT_SECRET": "secret-of-the-client",
            "MCP_BRIDGE_CLIENT_ID": "c",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "DISPLAY": ":7",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
        }
        site.planted["secret-of-the-client"] = "client secret"
        async with start_copy(site, env=env, as_program=True) as copy:
            await copy.ask("initialize", INITIALIZE)
            await site.person.until_opened(1, deadline=LOGIN)
            login = await the_login(site.person)
            given = login.environ()
            held = f"{login.cmdline()} {given}"
            secrets = site.secrets | dict.fromkeys(site.states, "state")
            assert not [kind for secret, kind in secrets.items() if secret in held]
            assert not [name for name in given if name.startswith("MCP_BRIDGE_")]
            for name in ("HTTPS_PROXY", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "BROWSER", "XDG_DATA_HOME"):
                assert name in given
            login.terminate()
            await no_login_left(site.person)
            assert not any(path.suffix == ".notice" for path in site.person.files())


async def test_without_a_data_folder_there_is_no_tab_storm_either() -> None:
    async with Site() as site:
        no_data_folder(site)
        site.authority.denies = {"error": "access_denied"}
        async with start_copy(site, "--answer-within", "0", env={"MCP_BRIDGE_TAB_PAUSE": "300"}) as copy:
            for said in ("did not grant access", "opens no browser by itself"):
                answer = await copy.request("initialize", INITIALIZE, deadline=SLOW)
                assert said in answer.error["message"]
        assert len(site.person.opened) == 1


async def test_a_sign_in_that_asked_nobody_keeps_nobody_from_the_next() -> None:
    """An authorization server that is away for a moment: no tab was opened, and the last one was long ago."""
    async with Site() as site:
        await site.sign_in()
        await no_login_left(site.person)
        (history,) = data_folder(site.person).glob("logins/*.history")
        long_ago = {"tab_at": 1.0, "outcome": "done", "ended_at": 2.0}
        history.write_text(json.dumps(long_ago))
        assert (await run_command(site, "logout", site.server.url))[0] == 0
        history.write_text(json.dumps(long_ago))
        site.authority.once("metadata", plain(503))
        async with start_copy(site, "--answer-within", "0", env={"MCP_BRIDGE_TAB_PAUSE": "300"}) as copy:
            assert "503" in (await copy.request("initialize", INITIALIZE, deadline=SLOW)).error["message"]
            await works(copy)
        assert len(site.person.opened) == 2


async def test_without_locks_a_second_login_gives_way_to_the_first() -> None:
    async with Site() as site:
        site.person.browser = "record"
        data_folder(site.person).mkdir(parents=True)
        (data_folder(site.person) / "locks").write_text("no folder")
        async with start_copy(site) as copy:
            opened = await copy.ask("initialize", INITIALIZE)
            url = await site.person.until_opened(1, deadline=LOGIN)
            order = encode_order(make_order(Settings(url=site.server.url), None, None, ""))
            assert await start_login(site, order) == Busy()
            assert (await visit(url)).status == 200
            assert (await copy.answer(opened, SLOW)).result
        assert len(site.person.opened) == 1


@pytest.mark.parametrize(
    ("judged", "ended", "answer"),
    [(-10.0, -5.0, Busy), (-5.0, -10.0, Ready), (-5.0, 10_000.0, Ready)],
    ids=["ended-since", "ended-before", "clock-set-back"],
)
async def test_one_that_ended_while_another_was_started_is_looked_at_first(
    judged: float, ended: float, answer: type[Answer]
) -> None:
    async with Site() as site:
        site.person.browser = "record"
        order = make_order(Settings(url=site.server.url), None, None, "")
        history = data_folder(site.person) / "logins" / f"{login_key(order.settings)}.history"
        history.parent.mkdir(mode=0o700, parents=True)
        now = time.time()
        history.write_text(json.dumps({"tab_at": 1.0, "outcome": "done", "ended_at": now + ended}))
        history.chmod(0o600)
        order = msgspec.structs.replace(order, judged_at=now + judged)
        assert isinstance(await start_login(site, encode_order(order)), answer)


@pytest.mark.parametrize("order", [b"", b"{", b"null\n"], ids=["nothing", "cut-off", "senseless"])
async def test_who_dies_before_the_order_is_given_leaves_no_process(order: bytes) -> None:
    async with Site() as site:
        assert isinstance(await start_login(site, order), Unable)
        await no_login_left(site.person)
        assert site.person.files() == []


async def start_login(site: Site, order: bytes) -> Answer:
    """Start a login process by hand; returns what it says."""
    command = [sys.executable, "-P", "-m", "bridge", "login-process"]
    return decode_answer(
        await start_detached(command, environment(site.person.home, site.person.environment()), order, SLOW) or b""
    )
