"""Finds the user's desktop: the environment variables that lead to a browser and to the keyring.

Many hosts start their child processes with only a few variables, without `DISPLAY` and without the session's bus. When
a browser has to be opened or the keyring is needed, the missing variables are looked for in this order:

| source | what is taken |
|---|---|
| the own environment | every variable, even an empty one: none is ever overridden |
| ancestors of this process with the same user, nearest first | the variables in `_RULES` that pass their rule |
| the user's systemd manager, unless a display is known or this is an SSH session | the same, but no SSH variables |
| the usual places | `/run/user/<uid>`, its `bus`, WSL's newest socket |

The search ends at the nearest process that has a display or belongs to an SSH session. So no browser opens on the
screen of a machine on which the user works remotely.

Of another process, only the variables in `_RULES` are kept, and only their names are logged.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bridge.config import child_environment
from bridge.host.ancestors import Ancestor, ancestors
from bridge.host.session_bus import bus_address, bus_in, runtime_folder, wayland_display, x_display

MANAGER_SECONDS = 2.0
"""How many seconds the user's systemd manager may take to answer."""

_LONGEST = 32 * 1024
_LONGEST_COMMAND = 4096
_MANAGER = "the user's systemd manager"
_USUAL = "the usual place"
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_SSH = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_BUS, _RUNTIME = "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"
_WSL_SOCKETS = Path("/run/WSL")


@dataclass(frozen=True, slots=True)
class Desktop:
    """Variables that the own environment lacks. `origins` says where each was found, for the log, without values."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Such as `DISPLAY and XAUTHORITY taken from process 123 (codex)`."""
        return "; ".join(self.origins)


