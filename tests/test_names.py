"""One name, one meaning: no class name of the program is defined twice."""

import ast
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from scripts.syntax import tree_of

ROOT = Path(__file__).resolve().parents[1]


def classes_of(source: str) -> Iterator[str]:
    """The names of the classes at the head of a module. A nested class has its owner's name too."""
    for node in tree_of(source).body:
        if isinstance(node, ast.ClassDef):
            yield node.name


def defined_twice(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """The class names that more than one place defines, with the modules."""
    found: dict[str, list[str]] = defaultdict(list)
    for module, source in sources.items():
        for name in classes_of(source):
            found[name].append(module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def test_no_class_name_is_defined_twice() -> None:
    files = sorted((ROOT / "bridge").rglob("*.py"))
    assert len(files) > 200
    assert defined_twice({str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}) == {}


@pytest.mark.parametrize(
    ("second", "found"),
    [
        ("class Call:\n    pass", {"Call": ["a", "b"]}),
        ("class Other:\n    class Call:\n        pass", {}),
        ("Call = 1\n\n\ndef call(): ...", {}),
    ],
)
def test_a_name_that_is_defined_twice_is_found(second: str, found: dict[str, list[str]]) -> None:
    first = textwrap.dedent('''
        """Calls."""

        class Call:
            pass
    ''')
    assert defined_twice({"a": first, "b": second}) == found
