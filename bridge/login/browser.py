"""Opens the authorization URL in the person's browser: no shell, no inherited stream, nothing but a web page.

The URL comes from a server that may be hostile (CVE-2025-6514): only https, or http on this machine, and only the
characters of RFC 3986. It begins with its scheme, so no program takes it for an option.

| where | what is tried, in order |
|---|---|
| `BROWSER` is set | its commands, read as Python's `webbrowser` reads them, and nothing else |
| macOS | `open` |
| Windows | `rundll32 url.dll,FileProtocolHandler` |
| WSL | `wslview`, Windows' `rundll32`, then as Linux where there is a display |
| Linux and others, with a display | `xdg-open`, `gio open`, `sensible-browser`, `x-www-browser`, known browsers |
| without a display | nothing: the person opens the URL elsewhere |
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from bridge.oauth.errors import SignInError

MOMENT = 1.0
"""How long an opener is watched, in seconds. One that runs on by then has opened, or is, the browser."""

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986 2, and nothing else.
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Legal in a URL, never needed bare, and read by the shells that some openers are made of (wslview, xdg-open).
_SHELL_WORDS = str.maketrans({character: f"%{ord(character):02X}" for character in "$'()!"})
_RUNDLL_ON_WSL = "/mnt/c/Windows/System32/rundll32.exe"
_OPENERS = (
    ("xdg-open",), ("gio", "open"), ("sensible-browser",), ("x-www-browser",),
    ("firefox",), ("chromium",), ("google-chrome",),
)  # fmt: skip
_DETACHED_PROCESS = 0x00000008
_CREATE_NEW_PROCESS_GROUP = 0x00000200


class BrowserNotOpened(SignInError):
    """No browser could be started; the person has to open the URL."""


def check_openable(url: str) -> None:
    """Raise `SignInError` unless `url` is https with a host, or http with a loopback host, and nothing odd is in it.

    The message shows the scheme and the host at most: the rest may hold `state`.
    """
    if not _URL.fullmatch(url):
        raise _refusal("it has characters that no URL may have (RFC 3986 2)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refusal("its host or port is malformed") from None
    if parts.scheme not in {"https", "http"} or not url.lower().startswith(f"{parts.scheme}://"):
        raise _refusal(f"its scheme is {parts.scheme[:20]!r}, and only https is opened")
    if "@" in parts.netloc:
        raise _refusal("it has a user name before its host")
    if not host or port == 0 or not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
        raise _refusal("it names no host")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _refusal(f"it would go to {host[:100]!r} over http, unprotected; https is needed")


def _refusal(why: str) -> SignInError:
    return SignInError(
        f"The authorization server's sign-in page is not opened: {why}.",
        hint="The authorization_endpoint in the server's metadata is to blame: tell whoever runs the server.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def open_browser(url: str, environ: Mapping[str, str]) -> None:
    """Open `url`, with the first opener that starts and does not fail within `MOMENT` seconds.

    `environ` says which (`BROWSER`, `PATH`, the display) and is what the browser gets, without our own variables.
    Raises `SignInError` as `check_openable` does, `BrowserNotOpened` where there is no opener or each one failed.
    """
    check_openable(url)
    tried = False
    for command in commands(url, environ, sys.platform, on_wsl=_is_wsl(environ)):
        tried = True
        if await _start(command, environ):
            return
    if environ.get("BROWSER"):
        raise BrowserNotOpened(
            "The browser that the variable BROWSER names could not be started.",
            hint="Open the URL that was written to stderr yourself, or correct BROWSER.",
        )
    raise BrowserNotOpened(
        "The browser could not be started." if tried else "There is no browser to start here.",
        hint="Open the URL that was written to stderr in a browser on this machine.",
    )


def commands(url: str, environ: Mapping[str, str], platform: str, *, on_wsl: bool) -> Iterator[list[str]]:
    """Yield the argument lists to try for an openable `url` on a `platform` (as `sys.platform`); see the table."""
    url = url.translate(_SHELL_WORDS)
    path = environ.get("PATH")
    if environ.get("BROWSER"):
        yield from _named_by_variable(url, environ["BROWSER"], path, platform)
    elif platform == "win32":
        # By its full name: Windows looks in the working folder first.
        system = PureWindowsPath(environ.get("SystemRoot") or environ.get("SYSTEMROOT") or r"C:\Windows")
        yield [str(system / "System32" / "rundll32.exe"), "url.dll,FileProtocolHandler", url]
    elif platform == "darwin":
        yield ["/usr/bin/open", url]
    else:
        if on_wsl:
            viewer = shutil.which("wslview", path=path)
            if viewer:
                yield [viewer, url]
            yield [_RUNDLL_ON_WSL, "url.dll,FileProtocolHandler", url]
        if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
            for program, *arguments in _OPENERS:
                found = shutil.which(program, path=path)
                if found:
                    yield [found, *arguments, url]


def _named_by_variable(url: str, variable: str, path: str | None, platform: str) -> Iterator[list[str]]:
    """`a %s:b` is two commands; `%s` is the URL, else it comes last; a final `&` says that the program stays."""
    for entry in variable.split(";" if platform == "win32" else ":"):
        entry = entry.strip()
        if not entry:
            continue
        # Without arguments it may be a program whose own name has spaces.
        words = [entry] if "%s" not in entry and shutil.which(entry, path=path) else _words(entry, platform)
        if words and words[-1] == "&":
            words.pop()
        program = shutil.which(words[0], path=path) if words else None
        # Windows hands a batch file to its shell, which would read the URL's & and %.
        if program and not (platform == "win32" and program.lower().endswith((".bat", ".cmd"))):
            arguments = words[1:] if "%s" in entry else [*words[1:], "%s"]
            yield [program, *(word.replace("%s", url) for word in arguments)]


def _words(entry: str, platform: str) -> list[str]:
    try:
        if platform == "win32":  # A backslash is part of a path there.
            return [word.strip('"') for word in shlex.split(entry, posix=False)]
        return shlex.split(entry)
    except ValueError:  # A quote that does not end.
        return []


def _is_wsl(environ: Mapping[str, str]) -> bool:
    if sys.platform != "linux":
        return False
    if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
        return True
    with contextlib.suppress(OSError):
        return "microsoft" in Path("/proc/sys/kernel/osrelease").read_text(encoding="ascii", errors="replace").lower()
    return False


def detachment(platform: str) -> dict[str, Any]:
    """Return the arguments of `Popen` that set a child apart: a Ctrl-C or our end is not the browser's."""
    if platform == "win32":
        return {"creationflags": _DETACHED_PROCESS | _CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


async def _start(command: list[str], environ: Mapping[str, str]) -> bool:
    """Whether the program started and did not fail within a moment."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[bool] = loop.create_future()

    def settle(good: bool) -> None:
        if not outcome.done():
            outcome.set_result(good)

    def tell(good: bool) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is interested any more.
            loop.call_soon_threadsafe(settle, good)

    # A daemon thread, not asyncio's subprocesses: those kill the browser when the loop ends.
    threading.Thread(target=_run, args=(command, environ, tell), name="browser", daemon=True).start()
    try:
        async with asyncio.timeout(MOMENT):
            return await outcome
    except TimeoutError:
        return True


def _run(command: list[str], environ: Mapping[str, str], tell: Callable[[bool], None]) -> None:
    """Start the program and wait for it, however long it stays, so that it leaves no zombie."""
    try:
        child = subprocess.Popen(  # noqa: S603 - an argument list; the URL is checked
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            # Ours may hold a client secret.
            env={name: value for name, value in environ.items() if not name.startswith("MCP_BRIDGE_")},
            **detachment(sys.platform),
        )
    except (OSError, ValueError):
        tell(False)
        return
    tell(child.wait() == 0)
