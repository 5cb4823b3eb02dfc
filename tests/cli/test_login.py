"""The command `login`: as a process, at a terminal and without one, and what its screen shows."""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.cli.login import Terminal, read_lines
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import fetch
from tests.support.process.bridge_command import run_command, start_command
from tests.support.process.bridge_process import ROOT, command, environment
from tests.support.process.login_processes import logins_of, no_login_left
from tests.support.servers.fault_http import Bell
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

LINK = "https://as.example/authorize?client_id=c&state=s&code_challenge=x"


# -- as a process


async def test_it_says_who_is_signed_in_on_stdout_and_the_link_on_stderr() -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--scope", "read") as login:
        login.close_stdin()
        assert await login.wait(LOGIN) == 0, login.said
        [line] = login.out.splitlines()
        assert line.startswith(f"Signed in to {site.server.url} (scopes read, expires in ")
        assert "stored in" in line
        said = login.err.splitlines()
        assert site.person.opened[0] in said, "the link, whole, on a line of its own"
        assert "The browser returned; checking its answer." in said
        assert said[0] == f"Asking {site.server.url} how to sign in."
        await no_login_left(site.person)


async def test_a_name_in_a_hosts_configuration_signs_in_the_run_of_that_host() -> None:
    async with Site() as site:
        folder = site.person.home / ".cursor"
        folder.mkdir()
        entry = {"command": "mcp-remote-bridge", "args": [site.server.url, "--profile", "work"]}
        (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"tasks": entry}}))
        code, said = await run_command(site, "login", "tasks")
        assert code == 0, said
        assert "(profile work)" in said
        async with site.bridge("--profile", "work") as host:
            await site.begin(host)
        assert len(site.person.opened) == 1


async def test_it_opens_a_tab_for_a_login_under_way_that_has_none() -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--no-browser") as first:
        await first.says(site.authority.url("authorize"), LOGIN)
        assert site.person.opened == []
        async with start_command(site, "login", site.server.url) as second:
            second.close_stdin()
            assert await second.wait(LOGIN) == 0, second.said
        assert await first.wait(LOGIN) == 0, first.said
        assert len(site.person.opened) == 1


async def test_who_is_signed_in_is_told_so_and_signs_in_anew() -> None:
    async with Site() as site:
        code, said = await run_command(site, "login", site.server.url)
        assert (code, "already signed in" in said) == (0, False), said
        code, said = await run_command(site, "login", site.server.url)
        assert code == 0, said
        assert f"You are already signed in to {site.server.url}; the token expires in " in said
        assert "Signing in again replaces it; press Ctrl-C to keep it." in said
        assert len(site.person.opened) == 2


async def test_a_server_that_asks_for_no_sign_in_is_told_in_one_sentence() -> None:
    async with Site() as site:
        site.server.protected = False
        site.server.metadata_paths = ()
        code, said = await run_command(site, "login", site.server.url)
        assert code == 1
        asking, error = said.splitlines()
        assert asking == f"Asking {site.server.url} how to sign in."
        assert error.startswith(
            f"mcp-remote-bridge: error: {site.server.url} does not require a sign-in: it answered a request without a "
            "token (server/discover) with "
        )
        assert site.authority.requests == []


async def test_a_log_file_that_cannot_be_opened_is_told_before_anything_is_asked() -> None:
    async with Site() as site:
        path = site.folder / "no" / "x.log"
        code, said = await run_command(site, "login", site.server.url, "--log-file", str(path))
        assert code == 2
        assert said.startswith(f"mcp-remote-bridge: error: The log file {path} cannot be opened: the folder ")
        assert site.authority.requests == []


async def test_what_has_no_effect_is_warned_of() -> None:
    async with Site() as site:
        env = {"MCP_BRIDGE_SCOEP": "x"}
        code, said = await run_command(site, "login", site.server.url, "--client-id", "", env=env)
        assert code == 0, said
        assert "mcp-remote-bridge: warning: The environment variable MCP_BRIDGE_SCOEP has no effect" in said
        assert "mcp-remote-bridge: --client-id is empty, which counts as not given." in said


