"""Repairs a schema that hosts refuse, so that it admits the same arguments: always an object (MCP, Tools).

What any reader takes in the same way is repaired exactly:

| in the schema | becomes |
|---|---|
| no `type` at the root | `type: object` |
| a list of types at the root, with `object` among them | `type: object` |
| `$ref` at the root, without `type` | what it leads to |
| true and false among the properties of the root | `{}` and `{"not": {}}` |
| null as a keyword's value | no such keyword |
| a name twice in `required` or in a list of types | the same once |
| a type in other letters (`STRING`) | the same in small ones |
| draft 4's `exclusiveMinimum: true` | the number that `minimum` had; the same for `exclusiveMaximum` |
| draft 7's `items: [...]` and `additionalItems` | `prefixItems` and `items` |
| at the root a keyword that the host refuses there | the same below `then` (see `schema_root`) |

For any other value of the wrong form, and for a `$ref` that leads nowhere, the schema is an error to each validator, so
no arguments are valid by it, nor invalid. There the schema is widened, and the server decides: the keyword is left out,
and with it those that depend on it. Below `not`, `if`, `oneOf` and `contains` that would narrow it, so the outermost of
these is left out. Drafts that are named in `$schema` keep their own forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from msgspec import Raw

from bridge.features import schema_keywords as forms
from bridge.features.schema_keywords import KEYWORDS, TYPES
from bridge.features.schema_references import References
from bridge.protocol.sanitize import address, quoted
from bridge.protocol.surrogates import mended

Schema = dict[str, Any]
Guard = tuple[Schema, str] | None
"""The outermost of `_NARROWING` above a schema: the schema that has it, and the keyword; None where there is none."""

_NARROWING = frozenset({"not", "if", "oneOf", "contains"})
_SAYING = frozenset(
    {
        *("title", "description", "$comment", "examples", "deprecated", "readOnly", "writeOnly", "$schema"),
        *("contentEncoding", "contentMediaType", "contentSchema"),
    }
)
"""Keywords that admit and refuse nothing."""
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_DEPENDENT = {
    "properties": ("additionalProperties",),
    "patternProperties": ("additionalProperties",),
    "prefixItems": ("items",),
    "items": ("additionalItems",),
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains"),
}
_NAMING = frozenset({forms.TYPE, forms.STRINGS, forms.NAMED_STRINGS, forms.DEPENDENCIES})
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_LATEST_DRAFT = "2020-12"
_MOST_PASSES = 3
_MOST_NOTES = 5
_EXCERPT = 80


def decoded(raw: Raw) -> Any:
    """A schema with each number as a `Raw`, so that it stays as it was written. Raises `ValueError`."""
    octets = bytes(raw)
    text = str(mended(octets) if b"\\u" in octets else octets, "utf-8")
    try:
        return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(digits: str) -> Raw:
    return Raw(digits.encode())


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class Repair:
    """One schema being repaired, in place. `notes` says what was repaired; `widened`: not all of it exactly."""

    def __init__(self, root: Schema, *, drops_unevaluated: bool = False) -> None:
        self.root = root
        self.notes: list[str] = []
        self.widened = False
        self.has_unevaluated = False
        self.references = References(root)
        self._drops_unevaluated = drops_unevaluated
        declared = root.get("$schema")
        self._is_older = isinstance(declared, str) and _LATEST_DRAFT not in declared

    def keywords(self) -> None:
        """Repair every keyword whose value has not its form, and leave out references that lead nowhere."""
        for node, guard in schemas(self.root):
            if guard is None:
                self._null_members(node)
            if not self._is_older:
                self._older_forms(node)
            for keyword in [keyword for keyword in node if keyword in KEYWORDS]:
                if keyword in node:
                    self._keyword(node, keyword, guard)
        for node, _ in schemas(self.root):
            self.references.note(node)
            self.has_unevaluated |= any(keyword in node for keyword in _UNEVALUATED)
        for node, _ in schemas(self.root):
            if isinstance(reference := node.get("$ref"), str):
                node["$ref"] = self.references.moved(reference)
        for _ in range(_MOST_PASSES):
            if not self._dead_references():
                break

    def items_of_arrays(self) -> None:
        """Give each `array` the `items` that it has without saying so, for a host that refuses one without."""
        if self.has_unevaluated:
            return  # There it would say more.
        for node, _ in schemas(self.root):
            if node.get("type") == "array" and node.get("items") in (None, False):
                node["items"] = {"not": {}} if node.get("items") is False else {}
                self.note("an array had no `items`")

    def note(self, text: str) -> None:
        """Say what was repaired, once and within bounds."""
        if text not in self.notes and len(self.notes) < _MOST_NOTES:
            self.notes.append(text)

    def _null_members(self, node: Schema) -> None:
        for keyword in [keyword for keyword, value in node.items() if value is None and keyword in KEYWORDS]:
            del node[keyword]
            self.note(f"`{keyword}` was null")

    def _older_forms(self, node: Schema) -> None:
        for exclusive, bound in _EXCLUSIVE.items():
            if isinstance(node.get(exclusive), bool):
                if node.pop(exclusive) and bound in node:
                    node[exclusive] = node.pop(bound)
                self.note(f"`{exclusive}` was that of draft 4")
        if isinstance(node.get("items"), list) and "prefixItems" not in node:
            first, rest = node.pop("items"), node.pop("additionalItems", None)
            if first:
                node["prefixItems"] = first
            if rest is not None:
                node["items"] = rest
            self.note("`items` was that of draft 7")

    def _keyword(self, node: Schema, keyword: str, guard: Guard) -> None:
        value, form = node[keyword], KEYWORDS[keyword]
        if form == forms.TYPE:
            types = _types(value)
            if types is not None and types != value:
                node[keyword] = types
                self.note("a type was in capital letters")
            fits = types is not None
        elif form == forms.NAMED_SCHEMAS and isinstance(value, dict):
            self._named(node, keyword, guard)
            return
        elif form == forms.SCHEMA and keyword == "items" and self._is_older and isinstance(value, list):
            fits = all(map(_is_schema, value))
        elif form == forms.NUMBER and self._is_older and isinstance(value, bool):
            fits = keyword in _EXCLUSIVE
        elif keyword in _UNEVALUATED and self._drops_unevaluated:
            self._leave_out(node, keyword, guard, f"`{keyword}` depended on what is left out")
            return
        else:
            fits = _fits(value, form)
        if not fits:
            self._leave_out(node, keyword, guard, f"`{keyword}` was {_kind(value)}")
        elif form in _NAMING:
            self._name_once(node, keyword)

    def _name_once(self, node: Schema, keyword: str) -> None:
        value = node[keyword]
        once = {name: _once(names) for name, names in value.items()} if isinstance(value, dict) else _once(value)
        if once != value:
            node[keyword] = once
            self.note(f"`{keyword}` had a name twice")

    def _named(self, node: Schema, keyword: str, guard: Guard) -> None:
        """What is no schema becomes one that admits anything, so that its name stays."""
        named = node[keyword]
        for name in [name for name, below in named.items() if not _is_schema(below)]:
            why = f"`{keyword}` had {_kind(named[name])} where a schema belongs"
            if guard is not None:
                self._leave_out(node, keyword, guard, why)
                return
            named[name] = {}
            self.widened = True
            self.note(why)

    def _dead_references(self) -> bool:
        found = False
        known: dict[int, bool] = {}
        for node, guard in schemas(self.root):
            if not isinstance(reference := node.get("$ref"), str):
                continue
            if not self.references.leads_somewhere(node, known):
                found = True
                self._leave_out(node, "$ref", guard, f"$ref {_place(reference)} leads nowhere")
        return found

    def _leave_out(self, node: Schema, keyword: str, guard: Guard, why: str) -> None:
        self.note(why)
        if keyword in _SAYING:
            del node[keyword]
            return
        if guard is not None:
            node, keyword = guard
        for gone in (keyword, *_DEPENDENT.get(keyword, ())):
            node.pop(gone, None)
        self.widened = True


def repaired_keywords(raw: Raw) -> Repair | None:
    """The keywords of a schema repaired, its root not yet; None where it is no object. Raises `ValueError`."""
    root = decoded(raw)
    if not isinstance(root, dict):
        return None
    repair = Repair(root)
    repair.keywords()
    if repair.widened and repair.has_unevaluated:
        repair = Repair(decoded(raw), drops_unevaluated=True)
        repair.keywords()
    return repair


def schemas(root: Schema) -> Iterator[tuple[Schema, Guard]]:
    """Every schema that is an object, from the root down. What is left out of one meanwhile is not visited."""
    waiting: list[tuple[Any, Guard]] = [(root, None)]
    while waiting:
        node, guard = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield node, guard
        for keyword, value in node.items():
            form = KEYWORDS.get(keyword)
            below = guard or ((node, keyword) if keyword in _NARROWING else None)
            if isinstance(value, list) and (form == forms.SCHEMAS or keyword == "items"):
                waiting += ((child, below) for child in value)
            elif isinstance(value, dict) and form in (forms.NAMED_SCHEMAS, forms.DEPENDENCIES):
                waiting += ((child, below) for child in value.values())
            elif form == forms.SCHEMA:
                waiting.append((value, below))


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _once(names: Any) -> Any:
    """A list of strings with each of them once; another value as it is."""
    return list(dict.fromkeys(names)) if isinstance(names, list) else names


def _types(value: Any) -> Any:
    """`type` with its names in small letters; None where it names none, or one that there is not."""
    names = value if isinstance(value, list) else [value]
    small = [name.lower() if isinstance(name, str) else "" for name in names]
    if not small or not TYPES.issuperset(small):
        return None
    return small if isinstance(value, list) else small[0]


def _place(reference: str) -> str:
    return quoted(reference, _EXCERPT) if reference.startswith("#") else address(reference, _EXCERPT)


def _fits(value: Any, form: str) -> bool:
    match form:
        case forms.SCHEMA:
            return _is_schema(value)
        case forms.SCHEMAS:
            return isinstance(value, list) and len(value) > 0 and all(map(_is_schema, value))
        case forms.STRINGS:
            return _is_strings(value)
        case forms.NAMED_STRINGS:
            return isinstance(value, dict) and all(map(_is_strings, value.values()))
        case forms.DEPENDENCIES:
            return isinstance(value, dict) and all(_is_schema(one) or _is_strings(one) for one in value.values())
        case forms.STRING:
            return isinstance(value, str)
        case forms.BOOLEAN:
            return isinstance(value, bool)
        case forms.NUMBER:
            return isinstance(value, Raw)
        case forms.COUNT:
            return isinstance(value, Raw) and not bytes(value).startswith(b"-")
        case forms.ARRAY:
            return isinstance(value, list)
        case _:
            return False


def _kind(value: Any) -> str:
    """What kind of JSON value it is, in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object with a wrong value"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    if isinstance(value, Raw):
        return "a number"
    return "null" if value is None else quoted(value, 40) or "an empty string"
