"""What leads to the user's browser and keyring, found on each system, and what is not believed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.host import desktop as desktop_module
from bridge.host import session_bus
from bridge.host.ancestors import Ancestor
from bridge.host.desktop import Desktop, ThisSystem, find_desktop, find_session, read_environment

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets and owners of Unix")

SSH = "192.0.2.1 50000 192.0.2.2 22"


class Fake:
    """A system with these processes above us, nearest first, and this systemd manager."""

    def __init__(self, *above: Mapping[str, str], platform: str = "linux", manager: Mapping[str, str] | None = None):
        self.platform = platform
        self.user = os.geteuid()
        self.usual_runtime = ""
        self.usual_wsl_socket = ""
        self.asked_with: list[Mapping[str, str]] = []
        self._above = above
        self._manager = manager or {}

    def ancestors(self) -> Iterator[Ancestor]:
        for number, environ in enumerate(self._above):
            yield Ancestor(100 + number, "codex", environ)

    def manager(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        self.asked_with.append(environ)
        return self._manager

    def runtime(self) -> str:
        return self.usual_runtime

    def wsl_socket(self) -> str:
        return self.usual_wsl_socket


@pytest.fixture(autouse=True)
def screens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with the displays :0 and :1, and a folder for a session. A socket's path has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="x-"))
    monkeypatch.setattr(session_bus, "_X_SOCKET", f"{folder}/X")
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for one, name in zip(sockets, ("X0", "X1", "bus", "wayland-0"), strict=True):
        one.bind(str(folder / name))
        one.listen()
    yield folder
    for one in sockets:
        one.close()
    shutil.rmtree(folder)


def found(environ: Mapping[str, str], *above: Mapping[str, str], **more: object) -> dict[str, str]:
    return dict(find_desktop(environ, Fake(*above, **more)).variables)  # type: ignore[arg-type]


def test_what_the_host_kept_back_is_taken_from_the_nearest_that_has_it(screens: Path, tmp_path: Path) -> None:
    key = tmp_path / "Xauthority"
    key.touch()
    session = {
        "DISPLAY": ":0",
        "WAYLAND_DISPLAY": "wayland-0",
        "XAUTHORITY": str(key),
        "XDG_RUNTIME_DIR": str(screens),
        "XDG_CURRENT_DESKTOP": "ubuntu:GNOME",
        "XDG_DATA_DIRS": f"/no/such/folder:{tmp_path}",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={screens}/bus",
        "BROWSER": "firefox %s",
        "PATH": f"relative::{tmp_path}:.:/no/such/folder:/",
    }
    asked = find_desktop({"HOME": "/root"}, Fake({}, {"HOME": "/root"}, session, {"DISPLAY": ":1", "BROWSER": "x"}))
    assert asked.variables == session | {"PATH": f"{tmp_path}:/", "XDG_DATA_DIRS": str(tmp_path)}
    assert str(asked).startswith("XDG_RUNTIME_DIR, DBUS_SESSION_BUS_ADDRESS, DISPLAY, ")
    assert str(asked).endswith(" taken from process 102 (codex)")


def test_what_is_there_is_never_overridden(screens: Path) -> None:
    own = {"DISPLAY": ":1", "PATH": "/bin", "BROWSER": "", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
    theirs = {"DISPLAY": ":0", "PATH": "/", "BROWSER": "x", "DBUS_SESSION_BUS_ADDRESS": f"unix:path={screens}/bus"}
    assert found(own, theirs) == {}


def test_nothing_but_what_is_named_is_taken() -> None:
    assert found({}, {"DISPLAY": ":0", "API_KEY": "secret", "LD_PRELOAD": "/x.so", "HTTPS_PROXY": "http://u:p@x"}) == {
        "DISPLAY": ":0"
    }


def test_no_value_is_shown() -> None:
    asked = find_desktop({}, Fake({"DISPLAY": ":0", "BROWSER": "secret-browser"}))
    assert "secret" not in f"{asked} {asked!r}"
    assert str(asked) == "DISPLAY and BROWSER taken from process 100 (codex)"
    assert str(Desktop()) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISPLAY", ":9"),
        ("DISPLAY", ":0\nX=1"),
        ("DISPLAY", "x" * 100_000),
        ("WAYLAND_DISPLAY", "../../etc/passwd"),
        ("XDG_RUNTIME_DIR", "/"),
        ("XDG_RUNTIME_DIR", "relative"),
        ("DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/bin/sh,argv1=-c,argv2=id"),
        ("DBUS_SESSION_BUS_ADDRESS", "tcp:host=192.0.2.1,port=1"),
        ("XDG_CURRENT_DESKTOP", "GNOME\x1b[2J"),
        ("XDG_CURRENT_DESKTOP", "$(id)"),
        ("KDE_SESSION_VERSION", "6'; id"),
        ("XDG_DATA_DIRS", "share"),
        ("PATH", "bin:.:"),
        ("PATH", "/\0"),
        ("PATH", "/:" * 20_000),
        ("BROWSER", "firefox\nid"),
        ("BROWSER", "firefox " + "x" * 5000),
        ("BROWSER", "firefox\udcff"),
        ("WSL_INTEROP", "/tmp/1_interop"),
    ],
)
def test_a_hostile_value_is_left_where_it_is(name: str, value: str) -> None:
    assert found({}, {name: value}) == {}


def test_a_key_goes_with_its_display(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    theirs = {"DISPLAY": ":0", "XAUTHORITY": str(key)}
    assert found({"DISPLAY": ":0"}, theirs) == {"XAUTHORITY": str(key)}
    assert found({"DISPLAY": ":1"}, theirs) == {}
    assert found({}, {"DISPLAY": ":9", "XAUTHORITY": str(key)}) == {}
    assert found({}, theirs | {"XAUTHORITY": str(tmp_path)}) == {"DISPLAY": ":0"}


def test_a_display_that_has_ended_does_not_end_the_search() -> None:
    assert found({}, {"DISPLAY": ":9"}, {"DISPLAY": ":1"}) == {"DISPLAY": ":1"}


def test_an_empty_display_of_our_own_says_that_none_is_wanted() -> None:
    system = Fake({"DISPLAY": ":0", "WAYLAND_DISPLAY": ":0", "BROWSER": "x"}, manager={"DISPLAY": ":0"})
    assert find_desktop({"DISPLAY": ""}, system).variables == {"BROWSER": "x"}
    assert system.asked_with == []


# -- SSH


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_an_ssh_session_that_the_host_hid_is_known_as_one(name: str, platform: str) -> None:
    value = "/dev/pts/1" if name == "SSH_TTY" else SSH
    system = Fake({}, {name: value}, {"DISPLAY": ":0", "BROWSER": "x"}, platform=platform, manager={"DISPLAY": ":0"})
    assert find_desktop({}, system).variables == {name: value}
    assert system.asked_with == []


@pytest.mark.parametrize("value", ["fe80::1%eth0 50000 fe80::2%eth0 22", "\u202e", "x" * 100_000, "a\nb=c"])
def test_an_ssh_session_is_known_as_one_whatever_its_marks_say(value: str) -> None:
    system = Fake({"SSH_CONNECTION": value}, manager={"DISPLAY": ":0"})
    taken = find_desktop({}, system).variables
    assert taken["SSH_CONNECTION"] == (value if "eth0" in value else "yes")
    assert system.asked_with == []


def test_a_display_that_ssh_forwards_comes_with_it() -> None:
    theirs = {"SSH_CONNECTION": SSH, "DISPLAY": "localhost:10.0"}
    assert found({}, theirs) == theirs


def test_whoever_came_by_ssh_long_ago_and_sits_at_the_desktop_now_is_at_the_desktop() -> None:
    assert found({}, {"DISPLAY": ":0"}, {"SSH_CONNECTION": SSH}) == {"DISPLAY": ":0"}


def test_an_ssh_session_of_our_own_asks_no_manager() -> None:
    system = Fake({}, manager={"DISPLAY": ":0"})
    assert find_desktop({"SSH_TTY": "/dev/pts/0"}, system).variables == {}
    assert system.asked_with == []


def test_a_display_of_our_own_that_is_not_the_sessions_says_nothing_of_ssh() -> None:
    """The user wrote it into the host's settings, and means it."""
    assert found({"DISPLAY": ":1"}, {"SSH_CONNECTION": SSH, "DISPLAY": "localhost:10.0"}) == {}
    assert found({"DISPLAY": ":1"}, {"SSH_CONNECTION": SSH}) == {"SSH_CONNECTION": SSH}


