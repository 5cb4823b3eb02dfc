"""Hosts of either era before a bridge, and a home in which the bridge keeps what it found out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support.process.bridge_process import CLIENT_INFO, BridgeProcess, Line, launch
from tests.support.revisions import MODERN, Wire
from tests.support.servers.fault_era import LEGACY, SUBSCRIPTION, VERSION
from tests.support.servers.fault_http import DEADLINE

ELICITS: dict[str, Any] = {"elicitation": {"form": {}}}


def at_home(home: Path | None) -> dict[str, str]:
    """What makes `home` the user's folder for every bridge that is given this; None: each has one of its own."""
    if home is None:
        return {}
    paths = {name: str(home) for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")}
    return paths | {"XDG_CACHE_HOME": str(home / "cache")}


def verdicts(home: Path) -> list[str]:
    """What is kept of servers' eras in `home`, as texts."""
    return sorted(path.read_text().split(" ", 3)[3].strip() for path in home.rglob("eras/server-*") if path.is_file())


class ModernHost:
    """A host that says in each request what it is (MCP 2026-07-28); `bridge` is the process."""

    def __init__(self, bridge: BridgeProcess, capabilities: dict[str, Any]) -> None:
        self.bridge = bridge
        self.capabilities = capabilities

    async def ask(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        id: object = None,  # noqa: A002
        meta: dict[str, Any] | None = None,
    ) -> Any:
        """Send a request with its `_meta`, to which `meta` adds; returns its id without waiting for the answer."""
        stamp = {
            VERSION: MODERN,
            "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        }
        return await self.bridge.ask(method, {**(params or {}), "_meta": stamp | (meta or {})}, id=id)

    async def request(self, method: str, params: dict[str, Any] | None = None, **more: Any) -> Line:
        """Send a request and wait for its answer."""
        deadline = more.pop("deadline", DEADLINE)
        return await self.bridge.answer(await self.ask(method, params, **more), deadline)

    async def call(self, tool: str, **arguments: object) -> Line:
        """Call a tool and wait for its answer."""
        return await self.request("tools/call", {"name": tool, "arguments": arguments})

    async def begin(self, tool: str, *, meta: dict[str, Any] | None = None, **arguments: object) -> Any:
        """Call a tool; returns the request's id."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments}, meta=meta)

    async def cancel(self, id: object) -> None:  # noqa: A002
        """Cancel a request."""
        await self.bridge.notify("notifications/cancelled", {"requestId": id, "reason": "no more"})

    async def listen(self, id: object = None, **wanted: object) -> Any:  # noqa: A002
        """Subscribe, and wait for the acknowledgment; returns the subscription's id."""
        subscription = await self.ask("subscriptions/listen", {"notifications": wanted}, id=id)
        acknowledged = await self.told("notifications/subscriptions/acknowledged")
        assert acknowledged["_meta"][SUBSCRIPTION] == subscription
        return subscription

    async def told(self, method: str) -> Any:
        """Wait for the next notification of the method; returns its params."""
        return (await self.bridge.receive(method)).value["params"]


@contextlib.asynccontextmanager
async def modern_host(
    url: str,
    *arguments: str,
    home: Path | None = None,
    capabilities: dict[str, Any] | None = None,
    patience: float | None = None,
    env: dict[str, str] | None = None,
) -> AsyncIterator[ModernHost]:
    """A modern host before a bridge; all that passes between them is checked."""
    extra = at_home(home) | (env or {})
    async with launch(url, *arguments, env=extra, patience=patience, wire=Wire(MODERN)) as bridge:
        yield ModernHost(bridge, capabilities or {})


@contextlib.asynccontextmanager
async def legacy_host(
    url: str,
    *arguments: str,
    home: Path | None = None,
    capabilities: dict[str, Any] | None = None,
    patience: float | None = None,
    opens: bool = True,
) -> AsyncIterator[BridgeProcess]:
    """A host with sessions before a bridge, its handshake done; all that passes between them is checked."""
    async with launch(url, *arguments, env=at_home(home), patience=patience, wire=Wire(LEGACY)) as bridge:
        if opens:
            await handshake(bridge, capabilities)
        yield bridge


async def handshake(
    host: BridgeProcess, capabilities: dict[str, Any] | None = None, version: str = LEGACY, deadline: float = DEADLINE
) -> Any:
    """Open a session; returns the result of `initialize`."""
    params = {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": CLIENT_INFO}
    answer = await host.request("initialize", params, deadline=deadline)
    result = answer.result
    await host.notify("notifications/initialized")
    return result


async def leave(host: ModernHost | BridgeProcess) -> None:
    """Quit as a host does; the bridge ends well and in time."""
    bridge = host.bridge if isinstance(host, ModernHost) else host
    bridge.close_stdin()
    assert await bridge.wait() == 0, bridge.stderr[-10:]
