"""The copies of the bridge that are running, and which program started each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.inventory.command_line import arguments_of
from bridge.process.parent_name import name_of_parent, number_of_parent


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """A process that bridges a host to a server. `since` is in Unix seconds; `host` is the name of its parent.

    The arguments and the bridge's own variables say to which server; they may hold secrets.
    """

    pid: int
    since: float
    host: str
    arguments: tuple[str, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)


def running_instances() -> list[RunningInstance]:
    """Every copy that this user runs, the oldest first. Asks the system, which may take some tenths of a second."""
    import psutil

    try:
        return instances_among(psutil.process_iter(), psutil.Process().username())
    except (psutil.Error, OSError):  # A sandbox may show no processes.
        return []


def instances_among(processes: Iterable[Any], user: str) -> list[RunningInstance]:
    """The copies of `user` among these processes, as psutil gives them.

    Left out are processes that end meanwhile or are hidden, and launchers, which have the same arguments as the copy
    that they started and wait for it (a script's `.exe` on Windows).
    """
    import psutil

    found: dict[int, tuple[Any, tuple[str, ...]]] = {}
    for process in processes:
        try:
            arguments = arguments_of(process.cmdline(), is_process=True)
            # The user comes last, because Windows may have to ask another machine for it.
            if arguments is not None and process.pid != os.getpid() and process.username() == user:
                found[process.pid] = (process, arguments)
        except (psutil.Error, OSError):
            continue
    launchers = {number_of_parent(process) for process, _ in found.values()} & found.keys()
    instances = []
    for number, (process, arguments) in found.items():
        if number in launchers:
            continue
        try:
            since = float(process.create_time())
        except (psutil.Error, OSError):
            continue
        above = process
        while (above_number := number_of_parent(above)) in launchers:
            above = found[above_number][0]
        instances.append(RunningInstance(number, since, name_of_parent(above), arguments, _environ(process)))
    return sorted(instances, key=lambda instance: (instance.since, instance.pid))


def _environ(process: Any) -> dict[str, str]:
    import psutil

    try:
        return {name: text for name, text in process.environ().items() if name.startswith("MCP_BRIDGE_")}
    except (psutil.Error, OSError):
        return {}
