"""A real Secret Service for one test: `gnome-keyring-daemon` on a message bus of its own, with a home of its own.

Nothing on that bus can be started on demand, so no window can ever ask anybody for anything.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import desktop
from tests.support.waits import stretched

_NAME = "org.freedesktop.secrets"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def require_secret_service() -> None:
    """Skip the calling test, saying why, where no Secret Service can be started."""
    if missing := [program.reason for program in (desktop.BUS, desktop.KEYRING) if program.found() is None]:
        pytest.skip("; ".join(missing))
    for module in ("keyring", "secretstorage", "jeepney"):
        pytest.importorskip(module)


@dataclass(frozen=True)
class SecretService:
    """A running one. `variables` are the environment for a process that uses it."""

    variables: dict[str, str]
    address: str

    def without_address(self) -> dict[str, str]:
        """The variables of a host that passes on few: the bus must be found where systemd has it."""
        return {name: value for name, value in self.variables.items() if name != "DBUS_SESSION_BUS_ADDRESS"}

    @contextlib.contextmanager
    def bus(self) -> Iterator[Any]:
        """A connection, for looking at the service from the outside."""
        with contextlib.closing(_module("jeepney.io.blocking").open_dbus_connection(self.address)) as bus:
            yield bus

    def lock(self) -> None:
        """Lock the default collection, as a screen lock or a logout elsewhere does."""
        with self.bus() as bus:
            _module("secretstorage").get_collection_by_alias(bus, "default").lock()

    def secrets(self) -> list[str]:
        """Every stored secret, as the service itself has it."""
        with self.bus() as bus:
            items = _module("secretstorage").get_collection_by_alias(bus, "default").get_all_items()
            return [item.get_secret().decode() for item in items]


@contextlib.contextmanager
def session_bus() -> Iterator[dict[str, str]]:
    """Start a message bus with a home of its own; yields the environment for a process that uses it."""
    if desktop.BUS.found() is None:
        pytest.skip(desktop.BUS.reason)
    # A socket's path has to be short, shorter than pytest's directories are.
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bus-", ignore_cleanup_errors=True))
        home = Path(name)
        bus = home / "bus"
        config = home / "bus.conf"
        config.write_text(_CONFIG.format(socket=bus), encoding="utf-8")
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": name,
            "XDG_RUNTIME_DIR": name,
            "XDG_DATA_HOME": str(home / "share"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        }
        _start(stack, ["dbus-daemon", f"--config-file={config}", "--nofork", "--nosyslog"], variables)
        _until(lambda: _is_listening(bus))
        yield variables


@contextlib.contextmanager
def secret_service(*, unlocked: bool = True) -> Iterator[SecretService]:
    """Start one, empty; `unlocked` with a default collection that is open, else without any collection."""
    require_secret_service()
    with contextlib.ExitStack() as stack:
        variables = stack.enter_context(session_bus())
        home = Path(variables["HOME"])
        service = SecretService(variables, variables["DBUS_SESSION_BUS_ADDRESS"])
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", f"--control-directory={home / 'k'}"]
        daemon = _start(stack, [*command, *(["--unlock"] if unlocked else [])], variables)
        assert daemon.stdin is not None
        daemon.stdin.write(b"password" if unlocked else b"")
        daemon.stdin.close()
        _until(lambda: _is_ready(service, unlocked=unlocked))
        yield service


def _start(stack: contextlib.ExitStack, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    if process.stdin is not None:
        stack.callback(process.stdin.close)
    return process


def _is_ready(service: SecretService, *, unlocked: bool) -> bool:
    secretstorage = _module("secretstorage")
    message_bus = _module("jeepney.bus_messages").message_bus
    with service.bus() as bus:
        # Asking for the name first: a call to a name without an owner would fail, for nothing starts it.
        if not _module("jeepney.io.blocking").Proxy(message_bus, bus).NameHasOwner(_NAME)[0]:
            return False
        if not unlocked:
            return True
        try:
            return not secretstorage.get_collection_by_alias(bus, "default").is_locked()
        except secretstorage.ItemNotFoundException:
            return False


def _module(name: str) -> Any:
    """By name, for these packages exist on Linux only."""
    return importlib.import_module(name)


def _is_listening(path: Path) -> bool:
    """Whether connections are taken there. Raises OSError where not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
    return True


def _until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + stretched(seconds)
    while True:
        try:
            if condition():
                return
        except OSError:  # The bus does not take connections yet.
            pass
        assert time.monotonic() < deadline, "the Secret Service did not start"
        time.sleep(0.02)
