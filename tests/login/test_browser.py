"""Opening the browser: nothing but a web page, no shell, no inherited stream."""

import asyncio
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.login import browser
from bridge.login.browser import BrowserNotOpened, check_openable, detachment, open_browser
from bridge.oauth.errors import SignInError
from tests.login.token_endpoint_answers import DEADLINE, until
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

URL = "https://login.example/authorize?a=b&state=hidden&scope=x%20y"

RECORDER = """
import json, os, sys, time
seen = {
    "arguments": sys.argv[2:],
    "streams": [os.path.samestat(os.fstat(fd), os.stat(os.devnull)) for fd in (0, 1, 2)] if os.name == "posix" else [],
    "session": os.getsid(0) if hasattr(os, "getsid") else None,
    "pid": os.getpid(),
    "environ": dict(os.environ),
    "open": sorted(map(int, os.listdir("/proc/self/fd"))) if sys.platform == "linux" else [],
}
print("noise")
print("noise", file=sys.stderr)
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(seen, file)
os.replace(sys.argv[1] + ".new", sys.argv[1])
do = os.environ.get("RECORDER_DO", "0")
time.sleep(60) if do == "stay" else sys.exit(int(do))
"""


class Recorder:
    """A program that writes down how it was called."""

    def __init__(self, folder: Path, name: str = "seen") -> None:
        self.file = folder / f"{name}.json"
        program = folder / "recorder.py"
        program.write_text(RECORDER, encoding="utf-8")
        words = [sys.executable, str(program), str(self.file)]
        self.command = " ".join(f'"{word}"' if os.name == "nt" else shlex.quote(word) for word in words) + " %s"

    def environ(self, **more: str) -> dict[str, str]:
        return {**os.environ, "BROWSER": self.command, **more}

    async def seen(self) -> dict[str, Any]:
        await until(self.file.exists)
        found: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return found


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    # A slow machine may take a while to start a program, and its exit code is waited for here.
    monkeypatch.setattr(browser, "MOMENT", stretched(DEADLINE))
    return Recorder(tmp_path)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to put programs in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://a.example",
        "https://a.example:8443/x/%20?y=z#w",
        "https://192.0.2.1/x",
        "https://[2001:db8::1]:443/x",
        "HTTPS://A.example/x",
        "http://localhost/x",
        "http://localhost./x",
        "http://as.localhost/x",
        "http://LOCALHOST:8080/x",
        "http://127.0.0.1:1/",
        "http://127.1.2.3/",
        "http://[::1]:8080/",
        "https://under_score.example/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_web_page_is_openable(url: str) -> None:
    check_openable(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "/x", "//a.example/x", "a.example", "-https://a.example", "--help"),
        *("file:///etc/passwd", "file://localhost/x", "javascript:alert(1)", "javascript://a.example/%0aalert(1)"),
        *(
            "data:text/html,x",
            "vbscript:x",
            "ms-settings:x",
            "search-ms:query=x",
            "smb://a.example/x",
            "ftp://a.example",
        ),
        *("https:", "https:/a.example", "https:a.example", "https://", "https:///x", "https://:443/x", "https://?x"),
        *("http://a.example/x", "http://192.168.0.1/x", "http://0.0.0.0/x", "http://[::]/x", "http://127.1/x"),
        *("http://localhost.evil.example/x", "http://127.0.0.1.evil.example/", "http://0x7f.1/"),
        *("https://user@a.example/", "https://user:word@a.example/", "https://a.example@evil.example/", "https://@a/"),
        *(
            "https://a.example/\n",
            "\nhttps://a.example/",
            "https://a.example/ x",
            "https://a.example/\tx",
            " https://a.b",
        ),
        *(
            "https://a.example/\x00",
            "https://a.example/\x7f",
            "https://a.example/\u00e9",
            "https://b\u00fccher.example/",
        ),
        *(
            "https://a.example\\@evil.example/",
            "https://a.example/\\x",
            'https://a.example/"&calc',
            "https://a.example/`x`",
        ),
        *("https://a.example/<x>", "https://a.example/^x", "https://a.example/{x}", "https://a.example/x|y"),
        *("https://a.example:99999/", "https://a.example:x/", "https://a.example:0/", "https://[::1/", "https://[x]/"),
        *("https://a%2eexample/", "https://$(calc)/x", "https://a;b/", "https://a&b/", "https://a,b/"),
    ],
)
def test_nothing_else_is_openable(url: str) -> None:
    with pytest.raises(SignInError) as caught:
        check_openable(url)
    assert "not opened" in caught.value.message
    assert not isinstance(caught.value, BrowserNotOpened)


