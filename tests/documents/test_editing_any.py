"""Any document, any member: it is added and removed, and the text from before is back, byte for byte."""

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from bridge.documents.editing import Format, missing_parents, with_value, without
from bridge.documents.reading import BrokenConfig, parse_json, parse_toml, parse_yaml
from bridge.documents.splices import RefusedEdit

NAMES = st.sampled_from(["a", "b", "mcpServers", "a.b", 'q"u', "ä", "__proto__"]) | st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), max_size=5
)
SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "// no", "# no", "a: b", "{,}", '"\\'])
)
VALUES = st.recursive(
    st.text(max_size=8) | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
NAME_LISTS: st.SearchStrategy[list[str]] = st.lists(NAMES, max_size=3, unique=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
GAPS = st.sampled_from(
    ["", "", " ", "\n", "\n  ", "\n\t", "\n    ", " // c\n", "/* c, } */", "\n\n  ", "\n  // x: {\n", " \n"]
)


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 0) -> str:
    """JSON with white space and comments wherever they may be."""

    def gap() -> str:
        return draw(GAPS)

    if depth and (depth > 2 or draw(st.booleans())):
        return json.dumps(draw(SCALARS))
    members: list[str] = [
        "".join([gap(), json.dumps(name), gap(), ":", gap(), draw(json_texts(depth + 1)), gap()])
        for name in draw(NAME_LISTS)
    ]
    inside: str = ",".join(members) or gap()
    has_comma: bool = draw(st.booleans())
    if members and has_comma:
        inside += f",{gap()}"
    text = f"{{{inside}}}"
    return text if depth else f"{gap()}{text}{gap()}"


@st.composite
def toml_texts(draw: st.DrawFn) -> str:
    """TOML: keys, dotted and quoted, tables, inline tables and arrays of tables, with comments and empty lines."""
    names = st.sampled_from(["a", "b", "mcpServers", '"a.b"', "'ä'"])
    values = st.sampled_from(
        ["1", '"x # y"', "true", "[1,\n # c\n 2]", '"""a\n[b]\n"""', "{ a = 1, b = { mcpServers = {} } }", "{}"]
    )
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["key", "key", "dotted", "table", "table", "array", "comment", "blank"]))
        key, other = draw(names), draw(names)
        behind = draw(st.sampled_from(["", "  # c", " "]))
        indent = draw(st.sampled_from(["", "", "  "]))
        line = {
            "key": f"{key} = {draw(values)}",
            "dotted": f"{key} . {other} = {draw(values)}",
            "table": f"[{key}]" if draw(st.booleans()) else f"[ {key}.{other} ]",
            "array": f"[[{key}]]",
            "comment": "# [x]",
            "blank": "",
        }[kind]
        lines.append(indent + line + behind)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))


@st.composite
def yaml_texts(draw: st.DrawFn, depth: int = 0, indent: str = "") -> str:
    """YAML: mappings in blocks and in braces, lists, block scalars, missing values, comments and empty lines."""
    lines = []
    for name in draw(st.lists(st.sampled_from(["a", "b", "mcpServers", '"a.b"', "ä"]), max_size=3, unique=True)):
        lines += [indent + line for line in draw(st.sampled_from([[], [], ["# c"], [""]]))]
        behind = draw(st.sampled_from(["", "", "  # c"]))
        kind = draw(st.sampled_from(["scalar", "mapping", "flow", "list", "text", "nothing"]))
        if kind == "mapping" and depth < 2:
            inner = draw(yaml_texts(depth + 1, indent + draw(st.sampled_from(["  ", "    ", " "]))))
            lines += [f"{indent}{name}:{behind}", *([inner] if inner else [])]
        elif kind == "flow":
            flow = draw(st.sampled_from(["{}", "{ }", "{a: 1}", "{ a: {b: 2}, b: x }", "{\n  a: 1 }"]))
            lines.append(f"{indent}{name}: {flow.replace(chr(10), chr(10) + indent)}{behind}")
        elif kind == "list":
            lines += [f"{indent}{name}:", f"{indent}- x{behind}", f"{indent}- y: 1"]
        elif kind == "text":
            lines += [f"{indent}{name}: |", f"{indent}  # text", "", f"{indent}  more"]
        else:
            value = draw(st.sampled_from([" x", " 1", ' "q"'])) if kind == "scalar" else ""
            lines.append(f"{indent}{name}:{value}{behind}")
    text = "\n".join(lines)
    if depth:
        return text
    head = draw(st.sampled_from(["", "", "---\n", "# c\n", "%YAML 1.2\n---\n"]))
    return head + text + draw(st.sampled_from(["", "\n", "\n\n", "\n# end\n"]))


