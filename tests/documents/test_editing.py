"""One member changed in a text of each format: what is there afterwards, and what came back when it is removed."""

from pathlib import Path
from typing import Any

import pytest

from bridge.documents.editing import Format, format_of, missing_parents, with_value, without
from bridge.documents.reading import BrokenConfig
from bridge.documents.splices import RefusedEdit

ENTRY: dict[str, Any] = {"command": "/opt/b", "args": ["run", "github"], "env": {"A": "b: c"}}
PATHS: dict[Format, tuple[str, ...]] = {
    "json": ("mcpServers", "x"),
    "toml": ("mcp_servers", "x"),
    "yaml": ("extensions", "x"),
}


def round_trip(text: str, form: Format, path: tuple[str, ...] | None = None, value: object = ENTRY) -> str:
    """The text with the value; its removal is checked."""
    path = PATHS[form] if path is None else path
    parents = missing_parents(text, form, path)
    after = with_value(text, form, path, value)
    assert without(after, form, path, parents) == text
    return after


def test_a_format_is_told_by_the_name_of_the_file() -> None:
    names = ("a.json", "a.jsonc", "config", "config.toml", "config.yaml", "A.YML")
    assert [format_of(Path(name)) for name in names] == ["json", "json", "json", "toml", "yaml", "yaml"]


@pytest.mark.parametrize("form", ["json", "toml", "yaml"])
def test_what_was_there_is_replaced_in_its_place(form: Format) -> None:
    path = PATHS[form]
    one = with_value(with_value("", form, path, ENTRY), form, (path[0], "last"), {"command": "z"})
    other = with_value(one, form, path, {"command": "y", "args": []})
    assert "/opt/b" not in other
    assert other.index("y") < other.index("last")
    assert without(other, form, path) == without(one, form, path)


@pytest.mark.parametrize("form", ["json", "toml", "yaml"])
def test_what_is_missing_is_removed_without_a_change(form: Format) -> None:
    text = with_value("", form, PATHS[form], ENTRY)
    assert without(text, form, (PATHS[form][0], "no"), 2) == text
    assert without("", form, PATHS[form], 2) == ""


@pytest.mark.parametrize("form", ["json", "toml", "yaml"])
@pytest.mark.parametrize(
    "name", ["a.b", 'a"b', "a'b", "ä ö", "__proto__", "x" * 5000, "", "~", "null", "1", "a: b", "#"]
)
def test_any_name_is_kept_as_it_is(form: Format, name: str) -> None:
    round_trip("", form, (PATHS[form][0], name))
    round_trip(with_value("", form, PATHS[form], ENTRY), form, (PATHS[form][0], name))


@pytest.mark.parametrize("form", ["json", "toml", "yaml"])
def test_a_byte_order_mark_stays_first(form: Format) -> None:
    assert round_trip("\ufeff", form).startswith("\ufeff")


@pytest.mark.parametrize(
    ("form", "text", "says"),
    [
        ("json", '{"mcpServers": []}', "its member mcpServers is not an object, but an array"),
        ("json", '{"mcpServers": null}', "its member mcpServers is not an object, but null"),
        ("json", "null", "it is not an object, but null"),
        (
            "yaml",
            "a:\n  - b: 1\n    c: 2\n    b: 3\n",
            "line 4, column 5: the name there is also in line 2, in the same",
        ),
        ("json", "[]", "it is not an object, but an array"),
        (
            "json",
            '{\n"mcpServers": {},\n"mcpServers": {}}',
            'the name "mcpServers" is more than once in one object, in lines 2 and 3',
        ),
        ("toml", "mcp_servers = 1", "its member mcp_servers is not an object, but a number"),
        ("yaml", "a: &x\n  b: 1\nextensions: *x\n", "its member extensions is an alias of another place in it"),
        ("yaml", "a: &x\n  extensions:\n    b: 1\n<<: *x\n", "comes from another place of it, by a merge key"),
        ("yaml", "a: &x {}\nextensions: &y\n  a: 1\nb: *y\n", "would have damaged other parts"),
        ("yaml", "a: 1\n---\nb: 2\n", "several documents"),
        ("yaml", "extensions: ~\n", "its member extensions is null"),
        ("yaml", "- a\n", "it is not an object, but an array"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(form: Format, text: str, says: str) -> None:
    with pytest.raises((RefusedEdit, BrokenConfig)) as raised:
        with_value(text, form, PATHS[form], ENTRY)
    assert says in str(raised.value)
