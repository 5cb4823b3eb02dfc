"""Which program started a process."""

from __future__ import annotations

from typing import Any

from bridge.protocol.sanitize import shown

UNKNOWN = "a program that has ended"

_LONGEST_NAME = 60


def started_by() -> str:
    """The name and number of the process that started this one."""
    import psutil

    try:
        number = number_of_parent(own := psutil.Process())
        return f"{name_of_parent(own)} (process {number})" if number else UNKNOWN
    except (psutil.Error, OSError):
        return UNKNOWN


def number_of_parent(process: Any) -> int:
    """The number of the parent of a psutil process; 0 where it has ended, since Windows may use its number again."""
    import psutil

    try:
        parent = process.parent()
    except (psutil.Error, OSError):
        return 0
    return 0 if parent is None else int(parent.pid)


def name_of_parent(process: Any) -> str:
    """The name of the parent of a psutil process, fit for one line."""
    import psutil

    try:
        parent = process.parent()
        name = shown(parent.name(), _LONGEST_NAME) if parent is not None else ""
    except (psutil.Error, OSError):
        name = ""
    return name or UNKNOWN