# -- the systemd manager, and the usual places


def test_the_manager_is_asked_where_no_process_knows_of_a_display(screens: Path) -> None:
    system = Fake({"PATH": "/"}, manager={"DISPLAY": ":0", "SSH_TTY": "x", "PATH": "/bin"})
    system.usual_runtime = str(screens)
    asked = find_desktop({"HOME": "/root"}, system)
    assert asked.variables == {
        "PATH": "/",
        "DISPLAY": ":0",
        "XDG_RUNTIME_DIR": str(screens),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={screens}/bus",
    }
    assert "DISPLAY taken from the user's systemd manager" in asked.origins
    assert "XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS taken from the usual place" in asked.origins
    assert system.asked_with == [{"HOME": "/root", "PATH": "/", "XDG_RUNTIME_DIR": str(screens)}]


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_only_linux_has_that_manager(platform: str) -> None:
    system = Fake(platform=platform, manager={"DISPLAY": ":0"})
    assert find_desktop({}, system).variables == {}
    assert system.asked_with == []


def test_the_bus_is_looked_for_in_our_own_runtime_folder(screens: Path) -> None:
    bus = f"unix:path={screens}/bus"
    assert found({"XDG_RUNTIME_DIR": str(screens)}) == {"DBUS_SESSION_BUS_ADDRESS": bus}
    assert found({"XDG_RUNTIME_DIR": "/"}) == {}
    assert found({"XDG_RUNTIME_DIR": str(screens), "DBUS_SESSION_BUS_ADDRESS": ""}) == {}


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_macos_and_windows_have_no_such_places(platform: str, screens: Path) -> None:
    system = Fake({"BROWSER": "x"}, platform=platform)
    system.usual_runtime = str(screens)
    assert find_desktop({}, system).variables == {"BROWSER": "x"}


