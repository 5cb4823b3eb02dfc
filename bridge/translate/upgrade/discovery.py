"""How a modern server introduces itself, and how a legacy host hears it: `server/discover` and `initialize`."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

_TASKS = {"tasks": Raw(b'{"cancel":{},"requests":{"tools":{"call":{}}}}')}


class DiscoverAnswer(msgspec.Struct, frozen=True):
    """What a `server/discover` result says, as far as a legacy host can use it (MCP 2026-07-28, Discovery).

    `info` is the server's name and version, `instructions` a string; both as JSON, None where they are missing.
    `runs_tasks`: it has the tasks extension.
    """

    capabilities: Members
    info: Raw | None
    instructions: Raw | None
    runs_tasks: bool


def read(result: Raw) -> DiscoverAnswer | None:
    """Read a `server/discover` result, or None where it is not one."""
    said = members(result)
    if not request_meta.is_object(result) or not said.keys() & {"supportedVersions", "capabilities"}:
        return None
    if bytes(said.get("resultType", Raw(b'"complete"'))) != b'"complete"':
        return None
    offered = members(said.get("capabilities", Raw()))
    # The tasks of the two eras are not alike, so those that the host may be shown are offered by the bridge.
    capabilities = {
        name: value.copy() for name, value in offered.items() if name != "tasks" and request_meta.is_object(value)
    }
    extensions = members(capabilities.get("extensions", Raw()))
    runs_tasks = request_meta.is_object(extensions.get(mcp.TASKS_EXTENSION))
    request_meta.without_tasks_extension(capabilities)
    # Before the standard was settled, servers gave their name beside the capabilities.
    candidates = (members(said.get("_meta", Raw())).get(mcp.META_SERVER), said.get("serverInfo"))
    info = next(
        (value.copy() for value in candidates if value is not None and request_meta.is_implementation(value)), None
    )
    instructions = said.get("instructions")
    return DiscoverAnswer(
        capabilities, info, instructions if request_meta.is_string(instructions) else None, runs_tasks
    )


def initialize_result(introduction: DiscoverAnswer, version: str, server_name: str, *, offers_tasks: bool) -> bytes:
    """The same for a host that has to be answered in this version (MCP 2025-11-25, Lifecycle, Initialization)."""
    result: dict[str, object] = {
        "protocolVersion": version,
        "capabilities": {**introduction.capabilities, **(_TASKS if offers_tasks else {})},
        "serverInfo": introduction.info or {"name": server_name, "version": "unknown"},
    }
    if introduction.instructions is not None:
        result["instructions"] = introduction.instructions
    return msgspec.json.encode(result)
