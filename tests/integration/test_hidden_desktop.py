"""The browser and the keyring of a desktop, reached from a host that passes on next to nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts import desktop
from tests.support.desktop.chromium import DEADLINE, arguments, find_chromium
from tests.support.desktop.secret_service import secret_service, session_bus
from tests.support.desktop.xvfb import xvfb
from tests.support.hosts import hiding_host
from tests.support.hosts.hiding_host import hiding_command
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import until, visit
from tests.support.process.bridge_process import INITIALIZE, BridgeProcess
from tests.support.process.login_processes import data_folder, no_login_left

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="the desktops of Linux")]

CHROMIUM = find_chromium()
PATH = os.environ.get("PATH", os.defpath)


@pytest.fixture(autouse=True)
def hiding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bridge here is started by a host that passes on next to nothing."""
    monkeypatch.setenv("MCP_BRIDGE_TEST_COMMAND", hiding_command())


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for programs of the desktop."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, *words: str) -> str:
    """A program that does what these words do, with its own arguments behind them."""
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def browser_of(site: Site) -> list[str]:
    """The words that start the browser of the site's person."""
    return shlex.split(site.person.environment()["BROWSER"])[:-1]


@contextlib.contextmanager
def a_display() -> Iterator[str]:
    """Something that takes connections where an X server would."""
    number = 20_000 + os.getpid() % 20_000
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        yield f":{number}"


def says(host: BridgeProcess, pattern: str) -> bool:
    return any(re.search(pattern, line) for line in host.stderr)


async def works(host: BridgeProcess, deadline: float = LOGIN) -> None:
    await host.initialize(deadline=deadline)
    assert (await host.call("echo", deadline=deadline)).result
    listed = (await host.request("tools/list", {}, deadline=deadline)).result
    assert "echo" in {tool["name"] for tool in listed["tools"]}


@contextlib.contextmanager
def chromium_ended(profile: Path) -> Iterator[None]:
    """End the browser that was opened, which outlives whoever opened it."""
    try:
        yield
    finally:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(str(profile) in word for word in process.cmdline()):
                    process.kill()


@pytest.mark.skipif(CHROMIUM is None, reason=desktop.CHROMIUM.reason)
async def test_a_person_signs_in_with_the_browser_of_a_desktop_that_the_host_hid(
    programs: Path, tmp_path: Path
) -> None:
    """The host passes on neither DISPLAY nor PATH; Chromium is shown on the display of the host itself."""
    assert CHROMIUM is not None
    profile = tmp_path / "profile"
    words = [word for word in arguments(CHROMIUM, profile) if not word.startswith("--headless")]
    opener = put(programs, "xdg-open", *words)
    with xvfb(tmp_path) as display, chromium_ended(profile):
        env = display | {"PATH": f"{programs}:{PATH}", "BROWSER": ""}
        async with Site() as site:
            async with site.bridge(env=env) as host:
                await works(host, DEADLINE)
                assert says(host, rf"Opening the sign-in page with {opener} \(DISPLAY, XAUTHORITY and PATH taken from ")
                assert says(host, r"taken from process \d+ \(\S.*\)")
                waits = (
                    r"Waiting up to [\d.]+ s for the browser to return to http://localhost:\d+/callback/[0-9a-f]{12}$"
                )
                assert says(host, waits)
                assert says(host, r"the browser brought the answer; fetching the token$")
            seen = [request.header("user-agent") or "" for request in site.authority.requests]
            assert any(" Chrome/" in agent and "Headless" not in agent for agent in seen)


async def test_the_browser_that_only_the_hosts_own_environment_names_is_opened() -> None:
    async with Site() as site, site.bridge() as host:
        await works(host)
        assert len(site.person.opened) == 1
        assert says(host, r"Opening the sign-in page with \S+ \(.*\bBROWSER taken from process \d+ \(\S.*\)\)$")


async def test_a_display_that_only_the_systemd_manager_knows_is_used(programs: Path) -> None:
    async with Site() as site:
        opener = put(programs, "xdg-open", *browser_of(site))
        with a_display() as display:
            (programs / "systemctl").write_text(f"#!/bin/sh\necho DISPLAY={display}\n", encoding="utf-8")
            (programs / "systemctl").chmod(0o755)
            async with site.bridge(env={"BROWSER": "", "PATH": f"{programs}:{PATH}"}) as host:
                await works(host)
                assert says(host, rf"with {opener} \(PATH taken from process .*DISPLAY taken from the user's systemd")
        assert len(site.person.opened) == 1


