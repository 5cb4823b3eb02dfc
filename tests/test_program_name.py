"""The program's name stands in one place, and everything else takes it from there."""

import ast
from collections.abc import Iterator
from pathlib import Path

from bridge import PROGRAM
from scripts.syntax import nodes_of

ROOT = Path(__file__).resolve().parents[1] / "bridge"


def written_out(source: str) -> Iterator[int]:
    """The lines of strings that hold the name, apart from docstrings."""
    nodes = nodes_of(source)
    texts = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and id(node) not in texts:
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(text, str) and PROGRAM in text:
                yield node.lineno


def test_only_one_module_writes_the_name_out() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): list(written_out(path.read_text("utf-8"))) for path in ROOT.rglob("*.py")
    }
    found = {path: lines for path, lines in found.items() if lines}
    assert {path: len(lines) for path, lines in found.items()} == {"__init__.py": 1}, found


def test_a_name_that_is_written_out_is_found() -> None:
    source = f'"""{PROGRAM}"""\na = "{PROGRAM} login"\nb = b"{PROGRAM}"\nc = f"{{a}} {PROGRAM}"\n'
    assert list(written_out(source)) == [2, 3, 4]
