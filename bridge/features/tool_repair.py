"""One tool's definition that some host refuses, made one that hosts take.

| member | what is done |
|---|---|
| `inputSchema` | repaired (`schema_repair`, `schema_root`); missing, null, true or no schema: any object |
| `outputSchema` | repaired where that is exact, else removed: results arrive, and nobody checks them against it |
| `annotations`, `icons` | what is broken in them is removed, and the rest stays |
| `title`, `description`, `execution`, `_meta` | removed where broken |
| an escaped lone surrogate anywhere | U+FFFD; readers in Python and Rust refuse the message otherwise |

The tool is withheld where no arguments are valid, where it has no name, and where its schema has more levels than the
host reads. What stays as it is keeps its bytes.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from bridge.features.host_limits import Limits
from bridge.features.schema_keywords import AnySchema, ObjectSchema
from bridge.features.schema_patterns import is_pattern
from bridge.features.schema_repair import Repair, repaired_keywords, schemas
from bridge.features.schema_root import NothingAdmitted, repair_root
from bridge.features.tool_check import OPTIONAL, ToolAnnotations, ToolIcon
from bridge.protocol.headers import string
from bridge.protocol.nesting import is_too_deep
from bridge.protocol.writing import Members, members

_MOST_BYTES = 4 * 1024 * 1024
_MOST_NOTES = 6
_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_NO_SCHEMA = {b"": "it had no inputSchema", b"null": "its inputSchema was null", b"true": "its inputSchema was true"}


class RepairedTool(msgspec.Struct, frozen=True):
    """A definition for the host. `withheld` says why there is none; `notes` what was repaired, each as a clause.

    `name` may have lone surrogates. `widened`: its schema admits what only the server can judge.
    """

    name: str
    definition: Raw
    notes: tuple[str, ...] = ()
    widened: bool = False
    withheld: str = ""


def repaired_tool(tool: Raw, limits: Limits, *, is_modern: bool) -> RepairedTool:
    """Repair a definition; the same `Raw` where nothing had to be. `is_modern`: see `ToolCheck`."""
    if len(tool) > _MOST_BYTES:
        return RepairedTool(
            "", tool, withheld=f"its definition is broken, and has more than {_MOST_BYTES} bytes to repair"
        )
    fields = members(tool)
    name = string(fields.get("name", Raw()))
    if not name:
        return RepairedTool("", tool, withheld="it has no name")
    notes: list[str] = []
    if _has_lone_surrogate(tool):
        notes.append("it had half of a character")
        name = _original_name(tool) or name
    widened = False
    try:
        repair = _repaired_input(fields, limits, notes)
        widened = repair is not None and repair.widened
    except (NothingAdmitted, ValueError, RecursionError) as problem:
        why = str(problem) if isinstance(problem, NothingAdmitted) else "its inputSchema cannot be read"
        return RepairedTool(name, tool, withheld=why)
    if limits.deepest and is_too_deep(bytes(fields["inputSchema"]), limits.deepest):
        return RepairedTool(name, tool, withheld=f"its inputSchema has more than {limits.deepest} levels")
    _repair_output(fields, limits, notes, is_modern=is_modern)
    _repair_optional(fields, notes)
    if not notes:
        return RepairedTool(name, tool)
    return RepairedTool(name, Raw(msgspec.json.encode(fields)), tuple(notes[:_MOST_NOTES]), widened)


def _has_lone_surrogate(tool: Raw) -> bool:
    octets = bytes(tool)
    if b"\\ud" not in octets and b"\\uD" not in octets:
        return False
    try:
        msgspec.json.decode(octets, type=Any)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return False


def _original_name(tool: Raw) -> str:
    try:
        name = json.loads(bytes(tool))["name"]
    except (ValueError, KeyError, RecursionError):
        return ""
    return name if isinstance(name, str) else ""


def _repaired_input(fields: Members, limits: Limits, notes: list[str]) -> Repair | None:
    given = fields.get("inputSchema", Raw())
    if (why := _NO_SCHEMA.get(bytes(given))) is not None:
        notes.append(why)
        fields["inputSchema"] = _ANY_OBJECT
        return None
    if bytes(given) == b"false":
        raise NothingAdmitted("its inputSchema is false, so no arguments are valid")
    repair = repaired_keywords(given)
    if repair is None:
        notes.append("its inputSchema was no schema")
        fields["inputSchema"] = _ANY_OBJECT
        return None
    repair_root(repair, limits.at_root)
    if limits.wants_items:
        repair.items_of_arrays()
    if repair.notes:
        notes += (f"inputSchema: {note}" for note in repair.notes)
        # smolagents 1.26 loses the list of a tool without, and OpenAI refuses it: openai/openai-agents-python#454.
        repair.root.setdefault("properties", {})
        fields["inputSchema"] = Raw(msgspec.json.encode(repair.root))
    return repair


def _repair_output(fields: Members, limits: Limits, notes: list[str], *, is_modern: bool) -> None:
    if (given := fields.get("outputSchema")) is None:
        return
    try:
        repair = repaired_keywords(given)
        if repair is not None and not repair.widened:
            _check_patterns(repair)
            if not is_modern:
                repair_root(repair)
    except (NothingAdmitted, ValueError, RecursionError):
        repair = None  # As for a schema that cannot be read.
    if repair is not None and not repair.widened:
        if repair.notes:
            notes += (f"outputSchema: {note}" for note in repair.notes)
            fields["outputSchema"] = Raw(msgspec.json.encode(repair.root))
        if _is_taken(fields["outputSchema"], limits, is_modern=is_modern):
            return
    del fields["outputSchema"]
    why = f" ({repair.notes[0]})" if repair is not None and repair.widened and repair.notes else ""
    notes.append(f"its outputSchema was broken, and is left out{why}")


def _check_patterns(repair: Repair) -> None:
    """Raise `ValueError` for a pattern that JavaScript may not compile: SDKs compile all of a list with it."""
    for node, _ in schemas(repair.root):
        for pattern in (node.get("pattern"), *node.get("patternProperties", ())):
            if pattern is not None and not is_pattern(pattern):
                raise ValueError("a pattern")


def _is_taken(schema: Raw, limits: Limits, *, is_modern: bool) -> bool:
    if limits.deepest and is_too_deep(bytes(schema), limits.deepest):
        return False
    declared = _decoded(schema, AnySchema if is_modern else ObjectSchema)
    return declared is not None or b'"$schema"' in bytes(schema)


def _repair_optional(fields: Members, notes: list[str]) -> None:
    for member, form in OPTIONAL.items():
        if (given := fields.get(member)) is None or _decoded(given, form) is not None:
            continue
        del fields[member]
        if member == "annotations" and (kept := _kept_annotations(given)):
            fields[member] = Raw(msgspec.json.encode(kept))
        elif member == "icons" and (icons := _kept_icons(given)):
            fields[member] = Raw(msgspec.json.encode(icons))
        notes.append(f"`{member}` was broken")


def _kept_annotations(given: Raw) -> Members:
    return {
        name: value
        for name, value in members(given).items()
        if _decoded(Raw(msgspec.json.encode({name: value})), ToolAnnotations) is not None
    }


def _kept_icons(given: Raw) -> list[Raw]:
    icons = _decoded(given, list[Raw])
    return [icon for icon in icons or () if _decoded(icon, ToolIcon) is not None]


def _decoded(value: Raw, form: Any) -> Any:
    try:
        return msgspec.json.decode(value, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
