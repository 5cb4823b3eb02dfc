"""A login at a terminal: what is shown of it, and what comes of a pasted address."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import pytest

from bridge.config import Settings, SignInSettings
from bridge.login.channel import Channel, ChannelLost
from bridge.login.channel_messages import LoginStatus
from bridge.oauth.record import Record, encode, tokens_key
from bridge.store.choice import open_store
from bridge.store.paths import StorePaths
from bridge.tokens.interactive_login import attend, left_of, log_in, stop
from bridge.tokens.logins import Joined
from tests.oauth.samples import SERVER_URL, record
from tests.support.servers.fault_http import Bell
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SERVER = "https://mcp.example/mcp"
URL = "https://as.example/authorize?client_id=c&state=planted-state"
BACK = "http://localhost:1234/callback"
WAITING = LoginStatus(phase="waiting", url=URL, redirect_uri=BACK, ends_at=1300.0)
DONE = LoginStatus(phase="done")

T = TypeVar("T")


class Login:
    """A login that tells what the test wants it to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.bell = Bell()
        self.problem = ""
        self.lost = False
        self.is_closed = False
        self._login_status: asyncio.Queue[LoginStatus | None] = asyncio.Queue()

    def tell(self, login_status: LoginStatus | None) -> None:
        self._login_status.put_nowait(login_status)

    async def login_status(self) -> LoginStatus:
        login_status = await self._login_status.get()
        if login_status is None:
            raise ChannelLost("The login process has ended.")
        return login_status

    async def close(self) -> None:
        self.is_closed = True

    async def say(self, want: str, text: str = "") -> str:
        self.heard.append((want, text))
        self.bell.ring()
        if self.lost:
            raise ChannelLost("The login process has ended.")
        return self.problem


class Paper:
    """A screen that keeps all it was shown."""

    def __init__(self, *, is_live: bool = False) -> None:
        self.is_live = is_live
        self.links: list[tuple[str, str]] = []
        self.waits: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.on_interrupt = ""
        self.bell = Bell()

    def signed_in_already(self, record: Record, who: str) -> None:
        self.said.append(f"already {record.server} {who}")

    def link(self, url: str, code: str) -> None:
        self.links.append((url, code))
        self.bell.ring()

    def waiting(self, text: str, left: str) -> None:
        self.waits.append((text, left))
        self.bell.ring()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.bell.ring()


class Table:
    """A person who attends a login."""

    def __init__(self, *, is_live: bool = False) -> None:
        self.login = Login()
        self.paper = Paper(is_live=is_live)
        self.typed: asyncio.Queue[str] = asyncio.Queue()
        self.now = 1000.0
        self.attending = asyncio.create_task(attend(self.login, self.paper, self.typed, SERVER, lambda: self.now))

    async def end(self) -> LoginStatus:
        self.login.tell(DONE)
        return await within(self.attending)


async def within(work: Awaitable[T]) -> T:
    async with asyncio.timeout(stretched(5)):
        return await work


async def test_the_link_is_shown_once_and_the_end_is_returned() -> None:
    table = Table()
    table.login.tell(WAITING)
    table.login.tell(msgspec.structs.replace(WAITING, tab="opened"))
    table.login.tell(LoginStatus(phase="finishing"))
    assert await table.end() == DONE
    assert table.paper.links == [(URL, "")]
    assert table.paper.said == ["A browser was opened at this link."]
    [asking, waiting, again, done] = table.paper.waits
    assert SERVER in asking[0]
    assert BACK in waiting[0]
    assert waiting[1] == "5:00 left"
    assert again == waiting
    assert done == ("The browser returned; checking its answer.", "")


async def test_a_warning_comes_before_the_link_that_it_is_about() -> None:
    table = Table()
    table.login.tell(msgspec.structs.replace(WAITING, tab="opened", logged=1, log=(("warning", "It moved."),)))
    shown: list[str] = []
    table.paper.link = lambda url, code: shown.append(url)  # type: ignore[method-assign]
    table.paper.say = lambda text: shown.append(text)  # type: ignore[method-assign]
    await table.end()
    assert shown == ["It moved.", URL, "A browser was opened at this link."]


