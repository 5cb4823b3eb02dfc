"""What a row of the table of equipment is made of: where a program comes from, how it is started, what it does.

Each piece of equipment listens at one port for each of its *doors*. A door is one way of being configured:

| door | what is behind it |
|---|---|
| `plain` | the origin, over http; nothing is held back |
| `tls` | the same over https, with a certificate of the tests' authority |
| `brief` | as `plain`; closes idle connections soon, and does not say so |
| `announced` | as `brief`, and says so in `Keep-Alive` |
| `small` | as `plain`, with bodies up to 64 kB; a larger one is refused by its announced length |
| `guarded` | as `plain`, for requests with `Authorization`; others are refused before their body is read |
| `packing` | as `plain`; compresses what it answers |
| `holding` | as `plain`; collects an answer before it passes it on |
| `down` | an origin that is not there |
| `slow` | an origin that is given half a second to answer |
| `mutual-1.3`, `mutual-1.2` | as `tls`, for clients with a certificate, by this version of TLS |
| `h2-only` | HTTP/2 and nothing else, over TLS |
| `h2-only-plain` | HTTP/2 and nothing else, without TLS |
| `tls-1.1` | as `tls`, by TLS 1.1 and nothing else |
| `self-signed` | as `tls`, with a certificate that no authority vouches for |
| `proxy` | an HTTP proxy, for everyone |
| `proxy-basic` | an HTTP proxy, for `USER` with `PASSWORD` |
| `proxy-negotiate` | an HTTP proxy, for those who sign in by Negotiate (Kerberos) |
| `socks`, `socks-user` | a SOCKS 5 proxy, for everyone or for `USER` with `PASSWORD` |

Only the standard library is needed here and in `rows/`: the script that installs the equipment reads the rows too, on
whatever Python the machine has.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

USER = "user"
PASSWORD = "s3cret-word"
"""Tinyproxy takes no other characters."""
NAME = "mcp.example.test"
"""A name that is known to the proxies and to no one else; it leads to this machine."""
SMALL_LIMIT = 64 * 1024
"""Bytes that a body may have at the door `small`."""
IDLE = 1.0
"""Seconds after which an idle connection is closed at the doors `brief` and `announced`, where a row says no other."""


@dataclass(frozen=True)
class Debian:
    """Debian packages. The row is run where all `programs` are found, however they got there."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]


@dataclass(frozen=True)
class PyPi:
    """Packages from PyPI, `name==version`, in an environment of their own."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class TestEnvironment:
    """Nothing to install: it is in the environment that the tests run in."""

    __test__ = False
    """pytest takes a class of such a name for tests."""


@dataclass(frozen=True)
class NodeModules:
    """An npm program that the tests have anyway (`tests/counterparts`); `entry` is a file of it."""

    entry: str


@dataclass(frozen=True)
class Site:
    """What one run of a piece of equipment has."""

    folder: Path
    """An empty folder, which it may write to."""
    ports: Mapping[str, int]
    """The port of each door."""
    origin: int
    """The port of the origin on 127.0.0.1, for equipment that passes requests on."""
    origin_tls: int
    """The same over https."""
    closed: int
    """A port that nothing listens at."""
    certificates: Path
    """A folder with those of the tests' authority; see `certificates`."""
    installed: Path
    """The environment it was installed into."""
    node: Path
    node_modules: Path
    address: str = "127.0.0.1"
    """Where it listens. Another in a network of its own (`far`) only; it is on 127.0.0.1 there too."""

    def write(self, name: str, text: str) -> Path:
        """Write one of its files."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def certificate(self, name: str) -> Path:
        """The file of this name in `certificates`."""
        return self.certificates / name

    def python(self) -> str:
        """The interpreter of the environment that it was installed into."""
        where = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        return str(self.installed.joinpath(*where))

    def names(self, name: str) -> dict[str, str]:
        """Variables with which a program of this system takes a name for this machine's (nss_wrapper)."""
        hosts = self.write("hosts", f"127.0.0.1 {name}\n127.0.0.1 localhost\n")
        return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(hosts)}

    def as_json(self) -> Path:
        """Write the site for a program of `programs/`, and return the file."""
        told = {
            "address": self.address,
            "ports": dict(self.ports),
            "ran": str(self.folder / "ran.txt"),
            "certificate": str(self.certificate("server.pem")),
            "key": str(self.certificate("server.key")),
        }
        return self.write("site.json", json.dumps(told))


@dataclass(frozen=True)
class Command:
    """One program, in the foreground."""

    arguments: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Equipment:
    """One piece of equipment."""

    name: str
    source: Debian | PyPi | TestEnvironment | NodeModules
    doors: tuple[str, ...]
    start: Callable[[Site], list[Command]]
    """Write the configuration, and return the commands to run."""
    version: Callable[[Site], list[str]]
    """The command that says which version it is."""
    serves: bool = False
    """Whether it answers itself, by a program of `programs/`, and does not pass requests on."""
    idle: Mapping[str, float] = field(default_factory=dict)
    """Seconds after which it closes an idle connection at a door; only those that do so within 6 s."""
    quick: bool = False
    """Whether the plain test command runs it too."""


def found(program: str) -> str:
    """The path of a program; Debian keeps servers out of an ordinary user's PATH. Empty where it is not there."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin") or ""