class System(Protocol):
    """What the search needs from the system; `ThisSystem` implements it."""

    platform: str
    """As `sys.platform`."""
    user: int
    """The user id; without meaning on Windows."""

    def ancestors(self) -> Iterable[Ancestor]:
        """The ancestors of this process with the same user, nearest first."""

    def manager(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The environment of the user's systemd manager; empty without one."""

    def runtime(self) -> str:
        """The user's runtime folder at its usual place; empty without one."""

    def wsl_socket(self) -> str:
        """The newest socket with which WSL starts Windows programs; empty elsewhere."""


class ThisSystem:
    """The real system."""

    def __init__(self) -> None:
        self.platform = sys.platform
        self.user: int = getattr(os, "geteuid", lambda: -1)()

    def ancestors(self) -> Iterator[Ancestor]:
        """See `System`."""
        return ancestors(_RULES, self.platform)

    def manager(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """See `System`. Starts a process, which takes some hundredths of a second."""
        program = shutil.which("systemctl", path=environ.get("PATH"))
        if program is None:
            return {}
        try:
            done = subprocess.run(  # noqa: S603 - an argument list
                [program, "--user", "show-environment"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(environ),
                timeout=MANAGER_SECONDS,
                check=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError):
            return {}
        return read_environment(os.fsdecode(done.stdout))

    def runtime(self) -> str:
        """See `System`."""
        return runtime_folder(f"/run/user/{self.user}", self.user)

    def wsl_socket(self) -> str:
        """See `System`."""
        with contextlib.suppress(OSError):
            found = [(path.stat().st_mtime, str(path)) for path in _WSL_SOCKETS.glob("*_interop") if path.is_socket()]
            return max(found)[1] if found else ""
        return ""


def find_desktop(environ: Mapping[str, str], system: System | None = None) -> Desktop:
    """Find the variables that a browser needs and `environ` lacks. Takes tenths of a second, or `MANAGER_SECONDS`."""
    search = _Search(environ, system or ThisSystem())
    search.ask_ancestors()
    if search.system.platform == "linux" and not search.is_off and not search.has(*_DISPLAYS, *_SSH):
        search.ask_manager()
    search.look_at_usual_places()
    return search.found()


def find_session(environ: Mapping[str, str], system: System | None = None) -> Desktop:
    """Find the variables that the keyring needs and `environ` lacks: the session's bus, and the kind of desktop.

    Quick. There is nothing to find on macOS and Windows, whose keyrings need no variable.
    """
    search = _Search(environ, system or ThisSystem())
    if search.system.platform in {"darwin", "win32"} or search.has_all(_BUS, "XDG_CURRENT_DESKTOP"):
        return Desktop()
    search.ask_ancestors()
    search.look_at_usual_places()
    return search.found((_BUS, _RUNTIME, "XDG_CURRENT_DESKTOP"))


class _Search:
    """One search: the own `environ`, the variables taken so far, and where they were found."""

    def __init__(self, environ: Mapping[str, str], system: System) -> None:
        self.system = system
        self._own = environ
        self._taken: dict[str, tuple[str, str]] = {}
        self.is_off = any(name in environ for name in _DISPLAYS) and not any(environ.get(name) for name in _DISPLAYS)
        """Whether the user wants no display to be used: `DISPLAY` is set, and empty."""

    def has(self, *names: str) -> bool:
        """Whether any of these variables is known and not empty."""
        return any(self._value(name) for name in names)

    def has_all(self, *names: str) -> bool:
        """Whether all of these variables are in the own environment, even if they are empty."""
        return all(name in self._own for name in names)

    def ask_ancestors(self) -> None:
        """Take variables of the ancestors, up to the first that has a display or belongs to an SSH session."""
        for one in self.system.ancestors():
            taken = self._take(one.environ, f"process {one.pid} ({one.name})")
            if any(one.environ.get(name) for name in _SSH):
                return
            if any(name in taken or one.environ.get(name) == self._value(name) != "" for name in _DISPLAYS):
                return

    def ask_manager(self) -> None:
        """Take variables of the user's systemd manager: it knows the desktop where the user is logged in."""
        environ = dict(self._own) | {name: value for name, (value, _) in self._taken.items()}
        if not environ.get(_RUNTIME) and (runtime := self.system.runtime()):
            environ[_RUNTIME] = runtime
        given = self.system.manager(environ)
        self._take({name: value for name, value in given.items() if name not in _SSH}, _MANAGER)

    def look_at_usual_places(self) -> None:
        """Take what is at the same place on every system that has it."""
        system = self.system
        if system.platform in {"darwin", "win32"}:
            return
        if _RUNTIME not in self._own and not self.has(_RUNTIME) and (runtime := system.runtime()):
            self._taken[_RUNTIME] = (runtime, _USUAL)
        runtime = self._value(_RUNTIME)
        if _BUS not in self._own and not self.has(_BUS) and runtime and (bus := bus_in(runtime, system.user)):
            self._taken[_BUS] = (bus, _USUAL)
        if "WSL_INTEROP" not in self._own and not self.has("WSL_INTEROP") and (wsl := system.wsl_socket()):
            self._taken["WSL_INTEROP"] = (wsl, _USUAL)

    def found(self, names: Iterable[str] | None = None) -> Desktop:
        """The variables that were taken; only those in `names`, if it is given."""
        kept = {name: self._taken[name] for name in (names or self._taken) if name in self._taken}
        by_origin: dict[str, list[str]] = {}
        for name, (_, origin) in kept.items():
            by_origin.setdefault(origin, []).append(name)
        origins = tuple(f"{_listed(group)} taken from {origin}" for origin, group in by_origin.items())
        return Desktop({name: value for name, (value, _) in kept.items()}, origins)

    def _value(self, name: str) -> str:
        return self._own.get(name) or self._taken.get(name, ("", ""))[0]

    def _take(self, given: Mapping[str, str], origin: str) -> set[str]:
        """Take the variables that are missing and pass their rule; return their names."""
        own = self._own
        taken: set[str] = set()
        # The host, or the user in its configuration, chose another display: that process belongs to a different one.
        is_elsewhere = any(own.get(name) and given.get(name) not in {None, own[name]} for name in _DISPLAYS)
        for name, rule in _RULES.items():
            value = given.get(name, "")
            if not value or name in own or name in self._taken:
                continue
            if (len(value) > _LONGEST or not value.isprintable()) and name not in _SSH:
                continue
            if (is_elsewhere and name in _WITH_DISPLAY) or (self.is_off and name in _DISPLAYS):
                continue
            if name == _BUS and own.get(_RUNTIME) and given.get(_RUNTIME, own[_RUNTIME]) != own[_RUNTIME]:
                continue  # It belongs to another session.
            if name == "XAUTHORITY" and given.get("DISPLAY") != self._value("DISPLAY"):
                continue  # It is the key for the display of that process.
            good = ""
            with contextlib.suppress(OSError, ValueError):
                good = rule(value, self)
            if good:
                self._taken[name] = (good, origin)
                taken.add(name)
        return taken

    # -- the rules: each returns the value or the good part of it, "" if nothing is good; it may raise OSError

    def runtime(self, value: str) -> str:
        """A folder of this user that others cannot open."""
        return runtime_folder(value, self.system.user)

    def bus(self, value: str) -> str:
        """The address of a bus of this user."""
        return bus_address(value, self.system.user)

    def wayland(self, value: str) -> str:
        """A socket in the runtime folder."""
        return wayland_display(value, self._value(_RUNTIME), self.system.user)

    def key_file(self, value: str) -> str:
        """A file of this user."""
        found = os.stat(value)  # noqa: PTH116 - a string that has to stay one
        is_own = stat.S_ISREG(found.st_mode) and found.st_uid == self.system.user
        return value if is_own and Path(value).is_absolute() else ""

    def folders(self, value: str) -> str:
        """The folders of a list that exist and are absolute paths: an empty one would mean the working folder."""
        mark = ";" if self.system.platform == "win32" else ":"
        return mark.join(one for one in value.split(mark) if Path(one).is_absolute() and os.path.isdir(one))  # noqa: PTH112

    def wsl_interop(self, value: str) -> str:
        """WSL's socket, at its usual place."""
        return value if re.fullmatch(r"/run/WSL/[0-9]{1,10}_interop", value) and Path(value).is_socket() else ""


_Rule = Callable[[str, _Search], str]


def _like(pattern: str) -> _Rule:
    """A rule: the whole value must match."""
    return lambda value, _: value if re.fullmatch(pattern, value) else ""


_WORD = _like(r"[A-Za-z0-9:;_. /-]{1,200}")


def _mark(value: str, _: _Search) -> str:
    """A rule: any value is good, for only its presence counts. An odd value is replaced."""
    return value if re.fullmatch(r"[A-Za-z0-9:%_. /-]{1,200}", value) else "yes"


# Every variable that may be taken. The runtime folder comes before its contents, a display before its key.
_RULES: Mapping[str, _Rule] = {
    _RUNTIME: lambda value, search: search.runtime(value),
    _BUS: lambda value, search: search.bus(value),
    "DISPLAY": lambda value, _: x_display(value),
    "WAYLAND_DISPLAY": lambda value, search: search.wayland(value),
    "XAUTHORITY": lambda value, search: search.key_file(value),
    "PATH": lambda value, search: search.folders(value),
    # A command line, which `login.browser` treats like the user's own.
    "BROWSER": lambda value, _: value if len(value) <= _LONGEST_COMMAND else "",
    # The kind of desktop, and where its programs are described: `xdg-open` and `gio` choose the browser by these, and
    # the package keyring prefers KDE's wallet by the first.
    "XDG_CURRENT_DESKTOP": _WORD,
    "XDG_SESSION_TYPE": _WORD,
    "DESKTOP_SESSION": _WORD,
    "KDE_FULL_SESSION": _WORD,
    "KDE_SESSION_VERSION": _WORD,
    "XDG_DATA_DIRS": lambda value, search: search.folders(value),
    "XDG_CONFIG_DIRS": lambda value, search: search.folders(value),
    # Whether the user works remotely, or in a container.
    **dict.fromkeys(_SSH, _mark),
    **dict.fromkeys(("container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "DEVCONTAINER"), _WORD),
    "WSL_DISTRO_NAME": _WORD,
    "WSL_INTEROP": lambda value, search: search.wsl_interop(value),
}
_WITH_DISPLAY = frozenset({*_DISPLAYS, *_SSH, "XAUTHORITY"})


def read_environment(text: str) -> dict[str, str]:
    """Parse the output of `systemctl show-environment`: lines `NAME=value`, or `NAME=$'value'` if it needs quotes.

    A value with escape sequences is skipped.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if value.startswith("$'") and value.endswith("'"):
            value = value[2:-1]
            if "\\" in value:
                continue
        if equals and name in _RULES:
            found[name] = value
    return found


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
