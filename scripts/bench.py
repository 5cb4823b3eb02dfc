"""Measure the bridge against its peers and against no bridge at all: `python3 scripts/bench.py`.

One thin server, one run, columns taking turns. `--quick` for a look, `--check` to fail when a goal is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.benchmark import columns, far_rows, pairs, rows, table, tool_lists
from scripts.benchmark.servers import far_server, thin_server
from scripts.environment import clean_variables, run_script

_EXPLANATION = """\
Times and memory: less is better; rates: more is better. No bridge at all, in the bench's own process,
are `floor`, an ordinary asynchronous HTTP client with keep-alive connections (httpcore, the engine of httpx),
and `sockets`, bare keep-alive sockets that know just enough HTTP, for information. `relay` is the least a
second process can do, one call at a time. Memory is the resident size of the process and its children,
1 MB = 1,000,000 bytes. A wake-up is a thread that slept and woke. A translated call, host and server being of
different eras of MCP, is held against a call to the same server that is not. A long list of tools is held against the
same list with `--pass-through`, where the bridge does not look at it. A server 80 ms away is behind a link that
delays everything by 40 ms each way, connecting too, and speaks TLS 1.3; to have its tools listed the host launches the
bridge, opens and asks."""

_GROUPS = (*rows.GROUPS, pairs.GROUP, tool_lists.GROUP, far_rows.GROUP)


def begin(arguments: Sequence[str]) -> int:
    """Call `main` on an interpreter that has what the bench imports: this one, or else in this one's place."""
    # Help and wrong options are answered here, before anything is made.
    options = _options(arguments)
    if columns.FLOOR in options.columns or far_rows.GROUP in options.only:
        made = columns.bench_environment()
        if Path(sys.prefix).resolve() != made.folder.resolve():
            command = [str(made.python), str(Path(__file__).resolve()), *arguments]
            os.execve(made.python, command, clean_variables(os.environ))  # noqa: S606 - no shell is wanted
    return main(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 1 if `--check` was given and a goal was missed."""
    options = _options(arguments)
    plan = rows.QUICK if options.quick else rows.Plan()
    if options.idle_seconds is not None:
        plan = dataclasses.replace(plan, idle_seconds=options.idle_seconds)
    commands = {
        columns.BRIDGE: options.bridge_command,
        columns.MCP_REMOTE: options.mcp_remote_command,
        columns.MCP_STDIO: options.mcp_stdio_command,
    }
    chosen = [columns.column(name, commands.get(name)) for name in options.columns]
    load = os.getloadavg()[0]
    # The bench keeps no cycles worth a collector's pause in the middle of a measurement.
    gc.disable()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, thin_server() as server:
            bench = rows.Bench(chosen, server, Path(home), plan)
            taken = bench.run(options.only)
            bridge = next((column for column in chosen if column.name == columns.BRIDGE), None)
            if bridge is not None and pairs.GROUP in options.only:
                taken += pairs.Pairs(bridge, server, Path(home), plan).run()
            if tool_lists.GROUP in options.only:
                taken += tool_lists.ToolLists(chosen, server, Path(home), plan).run()
            if far_rows.GROUP in options.only:
                with far_server(Path(home)) as far:
                    taken += far_rows.FarRows(chosen, far, Path(home), plan).run()
    finally:
        gc.enable()
    if options.best:
        for row in taken:
            row.values |= row.best
    facts, goals = _facts(plan), table.verdicts(taken)
    facts["load at start"] = round(load, 1)
    notes = [*bench.notes, *table.reasons(taken)]
    if options.best:
        notes.insert(0, "where a row is a median elsewhere, this is the best sample")
    if load > 1:
        notes.insert(0, f"the machine was busy before this began (load {load:.1f}): do not trust the numbers")
    _show(taken, options.columns, facts, notes, goals)
    if options.json is not None:
        options.json.write_text(json.dumps(table.as_json(taken, facts, notes, goals), indent=2) + "\n")
    missed = [goal for goal in goals if not goal.held]
    return 1 if options.check and missed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a short run: less exact")
    parser.add_argument("--best", action="store_true", help="the best sample, not the median: for a busy machine")
    parser.add_argument("--check", action="store_true", help="exit code 1 unless every goal held")
    only = f"{', '.join(_GROUPS)} ({far_rows.GROUP}: a server 80 ms away, TLS)"
    parser.add_argument("--only", type=_listed(_GROUPS), default=_GROUPS, help=only)
    parser.add_argument("--columns", type=_listed(columns.NAMES), default=columns.NAMES, help=", ".join(columns.NAMES))
    parser.add_argument("--idle-seconds", type=float, help="how long the idle minute is (default 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    for name in (columns.BRIDGE, *columns.PEERS):
        parser.add_argument(f"--{name}-command", metavar="COMMAND", help="launch this; the URL is added")
    return parser.parse_args(list(arguments))


def _listed(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a reader of a comma-separated choice; it gives the names in the order of the allowed ones."""

    def read(text: str) -> list[str]:
        chosen = {name.strip() for name in text.split(",")}
        if unknown := sorted(chosen - set(allowed)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return [name for name in allowed if name in chosen]

    return read


def _facts(plan: rows.Plan) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "httpcore": columns.HTTPCORE_VERSION,
        "mcp-remote": columns.MCP_REMOTE_VERSION,
        "mcp-stdio": columns.MCP_STDIO_VERSION,
        "plan": dataclasses.asdict(plan),
    }


def _show(
    taken: Sequence[rows.Row],
    names: Sequence[str],
    facts: dict[str, Any],
    notes: Sequence[str],
    goals: Sequence[table.Verdict],
) -> None:
    print(f"{facts['cores']} cores, {facts['machine']}, {facts['system']}, Python {facts['python']}\n")
    print(table.markdown(taken, names))
    print(f"\n{_EXPLANATION}\n")
    for note in notes:
        print(f"note: {note}")
    for goal in goals:
        word = "not known" if goal.held is None else "held" if goal.held else "MISSED"
        print(f"{word}: {goal.goal} ({goal.why})")


if __name__ == "__main__":
    sys.exit(run_script(begin))
