"""A legacy host: what it declared in `initialize`, and how each of its requests declares that to a modern server.

| in `initialize` | in the `_meta` of every request (MCP 2026-07-28, Base Protocol, `_meta`) |
|---|---|
| `protocolVersion` | nothing: there it is the revision that the bridge uses |
| `clientInfo` | `clientInfo` as it came; nothing where it is not valid |
| `capabilities` | `clientCapabilities`, without `tasks`, which is different there, and with an empty `roots` |
| `logging/setLevel`, later | `logLevel` |
| nothing | the tasks extension, which the bridge handles, once the server has declared it |
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta as request_meta_module

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
        self._meta: dict[str, Raw] = {
            mcp.META_VERSION: _VERSION,
            mcp.META_CAPABILITIES: Raw(msgspec.json.encode(self._capabilities)),
        }
        info = said.get("clientInfo", Raw())
        if request_meta_module.is_implementation(info):
            self._meta[mcp.META_CLIENT] = info.copy()

    def set_level(self, level: str) -> None:
        """Ask in each later request for log messages of this level and above (MCP 2026-07-28, Logging)."""
        self._meta[mcp.META_LOG_LEVEL] = Raw(msgspec.json.encode(level))

    @property
    def restorable(self) -> list[tuple[str, bytes]]:
        """The method and params that set the same level at a legacy server, if it was set."""
        level = self._meta.get(mcp.META_LOG_LEVEL)
        return [] if level is None else [(mcp.SET_LEVEL, msgspec.json.encode({"level": level}))]

    def run_tasks(self) -> None:
        """Declare in each later request that calls may become tasks (SEP-2663, Capability Negotiation)."""
        self.runs_tasks = True
        extensions = members(self._capabilities.get("extensions", Raw()))
        extensions[mcp.TASKS_EXTENSION] = Raw(b"{}")
        said = {**self._capabilities, "extensions": Raw(msgspec.json.encode(extensions))}
        self._meta[mcp.META_CAPABILITIES] = Raw(msgspec.json.encode(said))

    @property
    def knows_tasks(self) -> bool:
        """Whether the host is offered tasks: its revision has them, and the server runs them."""
        return self.runs_tasks and self.features.has_tasks

    def declares(self, *path: str) -> bool:
        """Whether it declared this capability: `declares("sampling", "tools")`."""
        value, found = Raw(), self._capabilities
        for name in path:
            value = found.get(name, Raw())
            found = members(value)
        return request_meta_module.is_object(value)

    def with_request_meta(
        self, params: Raw | Members, without: Iterable[str] = (), added: Members | None = None
    ) -> bytes:
        """A request's params for a modern server, without some members and with others added."""
        said = dict(params) if isinstance(params, dict) else members(params)
        for name in without:
            said.pop(name, None)
        meta = said.get("_meta", Raw())
        request_meta = {**members(meta), **self._meta}
        return msgspec.json.encode({**said, **(added or {}), "_meta": request_meta})


def _modern_capabilities(declared: Raw) -> Members:
    found = members(declared)
    kept = {
        name: value.copy() for name, value in found.items() if name != "tasks" and request_meta_module.is_object(value)
    }
    if "roots" in kept:
        kept["roots"] = Raw(b"{}")
    request_meta_module.without_tasks_extension(kept)
    return kept
