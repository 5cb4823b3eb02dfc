"""The copies of the bridge that run now, and who started each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.inventory.command_line import arguments_of
from bridge.protocol.sanitize import shown

UNKNOWN = "a program that has ended"

_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """A process that bridges a host to a server. `since` in Unix seconds; `host` is the name of its parent.

    The arguments and the bridge's own variables say to which server; they may hold secrets.
    """

    pid: int
    since: float
    host: str
    arguments: tuple[str, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)


def running_instances() -> list[RunningInstance]:
    """Every copy of this user's, the oldest first. Asks the system and may take some tenths of a second."""
    import psutil

    try:
        return instances_among(psutil.process_iter(), psutil.Process().username())
    except (psutil.Error, OSError):  # A sandbox may show no processes.
        return []


def started_by() -> str:
    """The name and number of the process that started this one."""
    import psutil

    try:
        number = _parent(own := psutil.Process())
        return f"{_name_of_parent(own)} (process {number})" if number else UNKNOWN
    except (psutil.Error, OSError):
        return UNKNOWN


def instances_among(processes: Iterable[Any], user: str) -> list[RunningInstance]:
    """The copies of `user` among these processes, as psutil gives them.

    Those that end meanwhile, or are hidden, are left out. A launcher that waits for the copy it started (a script's
    `.exe` on Windows) has the same words: it is none.
    """
    import psutil

    found: dict[int, tuple[Any, tuple[str, ...]]] = {}
    for process in processes:
        try:
            arguments = arguments_of(process.cmdline(), is_process=True)
            # The user last: on Windows it may be asked of another machine.
            if arguments is not None and process.pid != os.getpid() and process.username() == user:
                found[process.pid] = (process, arguments)
        except (psutil.Error, OSError):
            continue
    launchers = {_parent(process) for process, _ in found.values()} & found.keys()
    copies = []
    for number, (process, arguments) in found.items():
        if number in launchers:
            continue
        try:
            since = float(process.create_time())
        except (psutil.Error, OSError):
            continue
        above = process
        while (above_number := _parent(above)) in launchers:
            above = found[above_number][0]
        copies.append(RunningInstance(number, since, _name_of_parent(above), arguments, _environ(process)))
    return sorted(copies, key=lambda copy: (copy.since, copy.pid))


def _parent(process: Any) -> int:
    """The number of the parent, 0 where it has ended: Windows may have given that number to another since."""
    import psutil

    try:
        parent = process.parent()
    except (psutil.Error, OSError):
        return 0
    return 0 if parent is None else int(parent.pid)


def _name_of_parent(process: Any) -> str:
    import psutil

    try:
        parent = process.parent()
        name = shown(parent.name(), _LONGEST_NAME) if parent is not None else ""
    except (psutil.Error, OSError):
        name = ""
    return name or UNKNOWN


def _environ(process: Any) -> dict[str, str]:
    import psutil

    try:
        return {name: text for name, text in process.environ().items() if name.startswith("MCP_BRIDGE_")}
    except (psutil.Error, OSError):
        return {}
