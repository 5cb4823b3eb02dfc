"""The programs that open a page in the user's browser on each system, in the order in which they are tried.

| where | program | how the URL is passed | longest |
|---|---|---|---|
| `BROWSER` is set | its commands, as Python's `webbrowser` reads them, and nothing else | an argument | `ARGUMENT` |
| macOS | `open` (open(1)) | an argument | `ARGUMENT` |
| macOS, a daemon | the same in the user's login session: `launchctl asuser` (launchctl(1)) | an argument | `ARGUMENT` |
| Windows | `rundll32 url.dll,FileProtocolHandler` | ShellExecute | `SHELL_EXECUTE` |
| WSL | `wslview` (wslu), Windows' `rundll32`, then as Linux | ShellExecute | `SHELL_EXECUTE` |
| Linux and others, with a display | `xdg-open` (xdg-utils), `gio open` (GLib) | an argument | `ARGUMENT` |
| the same, after those | Debian's `sensible-browser`, `x-www-browser`; known browsers | an argument | `ARGUMENT` |
| there, with a session bus, and not over SSH | the desktop's portal (`portal`) | a D-Bus message | `ARGUMENT` |

A longer URL is opened through a short address that redirects to it (`short_address`).

ShellExecute copies the URL into a buffer of INTERNET_MAX_URL_LENGTH, 2,083 characters (Microsoft, KB 263909), and the
command line that it makes for the browser, with the browser's path and options, has to fit as well (Raymond Chen, "What
is the command line length limit?", The Old New Thing, 10 December 2003). In practice a URL of 2,081 characters passes
(electron#9987), and `rundll32` cuts a longer one (gravitational/teleport#2150).

Browsers that run in a terminal are never started, because there is no terminal. They would seem to have opened the
page, but the user would not see it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath

SHELL_EXECUTE = 1_800
"""The longest URL for ShellExecute, in characters: room is left for the browser's path (MAX_PATH, 260) and options."""
ARGUMENT = 30_000
"""The longest URL as an argument, in characters. CreateProcess takes a line of 32,767, execve(2) of Linux 131,072."""

# Characters that are legal in a URL but that a shell would read: some openers are shell scripts (wslview, xdg-open).
_SHELL_WORDS = str.maketrans({character: f"%{ord(character):02X}" for character in "$'()!"})
_RUNDLL_ON_WSL = "/mnt/c/Windows/System32/rundll32.exe"
_OPENERS = (
    ("xdg-open",), ("gio", "open"), ("sensible-browser",), ("x-www-browser",),
    ("firefox",), ("chromium",), ("google-chrome",),
)  # fmt: skip
# What xdg-open (xdg-utils 1.1.3) falls back to: with a display the first list, then the second, which needs a terminal.
_GRAPHICAL = (
    "x-www-browser", "firefox", "iceweasel", "seamonkey", "mozilla", "epiphany", "konqueror", "chromium",
    "chromium-browser", "google-chrome",
)  # fmt: skip
_TEXT_BROWSERS = frozenset({
    "www-browser", "links2", "elinks", "links", "lynx", "w3m", "browsh", "carbonyl", "edbrowse", "retawq", "netrik",
})  # fmt: skip


def commands(
    url: str,
    environ: Mapping[str, str],
    platform: str,
    *,
    on_wsl: bool,
    user: int | None = None,
    shorten: Callable[[str], str] | None = None,
) -> Iterator[list[str]]:
    """Yield the argument lists to try for an openable `url` on a `platform` (as `sys.platform`), by the table above.

    `user` is the user's number on systems that have one. `shorten` is called for each program that does not accept the
    whole URL; it returns an address that redirects there.
    """
    path = environ.get("PATH")
    if names_browser(environ, platform):
        address = passed(url, ARGUMENT, shorten)
        yield from _named_by_variable(address, environ["BROWSER"], path, platform)
    elif platform == "win32":
        # By its full path, because Windows searches the working folder first.
        system = PureWindowsPath(environ.get("SystemRoot") or environ.get("SYSTEMROOT") or r"C:\Windows")
        rundll = str(system / "System32" / "rundll32.exe")
        yield [rundll, "url.dll,FileProtocolHandler", passed(url, SHELL_EXECUTE, shorten)]
    elif platform == "darwin":
        yield ["/usr/bin/open", passed(url, ARGUMENT, shorten)]
        if user is not None:
            # launchctl(1), asuser: runs it in the bootstrap context of the user, which has the desktop.
            yield ["/bin/launchctl", "asuser", str(user), "/usr/bin/open", passed(url, ARGUMENT, shorten)]
    else:
        if on_wsl:
            viewer = shutil.which("wslview", path=path)
            if viewer:
                yield [viewer, passed(url, SHELL_EXECUTE, shorten)]
            yield [_RUNDLL_ON_WSL, "url.dll,FileProtocolHandler", passed(url, SHELL_EXECUTE, shorten)]
        if has_display(environ):
            may_fall = _may_fall_to_text(environ)
            for program, *arguments in _OPENERS:
                found = shutil.which(program, path=path)
                if found and not _is_for_terminal(found) and not (may_fall and program == "sensible-browser"):
                    yield [found, *arguments, passed(url, ARGUMENT, shorten)]


