"""What looking at a long list of tools costs: the bridge, the bridge with `--pass-through`, and the peers.

| row | the server's list |
|---|---|
| `list` | tools that every host takes |
| `list-passed` | the same; the bridge does not look at it |
| `list-odd` | tools of which each has a schema that some hosts refuse, so that the bridge mends all of them |

The processes run at the same time and take turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.benchmark.columns import BRIDGE, PEERS, Column
from scripts.benchmark.host import StdioDriver
from scripts.benchmark.messages import MANY_TOOLS, ColumnError
from scripts.benchmark.rows import Plan, Row, fill, let_rest

GROUP = "lists"
_WARM_UP_LISTS = 5

_ROWS = {
    "list": f"{MANY_TOOLS} tools listed",
    "list-passed": f"{MANY_TOOLS} tools listed, with `--pass-through`",
    "list-odd": f"{MANY_TOOLS} tools listed, each with an odd schema",
}

PASSED = {"list": "list-passed"}
"""The row of a list that is looked at, and of the same list that is not."""


@dataclasses.dataclass(frozen=True)
class _Running:
    row: str
    column: Column
    driver: StdioDriver


class ToolLists:
    """Takes the rows; a column that fails has no number in that row, and the others go on."""

    def __init__(self, columns: Sequence[Column], server: str, home: Path, plan: Plan) -> None:
        self._columns = [column for column in columns if column.name in (BRIDGE, *PEERS)]
        self._server = server
        self._home = home
        self._plan = plan
        self._rows = {key: Row(key, title, "ms") for key, title in _ROWS.items()}
        # The same orders in every run.
        self._order = random.Random(3)  # noqa: S311 - nothing here is a secret

    def run(self) -> list[Row]:
        """Return the rows; whatever happens, the processes are stopped."""
        times: dict[str, dict[str, list[float]]] = {key: {} for key in _ROWS}
        with contextlib.ExitStack() as ending:
            running = list(self._launched(ending))
            for _ in range(self._plan.list_rounds):
                for one in self._order.sample(running, len(running)):
                    with self._guard(one.row, one.column):
                        took = [one.driver.list_tools() / 1e6 for _ in range(self._plan.lists)]
                        times[one.row].setdefault(one.column.name, []).extend(took)
                    let_rest(one.driver)
        for key, row in self._rows.items():
            fill(row, times[key])
        return list(self._rows.values())

    def _launched(self, ending: contextlib.ExitStack) -> Iterator[_Running]:
        for key in _ROWS:
            for column in self._columns:
                if key == "list-passed":
                    if column.name != BRIDGE:
                        continue
                    column = dataclasses.replace(column, after_url=(*column.after_url, "--pass-through"))
                home = self._home / f"{key}-{column.name}"
                home.mkdir(exist_ok=True)
                kind = "odd" if key == "list-odd" else "many"
                with self._guard(key, column):
                    url = f"{self._server}/{kind}/{key}-{column.name}"
                    driver = column.launcher(url, home, self._plan.patience)
                    ending.callback(driver.close)
                    driver.start()
                    for _ in range(_WARM_UP_LISTS):
                        driver.list_tools()
                    yield _Running(key, column, driver)

    @contextlib.contextmanager
    def _guard(self, key: str, column: Column) -> Iterator[None]:
        try:
            yield
        except (ColumnError, OSError, ValueError, LookupError, TypeError) as error:
            self._rows[key].missing.setdefault(column.name, str(error) or type(error).__name__)
