"""An `inputSchema` that hosts refuse, repaired; jsonschema judges whether the same arguments stay valid."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Raw

from bridge.features.host_limits import limits_of
from bridge.features.parts import FeatureContext
from bridge.features.schema_keywords import ObjectSchema
from bridge.features.schema_repair import repaired_keywords
from bridge.features.schema_root import NothingAdmitted, repair_root
from bridge.features.tool_definitions import ToolDefinitions
from bridge.protocol.hosts import host_named

ANTHROPIC = limits_of(host_named("claude-ai")).at_root
OPENAI = limits_of(host_named("codex-mcp-client")).at_root
DEFINITIONS: dict[str, Any] = {
    "A": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "B": {"minimum": 2},
}


def repaired(schema: Any, at_root: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a host gets for a schema."""
    repair = repaired_keywords(Raw(json.dumps(schema).encode()))
    assert repair is not None
    repair_root(repair, at_root)
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(repair.root))
    return result


@pytest.mark.parametrize(
    ("schema", "becomes"),
    [
        ({}, {"type": "object"}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": ["object", "null"]}, {"type": "object"}),
        ({"type": "OBJECT"}, {"type": "object"}),
        (
            {"type": "object", "properties": {"a": True, "b": False}},
            {"type": "object", "properties": {"a": {}, "b": {"not": {}}}},
        ),
        ({"$ref": "#/$defs/A", "$defs": DEFINITIONS}, {**DEFINITIONS["A"], "$defs": DEFINITIONS}),
        ({"type": "object", "required": None, "description": None}, {"type": "object"}),
        ({"type": "object", "minProperties": 1.5e0}, {"type": "object", "minProperties": 1.5}),
    ],
)
def test_a_repaired_schema_says_the_same(schema: Any, becomes: Any) -> None:
    assert repaired(schema) == becomes


@pytest.mark.parametrize(
    ("inside", "becomes"),
    [
        ({"type": "any"}, {}),
        ({"type": "string", "enum": "x"}, {"type": "string"}),
        ({"required": True, "type": "string"}, {"type": "string"}),
        ({"$ref": "#/$defs/gone", "title": "x"}, {"title": "x"}),
        ({"$ref": "https://example.com/other.json"}, {}),
        ({"not": {"$ref": "#/$defs/gone"}, "minimum": 1}, {"minimum": 1}),
        ({"not": {"anyOf": [{"type": "any"}]}}, {}),
        ({"properties": [], "additionalProperties": False}, {}),
        ({"allOf": [{"$ref": "#gone"}], "unevaluatedProperties": False}, {"allOf": [{}]}),
        (
            {"properties": {"x": 3}, "additionalProperties": False},
            {"properties": {"x": {}}, "additionalProperties": False},
        ),
        ("not a schema", {}),
    ],
)
def test_what_is_an_error_to_every_validator_is_left_to_the_server(inside: Any, becomes: Any) -> None:
    schema = {"type": "object", "properties": {"p": inside}}
    assert repaired(schema) == {"type": "object", "properties": {"p": becomes}}
    Draft202012Validator.check_schema(repaired(schema))


@pytest.mark.parametrize(
    ("older", "latest"),
    [
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
        (
            {"items": [{"type": "string"}], "additionalItems": False},
            {"prefixItems": [{"type": "string"}], "items": False},
        ),
    ],
)
def test_forms_of_older_drafts_become_those_of_2020_12(older: Any, latest: Any) -> None:
    assert repaired({"type": "object", "properties": {"p": older}})["properties"]["p"] == latest


def test_a_reference_into_renamed_items_leads_there_again() -> None:
    older = {"items": [{"type": "string"}], "additionalItems": {"$ref": "#/properties/p/items/0"}}
    became = repaired({"type": "object", "properties": {"p": older}})["properties"]["p"]
    assert became == {"prefixItems": [{"type": "string"}], "items": {"$ref": "#/properties/p/prefixItems/0"}}


def test_a_chain_of_references_leads_where_its_last_one_does() -> None:
    chain: dict[str, Any] = {f"A{at}": {"$ref": f"#/$defs/A{at + 1}"} for at in range(100)}
    schema = {"type": "object", "properties": {"p": {"$ref": "#/$defs/A0"}}}
    alive = {**schema, "$defs": {**chain, "A100": {"type": "string"}}}
    assert repaired(alive) == alive
    dead = repaired({**schema, "$defs": chain})
    assert Draft202012Validator(dead).is_valid({"p": 1})


def test_a_reference_to_a_reference_into_renamed_items_is_kept() -> None:
    older = {"items": [{"type": "string"}, {"$ref": "#/properties/p/items/0"}]}
    became = repaired({"type": "object", "properties": {"a": {"$ref": "#/properties/p/items/1"}, "p": older}})
    assert became["properties"]["a"] == {"$ref": "#/properties/p/prefixItems/1"}
    assert became["properties"]["p"]["prefixItems"][1] == {"$ref": "#/properties/p/prefixItems/0"}


def test_a_draft_that_is_named_keeps_its_forms() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"p": {"items": [{"type": "string"}], "additionalItems": False}},
    }
    assert repaired(schema) == schema


