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

COMMON = (
    *("type", "description", "title", "default", "enum", "properties", "required", "items", "additionalProperties"),
    *("anyOf", "format", "minimum", "maximum"),
)
"""The keywords that nearly all schemas of tools make do with. Fewer members make a decoding three times as fast."""

_TypeName = Literal["null", "boolean", "object", "array", "number", "string", "integer"]
_Strings = list[str]
_Count = Annotated[float, Meta(ge=0)]
_Types = Annotated[list[_TypeName], Meta(min_length=1)]


def _forms(schema: str) -> dict[str, Any]:
    """The type of each form; `schema` is the name in this module of the struct for a schema inside another."""
    either: Any = Union[schema, bool]  # noqa: UP007 - a name and a type have no |
    schemas: Any = Annotated[list[either], Meta(min_length=1)]
    return {
        SCHEMA: either | UnsetType,
        SCHEMAS: schemas | UnsetType,
        NAMED_SCHEMAS: dict[str, either] | UnsetType,
        TYPE: _TypeName | _Types | UnsetType,
        STRINGS: _Strings | UnsetType,
        NAMED_STRINGS: dict[str, _Strings] | UnsetType,
        DEPENDENCIES: dict[str, either | _Strings] | UnsetType,
        STRING: str | UnsetType,
        BOOLEAN: bool | UnsetType,
        NUMBER: float | UnsetType,
        COUNT: _Count | UnsetType,
        ARRAY: list[Raw] | UnsetType,
    }


def attribute(keyword: str) -> str:
    """The name of a decoded schema's attribute that holds the value of `keyword`."""
    return "of_" + keyword.lstrip("$")


def _made(name: str, inner: str, keywords: tuple[str, ...], *, is_root: bool, is_all: bool) -> type[msgspec.Struct]:
    """A struct for a schema with these keywords. `inner` is the name of the one for schemas in it.

    `is_all`: a schema with any other member does not fit.
    """
    forms = _forms(inner)
    decoded = {keyword: Raw | UnsetType if keyword == "default" else forms[KEYWORDS[keyword]] for keyword in keywords}
    first: list[Any] = []
    if is_root:
        del decoded["type"]
        # The reference SDKs' `ToolSchema` (TypeScript 1.x, types.ts) takes no boolean among the properties of the root.
        decoded["properties"] = dict[str, inner] | UnsetType  # type: ignore[valid-type]
        first = [(attribute("type"), Literal["object"])]
    fields = first + [(attribute(keyword), form, UNSET) for keyword, form in decoded.items()]
    names = {attribute(keyword): keyword for keyword in keywords}
    return msgspec.defstruct(name, fields, rename=names, module=__name__, gc=False, forbid_unknown_fields=is_all)


_ALL = (*(keyword for keyword in COMMON if keyword in KEYWORDS), *(key for key in KEYWORDS if key not in COMMON))
AnySchema = _made("AnySchema", "AnySchema", _ALL, is_root=False, is_all=False)
"""A schema whose keywords all have their forms."""
ObjectSchema = _made("ObjectSchema", "AnySchema", _ALL, is_root=True, is_all=False)
"""The same with `type: object` at its root, as MCP demands of `inputSchema`."""
CommonSchema = _made("CommonSchema", "CommonSchema", COMMON, is_root=False, is_all=True)
"""A schema of common keywords only, which all have their forms."""
CommonObjectSchema = _made("CommonObjectSchema", "CommonSchema", COMMON, is_root=True, is_all=True)
"""The same with `type: object` at its root."""
