"""Finding the login that is under way, or starting one, whatever state the last one left."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Settings
from bridge.host.desktop import Desktop
from bridge.login.channel import ChannelServer
from bridge.login.channel_messages import LoginCommand, LoginStatus
from bridge.oauth.errors import SignInError
from bridge.store.errors import StoreError
from bridge.store.paths import StorePaths
from bridge.tokens import logins as logins_module
from bridge.tokens.login_files import Notice
from bridge.tokens.login_order import Answer, Busy, Order, Ready, Unable, decode_order, encode_answer, make_order
from bridge.tokens.logins import Joined, Logins
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SLOT = f"login-{'0' * 40}"
KEY = bytes(range(32))
URL = "https://mcp.example/mcp"
DEADLINE = 10.0


def an_order() -> Order:
    return make_order(Settings(url=URL), None, None, "")


async def yes() -> bool:
    return True


class World:
    """A machine: `answers` is what processes say that are started, None for a login that listens."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths = StorePaths(root)
        self.started: list[Order] = []
        self.answers: list[bytes | Answer | TimeoutError | None] = []
        self.notices: list[str] = []
        self.servers: list[ChannelServer] = []
        self.environ: dict[str, str] = {}
        """What the last process that was started got."""
        self.desktop = Desktop()
        self.searched: dict[str, str] = {}
        """What the desktop was looked for with, by programs that get it."""
        monkeypatch.setattr(logins_module, "desktop_here", self._desktop_here)
        monkeypatch.setattr(logins_module, "start_detached", self._start)

    async def _desktop_here(self, environ: Mapping[str, str]) -> Desktop:
        self.searched = dict(environ)
        return self.desktop

    def logins(self) -> Logins:
        return Logins(SLOT, self.paths, self.notices.append)

    async def listen(self, pid: int = 4711, *, is_noticed: bool = True) -> ChannelServer:
        async def nothing(word: LoginCommand) -> str:
            return ""

        server = await ChannelServer.start(KEY, nothing)
        self.servers.append(server)
        server.publish(LoginStatus(phase="preparing"))
        if is_noticed:
            self.notice(server.port, pid)
        return server

    def notice(self, port: int, pid: int = 4711, key: str = KEY.hex()) -> None:
        notice = Notice(store_key=SLOT, pid=pid, port=port, key=key, server=URL, profile="default", since=0.0)
        self.logins().files.put_notice(notice)

    async def _start(
        self, command: Sequence[str], environ: Mapping[str, str], order: bytes, seconds: float
    ) -> bytes | None:
        assert command[-1] == "login-process"
        assert "MCP_BRIDGE_CLIENT_SECRET" not in environ
        self.environ = dict(environ)
        self.started.append(decode_order(order))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, bytes):
            return answer or None
        if isinstance(answer, TimeoutError):
            await self.listen(os.getpid())
            raise answer
        if answer is None:
            server = await self.listen(os.getpid())
            answer = Ready(server.port, KEY.hex())
        return encode_answer(answer).rstrip(b"\n")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path, monkeypatch)
    async with asyncio.timeout(stretched(DEADLINE * 2)):
        yield made
        for server in made.servers:
            await server.close()


async def heard(joined: Joined | None) -> str:
    """What the login says, and let go of it."""
    assert joined is not None
    login_status = await joined.channel.login_status()
    await joined.channel.close()
    return login_status.phase


async def test_where_none_is_under_way_one_is_started(world: World) -> None:
    joined = await world.logins().join_or_start(an_order(), yes)
    assert joined is not None
    assert not joined.was_under_way
    assert await heard(joined) == "preparing"
    assert [order.settings.url for order in world.started] == [URL]


async def test_what_the_host_hid_is_handed_on(world: World) -> None:
    """The process that signs in is in a session of its own: it could not find it any more."""
    world.desktop = Desktop({"DISPLAY": ":0"}, ("DISPLAY taken from process 12 (codex)",))
    await heard(await world.logins().join_or_start(an_order(), yes))
    assert world.environ["DISPLAY"] == ":0"
    assert {name: value for name, value in world.environ.items() if name != "DISPLAY"}.items() <= os.environ.items()
    assert [order.desktop for order in world.started] == ["DISPLAY taken from process 12 (codex)"]
    assert ":0" not in world.started[0].desktop


