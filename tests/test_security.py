"""SECURITY.md names tests and files that there are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.count("|") == 5 and "---" not in line and "| guard |" not in line]


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions_of(ROOT / file)


def test_every_guard_has_a_place_and_a_test() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        _, guard, against, where, held_by, _ = row.split("|")
        assert guard.strip(), row
        assert against.strip(), row
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", held_by), row
        for place in re.findall(r"`([^`]+)`", where):
            found = [ROOT / place, ROOT / "bridge" / place, ROOT / "bridge" / f"{place}.py"]
            assert any(path.exists() for path in found), f"{place} of: {row}"
