"""The result as people and programs read it: the markdown table, a verdict for each goal, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.benchmark.columns import BRIDGE, FLOOR, PEERS
from scripts.benchmark.pairs import UNTRANSLATED
from scripts.benchmark.rows import Row

IDLE_MEMORY_MB = 32.0
BIG_TIMES_FLOOR = 1.3
IDLE_WAKE_UPS = 0.0
TRANSLATED_TIMES = 1.1

# These must be no worse than the better peer.
_AGAINST_PEERS = ("start", "call", "parallel", "progress")


@dataclass(frozen=True)
class Verdict:
    """Whether a goal was reached; `held` is None when something needed for the answer is missing."""

    goal: str
    held: bool | None
    why: str


def best_peer(row: Row) -> tuple[str, float] | None:
    """Return the better peer's name and value, if any peer has one."""
    found = [(row.values[name], name) for name in PEERS if name in row.values]
    if not found:
        return None
    value, name = max(found) if row.more_is_better else min(found)
    return name, value


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Return a verdict for each goal whose row was taken."""
    found = []
    ours = {row.key: row.values[BRIDGE] for row in rows if BRIDGE in row.values}
    for row in rows:
        if row.key in _AGAINST_PEERS:
            found.append(_against_peer(row))
        elif row.key == "memory":
            found.append(_at_most(row, IDLE_MEMORY_MB, f"at most {IDLE_MEMORY_MB:.0f} MB"))
        elif row.key == "idle-wakes":
            found.append(_at_most(row, IDLE_WAKE_UPS, "none"))
        elif row.key == "big":
            floor = row.values.get(FLOOR)
            limit = None if floor is None else BIG_TIMES_FLOOR * floor
            found.append(_at_most(row, limit, f"at most {BIG_TIMES_FLOOR} times the floor"))
        elif row.key in UNTRANSLATED:
            found.append(_translation(row, ours.get(UNTRANSLATED[row.key])))
    return found


def _against_peer(row: Row) -> Verdict:
    goal = f"{row.title}: no worse than the better peer"
    peer, ours = best_peer(row), row.values.get(BRIDGE)
    if peer is None or ours is None:
        return Verdict(goal, None, _absent(row, "no peer has a number" if peer is None else ""))
    held = ours >= peer[1] if row.more_is_better else ours <= peer[1]
    return Verdict(goal, held, f"{number(ours)} against {number(peer[1])} {row.unit} of {peer[0]}")


def _translation(row: Row, untranslated: float | None) -> Verdict:
    goal = f"{row.title}: at most {TRANSLATED_TIMES} times the same server's untranslated"
    ours = row.values.get(BRIDGE)
    if untranslated is None or ours is None:
        return Verdict(goal, None, _absent(row, "no untranslated call has a number"))
    times = ours / untranslated
    why = f"{number(ours)} against {number(untranslated)} {row.unit}: {times:.2f} times"
    return Verdict(goal, times <= TRANSLATED_TIMES, why)


def _at_most(row: Row, limit: float | None, words: str) -> Verdict:
    goal = f"{row.title}: {words}"
    ours = row.values.get(BRIDGE)
    if limit is None or ours is None:
        return Verdict(goal, None, _absent(row, "no floor" if limit is None else ""))
    if BRIDGE in row.doubts:
        return Verdict(goal, None, row.doubts[BRIDGE])
    return Verdict(goal, ours <= limit, f"{number(ours)} against {number(limit)} {row.unit}".rstrip())


def _absent(row: Row, otherwise: str) -> str:
    if BRIDGE in row.values:
        return otherwise
    return f"the bridge has no number ({row.missing.get(BRIDGE, 'not measured')})"


def number(value: float) -> str:
    """Return a number with as many digits as mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the table; ratios are over the better peer, over the floor, and of a translated call over another."""
    ours = {row.key: row.values[BRIDGE] for row in rows if BRIDGE in row.values}
    ratios = [f"{BRIDGE} / better peer", f"{BRIDGE} / {FLOOR}", "translated / not"] if BRIDGE in columns else []
    if not any(row.key in UNTRANSLATED for row in rows):
        del ratios[2:]
    lines = [["", *columns, *ratios]]
    for row in rows:
        cells = [f"{row.title} ({row.unit})" if row.unit else row.title]
        cells += [number(row.values[name]) if name in row.values else "n/a" for name in columns]
        if ratios:
            peer = best_peer(row)
            cells.append(_ratio(row, None if peer is None else peer[1]))
            cells.append(_ratio(row, row.values.get(FLOOR)))
        if len(ratios) > 2:
            cells.append(_ratio(row, ours.get(UNTRANSLATED.get(row.key, ""))))
        lines.append(cells)
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in [lines[0], rule, *lines[1:]])


def _ratio(row: Row, other: float | None) -> str:
    ours = row.values.get(BRIDGE)
    return "" if ours is None or not other else f"{ours / other:.2f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"


def reasons(rows: Sequence[Row]) -> list[str]:
    """Return why numbers are missing or doubtful, one line for each column and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, why in row.missing.items():
            found.setdefault((name, why), []).append(row.key)
    lines = [f"{name} has no {', '.join(keys)}: {why}" for (name, why), keys in found.items()]
    doubts = [(name, row.key, why) for row in rows for name, why in row.doubts.items()]
    return lines + [f"{name}'s {key} proves nothing: {why}" for name, key, why in doubts]


def as_json(
    rows: Sequence[Row], facts: dict[str, Any], notes: Sequence[str], goals: Sequence[Verdict]
) -> dict[str, Any]:
    """Return everything for a program to read."""
    return {
        "facts": facts,
        "rows": [asdict(row) for row in rows],
        "notes": list(notes),
        "verdicts": [asdict(goal) for goal in goals],
    }
