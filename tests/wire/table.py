"""The table of equipment: every `EQUIPMENT` of a file in `rows/`. A new file there is a new row."""

from __future__ import annotations

import importlib
import pkgutil

from tests.wire import rows
from tests.wire.equipment import Equipment


def all_equipment() -> list[Equipment]:
    """Every row, by name. Raises `ValueError` where two have one name."""
    every: dict[str, Equipment] = {}
    for file in sorted(pkgutil.iter_modules(rows.__path__), key=lambda file: file.name):
        for row in importlib.import_module(f"{rows.__name__}.{file.name}").EQUIPMENT:
            if row.name in every:
                raise ValueError(f"two rows are called {row.name}")
            every[row.name] = row
    return list(every.values())
