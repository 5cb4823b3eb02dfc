"""A member added to YAML is indented as its neighbours are, and one removed takes nothing of theirs."""

from typing import Any

import pytest

from bridge.documents.editing import with_value, without
from tests.documents.test_editing import round_trip

PATH = ("extensions", "x")
VALUE: dict[str, Any] = {"cmd": "b", "args": ["run", "yes"], "enabled": True, "envs": {"A": "012", "B": "c: d"}}


def lines(indent: str, unit: str) -> str:
    inner = indent + unit
    members = f"{inner}cmd: b\n{inner}args:\n{inner}- run\n{inner}- 'yes'\n{inner}enabled: true\n{inner}envs:\n"
    return f"{indent}x:\n{members}{inner}{unit}A: '012'\n{inner}{unit}B: 'c: d'\n"


FLOW = '"x": {"cmd": "b", "args": ["run", "yes"], "enabled": true, "envs": {"A": "012", "B": "c: d"}}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"extensions:\n{lines('  ', '  ')}"),
        ("# mine\n---\n", f"# mine\n---\nextensions:\n{lines('  ', '  ')}"),
        ("extensions: # none\nb: 1\n", f"extensions: # none\n{lines('  ', '  ')}b: 1\n"),
        ("extensions:\n  a: 1 # c\n  # d: 2\n\n# of b\nb: 1\n",
         f"extensions:\n  a: 1 # c\n  # d: 2\n{lines('  ', '  ')}\n# of b\nb: 1\n"),
        ("extensions:\n    a:\n        c: |\n            text\n\nb: 1\n",
         f"extensions:\n    a:\n        c: |\n            text\n{lines('    ', '    ')}\nb: 1\n"),
        ("extensions:\n  a: &a\n    c: 1\n  b: *a\n", f"extensions:\n  a: &a\n    c: 1\n  b: *a\n{lines('  ', '  ')}"),
        ("a: 1\n...\n", f"a: 1\nextensions:\n{lines('  ', '  ')}...\n"),
        ("extensions: {}\n", f"extensions: {{{FLOW}}}\n"),
        ("extensions: { a: 1 } # c\n", f"extensions: {{ a: 1, {FLOW} }} # c\n"),
        ("extensions:\n  a: 1\n  ? b\n", f"extensions:\n  a: 1\n  ? b\n{lines('  ', '  ')}"),
        ("extensions: {a}\n", f"extensions: {{a, {FLOW}}}\n"),
        ("%YAML 1.1\n---\na: yes\n", f"%YAML 1.1\n---\na: yes\nextensions:\n{lines('  ', '  ')}"),
    ],
)  # fmt: skip
def test_a_new_member_is_indented_as_its_neighbours(before: str, after: str) -> None:
    assert round_trip(before, "yaml", PATH, VALUE) == after
    if before:
        assert round_trip(before.replace("\n", "\r\n"), "yaml", PATH, VALUE) == after.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("extensions:\n  # of a\n  a: 1\n  # of x\n  x:\n    c: 1 # d\n    # e\n  # of b\n  b: 2\n",
         "extensions:\n  # of a\n  a: 1\n  # of x\n    # e\n  # of b\n  b: 2\n"),
        ("extensions:\n  x: 1\nb: 2\n", "extensions:\nb: 2\n"),
        ("extensions: {x: 1, b: 2}\n", "extensions: {b: 2}\n"),
        ("extensions: {b: 2, x: [1, 2]}\n", "extensions: {b: 2}\n"),
        ("extensions: {x: 1}\n", "extensions: {}\n"),
        ("extensions:\n  a: |\n    text\n  x: 1", "extensions:\n  a: |\n    text\n"),
        ("extensions:\n  ? x\n  : 1\n  b: 2\n", "extensions:\n  b: 2\n"),
        ("extensions:\n  x: \n\n  b: 2\n", "extensions:\n\n  b: 2\n"),
    ],
)  # fmt: skip
def test_a_member_goes_with_its_lines(before: str, after: str) -> None:
    assert without(before, "yaml", PATH) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("extensions:\n  x: old # c\n  b: 1\n", f"extensions:\n{lines('  ', '  ')[:-1]} # c\n  b: 1\n"),
        ("extensions: {x: old, b: 1}\n", f"extensions: {{x: {FLOW[5:]}, b: 1}}\n"),
    ],
)
def test_another_value_comes_in_its_place(before: str, after: str) -> None:
    assert with_value(before, "yaml", PATH, VALUE) == after


def test_a_file_that_refers_to_one_value_very_often_is_compared_in_no_time() -> None:
    """A thousand million values, by nine steps of ten aliases each."""
    steps = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    round_trip("\n".join(["a: &a [1]", *steps, "extensions:\n  y: 1\n"]), "yaml", PATH, VALUE)
