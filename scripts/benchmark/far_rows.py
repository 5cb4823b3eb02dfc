"""What a server far away costs: TLS 1.3, 80 ms for a round trip, and every round trip that could be spared is seen.

The host launches the bridge, opens, and asks for the tools at once, as hosts do; the clock stops at that answer. A
legacy host has a legacy server, a modern one a modern server. Before it lists the tools, the bridge's modern host asks
to hear of changes (`subscriptions/listen`), as real ones do. The peers' does not: a peer that carries out one request
at a time would never get past that one, and they have no round trip more for it.

| row | what the bridge knows beforehand | what is asked |
|---|---|---|
| first contact | nothing: a home of its own for each launch | opening, tools |
| later runs | what the runs before have left in its home | the same, then 20 calls at once |
| results kept | as later runs, and the server lets its results be kept for an hour | opening, tools |
| without the 80 ms | as later runs; the server lets nothing be kept | opening, tools |

Only the bridge keeps results, so the last two rows are its alone; a legacy host has them too, its server being modern.
`far_pauses` has the rows about idle connections.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.columns import BRIDGE, PEERS, Column
from scripts.benchmark.far_pauses import pauses
from scripts.benchmark.messages import LEGACY, MODERN, MODERN_LISTENING, ColumnError, Tongue
from scripts.benchmark.rows import Plan, Row, fill, let_rest
from scripts.benchmark.servers import FarServer

GROUP = "link"
CROWD = 20

LATER = {f"far-{era}-first": f"far-{era}" for era in ("legacy", "modern")}
"""The row of each first contact, and of the later runs it is held against."""
KEPT = {f"far-kept-{era}": f"near-{era}" for era in ("modern", "legacy")}
"""The row of launches with kept results, and of the launch without the 80 ms that it is held against."""


@dataclass(frozen=True)
class _Launch:
    """One way of launching a column: the server's address, the host, the home; `home` is empty for a fresh one."""

    row: Row
    server: str
    tongue: Tongue
    home: str = ""
    crowd: Row | None = None


class FarRows:
    """Takes the rows; a column that fails loses that row."""

    def __init__(self, columns: Sequence[Column], server: FarServer, home: Path, plan: Plan) -> None:
        self._columns = [column for column in columns if column.name in (BRIDGE, *PEERS)]
        self._server = server
        self._home = home / "far"
        self._home.mkdir()
        self._plan = plan
        self._samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        # The same orders in every run.
        self._order = random.Random(3)  # noqa: S311 - nothing here is a secret

    def run(self) -> list[Row]:
        """Return the rows."""
        found = [*self._era(LEGACY, "mcp"), *self._era(MODERN, "modern")]
        if any(column.name == BRIDGE for column in self._columns):
            found += [*self._kept(MODERN), *self._kept(LEGACY)]
        return [*found, *pauses(self._columns, self._server, self._home, self._plan)]

    def _era(self, tongue: Tongue, path: str) -> list[Row]:
        what = f"launch to tools listed, {tongue.name} server 80 ms away"
        first = Row(f"far-{tongue.name}-first", f"{what}, first contact", "ms")
        later = Row(f"far-{tongue.name}", f"{what}, later runs", "ms")
        crowd = Row(f"far-{tongue.name}-crowd", f"{CROWD} calls at once right after that, {tongue.name}", "ms")
        server = f"{self._server.far}/{path}"
        launches = [_Launch(first, server, tongue), _Launch(later, server, tongue, path, crowd)]
        self._take_turns(launches, self._columns)
        crowd.missing = later.missing
        return self._filled(first, later, crowd)

    def _kept(self, tongue: Tongue) -> list[Row]:
        what = f"launch to tools listed, {tongue.name} host, modern server"
        far = Row(f"far-kept-{tongue.name}", f"{what} 80 ms away, results kept", "ms")
        near = Row(KEPT[far.key], f"{what} without the 80 ms, nothing kept", "ms")
        launches = [
            _Launch(far, f"{self._server.far}/kept", tongue, far.key),
            _Launch(near, f"{self._server.near}/modern", tongue, near.key),
        ]
        self._take_turns(launches, [column for column in self._columns if column.name == BRIDGE])
        return self._filled(far, near)

    def _take_turns(self, launches: Sequence[_Launch], columns: Sequence[Column]) -> None:
        # The first turn fills the homes and warms the file caches.
        for turn in range(self._plan.far_starts + 1):
            pairs = [(launch, column) for launch in launches for column in columns]
            for launch, column in self._order.sample(pairs, len(pairs)):
                if column.name in launch.row.missing:
                    continue
                try:
                    took, crowd = self._launch(launch, column)
                except (ColumnError, OSError, ValueError, LookupError, TypeError) as error:
                    launch.row.missing[column.name] = str(error) or type(error).__name__
                    continue
                if turn:
                    self._samples[launch.row.key, column.name].append(took)
                    if launch.crowd is not None:
                        self._samples[launch.crowd.key, column.name].append(crowd)

    def _launch(self, launch: _Launch, column: Column) -> tuple[float, float]:
        """Return the milliseconds from launch to the tools, and those of the crowd."""
        home = self._home / f"{column.name}-{launch.home}" if launch.home else Path(tempfile.mkdtemp(dir=self._home))
        home.mkdir(exist_ok=True)
        url = f"{launch.server}/{column.name}"
        tongue = MODERN_LISTENING if launch.tongue is MODERN and column.name == BRIDGE else launch.tongue
        driver = column.launcher(url, home, self._plan.patience, tongue, self._server.authority)
        try:
            driver.start()
            took = driver.listed()
            crowd = driver.parallel(CROWD, CROWD) if launch.crowd is not None else 0
            let_rest(driver)
        finally:
            driver.close()
        return took / 1e6, crowd / 1e6

    def _filled(self, *rows: Row) -> list[Row]:
        for row in rows:
            fill(row, {name: found for (key, name), found in self._samples.items() if key == row.key})
        return list(rows)