async def test_the_process_gets_no_variable_that_the_settings_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MY_KEY", "OTHER", "MCP_BRIDGE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "a value")
    settings = Settings(url=URL, secret_variables=("MY_KEY", "PATH"))
    await heard(await world.logins().join_or_start(make_order(settings, None, None, ""), yes))
    assert world.environ["OTHER"] == "a value"
    assert world.environ["PATH"] == os.environ["PATH"]
    assert not {"MY_KEY", "MCP_BRIDGE_CLIENT_SECRET"} & (world.environ.keys() | world.searched.keys())
    assert world.started[0].settings.secret_variables == ()


async def test_nothing_is_looked_for_where_one_is_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Mapping[str, str]) -> Desktop:
        raise AssertionError

    monkeypatch.setattr(logins_module, "desktop_here", never)
    await world.listen(4712)
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"


async def test_one_that_is_under_way_is_joined(world: World) -> None:
    await world.listen(4712)
    joined = await world.logins().join_or_start(an_order(), yes)
    assert joined is not None
    assert (joined.was_under_way, joined.pid) == (True, 4712)
    assert await heard(joined) == "preparing"
    assert await heard(await world.logins().join()) == "preparing"
    assert world.started == []


async def test_without_one_there_is_nothing_to_join(world: World) -> None:
    assert await world.logins().join() is None


@pytest.mark.parametrize("key", ["", "no hex", "00" * 32])
async def test_a_notice_that_leads_nowhere_blocks_nobody(key: str, world: World) -> None:
    dead = await world.listen(is_noticed=False)
    port = dead.port
    if key != "00" * 32:
        await dead.close()
    world.notice(port, key=key)
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"
    assert len(world.started) == 1


async def test_many_at_once_start_one(world: World) -> None:
    found = await asyncio.gather(*(world.logins().join_or_start(an_order(), yes) for _ in range(5)))
    assert [await heard(joined) for joined in found] == ["preparing"] * 5
    assert len(world.started) == 1


async def test_who_may_not_start_one_starts_none(world: World) -> None:
    async def no() -> bool:
        return False

    assert await world.logins().join_or_start(an_order(), no) is None
    assert world.started == []


async def test_why_none_may_be_started_is_passed_on(world: World) -> None:
    async def never() -> bool:
        raise SignInError("You were asked a moment ago.")

    with pytest.raises(SignInError, match="a moment ago"):
        await world.logins().join_or_start(an_order(), never)
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"


async def test_one_that_somebody_else_just_began_is_waited_for(world: World) -> None:
    world.answers = [Busy(), Busy(), None]
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"
    assert len(world.started) == 3


async def test_one_that_takes_long_to_start_is_found_once_it_has(world: World) -> None:
    world.answers = [TimeoutError()]
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"
    assert len(world.started) == 1


async def test_a_slow_start_is_not_taken_for_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins_module, "_BUSY_SECONDS", 0.02)

    async def slow(*arguments: Any) -> bytes | None:
        await asyncio.sleep(0.05)
        return await world._start(*arguments)

    monkeypatch.setattr(logins_module, "start_detached", slow)
    world.answers = [TimeoutError()]
    assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"


async def test_one_that_does_not_answer_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins_module, "_BUSY_SECONDS", 0.05)
    dead = await world.listen(is_noticed=False)
    await dead.close()
    world.notice(dead.port, 4713)
    world.answers = [Busy()] * 20
    with pytest.raises(SignInError, match="process 4713"):
        await world.logins().join_or_start(an_order(), yes)


@pytest.mark.parametrize("line", [b"", b"Traceback (most recent call last):", b"{}"])
async def test_a_process_that_says_nothing_of_use_is_an_error(line: bytes, world: World) -> None:
    world.answers = [line]
    with pytest.raises(SignInError, match="without a result"):
        await world.logins().join_or_start(an_order(), yes)


async def test_a_process_that_cannot_says_why(world: World) -> None:
    world.answers = [Unable("It cannot.", "Do this.")]
    with pytest.raises(SignInError, match=r"It cannot\. Do this\."):
        await world.logins().join_or_start(an_order(), yes)


async def test_a_disk_that_cannot_be_written_keeps_nobody_from_signing_in(world: World) -> None:
    world.paths = StorePaths(Path(world.paths.root) / "file" / "data")
    world.paths.root.parent.write_text("no folder")
    world.answers = [None]
    with pytest.raises(StoreError):
        world.logins().files.put_notice(Notice(store_key=SLOT, pid=1, port=1, key="", server="", profile="", since=0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "notice", lambda *_: None)
        assert await heard(await world.logins().join_or_start(an_order(), yes)) == "preparing"