@pytest.mark.parametrize(
    "url", ["http://evil.example/x?state=hidden", "file://a/x?state=hidden", "https://a b/?state=hidden"]
)
def test_a_refusal_keeps_the_query_to_itself(url: str) -> None:
    with pytest.raises(SignInError) as caught:
        check_openable(url)
    assert "hidden" not in str(caught.value)


@given(st.one_of(st.text(), st.builds("https://{}".format, st.text()), st.builds("http://{}".format, st.text())))
def test_whatever_is_openable_is_a_plain_web_address(url: str) -> None:
    try:
        check_openable(url)
    except SignInError:
        return
    assert url.lower().startswith(("https://", "http://"))
    assert url.isascii()
    assert url.isprintable()
    assert not set(url) & set(' \\"<>^`{|}')


async def test_what_is_not_openable_starts_nothing(recorder: Recorder) -> None:
    with pytest.raises(SignInError, match="not opened"):
        await open_browser("file:///etc/passwd", recorder.environ())
    assert not recorder.file.exists()


async def test_the_url_is_one_argument(recorder: Recorder) -> None:
    await open_browser(URL, recorder.environ())
    assert (await recorder.seen())["arguments"] == [URL]


async def test_what_a_shell_could_read_is_encoded(recorder: Recorder) -> None:
    await open_browser("https://a.example/$(id)'!;x?y=&z=*", recorder.environ())
    assert (await recorder.seen())["arguments"] == ["https://a.example/%24%28id%29%27%21;x?y=&z=*"]


