"""The columns: what is measured, in which version, and how each is launched."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.host import Driver, StdioDriver
from scripts.benchmark.messages import LEGACY, ColumnError, Tongue
from scripts.benchmark.sockets import SocketsDriver
from scripts.counterparts import counterparts
from scripts.environment import Environment, SetupError, environment

BRIDGE, FLOOR, SOCKETS, RELAY = "bridge", "floor", "sockets", "relay"
MCP_REMOTE, MCP_STDIO = "mcp-remote", "mcp-stdio"
NAMES = (BRIDGE, FLOOR, SOCKETS, RELAY, MCP_REMOTE, MCP_STDIO)
PEERS = (MCP_REMOTE, MCP_STDIO)

HTTPCORE_VERSION = "1.0.9"
TRUSTME_VERSION = "1.2.1"
MCP_REMOTE_VERSION = "0.15.1"
MCP_STDIO_VERSION = "0.45.2"

# What a launched program sees of this machine: no proxies, no settings, a home of its own.
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Column:
    """One thing to measure. `missing` says why it cannot be, if it cannot."""

    name: str
    command: tuple[str, ...] = ()
    after_url: tuple[str, ...] = ()
    missing: str = ""

    def driver(self, url: str, home: Path, patience: float) -> Driver:
        """Return a driver that has done nothing yet; raises `ColumnError` if there is none."""
        if self.missing:
            raise ColumnError(self.missing)
        if self.name == FLOOR:
            from scripts.benchmark.floor import FloorDriver

            return FloorDriver(url, patience)
        if self.name == SOCKETS:
            return SocketsDriver(url, patience)
        return self.launcher(url, home, patience)

    def launcher(
        self, url: str, home: Path, patience: float, tongue: Tongue = LEGACY, authority: Path | None = None
    ) -> StdioDriver:
        """Return the driver of a column that is a process of its own; raises `ColumnError` if there is none.

        Only these have hosts of both eras. With `authority`, a PEM file, it trusts that and no other.
        """
        if self.missing:
            raise ColumnError(self.missing)
        if not self.command:
            raise ColumnError("has no process of its own")
        variables = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        variables |= {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "MCP_REMOTE_CONFIG_DIR": str(home / "mcp-remote"),
        }
        if authority is not None:
            # What OpenSSL and all Python programs go by; Node trusts it besides its own.
            variables |= {"SSL_CERT_FILE": str(authority), "NODE_EXTRA_CA_CERTS": str(authority)}
        command = [*self.command, url, *self.after_url]
        return StdioDriver(command, variables, home / f"{self.name}.stderr", patience, tongue)


def column(name: str, command: str | None = None) -> Column:
    """Return a column by its name, launched with `command`, the URL added, or else with what is installed."""
    if name in (FLOOR, SOCKETS, RELAY):
        return Column(name, _relay_command() if name == RELAY else ())
    after_url = ("--allow-http", "--transport", "http-only") if name == MCP_REMOTE else ()
    if command is not None:
        return Column(name, tuple(shlex.split(command)), after_url)
    try:
        return Column(name, tuple(_INSTALLED[name]()), after_url)
    except (SetupError, OSError) as error:
        # Another column may well be there, so this stops nothing; what went wrong can be long.
        print(f"{name} cannot be measured: {error}\n", file=sys.stderr, flush=True)
        return Column(name, missing="not installed, see above")


def bench_environment() -> Environment:
    """Return the environment the bridge is installed in, for the bench to run under.

    With the floor's HTTP client, and with what makes the certificate of a server that speaks TLS.
    """
    requirements = [f"httpcore[asyncio]=={HTTPCORE_VERSION}", f"trustme=={TRUSTME_VERSION}"]
    return environment("bench", requirements=requirements)


def _relay_command() -> tuple[str, ...]:
    return (sys.executable, "-I", str(Path(__file__).with_name("relay.py")))


def _bridge() -> Sequence[str]:
    return [str(bench_environment().program("mcp-remote-bridge"))]


def _mcp_stdio() -> Sequence[str]:
    made = environment("mcp-stdio", requirements=[f"mcp-stdio=={MCP_STDIO_VERSION}"], project=False)
    return [str(made.program("mcp-stdio"))]


def _mcp_remote() -> Sequence[str]:
    # Node itself, not npx: npx would add its own second to every start.
    found = counterparts(environment("test", extras=["test"]))
    return [str(found.node), str(found.node_modules / "mcp-remote" / "dist" / "proxy.js")]


_INSTALLED: dict[str, Callable[[], Sequence[str]]] = {
    BRIDGE: _bridge,
    MCP_STDIO: _mcp_stdio,
    MCP_REMOTE: _mcp_remote,
}