def passed(url: str, longest: int, shorten: Callable[[str], str] | None) -> str:
    """Return the form of `url` for an opener: without characters that a shell reads, at most `longest` characters."""
    whole = url.translate(_SHELL_WORDS)
    return whole if len(whole) <= longest or shorten is None else shorten(url)


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a display for a browser (not used on macOS and Windows)."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def environment(command: list[str], environ: Mapping[str, str], platform: str) -> dict[str, str]:
    """Return the environment for `command`, one of `commands`: without a `BROWSER` that needs a terminal."""
    given = dict(environ)
    if not names_browser(environ, platform):
        given.pop("BROWSER", None)  # It names only browsers for a terminal, and openers would start one.
        if Path(command[0]).name == "xdg-open" and _may_fall_to_text(environ):
            given["BROWSER"] = ":".join(name for name in _GRAPHICAL if not _found(name, environ))
    return given


def names_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Whether `BROWSER` is set and names a browser that needs no terminal."""
    entries = [entry for entry in _entries(environ.get("BROWSER", ""), platform) if entry]
    return any(not words or not _is_text_browser(words[0]) for words in (_words(one, platform) for one in entries))


def _is_text_browser(program: str) -> bool:
    return re.split(r"[/\\]", program)[-1].lower().removesuffix(".exe") in _TEXT_BROWSERS


def _is_for_terminal(program: str) -> bool:
    """Whether a program such as `x-www-browser` is a link to a browser that needs a terminal."""
    return _is_text_browser(os.path.realpath(program))


def _named_by_variable(url: str, variable: str, path: str | None, platform: str) -> Iterator[list[str]]:
    """`a %s:b` is two commands. `%s` is replaced by the URL, which otherwise comes last. A final `&` is ignored."""
    for entry in _entries(variable, platform):
        if not entry:
            continue
        # Without arguments it may be a program whose name has spaces.
        words = [entry] if "%s" not in entry and shutil.which(entry, path=path) else _words(entry, platform)
        if words and words[-1] == "&":
            words.pop()
        program = shutil.which(words[0], path=path) if words else None
        # Windows runs a batch file in a shell, which would read & and % in the URL.
        is_batch = platform == "win32" and program is not None and program.lower().endswith((".bat", ".cmd"))
        if program and not is_batch and not _is_text_browser(program):
            arguments = words[1:] if "%s" in entry else [*words[1:], "%s"]
            yield [program, *(word.replace("%s", url) for word in arguments)]


def _entries(variable: str, platform: str) -> list[str]:
    return [entry.strip() for entry in variable.split(";" if platform == "win32" else ":")]


def _words(entry: str, platform: str) -> list[str]:
    try:
        if platform == "win32":  # A backslash is part of a path on Windows.
            return [word.strip('"') for word in shlex.split(entry, posix=False)]
        return shlex.split(entry)
    except ValueError:  # A quote without an end.
        return []


def _may_fall_to_text(environ: Mapping[str, str]) -> bool:
    """Whether xdg-open would start a browser for a terminal: there is one, and no other that it looks for."""
    is_graphical = [not _is_for_terminal(found) for name in _GRAPHICAL if (found := _found(name, environ))]
    return not any(is_graphical) and any(_found(name, environ) for name in _TEXT_BROWSERS)


def _found(program: str, environ: Mapping[str, str]) -> str:
    return shutil.which(program, path=environ.get("PATH")) or ""
