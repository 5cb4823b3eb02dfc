"""Sockets that another process names: believed only where they are the user's own and take connections."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.host import session_bus
from bridge.host.session_bus import bus_address, bus_in, runtime_folder, wayland_display, x_display

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets and owners of Unix")

GUID = "0123456789abcdef" * 2


@pytest.fixture
def user() -> int:
    return os.geteuid()


@pytest.fixture
def runtime() -> Iterator[Path]:
    # A socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="bus-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def bus(runtime: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime / "bus"))
        listening.listen()
        yield listening


def test_a_bus_is_found_where_systemd_has_it(runtime: Path, bus: socket.socket, user: int) -> None:
    assert bus_in(str(runtime), user) == f"unix:path={runtime}/bus"


def test_an_address_may_have_a_guid(runtime: Path, bus: socket.socket, user: int) -> None:
    address = f"unix:path={runtime}/bus,guid={GUID}"
    assert bus_address(address, user) == address


def test_another_users_bus_is_not_taken(runtime: Path, bus: socket.socket, user: int) -> None:
    assert bus_in(str(runtime), user + 1) == ""


def test_a_bus_at_which_another_user_listens_is_not_taken(
    runtime: Path, bus: socket.socket, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_bus, "_listener", lambda place: user + 1)
    assert bus_in(str(runtime), user) == ""


def test_a_bus_that_has_ended_is_not_taken(runtime: Path, bus: socket.socket, user: int) -> None:
    bus.close()
    assert (runtime / "bus").exists()
    assert bus_in(str(runtime), user) == ""


def test_a_plain_file_is_no_bus(runtime: Path, user: int) -> None:
    (runtime / "bus").touch()
    assert bus_in(str(runtime), user) == ""


def test_a_path_that_would_say_more_than_a_path_is_no_address(runtime: Path, user: int) -> None:
    strange = runtime / "a,guid=0"
    strange.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(strange / "bus"))
        listening.listen()
        assert bus_in(str(strange), user) == ""


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="abstract sockets of Linux")
def test_who_listens_at_an_abstract_socket_is_asked_of_the_system(user: int) -> None:
    """Any user may listen there once the one who did is gone."""
    name = f"test-bus-{os.getpid()}"
    address = f"unix:abstract={name}"
    assert bus_address(address, user) == ""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen()
        assert bus_address(address, user) == address
        assert bus_address(address, user + 1) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        "unix:",
        "unixexec:path=/bin/sh,argv1=-c,argv2=id",
        "tcp:host=192.0.2.1,port=1",
        "nonce-tcp:host=localhost,port=1,noncefile=/x",
        "autolaunch:",
        "launchd:env=X",
        "unix:path=PATH;unixexec:path=/bin/sh",
        "unixexec:path=/bin/sh;unix:path=PATH",
        "unix:path=PATH,guid=short",
        "unix:path=PATH\n",
        "unix:path=PATH%00",
        "unix:dir=PATH",
        "unix:path=PATH" + "x" * 200,
    ],
)
def test_no_other_address_is_believed(address: str, runtime: Path, bus: socket.socket, user: int) -> None:
    assert bus_address(address.replace("PATH", f"{runtime}/bus"), user) == ""


def test_a_runtime_folder_is_the_users_and_closed(runtime: Path, user: int) -> None:
    assert runtime_folder(str(runtime), user) == str(runtime)
    assert runtime_folder(str(runtime), user + 1) == ""
    for mode in (0o750, 0o701, 0o777):
        runtime.chmod(mode)
        assert runtime_folder(str(runtime), user) == ""
    runtime.chmod(stat.S_IRWXU)
    assert runtime_folder(str(runtime / "none"), user) == ""
    assert runtime_folder(os.path.relpath(runtime), user) == ""
    link = runtime / "link"
    link.symlink_to(runtime)
    assert runtime_folder(str(link), user) == ""
    assert runtime_folder("/a\0b", user) == ""


def test_a_display_on_this_machine_has_to_take_connections(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_bus, "_X_SOCKET", f"{runtime}/X")
    assert x_display(":7") == ""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{runtime}/X7")
        server.listen()
        assert x_display(":7") == ":7"
        assert x_display(":7.0") == ":7.0"
        assert x_display(":8") == ""


def test_a_forwarded_display_is_taken_by_its_form() -> None:
    assert x_display("localhost:10.0") == "localhost:10.0"


@pytest.mark.parametrize("value", ["", "0", ":", ":x", "a b:0", ":0\n", "$(id):0", "-x:0;", ":123456", "/tmp/x:0"])
def test_no_other_display_is_believed(value: str) -> None:
    assert x_display(value) == ""


def test_a_wayland_display_is_a_socket_of_the_users(runtime: Path, bus: socket.socket, user: int) -> None:
    assert wayland_display("bus", str(runtime), user) == "bus"
    assert wayland_display(f"{runtime}/bus", "", user) == f"{runtime}/bus"
    assert wayland_display("bus", "", user) == ""
    assert wayland_display("bus", str(runtime), user + 1) == ""
    assert wayland_display("none", str(runtime), user) == ""
    assert wayland_display("b\nus", str(runtime), user) == ""
    bus.close()
    assert wayland_display("bus", str(runtime), user) == ""
