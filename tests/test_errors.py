"""The errors that every room may raise or tell."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import ErrorKind
from scripts.syntax import nodes_of

ROOT = Path(__file__).resolve().parents[1] / "bridge"


def used() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        for node in nodes_of(path.read_text("utf-8")):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorKind":
                yield node.attr


def test_each_kind_of_error_is_told_somewhere() -> None:
    assert set(ErrorKind.__members__) - set(used()) == set()


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_kind_is_the_word_that_stands_on_the_wire(kind: ErrorKind) -> None:
    assert kind == kind.name.lower().replace("_", "-") == f"{kind}"