async def test_a_code_is_shown_with_its_link() -> None:
    table = Table()
    table.login.tell(
        LoginStatus(phase="waiting", url="https://as.example/device", user_code="ABCD-EFGH", ends_at=1100.0)
    )
    await table.end()
    assert table.paper.links == [("https://as.example/device", "ABCD-EFGH")]
    assert "code" in table.paper.waits[1][0]
    assert table.paper.waits[1][1] == "1:40 left"


async def test_a_new_link_is_shown_too() -> None:
    table = Table()
    table.login.tell(WAITING)
    table.login.tell(msgspec.structs.replace(WAITING, url=f"{URL}2"))
    await table.end()
    assert [url for url, _ in table.paper.links] == [URL, f"{URL}2"]


async def test_what_stands_in_the_way_of_a_browser_is_said_once() -> None:
    table = Table()
    advised = msgspec.structs.replace(WAITING, tab="unopened", message="Open the link elsewhere.")
    table.login.tell(advised)
    table.login.tell(msgspec.structs.replace(advised, phase="finishing"))
    await table.end()
    assert table.paper.said == ["Open the link elsewhere."]


@pytest.mark.parametrize("log", [(), (("warning", "It moved."),)], ids=["not-logged", "logged"])
async def test_what_is_to_be_read_first_is_said_once_whatever_is_logged(log: tuple[tuple[str, str], ...]) -> None:
    table = Table()
    first = msgspec.structs.replace(WAITING, warnings=("It moved.",), log=log, logged=len(log))
    table.login.tell(first)
    table.login.tell(msgspec.structs.replace(first, tab="opened"))
    await table.end()
    assert table.paper.said == ["It moved.", "A browser was opened at this link."]


async def test_warnings_of_the_login_are_said_and_the_rest_is_not() -> None:
    table = Table()
    first = (("info", "registered"), ("warning", "no refresh token"))
    table.login.tell(msgspec.structs.replace(WAITING, log=first, logged=2))
    table.login.tell(msgspec.structs.replace(WAITING, log=(*first, ("error", "broken")), logged=3))
    table.login.tell(msgspec.structs.replace(WAITING, log=(("warning", "late"),), logged=90))
    await table.end()
    assert table.paper.said == ["no refresh token", "broken", "late"]


async def test_the_time_left_is_renewed_on_a_live_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.tokens.interactive_login._TICK", 0.001)
    table = Table(is_live=True)
    table.login.tell(WAITING)
    await table.paper.bell.until(lambda: table.paper.waits[-1:] and table.paper.waits[-1][1] == "5:00 left", "a line")
    table.now = 1001.0
    await table.paper.bell.until(lambda: table.paper.waits[-1][1] == "4:59 left", "the next second")
    await table.end()


@pytest.mark.parametrize(
    "text", [f"{BACK}?code=c&state=s", "  ?code=c&state=s \r", "'code=c&state=s'"], ids=["url", "query", "quoted"]
)
async def test_what_is_pasted_goes_to_the_login_and_the_wait_goes_on(text: str) -> None:
    table = Table()
    table.login.tell(WAITING)
    table.typed.put_nowait(text)
    await table.login.bell.until(lambda: table.login.heard, "the query")
    assert table.login.heard == [("callback", "code=c&state=s")]
    assert not table.attending.done()
    await table.end()
    assert table.paper.said == []


async def test_what_the_login_does_not_take_is_said_and_another_may_be_pasted() -> None:
    table = Table()
    table.login.problem = "This is not the answer to this sign-in."
    table.typed.put_nowait("?code=c&state=wrong")
    await table.paper.bell.until(lambda: table.paper.said, "why it was not taken")
    table.login.problem = ""
    table.typed.put_nowait("?code=c&state=right")
    await table.login.bell.until(lambda: len(table.login.heard) == 2, "the second")
    await table.end()
    assert table.paper.said == ["This is not the answer to this sign-in."]


