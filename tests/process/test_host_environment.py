"""What the host kept back reaches the rooms that need it, and its values reach no log."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.host import desktop as desktop_module
from bridge.host.desktop import Desktop
from bridge.process.host_environment import desktop_here, keyring_variables
from tests.support.process.bridge_process import ROOT, environment
from tests.support.waits import stretched

FOUND = Desktop(
    {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/secret"}, ("DBUS_SESSION_BUS_ADDRESS taken from process 7 (x)",)
)


def test_where_the_keyrings_bus_was_found_is_logged_without_its_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Mapping[str, str]] = []

    def find(environ: Mapping[str, str]) -> Desktop:
        asked.append(environ)
        return FOUND

    monkeypatch.setattr(desktop_module, "find_session", find)
    with caplog.at_level("DEBUG", "bridge.host"):
        assert keyring_variables() == FOUND.variables
    assert asked == [os.environ]
    assert [record.getMessage() for record in caplog.records] == [
        "To reach the keyring: DBUS_SESSION_BUS_ADDRESS taken from process 7 (x)"
    ]


def test_where_nothing_is_found_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desktop_module, "find_session", lambda _: Desktop())
    with caplog.at_level("DEBUG", "bridge.host"):
        assert keyring_variables() == {}
    assert caplog.records == []


@pytest.mark.anyio
async def test_the_desktop_is_looked_for_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[threading.Thread] = []

    def find(_: Mapping[str, str]) -> Desktop:
        where.append(threading.current_thread())
        return FOUND

    monkeypatch.setattr(desktop_module, "find_desktop", find)
    assert await desktop_here({"PATH": "/bin"}) is FOUND
    assert where != [threading.main_thread()]


def test_a_start_that_needs_neither_looks_for_nothing(tmp_path: Path) -> None:
    """Most starts find no stored sign-in and are asked for none."""
    script = (
        "import sys\n"
        "from bridge.cli.main import main\n"
        "try:\n    main(['http://127.0.0.1:9/mcp'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'bridge.host.desktop', 'bridge.host.ancestors', 'psutil', 'jeepney'} & set(sys.modules)),"
        " file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(tmp_path),
        timeout=stretched(60),
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