async def test_the_browser_has_no_stream_of_ours(recorder: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    await open_browser(URL, recorder.environ())
    seen = await recorder.seen()
    assert all(seen["streams"])
    assert set(seen["open"]) <= {0, 1, 2, 3}
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has process groups instead, which the flags ask for")
async def test_the_browser_has_a_session_of_its_own(recorder: Recorder) -> None:
    await open_browser(URL, recorder.environ())
    seen = await recorder.seen()
    assert seen["session"] == seen["pid"]


def test_each_system_sets_the_browser_apart() -> None:
    assert detachment("linux") == detachment("darwin") == {"start_new_session": True}
    assert detachment("win32") == {"creationflags": 0x208}


async def test_the_browser_does_not_get_our_variables(recorder: Recorder) -> None:
    await open_browser(URL, recorder.environ(MCP_BRIDGE_CLIENT_SECRET="hidden", OTHER="kept"))
    environ = (await recorder.seen())["environ"]
    assert environ["OTHER"] == "kept"
    assert not any(name.startswith("MCP_BRIDGE_") for name in environ)


async def test_an_opener_that_fails_is_followed_by_the_next(tmp_path: Path, recorder: Recorder) -> None:
    second = Recorder(tmp_path, "second")
    failing = f'"{sys.executable}" -c "import sys; sys.exit(3)" %s'
    variable = os.pathsep.join(["/no/such/program", failing, recorder.command, second.command])
    await open_browser(URL, recorder.environ(BROWSER=variable))
    await recorder.seen()
    assert not second.file.exists()


async def test_where_each_opener_fails_the_person_is_told(recorder: Recorder) -> None:
    with pytest.raises(BrowserNotOpened, match="BROWSER") as caught:
        await open_browser(URL, recorder.environ(RECORDER_DO="3"))
    assert "hidden" not in str(caught.value)
    assert caught.value.tried == (f"{sys.executable} ended with status 3",)
    assert caught.value.tried[0] in caught.value.message
    assert (await recorder.seen())["arguments"] == [URL]


async def test_a_program_that_cannot_be_run_is_no_crash(recorder: Recorder, programs: Path) -> None:
    broken = programs / ("broken.exe" if os.name == "nt" else "broken")
    broken.write_bytes(b"\x00\x01\x02")
    broken.chmod(0o755)
    with pytest.raises(BrowserNotOpened, match="could not be started"):
        await open_browser(URL, recorder.environ(BROWSER=str(broken)))


def test_a_browser_that_stays_outlives_us(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "MOMENT", 0.05)

    async def play() -> int:
        await open_browser(URL, recorder.environ(RECORDER_DO="stay"))
        pid: int = (await recorder.seen())["pid"]
        return pid

    child = psutil.Process(asyncio.run(play()))  # And with it the loop has ended.
    try:
        assert child.is_running()
    finally:
        child.kill()
    # Once it ends there is nothing left of it, not even a zombie.
    limit = time.monotonic() + stretched(DEADLINE)
    while psutil.pid_exists(child.pid):
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="the others always have a display")
async def test_without_a_display_there_is_none(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_is_wsl", lambda environ: False)
    with pytest.raises(BrowserNotOpened, match="No browser was found") as caught:
        await open_browser(URL, {"PATH": os.environ["PATH"]})
    assert caught.value.tried == ()


async def test_the_opener_that_did_it_is_named(recorder: Recorder) -> None:
    assert await open_browser(URL, recorder.environ()) == sys.executable


@pytest.mark.skipif(sys.platform != "linux", reason="openers of Linux")
class TestLinux:
    """Programs of a Linux desktop, each of which notes that it was started, and with which BROWSER."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(browser, "_is_wsl", lambda environ: False)
        made = tmp_path / "bin"
        made.mkdir()
        return made

    def put(self, folder: Path, name: str, status: int = 0) -> str:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$0 $1 $BROWSER" >> "{folder}/started"\nexit {status}\n', encoding="utf-8")
        program.chmod(0o755)
        return str(program)

    def started(self, folder: Path) -> list[str]:
        file = folder / "started"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    async def test_each_is_tried_until_one_opens_it(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(browser, "MOMENT", DEADLINE)
        first, second = self.put(folder, "xdg-open", 4), self.put(folder, "x-www-browser")
        self.put(folder, "firefox")
        assert await open_browser(URL, {"PATH": str(folder), "DISPLAY": ":0"}) == second
        assert self.started(folder) == [f"{first} {URL} ", f"{second} {URL} "]

    async def test_what_was_tried_is_said(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(browser, "MOMENT", DEADLINE)
        first, second = self.put(folder, "xdg-open", 4), self.put(folder, "firefox", 1)
        with pytest.raises(BrowserNotOpened) as caught:
            await open_browser(
                URL, {"PATH": str(folder), "DISPLAY": ":0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
            )
        assert caught.value.tried == (
            f"{first} ended with status 4",
            f"{second} ended with status 1",
            "the desktop portal could not be called (FileNotFoundError)",
        )
        assert caught.value.message == f"No browser could be opened: {'; '.join(caught.value.tried)}."

    async def test_nothing_is_started_that_would_open_it_in_a_terminal(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(browser, "MOMENT", DEADLINE)
        for name in ("w3m", "www-browser", "sensible-browser"):
            self.put(folder, name)
        # As on Debian: a name that leads to one of them.
        (folder / "x-www-browser").symlink_to(folder / "w3m")
        opener = self.put(folder, "xdg-open", 3)
        with pytest.raises(BrowserNotOpened):
            await open_browser(URL, {"PATH": str(folder), "DISPLAY": ":0", "BROWSER": "w3m"})
        assert len(self.started(folder)) == 1
        assert self.started(folder)[0].startswith(f"{opener} {URL}")
        named = self.started(folder)[0].split()[-1].split(":")
        assert "firefox" in named
        assert not {"w3m", "x-www-browser"} & set(named)

    async def test_xdg_open_is_kept_from_browsers_for_a_terminal_where_there_is_no_other(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(browser, "MOMENT", DEADLINE)
        opener = self.put(folder, "xdg-open")
        self.put(folder, "lynx")
        assert await open_browser(URL, {"PATH": str(folder), "DISPLAY": ":0"}) == opener
        named = self.started(folder)[0].split()[-1].split(":")
        assert {"x-www-browser", "firefox"} <= set(named)
        assert "lynx" not in named

    async def test_over_ssh_the_portal_of_the_far_machine_is_not_asked(self, folder: Path) -> None:
        environ = {"PATH": str(folder), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none", "SSH_TTY": "/dev/pts/0"}
        with pytest.raises(BrowserNotOpened) as caught:
            await open_browser(URL, environ | {"DISPLAY": "localhost:10.0"})
        assert caught.value.tried == ()


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"WSL_DISTRO_NAME": "Debian"}, "linux", True),
        ({"WSL_INTEROP": "/run/x"}, "linux", True),
        ({"WSL_DISTRO_NAME": "Debian"}, "darwin", False),
    ],
)
def test_wsl_is_known_by_its_variables(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], platform: str, expected: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert browser._is_wsl(environ) is expected


@pytest.mark.parametrize(("release", "expected"), [("5.15.90.1-microsoft-standard-WSL2", True), ("6.1.0-13", False)])
def test_wsl_is_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch, release: str, expected: bool) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "read_text", lambda self, **_: release)
    assert browser._is_wsl({}) is expected