def test_wsl_starts_windows_programs_by_a_socket_of_its_own(monkeypatch: pytest.MonkeyPatch, screens: Path) -> None:
    system = Fake({"WSL_DISTRO_NAME": "Ubuntu-24.04", "WSL_INTEROP": "/run/WSL/8_interop"})
    monkeypatch.setattr(Path, "is_socket", lambda path: True)
    assert find_desktop({}, system).variables == {
        "WSL_DISTRO_NAME": "Ubuntu-24.04",
        "WSL_INTEROP": "/run/WSL/8_interop",
    }
    monkeypatch.setattr(Path, "is_socket", lambda path: False)
    system.usual_wsl_socket = "/run/WSL/9_interop"
    assert find_desktop({}, system).variables["WSL_INTEROP"] == "/run/WSL/9_interop"


def test_the_newest_of_wsls_sockets_is_taken(monkeypatch: pytest.MonkeyPatch, screens: Path) -> None:
    monkeypatch.setattr(desktop_module, "_WSL_SOCKETS", screens)
    assert ThisSystem().wsl_socket() == ""
    listening = []
    for number, name in enumerate(("2_interop", "1_interop", "x")):
        listening.append(socket.socket(socket.AF_UNIX))
        listening[-1].bind(str(screens / name))
        os.utime(screens / name, (number, number))
    (screens / "3_interop").touch()
    assert ThisSystem().wsl_socket() == f"{screens}/1_interop"
    for one in listening:
        one.close()


# -- the keyring


