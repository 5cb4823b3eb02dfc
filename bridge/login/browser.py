"""Opens the authorization URL in the user's browser: without a shell or inherited streams, and only web pages.

The URL comes from a server that may be hostile (CVE-2025-6514). It must be https, or http on this machine, and may have
only the characters of RFC 3986. It begins with its scheme, so no program reads it as an option.

`openers` is the table of programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.config import child_environment
from bridge.login.browser_available import is_over_ssh
from bridge.login.openers import ARGUMENT, commands, environment, has_display, names_browser, passed
from bridge.login.portal import NAME as PORTAL
from bridge.login.portal import ask_portal
from bridge.loopback import is_loopback
from bridge.oauth.errors import SignInError
from bridge.protocol.sanitize import quoted

MOMENT = 1.0
"""How long an opener is watched, in seconds. If it still runs then, it has opened the browser or is the browser."""

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986 2, and nothing else.
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_DETACHED_PROCESS = 0x00000008
_CREATE_NEW_PROCESS_GROUP = 0x00000200


class BrowserNotOpened(SignInError):
    """No browser could be started, so the user has to open the URL.

    `tried` lists the programs and how each ended: `/usr/bin/xdg-open ended with status 3`. It is empty if there was
    nothing to try.
    """

    def __init__(self, message: str, *, hint: str, tried: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.tried = tried


def check_openable(url: str) -> None:
    """Raise `SignInError` unless `url` is a well-formed https URL, or an http URL with a loopback host.

    The message shows only the scheme and the host, because the rest may hold `state`.
    """
    if not _URL.fullmatch(url):
        raise _refusal("it has characters that are not allowed in a URL (RFC 3986 2)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refusal("its host or port is malformed") from None
    if parts.scheme not in {"https", "http"} or not url.lower().startswith(f"{parts.scheme}://"):
        raise _refusal(f"its scheme is {quoted(parts.scheme, 20)}, but only https is opened")
    if "@" in parts.netloc:
        raise _refusal("it has a user name before its host")
    if not host or port == 0 or not _HOST.fullmatch(f"[{host}]" if ":" in host else host):
        raise _refusal("it has no usable host")
    if parts.scheme == "http" and not is_loopback(host):
        raise _refusal(f"it leads to {quoted(host, 100)} over http, which is not protected; https is required")


def _refusal(why: str) -> SignInError:
    return SignInError(
        f"The authorization server's sign-in page was not opened: {why}.",
        hint="The authorization_endpoint in the server's metadata is wrong; tell the server's operator.",
    )


async def open_browser(
    url: str,
    environ: Mapping[str, str],
    on_start: Callable[[str], None] = lambda _: None,
    shorten: Callable[[str], str] | None = None,
) -> str:
    """Open `url` with the first opener that starts and does not fail within `MOMENT` seconds; return its name.

    `environ` determines the openers (`BROWSER`, `PATH`, the display, the session bus), and the browser gets it without
    our own variables. `on_start` is called with each opener before it is tried. `shorten` returns an address that leads
    to `url`, for openers that do not accept a URL of its length. Raises `SignInError` as `check_openable` does, and
    `BrowserNotOpened` if there is no opener or all of them failed.
    """
    check_openable(url)
    tried: list[str] = []
    for command in commands(url, environ, sys.platform, on_wsl=_is_wsl(environ), user=_user(), shorten=shorten):
        on_start(command[0])
        if not (problem := await _start(command, environ)):
            return command[0]
        tried.append(f"{command[0]} {problem}")
    if names_browser(environ, sys.platform):
        how = _listed(tried) if tried else "no such program was found"
        raise BrowserNotOpened(
            f"The browser named by the environment variable BROWSER could not be started: {how}.",
            hint="Open the link yourself, or correct BROWSER.",
            tried=tuple(tried),
        )
    if address := _portal_bus(environ, sys.platform):
        on_start(PORTAL)
        shown = passed(url, ARGUMENT, shorten)
        if not (problem := await _through_portal(shown, address, may_start=has_display(environ))):
            return PORTAL
        tried.append(f"{PORTAL} {problem}")
    raise BrowserNotOpened(
        f"No browser could be opened: {_listed(tried)}." if tried else "No browser was found on this machine.",
        hint="Open the link in a browser on this machine.",
        tried=tuple(tried),
    )


def _listed(tried: list[str]) -> str:
    return "; ".join(tried)


def _portal_bus(environ: Mapping[str, str], platform: str) -> str:
    """The bus of the portal; "" if it must not be called, because its browser opens on this machine's screen."""
    if platform in {"darwin", "win32"} or is_over_ssh(environ):
        return ""
    return environ.get("DBUS_SESSION_BUS_ADDRESS", "")


def _user() -> int | None:
    return getattr(os, "getuid", lambda: None)()


def _is_wsl(environ: Mapping[str, str]) -> bool:
    if sys.platform != "linux":
        return False
    if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
        return True
    with contextlib.suppress(OSError):
        return "microsoft" in Path("/proc/sys/kernel/osrelease").read_text(encoding="ascii", errors="replace").lower()
    return False


def detachment(platform: str) -> dict[str, Any]:
    """Return the arguments of `Popen` that detach a child, so that neither Ctrl-C nor our exit ends it."""
    if platform == "win32":
        return {"creationflags": _DETACHED_PROCESS | _CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


async def _start(command: list[str], environ: Mapping[str, str]) -> str:
    """Start the program; return "" if it starts and does not fail within `MOMENT`, else what it did."""
    given = environment(command, child_environment(environ), sys.platform)
    try:
        async with asyncio.timeout(MOMENT):
            return await _in_thread(lambda tell: _run(command, given, tell))
    except TimeoutError:
        return ""


async def _through_portal(url: str, address: str, *, may_start: bool) -> str:
    """Do the same through the desktop portal."""
    return await _in_thread(lambda tell: ask_portal(url, address, MOMENT, tell, may_start=may_start))


async def _in_thread(work: Callable[[Callable[[str], None]], None]) -> str:
    """Run `work` on a thread of its own; return the first thing that it tells."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[str] = loop.create_future()

    def settle(problem: str) -> None:
        if not outcome.done():
            outcome.set_result(problem)

    def tell(problem: str) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            loop.call_soon_threadsafe(settle, problem)

    # A daemon thread, not asyncio's subprocesses: those kill the browser when the loop ends.
    threading.Thread(target=work, args=(tell,), name="browser", daemon=True).start()
    return await outcome


def _run(command: list[str], environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Start the program and wait until it ends, so that it leaves no zombie."""
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
