"""Write the tables of flags in `docs/from-mcp-remote.md`: `--write`; without it, print them.

They are the rows of `bridge/migrate/flag_tables`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script

if TYPE_CHECKING:
    from bridge.migrate.flag_tables import FlagRow, ProgramTable

PAGE = ROOT / "docs" / "from-mcp-remote.md"
COMMAND = "python3 scripts/migration_flags.py --write"
BEGIN = "<!-- begin of what scripts/migration_flags.py writes -->\n"
END = "<!-- end of what scripts/migration_flags.py writes -->\n"

_NEEDED = "msgspec"
"""The package that the rows need; where it is missing, the script runs again in the environment of the tests."""


def tables() -> str:
    """All tables in Markdown."""
    from bridge.migrate.flag_tables import TABLES

    return "\n".join(_table(table) for table in TABLES.values())


def with_tables(page: str, fresh: str) -> str:
    """The page with these tables between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no place for the tables")
    return f"{before}{BEGIN}\n{fresh}\n{END}{after}"


def _table(table: ProgramTable) -> str:
    head = f"### `{table.program}` ({table.source})\n\n| flag | becomes |\n|---|---|\n"
    default = [f"| none of {_code(table.default_unless)} | `{table.default}` |\n"] if table.default else []
    variables = [f"| the variable {_code(row.names)} | {_ours(row)} |\n" for row in table.variables.values()]
    port = ["| a port after the URL | `--callback-port`, `--callback-path` |\n"] if table.has_port else []
    return head + "".join([*port, *_rows(table.flags), *default, *variables])


def _rows(rows: Sequence[FlagRow]) -> Iterator[str]:
    for row in rows:
        yield f"| {_code(row.names)} | {_ours(row)} |\n"


def _ours(row: FlagRow) -> str:
    if row.rule == "no-counterpart":
        return f"**the entry stays**: {row.note}"
    if row.rule == "not-needed":
        return f"nothing: {row.note}"
    if row.choices:
        return ", ".join(f"{value}: {f'`{ours}`' if ours else 'nothing'}" for value, ours in row.choices.items())
    return _code(row.ours.split(", ")) if row.ours else "the URL"


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main(arguments: Sequence[str]) -> int:
    """Print or write the tables; returns 0."""
    if importlib.util.find_spec(_NEEDED) is None:
        python = environment("test", extras=["test"]).python
        return subprocess.run([str(python), __file__, *arguments], check=False).returncode
    match arguments:
        case []:
            sys.stdout.write(tables())
        case ["--write"]:
            PAGE.write_text(with_tables(PAGE.read_text("utf-8"), tables()), "utf-8")
        case _:
            raise SetupError(f"usage: {COMMAND.removesuffix(' --write')} [--write]")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