async def test_a_refusal_is_one_sentence_and_exit_code_1() -> None:
    async with Site() as site:
        site.authority.denies = {"error": "access_denied", "error_description": "Not you"}
        async with start_command(site, "login", site.server.url) as login:
            login.close_stdin()
            assert await login.wait(LOGIN) == 1, login.said
            assert login.out == ""
            assert login.err.splitlines()[-1].startswith("mcp-remote-bridge: error: ")
            assert "Not you" in login.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--token-store", "memory"), 2, "--token-store memory"),
        (("--header", "Authorization: Bearer planted"), 2, "Authorization header"),
    ],
    ids=["memory", "own-credential"],
)
async def test_what_can_be_of_no_use_is_refused(words: tuple[str, ...], code: int, says: str) -> None:
    async with Site() as site:
        ended, said = await run_command(site, "login", site.server.url, *words)
        assert ended == code
        assert says in said
        assert "planted" not in said
        assert site.authority.requests == []


async def test_an_unknown_name_is_exit_code_2() -> None:
    async with Site() as site:
        code, said = await run_command(site, "login", "nothing")
        assert (code, said.count("\n")) == (2, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C goes to every process of a test run there")
async def test_an_interrupt_ends_the_login_it_started() -> None:
    async with Site() as site, start_command(site, "login", site.server.url, "--no-browser") as login:
        await login.says(site.authority.url("authorize"), LOGIN)
        login.process.send_signal(signal.SIGINT)
        assert await login.wait() == 130, login.said
        assert login.out == ""
        assert login.err.endswith("Stopped. Nothing was changed.\n")
        await no_login_left(site.person)


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C goes to every process of a test run there")
async def test_an_interrupt_leaves_a_login_alone_that_was_under_way() -> None:
    async with Site() as site:
        site.person.browser = "record"
        async with start_command(site, "login", site.server.url) as first:
            url = await site.person.until_opened(deadline=LOGIN)
            async with start_command(site, "login", site.server.url) as second:
                await second.says(url, LOGIN)
                assert "is already in progress; this command joins it" in second.said
                second.process.send_signal(signal.SIGINT)
                assert await second.wait() == 130, second.said
                assert second.err.endswith("Stopped waiting. The sign-in that was already in progress continues.\n")
            assert len(logins_of(site.person)) == 1
            await first.type((dict((await fetch(url)).headers))["location"])
            assert await first.wait(LOGIN) == 0, first.said


class Console:
    """The near side of a terminal in which a command runs."""

    def __init__(self, descriptor: int) -> None:
        self.shown = ""
        self._descriptor = descriptor
        self._bell = Bell()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    async def shows(self, text: str) -> None:
        await self._bell.until(lambda: text in self.shown, f"{text!r} in {self.shown!r}", LOGIN)

    async def shows_times(self, count: int) -> None:
        """Wait until so many different times that are left were shown at the beginning of a line."""
        await self._bell.until(
            lambda: len({*re.findall(r"\r(\d+:\d\d) left: ", self.shown)}) >= count,
            f"{count} times in {self.shown!r}",
            LOGIN,
        )

    def type(self, line: str) -> None:
        os.write(self._descriptor, line.encode() + b"\n")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # Linux says so when the last process has closed its side.
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self.shown += data.decode()
        self._bell.ring()


@contextlib.asynccontextmanager
async def in_a_terminal(site: Site, *words: str) -> AsyncIterator[tuple[Console, asyncio.subprocess.Process]]:
    import pty

    near, far = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *command(),
        *words,
        stdin=far,
        stdout=asyncio.subprocess.PIPE,
        stderr=far,
        env=environment(site.person.home, site.variables("info") | {"COLUMNS": "70"}),
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(far)
    console = Console(near)
    try:
        yield console, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        console.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
async def test_at_a_terminal_the_line_is_renewed_in_place_and_what_is_pasted_counts() -> None:
    async with Site() as site, in_a_terminal(site, "login", site.server.url, "--no-browser") as (console, process):
        await console.shows("paste the address at which it ends here")
        await console.shows(" left: Waiting for the browser to return to")
        await console.shows_times(2)
        renewed = [line for line in console.shown.replace("\n", "\r").split("\r") if " left: " in line]
        assert all(len(line) < 70 for line in renewed), renewed
        link = next(line.strip() for line in console.shown.splitlines() if site.authority.url("authorize") in line)
        console.type("nonsense")
        await console.shows("it cannot be matched")
        console.type(dict((await fetch(link)).headers)["location"])
        out, _ = await asyncio.wait_for(process.communicate(), stretched(LOGIN))
        assert process.returncode == 0, console.shown
        assert out.decode().startswith("Signed in to ")


# -- the screen


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_line_covers_the_one_before_it_and_is_gone_before_a_sentence() -> None:
    stream = Tty()
    terminal = Terminal(stream, invites=False)
    terminal.waiting("a long line that is waited for", "0:10 left")
    terminal.waiting("short", "")
    terminal.say("A sentence.")
    terminal.end()
    first, second, erased, rest = stream.getvalue().split("\r")[1:]
    assert first == "0:10 left: a long line that is waited for"
    assert second == "short".ljust(len(first))
    assert erased == " " * 5
    assert rest == "A sentence.\n"


def test_without_a_terminal_there_is_a_line_for_each_change() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, invites=False)
    for left in ("0:10 left", "0:09 left"):
        terminal.waiting("Waiting.", left)
    terminal.waiting("Done.", "")
    terminal.end()
    assert stream.getvalue() == "Waiting. 0:10 left.\nDone.\n"


