"""Which arguments of a tool call its headers repeat, and which tools a host does not see."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bridge.translate.tool_headers import ToolHeaders, ToolList
from tests.support.cuts import unhurried

REGION = {"type": "string", "x-mcp-header": "Region"}


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value, ensure_ascii=False).encode())


def tool(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "description": f"{name}s", "inputSchema": schema}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def listed(*tools: Any) -> Raw:
    return raw({"tools": list(tools), "nextCursor": "c"})


def left_out(read: ToolList) -> list[str]:
    return [tool.tool for tool in read.left_out]


def headers(schema: Any, arguments: Any) -> dict[str, str]:
    """The headers of a call to a tool with this schema."""
    learnt = ToolHeaders()
    assert left_out(learnt.read_tools(listed(tool("t", schema)))) == []
    found = learnt.param_headers("t", raw({"name": "t", "arguments": arguments}))
    assert len(dict(found)) == len(found)
    return {name.decode(): value.decode() for name, value in found}


def assert_left_out(schema: Any, reason: str) -> None:
    read = ToolHeaders().read_tools(listed(tool("bad", schema), tool("good", obj(region=REGION))))
    assert left_out(read) == ['"bad"']
    assert reason in read.left_out[0].reason
    assert json.loads(bytes(read.result)) == {"tools": [tool("good", obj(region=REGION))], "nextCursor": "c"}


# -- which tools are left out


@pytest.mark.parametrize(
    ("property_schema", "reason"),
    [
        ({"type": "string", "x-mcp-header": ""}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": "My Region"}, '"My Region"'),
        ({"type": "string", "x-mcp-header": "Region:Primary"}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": "Région"}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": "Region\t1"}, '"Region 1"'),
        ({"type": "string", "x-mcp-header": "Region\r\nHost: x"}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": "Region\n"}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": "\ud83d"}, "not an HTTP token"),
        ({"type": "string", "x-mcp-header": 42}, "not a string"),
        ({"type": "string", "x-mcp-header": None}, "not a string"),
        ({"type": "string", "x-mcp-header": ["Region"]}, "not a string"),
        ({"type": "object", "x-mcp-header": "Data"}, "neither a string"),
        ({"type": "array", "items": {"type": "string"}, "x-mcp-header": "Items"}, "neither a string"),
        ({"type": "null", "x-mcp-header": "Nil"}, "neither a string"),
        ({"type": "number", "x-mcp-header": "Ratio"}, "neither a string"),
        ({"type": ["string", "null"], "x-mcp-header": "Maybe"}, "neither a string"),
        ({"type": {"not": "valid"}, "x-mcp-header": "Bad"}, "neither a string"),
        ({"type": "String", "x-mcp-header": "Bad"}, "neither a string"),
        ({"x-mcp-header": "NoType"}, "neither a string"),
        ({"enum": ["a", "b"], "x-mcp-header": "NoType"}, "neither a string"),
        (obj(r={"type": "string", "x-mcp-header": "bad name"}), '"a.r"'),
        (obj(r={"type": "object", "x-mcp-header": "R"}), '"a.r"'),
    ],
    ids=ascii,
)
def test_a_mark_that_is_no_header_leaves_its_tool_out(property_schema: Any, reason: str) -> None:
    schema = json.dumps({"name": "bad", "inputSchema": obj(a=property_schema)})
    good = json.dumps(tool("good", obj(region=REGION)))
    read = ToolHeaders().read_tools(Raw(b'{"tools":[%b,%b]}' % (schema.encode(), good.encode())))
    assert left_out(read) == ['"bad"']
    assert reason in read.left_out[0].reason
    assert [kept["name"] for kept in json.loads(bytes(read.result))["tools"]] == ["good"]


@pytest.mark.parametrize(
    "schema",
    [
        obj(a=REGION, b=REGION),
        obj(a={"type": "string", "x-mcp-header": "MyField"}, b={"type": "string", "x-mcp-header": "myfield"}),
        obj(a=REGION, o=obj(b={"type": "integer", "x-mcp-header": "region"})),
    ],
    ids=["same-case", "other-case", "other-depth"],
)
def test_two_marks_of_one_name_leave_their_tool_out(schema: Any) -> None:
    assert_left_out(schema, "the same x-mcp-header as another property")


NOT_REACHED: list[tuple[str, Any]] = [
    ("root", {"x-mcp-header": "Root"}),
    ("root-with-type", {"type": "string", "x-mcp-header": "Root"}),
    *((keyword, {keyword: REGION}) for keyword in ("items", "contains", "additionalItems", "unevaluatedItems")),
    *((keyword, {keyword: REGION}) for keyword in ("additionalProperties", "unevaluatedProperties", "propertyNames")),
    *((keyword, {keyword: REGION}) for keyword in ("not", "if", "then", "else", "contentSchema")),
    *((keyword, {keyword: [{}, REGION]}) for keyword in ("allOf", "anyOf", "oneOf", "prefixItems")),
    ("items-in-an-array", {"items": [{}, REGION]}),
    *((keyword, {keyword: {"k": REGION}}) for keyword in ("patternProperties", "dependentSchemas", "dependencies")),
    *((keyword, {keyword: {"k": REGION}}) for keyword in ("$defs", "definitions")),
    ("ref", {"properties": {"a": {"$ref": "#/$defs/R"}}, "$defs": {"R": REGION}}),
    ("properties-below-anyOf", {"anyOf": [obj(a=REGION)]}),
    ("properties-below-items", obj(a={"type": "array", "items": obj(b=REGION)})),
    ("properties-below-properties-below-allOf", {"allOf": [obj(a=obj(b=REGION))]}),
    ("beside-a-good-one", obj(a=REGION, b={"not": {"type": "string", "x-mcp-header": "Other"}})),
    ("not-a-header-either", {"items": {"x-mcp-header": 5}}),
]


@pytest.mark.parametrize("schema", [case[1] for case in NOT_REACHED], ids=[case[0] for case in NOT_REACHED])
def test_a_mark_that_properties_alone_do_not_lead_to_leaves_its_tool_out(schema: dict[str, Any]) -> None:
    assert_left_out(schema, "in a place that cannot be reached through `properties` alone")


def test_an_escaped_mark_is_a_mark() -> None:
    schema = rb'{"properties":{"a":{"type":"number","\u0078-mcp\u002dheader":"A"}}}'
    read = ToolHeaders().read_tools(Raw(b'{"tools":[{"name":"bad","inputSchema":%b}]}' % schema))
    assert left_out(read) == ['"bad"']


def test_a_mark_in_a_schema_that_cannot_be_read_leaves_its_tool_out() -> None:
    schema = b'{"title":"\xff","properties":{"a":{"type":"string","x-mcp-header":"A"}}}'
    read = ToolHeaders().read_tools(Raw(b'{"tools":[{"name":"bad","inputSchema":%b}]}' % schema))
    assert [(tool.tool, "cannot be read" in tool.reason) for tool in read.left_out] == [('"bad"', True)]
    harmless = Raw(b'{"tools":[{"name":"x-mcp-header","inputSchema":{"title":"\xff"}}]}')
    assert ToolHeaders().read_tools(harmless).result is harmless


def test_a_mark_is_found_however_deep_it_is() -> None:
    schema = b'{"not":' * 500 + b'{"x-mcp-header":"A"}' + b"}" * 500
    read = ToolHeaders().read_tools(Raw(b'{"tools":[{"name":"bad","inputSchema":%b}]}' % schema))
    assert left_out(read) == ['"bad"']


def test_more_headers_than_a_server_takes_leave_a_tool_out() -> None:
    schema = obj(**{f"p{n}": {"type": "string", "x-mcp-header": f"h{n}" + "x" * 100} for n in range(300)})
    assert_left_out(schema, "more than 16384 characters in all")


# -- which are not


@pytest.mark.parametrize(
    "schema",
    [
        None,
        "x-mcp-header",
        ["x-mcp-header"],
        {"type": "object"},
        {"properties": "x-mcp-header"},
        {"properties": [REGION]},
        {"properties": {"x-mcp-header": {"type": "number"}}},
        {"properties": {"properties": {"properties": {"x-mcp-header": {}}}}},
        {"$defs": {"x-mcp-header": {"type": "string"}}},
        {"patternProperties": {"x-mcp-header": True}},
        obj(a={"default": {"x-mcp-header": ""}}),
        obj(a={"const": {"x-mcp-header": ""}}),
        obj(a={"enum": [{"x-mcp-header": ""}]}),
        obj(a={"examples": [{"properties": {"b": REGION}}]}),
        {"default": {"items": REGION}},
        {"required": ["x-mcp-header"], "description": "x-mcp-header", "$comment": "x-mcp-header"},
        {"x-vendor": {"x-mcp-header": ""}},
        {"X-MCP-Header": "", "x_mcp_header": ""},
        {"allOf": {"x": REGION}, "anyOf": [], "oneOf": 0, "$defs": 0, "patternProperties": {}, "not": "x-mcp-header"},
        {"$defs": [REGION], "dependencies": {"a": ["x-mcp-header"]}},
        {"n": 1, "minimum": 10**400},
    ],
    ids=ascii,
)
def test_what_is_no_mark_is_data(schema: Any) -> None:
    result = listed(tool("t", schema))
    learnt = ToolHeaders()
    read = learnt.read_tools(result)
    assert read.result is result
    assert read.left_out == ()
    assert learnt.param_headers("t", raw({"arguments": {"a": "b", "x-mcp-header": "c"}})) == ()


@pytest.mark.parametrize(
    ("schema", "arguments", "expected"),
    [
        (obj(a=REGION), {"a": "us"}, {"mcp-param-region": "us"}),
        (obj(a={"type": "integer", "x-mcp-header": "Count"}), {"a": 42}, {"mcp-param-count": "42"}),
        (obj(a={"type": "boolean", "x-mcp-header": "Flag"}), {"a": False}, {"mcp-param-flag": "false"}),
        (obj(a={"type": "string", "x-mcp-header": "Method"}), {"a": "m"}, {"mcp-param-method": "m"}),
        (
            obj(a={"type": "string", "x-mcp-header": "!#$%&'*+-.^_`|~9"}),
            {"a": "m"},
            {"mcp-param-!#$%&'*+-.^_`|~9": "m"},
        ),
        (obj(o=obj(r=REGION)), {"o": {"r": "deep"}, "r": "flat"}, {"mcp-param-region": "deep"}),
        (obj(**{"a.b": REGION}), {"a": {"b": "x"}, "a.b": "y"}, {"mcp-param-region": "y"}),
        (obj(**{"x-mcp-header": REGION}), {"x-mcp-header": "x"}, {"mcp-param-region": "x"}),
        (obj(**{"": REGION}), {"": "x"}, {"mcp-param-region": "x"}),
        (obj(properties=obj(items=REGION)), {"properties": {"items": "x"}}, {"mcp-param-region": "x"}),
        (obj(wörter=REGION), {"wörter": "x"}, {"mcp-param-region": "x"}),
        (obj(a="odd", b=REGION), {"b": "x"}, {"mcp-param-region": "x"}),
        (obj(a=True, b=REGION), {"b": "x"}, {"mcp-param-region": "x"}),
        ({"properties": {"a": REGION}, "$ref": "#/$defs/loop"}, {"a": "x"}, {"mcp-param-region": "x"}),
        (obj(a={**REGION, "anyOf": [{"minLength": 10**400}]}), {"a": "x"}, {"mcp-param-region": "x"}),
        (obj(a={"properties": {"b": REGION}}), {"a": {"b": "x"}}, {"mcp-param-region": "x"}),
    ],
)
def test_a_marked_argument_becomes_a_header(schema: Any, arguments: Any, expected: dict[str, str]) -> None:
    assert headers(schema, arguments) == expected


def test_objects_on_the_way_are_read_for_every_mark_in_them() -> None:
    marks = {name: {"type": "string", "x-mcp-header": name} for name in ("a", "b", "c", "d")}
    schema = obj(o=obj(a=marks["a"], p=obj(b=marks["b"], c=marks["c"])), d=marks["d"])
    arguments = {"d": "4", "o": {"p": {"b": "2", "c": "3"}, "a": "1"}}
    assert headers(schema, arguments) == {
        f"mcp-param-{name}": value for name, value in zip("abcd", "1234", strict=True)
    }


# -- values


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("null", None),
        ("true", "true"),
        ("false", "false"),
        ("0", "0"),
        ("-7", "-7"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740993", "9007199254740993"),
        ("9" * 5000, "9" * 5000),
        ("1.0", "1"),
        ("-1.0", "-1"),
        ("-0.0", "0"),
        ("1e2", "100"),
        ("1.5", "1.5"),
        ("1.50", "1.5"),
        ("1e300", "1e+300"),
        ("1e400", None),
        ("-1e400", None),
        ('"us-west1"', "us-west1"),
        ('""', "=?base64??="),
        ('" padded "', "=?base64?IHBhZGRlZCA=?="),
        (r'"line1\nline2"', "=?base64?bGluZTEKbGluZTI=?="),
        (r'"caf\u00e9"', "=?base64?Y2Fmw6k=?="),
        (r'"cut \ud83d"', "=?base64?Y3V0IO+/vQ==?="),
        ("{}", None),
        ('{"a":"b"}', None),
        ('["us"]', None),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_the_argument_decides_the_value(written: str, value: str | None) -> None:
    found = {}
    for declared in ("string", "integer", "boolean"):
        learnt = ToolHeaders()
        learnt.read_tools(listed(tool("t", obj(v={"type": declared, "x-mcp-header": "V"}))))
        found[declared] = learnt.param_headers("t", Raw(b'{"name":"t","arguments":{"v":%b}}' % written.encode()))
    assert found == dict.fromkeys(found, () if value is None else ((b"mcp-param-v", value.encode()),))


@unhurried
@given(st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])))
def test_a_server_reads_the_argument_back(value: Any) -> None:
    found = headers(obj(v={"type": "string", "x-mcp-header": "V"}), {"v": value}).get("mcp-param-v")
    if found is not None and found.startswith("=?base64?") and found.endswith("?="):
        found = base64.b64decode(found[9:-2], validate=True).decode()
    assert found == (value if isinstance(value, str) or value is None else json.dumps(value))


@pytest.mark.parametrize(
    "params",
    [
        b"",
        b"null",
        b"[]",
        b'"arguments"',
        b"{}",
        b'{"arguments":null}',
        b'{"arguments":[{"o":1}]}',
        b'{"arguments":{}}',
        b'{"arguments":{"o":null}}',
        b'{"arguments":{"o":"r"}}',
        b'{"arguments":{"o":[{"r":"x"}]}}',
        b'{"arguments":{"o":{"r":null}}}',
        b'{"arguments":{"r":"x"}}',
        b"not JSON",
    ],
    ids=ascii,
)
def test_a_call_without_the_argument_has_no_header(params: bytes) -> None:
    learnt = ToolHeaders()
    learnt.read_tools(listed(tool("t", obj(o=obj(r=REGION)))))
    assert learnt.param_headers("t", Raw(params)) == ()


def test_odd_values_beside_the_argument_do_not_hide_it() -> None:
    learnt = ToolHeaders()
    learnt.read_tools(listed(tool("t", obj(o=obj(r=REGION)))))
    params = rb'{"_meta":{"n":1e400},"arguments":{"text":"cut \ud83d","o":{"\ude00":-1e400,"r":"x"}}}'
    assert learnt.param_headers("t", Raw(params)) == ((b"mcp-param-region", b"x"),)


# -- lists


def test_all_but_the_tools_left_out_stays_byte_for_byte() -> None:
    first = b'{ "name" : "a","n":1e400,"inputSchema":{"properties":{"r":{"x-mcp-header":"A","type":"string"}} } }'
    bad = b'{"name":"bad","inputSchema":{"x-mcp-header":"A"}}'
    last = rb'{"name":"b","description":"caf\u00e9 /\/"}'
    result = Raw(b'{"_meta": {"k": 1.0} ,"tools": [%b, %b,%b\t],"n\\u00e9":0.10,"ttlMs":5}' % (first, bad, last))
    read = ToolHeaders().read_tools(result)
    assert bytes(read.result) == b'{"_meta":{"k": 1.0},"tools":[%b,%b],"n\xc3\xa9":0.10,"ttlMs":5}' % (first, last)
    assert left_out(read) == ['"bad"']


def test_a_list_of_bad_tools_only_becomes_an_empty_one() -> None:
    read = ToolHeaders().read_tools(listed(tool("bad", {"x-mcp-header": "A"})))
    assert json.loads(bytes(read.result)) == {"tools": [], "nextCursor": "c"}


def test_good_marks_leave_the_result_the_same_object() -> None:
    result = listed(tool("a", obj(region=REGION)), tool("b", obj()))
    assert ToolHeaders().read_tools(result).result is result


def test_a_lone_surrogate_in_one_tool_hides_no_mark() -> None:
    odd = rb'{"name":"odd","description":"cut \ud83d","inputSchema":{"properties":{}}}'
    bad = b'{"name":"bad","inputSchema":{"x-mcp-header":"A"}}'
    marked = json.dumps(tool("marked", obj(region=REGION))).encode()
    learnt = ToolHeaders()
    read = learnt.read_tools(Raw(b'{"tools":[%b,%b,%b]}' % (odd, bad, marked)))
    assert left_out(read) == ['"bad"']
    assert [kept["name"] for kept in json.loads(bytes(read.result))["tools"]] == ["odd", "marked"]
    assert learnt.param_headers("marked", raw({"arguments": {"region": "x"}})) == ((b"mcp-param-region", b"x"),)


def test_the_pages_of_a_list_add_up_and_a_tool_listed_again_is_learnt_anew() -> None:
    learnt = ToolHeaders()
    params = raw({"arguments": {"region": "us", "zone": "z"}})
    learnt.read_tools(listed(tool("a", obj(region=REGION)), tool("b", obj(region=REGION))))
    learnt.read_tools(listed(tool("c", obj(region=REGION))))
    assert [len(learnt.param_headers(name, params)) for name in "abcd"] == [1, 1, 1, 0]
    learnt.read_tools(listed(tool("a", obj(zone={"type": "string", "x-mcp-header": "Zone"}))))
    learnt.read_tools(listed(tool("b", obj(region={"type": "string"}))))
    learnt.read_tools(listed(tool("c", {"x-mcp-header": "Root"})))
    assert learnt.param_headers("a", params) == ((b"mcp-param-zone", b"z"),)
    assert [learnt.param_headers(name, params) for name in "bc"] == [(), ()]


def test_a_tool_without_a_name_does_no_harm() -> None:
    read = ToolHeaders().read_tools(listed({"inputSchema": {"x-mcp-header": "A"}}, {"name": 5}, REGION, [REGION], "x"))
    assert left_out(read) == ['""']
    assert json.loads(bytes(read.result))["tools"] == [{"name": 5}, REGION, [REGION], "x"]


def test_the_words_of_a_server_are_short_and_on_one_line() -> None:
    name, header = "bad\n\x1b[2J" + "n" * 500, "h\r\n" + "h" * 500
    schema = obj(**{"p\u2028" * 300: {"type": "string", "x-mcp-header": header}})
    (tool_left_out,) = ToolHeaders().read_tools(listed(tool(name, schema))).left_out
    said = tool_left_out.tool + tool_left_out.reason
    assert said.isprintable()
    assert len(said) < 600


def test_only_so_many_tools_are_kept_and_the_oldest_go_first() -> None:
    learnt = ToolHeaders()
    learnt.read_tools(listed(*(tool(f"t{n}", obj(region=REGION)) for n in range(9_999))))
    learnt.read_tools(listed(tool("t0", obj(region=REGION)), *(tool(f"u{n}", obj(region=REGION)) for n in range(2))))
    params = raw({"arguments": {"region": "us"}})
    known = [name for name in ("t0", "t1", "t2", "u0", "u1") if learnt.param_headers(name, params)]
    assert known == ["t0", "t2", "u0", "u1"]


# -- anything at all

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
names = st.sampled_from(
    [
        "tools",
        "name",
        "inputSchema",
        "properties",
        "type",
        "string",
        "x-mcp-header",
        "items",
        "anyOf",
        "$defs",
        "default",
    ]
)
anything = st.recursive(
    scalars | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@unhurried
@given(anything, anything)
def test_no_result_and_no_params_make_it_fail(schema: Any, other: Any) -> None:
    learnt = ToolHeaders()
    for result in (raw_ascii(other), raw_ascii({"tools": other}), raw_ascii({"tools": [tool("t", schema), other]})):
        read = learnt.read_tools(result)
        assert read.left_out or read.result is result
        json.loads(bytes(read.result))
    for params in (raw_ascii(other), raw_ascii({"arguments": other}), raw_ascii({"arguments": schema})):
        learnt.param_headers("t", params)


@unhurried
@given(st.binary())
def test_no_bytes_make_it_fail(data: bytes) -> None:
    learnt = ToolHeaders()
    marked = data + b'"x-mcp-header"'
    assert learnt.read_tools(Raw(marked)) == ToolList(Raw(marked))
    learnt.read_tools(Raw(b'{"tools":[{"name":"t","inputSchema":{"x-mcp-header":%b}}]}' % data))
    learnt.param_headers("t", Raw(data))


def raw_ascii(value: Any) -> Raw:
    """JSON in which a lone surrogate is an escape, as it can come over the wire."""
    return Raw(json.dumps(value).encode())
