"""One odd tool among good ones: what the host gets of the list, and what is said of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from mcp_types import ListToolsResult
from msgspec import Raw

from bridge.features.parts import FeatureContext
from bridge.features.tool_definitions import ToolDefinitions
from bridge.protocol import jsonrpc
from bridge.protocol.hosts import UNKNOWN, host_named
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, names
from tests.session.playbook import URL

OBJECT = {"type": "object"}
ANY_OBJECT = {"type": "object", "properties": {}}
"""The same for hosts that lose a list where `properties` is missing."""
GOOD = {
    "name": "good",
    "title": "Good",
    "description": "Does good.",
    "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"type": ["string", "null"], "enum": ["x", None]}},
        "required": ["a"],
        "$defs": {"A": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"const": "none"}]}},
    },
    "outputSchema": {"type": "object", "properties": {"c": {"$ref": "#/$defs/A"}}, "$defs": {"A": {}}},
    "annotations": {"title": "Good", "readOnlyHint": True, "openWorldHint": False, "other": 1},
    "icons": [{"src": "https://example.com/icon.png", "mimeType": "image/png", "sizes": ["any"], "theme": "dark"}],
    "execution": {"taskSupport": "optional"},
    "_meta": {"any": 1},
}


class Lists:
    """The part, for one host; `log` is what was said."""

    def __init__(self, host_name: str = "", server_name: str = "", *, is_modern: bool = False) -> None:
        self.log: list[str] = []
        context = FeatureContext(URL, lambda level, text: self.log.append(f"{level}: {text}"))
        context.host = host_named(host_name) if host_name else UNKNOWN
        context.is_modern = is_modern
        self.part = ToolDefinitions(context, server_name)

    def raw(self, *tools: Any) -> list[Raw]:
        """What the host gets for these definitions."""
        items = [Raw(tool if isinstance(tool, bytes) else json.dumps(tool).encode()) for tool in tools]
        result = Raw(b'{"tools":[' + b",".join(map(bytes, items)) + b"]}")
        takes = self.part.takes("tools/list", result)
        shown = self.part.listed("tools/list", items)
        assert shown is items or not takes
        ListToolsResult.model_validate({"tools": [json.loads(bytes(tool)) for tool in shown]})
        return shown

    def of(self, *tools: Any) -> list[Any]:
        """The same, decoded."""
        return [json.loads(bytes(tool)) for tool in self.raw(*tools)]


def test_a_list_of_good_tools_is_the_same_object() -> None:
    lists = Lists("claude-ai")
    items = [Raw(json.dumps(GOOD).encode())]
    assert lists.part.listed("tools/list", items) is items
    assert lists.part.listed("tools/list", items) is items
    assert not lists.log


def test_another_list_is_not_looked_at() -> None:
    items = [Raw(b'{"name":1}')]
    assert Lists().part.listed("prompts/list", items) is items


def test_a_good_tool_beside_an_odd_one_keeps_its_bytes() -> None:
    good = json.dumps(GOOD, indent=1).encode()
    shown = Lists().raw(good, {"name": "odd"})
    assert bytes(shown[0]) == good
    assert json.loads(bytes(shown[1])) == {"name": "odd", "inputSchema": ANY_OBJECT}


@pytest.mark.parametrize(
    ("odd", "becomes"),
    [
        ({"inputSchema": None}, {"inputSchema": ANY_OBJECT}),
        ({"inputSchema": True}, {"inputSchema": ANY_OBJECT}),
        ({"inputSchema": []}, {"inputSchema": ANY_OBJECT}),
        ({"inputSchema": {"anyOf": [{}]}}, {"inputSchema": {**ANY_OBJECT, "anyOf": [{}]}}),
        ({"title": None, "description": 3, "_meta": "x", "execution": {"taskSupport": "x"}}, {}),
        ({"annotations": "x"}, {}),
        ({"annotations": {"title": 1, "readOnlyHint": True}}, {"annotations": {"readOnlyHint": True}}),
        ({"annotations": {"title": "x", "destructiveHint": None}}, {"annotations": {"title": "x"}}),
        ({"icons": [{"src": "a"}, {"src": 1}]}, {"icons": [{"src": "a"}]}),
        ({"icons": "x"}, {}),
        ({"outputSchema": None}, {}),
        ({"outputSchema": {"type": "array"}}, {}),
        ({"outputSchema": {"properties": {"a": {}}}}, {"outputSchema": {**OBJECT, "properties": {"a": {}}}}),
        ({"outputSchema": {**OBJECT, "properties": {"a": {"$ref": "#/$defs/gone"}}}}, {}),
        ({"outputSchema": {**OBJECT, "properties": {"a": {"pattern": "("}}}}, {}),
        ({"outputSchema": {**OBJECT, "required": "a"}}, {}),
    ],
)  # fmt: skip
def test_what_hosts_refuse_is_repaired_and_said_once(odd: Any, becomes: Any) -> None:
    lists = Lists()
    tool = {"name": "odd", "inputSchema": OBJECT, **odd}
    whole = {"name": "odd", "inputSchema": OBJECT, **becomes}
    assert lists.of(tool) == lists.of(tool) == [whole]
    assert len(lists.log) == 1
    assert '"odd" was repaired' in lists.log[0]


@pytest.mark.parametrize("schema", [{"type": "array"}, {"anyOf": [{}]}, {}])
def test_a_modern_output_schema_may_be_any(schema: Any) -> None:
    tool = {"name": "a", "inputSchema": OBJECT, "outputSchema": schema}
    assert Lists(is_modern=True).of(tool) == [tool]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"name": "odd", "inputSchema": False}, "false"),
        ({"name": "odd", "inputSchema": {"type": "string"}}, "not object"),
        ({"name": None, "inputSchema": OBJECT}, "no name"),
        ({"name": "", "inputSchema": OBJECT}, "no name"),
        ({"inputSchema": OBJECT}, "no name"),
        (None, "no name"),
        ("text", "no name"),
    ],
)
def test_what_cannot_be_repaired_is_withheld_alone(odd: Any, why: str) -> None:
    lists = Lists()
    assert lists.of(GOOD, odd, {**GOOD, "name": "other"}) == [GOOD, {**GOOD, "name": "other"}]
    assert len(lists.log) == 1
    assert "withheld" in lists.log[0]
    assert why in lists.log[0]


def test_of_two_tools_with_one_name_the_host_gets_the_first() -> None:
    lists = Lists()
    assert lists.of(GOOD, {**GOOD, "title": "Second"}, GOOD) == [GOOD]
    assert "same name" in lists.log[0]


def test_a_schema_that_is_deeper_than_its_host_reads_withholds_its_tool() -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"not": deep}
    tool = {"name": "deep", "inputSchema": {"type": "object", "properties": {"a": deep}}}
    assert Lists("codex-mcp-client").of(tool, GOOD) == [GOOD]
    assert Lists("claude-code").of(tool, GOOD) == [tool, GOOD]


def test_what_a_provider_refuses_at_the_root_goes_below_then() -> None:
    tool = {"name": "a", "inputSchema": {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}}
    (shown,) = Lists("claude-ai").of(tool)
    assert shown["inputSchema"] == {**ANY_OBJECT, "if": {}, "then": {"oneOf": tool["inputSchema"]["oneOf"]}}  # type: ignore[index]
    assert Lists("claude-code").of(tool) == [tool]


def test_an_array_gets_its_items_where_the_host_refuses_it_without() -> None:
    properties = {"a": {"type": "array"}, "b": {"type": "array", "items": False}, "c": {"type": "array", "items": {}}}
    tool = {"name": "a", "inputSchema": {"type": "object", "properties": properties}}
    (shown,) = Lists("Visual Studio Code").of(tool)
    assert [shown["inputSchema"]["properties"][name]["items"] for name in "abc"] == [{}, {"not": {}}, {}]
    assert Lists("claude-code").of(tool) == [tool]


LONG = "reads_everything_there_is_about_one_thing_" * 4


@pytest.mark.parametrize("eras", PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_long_name_is_shortened_and_led_back(eras: tuple[str, str]) -> None:
    called: list[Any] = []

    def serve(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/list":
            return {"tools": [{"name": LONG, "inputSchema": OBJECT}], **cached(eras)}
        called.append((params["name"], params["arguments"]))
        return {"content": [], **cached(eras)}

    play = FeaturePlaybook(serve, lambda context: [ToolDefinitions(context)], eras=eras, host_name="claude-code")
    (shown,) = names(play.ask(1, "tools/list"))
    assert len(shown) < len(LONG)
    play.ask(2, "tools/call", name=shown, arguments={"a": 1})
    # In a new run the host calls it by the name that it kept.
    play = FeaturePlaybook(serve, lambda context: [ToolDefinitions(context)], eras=eras, host_name="claude-code")
    play.ask(3, "tools/call", name=shown, arguments={"a": 2})
    assert called == [(LONG, {"a": 1}), (LONG, {"a": 2})]


def cached(eras: tuple[str, str]) -> dict[str, Any]:
    """What a modern list has more."""
    return {"ttlMs": 0, "cacheScope": "private"} if eras[1] == "modern" else {}


def test_names_that_a_host_would_take_for_one_stay_apart() -> None:
    lists = Lists("opencode")
    tools = [{"name": "a.b", "inputSchema": OBJECT}, {"name": "a_b", "inputSchema": OBJECT}]
    first, second = lists.of(*tools)
    assert first["name"] == "a.b"
    assert second["name"].startswith("a_b_")
    assert lists.of(*tools) == [first, second]


def test_a_call_by_a_plain_name_goes_up_as_it_came() -> None:
    lists = Lists("claude-code")
    lists.of({"name": LONG, "inputSchema": OBJECT})
    call = FeaturePlaybook(lambda *_: {}).line(1, "tools/call", name="good", arguments={})
    request = jsonrpc.parse(call)
    assert isinstance(request, jsonrpc.Request)
    assert lists.part.request(request) is request
    assert lists.part.needs_list(request) == ""


# -- hostile


def test_half_of_a_character_is_replaced_where_readers_refuse_it() -> None:
    odd = b'{"name":"odd","description":"half \\ud83d","inputSchema":{"type":"object"}}'
    assert Lists().of(odd) == [{"name": "odd", "description": "half \ufffd", "inputSchema": OBJECT}]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"name":"a","inputSchema":{"type":"object","type":"string"},"inputSchema":{}}',
        b'{"name":"\\u0000\\u001b[31m\\u202e","inputSchema":{"type":5}}',
        b'{"name":"x\\udfff","inputSchema":{"properties":{"\\udfff":{"type":"x"}}}}',
        b'{"name":"a","inputSchema":{"$ref":"#/' + b"a/" * 2000 + b'"}}',
        b'{"name":"a","inputSchema":{"$ref":"#/%ff~2/\\u0000","$id":"#x"}}',
        b'{"name":"a","inputSchema":' + b'{"not":' * 490 + b"{}" + b"}" * 490 + b"}",
        b'{"name":"a","inputSchema":{"minimum":1e999999,"maximum":' + b"9" * 4000 + b"}}",
        b'{"name":"a","inputSchema":{"items":' + b"[" * 490 + b"]" * 490 + b"}}",
    ],
)
def test_nothing_that_a_server_says_fails(odd: bytes) -> None:
    lists = Lists("claude-ai")
    shown = lists.of(odd, GOOD)
    assert shown[-1] == GOOD
    assert all(line.isprintable() for line in lists.log)


def test_a_tool_that_is_broken_and_huge_is_withheld_quickly() -> None:
    huge = {"name": "huge", "inputSchema": {"properties": {f"p{at}": {"type": "any"} for at in range(300_000)}}}
    lists = Lists()
    started = time.process_time()
    assert lists.of(huge, GOOD) == [GOOD]
    assert time.process_time() - started < 20
    assert "withheld" in lists.log[0]


def test_what_is_known_of_definitions_is_bounded() -> None:
    lists = Lists()
    for at in range(3):
        lists.of(*({"name": f"t{at}-{number}", "description": "x" * 5000} for number in range(500)))
    assert lists.part._kept <= 4 * 1024 * 1024