def test_the_keyring_gets_the_bus_and_the_name_of_the_desktop(screens: Path) -> None:
    bus = f"unix:path={screens}/bus"
    theirs = {"DBUS_SESSION_BUS_ADDRESS": bus, "XDG_CURRENT_DESKTOP": "KDE", "BROWSER": "x", "PATH": "/"}
    system = Fake(theirs)
    assert find_session({}, system).variables == {"DBUS_SESSION_BUS_ADDRESS": bus, "XDG_CURRENT_DESKTOP": "KDE"}
    # The one decides whether there is a keyring, the other which: either may be what a host passes on.
    assert find_session({"DBUS_SESSION_BUS_ADDRESS": bus}, system).variables == {"XDG_CURRENT_DESKTOP": "KDE"}
    assert find_session({"XDG_CURRENT_DESKTOP": ""}, system).variables == {"DBUS_SESSION_BUS_ADDRESS": bus}
    assert find_session({"XDG_CURRENT_DESKTOP": "", "DBUS_SESSION_BUS_ADDRESS": ""}, system) == Desktop()
    assert system.asked_with == []


def test_a_process_of_another_session_does_not_name_our_bus(screens: Path, tmp_path: Path) -> None:
    system = Fake({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={screens}/bus", "XDG_RUNTIME_DIR": str(screens)})
    assert find_session({"XDG_RUNTIME_DIR": str(tmp_path)}, system) == Desktop()
    assert list(find_session({"XDG_RUNTIME_DIR": str(screens)}, system).variables) == ["DBUS_SESSION_BUS_ADDRESS"]


def test_a_bus_that_no_process_names_is_found_at_its_usual_place(screens: Path) -> None:
    system = Fake({})
    system.usual_runtime = str(screens)
    assert find_session({}, system).variables == {
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={screens}/bus",
        "XDG_RUNTIME_DIR": str(screens),
    }


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_the_keyrings_of_macos_and_windows_need_nothing(platform: str) -> None:
    system = Fake({"DBUS_SESSION_BUS_ADDRESS": "x"}, platform=platform)
    assert find_session({}, system) == Desktop()


# -- systemctl


def test_what_systemctl_prints_is_read() -> None:
    printed = (
        "HOME=/root\nDISPLAY=:0\nBROWSER=$'firefox --new-tab %s'\nDBUS_SESSION_BUS_ADDRESS=unix:path=/x\n"
        "XDG_CURRENT_DESKTOP=$'a\\nb'\nno equals\n=x\nPATH=\n"
    )
    assert read_environment(printed) == {
        "DISPLAY": ":0",
        "BROWSER": "firefox --new-tab %s",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x",
        "PATH": "",
    }


def test_systemctl_is_asked_without_our_secrets(tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\n/usr/bin/env > "$0.seen"\necho "DISPLAY=:0"\necho "args $*" >> "$0.seen"\n')
    program.chmod(0o755)
    environ = {"PATH": str(tmp_path), "MCP_BRIDGE_CLIENT_SECRET": "hidden", "XDG_RUNTIME_DIR": "/run/user/0"}
    assert ThisSystem().manager(environ) == {"DISPLAY": ":0"}
    seen = (tmp_path / "systemctl.seen").read_text()
    assert "hidden" not in seen
    assert "XDG_RUNTIME_DIR=/run/user/0" in seen
    assert "args --user show-environment" in seen


@pytest.mark.parametrize("body", ["exit 1", "exec sleep 60", "echo DISPLAY=:0; exit 3"])
def test_a_systemctl_that_fails_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(desktop_module, "MANAGER_SECONDS", 0.5)
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{body}\n")
    program.chmod(0o755)
    assert ThisSystem().manager({"PATH": str(tmp_path)}) == {}


def test_without_systemctl_there_is_no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=b"DISPLAY=:0\n"))
    assert ThisSystem().manager({"PATH": "/nowhere"}) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_on_this_system_nothing_of_it_fails() -> None:
    assert isinstance(find_desktop(os.environ), Desktop)
    assert isinstance(find_session({}), Desktop)
