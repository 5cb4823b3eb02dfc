"""A pasted redirect URL finds the login it is the answer to, among those of the machine."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import BridgeError, UsageError
from bridge.login.channel import ChannelServer
from bridge.login.channel_messages import LoginCommand, LoginStatus
from bridge.oauth.errors import SignInError
from bridge.store.paths import StorePaths
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.pasted_callbacks import CallbackTaken, hand_over

pytestmark = pytest.mark.anyio

URL = "http://localhost:1234/callback?code=planted-code&state={}"


class Login:
    """A login that takes the answer to its own state, and then ends as it is told to."""

    def __init__(self, number: int, end: LoginStatus | None) -> None:
        self.server = f"https://mcp{number}.example/mcp"
        self.state = f"state{number}"
        self.heard: list[str] = []
        self.end = end
        self.channel: ChannelServer

    async def hear(self, word: LoginCommand) -> str:
        self.heard.append(word.text)
        if f"state={self.state}" not in word.text.split("&"):
            return "That is the answer to another sign-in."
        if self.end is None:
            await self.channel.close()
        else:
            self.channel.publish_last(self.end, self.end)
        return ""


class Machine:
    """The logins under way on a machine."""

    def __init__(self, folder: Path) -> None:
        self.files = LoginFiles(StorePaths(folder))
        self.logins: list[Login] = []
        self.stack = contextlib.AsyncExitStack()

    async def begin(self, end: LoginStatus | None = LoginStatus(phase="done")) -> Login:  # noqa: B008 - it never changes
        number = len(self.logins)
        login = Login(number, end)
        key = bytes([number]) * 32
        login.channel = await ChannelServer.start(key, login.hear)
        login.channel.publish(LoginStatus(phase="waiting", url="https://as.example"))
        self.stack.push_async_callback(login.channel.close)
        self.logins.append(login)
        self.files.put_notice(
            Notice(
                store_key=f"login-{number:040x}",
                pid=1,
                port=login.channel.port,
                key=key.hex(),
                server=login.server,
                profile=f"p{number}",
                since=0.0,
            )
        )
        return login

    async def refuses(self, text: str) -> BridgeError:
        with pytest.raises(BridgeError) as raised:
            await hand_over(text, self.files, 5.0)
        assert "planted" not in str(raised.value)
        return raised.value


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    async with made.stack:
        yield made


async def test_it_goes_to_each_until_one_takes_it_and_tells_whose_it_was(machine: Machine) -> None:
    first, second, third = [await machine.begin() for _ in range(3)]
    assert await hand_over(URL.format("state1"), machine.files, 5.0) == CallbackTaken(second.server, "p1")
    assert [len(login.heard) for login in (first, second, third)] == [1, 1, 0]
    assert second.heard == ["code=planted-code&state=state1"]


async def test_an_answer_that_is_nobodys_is_refused_with_those_who_were_asked(machine: Machine) -> None:
    await machine.begin()
    assert "That is the answer to another sign-in." in str(await machine.refuses(URL.format("old")))
    await machine.begin()
    both = await machine.refuses(URL.format("old"))
    assert both.exit_code == 1
    assert all(login.server in both.message for login in machine.logins)


async def test_with_no_login_under_way_it_says_so(machine: Machine) -> None:
    problem = await machine.refuses(URL.format("state0"))
    assert "No sign-in is in progress" in problem.message
    assert problem.exit_code == 1


async def test_logins_that_are_over_count_as_none(machine: Machine) -> None:
    over = await machine.begin()
    await over.channel.close()
    assert "No sign-in is in progress" in (await machine.refuses(URL.format("state0"))).message
    good = await machine.begin()
    assert (await hand_over(URL.format("state1"), machine.files, 5.0)).server == good.server


async def test_what_is_no_address_is_an_error_of_usage_and_nobody_is_asked(machine: Machine) -> None:
    login = await machine.begin()
    assert isinstance(await machine.refuses("planted-code"), UsageError)
    assert login.heard == []


async def test_how_it_ends_is_waited_for(machine: Machine) -> None:
    await machine.begin(
        LoginStatus(phase="failed", failure="failed", message="The code was refused.", hint="Try again.")
    )
    problem = await machine.refuses(URL.format("state0"))
    assert isinstance(problem, SignInError)
    assert str(problem) == "The code was refused. Try again."


async def test_a_login_that_dies_over_it_is_told(machine: Machine) -> None:
    await machine.begin(None)
    problem = await machine.refuses(URL.format("state0"))
    assert problem.exit_code == 1
    assert machine.logins[0].server in problem.message


async def test_an_end_that_does_not_come_is_not_waited_for(machine: Machine) -> None:
    await machine.begin(LoginStatus(phase="finishing"))
    with pytest.raises(SignInError, match="has not ended"):
        await hand_over(URL.format("state0"), machine.files, 0.05)