async def test_the_portal_is_asked_where_there_is_nothing_but_a_bus() -> None:
    pytest.importorskip("jeepney")
    from tests.support.desktop.portal import Portal

    with session_bus() as bus:
        async with Site() as site:
            variables = {**os.environ, **site.person.environment()}

            def browse(url: str) -> None:
                subprocess.Popen([*browser_of(site), url], env=variables, stdout=subprocess.DEVNULL).wait()

            address = bus["DBUS_SESSION_BUS_ADDRESS"]
            env = {"BROWSER": "", "DBUS_SESSION_BUS_ADDRESS": address, "PATH": "/nowhere"}
            with Portal(on_open=browse).on(address):
                async with site.bridge(env=env) as host:
                    await works(host)
                    assert says(host, r"with the desktop portal \(DBUS_SESSION_BUS_ADDRESS taken from process \d+ \(")
            assert len(site.person.opened) == 1


async def test_an_ssh_session_that_the_host_hid_gets_no_browser_on_a_screen_in_another_room(programs: Path) -> None:
    async with Site() as site:
        put(programs, "xdg-open", *browser_of(site))
        with a_display() as display:
            env = {
                "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22",
                "DISPLAY": display,
                "BROWSER": "",
                "PATH": f"{programs}:{PATH}",
            }
            async with site.bridge(env=env) as host:
                waiting = await host.ask("initialize", INITIALIZE)
                await until(lambda: says(host, "This is an SSH session, and a browser started here "), "why", LOGIN)
                assert says(host, r"run: ssh -L \d+:localhost:\d+ ")
                assert (await visit(site.printed(host)[0])).status == 200
                assert (await host.answer(waiting, deadline=LOGIN)).result
        assert site.person.opened == []


async def test_where_every_opener_fails_each_is_named(programs: Path) -> None:
    async with Site() as site:
        first, second = put(programs, "xdg-open", "/bin/false"), put(programs, "firefox", "/bin/sh", "-c", "exit 7")
        with a_display() as display:
            async with site.bridge(env={"BROWSER": "", "DISPLAY": display, "PATH": str(programs)}) as host:
                waiting = await host.ask("initialize", INITIALIZE)
                tried = f"{first} ended with status 1; {second} ended with status 7"
                await until(lambda: says(host, re.escape(f"No browser could be opened: {tried}")), "why", LOGIN)
                assert (await visit(site.printed(host)[0])).status == 200
                assert (await host.answer(waiting, deadline=LOGIN)).result


async def test_where_there_is_nothing_to_open_a_browser_with_the_place_is_named() -> None:
    async with Site() as site, site.bridge(env={"BROWSER": "", "DISPLAY": "", "PATH": "/nowhere"}) as host:
        waiting = await host.ask("initialize", INITIALIZE)
        await until(lambda: says(host, "desktop portal, .*Either .*mcp-remote-bridge callback 'ITS"), "why", LOGIN)
        assert (await visit(site.printed(host)[0])).status == 200
        assert (await host.answer(waiting, deadline=LOGIN)).result


async def test_the_keyring_that_a_host_hid_is_the_one_that_every_copy_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a copy of one host would not see that the user has signed in by another."""
    with secret_service() as service:
        env = {"PYTHON_KEYRING_BACKEND": "", "DBUS_SESSION_BUS_ADDRESS": service.address}
        async with Site() as site:
            async with site.bridge(env=env) as host:
                await works(host)
            await no_login_left(site.person)
            assert service.secrets()
            kept = {path.suffix for path in (data_folder(site.person) / "credentials").iterdir()}
            assert kept == {".keyring"}
            # Another one of that kind, and one whose host passes on everything.
            async with site.bridge(env=env) as host:
                await works(host)
                assert says(host, r"To reach the keyring: DBUS_SESSION_BUS_ADDRESS taken from process \d+ \(")
            monkeypatch.delenv("MCP_BRIDGE_TEST_COMMAND")
            backend = "keyring.backends.SecretService.Keyring"
            everything = env | {"PYTHON_KEYRING_BACKEND": backend, "XDG_CURRENT_DESKTOP": "GNOME"}
            async with site.bridge(env=everything) as host:
                await works(host)
                assert not says(host, "To reach the keyring")
            assert len(site.person.opened) == 1


def test_the_host_here_hides_what_it_is_to_hide() -> None:
    hidden = ("PATH", "DISPLAY", "BROWSER", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XAUTHORITY")
    assert not [name for name in hidden if hiding_host.passed_on(name, "x")]
