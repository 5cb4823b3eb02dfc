"""The keywords of JSON Schema 2020-12 and the form that the value of each must have.

MCP takes a schema without `$schema` as 2020-12 (MCP 2025-11-25, JSON Schema Usage), and model providers refuse a
whole request where one tool's schema breaks its meta-schema (anthropics/claude-code#586, microsoft/vscode#284536).
From this one table come a decoder, which checks a schema at the speed of C, and the checks of a repair.

| form | value |
|---|---|
| `SCHEMA` | an object, or a boolean |
| `SCHEMAS` | an array of schemas, not empty |
| `NAMED_SCHEMAS` | an object whose values are schemas |
| `TYPE` | the name of a type, or an array of names, not empty |
| `STRINGS`, `NAMED_STRINGS` | an array of strings; an object whose values are such arrays |
| `DEPENDENCIES` | an object whose values are schemas or arrays of strings (before 2019-09) |
| `STRING`, `BOOLEAN`, `NUMBER`, `ARRAY` | any value of that type |
| `COUNT` | a number that is not negative |
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

SCHEMA = "schema"
SCHEMAS = "schemas"
NAMED_SCHEMAS = "named-schemas"
TYPE = "type"
STRINGS = "strings"
NAMED_STRINGS = "named-strings"
DEPENDENCIES = "dependencies"
STRING = "string"
BOOLEAN = "boolean"
NUMBER = "number"
COUNT = "count"
ARRAY = "array"

TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
"""The names that `type` may have."""

KEYWORDS = {
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "propertyNames"), SCHEMA),
    **dict.fromkeys(("items", "additionalItems", "unevaluatedItems", "contains"), SCHEMA),
    **dict.fromkeys(("not", "if", "then", "else", "contentSchema"), SCHEMA),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), SCHEMAS),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), NAMED_SCHEMAS),
    "type": TYPE,
    "required": STRINGS,
    "dependentRequired": NAMED_STRINGS,
    "dependencies": DEPENDENCIES,
    **dict.fromkeys(("$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$comment"), STRING),
    **dict.fromkeys(("title", "description", "format", "pattern", "contentEncoding", "contentMediaType"), STRING),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), BOOLEAN),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), COUNT),
    **dict.fromkeys(("enum", "examples"), ARRAY),
}
"""The form of each keyword's value. Those that are not named may have any."""

_TypeName = Literal["null", "boolean", "object", "array", "number", "string", "integer"]
_Strings = list[str]
_Count = Annotated[float, Meta(ge=0)]
_Types = Annotated[list[_TypeName], Meta(min_length=1)]

# `_Schema` is made below; the decoder looks its name up in this module.
_Either = Union["_Schema", bool]  # type: ignore[valid-type]
_Schemas = Annotated[list[_Either], Meta(min_length=1)]
_DECODED: dict[str, object] = {
    SCHEMA: _Either | UnsetType,
    SCHEMAS: _Schemas | UnsetType,
    NAMED_SCHEMAS: dict[str, _Either] | UnsetType,
    TYPE: _TypeName | _Types | UnsetType,
    STRINGS: _Strings | UnsetType,
    NAMED_STRINGS: dict[str, _Strings] | UnsetType,
    DEPENDENCIES: dict[str, _Either | _Strings] | UnsetType,
    STRING: str | UnsetType,
    BOOLEAN: bool | UnsetType,
    NUMBER: float | UnsetType,
    COUNT: _Count | UnsetType,
    ARRAY: list[Raw] | UnsetType,
}
# The reference SDKs' `ToolSchema` (TypeScript 1.x, types.ts) takes no boolean among the properties of the root.
_PROPERTIES_OF_ROOT = dict[str, "_Schema"] | UnsetType  # type: ignore[valid-type]


def attribute(keyword: str) -> str:
    """The name of a decoded schema's attribute that holds the value of `keyword`."""
    return "of_" + keyword.lstrip("$")


def _made(name: str, *, is_root: bool) -> type[msgspec.Struct]:
    decoded: dict[str, object] = {keyword: _DECODED[form] for keyword, form in KEYWORDS.items()}
    first: list[Any] = []
    if is_root:
        del decoded["type"]
        decoded["properties"] = _PROPERTIES_OF_ROOT
        first = [(attribute("type"), Literal["object"])]
    fields = first + [(attribute(keyword), form, UNSET) for keyword, form in decoded.items()]
    names = {attribute(keyword): keyword for keyword in KEYWORDS}
    return msgspec.defstruct(name, fields, rename=names, module=__name__, gc=False)


AnySchema = _Schema = _made("_Schema", is_root=False)
"""A schema whose keywords all have their forms."""
ObjectSchema = _made("ObjectSchema", is_root=True)
"""The same with `type: object` at its root, as MCP demands of `inputSchema`."""
