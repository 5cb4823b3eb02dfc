"""A person with a home folder, a browser and nothing else: what stays from one run of the bridge to the next."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urljoin, urlsplit

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.support.process.fork_server import browser_variables
from tests.support.revisions import Wire
from tests.support.servers.fault_http import DEADLINE
from tests.support.waits import stretched

Browser = Literal["follow", "record", "fail"]

_SCRIPT = Path(__file__).with_name("browser_program.py")


@dataclass(frozen=True)
class Page:
    """What a browser ends at. `status` 0 stands for a page that could not be had."""

    url: str
    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()


class Person:
    """`home` holds all that the bridge may write; `browser` says what the browser does with a URL."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.browser: Browser = "follow"
        self.trusts: Path | None = None
        """Certificates that the browser trusts."""
        self._record = folder / "browser.jsonl"

    def environment(self) -> dict[str, str]:
        """What the bridge's environment holds on top of the usual.

        The host waits for a sign-in with the bridge, and nothing keeps a second tab back: a test that is about either
        says otherwise.
        """
        home = str(self.home)
        own = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), home)
        own |= {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        own |= browser_variables("user-browser", _SCRIPT)
        own["LOGIN_BROWSER_FILE"] = str(self._record)
        own["LOGIN_BROWSER_DO"] = self.browser
        own |= {"MCP_BRIDGE_ANSWER_WITHIN": "0", "MCP_BRIDGE_TAB_PAUSE": "0"}
        if self.trusts:
            own["LOGIN_BROWSER_CA"] = str(self.trusts)
        return own

    def launch(
        self,
        url: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        patience: float | None = None,
        wire: Wire | None = None,
        own_session: bool = False,
        as_program: bool = False,
    ) -> AbstractAsyncContextManager[BridgeProcess]:
        """Run the bridge among this person's files and with this person's browser."""
        own = self.environment() | dict(env or {})
        how = {"own_session": own_session, "as_program": as_program}
        return launch(url, *arguments, env=own, patience=patience, wire=wire, **how)

    @property
    def opened(self) -> list[str]:
        """The URLs that were opened in a browser so far: its tabs."""
        return [record["opened"] for record in self._records() if "opened" in record]

    @property
    def browsers(self) -> list[tuple[dict[str, str], int]]:
        """What each browser had as its environment, and which process started it."""
        return [(record["environ"], record["parent"]) for record in self._records() if "opened" in record]

    @property
    def pages(self) -> list[Page]:
        """The pages the browser ended at so far."""
        return [Page(r["url"], r["status"], r["text"]) for r in self._records() if "url" in r]

    @property
    def warned(self) -> list[Page]:
        """The pages with something to know that stood before the sign-in's so far."""
        return [Page(r["warned"], 200, r["text"]) for r in self._records() if "warned" in r]

    async def until_opened(self, count: int = 1, deadline: float = DEADLINE) -> str:
        """Wait for tab number `count` and return its URL."""
        await until(lambda: len(self.opened) >= count, f"{count} browser tabs", deadline)
        return self.opened[count - 1]

    async def until_page(self, count: int = 1, deadline: float = DEADLINE) -> Page:
        """Wait for the browser to end at page number `count`."""
        await until(lambda: len(self.pages) >= count, f"{count} pages in the browser", deadline)
        return self.pages[count - 1]

    def files(self) -> list[Path]:
        """Every file below the home folder."""
        return [path for path in self.home.rglob("*") if path.is_file()]

    def check_files(self, secrets: dict[str, str]) -> None:
        """No secret is in a file that others can read, and none in a file's name."""
        for path in self.files():
            try:
                content = path.read_bytes().decode("latin-1")
            except FileNotFoundError:  # A file that is replaced has another name until then.
                continue
            held = {kind for secret, kind in secrets.items() if secret in content}
            assert not any(secret in path.name for secret in secrets), f"a secret in the name of {path}"
            if held and os.name == "posix":
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode & 0o077 == 0, f"{path} holds {held} and has mode {mode:o}"

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = self._record.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]


async def until(condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Wait for what no one rings a bell for, such as a file; raises AssertionError naming `what`."""
    end = time.monotonic() + stretched(deadline)
    while not condition():
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        await asyncio.sleep(0.02)


def asked(url: str) -> dict[str, str]:
    """The parameters of an authorization URL; each must be there once."""
    parameters = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in parameters.values()), f"a parameter came twice: {url}"
    return {name: values[0] for name, values in parameters.items()}


async def visit(url: str, redirects: int = 5) -> Page:
    """Be the browser by hand: get `url` and what it redirects to."""
    page = await fetch(url)
    for _ in range(redirects):
        location = next((value for name, value in page.headers if name == "location"), None)
        if location is None or page.status not in (301, 302, 303, 307, 308):
            break
        page = await fetch(urljoin(page.url, location))
    return page


async def fetch(url: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b"") -> Page:
    """One request, without redirects. `headers` may put another `Host` in the place of the right one."""
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    own = {"Host": parts.netloc, "User-Agent": "Mozilla/5.0 (by hand)", "Connection": "close"} | (headers or {})
    if body:
        own["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    async with asyncio.timeout(stretched(DEADLINE)):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            await writer.drain()
            answer = await _read_answer(reader)
        except OSError:
            return Page(url, 0, "")
        finally:
            writer.close()
    first, _, rest = answer.partition(b"\r\n\r\n")
    lines = first.decode("latin-1").split("\r\n")
    if len(lines[0].split(" ")) < 2:
        return Page(url, 0, "")
    named = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return Page(url, int(lines[0].split(" ")[1]), rest.decode("utf-8", "replace"), tuple(named))


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    """All that comes: a server that keeps the connection in spite of `close` has said the length."""
    answer = b""
    while data := await reader.read(1 << 16):
        answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:") and len(body) >= int(line.partition(b":")[2]):
                return answer
    return answer
