"""A legacy host: what it said of itself in `initialize`, and how each of its requests says so to a modern server.

| in `initialize` | in the `_meta` of every request (MCP 2026-07-28, Base Protocol, `_meta`) |
|---|---|
| `protocolVersion` | nothing: `protocolVersion` there is the bridge's |
| `clientInfo` | `clientInfo` as it came, or nothing where it names no program |
| `capabilities` | `clientCapabilities`: without `tasks`, whose meaning changed, and with nothing in `roots` |
| `logging/setLevel`, later | `logLevel` |
| nothing: it is the bridge that can | the tasks extension, once the server is known to have it |
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

_VERSION = Raw(msgspec.json.encode(mcp.LATEST_MODERN))


class LegacyHost:
    """One host, from one `initialize` to the next.

    `version` is the revision in which it is answered, and `features` what that can do.
    `runs_tasks`: its calls may become tasks on the server (SEP-2663).
    """

    def __init__(self, initialize: Request) -> None:
        said = members(initialize.params)
        wish = string(said.get("protocolVersion", Raw()))
        self.version = wish if wish in mcp.LEGACY_VERSIONS else mcp.LATEST_LEGACY
        self.features = mcp.features(self.version)
        self.runs_tasks = False
        self._capabilities = _modern_capabilities(said.get("capabilities", Raw()))
        self._stamp: dict[str, Raw] = {
            mcp.META_VERSION: _VERSION,
            mcp.META_CAPABILITIES: Raw(msgspec.json.encode(self._capabilities)),
        }
        info = said.get("clientInfo", Raw())
        if request_meta.is_implementation(info):
            self._stamp[mcp.META_CLIENT] = info.copy()

    def set_level(self, level: str) -> None:
        """From now on ask for log messages of this level and above (MCP 2026-07-28, Logging)."""
        self._stamp[mcp.META_LOG_LEVEL] = Raw(msgspec.json.encode(level))

    @property
    def restorable(self) -> list[tuple[str, bytes]]:
        """The method and params that set the level for a legacy server, if it was set."""
        level = self._stamp.get(mcp.META_LOG_LEVEL)
        return [] if level is None else [(mcp.SET_LEVEL, msgspec.json.encode({"level": level}))]

    def run_tasks(self) -> None:
        """From now on say that calls may become tasks (SEP-2663, Capability Negotiation)."""
        self.runs_tasks = True
        extensions = members(self._capabilities.get("extensions", Raw()))
        extensions[mcp.TASKS_EXTENSION] = Raw(b"{}")
        said = {**self._capabilities, "extensions": Raw(msgspec.json.encode(extensions))}
        self._stamp[mcp.META_CAPABILITIES] = Raw(msgspec.json.encode(said))

    @property
    def knows_tasks(self) -> bool:
        """Whether it is offered tasks of its own revision; none before 2025-11-25 had them."""
        return self.runs_tasks and self.features.has_tasks

    def declares(self, *path: str) -> bool:
        """Whether it declared this capability: `declares("sampling", "tools")`."""
        value, found = Raw(), self._capabilities
        for name in path:
            value = found.get(name, Raw())
            found = members(value)
        return request_meta.is_object(value)

    def with_request_meta(
        self, params: Raw | Members, without: Iterable[str] = (), added: Members | None = None
    ) -> bytes:
        """A request's params as a modern server wants them, without some members and with others added."""
        said = dict(params) if isinstance(params, dict) else members(params)
        for name in without:
            said.pop(name, None)
        meta = said.get("_meta", Raw())
        stamp = {**(members(meta)), **self._stamp}
        return msgspec.json.encode({**said, **(added or {}), "_meta": stamp})


def _modern_capabilities(declared: Raw) -> Members:
    found = members(declared)
    kept = {name: value.copy() for name, value in found.items() if name != "tasks" and request_meta.is_object(value)}
    if "roots" in kept:
        kept["roots"] = Raw(b"{}")
    request_meta.without_tasks_extension(kept)
    return kept