def check(text: str, form: Format, path: tuple[str, ...], value: Any, is_crlf: bool) -> bool:
    """Add and remove; whether that was allowed."""
    if is_crlf:
        text = text.replace("\n", "\r\n")
    try:
        parents = missing_parents(text, form, path)
        after = with_value(text, form, path, value)
    except RefusedEdit:
        return False
    if is_crlf:
        assert re.search(r"\r(?!\n)|(?<!\r)\n", after) is None or "\n" not in text
    if parents or without(text, form, path) == text:
        back = without(after, form, path, parents)
        # In TOML the header that a value needs may have been there before, so it stays.
        assert back == text or (form == "toml" and not isinstance(value, dict) and parse_toml(back) is not None)
    assert with_value(after, form, path, value) == after or parse(form, with_value(after, form, path, value)) == parse(
        form, after
    )
    return True


TOKENS: dict[Format, list[str]] = {
    "json": [*'{}[],:"\\ \n\t', '"m"', '"x"', "1", "null", "\r\n", "// c\n", "/* c */"],
    "toml": [
        *"{}[],.= \n\r1mx",
        "[m]",
        "[m.x]",
        "[[m]]",
        '"s"',
        "# c\n",
        '"""',
        "'''",
        "m.x = 1\n",
        "x = {}\n",
        "m = {",
    ],
    "yaml": [
        *" {}[],\n\t1",
        "m:",
        "x:",
        "\n  ",
        "\r\n",
        "- ",
        '"s"',
        "# c\n",
        ">-\n",
        "&k ",
        "*k",
        "<<: ",
        "---\n",
        "...\n",
        "? ",
        "!!str ",
        "!t ",
        ": ",
        "%YAML 1.2\n",
    ],
}


def parse(form: Format, text: str) -> object:
    parsers: dict[Format, Callable[[str], object]] = {"json": parse_json, "toml": parse_toml, "yaml": parse_yaml}
    return parsers[form](text)


ANY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)


@ANY
@given(json_texts(), PATHS, VALUES, st.booleans())
def test_json_is_as_before(text: str, path: tuple[str, ...], value: Any, is_crlf: bool) -> None:
    check(text, "json", path, value, is_crlf)


@ANY
@given(toml_texts(), PATHS, VALUES, st.booleans())
def test_toml_is_as_before(text: str, path: tuple[str, ...], value: Any, is_crlf: bool) -> None:
    try:
        parse_toml(text)
    except BrokenConfig:
        reject()
    check(text, "toml", path, value, is_crlf)


@ANY
@given(yaml_texts(), PATHS, VALUES, st.booleans())
def test_yaml_is_as_before(text: str, path: tuple[str, ...], value: Any, is_crlf: bool) -> None:
    check(text, "yaml", path, value, is_crlf)


@ANY
@given(st.data(), st.sampled_from(["json", "toml", "yaml"]), VALUES)
def test_any_text_is_changed_or_refused(data: st.DataObject, form: Format, value: Any) -> None:
    """No other exception comes from a parser or from the search for places."""
    text = "".join(data.draw(st.lists(st.sampled_from(TOKENS[form]), max_size=14)))
    with contextlib.suppress(BrokenConfig, RefusedEdit):
        parse(form, with_value(text, form, ("m", "x"), value))
    with contextlib.suppress(BrokenConfig, RefusedEdit):
        without(text, form, ("m", "x"), missing_parents(text, form, ("m", "y")))
