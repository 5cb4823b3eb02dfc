"""Tools as servers list them and should not: one fault each, between two good tools, as a server of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MISSING = object()
"""In the place of a member that is left out."""
GOOD = {"type": "object", "properties": {"said": {"type": "string"}}}
ELSEWHERE = "https://schemas.invalid/said.json"


def _input(schema: object) -> dict[str, object]:
    return {"inputSchema": schema}


def _property(schema: object) -> dict[str, object]:
    return _input({"type": "object", "properties": {"said": schema}})


def _output(schema: object) -> dict[str, object]:
    return {"outputSchema": schema}


def _named(name: object) -> dict[str, object]:
    """`{}` in a name becomes what tells the fault's tools from those of others: three characters, in the long ones."""
    return {"name": name}


_EITHER = [{"required": ["said"]}, {"required": ["heard"]}]

TOOLS: dict[str, Mapping[str, object]] = {
    "no fault": {},
    "no `inputSchema`": _input(MISSING),
    "`inputSchema: null`": _input(None),
    "`inputSchema: true`": _input(True),
    '`inputSchema: "object"`': _input("object"),
    "`inputSchema: []`": _input([]),
    "`inputSchema: {}`": _input({}),
    "`properties` without `type`": _input({"properties": GOOD["properties"]}),
    "`anyOf` without `type`": _input({"anyOf": [GOOD, {"type": "object"}]}),
    "`$ref` without `type`": _input({"$ref": "#/$defs/said", "$defs": {"said": GOOD}}),
    '`type: ["object", "null"]`': _input(GOOD | {"type": ["object", "null"]}),
    '`type: "string"`': _input({"type": "string"}),
    "`type: null`": _input({"type": None}),
    "object with `anyOf`": _input(GOOD | {"anyOf": _EITHER}),
    "object with `oneOf`": _input(GOOD | {"oneOf": _EITHER}),
    "object with `allOf`": _input(GOOD | {"allOf": _EITHER[:1]}),
    "`$ref` to nothing": _property({"$ref": "#/$defs/nothing"}),
    "`$ref` to another host": _property({"$ref": ELSEWHERE}),
    "`properties: null`": _input({"type": "object", "properties": None}),
    "`properties: []`": _input({"type": "object", "properties": []}),
    '`required: "said"`': _input(GOOD | {"required": "said"}),
    "`required: null`": _input(GOOD | {"required": None}),
    "property `true`": _property(True),
    "property `null`": _property(None),
    "property with `required: true`": _property({"type": "string", "required": True}),
    'property with `type: "int"`': _property({"type": "int"}),
    "property with `items: [...]`": _property({"type": "array", "items": [{"type": "string"}]}),
    "property with a broken `pattern`": _property({"type": "string", "pattern": "(?P<x"}),
    "property with blanks in its name": _input({"type": "object", "properties": {"what is said?": {"type": "string"}}}),
    "`outputSchema: null`": _output(None),
    "`outputSchema: true`": _output(True),
    "`outputSchema: {}`": _output({}),
    "`outputSchema` with `anyOf` and no `type`": _output({"anyOf": [GOOD, {"type": "null"}]}),
    "`outputSchema` of an array": _output({"type": "array", "items": {"type": "string"}}),
    "`outputSchema` with a `$ref` to nothing": _output({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}),
    "`outputSchema` with a broken `pattern`": _output(
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?P<x"}}}
    ),
    "`annotations: null`": {"annotations": None},
    "`annotations: []`": {"annotations": []},
    '`readOnlyHint: "yes"`': {"annotations": {"readOnlyHint": "yes"}},
    "`annotations.title: 1`": {"annotations": {"title": 1}},
    "`title: 1`": {"title": 1},
    "`title: null`": {"title": None},
    "`description: null`": {"description": None},
    "`description: 1`": {"description": 1},
    '`icons: "x"`': {"icons": "x"},
    '`_meta: "x"`': {"_meta": "x"},
    '`execution.taskSupport: "maybe"`': {"execution": {"taskSupport": "maybe"}},
    "no name": _named(MISSING),
    "empty name": _named(""),
    "name `1`": _named(1),
    "name with a blank": _named("bad {}"),
    "name with a dot": _named("bad.{}"),
    "name with a slash": _named("bad/{}"),
    "name with other letters": _named("bad_{}_é工具"),
    "name of 65 characters": _named("bad_{}_".ljust(64, "x")),
    "name of 129 characters": _named("bad_{}_".ljust(128, "x")),
}
"""What the bad tool says of itself, by the fault in words; the rest of it is good."""

LISTS: dict[str, Mapping[str, object]] = {
    "two tools of one name": {"tools": ({}, {"description": "The second"})},
    "a tool that is `null`": {"tools": (None,)},
    "`nextCursor: null`": {"tools": ({},), "nextCursor": None},
    '`nextCursor: ""`': {"tools": ({},), "nextCursor": ""},
}
"""Faults of the list: what is between the good tools, and what is beside `tools`."""

FAULTS = (*TOOLS, *LISTS)
"""All faults; their places are their numbers."""


def listing(number: int) -> dict[str, object]:
    """The result of `tools/list` of the server with this fault."""
    fault = FAULTS[number]
    members = dict(LISTS.get(fault) or {"tools": (TOOLS[fault],)})
    bad = members.pop("tools")
    assert isinstance(bad, tuple)
    mark = _mark(number)
    between = [None if own is None else _tool(f"bad_{mark}", own, mark) for own in bad]
    return {"tools": [_tool(f"good_a_{mark}"), *between, _tool(f"good_b_{mark}")], **members}


def all_in_one_list() -> dict[str, object]:
    """The result of `tools/list` of one server with all faults of tools."""
    tools: list[object] = []
    for number in range(len(TOOLS)):
        listed = listing(number)["tools"]
        assert isinstance(listed, list)
        tools += listed
    return {"tools": tools}


def echo_with_a_broken_output_schema() -> dict[str, object]:
    """The result of `tools/list` of a server whose one tool promises what cannot be checked."""
    return {"tools": [_tool("echo", TOOLS["`outputSchema` with a `$ref` to nothing"])]}


def good_tools_in(text: str, number: int) -> int:
    """How many good tools of a server are named in what a host shows: 0, 1 or 2."""
    return sum(re.search(rf"good_{one}_{_mark(number)}(?!\d)", text) is not None for one in "ab")


def has_bad_tool(text: str, number: int) -> bool:
    """Whether its bad tool is named there. Hosts change names, and one without a name cannot be seen."""
    return re.search(rf"bad.{_mark(number)}(?!\d)", text) is not None


def outcome(text: str, number: int) -> str:
    """What a host shows of a server, in a word of the table."""
    good = good_tools_in(text, number)
    if good == 2:
        return "all" if has_bad_tool(text, number) else "without it"
    return "nothing" if good == 0 else "one"


def _mark(number: int) -> str:
    return f"f{number}"


def _tool(name: str, own: Mapping[str, object] | None = None, mark: str = "") -> dict[str, Any]:
    members = {"name": name, "description": "Says something", "inputSchema": GOOD, **(own or {})}
    if isinstance(members["name"], str):
        members["name"] = members["name"].replace("{}", mark)
    return {member: value for member, value in members.items() if value is not MISSING}
