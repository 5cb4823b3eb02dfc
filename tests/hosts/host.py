"""What a row of the table of hosts is made of: where the host comes from, how it is started, what is known of it.

Only the standard library is needed here and in `rows/`: the script that installs the hosts reads the rows too, on
whatever Python the machine has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Speaks = Literal["anthropic", "openai-chat", "openai-responses", "gemini"]
"""The model API that a host uses."""

Lists = Literal["same turn", "next turn", "never", "not seen"]
"""When a host asks for the tools again after `notifications/tools/list_changed`."""

Shows = Literal["output", "log", "nowhere"]
"""Where a host shows the sentence of an error that a server answers its first message with."""

CALL_PATIENCE = 4
"""The seconds that a tool's call may take, where the user sets it."""

SERVER = "example"
"""The name of the bridge's entry in each host's configuration."""

PROMPT = "Use the tool echo to say hello."
"""What the user asks in the turn."""


@dataclass(frozen=True)
class Npm:
    """Packages from npm, `name@version`; what they depend on is taken as it was on the day of `BEFORE`."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class PyPi:
    """Packages from PyPI, `name==version`. Of what they depend on, the newest is taken unless it is named too."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class TestEnvironment:
    """Nothing to install: the host is in the environment that the tests run in."""

    __test__ = False
    """pytest takes a class of such a name for tests."""


@dataclass(frozen=True)
class Entry:
    """The local server that the host is told to start."""

    command: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The shape most hosts share: `command`, `args`, and `env` where there is one."""
        own: dict[str, object] = {"command": self.command, "args": list(self.arguments)}
        return own | ({"env": dict(self.variables)} if self.variables else {})


@dataclass(frozen=True)
class Setting:
    """What one run of a host has: its programs, a home folder, a folder to work in, a server and a model."""

    installed: Path
    """The folder the host was installed into."""
    node: Path
    home: Path
    folder: Path
    """The project the user is in, empty at first."""
    entry: Entry
    model: str
    """The base URL of the stand-in for the model, without a path."""
    call_patience: int | None = None
    """The seconds that the user lets a tool's call take; None: what the host has by itself."""
    others: Mapping[str, Entry] = field(default_factory=dict)
    """More local servers by their names, for hosts that are told of several."""

    @property
    def entries(self) -> dict[str, Entry]:
        """All local servers, by their names in the host's configuration."""
        return {SERVER: self.entry, **self.others}

    def servers(self) -> dict[str, dict[str, object]]:
        """All local servers in the shape most hosts share."""
        return {name: entry.as_json() for name, entry in self.entries.items()}

    def timed_servers(self) -> dict[str, dict[str, object]]:
        """The same for hosts that take a `timeout` for calls, in milliseconds."""
        timeout = {} if self.call_patience is None else {"timeout": self.call_patience * 1000}
        return {name: entry | timeout for name, entry in self.servers().items()}

    def npm(self, package: str, program: str) -> list[str]:
        """The command of an npm package's JavaScript file, by its path inside the package."""
        return [str(self.node), str(self.installed / "node_modules" / package / program)]

    def program(self, pattern: str) -> str:
        """The one file of an npm package for this platform, by a pattern below `node_modules`.

        Hosts that are no JavaScript come as one package a platform. Raises `FileNotFoundError`.
        """
        found = sorted((self.installed / "node_modules").glob(pattern))
        if not found:
            raise FileNotFoundError(f"no {pattern} below {self.installed / 'node_modules'}")
        return str(found[0])

    def python(self) -> str:
        """The interpreter of the environment that the host was installed into."""
        where = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        return str(self.installed.joinpath(*where))

    def write(self, path: Path, text: str) -> Path:
        """Write one of the host's files, with the folders it is in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@dataclass(frozen=True)
class Start:
    """One command that starts the host."""

    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    """On top of the private HOME and what a desktop session has."""
    stdin: str | None = None


@dataclass(frozen=True)
class Host:
    """One host. What is measured of it is checked each time it runs."""

    name: str
    source: Npm | PyPi | TestEnvironment
    start: Callable[[Setting], Start]
    """Write the host's configuration and return the command that connects, and has one turn where `speaks` says so."""
    opens_with: str
    """The revision in its first message."""
    client: str
    """`clientInfo.name`."""
    patience: float | None
    """Seconds it waits for the answer to its first message; None where it waits longer than is measured."""
    passes_desktop: bool
    """Whether the server it starts sees the variables of the desktop, such as DISPLAY."""
    lists_again: Lists
    shows: Shows
    lists_again_modern: Lists | None = None
    """`lists_again` with a server of 2026-07-28, which tells only those who listen; None where it does not speak it."""
    restarts_on_progress: bool | None = None
    """Whether progress restarts the time that the user lets a call take; None where that cannot be set."""
    silence: int = CALL_PATIENCE + 5
    """The seconds of a call that is longer than it is let take."""
    reads_one_page: tuple[str, ...] = ()
    """The lists of which it reads the first page only, by the methods that ask for them."""
    speaks: Speaks | None = None
    """The model API of its turn; None where the host only connects, lists the tools and calls one or none."""
    calls: bool = True
    """Whether it calls a tool at all; one that only lists is done when the tools are shown."""
    connected: str = r"(?!)"
    """What it prints of a server it is connected to, as a pattern, where it does not ask for the tools."""
    failed: str = r"(?!)"
    """What it prints of a server that failed, as a pattern, where it does not show the error itself."""
    misread: str = r"(?!)"
    """What it prints where it took an answer for something else, as a pattern."""
    logs: tuple[str, ...] = ()
    """Files in which it tells what went wrong, as patterns below HOME."""
    quick: bool = False
    """Whether the plain test command runs it too."""
    servers_at_once: int = 0
    """How many local servers a run may have, to look at what it shows of each; 0 where that would take too long."""
    shows_tools: bool = True
    """Whether a run shows which tools it has, in a request to the model or on its output."""
    limit: float = 100.0
    """Seconds a whole run may take."""
    installs_as: str = ""
    """The folder it is installed into, where it shares one with another row."""
    notes: str = ""
    """What a reader has to know, in a sentence."""

    @property
    def environment(self) -> str:
        """The folder below `.work/hosts` it is installed into."""
        return self.installs_as or self.name
