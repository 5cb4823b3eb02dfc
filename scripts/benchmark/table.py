"""The result as people and programs read it: the markdown table, a verdict for each goal, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.benchmark.columns import BRIDGE, FLOOR, PEERS
from scripts.benchmark.far_pauses import LOST
from scripts.benchmark.far_rows import KEPT, LATER
from scripts.benchmark.pairs import UNTRANSLATED
from scripts.benchmark.rows import Row
from scripts.benchmark.tool_lists import PASSED

IDLE_MEMORY_MB = 25.0
BIG_TIMES_FLOOR = 1.3
IDLE_WAKE_UPS = 0.0
TRANSLATED_TIMES = 1.1
# Milliseconds, with 80 of them for a round trip; a first contact may cost one more.
FAR_MS = {"far-legacy": 400.0, "far-modern": 300.0}
FIRST_CONTACT_MS = 80.0
KEPT_TIMES_NEAR = 1.2
LIST_TIMES_PASSED = 1.3

# The most of the better peer's time, or the least of its rate.
_TIMES_PEER = {"start": 0.8, "call": 0.75, "parallel": 1.0, "progress": 1.0}

# Ratios of a row over another of the bridge's own.
_OWN = (("translated / not", UNTRANSLATED), ("kept / near", KEPT), ("looked at / passed", PASSED))


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
        if row.key in _TIMES_PEER:
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
        elif row.key in FAR_MS:
            found.append(_at_most(row, FAR_MS[row.key], f"at most {FAR_MS[row.key]:.0f} ms"))
        elif row.key in LATER:
            found.append(_first_contact(row, ours.get(LATER[row.key])))
        elif row.key in KEPT:
            near = ours.get(KEPT[row.key])
            limit = None if near is None else KEPT_TIMES_NEAR * near
            found.append(_at_most(row, limit, f"at most {KEPT_TIMES_NEAR} times a launch without the 80 ms"))
        elif row.key in PASSED:
            passed = ours.get(PASSED[row.key])
            limit = None if passed is None else LIST_TIMES_PASSED * passed
            found.append(_at_most(row, limit, f"at most {LIST_TIMES_PASSED} times as long as passed through"))
        elif row.key == LOST:
            found.append(_at_most(row, 0.0, "none"))
    return found


def _against_peer(row: Row) -> Verdict:
    times = _TIMES_PEER[row.key]
    goal = f"{row.title}: {f'at most {times} times' if times < 1 else 'no worse than'} the better peer"
    peer, ours = best_peer(row), row.values.get(BRIDGE)
    if peer is None or ours is None:
        return Verdict(goal, None, _absent(row, "no peer has a number" if peer is None else ""))
    held = ours >= times * peer[1] if row.more_is_better else ours <= times * peer[1]
    return Verdict(goal, held, f"{number(ours)} against {number(peer[1])} {row.unit} of {peer[0]}")


def _translation(row: Row, untranslated: float | None) -> Verdict:
    goal = f"{row.title}: at most {TRANSLATED_TIMES} times the same server's untranslated"
    ours = row.values.get(BRIDGE)
    if untranslated is None or ours is None:
        return Verdict(goal, None, _absent(row, "no untranslated call has a number"))
    times = ours / untranslated
    why = f"{number(ours)} against {number(untranslated)} {row.unit}: {times:.2f} times"
    return Verdict(goal, times <= TRANSLATED_TIMES, why)


def _first_contact(row: Row, later: float | None) -> Verdict:
    goal = f"{row.title}: at most one round trip more than later runs"
    ours = row.values.get(BRIDGE)
    if later is None or ours is None:
        return Verdict(goal, None, _absent(row, "later runs have no number"))
    return Verdict(goal, ours - later <= FIRST_CONTACT_MS, f"{number(ours)} against {number(later)} {row.unit}")


def _at_most(row: Row, limit: float | None, words: str) -> Verdict:
    goal = f"{row.title}: {words}"
    ours = row.values.get(BRIDGE)
    if limit is None or ours is None:
        return Verdict(goal, None, _absent(row, "nothing to hold it against" if limit is None else ""))
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
    """Return the table; ratios are over the better peer, over the floor, and over another row of the bridge's own."""
    ours = {row.key: row.values[BRIDGE] for row in rows if BRIDGE in row.values}
    ratios = [f"{BRIDGE} / better peer", f"{BRIDGE} / {FLOOR}"] if BRIDGE in columns else []
    ratios += [name for name, other in _OWN if ratios and any(row.key in other for row in rows)]
    lines = [["", *columns, *ratios]]
    for row in rows:
        cells = [f"{row.title} ({row.unit})" if row.unit else row.title]
        cells += [number(row.values[name]) if name in row.values else "n/a" for name in columns]
        if ratios:
            peer = best_peer(row)
            cells.append(_ratio(row, None if peer is None else peer[1]))
            cells.append(_ratio(row, row.values.get(FLOOR)))
        for name, other in _OWN:
            if name in ratios:
                cells.append(_ratio(row, ours.get(other.get(row.key, ""))))
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
