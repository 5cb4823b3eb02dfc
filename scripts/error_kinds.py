"""Write the table of error kinds in docs/troubleshooting.md anew: `--write`. Without it, print the table.

The rows are the members of `bridge.errors.ErrorKind`, in their order, with the text under each.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, run_script

PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCE = ROOT / "bridge" / "errors.py"
BEGIN = "<!-- begin of what scripts/error_kinds.py writes -->\n"
END = "<!-- end of what scripts/error_kinds.py writes -->\n"
HEAD = "| kind | what happened | what you do |\n|---|---|---|\n"


def main(arguments: Sequence[str]) -> int:
    """Print or write the table; returns 0."""
    match arguments:
        case []:
            sys.stdout.write(table(SOURCE.read_text("utf-8")))
        case ["--write"]:
            PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(SOURCE.read_text("utf-8"))), "utf-8")
        case _:
            raise SetupError("usage: python3 scripts/error_kinds.py [--write]")
    return 0


def table(source: str) -> str:
    """The table in Markdown, of the source of `bridge/errors.py`."""
    return HEAD + "".join(f"| `{kind}` | {happened} | {to_do} |\n" for kind, happened, to_do in rows(source))


def rows(source: str) -> list[tuple[str, str, str]]:
    """Each kind, when the host is told so, and what the user does."""
    [kinds] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "ErrorKind"]
    found: list[tuple[str, str, str]] = []
    for member, text in zip(kinds.body[1::2], kinds.body[2::2], strict=True):
        match member, text:
            case ast.Assign(value=ast.Constant(value=str(kind))), ast.Expr(value=ast.Constant(value=str(words))):
                happened, _, to_do = re.sub(r"\s+", " ", words.strip()).partition(". ")
                found.append((kind, happened, to_do))
            case _:
                raise ValueError(f"line {member.lineno}: a kind and its text were expected")
    return found


def with_table(page: str, fresh: str) -> str:
    """The page with this table between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("The page has no place for the table of error kinds")
    return before + BEGIN + fresh + END + after


if __name__ == "__main__":
    sys.exit(run_script(main))
