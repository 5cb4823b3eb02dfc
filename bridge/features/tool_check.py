"""Whether every host takes a tool's definition as it is: one decoding that makes no Python objects of what it holds.

The forms are those of the reference SDKs, which refuse the whole list for one tool: `ToolSchema` of TypeScript 1.x and
2.x (types.ts, schemas.ts) and `Tool` of Python 2.x (mcp_types). Optional members may be absent there, but not null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from bridge.features.host_limits import Limits
from bridge.features.schema_keywords import AnySchema, CommonObjectSchema, CommonSchema, ObjectSchema, attribute
from bridge.protocol.nesting import is_too_deep

_Name = Annotated[str, Meta(min_length=1)]
"""smolagents 1.26 loses the list of a tool whose name is empty, and most hosts leave the tool out."""
_REFERENCE = re.compile(rb'"\$ref"\s*:\s*"(#/(?:\$defs|definitions)/[^"\\/~%]*|#)"')
_PATTERN = b'"pattern'
_ARRAY_TYPE = b'"array"'
_ESCAPED_DOLLAR = b"\\u0024"
_NAMES = re.compile(rb'"(?:required|type)"\s*:\s*\[(?:((?:\s*"[^"\\]*"\s*,?)*)\])?')
"""A list of names that must differ. The group is missing where it holds anything but plain strings."""
_NAME = re.compile(rb'"[^"]*"')
_DEPENDENT_NAMES = b'"depend'
_LEVELS_ABOVE = 2
"""The levels of a `tools/list` result that a tool is below."""
_OTHER_BASES = (b'"$id"', b'"id"')


class ToolAnnotations(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`ToolAnnotations`."""

    title: str | UnsetType = UNSET
    read_only_hint: bool | UnsetType = UNSET
    destructive_hint: bool | UnsetType = UNSET
    idempotent_hint: bool | UnsetType = UNSET
    open_world_hint: bool | UnsetType = UNSET


class ToolIcon(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`Icon`."""

    src: str
    mime_type: str | UnsetType = UNSET
    sizes: list[str] | UnsetType = UNSET
    theme: Literal["light", "dark"] | UnsetType = UNSET


class ToolExecution(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`ToolExecution` (MCP 2025-11-25)."""

    task_support: Literal["required", "optional", "forbidden"] | UnsetType = UNSET


OPTIONAL = {
    "title": str,
    "description": str,
    "annotations": ToolAnnotations,
    "icons": list[ToolIcon],
    "execution": ToolExecution,
    "_meta": dict[str, Raw],
}
"""The optional members of a tool, but for its schemas, and the form of each."""


def _made(name: str, schema: Any, output: Any) -> type[msgspec.Struct]:
    fields: list[Any] = [("name", _Name), ("input", schema), ("output", output | UnsetType, UNSET)]
    fields += [(f"of{member}", form | UnsetType, UNSET) for member, form in OPTIONAL.items()]
    names = {"input": "inputSchema", "output": "outputSchema", **{f"of{member}": member for member in OPTIONAL}}
    return msgspec.defstruct(name, fields, rename=names, gc=False)


def _list_of(tool: type[msgspec.Struct]) -> type[msgspec.Struct]:
    fields: list[Any] = [("tools", list[tool]), ("cursor", Raw, Raw())]  # type: ignore[valid-type]
    return msgspec.defstruct("ToolList", fields, rename={"cursor": "nextCursor"}, gc=False)


class ToolCheck:
    """The check for one host. `is_modern`: the server speaks MCP 2026-07-28, where an `outputSchema` may be any."""

    def __init__(self, limits: Limits, *, is_modern: bool) -> None:
        self._is_modern = is_modern
        self._decode_common = msgspec.json.Decoder(_list_of(self._tool(CommonSchema, CommonObjectSchema))).decode
        self._decode: Callable[[bytes], Any] | None = None
        self._decode_list: Callable[[bytes], Any] | None = None
        self._at_root = [attribute(keyword) for keyword in limits.at_root]
        self._deepest = limits.deepest
        self._wants_items = limits.wants_items

    def name_if_good(self, tool: bytes) -> str | None:
        """The tool's name where its definition is good as it is; None where it is not, or that is in doubt."""
        if self._decode is None:
            self._decode = msgspec.json.Decoder(self._tool(AnySchema, ObjectSchema)).decode
        try:
            read: Any = self._decode(tool)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if any(getattr(read.input, keyword) is not UNSET for keyword in self._at_root):
            return None
        if self._deepest and is_too_deep(tool, self._deepest):
            return None
        if self._wants_items and _ARRAY_TYPE in tool:
            return None
        if read.output is not UNSET and _PATTERN in tool:
            return None
        if _may_repeat_names(tool):
            return None
        if b"$ref" in tool or _ESCAPED_DOLLAR in tool:
            return read.name if _leads_to_definitions(tool, read) else None
        name: str = read.name
        return name

    def names_if_good(self, result: bytes) -> list[str] | None:
        """The names in a `tools/list` result where it is the whole list and each tool is good as it is.

        None where that is not so, or in doubt. One decoding for all tools takes a third of the time that one for each
        takes.
        """
        read = self._read_list(result)
        if read is None or len(read.cursor) or b"$ref" in result or _ESCAPED_DOLLAR in result:
            return None
        if any(getattr(tool.input, keyword, UNSET) is not UNSET for keyword in self._at_root for tool in read.tools):
            return None
        if self._deepest and is_too_deep(result, self._deepest + _LEVELS_ABOVE):
            return None
        if self._wants_items and _ARRAY_TYPE in result:
            return None
        if _PATTERN in result and any(tool.output is not UNSET for tool in read.tools):
            return None
        return None if _may_repeat_names(result) else [tool.name for tool in read.tools]

    def _read_list(self, result: bytes) -> Any:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decode_common(result)
        if self._decode_list is None:
            self._decode_list = msgspec.json.Decoder(_list_of(self._tool(AnySchema, ObjectSchema))).decode
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decode_list(result)
        return None

    def _tool(self, schema: Any, of_object: Any) -> type[msgspec.Struct]:
        return _made("Tool", of_object, schema if self._is_modern else of_object)


def _may_repeat_names(octets: bytes) -> bool:
    """Whether a list in which each name may stand once has one twice, or that is in doubt."""
    if _DEPENDENT_NAMES in octets:
        return True
    for found in _NAMES.finditer(octets):
        if found[1] is None:
            return True
        names = _NAME.findall(found[1])
        if len(set(names)) < len(names):
            return True
    return False


def _leads_to_definitions(tool: bytes, read: Any) -> bool:
    """Whether each reference is plainly one to a definition in its own schema; where that is in doubt, it is not."""
    found = _REFERENCE.findall(tool)
    if len(found) != tool.count(b"$ref") or _ESCAPED_DOLLAR in tool or any(base in tool for base in _OTHER_BASES):
        return False
    schemas = [schema for schema in (read.input, read.output) if schema is not UNSET]
    if any(schema.of_ref is not UNSET for schema in schemas):
        return False
    return all(_is_defined(reference, schema) for reference in set(found) for schema in schemas)


def _is_defined(reference: bytes, schema: Any) -> bool:
    if reference == b"#":
        return True
    _, keyword, name = reference.decode().split("/")
    definitions = getattr(schema, attribute(keyword))
    return definitions is not UNSET and name in definitions
