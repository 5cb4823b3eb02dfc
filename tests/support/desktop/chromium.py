"""A real browser: Debian's Chromium, headless, with a profile of its own, driven over a pipe (DevTools protocol).

`scripts/desktop` says when it is installed. The variable CHROMIUM names another one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scripts import desktop
from tests.support.waits import stretched

DEADLINE = 60.0
"""How long a step may take, in seconds: a first start on a busy machine is slow."""

# The protocol's pipe is what the browser has as descriptors 3 and 4.
_WITH_PIPE = "import os, sys; os.dup2(int(sys.argv[1]), 63); os.dup2(int(sys.argv[2]), 4); os.dup2(63, 3); \
os.set_inheritable(3, True); os.set_inheritable(4, True); os.close(63); os.execv(sys.argv[3], sys.argv[3:])"
_DUMP = """#!{python}
import subprocess, sys
with open({file!r} + ".new", "wb") as file:
    code = subprocess.run([*{words!r}, "--dump-dom", sys.argv[1]], stdout=file, timeout={deadline}).returncode
import os; os.replace({file!r} + ".new", {file!r})
sys.exit(code)
"""


def find_chromium() -> str | None:
    """The browser's path, if there is one that can be driven here."""
    if os.name == "nt":  # The pipe is made of POSIX descriptors.
        return None
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else desktop.CHROMIUM.found()


def arguments(program: str, profile: Path) -> list[str]:
    """How to start it: unseen, unknown to its maker, and without a name for anything but this machine."""
    words = [
        *(program, "--headless=new", f"--user-data-dir={profile}", "--no-first-run", "--no-default-browser-check"),
        *("--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--hide-scrollbars"),
        *("--disable-background-networking", "--disable-component-update", "--disable-domain-reliability"),
        *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1", "--mute-audio"),
    ]
    if os.name != "nt" and os.geteuid() == 0:
        words.append("--no-sandbox")  # It refuses to start as root otherwise.
    return words


def dumping_browser(program: str, folder: Path) -> tuple[str, Path]:
    """A value for BROWSER: it shows the URL in Chromium; the page it comes to is written to the file."""
    file, script = folder / "page.html", folder / "browser.py"
    words = arguments(program, folder / "profile")
    script.write_text(
        _DUMP.format(python=sys.executable, file=str(file), words=words, deadline=DEADLINE), encoding="utf-8"
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} %s", file


class Tab:
    """One tab: where it went, what it asked for, what it complained about."""

    def __init__(self, chromium: Chromium, session: str) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.loaded = asyncio.Event()
        self._chromium = chromium
        self._session = session

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self._chromium.call(method, self._session, **parameters)

    async def visit(self, url: str) -> None:
        """Go there, and wherever it leads, until a page has been loaded."""
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(stretched(DEADLINE)):
            await self.loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """The value of a script's expression on the page."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def text(self) -> str:
        """What a person reads."""
        return str(await self.evaluate("document.body.innerText"))

    async def screenshot(self, width: int, height: int, *, scheme: str = "light") -> bytes:
        """A PNG of the page, in a window of that many pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    def hear(self, event: str, told: dict[str, Any]) -> None:
        """Take note of one event of this tab."""
        if event == "Page.loadEventFired":
            self.loaded.set()
        elif event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif event in {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded"}:
            self.complaints.append(f"{event}: {json.dumps(told)[:1000]}")


class Chromium:
    """A running browser. Made by `launch`."""

    def __init__(self, reader: asyncio.StreamReader, commands: int) -> None:
        self._commands = commands
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._reading = asyncio.create_task(self._read(reader))

    async def tab(self) -> Tab:
        """Open a tab and listen to all it does."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        session = attached["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Network", "Runtime", "Log", "Audits"):
            await tab.call(f"{domain}.enable")
        tab.complaints.clear()
        return tab

    async def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        coming = self._answers[number] = asyncio.get_running_loop().create_future()
        os.write(self._commands, json.dumps(message).encode() + b"\0")  # Far less than a pipe holds.
        async with asyncio.timeout(stretched(DEADLINE)):
            answer = await coming
        assert "error" not in answer, f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await reader.readuntil(b"\0"))[:-1])
                if "id" in message:
                    if (answer := self._answers.pop(message["id"], None)) and not answer.done():
                        answer.set_result(message)
                elif tab := self._tabs.get(message.get("sessionId", "")):
                    tab.hear(message["method"], message["params"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("Chromium has ended"))

    async def stop(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@contextlib.asynccontextmanager
async def launch(program: str, profile: Path) -> AsyncIterator[Chromium]:
    """Start Chromium; it is killed at the end, with all its children."""
    from_us, commands = os.pipe()
    events, to_us = os.pipe()
    process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [
            *(sys.executable, "-c", _WITH_PIPE, str(from_us), str(to_us)),
            *(*arguments(program, profile), "--remote-debugging-pipe"),
        ],
        pass_fds=(from_us, to_us),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(profile), "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
    )
    os.close(from_us)
    os.close(to_us)
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(events, "rb", 0)
    )
    chromium = Chromium(reader, commands)
    try:
        yield chromium
    finally:
        await chromium.stop()
        transport.close()
        os.close(commands)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait, stretched(DEADLINE))
