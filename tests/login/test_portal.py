"""The desktop's portal, on a real message bus: asked to open a page where there is no display to show one on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.login import browser, portal
from bridge.login.browser import BrowserNotOpened, open_browser
from scripts import desktop
from tests.login.token_endpoint_answers import DEADLINE

if sys.platform != "linux":
    pytest.skip("the portal is Linux'", allow_module_level=True)
pytest.importorskip("jeepney")

from tests.support.desktop.portal import SERVICE, Portal
from tests.support.desktop.secret_service import session_bus
from tests.support.waits import stretched

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(desktop.BUS.found() is None, reason=desktop.BUS.reason),
]

URL = "https://login.example/authorize?a=b&state=x%20y"


@pytest.fixture(autouse=True)
def not_on_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_is_wsl", lambda environ: False)


@pytest.fixture
def bus() -> Iterator[dict[str, str]]:
    """An environment in which there is nothing but a message bus."""
    with session_bus() as variables:
        yield variables | {"PATH": "/nowhere"}


async def problem(bus: dict[str, str]) -> str:
    with pytest.raises(BrowserNotOpened) as caught:
        await open_browser(URL, bus)
    (tried,) = caught.value.tried
    return tried


async def test_it_opens_the_page_where_there_is_no_display(
    bus: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "MOMENT", DEADLINE)
    with Portal().on(bus["DBUS_SESSION_BUS_ADDRESS"]) as running:
        assert await open_browser(URL, bus) == "the desktop portal"
    assert running.opened == [URL]
    assert list(running.options[0]) == ["handle_token"]


async def test_what_a_shell_could_read_is_encoded(bus: dict[str, str]) -> None:
    with Portal().on(bus["DBUS_SESSION_BUS_ADDRESS"]) as running:
        await open_browser("https://a.example/$(id)", bus)
    assert running.opened == ["https://a.example/%24%28id%29"]


async def test_one_that_asks_the_user_which_browser_is_given_the_time(
    bus: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "MOMENT", 0.1)
    with Portal(outcome=None).on(bus["DBUS_SESSION_BUS_ADDRESS"]) as running:
        began = time.monotonic()
        assert await open_browser(URL, bus) == portal.NAME
        assert time.monotonic() - began < stretched(DEADLINE)
    assert running.opened == [URL]


@pytest.mark.parametrize(
    ("outcome", "said"), [(1, "was cancelled by the user"), (2, "could not open the link"), (77, "failed")], ids=str
)
async def test_one_that_does_not_open_it_says_so(
    bus: dict[str, str], outcome: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "MOMENT", DEADLINE)
    with Portal(outcome).on(bus["DBUS_SESSION_BUS_ADDRESS"]):
        assert await problem(bus) == f"the desktop portal {said}"


async def test_one_that_refuses_is_quoted_by_the_name_of_its_error(bus: dict[str, str]) -> None:
    with Portal(refuses="org.freedesktop.portal.Error.NotAllowed").on(bus["DBUS_SESSION_BUS_ADDRESS"]):
        assert await problem(bus) == "the desktop portal refused (NotAllowed)"


async def test_a_bus_without_one_has_none(bus: dict[str, str]) -> None:
    assert await problem(bus) == "the desktop portal is not running"


@pytest.mark.parametrize("has_display", [False, True])
async def test_one_that_does_not_run_is_started_only_where_there_is_a_display(
    bus: dict[str, str], has_display: bool
) -> None:
    """A machine without a desktop may have its files all the same."""
    services = Path(bus["HOME"]) / "share" / "dbus-1" / "services"
    services.mkdir(parents=True)
    started = Path(bus["HOME"]) / "started"
    program = f"/bin/sh -c 'touch {started}'"
    (services / f"{SERVICE}.service").write_text(f"[D-BUS Service]\nName={SERVICE}\nExec={program}\n")
    config = Path(bus["HOME"]) / "bus.conf"
    with_services = config.read_text().replace("</busconfig>", f"<servicedir>{services}</servicedir></busconfig>")
    config.write_text(with_services)
    _reload(bus)
    assert (await problem(bus | ({"DISPLAY": ":9"} if has_display else {}))).startswith("the desktop portal ")
    assert started.exists() is has_display


def _reload(bus: dict[str, str]) -> None:
    """Have the bus read its configuration again."""
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import Proxy, open_dbus_connection

    with open_dbus_connection(bus["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        Proxy(message_bus, connection).ReloadConfig()


async def test_a_bus_that_says_nothing_does_not_hold_the_sign_in_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket
    import tempfile

    monkeypatch.setattr(portal, "_REPLY_SECONDS", 0.2)
    with tempfile.TemporaryDirectory(prefix="bus-") as folder, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/bus")
        silent.listen()
        environ = {"PATH": "/nowhere", "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus"}
        assert await problem(environ) == "the desktop portal did not answer"


async def test_without_the_package_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney.io.blocking", None)
    environ = {"PATH": os.environ["PATH"], "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
    assert await problem(environ) == "the desktop portal needs the package jeepney, which is not installed"