@pytest.mark.parametrize(
    "schema", [{"type": "string"}, {"type": ["array", "null"]}, {"$ref": "#/$defs/A", "$defs": {"A": False}}]
)
def test_a_schema_that_admits_no_object_is_not_repaired(schema: Any) -> None:
    with pytest.raises(NothingAdmitted):
        repaired(schema)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}])
def test_a_reference_to_itself_leads_nowhere(schema: Any) -> None:
    assert repaired(schema).get("$ref") is None


def test_what_a_host_refuses_at_the_root_is_said_below_then() -> None:
    branches = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"$ref": "#/anyOf/0"}]
    became = repaired({"anyOf": branches}, ANTHROPIC)
    assert became == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "if": {},
        "then": {"anyOf": [branches[0], {"$ref": "#/then/anyOf/0"}]},
    }


def test_a_name_that_stands_twice_stands_once() -> None:
    schema = {
        "type": "object",
        "required": ["a", "b", "a"],
        "dependentRequired": {"a": ["b", "b"]},
        "properties": {"a": {"type": ["string", "null", "string"]}},
    }
    assert repaired(schema) == {
        "type": "object",
        "required": ["a", "b"],
        "dependentRequired": {"a": ["b"]},
        "properties": {"a": {"type": ["string", "null"]}},
    }


def test_numbers_stay_as_they_were_written() -> None:
    repair = repaired_keywords(Raw(b'{"properties":{"a":{"maximum":1e400,"enum":[12345678901234567890123,1.50]}}}'))
    assert repair is not None
    assert (
        msgspec.json.encode(repair.root)
        == b'{"properties":{"a":{"maximum":1e400,"enum":[12345678901234567890123,1.50]}}}'
    )


# -- any schema

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "yy"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
TYPES = st.sampled_from(["object", "string", "integer", "array", "null", "boolean", "number"])


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    values = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3),
        "properties": st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        "required": st.lists(NAMES, max_size=2),
        "unevaluatedProperties": st.booleans(),
        **dict.fromkeys(("additionalProperties", "not", "if", "then"), inner),
        **dict.fromkeys(("anyOf", "oneOf", "allOf"), some),
        "enum": st.lists(VALUES, min_size=1, max_size=2),
        "minProperties": st.integers(0, 2),
        "$ref": st.sampled_from(["#/$defs/A", "#/$defs/B"]),
    }
    members = st.one_of(*(st.tuples(st.just(keyword), value) for keyword, value in values.items()))
    return st.lists(members, max_size=4).map(dict)


SCHEMAS = st.recursive(st.booleans() | st.just({}) | TYPES.map(lambda name: {"type": name}), _schemas, max_leaves=4)
ROOTS = _schemas(SCHEMAS).map(lambda root: root | {"$defs": DEFINITIONS})


@given(ROOTS, st.lists(OBJECTS, max_size=6), st.sampled_from([(), ANTHROPIC, OPENAI]))
def test_a_repaired_schema_admits_the_same_objects(schema: Any, objects: list[Any], at_root: tuple[str, ...]) -> None:
    before = Draft202012Validator(schema)
    try:
        became = repaired(schema, at_root)
    except NothingAdmitted:
        assert not any(before.is_valid(value) for value in objects)
        return
    Draft202012Validator.check_schema(became)
    after = Draft202012Validator(became)
    assert [after.is_valid(value) for value in objects] == [before.is_valid(value) for value in objects]
    assert not set(at_root) & set(became)
    msgspec.json.decode(json.dumps(became), type=ObjectSchema)


ODD = st.recursive(VALUES | st.sampled_from(["#/$defs/gone", "object", "any"]), _schemas, max_leaves=4)
ODD_ROOTS = st.dictionaries(
    st.sampled_from(["type", "properties", "required", "items", "anyOf", "not", "if", "then", "$ref", "$defs", "enum"]),
    ODD,
    max_size=5,
)


@given(ODD_ROOTS, st.sampled_from([(), OPENAI]))
def test_whatever_is_in_a_schema_the_result_is_one(schema: Any, at_root: tuple[str, ...]) -> None:
    try:
        became = repaired(schema, at_root)
    except NothingAdmitted:
        return
    Draft202012Validator.check_schema(became)
    for value in ({}, {"a": 1}):
        Draft202012Validator(became).is_valid(value)  # No reference leads nowhere.


@given(ODD_ROOTS, st.sampled_from(["claude-ai", "codex-mcp-client", "x"]), st.booleans())
def test_a_list_is_taken_whole_only_where_nothing_in_it_is_repaired(schema: Any, host: str, is_output: bool) -> None:
    schemas = {"inputSchema": schema} if not is_output else {"inputSchema": {"type": "object"}, "outputSchema": schema}
    tool = json.dumps({"name": "a", **schemas}).encode()
    context = FeatureContext("https://example.com/mcp", lambda *_: None)
    context.host = host_named(host)
    part = ToolDefinitions(context)
    takes = part.takes("tools/list", Raw(b'{"tools":[%b]}' % tool))
    items = [Raw(tool)]
    assert not takes or part.listed("tools/list", items) is items
