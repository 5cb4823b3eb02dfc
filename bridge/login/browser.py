"""Opens the authorization URL in the person's browser: no shell, no inherited stream, nothing but a web page.

The URL comes from a server that may be hostile (CVE-2025-6514): only https, or http on this machine, and only the
characters of RFC 3986. It begins with its scheme, so no program takes it for an option.

| where | what is tried, in order |
|---|---|
| `BROWSER` is set | its commands, read as Python's `webbrowser` reads them, and nothing else |
| macOS | `open`, then `open` in the user's login session (`launchctl asuser`): a daemon is outside it |
| Windows | `rundll32 url.dll,FileProtocolHandler` |
| WSL | `wslview`, Windows' `rundll32`, then as Linux |
| Linux and others, with a display | `xdg-open`, `gio open`, `sensible-browser`, `x-www-browser`, known browsers |
| there, with a session bus, and not over SSH | after those, the desktop's portal |

Browsers that run in a terminal are never started, for there is none: they would print the page to nowhere, and look as
if they had opened it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
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

from bridge.login.portal import NAME as PORTAL
from bridge.login.portal import ask_portal
from bridge.login.surroundings import is_over_ssh
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
# What xdg-open (xdg-utils 1.1.3) falls back to: with a display the first, and then the second, which need a terminal.
_GRAPHICAL = (
    "x-www-browser", "firefox", "iceweasel", "seamonkey", "mozilla", "epiphany", "konqueror", "chromium",
    "chromium-browser", "google-chrome",
)  # fmt: skip
_TEXT_BROWSERS = frozenset({
    "www-browser", "links2", "elinks", "links", "lynx", "w3m", "browsh", "carbonyl", "edbrowse", "retawq", "netrik",
})  # fmt: skip
_DETACHED_PROCESS = 0x00000008
_CREATE_NEW_PROCESS_GROUP = 0x00000200


class BrowserNotOpened(SignInError):
    """No browser could be started; the person has to open the URL.

    `tried` says what was, and how it ended: `/usr/bin/xdg-open ended with status 3`. Empty where there was nothing.
    """

    def __init__(self, message: str, *, hint: str, tried: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.tried = tried


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
        hint="The authorization_endpoint in the server's metadata is wrong; tell the server's operator.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def open_browser(url: str, environ: Mapping[str, str], on_start: Callable[[str], None] = lambda _: None) -> str:
    """Open `url`, with the first opener that starts and does not fail within `MOMENT` seconds; return which it was.

    `environ` says which there are (`BROWSER`, `PATH`, the display, the session's bus) and is what the browser gets,
    without our own variables. `on_start` is told each opener before it is tried. Raises `SignInError` as
    `check_openable` does, `BrowserNotOpened` where there is no opener or each one failed.
    """
    check_openable(url)
    tried: list[str] = []
    for command in commands(url, environ, sys.platform, on_wsl=_is_wsl(environ), user=_user()):
        on_start(command[0])
        if not (problem := await _start(command, environ)):
            return command[0]
        tried.append(f"{command[0]} {problem}")
    if names_browser(environ, sys.platform):
        how = _listed(tried) if tried else "it names no program that can be found"
        raise BrowserNotOpened(
            f"The browser that the variable BROWSER names could not be started: {how}.",
            hint="Open the link yourself, or correct BROWSER.",
            tried=tuple(tried),
        )
    if address := _portal_bus(environ, sys.platform):
        on_start(PORTAL)
        if not (problem := await _through_portal(url, address, may_start=has_display(environ))):
            return PORTAL
        tried.append(f"{PORTAL} {problem}")
    raise BrowserNotOpened(
        f"No browser could be opened: {_listed(tried)}." if tried else "There is no browser to start here.",
        hint="Open the link in a browser on this machine.",
        tried=tuple(tried),
    )


def _listed(tried: list[str]) -> str:
    return "; ".join(tried)


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a display is named that a browser can be shown on (not meant for macOS and Windows)."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _portal_bus(environ: Mapping[str, str], platform: str) -> str:
    """The bus on which the portal is asked; "" where it is not: its browser is on the screen of this machine."""
    if platform in {"darwin", "win32"} or is_over_ssh(environ):
        return ""
    return environ.get("DBUS_SESSION_BUS_ADDRESS", "")


def _user() -> int | None:
    return getattr(os, "getuid", lambda: None)()


def commands(
    url: str, environ: Mapping[str, str], platform: str, *, on_wsl: bool, user: int | None = None
) -> Iterator[list[str]]:
    """Yield the argument lists to try for an openable `url` on a `platform` (as `sys.platform`); see the table.

    `user` is the number of the user where users have one.
    """
    url = url.translate(_SHELL_WORDS)
    path = environ.get("PATH")
    if names_browser(environ, platform):
        yield from _named_by_variable(url, environ["BROWSER"], path, platform)
    elif platform == "win32":
        # By its full name: Windows looks in the working folder first.
        system = PureWindowsPath(environ.get("SystemRoot") or environ.get("SYSTEMROOT") or r"C:\Windows")
        yield [str(system / "System32" / "rundll32.exe"), "url.dll,FileProtocolHandler", url]
    elif platform == "darwin":
        yield ["/usr/bin/open", url]
        if user is not None:
            # launchctl(1), asuser: in the bootstrap context of that user, which has the desktop.
            yield ["/bin/launchctl", "asuser", str(user), "/usr/bin/open", url]
    else:
        if on_wsl:
            viewer = shutil.which("wslview", path=path)
            if viewer:
                yield [viewer, url]
            yield [_RUNDLL_ON_WSL, "url.dll,FileProtocolHandler", url]
        if has_display(environ):
            may_fall = _may_fall_to_text(environ)
            for program, *arguments in _OPENERS:
                found = shutil.which(program, path=path)
                if found and not _is_for_terminal(found) and not (may_fall and program == "sensible-browser"):
                    yield [found, *arguments, url]


def names_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Whether `BROWSER` is set, and names more than browsers that need a terminal."""
    entries = [entry for entry in _entries(environ.get("BROWSER", ""), platform) if entry]
    return any(not words or not _is_text_browser(words[0]) for words in (_words(one, platform) for one in entries))


def _is_text_browser(program: str) -> bool:
    return re.split(r"[/\\]", program)[-1].lower().removesuffix(".exe") in _TEXT_BROWSERS


def _is_for_terminal(program: str) -> bool:
    """Whether a name such as `x-www-browser` leads to a browser that needs a terminal."""
    return _is_text_browser(os.path.realpath(program))


def _named_by_variable(url: str, variable: str, path: str | None, platform: str) -> Iterator[list[str]]:
    """`a %s:b` is two commands; `%s` is the URL, else it comes last; a final `&` says that the program stays."""
    for entry in _entries(variable, platform):
        if not entry:
            continue
        # Without arguments it may be a program whose own name has spaces.
        words = [entry] if "%s" not in entry and shutil.which(entry, path=path) else _words(entry, platform)
        if words and words[-1] == "&":
            words.pop()
        program = shutil.which(words[0], path=path) if words else None
        # Windows hands a batch file to its shell, which would read the URL's & and %.
        is_batch = platform == "win32" and program is not None and program.lower().endswith((".bat", ".cmd"))
        if program and not is_batch and not _is_text_browser(program):
            arguments = words[1:] if "%s" in entry else [*words[1:], "%s"]
            yield [program, *(word.replace("%s", url) for word in arguments)]


def _entries(variable: str, platform: str) -> list[str]:
    return [entry.strip() for entry in variable.split(";" if platform == "win32" else ":")]


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


async def _start(command: list[str], environ: Mapping[str, str]) -> str:
    """Start the program; return "" where it starts and does not fail within a moment, else what it did."""
    given = {name: value for name, value in environ.items() if not name.startswith("MCP_BRIDGE_")}  # Maybe secrets.
    if not names_browser(environ, sys.platform):
        given.pop("BROWSER", None)  # It names nothing but browsers for a terminal, and openers would obey it.
        if Path(command[0]).name == "xdg-open" and _may_fall_to_text(environ):
            given["BROWSER"] = ":".join(name for name in _GRAPHICAL if not _found(name, environ))
    try:
        async with asyncio.timeout(MOMENT):
            return await _in_thread(lambda tell: _run(command, given, tell))
    except TimeoutError:
        return ""


def _may_fall_to_text(environ: Mapping[str, str]) -> bool:
    """Whether xdg-open would come to a browser for a terminal: there is one, and no other that it looks for."""
    is_graphical = [not _is_for_terminal(found) for name in _GRAPHICAL if (found := _found(name, environ))]
    return not any(is_graphical) and any(_found(name, environ) for name in _TEXT_BROWSERS)


def _found(program: str, environ: Mapping[str, str]) -> str:
    return shutil.which(program, path=environ.get("PATH")) or ""


async def _through_portal(url: str, address: str, *, may_start: bool) -> str:
    """As `_start`, through the desktop's portal."""
    url = url.translate(_SHELL_WORDS)
    return await _in_thread(lambda tell: ask_portal(url, address, MOMENT, tell, may_start=may_start))


async def _in_thread(work: Callable[[Callable[[str], None]], None]) -> str:
    """What `work`, on a thread of its own, tells first."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[str] = loop.create_future()

    def settle(problem: str) -> None:
        if not outcome.done():
            outcome.set_result(problem)

    def tell(problem: str) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is interested any more.
            loop.call_soon_threadsafe(settle, problem)

    # A daemon thread, not asyncio's subprocesses: those kill the browser when the loop ends.
    threading.Thread(target=work, args=(tell,), name="browser", daemon=True).start()
    return await outcome


def _run(command: list[str], environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Start the program and wait for it, however long it stays, so that it leaves no zombie."""
    try:
        child = subprocess.Popen(  # noqa: S603 - an argument list; the URL is checked
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            env=dict(environ),
            **detachment(sys.platform),
        )
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else type(problem).__name__
        tell(f"could not be started ({why})")
        return
    status = child.wait()
    tell("" if status == 0 else f"ended with status {status}")
