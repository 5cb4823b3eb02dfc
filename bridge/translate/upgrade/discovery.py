"""The result of `server/discover`, and the result of `initialize` that a legacy host gets from it."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

_TASKS = {"tasks": Raw(b'{"cancel":{},"requests":{"tools":{"call":{}}}}')}


class DiscoverAnswer(msgspec.Struct, frozen=True):
    """What a legacy host can use of a `server/discover` result (MCP 2026-07-28, Discovery).

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
    # The tasks of the two eras are different: the bridge itself offers a host those of 2025-11-25.
    capabilities = {
        name: value.copy() for name, value in offered.items() if name != "tasks" and request_meta.is_object(value)
    }
    extensions = members(capabilities.get("extensions", Raw()))
    runs_tasks = request_meta.is_object(extensions.get(mcp.TASKS_EXTENSION))
    request_meta.without_tasks_extension(capabilities)
    # Drafts of the revision had `serverInfo` beside the capabilities.
    candidates = (members(said.get("_meta", Raw())).get(mcp.META_SERVER), said.get("serverInfo"))
    info = next(
        (value.copy() for value in candidates if value is not None and request_meta.is_implementation(value)), None
    )
    instructions = said.get("instructions")
    return DiscoverAnswer(
        capabilities, info, instructions if request_meta.is_string(instructions) else None, runs_tasks
    )


def initialize_result(answer: DiscoverAnswer, version: str, server_name: str, *, offers_tasks: bool) -> bytes:
    """The result of `initialize`, in this revision (MCP 2025-11-25, Lifecycle, Initialization)."""
    result: dict[str, object] = {
        "protocolVersion": version,
        "capabilities": {**answer.capabilities, **(_TASKS if offers_tasks else {})},
        "serverInfo": answer.info or {"name": server_name, "version": "unknown"},
    }
    if answer.instructions is not None:
        result["instructions"] = answer.instructions
    return msgspec.json.encode(result)
