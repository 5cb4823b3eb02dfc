"""`x-mcp-header`: which arguments of a tool call are repeated in headers (MCP 2026-07-28, Streamable HTTP).

A tool's `inputSchema` marks a property with `x-mcp-header: Name`; a call then has that argument in the header
`Mcp-Param-Name` as well. The bridge reads the marks in the lists of tools, and removes a tool whose marks break a rule:

| rule | broken by |
|---|---|
| the value is a token (RFC 9110, section 5.6.2) | the empty string, a space, a colon, not ASCII, not a string |
| no two values are the same, in any case of letters | the second one |
| the property's `type` is `string`, `integer` or `boolean` | `number`, a list of types, no type |
| only `properties` lead to it from the root | the root; below `items`, `anyOf`, `$defs` and similar keywords |

Marks are looked for only where a schema can be, so not in `default`, `const`, `enum`, `examples`, unknown keywords or
the name of a property. `$ref` is not followed, as its target in the same schema is read in its own place. The keywords
are those of JSON Schema 2020-12 and the older ones that they replaced.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from bridge.protocol.headers import Headers, header_value, string
from bridge.protocol.mcp import PARAM_PREFIX
from bridge.protocol.sanitize import quoted
from bridge.protocol.writing import Members, members

_MARK = "x-mcp-header"
# JSON may write any of its letters as an escape.
_MARK_BYTES = _MARK.encode()
_MARK_ESCAPED = re.compile(rb"\\u00(?:2[dD]|[67])")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = frozenset({"string", "integer", "boolean"})

_SCHEMA_KEYWORDS = frozenset(
    {
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
        *("additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    }
)
"""Keywords whose value is a schema or an array of schemas."""
_NAMED_SCHEMAS_KEYWORDS = frozenset({"patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"})
"""Keywords whose value is an object of schemas."""

_MAX_TOOLS = 10_000
# Node accepts 16 KB of headers in all, and most servers less than four times that.
_MAX_NAMES = 16_384
_SAFE_INTEGER = 2**53 - 1
_EXCERPT = 80

_INTEGER = re.compile(rb"-?[0-9]+")
_Chain = tuple["_Chain", str] | None
"""The names of the nested `properties`, the last one first, so that adding one costs the same at any depth."""

_decode_array = msgspec.json.Decoder(list[Raw]).decode


def _no_number(_: str) -> int:
    """Numbers are not needed, and some are too large for Python."""
    return 0


def _decode_schema(text: str) -> Any:
    import json

    return json.loads(text, parse_int=_no_number, parse_float=_no_number)


class LeftOut(msgspec.Struct, frozen=True):
    """A tool that was removed from a list, quoted, and why, as the end of a sentence; each is one line."""

    tool: str
    reason: str


class ToolList(msgspec.Struct, frozen=True):
    """A `tools/list` result without the tools that were removed; the same object where none was."""

    result: Raw
    left_out: tuple[LeftOut, ...] = ()


class _Param(msgspec.Struct, frozen=True, gc=False):
    header: bytes
    path: tuple[str, ...]


class _Broken(Exception):
    """A rule of the table above is broken."""


class ToolHeaders:
    """The marks in the lists of tools so far. Each page adds to them; a tool that is listed again replaces its own.

    `marked`: the marked parameters of each tool that has any, by its name.
    """

    def __init__(self) -> None:
        self.marked: dict[str, tuple[_Param, ...]] = {}

    def read_tools(self, result: Raw) -> ToolList:
        """Read a `tools/list` result, and return what the host gets of it (Schema Extension).

        A list without any mark is not decoded; only its names are, where marks of an earlier list may have to go.
        """
        if not (self.marked or _has_mark(result)):
            return ToolList(result)
        fields = members(result)
        kept, left_out = list[Raw](), list[LeftOut]()
        for tool in _tools(fields):
            definition = members(tool)
            name, schema = _name(definition), definition.get("inputSchema", Raw())
            try:
                params = _read_marks(schema) if _has_mark(schema) else ()
            except _Broken as why:
                left_out.append(LeftOut(_quoted(name), str(why)))
                params = ()
            else:
                kept.append(tool)
            self._learn(name, params)
        return ToolList(_with_tools(fields, kept), tuple(left_out)) if left_out else ToolList(result)

    def param_headers(self, name: str, params: Raw) -> Headers:
        """The `Mcp-Param-{Name}` headers of a `tools/call` with these params (Client Behavior).

        The argument decides the form, not the declared type: a server compares the header with the argument before it
        checks the argument's type, so the error that the host gets is about the type.

        | argument | value |
        |---|---|
        | absent, null | no header |
        | string | see `header_value` |
        | true, false | the same |
        | an integer | its digits, also beyond the safe range: a server that accepts it expects them |
        | another number | an integer's digits where it is one (`1.0`, `1e2`), else the shortest decimal form |
        | object, array | no header: it has no form in one |
        """
        marked = self.marked.get(name, ())
        if not marked:
            return ()
        fields = members(params)
        levels: dict[tuple[str, ...], Members] = {(): members(fields.get("arguments", Raw()))}
        values = ((param.header, _rendered(_at(param.path, levels))) for param in marked)
        return tuple((header, value) for header, value in values if value is not None)

    def _learn(self, name: str, params: tuple[_Param, ...]) -> None:
        self.marked.pop(name, None)
        if not params:
            return
        if len(self.marked) >= _MAX_TOOLS:
            del self.marked[next(iter(self.marked))]
        self.marked[name] = params


def _has_mark(value: Raw) -> bool:
    """Whether there may be a mark in it; False is certain."""
    octets = bytes(value)
    return _MARK_BYTES in octets or (b"\\u00" in octets and _MARK_ESCAPED.search(octets) is not None)


def _tools(fields: Members) -> list[Raw]:
    try:
        return _decode_array(fields.get("tools", Raw(b"[]")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _with_tools(fields: Members, kept: list[Raw]) -> Raw:
    """The result with other tools; the bytes of all its values stay the same."""
    tools = b"[%b]" % b",".join(kept)
    parts = (b"%b:%b" % (msgspec.json.encode(key), tools if key == "tools" else raw) for key, raw in fields.items())
    return Raw(b"{%b}" % b",".join(parts))


def _name(definition: Members) -> str:
    return string(definition.get("name", Raw())) or ""


def _read_marks(schema: Raw) -> tuple[_Param, ...]:
    """The marked properties of an `inputSchema`. Raises `_Broken` where a mark breaks a rule."""
    try:
        root = _decode_schema(str(memoryview(schema), "utf-8"))
    except (ValueError, RecursionError):
        raise _Broken("its inputSchema cannot be read, and may have an x-mcp-header") from None
    params: list[_Param] = []
    seen: set[str] = set()
    size = 0
    for node, chain, is_reachable in _schemas(root):
        if _MARK not in node:
            continue
        if chain is None or not is_reachable:
            raise _Broken(
                "its inputSchema has an x-mcp-header in a place that cannot be reached through `properties` alone"
            )
        header, path = node[_MARK], _path(chain)
        where = _quoted(".".join(path))
        if not isinstance(header, str):
            raise _Broken(f"the property {where} has an x-mcp-header that is not a string")
        if not _TOKEN.fullmatch(header):
            raise _Broken(f"the property {where} has the x-mcp-header {_quoted(header)}, which is not an HTTP token")
        if not isinstance(node.get("type"), str) or node["type"] not in _TYPES:
            raise _Broken(f"the property {where} has an x-mcp-header and is neither a string, an integer nor a boolean")
        if header.lower() in seen:
            raise _Broken(f"the property {where} has the same x-mcp-header as another property, {_quoted(header)}")
        seen.add(header.lower())
        size += len(header) + sum(len(name) + 1 for name in path)
        if size > _MAX_NAMES:
            raise _Broken(
                f"the names of its x-mcp-headers and of their properties have more than {_MAX_NAMES} characters in all"
            )
        params.append(_Param(PARAM_PREFIX + header.lower().encode(), path))
    return tuple(params)


def _schemas(root: Any) -> Iterator[tuple[dict[str, Any], _Chain, bool]]:
    """Every schema in a schema, level by level: its members, its path, and whether `properties` alone lead to it."""
    found: list[tuple[Any, _Chain, bool]] = [(root, None, True)]
    for node, chain, is_reachable in found:
        if not isinstance(node, dict):
            continue
        yield node, chain, is_reachable
        for keyword, value in node.items():
            if keyword == "properties" and isinstance(value, dict):
                found.extend((below, (chain, name), is_reachable) for name, below in value.items())
            elif keyword in _SCHEMA_KEYWORDS:
                found.extend((below, None, False) for below in (value if isinstance(value, list) else (value,)))
            elif keyword in _NAMED_SCHEMAS_KEYWORDS and isinstance(value, dict):
                found.extend((below, None, False) for below in value.values())


def _path(chain: _Chain) -> tuple[str, ...]:
    names: list[str] = []
    while chain is not None:
        chain, name = chain
        names.append(name)
    return tuple(reversed(names))


def _at(path: tuple[str, ...], levels: dict[tuple[str, ...], Members]) -> Raw:
    """The value at a path in the arguments, empty where there is none; `levels` has the objects read so far."""
    for depth in range(1, len(path)):
        if path[:depth] not in levels:
            levels[path[:depth]] = members(levels[path[: depth - 1]].get(path[depth - 1], Raw()))
    return levels[path[:-1]].get(path[-1], Raw())


def _rendered(value: Raw) -> bytes | None:
    """An argument as a header's value, by the table at `ToolHeaders.param_headers`."""
    first = bytes(memoryview(value)[:1])
    if first == b'"':
        text = string(value)
        return None if text is None else header_value(text)
    if first not in (b"t", b"f") and not first.isdigit() and first != b"-":
        return None
    written = bytes(value)
    if first in (b"t", b"f") or _INTEGER.fullmatch(written):
        return written
    number = float(written)
    if not math.isfinite(number):
        return None
    return str(int(number) if number.is_integer() and abs(number) <= _SAFE_INTEGER else number).encode()


def _quoted(text: str) -> str:
    return quoted(text, _EXCERPT) or '""'
