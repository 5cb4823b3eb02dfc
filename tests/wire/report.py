"""What the runs at all equipment found, as a table; the rows are JSON, one a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one row: `equipment`, `scene`, `door`, `holds`, or `equipment` and `version`."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows so far, none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def summary(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in Markdown what held, a line a scene and a column a piece of equipment.

    `held` is one run; `held 3` three; `NOT 1 of 3` marks what must not be. Empty where nothing was run.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        if "scene" in row:
            found.setdefault(row["scene"], {}).setdefault(row["equipment"], []).append(row["holds"])
    if not found:
        return ""
    ran = [name for name in names if any(name in line for line in found.values())]
    lines = [["scene", *ran]]
    lines += [[scene, *(_cell(line.get(name, [])) for name in ran)] for scene, line in found.items()]
    versions = {row["equipment"]: row["version"] for row in rows if "version" in row}
    held = sum(row["holds"] for row in rows if "scene" in row)
    count = sum("scene" in row for row in rows)
    said = [f"{held} of {count} held.", *(f"{name}: {versions[name]}" for name in ran if name in versions)]
    return "\n".join([*_laid_out(lines), "", *said])


def _cell(every: Sequence[bool]) -> str:
    if not every:
        return ""
    count = "" if len(every) == 1 else f" {len(every)}"
    failed = len(every) - sum(every)
    return f"held{count}" if not failed else f"NOT {failed} of {len(every)}"


def _laid_out(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    laid = [" | ".join(map(str.ljust, line, widths)) for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [f"| {laid[0]} |", rule, *(f"| {line} |" for line in laid[1:])]