@pytest.mark.parametrize("invites", [True, False])
def test_the_link_stands_whole_on_a_line_of_its_own(invites: bool) -> None:
    stream = io.StringIO()
    Terminal(stream, invites=invites).link(LINK, "")
    assert f"\n{LINK}\n" in stream.getvalue()
    assert ("paste the address" in stream.getvalue()) is invites


def test_a_code_is_shown_with_the_link_and_nothing_is_to_be_pasted() -> None:
    stream = io.StringIO()
    Terminal(stream, invites=True).link("https://as.example/device", "ABCD\x1b[2J-EFGH")
    assert "enter the code ABCD\\x1b[2J-EFGH there" in stream.getvalue()
    assert "paste" not in stream.getvalue()


def test_what_others_say_can_not_restyle_the_terminal_nor_show_a_secret() -> None:
    stream = Tty()
    terminal = Terminal(stream, invites=False)
    terminal.say("a\x1b[2J\nb ?code=planted-code&x=1")
    terminal.waiting("c\x1b[2J", "")
    assert "\x1b" not in stream.getvalue()
    assert "planted-code" not in stream.getvalue()


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_stderr_that_is_gone_stops_nothing(stream: str | None) -> None:
    closed = io.StringIO()
    closed.close()
    terminal = Terminal(closed if stream else None, invites=True)
    terminal.link(LINK, "")
    terminal.waiting("x", "")
    terminal.say("y")
    terminal.end()


def test_lines_are_read_as_they_come_and_the_last_needs_no_end(tmp_path: Path) -> None:
    file = tmp_path / "typed"
    file.write_bytes(b"one\ntwo\xff\n\n" + b"x" * 5000 + b"\nlast")
    lines: list[str] = []
    last = threading.Event()

    def put(line: str) -> None:
        lines.append(line)
        if line == "last":
            last.set()

    with file.open() as stream:
        read_lines(stream, put)
        assert last.wait(stretched(10))
    assert lines == ["one", "two\ufffd", "", "x" * 5000, "last"]


@pytest.mark.parametrize("stream", [None, io.StringIO("x\n")], ids=["none", "without-a-descriptor"])
def test_without_a_stdin_nothing_is_read(stream: io.StringIO | None) -> None:
    read_lines(stream, lambda line: pytest.fail(line))
