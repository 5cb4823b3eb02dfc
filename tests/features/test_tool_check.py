"""The quick look at a whole list of tools agrees with the close look at each."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from bridge.features.host_limits import ROWS
from bridge.features.parts import FeatureContext
from bridge.features.tool_definitions import ToolDefinitions
from bridge.protocol.hosts import Host
from tests.session.playbook import URL
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

NAMES = ["a", "b", "get issue", "x.y", "x_y", "n" * 70, "n" * 130, "", 5, "é"]
INNER = [
    *(
        {"type": "string"},
        {"type": "text"},
        {"$ref": "#/$defs/A"},
        {"$ref": "#/nowhere"},
        {"required": True},
        True,
        None,
    ),
    *({"enum": [1]}, {"minimum": 1e3, "format": "x"}, {"pattern": "(?P<a>x)"}, {"x-mine": [5]}, {"const": 1}),
    {"items": {"anyOf": [{"type": ["string", "null"], "default": None}]}},
]
ROOTS = [
    *({}, {"anyOf": [{}]}, {"oneOf": [{}]}, {"not": {}}, {"enum": [{}]}, {"required": ["p"]}, {"required": "p"}),
    *({"type": "string"}, {"type": ["object", "null"]}, {"$defs": {"A": {}}}, {"additionalProperties": False}),
]


@st.composite
def schema(draw: st.DrawFn) -> Any:
    root = {"type": "object", "properties": {"p": draw(st.sampled_from(INNER))}} | draw(st.sampled_from(ROOTS))
    return draw(st.sampled_from([root, root, root, None, True, {}]))


@st.composite
def tool(draw: st.DrawFn) -> dict[str, Any]:
    made = {"name": draw(st.sampled_from(NAMES)), "inputSchema": draw(schema())}
    if draw(st.booleans()):
        made["outputSchema"] = draw(schema())
    annotations: Any = draw(st.sampled_from([None, {"readOnlyHint": True}, {"readOnlyHint": "yes"}, {"title": 5}, []]))
    return made if annotations is None else made | {"annotations": annotations}


def part(product: str, *, is_modern: bool) -> ToolDefinitions:
    context = FeatureContext(URL, lambda *_: None)
    context.host = Host(product)
    context.is_modern = is_modern
    return ToolDefinitions(context)


@settings(parent=unhurried, max_examples=multiplied(150))
@given(st.lists(tool(), max_size=3), st.sampled_from(["", *ROWS]), st.booleans())
def test_what_passes_the_quick_look_is_not_changed_by_the_close_one(
    tools: list[Any], product: str, is_modern: bool
) -> None:
    items = [Raw(json.dumps(one).encode()) for one in tools]
    result = Raw(json.dumps({"tools": tools}).encode())
    if part(product, is_modern=is_modern).takes("tools/list", result):
        assert part(product, is_modern=is_modern).listed("tools/list", items) is items


GOOD = {"name": "a", "description": "A.", "inputSchema": {"type": "object", "properties": {"p": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("result", "is_taken"),
    [
        ({"tools": []}, True),
        ({"tools": [GOOD], "_meta": {}}, True),
        ({"tools": [GOOD | {"inputSchema": {"type": "object", "properties": {"p": {"const": 1}}}}]}, True),
        ({"tools": [GOOD], "nextCursor": "x"}, False),
        ({"tools": [GOOD], "nextCursor": ""}, False),
        ({"tools": [GOOD, GOOD]}, False),
        ({"tools": [GOOD | {"inputSchema": {"properties": {}}}]}, False),
        ({"tools": 5}, False),
        ({}, False),
    ],
)
def test_a_whole_list_of_good_tools_passes_the_quick_look(result: dict[str, Any], is_taken: bool) -> None:
    looks = part("", is_modern=False)
    for _ in range(2):
        assert looks.takes("tools/list", Raw(json.dumps(result).encode())) is is_taken
    assert not looks.takes("prompts/list", Raw(b'{"prompts":[]}'))
