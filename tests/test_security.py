"""SECURITY.md names tests and files that there are."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.count("|") == 5 and "---" not in line and "| guard |" not in line]


@cache
def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_a_test_that_is_named_is_there() -> None:
    assert len(NAMED) > 80
    assert [f"{file}::{name}" for file, name in NAMED if name not in functions_of(ROOT / file)] == []
    assert [name for _, name in NAMED if not name.startswith("test_")] == []


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
