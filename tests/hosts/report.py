"""What the runs of all hosts found, as a table; the rows are JSON, one a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.hosts.host import Host

SCENARIOS = {
    "plain": "plain server",
    "at-once": "consent at once",
    "after-20-s": "consent after 20 s",
    "refused": "refused",
    "no-one": "no one consents",
    "dead": "server down",
    "wrong-name": "wrong name",
}
"""The scenarios and their headings."""

MEASURED = {
    "version": "version",
    "client": "clientInfo.name",
    "opens-with": "opens with",
    "patience": "patience s",
    "passes-desktop": "passes DISPLAY",
    "lists-again": "lists again",
    "lists-again-modern": "lists again, 2026-07-28",
    "shows": "shows an error in",
    "restarts-on-progress": "progress keeps a call",
    "call-silent": "a call that is too long",
    "call-kept alive": "with --keep-alive",
    "reads-one-page": "reads one page of",
    "pages": "pages of tools with the bridge, of 3",
    "all-faults": "good tools shown among bad ones",
    "all-faults2026-07-28": "the same of a server of 2026-07-28",
    "odd-result": "gets a result that its schema does not fit",
}
"""What is measured of a host, and the headings."""


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one row."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows so far, none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def outcomes(hosts: Sequence[Host], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in Markdown what came of each scenario, a line a host. A `!` marks what must not be."""
    return _laid_out(hosts, rows, SCENARIOS, lambda row: f"{row['what']}, {row['seconds']:.0f} s")


def measurements(hosts: Sequence[Host], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in Markdown what each host does, as measured. A `!` marks what its row says otherwise."""
    return _laid_out(hosts, rows, MEASURED, lambda row: str(row["what"]))


def faults(hosts: Sequence[Host], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in Markdown what each host shows of a server with a bad tool, a line a fault: as it came, then mended."""
    found = {(row["host"], row["scenario"], row["way"]): str(row["what"]) for row in rows if "way" in row}
    shown = [host.name for host in hosts if any(name == host.name for name, _, _ in found)]
    lines = [["fault", *shown]]
    for fault in dict.fromkeys(fault for _, fault, _ in found):
        ways = [[found.get((name, fault, way), "") for way in ("as it came", "mended")] for name in shown]
        lines.append([fault, *(" → ".join(dict.fromkeys(filter(None, both))) for both in ways)])
    return _table(lines)


def _laid_out(
    hosts: Sequence[Host],
    rows: Sequence[Mapping[str, Any]],
    headings: Mapping[str, str],
    said: Callable[[Mapping[str, Any]], str],
) -> str:
    """One table; empty where no row belongs in it."""
    cells = {
        (row["host"], row["scenario"]): ("" if row["holds"] else "! ") + said(row)
        for row in rows
        if row["scenario"] in headings
    }
    lines = [["host", *headings.values()]]
    for host in hosts:
        own = [cells.get((host.name, scenario), "") for scenario in headings]
        if any(own):
            lines.append([host.name, *own])
    return _table(lines)


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as a table in Markdown, the first for the headings; empty where there is no other."""
    if len(lines) == 1:
        return ""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    laid = [" | ".join(map(str.ljust, line, widths)) for line in lines]
    return "\n".join(
        [
            f"| {laid[0]} |",
            "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            *(f"| {line} |" for line in laid[1:]),
        ]
    )
