"""A member added to JSON with comments is written as its neighbours are, and one removed takes nothing of theirs."""

import json
import time
from typing import Any

import pytest

from bridge.documents.editing import with_value, without
from tests.documents.test_editing import round_trip

PATH = ("mcpServers", "x")
VALUE: dict[str, Any] = {"command": "/opt/b", "args": ["run", "x"]}

LINE = '"x": {"command": "/opt/b", "args": ["run", "x"]}'


def lines(indent: str, unit: str) -> str:
    return f'{indent}"x": {{\n{indent}{unit}"command": "/opt/b",\n{indent}{unit}"args": ["run", "x"]\n{indent}}}'


TWO, FOUR, TABS = lines("    ", "  "), lines(" " * 8, " " * 4), lines("\t\t", "\t")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"mcpServers":{}}', '{"mcpServers":{"x":{"command":"/opt/b","args":["run","x"]}}}'),
        ('{"mcpServers": {"a": {}}}', f'{{"mcpServers": {{"a": {{}}, {LINE}}}}}'),
        ('{ "mcpServers": { "a": 1 } }', f'{{ "mcpServers": {{ "a": 1, {LINE} }} }}'),
        ('{\n  "mcpServers": {\n    "a": {}\n  }\n}\n', f'{{\n  "mcpServers": {{\n    "a": {{}},\n{TWO}\n  }}\n}}\n'),
        ('{\n\t"mcpServers": {\n\t\t"a": 1,\n\t},\n}', f'{{\n\t"mcpServers": {{\n\t\t"a": 1,\n{TABS},\n\t}},\n}}'),
        ('{\n  "mcpServers": {\n    "a": 1 // one\n    // "b": 2\n  }\n}',
         f'{{\n  "mcpServers": {{\n    "a": 1, // one\n    // "b": 2\n{TWO}\n  }}\n}}'),
        ('{\n    "mcpServers": {}\n}', f'{{\n    "mcpServers": {{\n{FOUR}\n    }}\n}}'),
        ('{\n  "mcpServers": {\n  }\n}', f'{{\n  "mcpServers": {{\n{TWO}\n\n  }}\n}}'),
        ("// mine\n", f'// mine\n{{\n  "mcpServers": {{\n{TWO}\n  }}\n}}\n'),
    ],
)  # fmt: skip
def test_a_new_member_has_the_style_of_the_file(before: str, after: str) -> None:
    assert round_trip(before, "json", PATH, VALUE) == after
    assert round_trip(before.replace("\n", "\r\n"), "json", PATH, VALUE) == after.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a": 1, "x": 2, "b": 3}', '{"a": 1, "b": 3}'),
        ('{"x": 2, "b": 3}', '{"b": 3}'),
        ('{"a": 1, "x": 2}', '{"a": 1}'),
        ('{"x": 2}', "{}"),
        ('{\n  "x": 2\n}', "{}"),
        ('{\n  // of a\n  "a": 1,\n  // of x\n  "x": {\n  }, // end of x\n  // of b\n  "b": 3 // b\n}',
         '{\n  // of a\n  "a": 1,\n  // of x\n  // of b\n  "b": 3 // b\n}'),
        ('{\n  "a": 1, // of a\n  "x": 2 // of x\n}', '{\n  "a": 1 // of a\n}'),
        ('{\n  "a": 1,\n\n  "x": 2,\n}', '{\n  "a": 1,\n\n}'),
        ('{\n  "x": 2, "a": 1\n}', '{\n  "a": 1\n}'),
        ('{\n  "a": 1, "x": 2 // both\n}', '{\n  "a": 1 // both\n}'),
        ('{ // c\n"x":null}', "{ // c\n}"),
        ('{\n  "a": 1 /* , */ ,\n  "x": 2\n}', '{\n  "a": 1 /* , */ \n}'),
    ],
)  # fmt: skip
def test_a_member_goes_with_its_comma_and_its_line(before: str, after: str) -> None:
    assert without(before, "json", ("x",)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{\n  "x": "old", // c\n  "b": 1\n}', f'{{\n{lines("  ", "  ")}, // c\n  "b": 1\n}}'),
        ('{\n  "x": {"old": 1}\n}', f"{{\n  {LINE}\n}}"),
        ('{"x":{"old":1}}', '{"x":{"command":"/opt/b","args":["run","x"]}}'),
    ],
)  # fmt: skip
def test_another_value_has_the_form_of_the_one_before(before: str, after: str) -> None:
    assert with_value(before, "json", ("x",), VALUE) == after


def test_a_list_that_is_long_or_holds_objects_has_a_line_for_each() -> None:
    text = with_value("", "json", ("a",), [{"b": 1}, "x" * 100])
    assert text == f'{{\n  "a": [\n    {{\n      "b": 1\n    }},\n    "{"x" * 100}"\n  ]\n}}\n'


def test_half_of_a_surrogate_pair_is_written_as_an_escape() -> None:
    text = with_value("", "json", ("a",), "\ud800ä\N{GRINNING FACE}")
    assert text.encode() == '{\n  "a": "\\ud800ä\N{GRINNING FACE}"\n}\n'.encode()


def test_a_large_file_is_changed_in_seconds() -> None:
    """Claude Code keeps much more than servers in its file; a quadratic search would take minutes."""
    servers = {f"s{number}": {"command": "x", "args": ["a"] * 5} for number in range(4000)}
    text = json.dumps({"mcpServers": servers}, indent=2)
    before = time.process_time()
    with_value(text, "json", PATH, VALUE)
    assert time.process_time() - before < 20
