"""Which programs open a page in the user's browser on each system, in the order in which they are tried.

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

A URL that is longer than that is opened by a short address which leads to it (`short_address`).

ShellExecute copies the URL into a buffer of INTERNET_MAX_URL_LENGTH, 2,083 characters (Microsoft, KB 263909), and the
command line that it makes for the browser, with the browser's path and options, has to fit as well (Raymond Chen, "What
is the command line length limit?", The Old New Thing, 10 December 2003). Of a URL alone 2,081 characters were seen to
pass (electron#9987), and `rundll32` to cut what is longer (gravitational/teleport#2150).

Browsers that run in a terminal are never started, for there is none: they would print the page to nowhere, and look as
if they had opened it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath

SHELL_EXECUTE = 1_800
"""The longest URL for ShellExecute, in characters: the browser's path (MAX_PATH, 260) and options come beside it."""
ARGUMENT = 30_000
"""The longest URL as an argument, in characters. CreateProcess takes a line of 32,767, execve(2) of Linux 131,072."""

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


def commands(
    url: str,
    environ: Mapping[str, str],
    platform: str,
    *,
    on_wsl: bool,
    user: int | None = None,
    shorten: Callable[[str], str] | None = None,
) -> Iterator[list[str]]:
    """Yield the argument lists to try for an openable `url` on a `platform` (as `sys.platform`); see the table.

    `user` is the number of the user where users have one. `shorten` is asked, for each program that would not take the
    whole URL, for an address that leads there.
    """
    path = environ.get("PATH")
    if names_browser(environ, platform):
        address = passed(url, ARGUMENT, shorten)
        yield from _named_by_variable(address, environ["BROWSER"], path, platform)
    elif platform == "win32":
        # By its full name: Windows looks in the working folder first.
        system = PureWindowsPath(environ.get("SystemRoot") or environ.get("SYSTEMROOT") or r"C:\Windows")
        rundll = str(system / "System32" / "rundll32.exe")
        yield [rundll, "url.dll,FileProtocolHandler", passed(url, SHELL_EXECUTE, shorten)]
    elif platform == "darwin":
        yield ["/usr/bin/open", passed(url, ARGUMENT, shorten)]
        if user is not None:
            # launchctl(1), asuser: in the bootstrap context of that user, which has the desktop.
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
    """Return what an opener is given for `url`: without what a shell could read, and not longer than `longest`."""
    whole = url.translate(_SHELL_WORDS)
    return whole if len(whole) <= longest or shorten is None else shorten(url)


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a display is named that a browser can be shown on (not meant for macOS and Windows)."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def environment(command: list[str], environ: Mapping[str, str], platform: str) -> dict[str, str]:
    """Return what `command`, one of `commands`, gets of `environ`: no `BROWSER` that leads to one for a terminal."""
    given = dict(environ)
    if not names_browser(environ, platform):
        given.pop("BROWSER", None)  # It names nothing but browsers for a terminal, and openers would obey it.
        if Path(command[0]).name == "xdg-open" and _may_fall_to_text(environ):
            given["BROWSER"] = ":".join(name for name in _GRAPHICAL if not _found(name, environ))
    return given


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


def _may_fall_to_text(environ: Mapping[str, str]) -> bool:
    """Whether xdg-open would come to a browser for a terminal: there is one, and no other that it looks for."""
    is_graphical = [not _is_for_terminal(found) for name in _GRAPHICAL if (found := _found(name, environ))]
    return not any(is_graphical) and any(_found(name, environ) for name in _TEXT_BROWSERS)


def _found(program: str, environ: Mapping[str, str]) -> str:
    return shutil.which(program, path=environ.get("PATH")) or ""