async def test_what_is_no_address_never_reaches_the_login() -> None:
    table = Table()
    for text in ("planted-secret", "", "   ", URL):
        table.typed.put_nowait(text)
    await table.paper.bell.until(lambda: len(table.paper.said) == 2, "what is wrong with two of them")
    await table.end()
    assert table.login.heard == []
    assert not any("planted" in text for text in table.paper.said)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, [f"already {SERVER_URL} 42"]),
        ({"expires_at": 1.0}, [f"already {SERVER_URL} 42"]),
        ({"expires_at": 1.0, "refresh_token": ""}, []),
        ({"access_token": ""}, []),
    ],
    ids=["good", "renewable", "ended", "refused"],
)
async def test_who_is_signed_in_already_is_told_so_before_the_link(
    changes: dict[str, object], says: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = Login()

    class Logins:
        def __init__(self, *_: object) -> None:
            pass

        async def join_or_start(self, *_: object) -> Joined:
            return Joined(cast("Channel", login), False)

    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("bridge.tokens.interactive_login.Logins", Logins)
    settings = Settings(url=SERVER_URL, sign_in=SignInSettings(token_store="file"))
    kept = record(**{"expires_at": time.time() + 900, **changes})
    await open_store("file", pytest.fail).save(tokens_key(SERVER_URL, "", "", "default"), encode(kept))

    async def who(*_: object) -> str:
        return "42"

    monkeypatch.setattr("bridge.tokens.interactive_login.who", who)
    paper = Paper()
    attending = asyncio.create_task(log_in(settings, paper, asyncio.Queue(), pytest.fail))
    login.tell(WAITING)
    await paper.bell.until(lambda: paper.links, "the link")
    assert paper.said == says
    assert (paper.on_interrupt == "Stopped. You are still signed in as before.") is bool(says)
    attending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(attending)


@pytest.mark.parametrize("was_under_way", [False, True])
async def test_who_interrupts_while_a_login_is_started_leaves_none_behind(
    was_under_way: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, begun, reached = Login(), asyncio.Event(), asyncio.Event()

    class Logins:
        def __init__(self, *_: object) -> None:
            pass

        async def join_or_start(self, *_: object) -> Joined:
            begun.set()
            await reached.wait()
            return Joined(cast("Channel", login), was_under_way)

    monkeypatch.setattr("bridge.tokens.interactive_login.Logins", Logins)
    monkeypatch.setattr("bridge.tokens.interactive_login.platform_paths", lambda: StorePaths(tmp_path))
    attending = asyncio.create_task(log_in(Settings(url=SERVER), Paper(), asyncio.Queue(), pytest.fail))
    await within(begun.wait())
    attending.cancel()
    reached.set()
    with pytest.raises(asyncio.CancelledError):
        await within(attending)
    assert login.heard == ([] if was_under_way else [("stop", "")])
    assert login.is_closed


async def test_a_login_that_goes_while_something_is_pasted_has_the_last_word() -> None:
    table = Table()
    table.login.lost = True
    table.typed.put_nowait("?code=c&state=s")
    await table.login.bell.until(lambda: table.login.heard, "the query")
    assert await table.end() == DONE
    assert table.paper.said == []


async def test_a_login_that_dies_is_an_error() -> None:
    table = Table()
    table.login.tell(WAITING)
    table.login.tell(None)
    with pytest.raises(ChannelLost):
        await within(table.attending)


async def test_one_that_is_cancelled_leaves_nothing_running() -> None:
    before = len(asyncio.all_tasks())
    table = Table()
    await table.paper.bell.until(lambda: table.paper.waits, "the first line")
    table.attending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await table.attending
    assert len(asyncio.all_tasks()) == before


async def test_a_login_is_stopped_as_far_as_it_can_be_reached() -> None:
    login = Login()
    await stop(login)
    login.lost = True
    await stop(login)
    assert login.heard == [("stop", ""), ("stop", "")]


@pytest.mark.parametrize(("now", "left"), [(1000.0, "5:00"), (1290.6, "0:09"), (1300.0, "0:00"), (9999.0, "0:00")])
def test_the_time_left_is_never_less_than_none(now: float, left: str) -> None:
    assert left_of(WAITING, now) == left
