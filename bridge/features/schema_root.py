"""The root of an `inputSchema`: `type: object`, and no keyword that the host refuses there.

The providers of models refuse `anyOf`, `oneOf` and `allOf` at the root (`host_limits`), and with it every request of
the conversation, but not `if` and `then`. `{"if": {}, "then": S}` admits what `S` admits, because everything passes
`if`. So what the host refuses is moved below `then`, and the arguments stay as they are. What all its schemas say of a
property is said at the root as well, because some hosts show the model only the properties of the root.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bridge.features.schema_keywords import TYPES
from bridge.features.schema_references import References
from bridge.features.schema_repair import Repair, Schema, schemas

_BESIDE_REFERENCE = frozenset(
    {
        "$ref",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "type",
        "title",
        "description",
        "default",
        "examples",
    }
)
"""Keywords that may stand beside a `$ref` at the root without taking part in what it leads to."""
_OF_ITS_PLACE = frozenset({"$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$dynamicRef"})
_ABOUT_PLACE = frozenset({"$defs", "definitions"})
_COUNTED = frozenset({"additionalProperties", "unevaluatedProperties"})
_CONDITION = ("if", "then", "else")
_WITHOUT_CONDITION = ("draft-03", "draft-04", "draft-06")
_MOST_HOPS = 16


class NothingAdmitted(Exception):
    """No arguments are valid; says why, as the end of a sentence."""


def repair_root(repair: Repair, refused: Iterable[str] = ()) -> None:
    """Repair the root in place. `refused`: keywords that the host refuses there. Raises `NothingAdmitted`."""
    root = repair.root
    if "$ref" in root and (root.get("type") != "object" or refused):
        _follow(repair)
    declared = root.get("type")
    if declared is None:
        repair.note("it had no type")
        _put_first(root, "type", "object")
    elif isinstance(declared, list) and "object" in declared:
        repair.note("its type was a list")
        root["type"] = "object"
    elif declared != "object":
        raise NothingAdmitted("the type in its inputSchema is not object, so no arguments are valid")
    for name, below in root.get("properties", {}).items():
        if isinstance(below, bool):
            root["properties"][name] = {} if below else {"not": {}}
            repair.note("a property had a boolean in place of a schema")
    if moved := [keyword for keyword in refused if keyword in root]:
        _move_below_then(repair, moved)


def _follow(repair: Repair) -> None:
    """Put what `$ref` leads to in its place, if nothing beside it takes part."""
    root = repair.root
    for _ in range(_MOST_HOPS):
        reference = root.get("$ref")
        if not isinstance(reference, str) or not _BESIDE_REFERENCE.issuperset(root) or "object" not in _types(root):
            return
        target = repair.references.target(reference)
        if target is False:
            raise NothingAdmitted("its inputSchema refers to false, so no arguments are valid")
        if not isinstance(target, dict) or target is root or not _OF_ITS_PLACE.isdisjoint(target):
            return
        del root["$ref"]
        root.pop("type", None)
        for keyword, value in target.items():
            if keyword not in _ABOUT_PLACE:
                root.setdefault(keyword, value)
        repair.note("it was a $ref")


def _types(root: Schema) -> Any:
    return root.get("type", TYPES)


def _move_below_then(repair: Repair, keywords: list[str]) -> None:
    root = repair.root
    declared = root.get("$schema")
    if isinstance(declared, str) and any(draft in declared for draft in _WITHOUT_CONDITION):
        return  # They know no `if`.
    keywords += [keyword for keyword in _CONDITION if keyword in root]
    moved = {keyword: root.pop(keyword) for keyword in keywords}
    root |= {"if": {}, "then": moved}
    _repoint(root, keywords)
    repair.note(f"{', '.join(f'`{keyword}`' for keyword in keywords)} stood at its root")
    if _COUNTED.isdisjoint(root):
        said = _said_of_properties(moved, repair.references)
        if said:
            root["properties"] = said | root.get("properties", {})


def _repoint(root: Schema, keywords: list[str]) -> None:
    """Let the references into what was moved lead there again."""
    for node, _ in schemas(root):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/") and reference.split("/")[1] in keywords:
            node["$ref"] = f"#/then{reference[1:]}"


def _said_of_properties(moved: Schema, references: References) -> Schema:
    """The properties that the moved schemas name, each with what follows for it from all of them."""
    said: Schema = {}
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = [_resolved(branch, references) for branch in moved.get(keyword, [])]
        named = [branch["properties"] for branch in branches if isinstance(branch.get("properties"), dict)]
        for name in {name: None for properties in named for name in properties}:
            given = [properties[name] for properties in named if name in properties]
            if len(given) < len(branches) and keyword != "allOf":
                said.setdefault(name, _described(given[0]))
            elif all(schema == given[0] for schema in given):
                said.setdefault(name, given[0] if isinstance(given[0], dict) else {})
            else:
                said.setdefault(name, {"allOf" if keyword == "allOf" else "anyOf": given})
    return said


def _resolved(branch: Any, references: References) -> Schema:
    if isinstance(branch, dict) and set(branch) == {"$ref"}:
        branch = references.target(branch["$ref"])
    return branch if isinstance(branch, dict) and "$ref" not in branch else {}


def _described(schema: Any) -> Schema:
    """What a schema says about its value without admitting or refusing any."""
    if not isinstance(schema, dict):
        return {}
    return {keyword: schema[keyword] for keyword in ("title", "description") if keyword in schema}


def _put_first(root: Schema, keyword: str, value: Any) -> None:
    rest = dict(root)
    root.clear()
    root[keyword] = value
    root.update(rest)
