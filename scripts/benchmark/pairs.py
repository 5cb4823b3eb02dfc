"""What a translated call costs: hosts and servers of both eras, each host paired with each server.

| host | server | the call |
|---|---|---|
| legacy | legacy | goes as it is |
| modern | modern | goes as it is |
| legacy | modern | is translated |
| modern | legacy | is translated |

A bridge of its own for each pair, all four at once, taking turns by a few calls, so that whatever else the machine does
hits all alike. They are launched several times over: one process can be a few percent slower than the next by nothing
but where its memory lies. Peers and floor have no part in it: they translate nothing.
"""

from __future__ import annotations

import contextlib
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.columns import Column
from scripts.benchmark.host import Driver
from scripts.benchmark.messages import LEGACY, MODERN, ColumnError, Tongue
from scripts.benchmark.rows import Plan, Row, let_rest

GROUP = "pairs"
_WARM_UP_CALLS = 50


@dataclass(frozen=True)
class Pair:
    """A host of one era and a server of one."""

    host: Tongue
    server: str

    @property
    def key(self) -> str:
        """The name of its row."""
        return f"call-{self.host.name}-{self.server}"

    def row(self) -> Row:
        """Return its row, empty."""
        translated = "" if self.host.name == self.server else " (translated)"
        return Row(self.key, f"a call, {self.host.name} host, {self.server} server{translated}", "ms")


_PAIRS = tuple(Pair(host, server) for server in ("legacy", "modern") for host in (LEGACY, MODERN))

UNTRANSLATED = {
    f"call-{host}-{server}": f"call-{server}-{server}" for host, server in (("legacy", "modern"), ("modern", "legacy"))
}
"""The row of each translated call, and of the call to the same server that is not."""


class Pairs:
    """Takes the rows; a pair that fails has none, and the others go on."""

    def __init__(self, column: Column, server: str, home: Path, plan: Plan) -> None:
        self._column = column
        self._server = server
        self._home = home
        self._plan = plan
        self._rows = {pair: pair.row() for pair in _PAIRS}
        self._times: dict[Pair, list[float]] = {pair: [] for pair in _PAIRS}
        # The same orders in every run.
        self._order = random.Random(2)  # noqa: S311 - nothing here is a secret

    def run(self) -> list[Row]:
        """Return the rows; whatever happens, the processes are stopped."""
        for _ in range(self._plan.pair_launches):
            with contextlib.ExitStack() as running:
                drivers: dict[Pair, Driver] = {}
                for pair in self._able():
                    with self._guard(pair):
                        drivers[pair] = self._launched(pair, running)
                self._take_turns(drivers)
        for pair, row in self._rows.items():
            if self._column.name not in row.missing:
                row.values[self._column.name] = statistics.median(self._times[pair])
        return list(self._rows.values())

    def _launched(self, pair: Pair, running: contextlib.ExitStack) -> Driver:
        home = self._home / pair.key
        home.mkdir(exist_ok=True)
        url = f"{self._server}/{'mcp' if pair.server == 'legacy' else 'modern'}/{pair.key}"
        driver = self._column.launcher(url, home, self._plan.patience, pair.host)
        running.callback(driver.close)
        driver.start()
        for _ in range(_WARM_UP_CALLS):
            driver.call()
        return driver

    def _take_turns(self, drivers: dict[Pair, Driver]) -> None:
        for _ in range(self._plan.pair_rounds):
            able = self._able()
            for pair in self._order.sample(able, len(able)):
                with self._guard(pair):
                    self._times[pair].extend(drivers[pair].call() / 1e6 for _ in range(self._plan.pair_calls))
                let_rest(drivers[pair])

    def _able(self) -> list[Pair]:
        return [pair for pair, row in self._rows.items() if self._column.name not in row.missing]

    @contextlib.contextmanager
    def _guard(self, pair: Pair) -> Iterator[None]:
        try:
            yield
        except (ColumnError, OSError, ValueError, LookupError, TypeError) as error:
            self._rows[pair].missing.setdefault(self._column.name, str(error) or type(error).__name__)
